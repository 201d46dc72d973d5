"""Whether the calls of a plan are those of its changes, so that what a plan shows is what it does. Pure.

A plan in a file is data from anywhere, and a person reads its changes, not its calls. Each change is held
against its calls by what these come to: the bot as the plan saw it, each call's body over it in turn, must
end as the change says. Nothing else may be called:

    change                       its calls, in this order
    ──────────────────────────   ───────────────────────────────────────────────────────────────
    a bot: create                create
           update, adopt         update; a park before it, and only then may no field differ
           replace               delete, create, and a fallback that pointed to the old bot
           delete                delete
    a credential: create         new credential
                  rotate         new credential, settings, moves, old credentials: those that it needs
    the settings                 settings for its fields, a fallback for fallbackId

What a call sends beyond that is `unshown`, which every form of a plan shows with the change: the id of a
credential that is shown by its name, and settings that the server hides and would lose. The stamp after a
marker is the one thing that no change shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NoReturn

from reconciler.domain import credential_versions, markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import INT32_MAX, OPENAI, Field, Kind, Type, Value
from reconciler.domain.plan import NEW_BOT, NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.text import is_id
from reconciler.domain.uniqueness import describe, holds, takes
from reconciler.plan.differ import same, update_body
from reconciler.plan.parking import parked_trigger

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_CREDS = "openaiCredsId"
_FALLBACK = "fallbackId"
_OPERATOR = "triggerOperator"
_CREDENTIAL = "credential "

_FOUND_ELSEWHERE = {name for name, field in OPENAI.fields.items() if field.hides}
"""Fields whose values a manifest may leave to a variable."""


class ContradictionError(ReconcilerError):
    """A plan whose parts do not go together; nothing of it may be applied."""


def check(plan: Plan, kind: Kind = OPENAI) -> None:
    """Raises ContradictionError, with the place, for a plan whose calls are not those of its changes."""
    if not markers.OWNER.fullmatch(plan.owner):
        _refuse("the plan", "its owner is no name of one")
    _once("the plan", "the instance", [instance.name for instance in plan.instances])
    _once("the plan", "the id", [instance.id for instance in plan.instances if instance.id])
    steps = [step for instance in plan.instances for step in instance.steps]
    made = {NEW_CREDENTIAL + str(step.body.get("name")) for step in steps if step.call is Call.NEW_CREDENTIAL}
    for instance in plan.instances:
        _Checked(instance, plan.owner, kind).check()
        for step in instance.steps:
            if str(name := step.body.get(_CREDS, "")).startswith(NEW_CREDENTIAL) and name not in made:
                _refuse(f"{step.bot} on {instance.name!r}", "no call makes the credential that it uses")
    written = [
        id for change in plan.changes() if change.of is Of.BOT and change.verb.writes for id in change.ids
    ]
    _once("the plan", "the bot", written)


def unshown(instance: InstancePlan) -> dict[str, dict[str, Value]]:
    """What the calls of each change send that its fields do not show, by the change's label.

    Not what parks a bot or moves it to another credential: that is shown call by call.
    """
    changes = {change.label: change for change in instance.changes if change.verb.writes}
    moved = _moved(instance.steps)
    found: dict[str, dict[str, Value]] = {}
    for step in instance.steps:
        if step.bot in changes and step.call in _BODIES:
            more = dict(_more(changes[step.bot], step, moved))
            if more:
                found[step.bot] = found.get(step.bot, {}) | more
    return found


_BODIES = frozenset({Call.CREATE, Call.UPDATE, Call.SETTINGS, Call.FALLBACK})


def _more(change: Change, step: Step, moved: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    shown: dict[str, Value | None] = {field.name: field.after for field in change.fields}
    if change.of is Of.BOT and change.before is not None:
        shown = {_CREDS: moved.get(change.before.id, change.before.fields.get(_CREDS)), **shown}
    if change.of is Of.CREDENTIAL:
        shown = {_CREDS: _CREDENTIAL + change.bot}
    for name, value in step.body.items():
        if name == _CREDS:
            if not _is_named(value, shown.get(name)):
                yield name, value
        elif name != _FALLBACK and step.call in (Call.SETTINGS, Call.FALLBACK) and name not in shown:
            yield name, value


def _is_named(id: Value, shown: Value | None) -> bool:
    """Whether a credential is shown as what is sent: its id, or the name of one that the plan makes."""
    if not isinstance(id, str) or not isinstance(shown, str):
        return False
    made = id.startswith(NEW_CREDENTIAL) and credential_versions.split(id.removeprefix(NEW_CREDENTIAL))[0]
    return id == shown or (made is not False and shown == f"{_CREDENTIAL}{made}")


def _moved(steps: Iterable[Step]) -> dict[str, Value]:
    """The credential to which a rotation moves each bot, by its id."""
    return {
        step.id: step.body[_CREDS]
        for step in steps
        if step.call is Call.MOVE and step.id is not None and _CREDS in step.body
    }


def _refuse(where: str, what: str) -> NoReturn:
    raise ContradictionError(f"{where}: {what}")


def _once(where: str, what: str, names: Iterable[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            _refuse(where, f"{what} {name!r} is in it {number} times")


class _Checked:
    """One instance of a plan."""

    def __init__(self, instance: InstancePlan, owner: str, kind: Kind) -> None:
        self.instance, self.owner, self.kind = instance, owner, kind
        self.moved = _moved(instance.steps)
        self.writes = {change.label: change for change in instance.changes if change.verb.writes}

    def check(self) -> None:
        """Raises ContradictionError."""
        instance = self.instance
        if not instance.name or instance.in_sync < 0:
            _refuse(f"the instance {instance.name!r}", "it has no name, or fewer than no bots in sync")
        if instance.problem is not None and (instance.changes or instance.steps or instance.in_sync):
            _refuse(f"the instance {instance.name!r}", "it could not be read, and has changes")
        others = instance.unverified.keys() - instance.credentials.keys()
        if {name.partition(" of ")[0] for name in others} - _FOUND_ELSEWHERE:
            _refuse(f"the instance {instance.name!r}", "a key is not at hand that is of no credential")
        for change in instance.changes:
            if change.at is not None and min(change.at.line, change.at.column) < 1:
                self._refuse(change.label, "it is declared at no place")
        self._check_labels()
        for step in instance.steps:
            if step.bot not in self.writes:
                self._refuse(step.bot, f"no change asks for the call {step.call.value!r}")
        for label, change in self.writes.items():
            steps = [step for step in instance.steps if step.bot == label]
            self._check_fields(change)
            self._check_steps(change, steps)
        self._check_order()

    def _refuse(self, label: str, what: str) -> NoReturn:
        _refuse(f"{label} on {self.instance.name!r}", what)

    def _check_labels(self) -> None:
        """Each bot, credential and row of settings is written by one change, and reported by no other."""
        where = f"the instance {self.instance.name!r}"
        _once(where, "the change of", [c.label for c in self.instance.changes if c.verb.writes])
        others = [c for c in self.instance.changes if not c.verb.writes and c.of is Of.BOT]
        ids = {id for c in self.writes.values() if c.of is Of.BOT for id in c.ids}
        for change in others:
            if change.label in self.writes and self.writes[change.label].of is Of.BOT:
                self._refuse(change.label, f"it is written, and reported as {change.verb.value}")
            if change.verb is not Verb.CONFLICT and ids & set(change.ids):
                self._refuse(change.label, f"it is reported as {change.verb.value}, and written")

    # -- a change by itself -------------------------------------------------------------------

    def _check_fields(self, change: Change) -> None:
        """Its fields are the server's, each once, and what they were is what the plan saw."""
        table = self._table(change)
        _once(f"{change.label} on {self.instance.name!r}", "the field", [f.name for f in change.fields])
        seen = {} if change.before is None else change.before.fields
        for name, value in [
            *seen.items(),
            *((f.name, value) for f in change.fields for value in (f.before, f.after)),
        ]:
            if name not in table or (value is not None and not _fits(table[name], value)):
                self._refuse(change.label, f"{name} has a value that it cannot have")
        for field in change.fields:
            if field.before == field.after or (change.before and same(field.before, field.after)):
                self._refuse(change.label, f"{field.name} is shown, and does not change")
            if not self._was(change, seen, field.name, field.before):
                self._refuse(change.label, f"{field.name} is not shown as the plan saw it")

    def _table(self, change: Change) -> Mapping[str, Field]:
        creds = {_CREDS: self.kind.fields[_CREDS]} if _CREDS in self.kind.fields else {}
        match change.of:
            case Of.BOT:
                return self.kind.fields
            case Of.SETTINGS:
                return {**creds, **self.kind.settings, _FALLBACK: Field(_FALLBACK, Type.TEXT, "")}
        return {"apiKey": Field("apiKey", Type.TEXT, "")}

    def _was(self, change: Change, seen: Fields, name: str, before: Value | None) -> bool:
        """Whether a field was as it is shown."""
        was = seen.get(name)
        if change.of is Of.BOT and name == "description" and change.verb is not Verb.DELETE:
            was = markers.unstamped(str(was or ""), self.owner)
        if change.of is Of.SETTINGS and name == _FALLBACK:
            return bool(before) == bool(was)  # it is shown by the bot's name
        if change.of is Of.SETTINGS and name == "ignoreJids" and self._merges(change):
            after = next(field.after for field in change.fields if field.name == name)
            was = tuple(jid for jid in _texts(after) if jid in _texts(was))
        return same(before, was)

    def _merges(self, change: Change) -> bool:
        return any(step.merge and step.bot == change.label for step in self.instance.steps)

    # -- a change and its calls ---------------------------------------------------------------

    def _check_steps(self, change: Change, steps: Sequence[Step]) -> None:
        for step in steps:
            if (step.secret is not None) != (step.call is Call.NEW_CREDENTIAL):
                self._refuse(change.label, f"the call {step.call.value!r} has a key, or lacks one")
            if step.merge and not (step.call is Call.SETTINGS and "ignoreJids" in step.body):
                self._refuse(change.label, f"the call {step.call.value!r} merges nothing")
        match change.of:
            case Of.BOT:
                self._check_bot(change, steps)
            case Of.CREDENTIAL:
                self._check_credential(change, steps)
            case Of.SETTINGS:
                self._check_settings(change, steps)

    def _expect(self, change: Change, steps: Sequence[Step], *ways: Sequence[Call]) -> None:
        calls = [step.call for step in steps]
        if calls not in [list(way) for way in ways]:
            found = ", ".join(calls) or "none"
            self._refuse(change.label, f"its calls are not those of a {change.verb.value}: {found}")

    def _check_bot(self, change: Change, steps: Sequence[Step]) -> None:
        if not _NAME.fullmatch(change.bot):
            self._refuse(change.label, "it is no name of a bot")
        self._check_identity(change)
        if change.ids and not is_id(change.ids[0]):
            self._refuse(change.label, "the id of its bot cannot be one")
        id_ = None if change.verb is Verb.CREATE else change.ids[0]
        for step in steps:
            made = step.call in (Call.CREATE, Call.FALLBACK)
            if step.id != (None if made else id_):
                self._refuse(change.label, f"the call {step.call.value!r} is about bot {step.id}")
        match change.verb:
            case Verb.CREATE:
                self._expect(change, steps, [Call.CREATE])
            case Verb.REPLACE:
                whole = [Call.DELETE, Call.CREATE, Call.FALLBACK]
                self._expect(change, steps, whole[:2], whole)
            case Verb.DELETE:
                self._expect(change, steps, [Call.DELETE])
            case _:
                self._expect(change, steps, [Call.UPDATE], [Call.PARK, Call.UPDATE])
        if not change.fields and steps[0].call is not Call.PARK:
            self._refuse(change.label, f"it is a {change.verb.value} without a field")
        self._check_bodies(change, steps)

    def _check_identity(self, change: Change) -> None:
        """It is about one bot, which the plan saw; its marker says whether it is ours."""
        if change.verb is Verb.CREATE:
            if change.ids or change.before is not None:
                self._refuse(change.label, "it is made, and there already")
            return
        if change.before is None or change.ids != (change.before.id,) or not change.before.id:
            self._refuse(change.label, f"it does not say which bot is meant by its {change.verb.value}")
        marker = markers.name_of(str(change.before.fields.get("description", "")), self.owner)
        ours = {Verb.ADOPT: not marker, Verb.UPDATE: bool(marker)}
        if not ours.get(change.verb, marker == change.bot):
            self._refuse(change.label, f"its marker does not allow a {change.verb.value}")

    def _check_bodies(self, change: Change, steps: Sequence[Step]) -> None:
        """Call by call, what the bot becomes; in the end it is what the change says."""
        now = {} if change.before is None else dict(change.before.fields)
        target = dict(now)
        if "description" in target:
            target["description"] = markers.unstamped(str(target["description"]), self.owner)
        for field in change.fields:
            if field.after is None:
                target.pop(field.name, None)
            else:
                target[field.name] = field.after
        for step in steps:
            if step.call is Call.FALLBACK:
                self._check_fallback(change, step, NEW_BOT + change.bot)
                continue
            self._check_values(change, step)
            self._check_keys(change, step, now)
            now = {} if step.call is Call.DELETE else {**now, **step.body}
            if step.call is Call.PARK:
                self._check_park(change, step, {**target, _CREDS: steps[-1].body.get(_CREDS, "")})
            elif step.call is Call.DELETE and step.body:
                self._refuse(change.label, "the call 'delete' sends something")
        if steps[0].call is Call.PARK:  # what it leaves behind, as the server cannot clear it
            target = {_OPERATOR: now.get(_OPERATOR, ""), **target}
        wrong = [n for n in {**target, **now} if not self._becomes(change, n, now.get(n), target.get(n))]
        if wrong:
            self._refuse(change.label, f"its calls make something else of {', '.join(wrong)}")

    def _check_values(self, change: Change, step: Step) -> None:
        for name, value in step.body.items():
            if name not in self.kind.fields or not _fits(self.kind.fields[name], value):
                self._refuse(change.label, f"the call {step.call.value!r} sends {name} as it cannot be")
        if step.call is Call.CREATE and not markers.marked(
            str(step.body.get("description")), self.owner, change.bot
        ):
            self._refuse(change.label, "it is made without its marker")

    def _check_keys(self, change: Change, step: Step, now: Fields) -> None:
        """A call has what the server insists on and what differs, and no more."""
        if step.call not in (Call.UPDATE, Call.PARK):
            return
        before = dict(now)
        if step.call is Call.UPDATE:
            before["description"] = ""
        elif "description" in before:
            before["description"] = markers.unstamped(str(before["description"]), self.owner)
        after = {**before, **step.body}
        known = after.get("botType") in self.kind.keys and after.get("triggerType") in self.kind.trigger_parts
        if not known or update_body(before, after, self.kind).keys() != step.body.keys():
            self._refuse(change.label, f"the call {step.call.value!r} lacks a field, or has one too many")

    def _becomes(self, change: Change, name: str, value: Value | None, target: Value | None) -> bool:
        """Whether a field ends as it is shown."""
        if name == "description" and change.verb is Verb.CREATE:
            return value == target and markers.marked(str(value), self.owner, change.bot)
        if name == "description" and change.verb is not Verb.DELETE:
            blank = "~" + "0" * 8
            stamped = markers.with_stamp(str(target or ""), self.owner, change.bot, blank)
            pattern = re.escape(stamped).replace(re.escape(blank), "~[0-9a-f]{8}")
            return blank in stamped and re.fullmatch(pattern, str(value)) is not None
        if name == _CREDS and change.verb is not Verb.DELETE:
            shown = next((str(field.after) for field in change.fields if field.name == _CREDS), None)
            by_name = shown is None or shown.startswith(_CREDENTIAL)  # then its id is among the unshown
            return bool(value) if by_name else value == shown
        return same(value, target)

    def _check_park(self, change: Change, step: Step, target: Fields) -> None:
        """It is moved aside: to a trigger that matches nothing, or to other tokens or another assistant."""
        before = {} if change.before is None else change.before.fields
        moved = {name: value for name, value in step.body.items() if not same(value, before.get(name))}
        for name in ("description", _CREDS):  # which it may have from here on
            if same(moved.get(name), target.get(name)):
                moved.pop(name, None)
        wrong = [name for name, value in moved.items() if not self._is_aside(change, name, value)]
        if wrong or not moved:
            self._refuse(change.label, f"it is not moved aside by {', '.join(wrong) or 'nothing'}")

    def _is_aside(self, change: Change, name: str, value: Value) -> bool:
        """Whether a field has a value that parking gives it (order.py)."""
        match name:
            case "maxTokens":
                return value != 0
            case "assistantId":
                text = re.escape(f"parked-{self.owner}-{change.bot}")
                return re.fullmatch(rf"{text}( \d+)?", str(value)) is not None
            case "triggerValue":
                text = re.escape(parked_trigger(self.owner, change.bot))
                return re.fullmatch(rf"{text}( \d+)?", str(value)) is not None
        return (name, value) in {("triggerType", "keyword"), ("triggerOperator", "regex")}

    # -- credentials and settings -------------------------------------------------------------

    def _check_credential(self, change: Change, steps: Sequence[Step]) -> None:
        def of(call: Call) -> list[Step]:
            return [step for step in steps if step.call is call]

        new, rows, moves, old = (
            of(call) for call in (Call.NEW_CREDENTIAL, Call.SETTINGS, Call.MOVE, Call.OLD_CREDENTIAL)
        )
        if change.verb is Verb.CREATE:
            self._expect(change, steps, [Call.NEW_CREDENTIAL])
        elif change.verb is not Verb.ROTATE or len(new) > 1 or len(rows) > 1:
            self._refuse(change.label, f"its calls are not those of a {change.verb.value}")
        elif not steps or len(new) + len(rows) + len(moves) + len(old) < len(steps):
            self._refuse(change.label, "its calls are not those of a rotate")
        if change.before is not None or (change.verb is Verb.CREATE and change.ids):
            self._refuse(change.label, "it is made, and there already")
        secrets = [str(step.secret) for step in new]
        if [field.after for field in change.fields] != secrets:
            self._refuse(change.label, "its key is not read where it is shown to be")
        names = [str(step.body.get("name")) for step in new]
        if any(step.id is not None or step.body.keys() != {"name"} for step in new) or any(
            credential_versions.split(name)[0] != change.bot for name in names
        ):
            self._refuse(change.label, "another credential is made")
        self._check_moves(change, [*rows, *moves], names)
        _once(change.label, "the bot", [str(step.id) for step in moves])
        _once(change.label, "the old credential", [str(step.id) for step in old])
        if any(
            step.id not in change.ids
            or step.body.keys() != {"name"}
            or credential_versions.split(str(step.body["name"]))[0] != change.bot
            for step in old
        ):
            self._refuse(change.label, "a credential is deleted that is not an old one of it")

    def _check_moves(self, change: Change, steps: Sequence[Step], made: Sequence[str]) -> None:
        """All is moved to one credential: the new one, or one of the family."""
        targets = {step.body.get(_CREDS) for step in steps}
        for target in targets:
            name = str(target or "")
            new = credential_versions.split(name.removeprefix(NEW_CREDENTIAL))[0] == change.bot
            right = name.startswith(NEW_CREDENTIAL) and new if name.startswith(NEW_CREDENTIAL) else name
            if not right or name in change.ids or (made and name != NEW_CREDENTIAL + made[0]):
                self._refuse(change.label, "something is moved to a credential that is not the new one")
        if len(targets) > 1:
            self._refuse(change.label, "its bots are moved to two credentials")
        for step in steps:
            if step.call is Call.MOVE and (not step.id or step.body.keys() != {_CREDS}):
                self._refuse(change.label, "a bot is not moved, but changed")
            if step.call is Call.SETTINGS:
                self._check_row(change, step, {_CREDS})

    def _check_settings(self, change: Change, steps: Sequence[Step]) -> None:
        if change.bot or change.ids or (change.before is not None and change.before.id):
            self._refuse(change.label, "settings have no name and no id")
        if change.verb not in {Verb.CREATE, Verb.UPDATE} or (
            (change.before is None) != (change.verb is Verb.CREATE)
        ):
            self._refuse(change.label, f"they are there, or are not: not a {change.verb.value}")
        shown = {field.name: field.after for field in change.fields}
        calls = [Call.SETTINGS] if shown.keys() - {_FALLBACK} else []
        calls += [Call.FALLBACK] if _FALLBACK in shown else []
        if not calls:
            self._refuse(change.label, f"it is a {change.verb.value} without a field")
        self._expect(change, steps, calls)
        for step in steps:
            if step.call is Call.FALLBACK:
                self._check_fallback(change, step, self._bot(str(shown[_FALLBACK])))
                continue
            self._check_row(change, step, shown.keys() - {_FALLBACK})
            for name, value in step.body.items():
                if name in shown and name != _CREDS and not same(value, shown[name]):
                    self._refuse(change.label, f"its calls make something else of {name}")

    def _check_row(self, change: Change, step: Step, needed: Iterable[str]) -> None:
        """A call that saves the settings: it has what is shown, and nothing that settings have not."""
        table = {**self.kind.settings, _CREDS: self.kind.fields[_CREDS]}
        if step.id is not None or set(needed) - step.body.keys():
            self._refuse(change.label, "the call 'settings' lacks what is shown")
        for name, value in step.body.items():
            if name not in table or not _fits(table[name], value):
                self._refuse(change.label, f"the call {step.call.value!r} sends {name} as it cannot be")
            if name == _CREDS and (_CREDS not in needed or not value):
                self._refuse(change.label, "the call 'settings' sends another credential")

    def _bot(self, name: str) -> str | None:
        """What the fallback is set to, by the name that is shown; None where only the server knows."""
        if name == "":
            return ""
        change = self.writes.get(name)
        if change is None or change.of is not Of.BOT:
            return None
        return NEW_BOT + name if change.verb in {Verb.CREATE, Verb.REPLACE} else change.ids[0]

    def _check_fallback(self, change: Change, step: Step, expected: str | None) -> None:
        """It points to the bot that is shown, and sends no other setting than such as the server hides."""
        target = step.body.get(_FALLBACK)
        taken = {id for c in self.writes.values() if c.of is Of.BOT for id in c.ids}
        wrong = target != expected if expected is not None else not target or target in taken
        if not isinstance(target, str) or wrong or (expected is None and target.startswith(NEW_BOT)):
            self._refuse(change.label, "the fallback is set to another bot")
        self._check_row(change, _without_fallback(step), ())

    # -- all calls, in their order ------------------------------------------------------------

    def _check_order(self) -> None:
        """No call is one that the server refuses for a bot that the plan knows."""
        phases = [step.call.phase for step in self.instance.steps]
        if phases != sorted(phases):
            self._refuse("its calls", "they are not in the order in which they are made")
        now = {
            change.before.id: change.before.fields
            for change in self.instance.changes
            if change.of is Of.BOT and change.before is not None
        }
        made: set[str] = set()
        for step in self.instance.steps:
            if step.call is Call.DELETE:
                now.pop(str(step.id), None)
            elif step.call in (Call.CREATE, Call.UPDATE, Call.PARK):
                own = NEW_BOT + step.bot if step.id is None else step.id
                after = {**now.get(own, {}), **step.body}
                taken = takes(self.kind, after)
                for other, fields in now.items():
                    if other != own and (claims := holds(self.kind, fields) & taken):
                        words = " and ".join(describe(claim) for claim in sorted(claims))
                        self._refuse(step.bot, f"when it is written, bot {other} has {words}")
                now[own] = after
                made |= {own} if step.id is None else set()
            elif step.call is Call.FALLBACK:
                target = str(step.body[_FALLBACK])
                if target.startswith(NEW_BOT) and target not in made:
                    self._refuse(step.bot, "the fallback is set to a bot that is not made yet")


def _without_fallback(step: Step) -> Step:
    body = {name: value for name, value in step.body.items() if name != _FALLBACK}
    return Step(step.call, step.bot, step.id, body)


def _texts(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _fits(field: Field, value: Value) -> bool:
    """Whether a value is of the field's type, exactly: true is no number."""
    match field.type:
        case Type.BOOL:
            return isinstance(value, bool)
        case Type.INT:
            return type(value) is int and 0 <= value <= INT32_MAX
        case Type.TEXTS:
            return isinstance(value, tuple)
    return isinstance(value, str)
