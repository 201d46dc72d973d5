"""What the plan of a shard knows of what depends on other shards. Pure.

A bot moves when one instance lacks it and one other has it, and a limit is one of all deletes: what is so is
known when the plans of all shards are together (joining.py). So a shard plans a bot that may move as a delete
on one side and a create on the other, and says what its instances would be like on two conditions: that
nothing is deleted, and that what may move stays.

Credentials that instances share, and instances of one name on two servers, are decided in a shard: those
instances of other shards are planned beside its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from reconciler.domain import credential_versions, markers
from reconciler.domain.desired import Desired, DesiredInstance, Former
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import Of, Plan, Verb
from reconciler.domain.records import replace
from reconciler.domain.servers import full, local
from reconciler.domain.shards import Crossing, Orphan, Place, Variant
from reconciler.plan import moves, notes, routes
from reconciler.plan.options import Options
from reconciler.plan.planner import kept_on, parts

Owns = Callable[[str], bool]
"""Whether an instance is one of the shard's, by its name."""


def declared_bots(every: Desired) -> frozenset[tuple[str, str]]:
    """All bots that manifests declare, by name and kind."""
    return frozenset((bot.name, bot.kind.path) for one in every.instances for bot in one.bots)


def only(plan: Plan, owns: Owns) -> Plan:
    """The plan of the shard's own instances."""
    return replace(plan, instances=tuple(one for one in plan.instances if owns(one.name)))


def with_routing(plan: Plan, observed: Observed, desired: Desired) -> tuple[Plan, tuple[int, ...]]:
    """The plan with all its messages, and their places in the order in which they are discovered."""
    found = routes.discovered(plan, observed, desired)
    ranked = routes.ranked(found)
    places = {one: number for number, one in enumerate(ranked)}
    return replace(plan, routing=ranked), tuple(places[one] for one in found)


def variant(made: Plan, other: Plan, observed: Observed, desired: Desired) -> Variant:
    """The instances whose plans are others in the other plan, and what that changes for messages."""
    there = {one.name: one for one in made.instances}
    differ = tuple(one for one in other.instances if there.get(one.name) != one)
    part = Plan(other.server, other.owner, differ)
    return Variant(differ, routes.discovered(part, observed, desired))


def may_stay(crossing: Crossing) -> int:
    """How many bots of one instance may have to stay for another's sake, at most."""
    return max(Counter(one.place.instance for one in crossing.orphans if one.stays).values(), default=0)


def deletes(made: Plan) -> bool:
    """Whether anything is deleted that a limit may keep."""
    return any(change.verb is Verb.DELETE for change in made.changes())


def find(made: Plan, observed: Observed, desired: Desired, options: Options, owns: Owns) -> Crossing:
    """What the plan of a shard's own instances knows, without its variants."""
    crossings = options.crossings
    matched, _ = parts(desired, observed, options)
    matched = {part: one for part, one in matched.items() if owns(part[0])}
    kept = kept_on(desired, {name for name, _ in matched}, options, options.keeps)
    created = {
        Place(c.instance, c.kind.path, c.bot)
        for c in made.changes()
        if c.of is Of.BOT and c.verb is Verb.CREATE
    }
    missing = {Place(*part, bot) for part, bot in moves.missing(matched)}
    problems = {
        name: one.problem
        for name, one in observed.instances.items()
        if one.problem is not None and owns(name)
    }
    declared = {one.name: one for one in desired.instances if one.name in problems}
    planned = {one.name for one in made.instances}
    return Crossing(
        orphans=tuple(
            Orphan(Place(*part, bot), goes, stays)
            for part, bot, goes, stays in moves.orphans(
                matched, kept, frozenset() if crossings is None else crossings.declared
            )
        ),
        missing=tuple(sorted(missing - created)),
        unread=tuple(
            Place(name, bot.kind.path, bot.name) for name, one in declared.items() for bot in one.bots
        ),
        undeclared={name: why for name, why in problems.items() if name not in declared},
        unchanged={name: why for name, why in sorted(problems.items()) if name in declared.keys() - planned},
        unlisted=observed.unlisted,
        bare=notes.bare(matched, observed),
    )


# -- instances of other shards ----------------------------------------------------------------


def beside(
    declared: Iterable[DesiredInstance],
    former: Mapping[str, Former],
    observed: Observed,
    owner: str,
    owns: Owns,
) -> set[str]:
    """The instances of other shards that have to be planned beside the shard's own.

    declared: what is declared of all shards, now and before. former: see Desired. Who shares a credential
    that is rotated or deleted must leave it first; and bots that nothing declares may belong to an instance
    of the same name on another server.
    """
    every = list(declared)
    names = {one.name for one in every}
    leaving = {(one.name, each) for one in every if owns(one.name) for each in _leaving(one, observed)}
    leaving |= {(name, each) for name, one in former.items() if owns(name) for each in one.credentials}
    found = {
        one.name for one in every for bot in one.bots if (bot.creds_owner or one.name, bot.creds) in leaving
    }
    for name, seen in observed.instances.items():
        if seen.server and name not in names and owns(name) and _has_ours(seen, owner):
            twins = {full(server, local(seen.server, name)) for server in observed.parts}
            found |= twins & names
    return {name for name in found if not owns(name)} - observed.instances.keys()


def _leaving(one: DesiredInstance, observed: Observed) -> Iterator[str]:
    """The credentials of an instance that have a version which may go, by name."""
    seen = observed.instances.get(one.name)
    if seen is None or not seen.credentials:
        return
    stored = credential_versions.by_name(seen.credentials)
    for each in one.credentials:
        versions = credential_versions.declared(each.name, stored, makes=True)
        if versions is not None and versions.old:
            yield each.name


def _has_ours(seen: ObservedInstance, owner: str) -> bool:
    return any(markers.name_of(str(bot.fields.get("description", "")), owner) for bot in seen.bots)
