"""Reads what an import needs of the server: bots, credentials and settings.

OpenAI keys, which the server returns with credentials, are dropped at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from reconciler.domain.errors import Disabled, InstanceError, ReconcilerError, Refused, Unauthorized
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import ObservedInstance, RemoteCredential, not_understood
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.text import near, quoted
from reconciler.domain.versions import Version, version
from reconciler.evolution.answers import Credentials
from reconciler.evolution.belonging import check_whole
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.covering import cover_bots, cover_settings
from reconciler.evolution.observing import find_all

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. others: the credentials of instances that are not imported but share one.

    problems: why instances could not be read. version: the server's, where it reports it. off: why bots of a
    kind were not read, by kind.
    """

    instances: Mapping[str, ObservedInstance]
    others: Mapping[str, Mapping[str, RemoteCredential]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    version: Version | None = None
    off: Mapping[str, str] = field(default_factory=dict)


async def read(client: Client, globs: Sequence[str]) -> Reading:
    """Read the instances that any of the globs matches; all of them without globs.

    Raises ReconcilerError when there are none, or when the key may not list them and none is named.
    """
    names, nameless = await _names(client, globs)
    instances: dict[str, ObservedInstance] = {}
    problems: dict[str, str] = {}
    off: dict[str, str] = {}

    async def one(name: str) -> None:
        try:
            instances[name] = await _observe(client, name, off)
        except InstanceError as error:
            problems[name] = str(error)

    chosen = [name for name in names if not globs or any(_matches(name, glob) for glob in globs)]
    await side_by_side(chosen, one, client.concurrency)
    for name in [*instances]:
        if why := client.belonging.disbelieved(name, client.secrets):
            problems[name] = why
            del instances[name]
    if nameless and not globs:
        problems["?"] = f"{nameless} instances on the server have names that cannot be used"
    if problems and not instances:
        raise ReconcilerError(next(iter(problems.values())))
    others = await _creds_owners(client, instances, [name for name in names if name not in instances])
    covered = {name: _covered(client, instances[name]) for name in sorted(instances)}
    return Reading(covered, others, problems, await _version(client), off)


async def _version(client: Client) -> Version | None:
    try:
        return version(await client.version() or "")
    except ValueError:
        return None


async def _names(client: Client, globs: Sequence[str]) -> tuple[list[str], int]:
    """The names of the instances, and how many instances have unusable names."""
    nameless = 0
    try:
        listed = await client.listed()
        names, nameless = list(listed.ids), listed.unread
    except (Unauthorized, Refused):
        names = [glob for glob in globs if not _GLOB.search(glob)]
        if not names:
            raise ReconcilerError(
                "the server does not list its instances for this key: check EVOLUTION_API_KEY, or name the "
                "instances with --instance."
            ) from None
    for glob in globs:
        if not any(_matches(name, glob) for name in names):
            raise ReconcilerError(
                f"the server lists no instance for this key that matches {quoted(glob)}{near(glob, names)}."
            )
    return names, nameless


def _matches(name: str, glob: str) -> bool:
    return name == glob or fnmatchcase(name, glob)


async def _observe(client: Client, name: str, off: dict[str, str]) -> ObservedInstance:
    """Read an instance. off: as of a Reading, known so far; what is found is added."""
    credentials = await _credentials(client, name)  # first, so that their keys are known in what comes next
    bots = await find_all(client, name, off)
    check_whole(client.secrets.shown(name), bots, credentials.own_users)
    return ObservedInstance(
        name,
        bots,
        _without_keys(credentials),
        {path: await client.settings(name, kind) for path, kind in KINDS.items() if path not in off},
        unread=tuple((client.secrets.clean(what), not_understood(why)) for what, why in credentials.unread),
        off=off,
    )


async def _credentials(client: Client, name: str) -> Credentials:
    """The credentials of an instance; none where the kind that has them is switched off."""
    try:
        return await client.credentials(name)
    except Disabled:
        return Credentials()


def _covered(client: Client, seen: ObservedInstance) -> ObservedInstance:
    """The same without the secrets that were read later than it."""
    settings = {path: cover_settings(row, client.secrets) for path, row in seen.settings.items()}
    return replace(seen, bots=cover_bots(seen.bots, client.secrets), settings=settings)


def _without_keys(found: Credentials) -> dict[str, RemoteCredential]:
    """An instance's credentials; their keys are dropped here."""
    return {name: RemoteCredential(one.id, None, one.users) for name, one in found.items()}


async def _creds_owners(
    client: Client, instances: Mapping[str, ObservedInstance], names: Sequence[str]
) -> dict[str, dict[str, RemoteCredential]]:
    """The credentials of other instances that a bot or settings use."""
    own = {one.id for seen in instances.values() for one in (seen.credentials or {}).values()}
    rows = [(bot.kind, bot.fields) for seen in instances.values() for bot in seen.bots]
    rows += [(KINDS[path], row.fields) for seen in instances.values() for path, row in seen.settings.items()]
    used = {fields.get(kind.credential) for kind, fields in rows if kind.credential}
    found: dict[str, dict[str, RemoteCredential]] = {}

    async def one(name: str) -> None:
        try:
            credentials = _without_keys(await client.credentials(name))
        except InstanceError:
            return
        if not used.isdisjoint(one.id for one in credentials.values()):
            found[name] = credentials

    if used - own - {None}:
        await side_by_side(names, one, client.concurrency)
    return found
