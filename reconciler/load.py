"""bots/ → Desired: finds the manifests, reads them, and reports every error of every file at once.

All that touches files is here: what is a manifest, what `!file` may name, how large either may be. Nothing
outside the given directory is read, whatever a path or a link says.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from reconciler.errors import ManifestError, Position, Problem, ReconcilerError
from reconciler.manifest import read
from reconciler.model import Desired, DesiredInstance
from reconciler.nodes import MAX_PROBLEMS, Source, TooManyProblemsError, near, quoted
from reconciler.yaml import MalformedError, compose, compose_json

MAX_MANIFEST = 5 * 2**20
MAX_INCLUDED = 2**20

_ENDINGS = (".yaml", ".yml", ".json")
_ELSE = "or name the directory of the manifests with --bots"


class _UnreadableError(ValueError):
    """Why a file is not read: a sentence without its subject; line and column where that is known."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def load(directory: Path) -> Desired:
    """Everything that the manifests below the directory declare, instances by name.

    Raises ReconcilerError when there is no such directory or no manifest in it (which never means "delete
    everything"), ManifestError with all problems of all files.
    """
    problems: set[Problem] = set()
    tree = _Tree(directory)
    paths = tree.manifests(problems)
    instances: dict[str, DesiredInstance] = {}
    for path in paths:
        instance = _load_file(path, tree, problems)
        if instance is None:
            continue
        first = instances.setdefault(instance.name, instance)
        if first is not instance:
            said = f"instance {quoted(instance.name)} is declared at {first.at} already: keep one of the two"
            problems.add(Problem(instance.at, said))
    if problems:
        raise ManifestError(sorted(problems))
    if not paths:
        raise ReconcilerError(
            f"{_shown(directory)} holds no manifest (*.yaml, *.yml, *.json): add one, {_ELSE}"
        )
    return Desired(tuple(instances[name] for name in sorted(instances)))


def select(desired: Desired, globs: Sequence[str]) -> Desired:
    """The instances that any of the globs matches, case-sensitively; all of them when there is no glob."""
    names = [instance.name for instance in desired.instances]
    for glob in globs:
        if not any(_matches(name, glob) for name in names):
            known = ", ".join(quoted(name) for name in names[:10]) + (", …" if len(names) > 10 else "")
            raise ReconcilerError(
                f"no instance matches {quoted(glob)}{near(glob, names)}: the manifests declare {known}"
            )
    return Desired(
        tuple(
            instance
            for instance in desired.instances
            if not globs or any(_matches(instance.name, glob) for glob in globs)
        )
    )


def _matches(name: str, glob: str) -> bool:
    return name == glob or fnmatchcase(name, glob)  # a name may itself hold a [


def _load_file(path: Path, tree: _Tree, problems: set[Problem]) -> DesiredInstance | None:
    """One manifest's instance; its problems are added to the others."""
    file = _shown(path)
    try:
        text = _decoded(tree.contents(path, MAX_MANIFEST))
    except _UnreadableError as error:
        problems.add(Problem(Position(file, error.line, error.column), f"the manifest {error}"))
        return None
    files = {path: None}

    def include(name: str) -> str:
        files[path.parent / name] = None
        return tree.included(path, name)

    source = Source(file, text, include)
    try:
        root = (compose_json if path.suffix.lower() == ".json" else compose)(text)
        instance = read(root, source, path.stem)
        return instance and replace(instance, files=tuple(map(str, files)))
    except MalformedError as error:
        problems.add(Problem(Position(file, *source.places(error.index)), str(error)))
    except TooManyProblemsError:
        said = f"more than {MAX_PROBLEMS} errors: correct these first, the others are shown then"
        problems.add(Problem(Position(file, 1, 1), said))
    finally:
        problems |= source.problems
    return None


