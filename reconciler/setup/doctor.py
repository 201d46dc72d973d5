"""Checks what is around the bots: manifests, server, version, key, instances, credentials.

Reads only, and goes on after a problem as far as possible. Returns sentences. The bots themselves, field by
field, are the plan's business.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from reconciler.domain import markers, signals
from reconciler.domain.credential_versions import split
from reconciler.domain.desired import Desired, DesiredInstance, declared_kinds
from reconciler.domain.errors import (
    Foreign,
    ManifestError,
    Missing,
    ReconcilerError,
    ServerError,
    Unauthorized,
)
from reconciler.domain.findings import Finding, Mark
from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.observed import RemoteBot
from reconciler.domain.records import dataclass, replace
from reconciler.domain.servers import of_server
from reconciler.domain.text import count, listed, near, quoted
from reconciler.evolution import answers
from reconciler.evolution.address import is_loopback
from reconciler.evolution.belonging import check_whole
from reconciler.evolution.client import OLDEST, Client, Server
from reconciler.evolution.observing import find_all
from reconciler.manifests import secrets
from reconciler.pipeline import fleet, selecting, stages
from reconciler.pipeline.request import Request
from reconciler.plan import matching
from reconciler.plan.matching import How

MOST = 3
"""The most instances, credentials or errors that are named one by one."""

PATIENCE = 1.0
"""Seconds in which a call may be retried: a person is waiting."""

_NO_KEY = "no-key-is-given"
"""Sent when no key is set: how the server refuses it shows whether it is an Evolution API."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an instance has: its bots, the names of its credentials, the declared kinds without settings."""

    bots: tuple[RemoteBot, ...]
    credentials: frozenset[str]
    no_settings: tuple[Kind, ...]


_Looked = Mapping[str, _Seen | ReconcilerError]
"""The declared instances and the owning instances of shared credentials: what they have, or an error."""


def examine(request: Request) -> list[Finding]:
    """All findings, in the order in which one would solve the problems."""
    desired, findings = _manifests(request)
    named = request.sandbox or request.api_key or request.servers
    asked = request if named else replace(request, api_key=_NO_KEY)
    if request.named.several:
        return findings + _of_several(request, desired)
    try:
        with stages.servers(asked, desired) as running:
            [server] = running.values()
            return findings + signals.run(_ask(server, desired, request.owner, keyed=asked is request))
    except ReconcilerError as error:
        return [*findings, Finding(Mark.BAD, "server", str(error))]


def _of_several(request: Request, desired: Desired) -> list[Finding]:
    """What there is to say of each server."""
    found: dict[str, list[Finding]] = {name: [] for name in request.chosen}

    async def ask(name: str, server: Server) -> None:
        try:
            found[name] = await _ask(server, of_server(desired, name), request.owner, keyed=True)
        except ReconcilerError as error:
            found[name] = [Finding(Mark.BAD, "server", str(error))]

    async def run(running: fleet.Running) -> None:
        await asyncio.gather(*(ask(name, server) for name, server in running.items()))

    with ExitStack() as stack:
        running: dict[str, Server] = {}
        for name in found:
            try:
                one = stages.servers(replace(request, server=(name,)), desired)
                running |= stack.enter_context(one)
            except ReconcilerError as error:
                found[name] = [Finding(Mark.BAD, "server", str(error))]
        signals.run(run(running))
    return [replace(one, server=name) for name, each in found.items() for one in each]


# -- offline -----------------------------------------------------------------------------------


def _manifests(request: Request) -> tuple[Desired, list[Finding]]:
    try:
        desired = selecting.desired(request)
    except ManifestError as error:
        said = f"{count(len(error.problems), 'error')}, the first at {error.problems[0]}"
        return Desired(()), [Finding(Mark.BAD, "manifests", said, "See all errors: reconciler validate")]
    except ReconcilerError as error:
        todo = "" if Path(request.bots).is_dir() else "Start with: reconciler init"
        return Desired(()), [Finding(Mark.BAD, "manifests", str(error), todo)]
    bots = sum(len(instance.bots) for instance in desired.instances)
    said = f"{count(bots, 'bot')} on {count(len(desired.instances), 'instance')}, all valid."
    return desired, [Finding(Mark.GOOD, "manifests", said), *_keys(desired), *_keys_of_bots(desired)]


