"""What valid manifests declare, from run to run: a file that can be deleted at any time.

An entry is found by a digest of all that it was made of, so a manifest that changed has none. It is JSON,
which can be wrong and no worse. The file is in the user's own cache directory, never in the checkout, where a
pull request could put one. It has no secret, and nothing of a manifest with an error.
"""

from __future__ import annotations

import functools
import json
import os
import stat
import sys
from contextlib import ExitStack, suppress
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.manifests.encoded import line

_FORMAT = "1"
_MADE_BY = ("domain", "yaml", "routing", "manifests", "lint")
"""The packages whose code decides what a manifest means, and what is said of it."""

_WITH = ("pydantic", "ruamel", "quickjs")
"""How the names of the libraries begin that decide it too."""

_TRAILER = 20
"""Bytes at the end of the file: where its index begins."""


def digest(*parts: bytes) -> str:
    """A digest of the parts, each apart from the next."""
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(b"%d:" % len(part))
        made.update(part)
    return made.hexdigest()


class Cache:
    """The entries of one directory of manifests, by their keys."""

    def __init__(self, path: Path, stamp: str) -> None:
        self._path, self._stamp = path, stamp
        self._there: dict[str, list[int]] = {}
        self._used: dict[str, None] = {}
        self._new: dict[str, list[int]] = {}
        self._at = 0
        self._opened = ExitStack()
        self._old: BinaryIO | None = None
        self._beside: files.Replacement | None = None

    def __enter__(self) -> Cache:
        with suppress(OSError, ValueError, TypeError, KeyError):
            old = self._opened.enter_context(self._path.open("rb", buffering=0))
            end = old.seek(-_TRAILER, os.SEEK_END)
            start = int(old.read(_TRAILER))
            old.seek(start)
            index = json.loads(old.read(end - start))
            if index["stamp"] == self._stamp:
                self._old, self._there = old, index["entries"]
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def find(self, key: str) -> Any:
        """The entry of a key, None where there is none."""
        if self._old is None or key not in self._there:
            return None
        with suppress(OSError, ValueError, TypeError):
            found = json.loads(self._read(self._old, key))
            self._used[key] = None
            return found
        return None

    def keep(self, key: str, entry: object) -> None:
        """Add an entry, in the place of the one with this key."""
        with suppress(ReconcilerError, OSError, ValueError):
            if key in self._new:
                return
            if self._beside is None:
                _home().mkdir(parents=True, exist_ok=True)
                files.folders(self._path.parent, below=_home(), private=True)
                self._beside = self._opened.enter_context(files.Replacement(self._path))
            self._add(self._beside, key, line(entry))

    def save(self, *, whole: bool = True) -> None:
        """Write the file anew where there is a new entry: with it, and with those that were found.

        whole: whether all manifests were looked for, so that no other entry is of use any more.
        """
        if self._beside is None:
            return
        with suppress(ReconcilerError, OSError, ValueError, TypeError):
            for key in self._used if whole else self._there:
                if self._old is not None and key not in self._new:
                    self._add(self._beside, key, self._read(self._old, key))
            index = line({"stamp": self._stamp, "entries": self._new})
            self._old = None
            self._beside.write(b"%b%*d" % (index, _TRAILER, self._at))

    def _add(self, file: files.Replacement, key: str, entry: bytes) -> None:
        file.add(entry)
        self._new[key] = [self._at, len(entry)]
        self._at += len(entry)

    def _read(self, old: BinaryIO, key: str) -> bytes:
        start, length = self._there[key]
        old.seek(start)
        return old.read(length)


def of(directory: Path) -> Cache | None:
    """The cache of a directory of manifests; None where there can be none."""
    home, stamp = _home(), _stamp()
    if stamp is None or not _is_own(home, directory):
        return None
    name = digest(os.fsencode(directory), os.fsencode(directory.resolve()))
    return Cache(home / "evolution-reconciler" / f"manifests-{name}", stamp)


def _home() -> Path:
    """The directory for the user's caches."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        place = Path(os.environ.get(name, ""))
        if place.is_absolute():
            return place
    return Path(os.path.expanduser("~/.cache"))  # noqa: PTH111 - unlike Path's, it raises nothing


def _is_own(home: Path, directory: Path) -> bool:
    """Whether nobody else can have written there: neither another user nor a commit."""
    if not home.is_absolute():
        return False
    place, real = home.resolve(), directory.resolve()
    if place.is_relative_to(real):
        return False
    top = next((each for each in real.parents if (each / ".git").exists()), None)
    if top is not None and place.is_relative_to(top):
        return False
    try:
        found = os.lstat(place / "evolution-reconciler")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return stat.S_ISDIR(found.st_mode) and mine


@functools.cache
def _stamp() -> str | None:
    """What the entries are made by: this code, and the libraries that it uses; None where it is not known."""
    parts = [_FORMAT, sys.version]
    try:
        for name in _WITH:
            spec = find_spec(name)
            [place] = (spec and spec.submodule_search_locations) or []
            parts += sorted(each for each in os.listdir(Path(place).parent) if _is_about(each, name))  # noqa: PTH208 - names alone
        root = Path(__file__).parents[1]
        paths = [path for package in _MADE_BY for path in (root / package).rglob("*.py")]
        return digest(*map(str.encode, parts), *(each for path in sorted(paths) for each in _named(path)))
    except (OSError, ValueError):
        return None


def _is_about(file: str, library: str) -> bool:
    return file.lower().startswith(library) and file.endswith((".dist-info", ".egg-info"))


def _named(path: Path) -> tuple[bytes, bytes]:
    return os.fsencode(path.name), path.read_bytes()
