"""Which instances the manifests probably declare, found by a look at their text before they are loaded.

A guess: only what is loaded counts. It is wrong about a manifest that says its instance in an unusual way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import discovery
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.directory import Directory

_INSTANCE = re.compile(
    rb"""^(?:instance|[ ]*"instance")[ ]*:[ ]*["']?([^"'#\r\n]+?)["']?,?[ ]*(?:#.*)?\r?$""", re.MULTILINE
)
_CREDENTIALS = re.compile(rb"\bopenaiCreds\b|\bcredentials\b")


def instances(directory: Path) -> Mapping[str, bool]:
    """The names of instances, and whether credentials are named for them. Raises nothing."""
    try:
        home = Directory(directory, {})
    except ReconcilerError:
        return {}
    found = discovery.find(home)
    everywhere = any(_CREDENTIALS.search(_contents(home, path)) for path in found.defaults.values())
    guesses: dict[str, bool] = {}
    for path in found.manifests:
        data = _contents(home, path)
        named = _INSTANCE.search(data)
        name = named[1].decode(errors="replace") if named else path.stem
        guesses[name] = everywhere or _CREDENTIALS.search(data) is not None
    return guesses


def _contents(home: Directory, path: Path) -> bytes:
    try:
        return home.contents(path, MAX_MANIFEST)
    except UnreadableError:
        return b""