def _keys(desired: Desired) -> Iterator[Finding]:
    """Whether the keys of the declared credentials are available. Never shows a key."""
    try:
        found = [
            one
            for server in sorted({each.server for each in desired.instances})
            for one in secrets.keys(of_server(desired, server)).found.items()
        ]
    except ManifestError as error:
        yield Finding(Mark.BAD, "openai keys", str(error.problems[0]))
        return
    absent = [f"{said} (credential {quoted(name)})" for (_, name), said in found if isinstance(said, str)]
    if absent:
        yield Finding(
            Mark.NOTE,
            "openai keys",
            f"{len(found) - len(absent)} of {len(found)} are available: {_listed(absent)}.",
            "A plan works without them. An apply needs the keys of missing and rotated credentials. To list "
            "what to set: reconciler doctor --keys",
        )
    elif found:
        yield Finding(Mark.GOOD, "openai keys", f"{len(found)} declared, all available.")


def _keys_of_bots(desired: Desired) -> Iterator[Finding]:
    """Which variables are not set that bots need and credentials do not."""
    of_bots = secrets.variables(
        replace(desired, instances=tuple(map(_bare, desired.instances)), creds_owners=())
    )
    if absent := [name for name in of_bots if not secrets.is_set(name)]:
        said = f"{len(absent)} of {len(of_bots)} not set: {_listed(absent)}."
        yield Finding(Mark.NOTE, "bots' keys", said, "To list what to set: reconciler doctor --keys")


def _bare(one: DesiredInstance) -> DesiredInstance:
    return replace(one, credentials=())


def needed(request: Request) -> dict[str, tuple[bool, Sequence[str]]]:
    """The variables that the manifests name, whether each is set, and what for. Calls no server."""
    names = secrets.variables(selecting.desired(request))
    return {name: (secrets.is_set(name), uses) for name, uses in names.items()}


# -- the server --------------------------------------------------------------------------------


async def _ask(server: Server, desired: Desired, owner: str, *, keyed: bool) -> list[Finding]:
    names = {instance.name for instance in desired.instances}
    names |= {bot.creds_owner for instance in desired.instances for bot in instance.bots if bot.creds_owner}
    async with Client(replace(server, patience=PATIENCE)) as client:
        with suppress(ManifestError):
            client.secrets.add(*secrets.keys(desired).known())
        version, listed, first = await asyncio.gather(
            client.version(), _tried(client.instances()), _first_bots(client, names if keyed else ())
        )
        told = _version(version)
        if isinstance(listed, ServerError) and isinstance(first, ServerError | Foreign | None):
            return [Finding(Mark.BAD, "server", str(listed)), *([told] if version else [])]
        findings = [_server(client.url), told]
        if not keyed:
            return [*findings, Finding(Mark.BAD, "key", "No key is set.", _GIVE_KEY)]
        declared = {one.name: one for one in desired.instances}
        off: dict[str, str] = {}
        reads = [_tried(_look(client, name, declared.get(name), off)) for name in names]
        looked: _Looked = dict(zip(names, await asyncio.gather(*reads), strict=True))
        findings.append(_key(listed, looked))
        findings += await _integrations(client, desired, listed, looked, off)
    findings += _instances(desired, listed, looked)
    desired = _switched_on(desired, off)
    findings += _credentials(desired, looked)
    opened = [(each, seen) for each in desired.instances if isinstance(seen := looked[each.name], _Seen)]
    if off.keys() >= declared_kinds(desired.instances):
        opened = []
    if opened:
        findings += [_settings(opened), _bots(opened, owner)]
    return findings


def _switched_on(desired: Desired, off: Collection[str]) -> Desired:
    """What is declared of the kinds that the server has switched on."""

    def without(one: DesiredInstance) -> DesiredInstance:
        bots = tuple(bot for bot in one.bots if bot.kind.path not in off)
        settings = {path: each for path, each in one.settings.items() if path not in off}
        lacks = any(kind.credential and path in off for path, kind in KINDS.items())
        return replace(one, bots=bots, settings=settings, credentials=() if lacks else one.credentials)

    owners = tuple(map(without, desired.creds_owners))
    return replace(desired, instances=tuple(map(without, desired.instances)), creds_owners=owners)


async def _tried(call: Awaitable[T]) -> T | ReconcilerError:
    try:
        return await call
    except ReconcilerError as error:
        return error


async def _first_bots(client: Client, names: Collection[str]) -> object:
    """The bots of one instance, as the key or a proxy may not allow the list; None without instances."""
    return await _tried(client.find(min(names))) if names else None


async def _look(client: Client, name: str, declared: DesiredInstance | None, off: dict[str, str]) -> _Seen:
    """Read an instance. off: as of find_all."""
    bots = await find_all(client, name, off)
    on = [kind for path, kind in KINDS.items() if path not in off]
    credentials: frozenset[str] = frozenset()
    if any(kind.credential for kind in on):
        stored = await client.credentials(name)
        check_whole(client.secrets.shown(name), bots, stored.own_users)
        credentials = frozenset(stored)
    wanted = [kind for kind in on if declared and declared.has(kind)]
    rows = [(kind, (await client.settings(name, kind)).exists) for kind in wanted]
    return _Seen(bots, credentials, tuple(kind for kind, exists in rows if not exists))


