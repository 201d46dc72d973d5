"""The directory of the manifests → Desired, with every error of every file."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, Position, Problem, ReconcilerError
from reconciler.domain.servers import Servers, called
from reconciler.manifests import discovery, merge, naming_servers, sharing
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.decode import decoded
from reconciler.manifests.directory import ELSE, Directory, shown
from reconciler.manifests.include import Includes
from reconciler.manifests.layer import Layer
from reconciler.manifests.loaded import Loaded
from reconciler.manifests.model import MANIFEST
from reconciler.manifests.read import read
from reconciler.manifests.source import MAX_PROBLEMS, Source, TooManyProblemsError
from reconciler.yaml import MalformedError, MappingNode, compose, compose_json


class NoManifestsError(ReconcilerError):
    """There is no manifest in the directory, which never means that everything is to be deleted."""


def no_manifests(directory: Path) -> NoManifestsError:
    """The error for a directory without any."""
    return NoManifestsError(
        f"{shown(directory)} contains no manifest (*.yaml, *.yml, *.json): add one, {ELSE}"
    )


def load(
    directory: Path,
    edited: Mapping[Path, bytes] | None = None,
    *,
    origins: bool = True,
    servers: Servers | None = None,
) -> Desired:
    """Everything that the manifests in the directory declare, instances by name.

    Raises as read_all, and ManifestError with all problems of all files.
    """
    loaded = read_all(directory, edited, origins=origins, servers=servers)
    if problems := loaded.every_problem:
        raise ManifestError(sorted(problems))
    return loaded.desired


def read_all(
    directory: Path,
    edited: Mapping[Path, bytes] | None = None,
    *,
    origins: bool = True,
    servers: Servers | None = None,
) -> Loaded:
    """Everything that the manifests in the directory declare, as far as they are valid, and what is wrong.

    origins: whether to keep where each value comes from, which takes twice the memory of all else.
    edited: contents that replace those of files, by their paths without links. servers: those that manifests
    may name; None where any will do.
    Raises ReconcilerError when there is no such directory or no manifest in it (which never means "delete
    everything").
    """
    home = Directory(directory, edited or {})
    found = discovery.find(home)
    includes = Includes(home)
    paths = found.manifests
    loaded = _loaded(home, includes, paths, found.defaults, origins, servers)
    if texts := {path for path in paths if includes.includer(path)}:  # known only when all are read
        both = {_both(path, includes) for path in texts & loaded.declaring}
        paths = [path for path in paths if path not in texts]
        loaded = _loaded(home, includes, paths, found.defaults, origins, servers)
        loaded.problems.update(both)
    problems = found.problems | loaded.problems
    if not paths and not problems:
        raise no_manifests(directory)
    return Loaded(loaded.instances, frozenset(problems))


def folder(directory: Path) -> Layer | None:
    """What the directory's own `_defaults` file declares for all manifests; None where there is none."""
    home = Directory(directory, {})
    path = discovery.find(home).defaults.get(directory)
    return None if path is None else _read(path, home, Includes(home), set(), ()).layer


@dataclass(frozen=True, slots=True)
class _File:
    """What one file declares, and the files that were read for it, itself first.

    declares: whether it has a key of a manifest.
    """

    layer: Layer
    files: dict[Path, None]
    declares: bool = False


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What all manifests declare, and what is wrong. declaring: those that have a key of a manifest."""

    instances: list[DesiredInstance] = field(default_factory=list)
    problems: set[Problem] = field(default_factory=set)
    declaring: set[Path] = field(default_factory=set)


def _loaded(
    home: Directory,
    includes: Includes,
    paths: Sequence[Path],
    defaults: Mapping[Path, Path],
    origins: bool,
    servers: Servers | None,
) -> _Loaded:
    """Read the folders' files, then the manifests."""
    loaded = _Loaded()
    with _no_collecting():
        folders: dict[Path, _File] = {}
        for folder, path in sorted(defaults.items(), key=lambda one: len(one[0].parts)):
            above = [folders[each] for each in folder.parents if each in folders]
            folders[folder] = _read(path, home, includes, loaded.problems, above)
        for path in paths:
            above = [folders[folder] for folder in path.parents if folder in folders]
            file = _read(path, home, includes, loaded.problems, above, folder=False)
            if file.declares:
                loaded.declaring.add(path)
            instance = _instance(file, above, loaded.problems, servers)
            if instance:
                loaded.instances.append(instance if origins else _slim(instance))
    return loaded


def _read(
    path: Path,
    home: Directory,
    includes: Includes,
    problems: set[Problem],
    above: Sequence[_File],
    *,
    folder: bool = True,
) -> _File:
    """Read one file; its problems are added. above: the folders' files above it, the nearest first."""
    file = shown(path)
    files = {path: None}

    def include(name: str) -> str:
        files[path.parent / name] = None
        text = includes.text(path, name)
        if message := includes.elsewhere(path, name):
            source.elsewhere[name] = message
        return text

    source = Source(file, "", include, path.parent)
    nothing = _File(Layer(source, Position(file, 1, 1), whole=False), files)
    try:
        text = decoded(home.contents(path, MAX_MANIFEST))
    except UnreadableError as error:
        what = "the folder's file" if folder else "the manifest"
        problems.add(Problem(Position(file, error.line, error.column), f"{what} {error}"))
        return nothing
    source = Source(file, text, include, path.parent)
    declares = False
    try:
        root = (compose_json if path.suffix.lower() == ".json" else compose)(text)
        kinds = above[0].layer.kinds if above else {}
        if folder:
            return _File(read(root, source, None, kinds=kinds), files)
        declares = isinstance(root, MappingNode) and any(key.value in MANIFEST for key, _ in root.value)
        variables = any(one.layer.vars is not None for one in above)
        bots = any(one.layer.bots for one in above)
        layer = read(root, source, path.stem, kinds=kinds, variables=variables, bots=bots)
        return _File(layer, files, declares)
    except MalformedError as error:
        problems.add(Problem(Position(file, *source.places(error.index)), str(error)))
    except TooManyProblemsError as error:
        problems.add(_too_many(str(error)))
    finally:
        problems |= source.problems
    return replace(nothing, declares=declares)


def _instance(
    file: _File, above: Sequence[_File], problems: set[Problem], servers: Servers | None
) -> DesiredInstance | None:
    """What a manifest declares, with the files of its folders under it; problems are added."""
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
    server = naming_servers.server([one.layer for one in (file, *above)], servers, problems)
    return called(replace(instance, files=tuple(files)), server)


def _slim(instance: DesiredInstance) -> DesiredInstance:
    """The instance without origins, but for those that the checks of all instances together need."""
    bots = [
        replace(bot, origins={key: bot.origins[key] for key in sharing.NEEDS if key in bot.origins})
        for bot in instance.bots
    ]
    return replace(instance, bots=tuple(bots))


def _both(path: Path, includes: Includes) -> Problem:
    """The error for a manifest that another one includes as a text."""
    includer = shown(includes.includer(path) or path)
    message = f"the file is a manifest, and a `!file` in {includer} includes it as a text"
    return Problem(Position(shown(path), 1, 1), f"{message}: give the text a file of its own, as a .md")


def _too_many(file: str) -> Problem:
    message = f"more than {MAX_PROBLEMS} errors: correct these to see the others"
    return Problem(Position(file, 1, 1), message)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Pause the garbage collector: nodes have no cycles, and scanning them takes half of the time.

    What is left of them lives as long as the command, so it is not scanned later either.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.freeze()
            gc.enable()
