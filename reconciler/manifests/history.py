"""Which instances the manifests ever named: in the work tree, or in a commit of its history."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from reconciler.manifests import git

MOST = 50
"""The most instances that are looked for one by one, which takes a look at every commit for each."""

_ENDINGS = {".yaml", ".yml", ".json"}


def named(directory: Path, names: Collection[str]) -> frozenset[str]:
    """Those of these instances that a commit named. None where there is no history to look at.

    An instance is named by its manifest's file, or by the key `instance`.
    """
    top = git.top(directory)
    if top is None or not names:
        return frozenset()
    folder = directory.resolve().relative_to(top).as_posix()
    try:
        paths = [PurePosixPath(path) for path in git.paths(top, folder)]
        found = {path.stem for path in paths if path.suffix.lower() in _ENDINGS} & set(names)
        rest = sorted(set(names) - found)[:MOST]
        found |= {name for name in rest if git.mentions(top, folder, _key(name))}
    except git.GitError:
        return frozenset()
    return frozenset(found)


def _key(name: str) -> str:
    """An expression for a line that gives the key `instance` this name."""
    literal = re.sub(r"([^\w\s-])", r"\\\1", name)
    return f"""instance["']?[[:space:]]*:[[:space:]]*["']?{literal}(["',}}[:space:]]|$)"""
