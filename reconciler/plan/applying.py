"""A plan in parts that are applied apart, each by itself, in any order or side by side. Pure.

What has to be done before something on another instance is in the same part: a bot that moves with both of
its instances, a credential with those whose bots wait for it or leave it. Such instances are one shard's,
that of the first of them; every other one is the shard's that its own hash gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from reconciler.domain.plan import NEW_CREDENTIAL, Call, InstancePlan, Of, Plan
from reconciler.domain.records import replace
from reconciler.domain.rerouted import Rerouted
from reconciler.domain.shards import ApplyShard, Assigned, Shard, number
from reconciler.plan.components import Groups

_CREDS = "openaiCredsId"


def assigned(plans: Sequence[Plan], shard: Shard) -> Assigned:
    """Which instances are a shard's, where these plans are applied."""
    return Assigned(shard, {name: each for plan in plans for name, each in _bound(plan, shard.of).items()})


def part(plan: Plan, shard: Shard) -> tuple[Plan, ApplyShard]:
    """What is a shard's of a plan."""
    own = assigned([plan], shard)
    instances = tuple(one for one in plan.instances if own.has(one.name, one.server, one.local))
    names = {one.name for one in instances}
    messages: list[Rerouted] = []
    places: list[int] = []
    for place, one in enumerate(plan.routing or ()):
        if there := tuple(name for name in one.instances if name in names):
            messages.append(replace(one, instances=there))
            places.append(place)
    routing = None if plan.routing is None else tuple(messages)
    return (
        replace(plan, instances=instances, routing=routing),
        ApplyShard(shard, plan.digest, tuple(places)),
    )


def apart(shard: Shard, manifests: str, reviewed: Sequence[Plan]) -> ApplyShard:
    """What a shard is that is planned and applied by itself. manifests: a digest of all of them."""
    made_of = blake2b(digest_size=16)
    for each in (manifests, *sorted(plan.digest for plan in reviewed)):
        made_of.update(each.encode() + b"\0")
    return ApplyShard(shard, made_of.hexdigest(), apart=True)


def whole(parts: Sequence[tuple[Plan, ApplyShard]]) -> Plan:
    """The plan of which these are the parts; of parts that were planned apart, what they are together."""
    first, shard = parts[0]
    instances = sorted((one for plan, _ in parts for one in plan.instances), key=lambda one: one.name)
    notes = dict.fromkeys(note for plan, _ in parts for note in plan.notes)
    routing = None
    if all(plan.routing is not None for plan, _ in parts):
        routing = _as_found(parts) if shard.apart else _as_placed(parts)
    return replace(first, instances=tuple(instances), routing=routing, notes=tuple(notes))


def _as_placed(parts: Sequence[tuple[Plan, ApplyShard]]) -> tuple[Rerouted, ...]:
    messages: dict[int, Rerouted] = {}
    for plan, shard in parts:
        for place, one in zip(shard.routing, plan.routing or (), strict=False):
            there = messages[place].instances if place in messages else ()
            messages[place] = replace(one, instances=tuple(sorted((*there, *one.instances))))
    return tuple(messages[place] for place in sorted(messages))


def _as_found(parts: Sequence[tuple[Plan, ApplyShard]]) -> tuple[Rerouted, ...]:
    """The messages in the order of the first instance of each."""
    instances: dict[Rerouted, list[str]] = {}
    for plan, _ in parts:
        for one in plan.routing or ():
            instances.setdefault(replace(one, instances=()), []).extend(one.instances)
    found = [replace(one, instances=tuple(sorted(names))) for one, names in instances.items()]
    return tuple(sorted(found, key=lambda one: one.instances[:1]))


def _bound(plan: Plan, of: int) -> dict[str, int]:
    """The shards of the instances that wait for others."""
    waited_for = {tie for one in plan.instances for tie in _credentials(one)}
    first: dict[object, InstancePlan] = {}
    groups = Groups[str]()
    for one in plan.instances:
        for tie in (*_moves(one), *(waited_for & _uses(one))):
            groups.join(first.setdefault(tie, one).name, one.name)
    by_name = {one.name: one for one in plan.instances}
    found: dict[str, int] = {}
    for group in groups.found():
        home = by_name[min(group)]
        found |= dict.fromkeys(group, number(home.server, home.local, of))
    return found


_Tie = tuple[str, str]
"""A credential, by the name of its server, and by its id or what stands for that."""


def _moves(one: InstancePlan) -> Iterator[frozenset[str]]:
    """The bots that move, by both of their instances."""
    for change in one.changes:
        if change.other and change.verb.writes:
            yield frozenset({change.instance, change.other})


def _credentials(one: InstancePlan) -> Iterator[_Tie]:
    """The credentials that are created before others use them, or deleted after others have left them."""
    for step in one.steps:
        if step.call is Call.NEW_CREDENTIAL:
            yield one.server, f"{NEW_CREDENTIAL}{step.body.get('name')}"
        elif step.call is Call.OLD_CREDENTIAL:
            yield one.server, str(step.id)


def _uses(one: InstancePlan) -> set[_Tie]:
    """The credentials that an instance's changes are about, that its bots use, or are to use."""
    ids = {str(step.body.get(_CREDS, "")) for step in one.steps}
    for change in one.changes:
        if change.verb.writes:
            ids |= set(change.ids) if change.of is Of.CREDENTIAL else set()
            ids |= {str(change.before.fields.get(_CREDS, ""))} if change.before is not None else set()
    return {(one.server, id) for id in ids} | set(_credentials(one))
