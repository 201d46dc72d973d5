"""The plans of all shards in, the plan of the whole out. Pure.

What no shard can decide is decided here, by the rules of moves.py and limits.py:

    one instance lacks a bot, one other has it      a move, where it is created; else it stays
    an instance of another server could not be      a bot that it declares stays where it is
    read
    a limit is exceeded                             nothing is deleted, on any instance

The rest is put together. The plan is the one that would be made without shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from itertools import chain

from reconciler.domain.kinds import KINDS
from reconciler.domain.plan import Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.records import dataclass, replace
from reconciler.domain.rerouted import Rerouted
from reconciler.domain.servers import local
from reconciler.domain.shards import Crossing, Place, PlanShard, Variant
from reconciler.plan import moves, notes, routes
from reconciler.plan.limits import approval, exceeded

Part = tuple[Plan, PlanShard]
"""The plan of a shard, and what it says to the others."""

_STAYS = "; it is kept, as "

ALL = -1
"""That all bots of an instance stay which may move."""


def ways(crossing: Crossing) -> list[tuple[int, Variant]]:
    """The variants where bots stay that may move, and which do."""
    return [(ALL, crossing.waiting), *enumerate(crossing.one_waiting)]


def joined(parts: Sequence[Part]) -> Plan:
    """The plan of the whole. parts: of all shards, each once, of the same manifests and options."""
    first, shard = parts[0]
    whole = replace(
        first,
        instances=_sorted(one for plan, _ in parts for one in plan.instances),
        limits=(),
        approval="",
        approved=False,
        notes=(),
    )
    decided = _Decided(parts)
    made = replace(whole, instances=tuple(decided.told(decided.plan(one)) for one in whole.instances))
    made = _with_routing(made, parts, decided.variants)
    limits = exceeded(
        made.instances,
        {one.name for one in made.instances if one.manifest},
        shard.limits.fleet,
        shard.limits.most,
        shard.limits.share,
    )
    if limits and (approves := approval(made)) in shard.limits.allowed:
        made = replace(made, approval=approves, approved=True)
    elif limits:
        kept = {one.name: one for _, each in parts for one in each.crossing.kept.instances}
        instances = {one.name: one for one in whole.instances} | kept
        approves = approval(made)
        found = _sorted(map(decided.told, instances.values()))
        made = replace(whole, instances=found, limits=limits, approval=approves)
        made = _with_routing(made, parts, {}, kept.keys())
    return _noted(made, parts)


def _sorted(instances: Iterable[InstancePlan]) -> tuple[InstancePlan, ...]:
    return tuple(sorted(instances, key=lambda one: one.name))


# -- what no shard decides --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Move:
    """Where a bot goes. to: the instance. why: for which reason it stays instead; "" where it goes."""

    to: str
    why: str = ""


class _Decided:
    """Which bots move, which stay for another's sake, and the plans of instances that this changes.

    variants: the instances that are planned as if bots that may move stay, and in which way: the place of the
    only one that does, ALL for all of them. Where several have to and others need not, all do; and where the
    one is not among the first of many.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        plans = [one for plan, _ in parts for one in plan.instances]
        self._crossings = [shard.crossing for _, shard in parts]
        self._waiting = {
            (way, one.name): one
            for each in self._crossings
            for way, variant in ways(each)
            for one in variant.instances
        }
        self._servers = {one.name: one.server for one in plans}
        self._orphans = {each.place: each for one in self._crossings for each in one.orphans}
        changes = [change for one in plans for change in one.changes if change.of is Of.BOT]
        self._plans = plans
        self._unread = self._not_read()
        self._missing = sorted(
            {
                *(_place(change) for change in changes if change.verb is Verb.CREATE),
                *chain.from_iterable(one.missing for one in self._crossings),
            }
        )
        self._deleted = {_place(c) for c in changes if c.verb is Verb.DELETE and self._may_stay(_place(c))}
        self._leaving: dict[Place, _Move] = {}
        self._arriving: dict[Place, str] = {}
        self.variants: dict[str, int] = {}
        stays: dict[Place, str] = {}
        while True:  # a bot that stays may be in the way of another one that is to arrive
            self._find(stays)
            self.variants = self._ways()
            self._hold()
            now = {place: move.why for place, move in self._leaving.items() if move.why}
            if now.keys() <= stays.keys():
                break
            stays |= now

    def _created(self) -> set[Place]:
        """The bots that the plans create as far as it is decided."""
        chosen = (
            self._waiting[self.variants[one.name], one.name] if one.name in self.variants else one
            for one in self._plans
        )
        return {
            _place(change)
            for one in chosen
            for change in one.changes
            if change.of is Of.BOT and change.verb is Verb.CREATE
        }

    def _may_stay(self, place: Place) -> bool:
        return place in self._orphans and self._orphans[place].stays

    def _find(self, stays: Mapping[Place, str]) -> None:
        """Find what moves, and what stays. stays: what does so already, and why."""
        unread, created = self._unread, self._created()
        self._leaving, self._arriving = {place: _Move("", why) for place, why in stays.items()}, {}
        gone: dict[tuple[str, str], list[Place]] = {}
        for place in sorted(self._orphans):
            if not (why := self._unknown(place, unread)):
                gone.setdefault((place.kind, place.bot), []).append(place)
            elif place in self._deleted:
                self._leaving[place] = _Move("", why)
        missing: dict[tuple[str, str], list[Place]] = {}
        for place in self._missing:
            if (place.kind, place.bot) in gone:
                missing.setdefault((place.kind, place.bot), []).append(place)
        for bot, places in missing.items():
            for old, new in moves.pairs_of(gone[bot], places, self._local):
                if old not in self._deleted or not self._orphans[old].moves or old in stays:
                    continue
                why = "" if new in created else moves.not_created(new.instance)
                self._leaving[old] = _Move(new.instance, why)
                if not why:
                    self._arriving[new] = old.instance

    def _ways(self) -> dict[str, int]:
        stays: dict[str, list[Place]] = {}
        for place, move in self._leaving.items():
            if move.why:
                stays.setdefault(place.instance, []).append(place)
        may: dict[str, list[Place]] = {}
        for place in self._orphans:
            if place.instance in stays and self._may_stay(place):
                may.setdefault(place.instance, []).append(place)
        found: dict[str, int] = {}
        for name, places in stays.items():
            way = may[name].index(places[0]) if len(places) == 1 else ALL
            found[name] = way if (way, name) in self._waiting else ALL
        return found

    def _hold(self) -> None:
        """What would leave an instance stays where that is planned of all its bots."""
        stays = {place.instance: place.bot for place, move in self._leaving.items() if move.why}
        for place in self._deleted:
            move = self._leaving.get(place, _Move(""))
            if self.variants.get(place.instance) == ALL and not move.why:
                self._leaving[place] = _Move("", f"{stays[place.instance]} of this instance stays for now")
                self._arriving.pop(replace(place, instance=move.to), None)

    def _local(self, place: Place) -> str:
        return local(self._servers.get(place.instance, ""), place.instance)

    def _not_read(self) -> dict[tuple[str, str], list[str]]:
        """The instances of several servers that could not be read, by what they declare."""
        found: dict[tuple[str, str], list[str]] = {}
        for place in sorted(chain.from_iterable(one.unread for one in self._crossings)):
            if self._servers.get(place.instance):
                found.setdefault((place.kind, place.bot), []).append(place.instance)
        return found

    def _unknown(self, place: Place, unread: Mapping[tuple[str, str], list[str]]) -> str:
        """Why a bot stays that an instance of another server declares which could not be read."""
        server = self._servers.get(place.instance)
        there = [one for one in unread.get((place.kind, place.bot), ()) if self._servers[one] != server]
        return f"{there[0]} declares it, and could not be read" if there else ""

    def plan(self, made: InstancePlan) -> InstancePlan:
        """The plan of an instance with what is decided."""
        if (way := self.variants.get(made.name)) is not None:
            made = self._waiting[way, made.name]
        gone: list[Change] = []
        changes = [self._change(change, gone) for change in made.changes]
        if not gone:
            return replace(made, changes=tuple(changes))
        labels = {change.label for change in gone}
        steps = [
            *(step for step in made.steps if step.bot not in labels),
            *(Step(Call.LEAVE, one.label, one.ids[0], {}, kind=one.kind) for one in gone),
        ]
        names = {change.label: change.bot for change in changes}
        return replace(made, changes=tuple(changes), steps=tuple(sorted(steps, key=partial(_order, names))))

    def told(self, made: InstancePlan) -> InstancePlan:
        """The plan of an instance, which says that bots stay as another server could not be read."""
        unread = self._unread

        def said(change: Change) -> Change:
            place = _place(change)
            if change.of is not Of.BOT or change.verb is not Verb.ORPHAN or place not in self._orphans:
                return change
            why = self._unknown(place, unread)
            return replace(change, reason=_stays(change.reason, why)) if why else change

        return replace(made, changes=tuple(map(said, made.changes))) if unread else made

    def _change(self, change: Change, gone: list[Change]) -> Change:
        """A change as it is decided. gone: gets those of bots that leave."""
        place = _place(change)
        if change.of is not Of.BOT:
            return change
        if change.verb is Verb.CREATE and (old := self._arriving.get(place)):
            return replace(change, verb=Verb.MOVE, reason=moves.arrives(old), other=old)
        if (move := self._leaving.get(place)) is None or change.ids == ():
            return change
        if move.why and change.verb is Verb.ORPHAN:
            return replace(change, reason=_stays(change.reason, move.why))
        if not move.why and change.verb is Verb.DELETE:
            gone.append(change)
            return replace(change, reason=moves.leaves(move.to), other=move.to)
        return change


