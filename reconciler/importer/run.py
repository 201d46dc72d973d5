"""A server's instances → manifests. Reads the server, writes files, and overwrites none.

reading: what the server has. draft: the content of a manifest, with names from naming. page: its text. check:
the drafts are written to a copy, loaded and planned by the real stages, and corrected. Then the files are
moved to their places, all of an instance or none.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from reconciler.domain import files, links, signals
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import Observed
from reconciler.domain.records import dataclass, replace
from reconciler.domain.reports import Candidate, GroupReport, ImportReport, LeftOut, Saving, Written
from reconciler.domain.servers import Servers, of_server
from reconciler.evolution.client import Client
from reconciler.importer import groups, naming
from reconciler.importer.check import Check, Files, Grouped
from reconciler.importer.draft import Draft, Extent, drafts
from reconciler.importer.groups import Group
from reconciler.importer.reading import Reading, read
from reconciler.lint.run import unread
from reconciler.manifests import schema
from reconciler.manifests.confined import MAX_MANIFEST
from reconciler.manifests.load import folders as defaults_of
from reconciler.manifests.load import load
from reconciler.pipeline import fleet
from reconciler.pipeline.request import Request, check_owner
from reconciler.pipeline.stages import servers


@dataclass(frozen=True, slots=True)
class How:
    """How to import. full: write every value. flat: share equal prompts and nothing else.

    groups: declared. sample: the files of an untouched sample, which goes when something is imported.
    """

    full: bool = False
    flat: bool = False
    groups: tuple[Group, ...] = ()
    sample: tuple[Path, ...] = ()


def run(request: Request, how: How) -> ImportReport:
    """Import the instances of the request into its directory of manifests. Raises ReconcilerError."""
    check_owner(request)
    directory = Path(request.bots)
    links.check(directory)
    there, sample = _without(existing(directory, request.named), how.sample)
    how = replace(how, sample=sample)

    async def reading(name: str, client: Client) -> Reading:
        globs = [found for glob in request.instance if (found := _on(name, glob))]
        if request.instance and not globs:
            return Reading({})
        try:
            return await read(client, globs)
        except ReconcilerError as error:
            if not name:
                raise
            return Reading({}, problems={"*": str(error)})

    async def every(running: fleet.Running) -> dict[str, Reading]:
        async with fleet.clients(running) as clients:
            found = await asyncio.gather(*(reading(name, client) for name, client in clients.items()))
            return dict(zip(clients, found, strict=True))

    with servers(request, Desired(())) as running:
        read_of = signals.run(every(running))
    if "" not in read_of:
        reports = [_of_server(name, each, request, how) for name, each in read_of.items()]
        return reduce(ImportReport.beside, reports)
    found = read_of[""]
    homes = groups.homes(how.groups, found.instances, all_read=not request.instance and not found.problems)
    if not how.flat:
        homes = groups.by_folder(directory, found.instances, homes)
    return write(found, there, directory, request.owner, how, homes)


def _without(there: Desired, sample: tuple[Path, ...]) -> tuple[Desired, tuple[Path, ...]]:
    """The manifests without the sample, and those of its files that no other manifest includes."""
    gone = {os.path.normpath(path) for path in sample}
    others = [one for one in there.instances if os.path.normpath(one.files[0]) not in gone]
    used = {os.path.normpath(file) for one in others for file in one.files}
    left = tuple(path for path in sample if os.path.normpath(path) not in used)
    return replace(there, instances=tuple(others)), left


def _on(server: str, glob: str) -> str:
    """A glob of instances on one of several servers, "" where it is not about that."""
    if not server:
        return glob
    named, _, name = glob.partition("/")
    return name if fnmatchcase(server, named) else ""


def _of_server(name: str, found: Reading, request: Request, how: How) -> ImportReport:
    """Write the manifests of one of several servers, into a folder of its name."""
    directory = Path(request.bots)
    if directory.is_dir() and defaults_of(directory, directory):
        raise ReconcilerError(
            f"the _defaults file of {directory} would change what is imported into a folder for each server: "
            "name another directory with --into."
        )
    there = existing(directory, request.named)
    how = replace(how, sample=())  # it is of no server, and not in the server's folder
    homes = groups.homes(how.groups, found.instances, all_read=not request.instance and not found.problems)
    if not how.flat:
        homes = groups.by_folder(directory / name, found.instances, homes)
    return write(found, there, directory / name, request.owner, how, homes, name).of(name)


def existing(directory: Path, named: Servers | None = None) -> Desired:
    """What the existing manifests declare; nothing where there are none. Raises ManifestError."""
    try:
        return load(directory, servers=named)
    except ManifestError:
        raise
    except ReconcilerError:
        if directory.exists() and not directory.is_dir():
            raise ReconcilerError(f"{directory} is not a directory: name another with --into.") from None
        return Desired(())


def write(
    reading: Reading,
    there: Desired,
    directory: Path,
    owner: str,
    how: How,
    homes: Mapping[str, PurePosixPath],
    server: str = "",
) -> ImportReport:
    """Write a manifest for each instance that was read and has none.

    there: the existing manifests. homes: the folders of instances in groups. server: which of several has the
    instances, which each manifest says then. Raises ReconcilerError.
    """
    declared = {instance.name: instance.at.file for instance in of_server(there, server).instances}
    skipped = dict(reading.problems)
    skipped |= {name: f"{declared[name]} declares it" for name in reading.instances if name in declared}
    new = reading.instances.keys() - skipped.keys()
    stems = _stems(directory, new, homes, skipped, how.sample)
    chosen = {name: reading.instances[name] for name in stems}
    known = {name: seen.credentials or {} for name, seen in reading.instances.items()}
    others = {**known, **reading.others}
    extent = Extent(how.full, {path: unread(reading.version, kind) for path, kind in KINDS.items()})
    made = drafts(chosen, others, there, stems, owner, extent, homes, server)
    seen = Observed("", {name: replace(seen, shared_creds=others) for name, seen in chosen.items()})
    with _workplace(directory, _below(there, directory) if server else there, how.sample) as beside:
        check = Check(
            made,
            beside,
            _taken(directory, how.sample),
            _schema(directory, schema.FILE, folder=False),
            flat=how.flat or (len(chosen) < 2 and not homes),
            beside_folders=_schema(directory, schema.FOLDER_FILE, folder=True),
            servers=Servers((server,)) if server else None,
        )
        check.run(seen, owner)
        grouped = check.factor(seen, owner)
        written, failed = _kept(check, grouped, how.sample, beside, directory)
        skipped |= check.skipped | failed
    return ImportReport(
        directory,
        tuple(sorted(written, key=lambda one: one.path)),
        tuple(LeftOut(name, "", why) for name, why in sorted(skipped.items())),
        tuple(one for draft in made.values() for one in draft.left_out if draft.instance not in skipped),
        sum(draft.empty and not draft.left_out for draft in made.values()),
        bool(reading.problems or failed),
        tuple(reading.off.values()),
        tuple(_group(group) for group in grouped.values()),
        _saving(check, grouped),
        () if how.flat or homes else _candidates(check),
        how.sample if written else (),
    )


def _candidates(check: Check) -> tuple[Candidate, ...]:
    """Instances that might be declared as a group."""
    return groups.candidates({name: _shape(made) for name, made in check.drafts.items()})


def _below(there: Desired, directory: Path) -> Desired:
    """The manifests in a folder."""
    return Desired(tuple(one for one in there.instances if Path(one.at.file).is_relative_to(directory)))


def _kept(
    check: Check,
    grouped: Mapping[PurePosixPath, Grouped],
    sample: Sequence[Path],
    beside: Path,
    directory: Path,
) -> tuple[list[Written], dict[str, str]]:
    """Move the files to their places. Returns what was written, and why some instances were not."""
    written: list[Written] = []
    failed: dict[str, str] = {}
    with _aside(sample if check.drafts else (), beside, written):
        for drafted, its in _together(check, grouped):
            try:
                _place(its, beside, directory)
            except ReconcilerError as error:
                failed |= {draft.instance: str(error).rstrip(".") for draft in drafted}
            else:
                written += [_written(draft, directory) for draft in drafted]
    return written, failed


def _stems(
    directory: Path,
    instances: Collection[str],
    homes: Mapping[str, PurePosixPath],
    skipped: dict[str, str],
    sample: Collection[Path],
) -> dict[str, str]:
    """The name of each new manifest's file; an instance whose file is there is added to skipped."""
    found: dict[str, str] = {}
    for home in sorted({homes.get(name, PurePosixPath()) for name in instances}):
        folder = directory / home
        there = {path for path in folder.iterdir() if path not in sample} if folder.is_dir() else set()
        names = {path.name.lower() for path in there}
        its = [name for name in instances if homes.get(name, PurePosixPath()) == home]
        for name, stem in naming.stems(its, {Path(name).stem for name in names}).items():
            if f"{stem}.yaml".lower() in names:
                skipped[name] = f"{folder / stem}.yaml exists already"
            else:
                found[name] = stem
    return found


