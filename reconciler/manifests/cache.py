"""What valid manifests declare, from run to run: a file that can be deleted at any time.

An entry is found by a digest of all that it was made of, so a manifest that changed has none. It is JSON,
which can be wrong and no worse. The file is in the user's own cache directory, never in the checkout, where a
pull request could put one. It has no secret, and nothing of a manifest with an error.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from reconciler.domain import caches, files
from reconciler.domain.errors import ReconcilerError
from reconciler.manifests.encoded import line

_FORMAT = "1"
_MADE_BY = ("domain", "yaml", "routing", "manifests", "lint")
"""The packages whose code decides what a manifest means, and what is said of it."""

_WITH = ("pydantic", "ruamel", "quickjs")
"""How the names of the libraries begin that decide it too."""

_TRAILER = 20
"""Bytes at the end of the file: where its index begins."""


Line = tuple[str, bytes]
"""The key of an entry, and what the file has of it."""


class Recorder:
    """Takes entries for another process, which has the cache."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def find(self, key: str) -> Any:
        """Nothing: what the cache has, that process finds itself."""
        return None

    def keep(self, key: str, entry: object) -> None:
        """Add an entry."""
        with suppress(ValueError):
            self._lines.append((key, line(entry)))

    def taken(self) -> list[Line]:
        """The entries since the last time."""
        found, self._lines = self._lines, []
        return found


class Memory:
    """The entries of a directory of manifests that is loaded several times, for as long as this is held."""

    def __init__(self) -> None:
        self._lines: dict[str, bytes] = {}

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def find(self, key: str) -> Any:
        """The entry of a key, None where there is none."""
        return json.loads(self._lines[key]) if key in self._lines else None

    def keep(self, key: str, entry: object) -> None:
        """Add an entry."""
        with suppress(ValueError):
            self._lines[key] = line(entry)

    def take(self, lines: Iterable[Line]) -> None:
        """Add entries that another process has made."""
        self._lines.update(lines)

    def save(self, *, whole: bool = True) -> None:
        """Nothing: it is all there."""


class Cache:
    """The entries of one directory of manifests, by their keys."""

    def __init__(self, path: Path, stamp: str) -> None:
        self._path, self._stamp = path, stamp
        self._there: dict[str, list[int]] = {}
        self._used: dict[str, None] = {}
        self._new: dict[str, list[int]] = {}
        self._taken: dict[str, bytes] = {}
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
        if key in self._taken:
            return json.loads(self._taken.pop(key))
        if self._old is None or key not in self._there:
            return None
        with suppress(OSError, ValueError, TypeError):
            found = json.loads(self._read(self._old, key))
            self._used[key] = None
            return found
        return None

    def keep(self, key: str, entry: object) -> None:
        """Add an entry, in the place of the one with this key."""
        with suppress(ValueError):
            self._keep(key, line(entry))

    def take(self, lines: Iterable[Line]) -> None:
        """Add entries that another process has made. Each can be found once."""
        for key, entry in lines:
            if key not in self._new:
                self._taken[key] = entry
                self._keep(key, entry)

    def _keep(self, key: str, entry: bytes) -> None:
        with suppress(ReconcilerError, OSError, ValueError):
            if key in self._new:
                return
            if self._beside is None:
                caches.make_folder(self._path)
                self._beside = self._opened.enter_context(files.Replacement(self._path))
            self._add(self._beside, key, entry)

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
        if hasattr(os, "pread"):  # copies of this process read the same file
            return os.pread(old.fileno(), length, start)
        old.seek(start)
        return old.read(length)


def of(directory: Path) -> Cache | None:
    """The cache of a directory of manifests; None where there can be none."""
    path, stamp = caches.place("manifests", directory), _stamp()
    return None if path is None or stamp is None else Cache(path, stamp)


@functools.cache
def _stamp() -> str | None:
    """What the entries are made by."""
    return caches.stamp(_FORMAT, _MADE_BY, _WITH)
