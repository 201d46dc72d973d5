"""Writes drift on the server into the existing manifests: the values that differ, and nothing else.

Reads the server, and writes below the directory of the manifests: each file whole or not at all, and only
after the new contents were loaded and found right. Reports what cannot be written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path

from reconciler.domain import files, links, signals
from reconciler.domain.desired import Desired
from reconciler.domain.errors import InstanceError, ReconcilerError, ServerError
from reconciler.domain.kinds import Kind
from reconciler.domain.records import replace
from reconciler.domain.reports import Edited, Note, UpdateReport
from reconciler.domain.servers import Servers, full, of_server
from reconciler.domain.uniqueness import Claim, holds, takes
from reconciler.evolution.client import Client
from reconciler.evolution.fetch import fetch
from reconciler.importer.drift import Credentials, Drift, Drifts, drifts
from reconciler.importer.rewriting import Manifests, NotDoneError
from reconciler.manifests import confined
from reconciler.manifests.confined import UnreadableError
from reconciler.manifests.load import load
from reconciler.pipeline import fleet, selecting, stages
from reconciler.pipeline.request import Request


def run(request: Request, *, for_all: bool = False) -> UpdateReport:
    """Update the manifests of the request. for_all: also what shares a file with what drifted.

    Raises ReconcilerError.
    """
    links.check(Path(request.bots))
    wanted = selecting.desired(request)

    async def updated(running: fleet.Running) -> UpdateReport:
        async with fleet.clients(running) as clients:
            parts = [await of(server, client) for server, client in clients.items()]
            return reduce(_joined, parts)

    async def of(server: str, client: Client) -> UpdateReport:
        mine = of_server(wanted, server)
        try:
            return await update(
                client, mine, Path(request.bots), request.owner, request.named, server, for_all=for_all
            )
        except ServerError as error:
            if not server:
                raise
            unread = tuple(Note(full(server, one.name), "", str(error)) for one in mine.instances)
            return UpdateReport((), (), unread, ())

    with stages.servers(request, Desired(())) as running:
        return signals.run(updated(running))


def _joined(one: UpdateReport, other: UpdateReport) -> UpdateReport:
    return UpdateReport(
        one.edited + other.edited,
        tuple(dict.fromkeys(one.files + other.files)),
        one.failed + other.failed,
        one.said + other.said,
    )


async def update(
    client: Client,
    desired: Desired,
    directory: Path,
    owner: str,
    servers: Servers | None = None,
    server: str = "",
    *,
    for_all: bool = False,
) -> UpdateReport:
    """Write what differs on a server into the manifests of the desired instances.

    directory: of all manifests. server: the name of one of several servers. Raises ReconcilerError.
    """
    observed = await fetch(client, desired, lambda instance, bots, kind: False)
    found = drifts(desired, observed, owner, {})
    if found.unknown:
        every = load(directory, origins=False, cached=True, servers=servers)
        found = drifts(desired, observed, owner, await _credentials(client, of_server(every, server)))
    found = _called(found, server) if server else found
    names = {one.instance for one in found.found}
    return brought(Manifests(directory, names, servers, for_all=for_all), found, directory)


def _called(found: Drifts, server: str) -> Drifts:
    """The drifts of instances as these are called."""

    def drift(one: Drift) -> Drift:
        creds = one.creds and (one.creds[0], one.creds[1] and full(server, one.creds[1]))
        return replace(one, instance=full(server, one.instance), creds=creds)

    def notes(of: Sequence[Note]) -> list[Note]:
        return [replace(one, instance=full(server, one.instance)) for one in of]

    return Drifts(list(map(drift, found.found)), notes(found.unread), notes(found.notes), found.unknown)


def brought(manifests: Manifests, found: Drifts, directory: Path) -> UpdateReport:
    """Write the drifts into the manifests below the directory, as far as possible.

    Raises ReconcilerError when a file cannot be written, or was changed since the manifests were read.
    """
    settled = _Settled(manifests)
    settled.add(_groups(manifests.desired, found.found))
    home = directory.resolve()
    contents = {path: new for path, new in settled.contents.items() if new != manifests.original(path)}
    said = tuple(manifests.notes(settled.accepted, contents))
    for path in contents:
        _check(path, manifests.original(path), home)
    _write(contents, home)
    return UpdateReport(
        tuple(Edited(drift.instance, drift.about, drift.keys) for drift in settled.accepted),
        tuple(directory / path.relative_to(home) for path in sorted(contents)),
        (*found.unread, *settled.failed),
        (*found.notes, *said),
    )


async def _credentials(client: Client, desired: Desired) -> Credentials:
    """The credentials of all instances that the manifests name, and that can be read."""
    found: dict[str, Mapping[str, str]] = {}
    for instance in desired.instances:
        with suppress(InstanceError):
            there = await client.credentials(instance.name)
            found[instance.name] = {name: credential.id for name, credential in there.items()}
    return found


# -- which drifts can be written --------------------------------------------------------------


class _Settled:
    """The drifts that can be written together, and why others cannot."""

    def __init__(self, manifests: Manifests) -> None:
        self.manifests = manifests
        self.accepted: list[Drift] = []
        self.contents: dict[Path, bytes] = {}
        self.failed: list[Note] = []

    def add(self, groups: Sequence[Sequence[Drift]]) -> None:
        """Accept all of them together if possible; else try the two halves, and so on."""
        if not groups:
            return
        together = [drift for group in groups for drift in group]
        try:
            self.contents = self.manifests.with_drifts([*self.accepted, *together])
        except NotDoneError as error:
            if len(groups) > 1:
                middle = len(groups) // 2
                self.add(groups[:middle])
                self.add(groups[middle:])
            elif len(together) > 1:
                self.add([[drift] for drift in together])
            elif len(parts := together[0].parts()) > 1:
                self.add([[part] for part in parts])
            else:
                keys = ", ".join(together[0].keys)
                text = f"{keys} cannot be written: {error}"
                self.failed.append(Note(together[0].instance, together[0].about, text))
        else:
            self.accepted += together


def _groups(desired: Desired, found: Sequence[Drift]) -> list[list[Drift]]:
    """The drifts in groups: two are together when one takes a trigger or a key that the other gives up."""
    bots = {(one.name, bot.name): bot.fields for one in desired.instances for bot in one.bots}
    groups: list[list[Drift]] = []
    by_claim: dict[tuple[str, Kind, Claim], list[Drift]] = {}
    for drift in found:
        before = bots.get((drift.instance, drift.about), {})
        claims = holds(drift.kind, before) | takes(drift.kind, {**before, **drift.fields})
        group = [drift]
        for claim in claims:
            other = by_claim.get((drift.instance, drift.kind, claim), group)
            if other is not group:
                other += group
                groups[:] = [each for each in groups if each is not group]
                for moved in [key for key, each in by_claim.items() if each is group]:
                    by_claim[moved] = other
                group = other
            by_claim[drift.instance, drift.kind, claim] = group
        if group not in groups:
            groups.append(group)
    return groups


# -- writing ----------------------------------------------------------------------------------


def _check(path: Path, original: bytes, home: Path) -> None:
    """Raises ReconcilerError for a file that is outside of home or was changed. A new one is not there."""
    if not path.is_relative_to(home):
        raise ReconcilerError(f"{path} was not written: it is outside of {home}.")
    if not original and not os.path.lexists(path):
        return
    with suppress(OSError, UnreadableError):
        if confined.read(home, path, len(original)) == original:
            return
    raise ReconcilerError(f"{path} was changed meanwhile and was not overwritten: run this again.")


def _write(contents: Mapping[Path, bytes], home: Path) -> None:
    """Replace each file. Raises ReconcilerError, which says what was written before."""
    written: list[str] = []
    for path, content in contents.items():
        try:
            if os.path.lexists(path):
                files.replace(path, content)
            else:
                files.create(path, content)
        except ReconcilerError as error:
            before = ", ".join(written) or "nothing"
            raise ReconcilerError(f"{error}\nWritten before: {before}.") from None
        written.append(str(path.relative_to(home)))
