"""Names of files that only look alike, or that other systems take for one another or don't take at all."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.domain.text import quoted
from reconciler.manifests.confined import UnreadableError
from reconciler.manifests.directory import Directory

_NOT_ON_WINDOWS = re.compile(
    r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)', re.IGNORECASE
)


class Spelling:
    """Compares paths with the names of the files that are there. Every folder is listed once."""

    def __init__(self, home: Directory) -> None:
        self._home = home
        self._names: dict[Path, dict[str, list[str]]] = {}

    def is_exact(self, folder: Path, name: str) -> bool:
        """False where a file is only spelled like it, even if the system finds that one."""
        return not any(same and part not in same for part, same in self._parts(folder, name))

    def missing(self, folder: Path, name: str) -> str:
        """What to say of a path that no file has: which file is spelled like it, if any."""
        found: list[str] = []
        for part, same in self._parts(folder, name.replace("\\", "/")):
            if not same:
                return "does not exist: correct the path or create the file"
            found.append(part if part in same else same[0])
        right = "/".join(found)
        if unicodedata.normalize("NFC", right) == unicodedata.normalize("NFC", name):
            return (
                f"does not exist: a file {quoted(right)} does, of which the accents are other characters "
                f"({right!a}): copy its name, or rename the file"
            )
        return f"does not exist, but {quoted(right)} does: write that"

    def elsewhere(self, folder: Path, name: str) -> str:
        """Why other systems may not find a file that this one finds: a sentence without its subject."""
        for part, same in self._parts(folder, name):
            if others := [other for other in same if other != part]:
                return f"is next to {quoted(others[0])}, which is the same name on Windows and macOS"
            if _NOT_ON_WINDOWS.search(part):
                return f"has the name {quoted(part)}, which Windows does not allow"
            if unicodedata.normalize("NFC", part) != part:
                return f"has accents that are separate characters ({part!a}), which other systems may combine"
        return ""

    def _parts(self, folder: Path, name: str) -> Iterator[tuple[str, list[str]]]:
        """The parts of a path, each with the names in its folder that are spelled like it."""
        at = folder
        for part in name.split("/"):
            own = part in ("", ".", "..")
            same = [part] if own else self._listed(at).get(_folded(part), [])
            yield part, same
            at = at / (part if part in same or not same else same[0])

    def _listed(self, folder: Path) -> Mapping[str, list[str]]:
        """The names in a folder, by how they are folded."""
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            try:
                for each in sorted(os.listdir(self._home.resolved(folder))):  # noqa: PTH208 - names alone
                    names.setdefault(_folded(each), []).append(each)
            except (OSError, UnreadableError):
                names = {}
            self._names[folder] = names
        return self._names[folder]


def _folded(name: str) -> str:
    """A file's name as systems see it that ignore case and composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
