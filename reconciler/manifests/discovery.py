"""The files in the manifests' directory: which are manifests, and which hold a folder's defaults."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from reconciler.domain.errors import Position, Problem, ReconcilerError
from reconciler.domain.records import dataclass, field
from reconciler.domain.text import quoted
from reconciler.manifests.confined import UnreadableError
from reconciler.manifests.directory import Directory, shown

_ENDINGS = (".yaml", ".yml", ".json")
_DEFAULTS = "_defaults"


@dataclass(frozen=True, slots=True)
class Found:
    """The manifests, in the order of their paths; each folder's `_defaults` file; and what is wrong."""

    manifests: list[Path] = field(default_factory=list)
    defaults: dict[Path, Path] = field(default_factory=dict)
    problems: set[Problem] = field(default_factory=set)

    def report(self, path: Path, message: str) -> None:
        """Add a problem of a file or folder as a whole."""
        self.problems.add(Problem(Position(shown(path), 1, 1), message))


def find(home: Directory) -> Found:
    """The manifests in the directory. Each folder is read once, under its own name rather than a link's."""
    found = Found()
    seen: set[Path] = set()
    folders, links = [(home.path, home.real)], list[tuple[Path, Path]]()
    while folders or links:
        folder, real = (folders or links).pop()
        if real in seen:
            continue
        seen.add(real)
        for entry in _entries(folder, found):
            path = folder / entry.name
            if not entry.is_symlink():
                home.note(path, real / entry.name)
            if entry.name.startswith((".", "_")):
                if entry.name.startswith("_") and not path.is_dir():
                    _add_defaults(path, found)
            elif entry.is_dir(follow_symlinks=False):
                folders.append((path, real / entry.name))
            elif entry.is_symlink() and path.is_dir():
                links += _linked(home, path, real, found)
            else:
                _add_file(entry, path, found)
    found.manifests.sort()
    return found


def is_defaults(name: str) -> bool:
    """Whether a file of this name holds what the manifests of its folder have in common."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    return stem == _DEFAULTS and ending.lower() in _ENDINGS


def is_manifest(path: PurePath) -> bool:
    """Whether a file at this path, from the directory, is a manifest, unless another one includes it."""
    return path.suffix.lower() in _ENDINGS and not any(part.startswith((".", "_")) for part in path.parts)


def chosen(directory: Path, paths: Sequence[Path]) -> frozenset[str]:
    """The names, as they are shown, of the manifests and `_defaults` files that the paths name.

    Raises ReconcilerError for a path that names none.
    """
    home = Directory(directory, {})
    found = find(home)
    files = {path: real(path) for path in (*found.manifests, *found.defaults.values())}
    return frozenset(shown(path) for path in named(home, files, paths))


def named(home: Directory, files: Mapping[Path, Path], paths: Sequence[Path]) -> set[Path]:
    """Those of the files that the paths name, a folder all below it; all where there is no path.

    files: with their paths without links. Raises ReconcilerError for a path that names none.
    """
    wanted = set[Path]()
    for path in paths:
        found = {file for file, place in files.items() if place.is_relative_to(real(path))}
        if not found:
            raise ReconcilerError(
                f"{shown(path)} is no manifest in {shown(home.path)}: name one that is there, or name the "
                "directory of the manifests with --bots"
            )
        wanted |= found
    return wanted if paths else set(files)


def real(path: Path) -> Path:
    """The path without links. Unlike Path.resolve, it takes links that lead to themselves."""
    return Path(os.path.realpath(path))


def _entries(folder: Path, found: Found) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError as error:
        found.report(folder, f"the directory cannot be read ({error.strerror}): change its permissions")
        return []


def _linked(home: Directory, path: Path, real: Path, found: Found) -> Iterator[tuple[Path, Path]]:
    """A link to a folder, with the folder itself. real: the folder that the link is in."""
    try:
        target = home.resolved(path)
    except UnreadableError as error:
        found.report(path, f"the directory {error}")
        return
    if real.is_relative_to(target):
        found.report(path, "the directory is a link to a directory that contains it: remove it")
    else:
        yield path, target


def _add_file(entry: os.DirEntry[str], path: Path, found: Found) -> None:
    if entry.name.lower().endswith(_ENDINGS):
        found.manifests.append(path)
    elif entry.is_symlink() and _loops(path):
        found.report(path, "the link leads to itself: remove it")


def _add_defaults(path: Path, found: Found) -> None:
    """Add a folder's `_defaults` file; report a second one, and a name that is only like it."""
    other = found.defaults.get(path.parent)
    if not is_defaults(path.name):
        if path.stem.lower() in {_DEFAULTS, _DEFAULTS[:-1]} and path.suffix.lower() in _ENDINGS:
            right = f"{_DEFAULTS}{path.suffix}"
            found.report(path, f"the defaults of a folder are read from {right}: rename the file")
    elif other:
        one, two = sorted((other, path))
        found.report(two, f"the folder also has {quoted(shown(one))}: keep one of the two")
    else:
        found.defaults[path.parent] = path


def _loops(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