class _Tree:
    """The directory of the manifests, and the only way to what is in it."""

    def __init__(self, directory: Path) -> None:
        try:
            mode = directory.stat().st_mode
        except FileNotFoundError:
            raise ReconcilerError(f"{_shown(directory)} does not exist: make it, {_ELSE}") from None
        except OSError as error:
            raise ReconcilerError(f"{_shown(directory)} cannot be read ({error.strerror}): {_ELSE}") from None
        if not stat.S_ISDIR(mode):
            raise ReconcilerError(
                f"{_shown(directory)} is not a directory: put the manifests into one, {_ELSE}"
            )
        self._directory = directory
        self._real = directory.resolve()
        self._texts: dict[Path, str] = {}

    def manifests(self, problems: set[Problem]) -> list[Path]:
        """The manifests in the order of their paths; a directory that cannot be entered is a problem.

        Each directory is read once, under its own name rather than a link's.
        """
        found: list[Path] = []
        seen: set[Path] = set()
        directories, links = [(self._directory, self._real)], list[tuple[Path, Path]]()
        while directories or links:
            directory, real = (directories or links).pop()
            if real in seen:
                continue
            seen.add(real)
            try:
                entries = list(os.scandir(directory))
            except OSError as error:
                said = f"the directory cannot be read ({error.strerror}): change its permissions"
                problems.add(Problem(Position(_shown(directory), 1, 1), said))
                continue
            for entry in entries:
                path = directory / entry.name
                if entry.name.startswith((".", "_")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    directories.append((path, real / entry.name))
                elif entry.is_symlink() and path.is_dir():
                    try:
                        target = self._inside(path)
                        if real.is_relative_to(target):
                            raise _UnreadableError("is a link that leads back to where it stands: remove it")
                        links.append((path, target))
                    except _UnreadableError as error:
                        problems.add(Problem(Position(_shown(path), 1, 1), f"the directory {error}"))
                elif entry.name.lower().endswith(_ENDINGS):
                    found.append(path)
                elif entry.is_symlink() and _loops(path):
                    problems.add(Problem(Position(_shown(path), 1, 1), "the link leads to itself: remove it"))
        return sorted(found)

    def contents(self, path: Path, limit: int) -> bytes:
        """A regular file's bytes."""
        try:
            if path.is_symlink():
                self._inside(path)
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise _UnreadableError("is not a regular file: put a text file in its place")
            with path.open("rb") as file:
                data = file.read(limit + 1) if found.st_size <= limit else b""
        except FileNotFoundError:
            raise _UnreadableError("does not exist: correct the path or make the file") from None
        except OSError as error:
            raise _UnreadableError(
                f"cannot be read ({error.strerror}): make it readable or remove it"
            ) from None
        if found.st_size > limit or len(data) > limit:
            raise _UnreadableError(f"is larger than {limit // 2**20} MiB: make it smaller")
        return data

    def included(self, manifest: Path, name: str) -> str:
        """The text that a `!file` of the manifest names.

        Without a byte order mark, with LF for CRLF, and without the one line break that ends its last line.
        """
        home = manifest.parent.relative_to(self._directory)
        if not name or "\0" in name:
            raise _UnreadableError("names no file: write a path, relative to the manifest")
        if Path(name).is_absolute() or Path(os.path.normpath(home / name)).parts[:1] == ("..",):
            raise _UnreadableError(f"leads out of {_shown(self._directory)}: write a path inside it")
        path = self._inside(manifest.parent / name)
        if path not in self._texts:
            try:
                text = _decoded(self.contents(path, MAX_INCLUDED))
            except _UnreadableError as error:
                if (error.line, error.column) != (1, 1):
                    raise _UnreadableError(f"{error} (line {error.line}, column {error.column})") from None
                raise
            if "\0" in text:
                raise _UnreadableError("holds a NUL character, which the server cannot store: remove it")
            self._texts[path] = text.replace("\r\n", "\n").removesuffix("\n")
        return self._texts[path]

    def _inside(self, path: Path) -> Path:
        """The path without links, which must not lead out."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
            raise _UnreadableError("is a link that leads to itself: remove it") from None
        if not real.is_relative_to(self._real):
            raise _UnreadableError(
                f"leads out of {_shown(self._directory)} by a link: put the file itself there"
            )
        return real


def _loops(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _UnreadableError("is UTF-16: save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise _UnreadableError(
            f"is not UTF-8, the byte 0x{error.object[error.start]:02x} is no character: save it as UTF-8",
            before.count("\n") + 1,
            len(before) - before.rfind("\n"),
        ) from None


def _shown(path: Path) -> str:
    """The path as the person named it, with what cannot be printed escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
