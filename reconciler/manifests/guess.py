"""Which instances the manifests probably declare, found by a look at their text before they are loaded.

A guess: only what is loaded counts. It is wrong about a manifest that says its instance in an unusual way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass
from reconciler.manifests import discovery
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.directory import Directory

_INSTANCE, _SERVER = (
    re.compile(
        rb"""^(?:%b|[ ]*"%b")[ ]*:[ ]*["']?([^"'#\r\n]+?)["']?,?[ ]*(?:#.*)?\r?$""" % (key, key), re.MULTILINE
    )
    for key in (b"instance", b"server")
)
_CREDENTIALS = re.compile(rb"\bopenaiCreds\b|\bcredentials\b")


@dataclass(frozen=True, slots=True)
class Guess:
    """An instance. server: that it names, "" for none. credentials: whether some are named for it."""

    server: str
    instance: str
    credentials: bool


def instances(directory: Path, *, servers: bool) -> Iterator[Guess]:
    """The instances, in the order in which they are loaded. servers: whether it matters which they name.

    Raises nothing.
    """
    try:
        home = Directory(directory, {})
    except ReconcilerError:
        return
    found = discovery.find(home)
    folders = {folder: _contents(home, path) for folder, path in found.defaults.items()}
    everywhere = any(map(_CREDENTIALS.search, folders.values()))
    named = {folder: _first(_SERVER, data) for folder, data in folders.items()}
    for path in found.manifests:
        data = _contents(home, path)
        nearest = (_first(_SERVER, data), *map(named.get, path.parents)) if servers else ()
        yield Guess(
            next(filter(None, nearest), ""),
            _first(_INSTANCE, data) or path.stem,
            everywhere or _CREDENTIALS.search(data) is not None,
        )


def _first(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data)
    return found[1].decode(errors="replace") if found else ""


def _contents(home: Directory, path: Path) -> bytes:
    try:
        return home.contents(path, MAX_MANIFEST)
    except UnreadableError:
        return b""
