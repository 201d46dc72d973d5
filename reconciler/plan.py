"""From what is desired and what is there to a Plan. Pure.

Every bot of an instance meets exactly one of these:

    declared  on the server        then
    ────────  ───────────────────  ─────────────────────────────────────────────────
    yes       no                   create
    yes       ours, the same       in sync
    yes       ours, differs        update, or replace where that is asked for
    yes       unmarked             adopt
    yes       two, or in the way   conflict
    no        ours                 orphan; delete when pruning, within the limits
    no        not ours             unmanaged, never touched

A change that is not among the reviewed ones, where there was a review, is held instead of made.

The order of calls is found in order.py; what has no order becomes a conflict here, before any call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler import differ, identity
from reconciler.identity import NO_MARKER, Found, How, Matches, match
from reconciler.kinds import OPENAI, Kind, Value
from reconciler.limits import check_deletes
from reconciler.model import (
    Call,
    Cause,
    Change,
    Desired,
    DesiredBot,
    DesiredInstance,
    FieldChange,
    Fields,
    InstancePlan,
    Observed,
    ObservedInstance,
    Plan,
    RemoteBot,
    RemoteSettings,
    Step,
    Verb,
)
from reconciler.order import Leg, Move, Order, is_parked, order
from reconciler.rules import Claim, describe, holds, key_claim, takes


@dataclass(frozen=True, slots=True)
class Options:
    """What a plan may do. replace: make drifted bots anew. prune: delete orphans, within both limits.

    max_deletes: in the whole run. max_delete_share: percent of the bots on an instance that are ours.
    reviewed: the digests of the changes that may be made; all others are held. None: nobody reviews.
    """

    owner: str = "gitops"
    replace: bool = False
    prune: bool = False
    max_deletes: int = 5
    max_delete_share: int = 50
    reviewed: frozenset[str] | None = None


def make(desired: Desired, observed: Observed, options: Options, kind: Kind = OPENAI) -> Plan:
    """The plan for all instances, by name. Raises LimitError."""
    plans = []
    for instance in sorted(desired.instances, key=lambda instance: instance.name):
        seen = observed.instances[instance.name]
        if seen.problem is not None:
            plans.append(InstancePlan(instance.name, problem=seen.problem))
            continue
        matches = match(instance, seen.bots, options.owner, kind)
        plans.append(_reviewed(instance, seen, matches, options, kind))
    check_deletes(plans, options.max_deletes, options.max_delete_share)
    return Plan(observed.server, options.owner, tuple(plans))


def _reviewed(
    instance: DesiredInstance, seen: ObservedInstance, matches: Matches, options: Options, kind: Kind
) -> InstancePlan:
    """The plan of one instance, without the changes that nobody reviewed.

    Planned again for each that is held, as it stands in the way of others, and they may need other calls.
    """
    held: dict[str, Change] = {}
    while True:
        plan = _Instance(instance, seen, matches, options, kind, held).plan()
        if options.reviewed is None:
            return plan
        writes = [change for change in plan.changes if change.verb.writes]
        unseen = {change.bot: change for change in writes if change.digest not in options.reviewed}
        if not unseen:
            return plan
        held |= unseen


_REASONS: dict[Cause, str] = {
    "": "it differs",
    "drift": "it was edited on the server",
    "pending": "its manifest was edited",
    "both": "its manifest was edited, and the bot on the server too",
}


@dataclass(slots=True)
class _Wanted:
    """One declared bot on its way through the plan."""

    bot: DesiredBot
    owner: str
    found: Found | None
    target: dict[str, Value]
    anew: bool = False

    @property
    def remote(self) -> RemoteBot | None:
        return self.found.remote if self.found else None

    @property
    def start(self) -> Fields:
        """What is there, without the stamp, which is nobody's to declare."""
        if self.found is None:
            return {}
        fields = self.found.remote.fields
        if "description" not in fields:
            return fields
        return {**fields, "description": identity.unstamped(str(fields["description"]), self.owner)}

    @property
    def cause(self) -> Cause:
        """Who moved since the last apply, where the bot was applied before."""
        if self.remote is None or differ.equal(self.start, self.target):
            return ""
        return differ.cause(self.bot, self.remote, self.owner)

    @property
    def stamped(self) -> str:
        """The description that is written when the bot is at its target."""
        stamp = differ.stamp(self.bot, self.target, self.owner)
        return identity.with_stamp(str(self.target["description"]), self.owner, self.bot.name, stamp)

    @property
    def drifted(self) -> bool:
        return self.found is None or self.anew or not differ.equal(self.start, self.target)


