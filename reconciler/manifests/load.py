"""The directory of the manifests → Desired, with every error of every file.

Manifests that have not changed may come from the cache, as far as they are valid. All others are parsed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, Position, Problem, ReconcilerError
from reconciler.domain.records import dataclass, field
from reconciler.domain.servers import Servers, local
from reconciler.manifests import cache, discovery, naming_servers, workers
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.directory import ELSE, Directory, shown
from reconciler.manifests.discovery import Found
from reconciler.manifests.include import Includes
from reconciler.manifests.known import Known, Look, One
from reconciler.manifests.loaded import Loaded
from reconciler.manifests.workers import Workers

if TYPE_CHECKING:
    from reconciler.manifests.layer import Layer
    from reconciler.manifests.parsed import Parser


class NoManifestsError(ReconcilerError):
    """There is no manifest in the directory, which never means that everything is to be deleted."""


def no_manifests(directory: Path) -> NoManifestsError:
    """The error for a directory without any."""
    return NoManifestsError(
        f"{shown(directory)} contains no manifest (*.yaml, *.yml, *.json): add one, {ELSE}"
    )


Origins = bool | Container[Path]
"""Whether instances have origins, or the paths of the manifests whose instances have them."""


def load(
    directory: Path,
    edited: Mapping[Path, bytes] | None = None,
    *,
    origins: Origins = True,
    cached: bool | cache.Memory = False,
    servers: Servers | None = None,
    asked: Collection[str] = (),
) -> Desired:
    """Everything that the manifests in the directory declare, instances by name.

    Raises as read_all, and ManifestError with all problems of all files.
    """
    loaded = read_all(directory, edited, origins=origins, cached=cached, servers=servers, asked=asked)
    if problems := loaded.every_problem:
        raise ManifestError(sorted(problems))
    return loaded.desired


def read_all(
    directory: Path,
    edited: Mapping[Path, bytes] | None = None,
    *,
    origins: Origins = True,
    cached: bool | cache.Memory = False,
    servers: Servers | None = None,
    look: Look | None = None,
    asked: Collection[str] = (),
    meanwhile: Callable[[], object] | None = None,
) -> Loaded:
    """Everything that the manifests in the directory declare, as far as they are valid, and what is wrong.

    origins: whether to keep where each value comes from, which takes twice the memory of all else. edited:
    contents that replace those of files, by their paths without links. cached: whether to use the cache, for
    instances without origins, and to add to it; or what is used instead of it. servers: those that manifests
    may name; None where any will do. look: is taken at each valid instance, before it has a server. asked:
    names of instances that are enough: where these are declared and valid, nothing is read but what tells all
    of them. meanwhile: is called while other processes parse, if any do.
    Raises ReconcilerError when there is no such directory or no manifest in it (which never means "delete
    everything").
    """
    home = Directory(directory, edited or {})
    found = discovery.find(home)
    includes = Includes(home)
    paths = found.manifests
    with (cache.of(directory) if cached is True else cached or None) or nullcontext() as entries:
        known = Known(entries, home, includes, found.defaults) if entries else None
        loader = _Loader(home, includes, found.defaults, entries, known, look, origins, meanwhile)
        few = partial(loader.loaded, whole=False)
        if asked and (some := _some(asked, home, found, includes, few, servers)):
            if entries:
                entries.save(whole=False)
            return some
        loaded = loader.loaded(paths)
        if texts := {path for path in paths if includes.includer(path)}:  # known only when all are read
            both = {_both(path, includes) for path in texts & loaded.declaring}
            paths = [path for path in paths if path not in texts]
            loaded = loader.loaded(paths)
            loaded.problems.update(both)
        loaded.problems.update(
            _both(path, includes, "a folder's file")
            for path in found.defaults.values()
            if includes.includer(path)
        )
        if entries:
            entries.save()
    problems = found.problems | loaded.problems
    if not paths and not problems:
        raise no_manifests(directory)
    instances = [naming_servers.placed(one, servers, problems) for one in loaded.instances]
    return Loaded(instances, frozenset(problems), loaded.seen)


def folders(directory: Path, at: Path) -> list[Layer]:
    """What the `_defaults` files declare for manifests in the folder `at`, the nearest first.

    directory: of all manifests, which the folder is in.
    """
    home = Directory(directory, {})
    from reconciler.manifests.parsed import File, file  # noqa: PLC0415  slow to import

    includes = Includes(home)
    made: list[File] = []
    for above, path in sorted(discovery.find(home).defaults.items(), key=lambda one: len(one[0].parts)):
        if above == at or above in at.parents:
            made.insert(0, file(path, home, includes, set(), made))
    return [one.layer for one in made]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What all manifests declare, and what is wrong.

    declaring: those that have a key of a manifest. seen: what a Look made of each instance, by its manifest.
    """

    instances: list[DesiredInstance] = field(default_factory=list)
    problems: set[Problem] = field(default_factory=set)
    declaring: set[Path] = field(default_factory=set)
    seen: dict[str, Any] = field(default_factory=dict)

    def add(self, more: _Loaded) -> None:
        """Add what other manifests declare."""
        self.instances.extend(more.instances)
        self.problems.update(more.problems)
        self.declaring.update(more.declaring)
        self.seen.update(more.seen)


_Read = Callable[[Sequence[Path]], _Loaded]
"""Reads manifests, and the files of their folders."""


def _some(
    wanted: Collection[str],
    home: Directory,
    found: Found,
    includes: Includes,
    read: _Read,
    servers: Servers | None,
) -> Loaded | None:
    """The wanted instances, with those whose credentials they use and with what else may not be overlooked.

    None where all manifests have to be read: to find an instance, or to say all that is wrong.
    """
    from reconciler.manifests import asked as asking  # noqa: PLC0415  slow to import

    names = {local(servers.of(name) if servers else "", name) for name in wanted}
    shown = {path: asking.shown(path, _contents(home, path)) for path in found.manifests}
    chosen = [path for path, one in shown.items() if one.name is None or one.name in names]
    loaded = read(chosen)
    mine = [one for one in loaded.instances if one.name in names]
    owners = {bot.creds_owner for one in mine for bot in one.bots if bot.creds_owner is not None}
    there = {one.name for one in loaded.instances}
    more = [path for path, one in shown.items() if one.name is not None and one.name in owners - there]
    loaded.add(read(more))
    credentials = asking.Credentials(one for one in loaded.instances if one.name in names | owners)
    rest = shown.keys() - {*chosen, *more}
    other = [
        path for path in rest if shown[path].credentials and credentials.may_be_in(_contents(home, path))
    ]
    loaded.add(read(sorted(other)))
    problems = found.problems | loaded.problems
    instances = [naming_servers.placed(one, servers, problems) for one in loaded.instances]
    some = Loaded(instances, frozenset(problems), loaded.seen, whole=False)
    there = {one.name for one in instances}
    texts = any(map(includes.includer, (*found.manifests, *found.defaults.values())))
    complete = there.issuperset(wanted) and owners <= {one.local for one in instances}
    return some if complete and not texts and not some.every_problem else None


def _contents(home: Directory, path: Path) -> bytes:
    """A manifest's text; a NUL, which none has, where it cannot be read."""
    try:
        return home.contents(path, MAX_MANIFEST)
    except UnreadableError:
        return b"\0"


@dataclass(frozen=True, slots=True)
class _Loader:
    """Reads the files of a directory.

    folders: the file of each. entries, known: the cache, and what is in it. look, origins, meanwhile: see
    read_all.
    """

    home: Directory
    includes: Includes
    folders: Mapping[Path, Path]
    entries: cache.Cache | cache.Memory | None
    known: Known | None
    look: Look | None
    origins: Origins
    meanwhile: Callable[[], object] | None

    def loaded(self, paths: Sequence[Path], *, whole: bool = True) -> _Loaded:
        """The folders' files, then the manifests.

        whole: whether also the files of folders are read that none of the manifests is in.
        """
        above = self.folders if whole else {folder for path in paths for folder in path.parents}
        folders = sorted(self.folders.keys() & above, key=lambda each: len(each.parts))
        with _no_collecting():
            keys = {path: self._key(path) for path in paths}
            found = {path: self._found(key) for path, key in keys.items()}
            loaded = self._parsed(
                [folder for folder in folders if self.known is None or not self.known.is_valid(folder)],
                keys,
                found,
            )
            for path, one in found.items():
                if one is None:
                    continue
                if one.declares:
                    loaded.declaring.add(path)
                if one.instance:
                    loaded.instances.append(one.instance)
                    loaded.seen[str(path)] = one.seen
        return loaded

    def _key(self, path: Path) -> str | None:
        """The key of a manifest in the cache; None where it has none."""
        if self.known is None or self._traced(path):
            return None
        return self.known.key(path, self.known.contents(path))

    def _found(self, key: str | None) -> One | None:
        """What the cache has of a manifest."""
        return None if self.known is None or key is None else self.known.manifest(key, self.look)

    def _parsed(
        self, folders: Sequence[Path], keys: Mapping[Path, str | None], found: dict[Path, One | None]
    ) -> _Loaded:
        """Parse these folders' files, and the manifests that were not found, which are added."""
        loaded, known = _Loaded(), self.known
        parser: Parser | None = None

        def parsing() -> Parser:
            nonlocal parser
            parser = parser or self._parser(loaded.problems, known)
            return parser

        missing = [path for path, one in found.items() if one is None]
        with self._workers(folders, missing, len(found) - len(missing)) as workers:
            for folder in folders:
                self._take(workers)
                if known is None or not known.is_valid(folder):
                    parsing().folder(folder)
            for path in missing:
                self._take(workers)
                found[path] = self._found(keys[path]) or parsing().manifest(
                    path, known.contents(path) if known else None, origins=self._traced(path)
                )
        return loaded

    def _traced(self, path: Path) -> bool:
        return self.origins if isinstance(self.origins, bool) else path in self.origins

    def _parser(self, problems: set[Problem], known: Known | None) -> Parser:
        from reconciler.manifests.parsed import Parser  # noqa: PLC0415  slow to import

        return Parser(self.home, self.includes, self.folders, problems, known, self.look)

    @contextmanager
    def _workers(
        self, folders: Sequence[Path], missing: Sequence[Path], found: int
    ) -> Iterator[Workers | None]:
        """Those that parse for the cache what is not in it; None where there are none.

        found: how many manifests are in it.
        """
        files, known = [*folders, *missing], self.known
        of_use = known is not None and not any(map(self._traced, missing))
        busy = self.meanwhile is not None and found <= workers.MANY
        number = workers.number(len(files), busy=busy) if of_use else 0
        if known is None or not number:
            yield None
            return
        recorder = cache.Recorder()
        parser: Parser | None = None

        def work(path: Path) -> list[cache.Line]:
            nonlocal parser
            parser = parser or self._parser(set(), Known(recorder, self.home, self.includes, self.folders))
            if path in self.folders:
                parser.folder(path)
            else:
                parser.manifest(path, known.contents(path), origins=False)
            return recorder.taken()

        if number > 1:
            from reconciler.manifests import parsed  # noqa: F401, PLC0415  once for all of them

        with Workers(files, number, work) as made:
            if self.meanwhile:
                self.meanwhile()
            yield made

    def _take(self, workers: Workers | None) -> None:
        if workers and self.entries:
            self.entries.take(workers.lines())


def _both(path: Path, includes: Includes, what: str = "a manifest") -> Problem:
    """The error for a manifest, or a folder's file, that a manifest includes as a text."""
    includer = shown(includes.includer(path) or path)
    message = f"the file is {what}, and a `!file` in {includer} includes it as a text"
    return Problem(Position(shown(path), 1, 1), f"{message}: give the text a file of its own, as a .md")


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
