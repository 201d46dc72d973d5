"""A server's instances → manifests. Reads the server, writes files, and overwrites none.

reading: what the server has. draft: the content of a manifest, with names from naming. page: its text. check:
the drafts are written to a copy, loaded and planned by the real stages, and corrected. Then the files are
moved to their places, all of an instance or none.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.domain import files, signals
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import Observed
from reconciler.domain.reports import ImportReport, LeftOut, Written
from reconciler.domain.servers import Servers, of_server
from reconciler.domain.servers import full as called
from reconciler.evolution.client import Client
from reconciler.importer import naming
from reconciler.importer.check import Check
from reconciler.importer.draft import Draft, Extent, drafts
from reconciler.importer.reading import Reading, read
from reconciler.lint import unread
from reconciler.manifests import schema
from reconciler.manifests.confined import MAX_MANIFEST
from reconciler.manifests.load import folder, load
from reconciler.pipeline import Request, check_owner, fleet, servers


def run(request: Request, *, full: bool) -> ImportReport:
    """Import the instances of the request into its directory of manifests. Raises ReconcilerError."""
    check_owner(request)
    directory = Path(request.bots)
    there = existing(directory, request.named)

    async def reading(name: str, client: Client) -> Reading:
        globs = [local_glob for glob in request.instance if (local_glob := _on(name, glob))]
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
        found = signals.run(every(running))
    if "" in found:
        return write(found[""], there, directory, request.owner, full=full)
    if directory.is_dir() and folder(directory) is not None:
        raise ReconcilerError(
            f"the _defaults file of {directory} would change what is imported into a folder for each server: "
            "name another directory with --into."
        )
    reports = [_of_server(name, each, directory, request, full=full) for name, each in found.items()]
    return reduce(_joined, reports)


def _on(server: str, glob: str) -> str:
    """A glob of instances on one of several servers, "" where it is not about that."""
    if not server:
        return glob
    named, _, name = glob.partition("/")
    return name if fnmatchcase(server, named) else ""


def _of_server(name: str, found: Reading, directory: Path, request: Request, *, full: bool) -> ImportReport:
    """Write the manifests of one of several servers, into a folder that names it."""
    there, home = existing(directory, request.named), directory / name
    report = write(found, there, home, request.owner, full=full, server=name)

    def left_out(of: tuple[LeftOut, ...]) -> tuple[LeftOut, ...]:
        return tuple(replace(one, instance=called(name, one.instance)) for one in of)

    return replace(
        report,
        directory=directory,
        written=tuple(replace(one, instance=called(name, one.instance)) for one in report.written),
        skipped=left_out(report.skipped),
        left_out=left_out(report.left_out),
        off=tuple(f"{name}: {why}" for why in report.off),
    )


def _joined(one: ImportReport, other: ImportReport) -> ImportReport:
    return replace(
        one,
        written=one.written + other.written,
        skipped=one.skipped + other.skipped,
        left_out=one.left_out + other.left_out,
        empty=one.empty + other.empty,
        failed=one.failed or other.failed,
        off=one.off + other.off,
    )


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
    reading: Reading, there: Desired, directory: Path, owner: str, *, full: bool, server: str = ""
) -> ImportReport:
    """Write a manifest for each instance that was read and has none.

    there: the existing manifests. full: write every value. server: which of several it is, which a file in
    the directory says then. Raises ReconcilerError.
    """
    declared = {instance.name: instance.at.file for instance in of_server(there, server).instances}
    skipped = dict(reading.problems)
    skipped |= {name: f"{declared[name]} declares it" for name in reading.instances if name in declared}
    names = {path.name.lower() for path in directory.iterdir()} if directory.is_dir() else set()
    stems = naming.stems(reading.instances.keys() - skipped.keys(), {Path(name).stem for name in names})
    for name, stem in list(stems.items()):
        if f"{stem}.yaml".lower() in names:
            skipped[name] = f"{directory / stem}.yaml exists already"
            del stems[name]
    chosen = {name: reading.instances[name] for name in stems}
    known = {name: seen.credentials or {} for name, seen in reading.instances.items()}
    others = {**known, **reading.others}
    extent = Extent(full, {path: unread(reading.version, kind) for path, kind in KINDS.items()})
    made = drafts(chosen, others, there, stems, owner, extent, server)
    seen = Observed("", {name: replace(seen, shared_creds=others) for name, seen in chosen.items()})
    wanted = {schema.FILE: schema.document()}
    if server and not (directory.is_dir() and folder(directory) is not None):
        wanted[_FOLDER] = f"server: {server}\n"
    with _workplace(directory, _below(there, directory) if server else there) as beside:
        beside_them = {name: text for name, text in wanted.items() if not os.path.lexists(directory / name)}
        only = Servers((server,)) if server else None
        check = Check(made, beside, _taken(directory), beside_them, only)
        check.run(seen, owner)
        skipped |= check.skipped
        failed = bool(reading.problems)
        written = []
        for name, draft in check.drafts.items():
            try:
                _place(check.files[name], beside, directory)
            except ReconcilerError as error:
                skipped[name] = str(error).rstrip(".")
                failed = True
            else:
                written.append(_written(draft, directory))
    return ImportReport(
        directory,
        tuple(written),
        tuple(LeftOut(name, "", why) for name, why in sorted(skipped.items())),
        tuple(one for draft in made.values() for one in draft.left_out if draft.instance not in skipped),
        sum(draft.empty and not draft.left_out for draft in made.values()),
        failed,
        tuple(reading.off.values()),
    )


_FOLDER = "_defaults.yaml"


def _below(there: Desired, directory: Path) -> Desired:
    """The manifests in a folder."""
    return Desired(tuple(one for one in there.instances if Path(one.at.file).is_relative_to(directory)))


def _written(draft: Draft, directory: Path) -> Written:
    path = directory / f"{draft.stem}.yaml"
    return Written(
        draft.instance,
        path,
        len(draft.bots),
        len(draft.credentials),
        draft.variables,
        any(draft.settings.values()),
    )


# -- files ------------------------------------------------------------------------------------


def _taken(directory: Path) -> frozenset[str]:
    """The existing paths below prompts/, in lower case."""
    return frozenset(
        path.relative_to(directory).as_posix().lower() for path in directory.glob("prompts/**/*")
    )


@contextmanager
def _workplace(directory: Path, there: Desired) -> Iterator[Path]:
    """A hidden directory below the manifests, which load ignores, with a copy of them."""
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".import-", dir=directory, ignore_cleanup_errors=True) as temporary:
            beside = Path(temporary, "bots")
            beside.mkdir()
            _copy(directory, beside, there)
            yield beside
    except OSError as error:  # of the copy: files that are moved have errors of their own
        raise ReconcilerError(
            f"nothing was imported: {directory} cannot be written: {error.strerror}."
        ) from None
    finally:
        for path in made:
            with suppress(OSError):  # it is not empty: something was written
                path.rmdir()


def _copy(directory: Path, beside: Path, there: Desired) -> None:
    """Copy every file that a load may read."""
    paths = {Path(os.path.normpath(file)) for instance in there.instances for file in instance.files}
    for home, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths |= {Path(home, name) for name in names if not name.startswith(".")}
    top = Path(os.path.normpath(directory))
    for path in paths:
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