def _stays(reason: str, why: str) -> str:
    """The reason of a bot that is kept. reason: of its delete, or for which it is kept otherwise."""
    return f"{reason.partition(_STAYS)[0]}{_STAYS}{why}"


def _place(change: Change) -> Place:
    return Place(change.instance, change.kind.path, change.bot)


_KINDS = {path: number for number, path in enumerate(KINDS)}


def _order(names: Mapping[str, str], step: Step) -> tuple[int, int, str]:
    """Steps in their order, and bots that leave by kind and name."""
    leaves = step.call is Call.LEAVE
    return step.call.phase, _KINDS[step.kind.path] if leaves else 0, names[step.bot] if leaves else ""


# -- what is said of the whole ----------------------------------------------------------------


def _with_routing(
    made: Plan, parts: Sequence[Part], variants: Mapping[str, int], kept: Set[str] = frozenset()
) -> Plan:
    """The plan with its messages. variants, kept: the instances whose plans are those of a variant."""
    found: list[Sequence[Rerouted]] = []
    for plan, shard in parts:
        routing, crossing = plan.routing or (), shard.crossing
        discovered = [routing[number] for number in crossing.order]
        found.append(_of(discovered, lambda name: name not in variants and name not in kept))
        for way, variant in ways(crossing):
            chosen = {name for name, one in variants.items() if one == way}
            found.append(_of(variant.routing, chosen.__contains__))
        found.append(_of(crossing.kept.routing, kept.__contains__))
    return routes.with_most(made, routes.ranked(routes.joined(found)))