def _server(url: str) -> Finding:
    if url.startswith("https:") or is_loopback(urlsplit(url).hostname or ""):
        return Finding(Mark.GOOD, "server", f"{url} answers.")
    return Finding(
        Mark.NOTE, "server", f"{url} answers, over plain http: anybody on the network can read the key."
    )


def _version(version: str | None) -> Finding:
    served = answers.numbers(version or "")
    if version is None or served is None:
        return Finding(
            Mark.NOTE, "version", "The server does not report it. Versions 2.2 and 2.3 are supported."
        )
    if served < OLDEST:
        return Finding(Mark.BAD, "version", f"{version} is not supported.", "Update the server to 2.3.")
    if served > (2, 3):
        return Finding(Mark.NOTE, "version", f"{version} is newer than the supported versions, 2.2 and 2.3.")
    return Finding(Mark.GOOD, "version", f"{version} is supported.")


_GIVE_KEY = "Set EVOLUTION_API_KEY to the server's global key, its AUTHENTICATION_API_KEY."


def _key(listed: tuple[str, ...] | ReconcilerError, looked: _Looked) -> Finding:
    opened = sum(isinstance(one, _Seen) for one in looked.values())
    closed = sum(isinstance(one, Unauthorized) for one in looked.values())
    if closed and (opened or isinstance(listed, tuple)):
        said = f"It gives access to {opened} of {opened + closed} instances: it is the token of an instance."
        return Finding(Mark.BAD, "key", said, _GIVE_KEY)
    if closed or (isinstance(listed, Unauthorized) and not opened):
        return Finding(Mark.BAD, "key", "The server refuses it (status 401).", _GIVE_KEY)
    if isinstance(listed, ReconcilerError):
        known = count(opened, "declared instance")
        said = f"It gives access to {known}, but the server does not list the others: {listed}"
        return Finding(Mark.NOTE, "key", said)
    return Finding(Mark.GOOD, "key", f"It gives access to the server's {count(len(listed), 'instance')}.")


async def _integrations(
    client: Client,
    desired: Desired,
    instances: tuple[str, ...] | ReconcilerError,
    looked: _Looked,
    off: dict[str, str],
) -> list[Finding]:
    """Which kinds of bot are switched on, and which declared ones are not."""
    found: list[object] = list(looked.values())
    if isinstance(instances, tuple) and not any(isinstance(one, _Seen) for one in found):
        found = [await _tried(find_all(client, name, off)) for name in instances[:1]]
    if all(isinstance(one, ReconcilerError) for one in found):
        return [Finding(Mark.NOTE, "integration", "Unknown: there is no instance to check.")]
    wanted = declared_kinds(desired.instances)
    bad = [Finding(Mark.BAD, "integration", off[path]) for path in KINDS if path in off and path in wanted]
    on = [kind.label for path, kind in KINDS.items() if path not in off]
    others = [kind.label for path, kind in KINDS.items() if path in off and path not in wanted]
    said = f"{listed(on)} {'is' if len(on) == 1 else 'are'} enabled." if on else ""
    if others:
        said += f" {listed(others)} {'is' if len(others) == 1 else 'are'} not, and no manifest needs them."
    return [*bad, *([Finding(Mark.GOOD, "integration", said.strip())] if said else [])]


# -- what the manifests name -------------------------------------------------------------------


def _instances(
    desired: Desired, listed: tuple[str, ...] | ReconcilerError, looked: _Looked
) -> Iterator[Finding]:
    """Which of the instances that are looked at exist."""
    known = listed if isinstance(listed, tuple) else ()
    missing = [name for name, one in looked.items() if isinstance(one, Missing)]
    if missing:
        said = _listed(quoted(name) + near(name, known) for name in sorted(missing))
        verb = "does" if len(missing) == 1 else "do"
        yield Finding(
            Mark.BAD,
            "instances",
            f"{len(missing)} of {len(looked)} {verb} not exist: {said}.",
            "Correct the name in the manifest (case and spaces matter), or create the instance.",
        )
    other = Counter(
        str(one)
        for one in looked.values()
        if isinstance(one, ReconcilerError) and not isinstance(one, Missing | Unauthorized)
    )
    for said in _first(
        one if number == 1 else f"{number} of {len(looked)}: {one}" for one, number in other.items()
    ):
        yield Finding(Mark.BAD, "instances", said)
    if looked and not any(isinstance(one, ReconcilerError) for one in looked.values()):
        others = len(set(known) - looked.keys())
        besides = f" The server has {others} more, which no manifest declares." if others else ""
        yield Finding(
            Mark.GOOD, "instances", f"{count(len(looked), 'instance')} declared, none missing.{besides}"
        )


