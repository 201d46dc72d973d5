"""One instance's part of a plan: what happens to its bots and its settings, and the calls for that. Pure.

What becomes of credentials that nobody uses any more is known only when all instances are drafted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.domain import shared_credentials
from reconciler.domain.desired import DesiredBot, DesiredInstance, Fields
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import Kind
from reconciler.domain.markers import NO_MARKER
from reconciler.domain.observed import ObservedInstance, RemoteBot, not_understood
from reconciler.domain.plan import NEW_BOT, Call, Cause, Change, FieldChange, InstancePlan, Of, Step, Verb
from reconciler.domain.rotation import CredentialVersions
from reconciler.domain.uniqueness import Claim, describe, holds, key_claim, takes
from reconciler.plan import differ, settings
from reconciler.plan.credentials import CredentialIndex, Rotation
from reconciler.plan.matching import Found, How, Matches, called
from reconciler.plan.order import Order, order
from reconciler.plan.parking import is_parked
from reconciler.plan.simulation import Transition, Write
from reconciler.plan.wanted import Wanted

if TYPE_CHECKING:
    from reconciler.plan.options import Options

_REASONS: dict[Cause, str] = {
    "": "it differs",
    "drift": "it was edited on the server",
    "pending": "its manifest was edited",
    "both": "its manifest was edited, and the bot on the server too",
}


@dataclass(slots=True)
class Draft:
    """One instance's plan, but for the old credentials, which other instances' bots may use.

    before, after: its steps around those that move bots to new credentials. left: the bots that leave the
    credential which they use. taken: the ids of the credentials that its bots are to use.
    """

    desired: DesiredInstance
    changes: list[Change] = field(default_factory=list)
    before: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)
    rotations: list[Rotation] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    in_sync: int = 0

    def plan(self, book: CredentialIndex, left: Set[str], taken: Mapping[str, str]) -> InstancePlan:
        """The whole. left, taken: of all instances."""
        unknown = {
            f"{name} of {bot.name}": value.why
            for bot in self.desired.bots
            for name, value in bot.fields.items()
            if isinstance(value, Hidden) and value.real is None
        }
        if not self.desired.credentials and not self.rotations:
            steps = (*self.before, *self.after)
            return InstancePlan(
                self.desired.name, tuple(self.changes), steps, self.in_sync, unverified=unknown
            )
        rotated = [
            change for rotation in self.rotations for change in rotation.changes(left, taken, book.users)
        ]
        return InstancePlan(
            self.desired.name,
            (*book.changes(self.desired), *rotated, *self.changes),
            tuple(self._steps(book, left, taken)),
            self.in_sync,
            credentials=book.standings(self.desired),
            unverified={**book.unverified(self.desired), **unknown},
        )

    def _steps(self, book: CredentialIndex, left: Set[str], taken: Mapping[str, str]) -> Iterator[Step]:
        yield from book.makes(self.desired)
        moves = [step for rotation in self.rotations for step in rotation.steps()]
        settings = [step for step in moves if step.call is Call.SETTINGS]
        late = any(rotation.late for rotation in self.rotations)
        yield from () if late else settings
        yield from self.before
        yield from (step for step in moves if step.call is Call.MOVE)
        yield from self.after
        yield from settings if late else ()
        yield from (step for rotation in self.rotations for step in rotation.deletes(left, taken))


class Drafting:
    """The draft of one instance, step by step."""

    def __init__(
        self,
        desired: DesiredInstance,
        observed: ObservedInstance,
        matches: Matches,
        book: CredentialIndex,
        options: Options,
        kind: Kind,
        held: Mapping[str, Change],
    ) -> None:
        self.desired, self.observed, self.matches, self.book = desired, observed, matches, book
        self.options, self.kind, self.held = options, kind, held
        self.changes = [
            replace(change, verb=Verb.BLOCKED, reason=options.unreviewed(change)) for change in held.values()
        ]
        self.row = observed.settings or settings.NO_ROW
        self.settings = settings.Draft(self.row)
        if Of.SETTINGS not in {change.of for change in held.values()}:
            self.settings = settings.draft(
                desired,
                self.row,
                observed.credentials or {},
                lambda name: book.family(desired.name, name),
                kind,
            )

    @property
    def hidden(self) -> Fields:
        """What is declared of the settings and not shown by the server: whoever writes them would lose it."""
        declared = {} if self.desired.settings is None else self.desired.settings.fields
        return {name: declared[name] for name in self.row.unseen if name in declared}

    def draft(self) -> Draft:
        """Targets, then what must be freed, then the order, then a change and its steps for each."""
        wanted = self._wanted()
        self._free_stale_triggers(wanted)
        deletes = dict(self.matches.orphans) if self.options.prune else {}
        deletes = {name: bot for name, bot in deletes.items() if name not in self.held}
        fixed = self._fixed(deletes)
        found = self._order(wanted, deletes, fixed)

        moved = {write.label for write in found.writes}
        for name, want in wanted.items():
            if name in found.impossible:
                self._blocked(want, *found.impossible[name], wanted, fixed)
            elif name in moved:
                self.changes.append(self._change(want))
        free = {name: want for name, want in wanted.items() if name not in found.impossible}
        rotations = list(self._rotations(free))
        stuck = {change.bot for change in self.changes if change.verb is Verb.CONFLICT}
        self._reports(deletes, {key_claim(self.kind, want.target): name for name, want in wanted.items()})
        made = {name: want for name, want in wanted.items() if name not in stuck}
        going = {bot.id for bot in deletes.values()}
        going |= {want.remote.id for want in made.values() if want.anew and want.remote}
        before, last = self._settings(made, moved, going)
        after = self._steps(found.writes, wanted, deletes, own_fallback=bool(last))
        rotations = [self._with_row(rotation, after) for rotation in rotations]
        in_sync = sum(name not in moved for name in made)
        left = {bot.id for bot in deletes.values()} | {
            id for rotation in rotations for id in rotation.moves.values()
        }
        left |= {
            want.remote.id for name, want in made.items() if name in moved and want.leaves and want.remote
        }
        taken = {str(want.target["openaiCredsId"]) for want in made.values()}
        return Draft(self.desired, self.changes, before, [*after, *last], rotations, left, taken, in_sync)

    def _order(
        self,
        wanted: Mapping[str, Wanted],
        deletes: Mapping[str, RemoteBot],
        fixed: Mapping[str, RemoteBot],
    ) -> Order:
        """The legs of what moves, and what cannot."""
        early = self._early(wanted)
        moves = {
            name: Transition(name, want.start or None, want.target, want.anew, name in early)
            for name, want in wanted.items()
            if want.drifted
        }
        moves |= {name: Transition(name, bot.fields, None) for name, bot in deletes.items()}
        if not moves:
            return Order()
        still = {name: want.start for name, want in wanted.items() if name not in moves}
        others = {name: bot.fields for name, bot in fixed.items()}
        return order(moves, still, others, self.options.owner, self.kind)

    # -- what each bot should be ---------------------------------------------------------------

    def _wanted(self) -> dict[str, Wanted]:
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
            family = (
                None if bot.creds is None else self.book.family(self.desired.name, bot.creds, bot.creds_owner)
            )
            if isinstance(family, str):
                self._conflict(bot, family, ())
                continue
            want = self._want(bot, family)
            if why := self._lacks(want):
                self._conflict(bot, why, () if want.remote is None else (want.remote.id,))
            else:
                wanted[bot.name] = want
        return self._without_settings(wanted)

    def _want(self, bot: DesiredBot, family: CredentialVersions | None) -> Wanted:
        found = self.matches.found.get(bot.name)
        late = False
        if (
            found is not None
            and family is not None
            and family.leaves(found.remote.fields.get("openaiCredsId"))
        ):
            late = self._has_twin(found.remote)
        return Wanted.of(
            bot,
            found,
            family,
            self.settings.after,
            self.options.owner,
            anew=self.options.replace or bot.on_drift == "replace",
            late=late,
            kind=self.kind,
        )

    def _lacks(self, want: Wanted) -> str:
        """Why it cannot be written now: a value that it needs is found elsewhere, and is not at hand."""
        if not self.options.needs_keys or not want.drifted:
            return ""
        sent = set(want.target) if want.found is None or want.anew else set()
        sent |= {change.name for change in differ.changes(want.start, want.target, self.kind)}
        for name, value in want.target.items():
            if name in sent and isinstance(value, Hidden) and value.real is None:
                return f"its {name} cannot be sent: {value.why}"
        return ""

    def _has_twin(self, own: RemoteBot) -> bool:
        """Whether the server refuses any change of this bot as it is."""
        wanted = takes(self.kind, own.fields)
        return any(bot.id != own.id and holds(self.kind, bot.fields) & wanted for bot in self.observed.bots)

    def _without_settings(self, wanted: dict[str, Wanted]) -> dict[str, Wanted]:
        """Takes out what cannot be made where there are no settings, and only borrowers that would make them.

        The first create makes the settings row, which takes no credential that another instance's row has.
        """
        creates = {name: want for name, want in wanted.items() if want.found is None}
        if self.settings.after.exists or not all(want.bot.creds_owner for want in creates.values()):
            return wanted
        for want in creates.values():
            self._conflict(want.bot, f"the instance has no settings yet, and {self._no_settings()}", ())
        return {name: want for name, want in wanted.items() if name not in creates}

    def _no_settings(self) -> str:
        """Why there will be none, and the way out."""
        if self.settings.problem:
            return f"they cannot be made: {self.settings.problem}"
        said = "the server makes them only with a credential of the instance's own, which no borrowed one is"
        if names := settings.own_names(self.desired, self.observed.credentials or {}):
            return f"{said}: name one in its settings, {shared_credentials.named(names[0])}"
        return f"{said}: {shared_credentials.own(self.desired.name)}; the bots go on borrowing"

    def _early(self, wanted: Mapping[str, Wanted]) -> frozenset[str]:
        """Creates that go first, as they make the settings: those that do not borrow, where others do."""
        if self.observed.settings is None or self.settings.after.exists:
            return frozenset()
        own = {credential.id for credential in (self.observed.credentials or {}).values()}
        creates = {
            name: want.target["openaiCredsId"] in own
            or (want.bot.creds is not None and want.bot.creds_owner is None)
            for name, want in wanted.items()
            if not want.found
        }
        return frozenset(name for name in creates if creates[name] and not all(creates.values()))

    def _free_stale_triggers(self, wanted: dict[str, Wanted]) -> None:
        """Clear what a bot does not use, where a bot that is written needs it."""
        taken: dict[Claim, set[str]] = {}
        for name, want in wanted.items():
            if want.drifted:
                for claim in takes(self.kind, want.target):
                    taken.setdefault(claim, set()).add(name)
        if not taken:
            return
        for name, want in wanted.items():
            cleared = differ.without_stale_trigger(want.bot, want.target, self.kind)
            # Only what it would give up: who needs anything else of it is not helped.
            freed = holds(self.kind, want.target) - holds(self.kind, cleared)
            if any(taken.get(claim, set()) - {name} for claim in freed):
                want.target = cleared

    def _fixed(self, deletes: Mapping[str, RemoteBot]) -> dict[str, RemoteBot]:
        """The bots of the instance that stay as they are, by what they are called in a sentence."""
        fixed = {f"{called(bot)} ({why})": bot for why, bot in self.matches.unmanaged}
        for name, bot in self.matches.orphans:
            if name not in deletes:
                fixed[f"the orphan {name} (bot {bot.id})"] = bot
        for change in self.changes:  # up to here, what is held and the conflicts
            if (found := self.matches.found.get(change.bot)) is not None:
                fixed[f"{change.bot} (bot {found.remote.id}), which stays as it is,"] = found.remote
        return fixed

    # -- credentials and settings --------------------------------------------------------------

    def _rotations(self, wanted: Mapping[str, Wanted]) -> Iterator[Rotation]:
        """What moves to another credential. wanted: the bots that can be written."""
        for rotation in self.book.rotations(self.desired):
            moves = {
                name: want.remote.id
                for name, want in wanted.items()
                if want.remote is not None
                and want.family is rotation.family
                and rotation.family.leaves(want.remote.fields.get("openaiCredsId"))
                and not want.late
            }
            creds = self.row.fields.get("openaiCredsId")
            settings = rotation.family.leaves(creds) and "openaiCredsId" not in self.settings.body
            settings = settings and not self.row.unread
            yield replace(rotation, settings=settings, hidden=self.hidden, moves=moves)

    def _with_row(self, rotation: Rotation, steps: Sequence[Step]) -> Rotation:
        """The rotation, with the settings that the first create makes, from the credential of its bot."""
        if self.settings.after.exists:
            return rotation
        creds = next((step.body["openaiCredsId"] for step in steps if step.call is Call.CREATE), None)
        return replace(rotation, settings=True, late=True) if rotation.family.leaves(creds) else rotation

    def _settings(
        self, made: Mapping[str, Wanted], moved: Set[str], going: Set[str]
    ) -> tuple[list[Step], list[Step]]:
        """The settings' steps before the bots and after them.

        made: the bots that are as they should be. going: the ids of those that are deleted.
        """
        if self.desired.settings is None or any(change.of is Of.SETTINGS for change in self.changes):
            return [], []
        ids = {
            name: NEW_BOT + name if want.anew or want.remote is None else want.remote.id
            for name, want in made.items()
            if name in moved or want.remote is not None
        }
        names = {found.remote.id: name for name, found in self.matches.found.items()}
        names |= {bot.id: name for name, bot in self.matches.orphans}
        fallback = settings.fallback(self.desired.settings, self.row, ids, names, going)
        changes = settings.changes(self.desired, self.row, self.settings, fallback)
        self.changes[:0] = changes
        change = next((change for change in changes if change.verb.writes), None)
        if change is None:
            return [], []
        draft = self.settings
        step = Step(Call.SETTINGS, change.label, None, draft.body, merge=draft.merge)
        last = []
        if isinstance(fallback, settings.Fallback):
            last.append(Step(Call.FALLBACK, change.label, None, {**self.hidden, "fallbackId": fallback.id}))
        return [step] if draft.body else [], last

    # -- what is said and done about it --------------------------------------------------------

    def _change(self, want: Wanted) -> Change:
        verb, cause = Verb.UPDATE, want.cause
        fields = differ.changes(want.start, want.shown, self.kind)
        match want.found:
            case None:
                verb, reason = Verb.CREATE, "it is missing on the server"
                body = {**want.shown, "description": want.stamped}
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
            case _ if [field.name for field in fields] == ["openaiCredsId"] and want.late:
                reason = "it gets the new credential as soon as the server takes a change of it"
            case _ if unkept := want.unkept:
                reason = (
                    f"the server did not keep {', '.join(unkept)} when it was last applied, and nobody "
                    "edited it since: take it out of the manifest, or update the server"
                )
            case _:
                reason = _REASONS[cause]
        if want.late and len(fields) > 1:
            # As of all bots that a rotation moves: so a review holds wherever an apply was interrupted.
            fields = tuple(field for field in fields if field.name != "openaiCredsId")
            reason += ", and it gets the new credential"
        ids = () if want.remote is None else (want.remote.id,)
        name, at = want.bot.name, want.bot.at
        return Change(
            self.desired.name, name, verb, reason, ids, fields, before=want.remote, at=at, cause=cause
        )

    def _blocked(
        self,
        want: Wanted,
        reason: str,
        by: Sequence[str],
        wanted: Mapping[str, Wanted],
        fixed: Mapping[str, RemoteBot],
    ) -> None:
        """There is no order in which the server would take it."""
        bots = [want.remote, *(wanted[n].remote if n in wanted else fixed.get(n) for n in by)]
        ids = dict.fromkeys(bot.id for bot in bots if bot is not None)
        renamed = [name for name, bot in self.matches.orphans if bot.id in ids and want.found is None]
        hint = f"; if it is {renamed[0]} renamed, add `previously: [{renamed[0]}]`" if renamed else ""
        self._conflict(want.bot, f"the server would refuse it: {reason}{hint}", tuple(ids))

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
        for why, bot in self.matches.unmanaged:
            if bot.id in named and why != NO_MARKER:
                continue  # its conflict says it all
            claim, reason = key_claim(self.kind, bot.fields), why
            if claim and (duplicate := keys.get(claim)):
                reason += (
                    f", and has {describe(claim)}, as {duplicate} has: the server refuses a change of either"
                )
            ids = (bot.id,) if bot.id else ()
            self.changes.append(Change(self.desired.name, "", Verb.UNMANAGED, reason, ids, before=bot))
        self.changes += self._unread()

    def _unread(self) -> Iterator[Change]:
        """The rows of credentials and settings that are not understood, where nothing else says so."""
        for name, why in self.observed.unread:
            yield Change(self.desired.name, name, Verb.UNMANAGED, why, of=Of.CREDENTIAL)
        if self.row.unread and not self.settings.problem:
            why = not_understood(self.row.unread)
            yield Change(self.desired.name, "", Verb.UNMANAGED, why, of=Of.SETTINGS)

    def _steps(
        self,
        legs: Sequence[Write],
        wanted: Mapping[str, Wanted],
        deletes: Mapping[str, RemoteBot],
        *,
        own_fallback: bool,
    ) -> list[Step]:
        """The calls for the legs; after a replacement, the one that points the fallback to the new bot.

        own_fallback: the settings' own step does that.
        """
        steps: list[Step] = []
        for write in legs:
            remote = deletes[write.label] if write.label in deletes else wanted[write.label].remote
            id_ = remote.id if remote else None
            if write.after is None:
                steps.append(Step(Call.DELETE, write.label, id_, {}, write.why))
            elif write.before is None:
                body = {**write.after, "description": wanted[write.label].stamped}
                steps.append(Step(Call.CREATE, write.label, None, body, write.why))
                if remote and self.row.fallback == remote.id and not own_fallback:
                    why = "it was the fallback of the instance's settings"
                    body = {**self.hidden, "fallbackId": NEW_BOT + write.label}
                    steps.append(Step(Call.FALLBACK, write.label, None, body, why))
            elif write.park:
                body = differ.update_body(write.before, write.after, self.kind)
                steps.append(Step(Call.PARK, write.label, id_, body, write.why))
            else:
                after = {**write.after, "description": wanted[write.label].stamped}
                body = differ.update_body({**write.before, "description": ""}, after, self.kind)
                steps.append(Step(Call.UPDATE, write.label, id_, body, write.why))
        return steps