def _schema(directory: Path, name: str, *, folder: bool) -> Files:
    """The file with a schema, where it is not there."""
    return {} if os.path.lexists(directory / name) else {name: schema.document(folder=folder)}


def _together(
    check: Check, grouped: Mapping[PurePosixPath, Grouped]
) -> Iterator[tuple[list[Draft], dict[str, str]]]:
    """Drafts whose files are written together or not at all: those of a group."""
    for name, draft in check.drafts.items():
        if draft.home not in grouped:
            yield [draft], dict(check.files[name])
    for group in grouped.values():
        its = dict(group.shared)
        for one in group.members:
            its |= check.files[one.name]
        yield [one.draft for one in group.members], its


# -- what is said about it --------------------------------------------------------------------


def _written(draft: Draft, directory: Path) -> Written:
    return Written(
        draft.instance,
        directory / draft.path,
        len(draft.bots),
        len(draft.credentials),
        draft.variables,
        any(draft.settings.values()),
        draft.home.as_posix() if draft.home.parts else "",
    )


def _group(group: Grouped) -> GroupReport:
    folder, number = group.home.as_posix(), len(group.members)
    if group.made is not None and group.made.shared is not None:
        made = group.made
        return GroupReport(folder, number, made.bots, made.variables, tuple(made.apart))
    if group.declared:
        note = "its _defaults file was there before and was not changed, so each manifest says all of its own"
    elif number < 2:
        note = "it has one new instance, so there is nothing to share"
    else:
        note = "its instances have nothing in common that could be shared"
    return GroupReport(folder, number, note=note)


