"""One file of the directory → what it declares, by its nodes; and with those above it, an instance.

Imports the parser and the models, which take longer to import than a few manifests to find in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.errors import Position, Problem
from reconciler.domain.records import dataclass, replace
from reconciler.manifests import merge
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.decode import decoded
from reconciler.manifests.directory import Directory, shown
from reconciler.manifests.include import Includes
from reconciler.manifests.known import Known, Look, One
from reconciler.manifests.layer import Layer
from reconciler.manifests.read import read
from reconciler.manifests.source import MAX_PROBLEMS, Source, TooManyProblemsError
from reconciler.manifests.tables import MANIFEST
from reconciler.yaml import MalformedError, MappingNode, compose, compose_json


@dataclass(frozen=True, slots=True)
class File:
    """What one file declares.

    path: its own. included: what its `!file`s name. declares: whether it has a key of a manifest.
    """

    path: Path
    layer: Layer
    included: dict[str, None]
    declares: bool = False

    @property
    def files(self) -> list[Path]:
        """The files that were read for it, itself first."""
        return [self.path, *(self.path.parent / name for name in self.included)]


class Parser:
    """Parses files of a directory, a folder's file once. Problems are added to those that are given.

    folders: the file of each. known: takes what has no error. look: is taken at each valid instance.
    """

    def __init__(
        self,
        home: Directory,
        includes: Includes,
        folders: Mapping[Path, Path],
        problems: set[Problem],
        known: Known | None,
        look: Look | None,
    ) -> None:
        self._home, self._includes, self._folders, self._problems = home, includes, folders, problems
        self._known, self._look = known, look
        self._files: dict[Path, File] = {}
        self._chains: dict[Path, list[File]] = {}

    def folder(self, folder: Path) -> File:
        """A folder's file."""
        if folder not in self._files:
            above = self._above(folder.parent)
            made = file(self._folders[folder], self._home, self._includes, self._problems, above)
            self._files[folder] = made
            if self._known and (included := _included(made, above)) is not None:
                self._known.keep_folder(folder, included)
        return self._files[folder]

    def manifest(self, path: Path, data: bytes | None, *, origins: bool) -> One:
        """What a manifest declares.

        data: its contents, where they are known. origins: whether to keep where each value comes from.
        """
        above = self._above(path.parent)
        made = file(path, self._home, self._includes, self._problems, above, folder=False, data=data)
        looks = self._look is not None
        found = instance(made, above, self._problems, origins=origins or looks)
        included = _included(made, above)
        if found is None or included is None:
            return One(made.declares, found)
        seen = self._look.make(found) if self._look else None
        one = One(made.declares, found if origins or not looks else _without_origins(found), seen)
        if self._known:
            self._known.keep(path, data, included, one, self._look)
        return one

    def _above(self, folder: Path) -> list[File]:
        """The file of a folder and those above it, the nearest first."""
        if folder not in self._chains:
            own = [self.folder(folder)] if folder in self._folders else []
            self._chains[folder] = own + (self._above(folder.parent) if folder.parent != folder else [])
        return self._chains[folder]


def _without_origins(instance: DesiredInstance) -> DesiredInstance:
    bots = tuple(replace(bot, origins={}) for bot in instance.bots)
    settings = {path: replace(one, origins={}) for path, one in instance.settings.items()}
    return replace(instance, bots=bots, settings=settings)


def _included(made: File, above: Sequence[File]) -> list[tuple[Path, str]] | None:
    """What files include, with those that include it; None where one of them has an error."""
    files = (made, *above)
    if not all(one.layer.whole and not one.layer.source.problems for one in files):
        return None
    return [(one.path, name) for one in files for name in one.included]


def file(
    path: Path,
    home: Directory,
    includes: Includes,
    problems: set[Problem],
    above: Sequence[File],
    *,
    folder: bool = True,
    data: bytes | None = None,
) -> File:
    """Read one file; its problems are added. above: the folders' files above it, the nearest first.

    data: its contents, where they are known.
    """
    file = shown(path)
    included: dict[str, None] = {}
    elsewhere: dict[str, str] = {}

    def include(name: str) -> str:
        included[name] = None
        text = includes.text(path, name)
        if message := includes.elsewhere(path, name):
            elsewhere[name] = message
        return text

    source = Source(file, "", include, path.parent)
    nothing = File(path, Layer(source, Position(file, 1, 1), whole=False), included)
    try:
        text = decoded(home.contents(path, MAX_MANIFEST) if data is None else data)
    except UnreadableError as error:
        what = "the folder's file" if folder else "the manifest"
        problems.add(Problem(Position(file, error.line, error.column), f"{what} {error}"))
        return nothing
    source = Source(file, text, include, path.parent, elsewhere)
    declares = False
    try:
        root = (compose_json if path.suffix.lower() == ".json" else compose)(text)
        kinds = above[0].layer.kinds if above else {}
        if folder:
            return File(path, read(root, source, None, kinds=kinds), included)
        declares = isinstance(root, MappingNode) and any(key.value in MANIFEST for key, _ in root.value)
        variables = any(one.layer.vars is not None for one in above)
        bots = any(one.layer.bots for one in above)
        layer = read(root, source, path.stem, kinds=kinds, variables=variables, bots=bots)
        return File(path, layer, included, declares)
    except MalformedError as error:
        problems.add(Problem(Position(file, *source.places(error.index)), str(error)))
    except TooManyProblemsError as error:
        problems.add(_too_many(str(error)))
    finally:
        problems |= source.problems
    return replace(nothing, declares=declares)


def instance(
    file: File, above: Sequence[File], problems: set[Problem], *, origins: bool
) -> DesiredInstance | None:
    """What a manifest declares, with the files of its folders under it; problems are added.

    origins: whether to keep where each value comes from.
    """
    files = dict.fromkeys(str(each) for one in (file, *above) for each in one.files)
    sources = [one.layer.source for one in (file, *above)]
    try:
        made = merge.instance(file.layer, [one.layer for one in above], origins=origins)
    except TooManyProblemsError as error:
        problems.add(_too_many(str(error)))
        return None
    finally:
        problems.update(*(source.problems for source in sources))
    layers = [one.layer for one in (file, *above)]
    named = next((layer.server for layer in layers if layer.server is not None), None)
    return made and replace(made, files=tuple(files), named_server=named)


def _too_many(file: str) -> Problem:
    message = f"more than {MAX_PROBLEMS} errors: correct these to see the others"
    return Problem(Position(file, 1, 1), message)
