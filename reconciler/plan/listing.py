"""Which bots there are, and what each is to the manifests. Pure: Desired and Observed in, a Listing out."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.domain import markers
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.kinds import KINDS
from reconciler.domain.listing import ListedBot, ListedInstance, Listing, Standing
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.plan.matching import How, Matches, match

_NOWHERE = Position("", 1, 1)


def declared(desired: Desired) -> Listing:
    """What the manifests declare; the server was not asked."""
    return Listing(
        "",
        tuple(
            _instance(one, tuple(_declared(bot, Standing.DECLARED) for bot in one.bots))
            for one in sorted(desired.instances, key=lambda one: one.name)
        ),
    )


def made(desired: Desired, observed: Observed, owner: str) -> Listing:
    """The bots that are declared, and those that the server has."""
    by_name = {one.name: one for one in desired.instances}
    return Listing(
        observed.server,
        tuple(
            _listed(by_name.get(name) or DesiredInstance(name, (), _NOWHERE, server=seen.server), seen, owner)
            for name, seen in sorted(observed.instances.items())
        ),
        observed.unlisted,
    )


def _instance(
    instance: DesiredInstance, bots: tuple[ListedBot, ...], problem: str | None = None
) -> ListedInstance:
    variables = instance.vars or {}
    return ListedInstance(instance.name, instance.at.file, bots, variables, problem, instance.server)


def _listed(instance: DesiredInstance, seen: ObservedInstance, owner: str) -> ListedInstance:
    if seen.problem is not None:
        bots = tuple(_declared(bot, Standing.UNKNOWN) for bot in instance.bots)
        return _instance(instance, bots, seen.problem)
    found: list[ListedBot] = []
    for kind in KINDS.values():
        declared, there = instance.of_kind(kind), seen.of_kind(kind).bots
        if why := seen.off.get(kind.path):
            found += [_declared(bot, Standing.UNKNOWN, why) for bot in declared.bots]
        elif declared.bots or there:
            found += _bots(declared, match(declared, there, owner, kind), owner)
    return _instance(instance, tuple(found))


def _bots(instance: DesiredInstance, matched: Matches, owner: str) -> Iterator[ListedBot]:
    """The declared ones in the order of the manifest, then those that are ours, then all others."""
    for bot in instance.bots:
        if bot.name in matched.conflicts:
            yield _declared(bot, Standing.CONFLICT, matched.conflicts[bot.name].reason)
        elif found := matched.found.get(bot.name):
            ours = found.how in {How.MARKER, How.RENAME}
            yield _remote(found.remote, Standing.MANAGED if ours else Standing.ADOPTABLE, owner, bot.name)
        else:
            yield _declared(bot, Standing.MISSING)
    for name, remote in matched.orphans:
        yield _remote(remote, Standing.UNDECLARED, owner, name)
    for why, remote in matched.unmanaged:
        plain = why == markers.NO_MARKER
        yield _remote(remote, Standing.UNMANAGED, owner, why="" if plain else why)


def _declared(bot: DesiredBot, standing: Standing, why: str = "") -> ListedBot:
    return ListedBot(bot.name, "", standing, bot.fields, why, kind=bot.kind.path)


def _remote(bot: RemoteBot, standing: Standing, owner: str, name: str = "", why: str = "") -> ListedBot:
    off = markers.switched_off(str(bot.fields.get("description", "")), owner)
    off = off if bot.fields.get("enabled") is False else ""
    return ListedBot(name, bot.id, standing, bot.fields, why, off, bot.kind.path)