class _Instance:
    """The plan of one instance, step by step."""

    def __init__(
        self,
        desired: DesiredInstance,
        observed: ObservedInstance,
        matches: Matches,
        options: Options,
        kind: Kind,
        held: Mapping[str, Change],
    ) -> None:
        self.desired, self.observed, self.matches = desired, observed, matches
        self.options, self.kind, self.held = options, kind, held
        self.changes = [
            replace(change, verb=Verb.HELD, reason=f"nobody reviewed this {change.verb}: {change.reason}")
            for change in held.values()
        ]

    def plan(self) -> InstancePlan:
        """Targets, then what must be freed, then the order, then a change and its steps for each."""
        wanted = self._wanted()
        self._free_stale_triggers(wanted)
        deletes = dict(self.matches.orphans) if self.options.prune else {}
        deletes = {name: bot for name, bot in deletes.items() if name not in self.held}
        fixed, early = self._fixed(deletes), self._early(wanted)
        moves = {
            name: Move(name, want.start or None, want.target, want.anew, name in early)
            for name, want in wanted.items()
            if want.drifted
        }
        moves |= {name: Move(name, bot.fields, None) for name, bot in deletes.items()}
        found = Order()
        if moves:
            still = {name: want.start for name, want in wanted.items() if name not in moves}
            others = {name: bot.fields for name, bot in fixed.items()}
            found = order(moves, still, others, self.options.owner, self.kind)

        moved = {leg.label for leg in found.legs}
        for name, want in wanted.items():
            if name in found.blocked:
                reason, by = found.blocked[name]
                bots = [want.remote, *(wanted[n].remote if n in wanted else fixed.get(n) for n in by)]
                ids = dict.fromkeys(bot.id for bot in bots if bot is not None)
                renamed = [name for name, bot in self.matches.orphans if bot.id in ids and want.found is None]
                hint = f"; if it is {renamed[0]} renamed, add `previously: [{renamed[0]}]`" if renamed else ""
                self._conflict(want.bot, f"the server would refuse it: {reason}{hint}", tuple(ids))
            elif name in moved:
                self.changes.append(self._change(want))
        self._reports(deletes, {key_claim(self.kind, want.target): name for name, want in wanted.items()})
        in_sync = sum(name not in moved and name not in found.blocked for name in wanted)
        steps = self._steps(found.legs, wanted, deletes)
        return InstancePlan(self.desired.name, tuple(self.changes), tuple(steps), in_sync)

    # -- what each bot should be ---------------------------------------------------------------

    def _wanted(self) -> dict[str, _Wanted]:
        """Every declared bot that can be planned, by name; conflicts are noted for the others."""
        wanted = {}
        declared = {bot.name for bot in self.desired.bots}
        for name, ambiguous in self.matches.conflicts.items():
            if name not in declared:
                self.changes.append(
                    Change(self.desired.name, name, Verb.CONFLICT, ambiguous.reason, ambiguous.ids)
                )
        for bot in self.desired.bots:
            if bot.name in self.held:
                continue
            if (conflict := self.matches.conflicts.get(bot.name)) is not None:
                self._conflict(bot, conflict.reason, conflict.ids)
                continue
            credentials = self.observed.credentials or {}
            known = None if bot.creds is None else credentials.get(bot.creds)
            if bot.creds is not None and known is None:
                names = ", ".join(sorted(credentials)) or "none"
                reason = f"the instance has no credential named {bot.creds!r}; it has: {names}"
                self._conflict(bot, reason, ())
                continue
            wanted[bot.name] = self._want(bot, "" if known is None else known.id)
        return wanted

    def _want(self, bot: DesiredBot, creds_id: str) -> _Wanted:
        found, owner = self.matches.found.get(bot.name), self.options.owner
        if found is not None:
            want = _Wanted(
                bot, owner, found, differ.update_target(bot, creds_id, owner, found.remote, self.kind)
            )
            # Only what is known to be ours is ever deleted for a replacement.
            asked = self.options.replace or bot.on_drift == "replace"
            if not (asked and found.how is How.MARKER and want.drifted):
                return want
        target = differ.create_target(
            bot, creds_id, owner, self.observed.settings, found.remote.fields if found else None, self.kind
        )
        return _Wanted(bot, owner, found, target, anew=found is not None)

    def _early(self, wanted: Mapping[str, _Wanted]) -> frozenset[str]:
        """Creates that go first: where one borrows a credential, those that do not.

        The first create makes the settings row, which takes no credential that another instance's row has.
        """
        settings, own = self.observed.settings, {c.id for c in (self.observed.credentials or {}).values()}
        if settings is None or settings.exists:
            return frozenset()
        creates = {
            name: want.target["openaiCredsId"] in own for name, want in wanted.items() if not want.found
        }
        return frozenset(name for name in creates if creates[name] and not all(creates.values()))

    def _free_stale_triggers(self, wanted: dict[str, _Wanted]) -> None:
        """Clear what a bot does not use, where a bot that is written needs it."""
        taken: dict[Claim, str] = {}
        for name, want in wanted.items():
            if want.drifted:
                taken |= dict.fromkeys(takes(self.kind, want.target), name)
        if not taken:
            return
        for name, want in wanted.items():
            if any(taken.get(claim, name) != name for claim in holds(self.kind, want.target)):
                want.target = differ.without_stale_trigger(want.bot, want.target, self.kind)

    def _fixed(self, deletes: dict[str, RemoteBot]) -> dict[str, RemoteBot]:
        """The bots of the instance that stay as they are, by what they are called in a sentence."""
        fixed = {f"bot {bot.id} ({why})": bot for why, bot in self.matches.strangers}
        for name, bot in self.matches.orphans:
            if name not in deletes:
                fixed[f"the orphan {name} (bot {bot.id})"] = bot
        for change in self.changes:  # up to here, what is held and the conflicts
            if (found := self.matches.found.get(change.bot)) is not None:
                fixed[f"{change.bot} (bot {found.remote.id}), which stays as it is,"] = found.remote
        return fixed

    # -- what is said and done about it --------------------------------------------------------

    def _change(self, want: _Wanted) -> Change:
        verb, cause = Verb.UPDATE, want.cause
        fields = differ.changes(want.start, want.target, self.kind)
        match want.found:
            case None:
                verb, reason = Verb.CREATE, "it is missing on the server"
                body = {**want.target, "description": want.stamped}
                fields = tuple(FieldChange(name, None, value) for name, value in body.items())
            case Found(how=How.KEY, remote=remote):
                claim = key_claim(self.kind, remote.fields)
                its = describe(claim) if claim else "its key"
                verb, reason = Verb.ADOPT, f"a bot without a marker has {its}: it becomes ours"
            case Found(how=How.TRIGGER):
                verb, reason = Verb.ADOPT, "a bot without a marker has its trigger: it becomes ours"
            case Found(how=How.RENAME, old_name=old):
                reason = f"it was named {old} before"
            case _ if want.anew:
                verb, reason = Verb.REPLACE, "it differs, and is made anew: its open sessions are lost"
            case _ if not fields:
                reason = (
                    "it is moved aside while another bot is written, and back: it answers nobody meanwhile"
                )
            case _ if is_parked(want.start):
                reason = "an interrupted run left it parked"
            case _:
                reason = _REASONS[cause]
        ids = () if want.remote is None else (want.remote.id,)
        name, at = want.bot.name, want.bot.at
        return Change(
            self.desired.name, name, verb, reason, ids, fields, before=want.remote, at=at, cause=cause
        )

    def _conflict(self, bot: DesiredBot, reason: str, ids: Sequence[str]) -> None:
        self.changes.append(Change(self.desired.name, bot.name, Verb.CONFLICT, reason, tuple(ids), at=bot.at))

    def _reports(self, deletes: dict[str, RemoteBot], keys: Mapping[Claim | None, str]) -> None:
        """What nothing declares: deleted if that is asked for, else left alone. keys: of what is declared."""
        for name, bot in self.matches.orphans:
            if name in self.held:
                continue
            verb, reason = Verb.ORPHAN, "nothing declares it any more; --prune deletes it"
            fields: tuple[FieldChange, ...] = ()
            if name in deletes:
                verb, reason = Verb.DELETE, "nothing declares it any more"
                fields = differ.changes(bot.fields, {}, self.kind)
            self.changes.append(Change(self.desired.name, name, verb, reason, (bot.id,), fields, before=bot))
        named = {id for conflict in self.matches.conflicts.values() for id in conflict.ids}
        for why, bot in self.matches.strangers:
            if bot.id in named and why != NO_MARKER:
                continue  # its conflict says it all
            claim, reason = key_claim(self.kind, bot.fields), why
            if claim and (twin := keys.get(claim)):
                reason += f", and has {describe(claim)}, as {twin} has: the server refuses a change of either"
            self.changes.append(Change(self.desired.name, "", Verb.UNMANAGED, reason, (bot.id,), before=bot))

    def _steps(
        self, legs: Sequence[Leg], wanted: dict[str, _Wanted], deletes: dict[str, RemoteBot]
    ) -> list[Step]:
        """The calls for the legs; after a replacement, the one that points the fallback to the new bot."""
        steps: list[Step] = []
        settings = self.observed.settings
        for leg in legs:
            remote = deletes[leg.label] if leg.label in deletes else wanted[leg.label].remote
            id_ = remote.id if remote else None
            if leg.after is None:
                steps.append(Step(Call.DELETE, leg.label, id_, {}, leg.why))
            elif leg.before is None:
                body = {**leg.after, "description": wanted[leg.label].stamped}
                steps.append(Step(Call.CREATE, leg.label, None, body, leg.why))
                if remote and settings and settings.fallback == remote.id:
                    steps.append(_fallback(leg.label, settings, self.kind))
            elif leg.park:
                body = differ.update_body(leg.before, leg.after, self.kind)
                steps.append(Step(Call.PARK, leg.label, id_, body, leg.why))
            else:
                after = {**leg.after, "description": wanted[leg.label].stamped}
                body = differ.update_body({**leg.before, "description": ""}, after, self.kind)
                steps.append(Step(Call.UPDATE, leg.label, id_, body, leg.why))
        return steps


def _fallback(label: str, settings: RemoteSettings, kind: Kind) -> Step:
    # The server insists on the whole row, and columns that are younger than the row are null in it.
    defaults = {f.name: f.default for f in kind.fields.values() if f.from_settings and f.default is not None}
    why = "it was the fallback of the instance's settings"
    return Step(Call.FALLBACK, label, None, {**defaults, **settings.fields}, why)
