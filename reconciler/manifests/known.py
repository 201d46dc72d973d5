"""Which files of the directory are as they were when the cache was written, and what they declare."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.domain.caches import digest
from reconciler.domain.desired import DesiredInstance
from reconciler.domain.records import dataclass
from reconciler.manifests.cache import Cache, Memory, Recorder
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.directory import Directory
from reconciler.manifests.encoded import Decoder, SecretInsideError, encode
from reconciler.manifests.include import Includes

Included = Sequence[tuple[Path, str]]
"""Files, and what a `!file` of each names."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is made of each valid instance, which has origins then, and kept beside it.

    about: what the result depends on besides the instance. make: gives values that JSON has.
    """

    about: str
    make: Callable[[DesiredInstance], object]


@dataclass(frozen=True, slots=True)
class One:
    """One manifest. declares: whether it has a key of one. seen: what a Look made of its instance."""

    declares: bool
    instance: DesiredInstance | None
    seen: Any = None


class Known:
    """What the cache has of manifests and folders' files, as they are now.

    An entry's key is made of the path and the contents of the file, and of those of the folders' files above
    it. The texts that it includes are compared with those that are included now, and are looked for in the
    same way: links, spelling and limits are checked as if the file was parsed.
    """

    def __init__(
        self,
        cache: Cache | Memory | Recorder,
        home: Directory,
        includes: Includes,
        folders: Mapping[Path, Path],
    ) -> None:
        self._cache, self._home, self._includes, self._folders = cache, home, includes, folders
        self._decoder = Decoder()
        self._chains: dict[Path, str | None] = {}
        self._digests: dict[str, str] = {}

    def contents(self, path: Path) -> bytes | None:
        """A file's bytes; None where it cannot be read."""
        try:
            return self._home.contents(path, MAX_MANIFEST)
        except UnreadableError:
            return None

    def is_valid(self, folder: Path) -> bool:
        """Whether a folder's file is known to have no error."""
        key = self._chain(folder)
        entry = None if key is None else self._cache.find(key)
        return entry is not None and self._are_same(entry)

    def key(self, path: Path, data: bytes | None) -> str | None:
        """The key of a manifest with these contents; None where they or a file above cannot be read."""
        above = self._chain(path.parent)
        return None if data is None or above is None else digest(os.fsencode(path), data, above.encode())

    def manifest(self, key: str, look: Look | None) -> One | None:
        """What the manifest of a key declares, and what a Look made of it; None where that is not known."""
        entry = self._cache.find(key)
        if entry is None:
            return None
        try:
            included, declares, instance = entry
            if not self._are_same(included):
                return None
            seen = None
            if look is not None:
                names = [(Path(path), name) for path, name, _ in included]
                seen = self._cache.find(self._seen_key(key, names, look))
                if seen is None:
                    return None
            return One(declares, self._decoder.instance(instance), seen)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None

    def keep_folder(self, folder: Path, included: Included) -> None:
        """Remember that a folder's file, and those above it, have no error."""
        if key := self._chain(folder):
            self._cache.keep(key, self._recorded(included))

    def keep(self, path: Path, data: bytes | None, included: Included, one: One, look: Look | None) -> None:
        """Remember a manifest that has no error, nor has a file above it."""
        key = self.key(path, data)
        if key is None or one.instance is None:
            return
        try:
            self._cache.keep(key, [self._recorded(included), one.declares, encode(one.instance)])
            if look is not None:
                self._cache.keep(self._seen_key(key, included, look), one.seen)
        except SecretInsideError:
            pass

    def _seen_key(self, key: str, included: Included, look: Look) -> str:
        """The key of what a Look made, which may also be about the names of the included files."""
        elsewhere = [self._includes.elsewhere(path, name) for path, name in included]
        return digest(key.encode(), look.about.encode(), *map(str.encode, elsewhere))

    def _chain(self, folder: Path) -> str | None:
        """A digest of a folder's file and of those above it; None where one cannot be read."""
        if folder not in self._chains:
            above = "" if folder.parent == folder else self._chain(folder.parent)
            if folder in self._folders and above is not None:
                path = self._folders[folder]
                data = self.contents(path)
                above = None if data is None else digest(os.fsencode(path), data, above.encode(), b"folder")
            self._chains[folder] = above
        return self._chains[folder]

    def _recorded(self, included: Included) -> list[list[str]]:
        return [[str(path), name, self._text(path, name)] for path, name in included]

    def _are_same(self, included: Any) -> bool:
        return all(self._text(Path(path), name) == text for path, name, text in included)

    def _text(self, path: Path, name: str) -> str:
        """A digest of an included text; "" where there is none."""
        try:
            text = self._includes.text(path, name)
        except UnreadableError:
            return ""
        if text not in self._digests:
            self._digests[text] = digest(text.encode())
        return self._digests[text]