def _credentials(desired: Desired, looked: _Looked) -> Iterator[Finding]:
    """Which credentials are used but missing, on instances that could be read."""
    users = Counter((b.creds_owner or i.name, b.creds) for i in desired.instances for b in i.bots if b.creds)
    declared = {(i.name, c.name) for i in (*desired.instances, *desired.creds_owners) for c in i.credentials}
    of_settings = {
        (i.name, each.creds) for i in desired.instances for each in i.settings.values() if each.creds
    }
    named = there = 0
    coming, lost = [], []
    for owner, name in sorted(users.keys() | declared | of_settings):
        seen = looked.get(owner)
        if not isinstance(seen, _Seen):
            continue
        named += 1
        if any(name in {have, split(have)[0]} for have in seen.credentials):
            there += 1
        elif (owner, name) in declared:
            coming.append(f"{quoted(name)} of {quoted(owner)}")
        else:
            meant = near(name, seen.credentials)
            used = count(users[owner, name], "bot") if users[owner, name] else "its settings"
            lost.append(f"{quoted(name)} of {quoted(owner)}{meant}, for {used}")
    if lost:
        yield Finding(
            Mark.BAD,
            "credentials",
            f"{len(lost)} of {named} are missing: {_listed(lost)}.",
            "Correct the name, register the credential in the manager, or declare it under credentials:.",
        )
    if coming:
        said = f"{count(len(coming), 'declared credential')} will be made by an apply: {_listed(coming)}."
        yield Finding(Mark.NOTE, "credentials", said)
    if named and named == there:
        yield Finding(Mark.GOOD, "credentials", f"{count(named, 'credential')} used, none missing.")


def _settings(opened: Collection[tuple[DesiredInstance, _Seen]]) -> Finding:
    without = [
        quoted(instance.name) + _of_kinds(seen.no_settings) for instance, seen in opened if seen.no_settings
    ]
    if not without:
        return Finding(Mark.GOOD, "settings", f"{count(len(opened), 'instance')} with settings.")
    return Finding(
        Mark.NOTE,
        "settings",
        f"{len(without)} of {len(opened)} have none yet: {_listed(without)}. The first bot creates them.",
    )


def _of_kinds(kinds: Collection[Kind]) -> str:
    """Which kinds, where they are not only the one that needs no naming."""
    return "" if set(kinds) == {DEFAULT} else f" (of {listed(kind.label for kind in kinds)} bots)"


def _bots(opened: Collection[tuple[DesiredInstance, _Seen]], owner: str) -> Finding:
    """How many bots on the declared instances are whose."""
    of: Counter[str] = Counter()
    for whole, seen, kind in ((one, seen, kind) for one, seen in opened for kind in KINDS.values()):
        instance = whole.of_kind(kind)
        there = [bot for bot in seen.bots if bot.kind is kind]
        matches = matching.match(instance, there, owner, kind)
        adopted = sum(found.how in {How.KEY, How.TRIGGER} for found in matches.found.values())
        declared = len(instance.bots)
        of["found"] += len(matches.found) - adopted
        of["to adopt"] += adopted
        of["in conflict"] += sum(bot.name in matches.conflicts for bot in instance.bots)
        of["missing"] += sum(
            b.name not in matches.found.keys() | matches.conflicts.keys() for b in instance.bots
        )
        of["declared"] += declared
        of["orphaned"] += len(matches.orphans)
        of["unmarked"] += sum(why == markers.NO_MARKER for why, _ in matches.unmanaged)
        of["of other owners"] += sum(why != markers.NO_MARKER for why, _ in matches.unmanaged)
    ours = [f"{of[what]} {what}" for what in ("found", "to adopt", "missing", "in conflict") if of[what]]
    others = [f"{of[what]} {what}" for what in ("orphaned", "unmarked", "of other owners") if of[what]]
    said = f"{of['declared']} declared for the owner {owner}: {', '.join(ours) or 'none'}."
    if others:
        said += f" Left alone: {', '.join(others)}."
    if of["in conflict"]:
        return Finding(Mark.NOTE, "bots", said, "See which, and why: reconciler plan")
    return Finding(Mark.GOOD, "bots", said)


# -- words -------------------------------------------------------------------------------------


def _first(texts: Iterable[str]) -> list[str]:
    """The first few, and how many more."""
    every = list(texts)
    more = [f"and {len(every) - MOST} more"] if len(every) > MOST else []
    return every[:MOST] + more


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(_first(texts))
