"""bots/ → Desired: finds the manifests, reads them, and reports every error of every file at once.

All that touches files is here: what is a manifest, what `!file` may name, how large either may be. Nothing
outside the given directory is read, whatever a path or a link says.
"""

from __future__ import annotations

import codecs
import errno
import gc
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, Position, Problem, ReconcilerError
from reconciler.domain.text import near, quoted
from reconciler.manifests import inside, layer, merge, sharing
from reconciler.manifests.inside import UnreadableError
from reconciler.manifests.model import MANIFEST
from reconciler.manifests.read import read
from reconciler.manifests.source import MAX_PROBLEMS, Source, TooManyProblemsError
from reconciler.yaml import MalformedError, MappingNode, compose, compose_json

MAX_MANIFEST = 5 * 2**20
MAX_INCLUDED = 2**20

_ENDINGS = (".yaml", ".yml", ".json")
_DEFAULTS = "_defaults"
_ELSE = "or name the directory of the manifests with --bots"


class _MissingError(UnreadableError):
    """There is no such file."""


def load(directory: Path, edited: Mapping[Path, bytes] | None = None, *, origins: bool = True) -> Desired:
    """Everything that the manifests below the directory declare, instances by name.

    origins: whether it is kept where every value comes from, which takes twice the memory of all else.
    edited: what takes the place of files' contents, by their paths without links, as if it were written.
    Raises ReconcilerError when there is no such directory or no manifest in it (which never means "delete
    everything"), ManifestError with all problems of all files.
    """
    problems: set[Problem] = set()
    tree = _Tree(directory, edited or {})
    paths = tree.manifests(problems)
    found, wrong = _loaded(tree, paths, origins)
    if texts := [path for path in paths if tree.taker(path)]:  # which is known only when all are read
        paths = [path for path in paths if path not in texts]
        found, wrong = _loaded(tree, paths, origins)
        wrong.update(tree.both(path) for path in texts if path in tree.declaring)
    problems |= wrong
    instances: dict[str, DesiredInstance] = {}
    for instance in found:
        first = instances.setdefault(instance.name, instance)
        if first is not instance:
            said = f"instance {quoted(instance.name)} is declared at {first.at} already: keep one of the two"
            problems.add(Problem(instance.at, said))
    problems.update(sharing.problems(list(instances.values())))
    if problems:
        raise ManifestError(sorted(problems))
    if not paths:
        raise ReconcilerError(
            f"{_shown(directory)} holds no manifest (*.yaml, *.yml, *.json): add one, {_ELSE}"
        )
    return Desired(tuple(instances[name] for name in sorted(instances)))


def _loaded(tree: _Tree, paths: Sequence[Path], origins: bool) -> tuple[list[DesiredInstance], set[Problem]]:
    """What the manifests declare, and what is wrong."""
    problems: set[Problem] = set()
    with _no_collecting():
        folders = {folder: _read(path, tree, problems) for folder, path in tree.folders.items()}
        loaded = [_instance(path, folders, tree, problems, origins) for path in paths]
    return [instance for instance in loaded if instance], problems


def folder(directory: Path) -> layer.Layer | None:
    """What the directory's own `_defaults` file declares for all manifests; None where there is none."""
    tree = _Tree(directory, {})
    tree.manifests(set())
    path = tree.folders.get(directory)
    return None if path is None else _read(path, tree, set()).layer