def _saving(check: Check, grouped: Mapping[PurePosixPath, Grouped]) -> Saving | None:
    made = [group for group in grouped.values() if group.made is not None]
    if not made:
        return None
    manifests = sum(len(group.members) for group in made)
    after = [
        {
            **group.shared,
            **{path: text for one in group.members for path, text in check.files[one.name].items()},
        }
        for group in made
    ]
    shared = sum(1 for group in made if group.made and group.made.shared is not None)
    return Saving(manifests, sum(_lines(group.flat) for group in made), shared, sum(map(_lines, after)))


def _lines(its: Mapping[str, str]) -> int:
    """The lines of manifests and prompts."""
    return sum(text.count("\n") for path, text in its.items() if not path.startswith("."))


def _shape(draft: Draft) -> dict[str, tuple[object, ...]]:
    """What tells a bot from others, by name."""
    return {
        name: (
            entry.kind.path,
            *(repr(entry.declared.get(key)) for key in ("botType", "triggerType", "triggerValue")),
        )
        for name, entry in draft.bots.items()
    }


# -- files ------------------------------------------------------------------------------------


def _taken(directory: Path, sample: Collection[Path]) -> frozenset[str]:
    """The existing paths below any prompts/, in lower case."""
    return frozenset(
        path.relative_to(directory).as_posix().lower()
        for path in directory.glob("**/prompts/**/*")
        if path not in sample
    )


@contextmanager
def _aside(sample: Iterable[Path], beside: Path, written: Sequence[Written]) -> Iterator[None]:
    """The files of the sample are out of the way, and come back where nothing was written."""
    moved = {path: beside.parent / f"sample-{number}" for number, path in enumerate(sample)}
    try:
        for path, aside in moved.items():
            path.replace(aside)
        yield
    finally:
        for path, aside in moved.items() if not written else ():
            if aside.exists():
                aside.replace(path)


@contextmanager
def _workplace(directory: Path, there: Desired, sample: Collection[Path]) -> Iterator[Path]:
    """A hidden directory below the manifests, which load ignores, with a copy of them."""
    links.check(directory)
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".import-", dir=directory, ignore_cleanup_errors=True) as temporary:
            beside = Path(temporary, "bots")
            beside.mkdir()
            _copy(directory, beside, there, sample)
            yield beside
    except OSError as error:  # of the copy: files that are moved have errors of their own
        raise ReconcilerError(
            f"nothing was imported: {directory} cannot be written: {error.strerror}."
        ) from None
    finally:
        for path in made:
            with suppress(OSError):  # it is not empty: something was written
                path.rmdir()


def _copy(directory: Path, beside: Path, there: Desired, sample: Collection[Path]) -> None:
    """Copy every file that a load may read, but for the sample."""
    gone = {Path(os.path.normpath(path)) for path in sample}
    paths = {Path(os.path.normpath(file)) for instance in there.instances for file in instance.files}
    for home, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths |= {Path(home, name) for name in names if not name.startswith(".")}
    top = Path(os.path.normpath(directory))
    for path in paths - gone:
        target = beside / Path(os.path.normpath(path)).relative_to(top)
        if path.is_file() and path.stat().st_size <= MAX_MANIFEST:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _place(wanted: Mapping[str, str], beside: Path, directory: Path) -> None:
    """Move an instance's files to their places, all or none. Raises ReconcilerError."""
    placed: list[tuple[Path, Path]] = []
    try:
        for path in wanted:
            source, target = beside / path, directory / path
            if not source.exists():
                continue  # what another instance has too, such as a prompt
            files.folders(target.parent, below=directory)
            files.create(target, source.read_bytes())
            placed.append((source, target))
            source.unlink()
    except BaseException:
        for source, target in placed:
            target.replace(source)
        raise