def _of(routing: Iterable[Rerouted], has: Callable[[str], bool]) -> Sequence[Rerouted]:
    """The messages of these instances."""
    return [replace(one, instances=tuple(filter(has, one.instances))) for one in routing]


def _noted(made: Plan, parts: Sequence[Part]) -> Plan:
    """The plan with its notes, and with the names that instances which could not be read may have now."""
    crossings = [shard.crossing for _, shard in parts]
    undeclared = {name: why for one in crossings for name, why in one.undeclared.items()}
    unchanged = {name: why for one in crossings for name, why in one.unchanged.items()}
    bare = sorted((each for one in crossings for each in one.bare), key=lambda each: each.instance)
    said = (
        *parts[0][1].notes,
        *dict.fromkeys(one.unlisted for one in crossings if one.unlisted),
        *notes.undeclared_unread(undeclared),
        *notes.recreated(bare, any(one.in_sync for one in made.instances)),
        *notes.unchanged_unread(dict(sorted(unchanged.items()))),
        *made.notes,
    )
    return replace(made, notes=said, instances=_with_new_names(made, crossings))


def _with_new_names(made: Plan, crossings: Sequence[Crossing]) -> tuple[InstancePlan, ...]:
    names: dict[str, set[str]] = {}
    for place in chain.from_iterable(one.unread for one in crossings):
        names.setdefault(place.instance, set()).add(place.bot)
    if not names:
        return made.instances
    undeclared = {one.name: one.server for one in made.instances if not one.manifest}
    orphans: dict[str, set[str]] = {}
    for each in sorted(each.place for one in crossings for each in one.orphans):
        if each.instance in undeclared:
            orphans.setdefault(each.instance, set()).add(each.bot)

    def named(one: InstancePlan) -> InstancePlan:
        if one.problem is None or one.name not in names:
            return one
        there = {name: bots for name, bots in orphans.items() if undeclared[name] == one.server}
        return replace(one, problem=notes.renamed(one.problem, names[one.name], there, one.server))

    return tuple(map(named, made.instances))