def is_defaults(name: str) -> bool:
    """Whether a file of this name holds what the manifests of its folder have in common."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    return stem == _DEFAULTS and ending.lower() in _ENDINGS


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


@dataclass(slots=True)
class _File:
    """One file while all are read: what it declares, and the files that were read for it, itself first."""

    layer: layer.Layer
    files: dict[Path, None]


def _instance(
    path: Path, folders: Mapping[Path, _File], tree: _Tree, problems: set[Problem], origins: bool
) -> DesiredInstance | None:
    """What a manifest declares, with the files of its folders under it; problems are added to the others."""
    above = [folders[folder] for folder in path.parents if folder in folders]
    file = _read(path, tree, problems, above)
    files = dict.fromkeys(str(each) for one in (file, *above) for each in one.files)
    sources = [one.layer.source for one in (file, *above)]
    try:
        instance = merge.instance(file.layer, [one.layer for one in above])
    except TooManyProblemsError as error:
        problems.add(_too_many(str(error)))
        return None
    finally:
        problems.update(*(source.problems for source in sources))
    if instance is None:
        return None
    return replace(instance if origins else _slim(instance), files=tuple(files))


def _slim(instance: DesiredInstance) -> DesiredInstance:
    """The instance without origins, but for those that the look at all instances together needs."""
    bots = [
        replace(bot, origins={key: bot.origins[key] for key in sharing.NEEDS if key in bot.origins})
        for bot in instance.bots
    ]
    return replace(instance, bots=tuple(bots))


def _read(path: Path, tree: _Tree, problems: set[Problem], above: Sequence[_File] | None = None) -> _File:
    """One file; its problems are added to the others. above: a manifest's folders' files; None: it is one."""
    file = _shown(path)
    files = {path: None}

    def include(name: str) -> str:
        files[path.parent / name] = None
        text = tree.included(path, name)
        if said := tree.elsewhere(path.parent, name):
            source.elsewhere[name] = said
        return text

    source = Source(file, "", include, path.parent)
    nothing = _File(layer.Layer(source, Position(file, 1, 1), whole=False), files)
    try:
        text = _decoded(tree.contents(path, MAX_MANIFEST))
    except UnreadableError as error:
        what = "the manifest" if above is not None else "the folder's file"
        problems.add(Problem(Position(file, error.line, error.column), f"{what} {error}"))
        return nothing
    source = Source(file, text, include, path.parent)
    try:
        root = (compose_json if path.suffix.lower() == ".json" else compose)(text)
        if above is None:
            return _File(read(root, source, None), files)
        if isinstance(root, MappingNode) and any(key.value in MANIFEST for key, _ in root.value):
            tree.declaring.add(path)
        variables = any(one.layer.vars is not None for one in above)
        bots = any(one.layer.bots for one in above)
        return _File(read(root, source, path.stem, variables=variables, bots=bots), files)
    except MalformedError as error:
        problems.add(Problem(Position(file, *source.places(error.index)), str(error)))
    except TooManyProblemsError as error:
        problems.add(_too_many(str(error)))
    finally:
        problems |= source.problems
    return nothing


def _too_many(file: str) -> Problem:
    said = f"more than {MAX_PROBLEMS} errors: correct these first, the others are shown then"
    return Problem(Position(file, 1, 1), said)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without the garbage collector, which looks at all nodes again and again: half of the time. They have no
    cycles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Tree:
    """The directory of the manifests, and the only way to what is in it."""

    def __init__(self, directory: Path, edited: Mapping[Path, bytes]) -> None:
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
        self._edited = edited
        self._texts: dict[Path, str] = {}
        self._reals: dict[Path, Path] = {}
        self._names: dict[Path, dict[str, list[str]]] = {}
        self.folders: dict[Path, Path] = {}
        self._takers: dict[Path, Path] = {}  # of texts' paths without links
        self.declaring: set[Path] = set()  # what has a key of a manifest

    def manifests(self, problems: set[Problem]) -> list[Path]:  # noqa: PLR0912 - one for each kind of entry
        """The manifests in the order of their paths; a directory that cannot be entered is a problem.

        Each directory is read once, under its own name rather than a link's. folders gets the files that hold
        what the manifests of a directory have in common.
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
                if not entry.is_symlink():
                    self._reals[path] = real / entry.name
                if entry.name.startswith("_") and not path.is_dir():
                    self._folder(path, problems)
                if entry.name.startswith((".", "_")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    directories.append((path, real / entry.name))
                elif entry.is_symlink() and path.is_dir():
                    try:
                        target = self._inside(path)
                        if real.is_relative_to(target):
                            raise UnreadableError("is a link that leads back to where it stands: remove it")
                        links.append((path, target))
                    except UnreadableError as error:
                        problems.add(Problem(Position(_shown(path), 1, 1), f"the directory {error}"))
                elif entry.name.lower().endswith(_ENDINGS):
                    found.append(path)
                elif entry.is_symlink() and _loops(path):
                    problems.add(Problem(Position(_shown(path), 1, 1), "the link leads to itself: remove it"))
        return sorted(found)

    def _folder(self, path: Path, problems: set[Problem]) -> None:
        """Notes a file that holds what the manifests of its folder have in common, if it is one."""
        other = self.folders.get(path.parent)
        if not is_defaults(path.name):
            if path.stem.lower() in {_DEFAULTS, _DEFAULTS[:-1]} and path.suffix.lower() in _ENDINGS:
                said = f"what manifests have in common stands in {_DEFAULTS}{path.suffix}: rename the file"
                problems.add(Problem(Position(_shown(path), 1, 1), said))
        elif other:
            one, two = sorted((other, path))
            said = f"the folder has {quoted(_shown(one))} too: keep one of the two"
            problems.add(Problem(Position(_shown(two), 1, 1), said))
        else:
            self.folders[path.parent] = path

    def real(self, path: Path) -> Path:
        """The path without links, which must not lead out."""
        return self._reals.get(path) or self._inside(path)

    def taker(self, path: Path) -> Path | None:
        """The manifest that takes a file in as a text."""
        try:
            return self._takers.get(self.real(path))
        except UnreadableError:
            return None

    def both(self, path: Path) -> Problem:
        """The error for a manifest that is taken in as a text too."""
        taker = _shown(self.taker(path) or path)
        said = f"the file is a manifest, and a `!file` in {taker} takes it in as a text"
        return Problem(Position(_shown(path), 1, 1), f"{said}: give the text a file of its own, as a .md")

    def contents(self, path: Path, limit: int) -> bytes:
        """A regular file's bytes."""
        real = self.real(path)
        try:
            data = inside.read(self._real, real, limit)
        except FileNotFoundError:
            raise _MissingError("does not exist: correct the path or make the file") from None
        data = self._edited.get(real, data)
        if len(data) > limit:
            raise UnreadableError(f"is larger than {limit // 2**20} MiB: make it smaller")
        return data

    def included(self, manifest: Path, name: str) -> str:
        """The text that a `!file` of the manifest names.

        Without a byte order mark, with LF for CRLF, and without the one line break that ends its last line.
        """
        home = manifest.parent.relative_to(self._directory)
        if not name or "\0" in name:
            raise UnreadableError("names no file: write a path, relative to the manifest")
        if Path(name).is_absolute() or Path(os.path.normpath(home / name)).parts[:1] == ("..",):
            raise UnreadableError(f"leads out of {_shown(self._directory)}: write a path inside it")
        path = self._inside(manifest.parent / name)
        if any(same and part not in same for part, same in self._spelled(manifest.parent, name)):
            raise UnreadableError(self._missing(manifest.parent, name))  # even where the system finds it
        self._takers.setdefault(path, manifest)
        if path not in self._texts:
            self._texts[path] = self._text(path, manifest, name)
        return self._texts[path]

    def _text(self, path: Path, manifest: Path, name: str) -> str:
        try:
            text = _decoded(self.contents(path, MAX_INCLUDED))
            if "\0" in text:
                at = text.index("\0")
                said = "holds a NUL character, which the server cannot store: remove it"
                raise UnreadableError(said, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        except _MissingError:
            raise UnreadableError(self._missing(manifest.parent, name)) from None
        except UnreadableError as error:
            if (error.line, error.column) != (1, 1):
                raise UnreadableError(f"{error} (line {error.line}, column {error.column})") from None
            raise
        return text.replace("\r\n", "\n").removesuffix("\n")

    def _missing(self, folder: Path, name: str) -> str:
        """What to say of a name that no file has: the one that only looks or is spelled like it."""
        found: list[str] = []
        for part, same in self._spelled(folder, name.replace("\\", "/")):
            if not same:
                return "does not exist: correct the path or make the file"
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
        for part, same in self._spelled(folder, name):
            if others := [other for other in same if other != part]:
                return f"stands beside {quoted(others[0])}, which Windows and macOS take for the same name"
            if _NOT_ON_WINDOWS.search(part):
                return f"has the name {quoted(part)}, which Windows does not take"
            if unicodedata.normalize("NFC", part) != part:
                return (
                    f"has accents that are characters of their own ({part!a}), which other systems may join"
                )
        return ""

    def _spelled(self, folder: Path, name: str) -> Iterator[tuple[str, list[str]]]:
        """The parts of a path, each with the names in its folder that look like it or are spelled like it."""
        at = folder
        for part in name.split("/"):
            own = part in ("", ".", "..")
            same = [part] if own else self._folded(at).get(_folded(part), [])
            yield part, same
            at = at / (part if part in same or not same else same[0])

    def _folded(self, folder: Path) -> Mapping[str, list[str]]:
        """The names in a folder by what systems that are not exact see."""
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            try:
                for each in sorted(os.listdir(self._inside(folder))):  # noqa: PTH208 - names alone
                    names.setdefault(_folded(each), []).append(each)
            except (OSError, UnreadableError):
                names = {}
            self._names[folder] = names
        return self._names[folder]

    def _inside(self, path: Path) -> Path:
        """The path without links, which must not lead out."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
            raise UnreadableError("is a link that leads to itself: remove it") from None
        if not real.is_relative_to(self._real):
            raise UnreadableError(
                f"leads out of {_shown(self._directory)} by a link: put the file itself there"
            )
        return real


_NOT_ON_WINDOWS = re.compile(
    r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)', re.IGNORECASE
)


def _folded(name: str) -> str:
    """A file's name as systems that do not tell case or composition apart see it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _loops(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


_CONFLICT = tuple(re.compile(sign, re.MULTILINE) for sign in (r"^<{7} ", r"^={7}\r?$", r"^>{7} "))


def _decoded(data: bytes) -> str:
    """A file's text. Raises UnreadableError where it is none, or one that git left half merged."""
    text = _as_utf8(data)
    if text.startswith("\ufeff"):
        raise UnreadableError("begins with two byte order marks: save it as UTF-8 without any")
    at, first = 0, -1
    for sign in _CONFLICT:
        found = sign.search(text, at)
        if found is None:
            return text
        at, first = found.end(), found.start() if first < 0 else first
    line = text.count("\n", 0, first) + 1
    raise UnreadableError("holds a merge conflict, from `<<<<<<<` to `>>>>>>>`: resolve it", line)


def _as_utf8(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) or b"\0\0\0" in (data[:3], data[1:4]):
        raise UnreadableError("is UTF-32: save it as UTF-8")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0\0" in (data[:4:2], data[1:4:2]):
        raise UnreadableError("is UTF-16: save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise UnreadableError(
            f"is not UTF-8, the byte 0x{error.object[error.start]:02x} is no character: save it as UTF-8",
            before.count("\n") + 1,
            len(before) - before.rfind("\n"),
        ) from None


def _shown(path: Path) -> str:
    """The path as the person named it, with what cannot be printed escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
