"""A change of a bot and its calls: which bot they are about, what each sends, and what the bot becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind, Type, Value
from reconciler.domain.plan import NEW_BOT, Call, Change, Step, Verb
from reconciler.domain.text import is_id
from reconciler.plan.differ import bare, same, update_body
from reconciler.plan.parking import parked_field, parked_key, parked_trigger
from reconciler.saved.consistency import fields, settings
from reconciler.saved.consistency.contradiction import refuse_change
from reconciler.saved.consistency.fields import CREDENTIAL, CREDS, FALLBACK, expect_calls

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_OPERATOR = "triggerOperator"


def check(change: Change, steps: Sequence[Step], owner: str) -> None:
    """Raises ContradictionError."""
    if not _NAME.fullmatch(change.bot):
        refuse_change(change, "it is not a valid name of a bot")
    _check_identity(change, owner)
    if change.ids and not is_id(change.ids[0]):
        refuse_change(change, "the id of its bot is not valid")
    id_ = None if change.verb.creates else change.ids[0]
    for step in steps:
        made = step.call in (Call.CREATE, Call.FALLBACK)
        if step.id != (None if made else id_):
            refuse_change(change, f"the call {step.call.value!r} is about bot {step.id}")
    _check_calls(change, steps)
    if not change.fields and steps[0].call is not Call.PARK:
        refuse_change(change, f"it is a {change.verb.value} without a field")
    _check_bodies(change, steps, owner)


def _check_identity(change: Change, owner: str) -> None:
    """It is about one bot, which the plan saw; its marker says whether it is ours."""
    if change.verb.creates:
        if change.ids or change.before is not None:
            refuse_change(change, "it is to be created, and exists already")
        return
    if change.before is None or change.ids != (change.before.id,) or not change.before.id:
        refuse_change(change, f"it does not say which bot its {change.verb.value} is about")
    marker = markers.name_of(str(change.before.fields.get("description", "")), owner)
    ours = {Verb.ADOPT: not marker, Verb.UPDATE: bool(marker)}
    if not ours.get(change.verb, marker == change.bot):
        refuse_change(change, f"its marker does not allow a {change.verb.value}")


def _check_calls(change: Change, steps: Sequence[Step]) -> None:
    match change.verb:
        case Verb.CREATE | Verb.MOVE:
            expect_calls(change, steps, [Call.CREATE])
        case Verb.REPLACE if change.changes_kind:
            expect_calls(
                change,
                steps,
                [Call.CREATE, Call.LEAVE],
                [Call.DELETE, Call.CREATE],
                [Call.CREATE, Call.DELETE],
            )
        case Verb.REPLACE:
            whole = [Call.DELETE, Call.CREATE, Call.FALLBACK]
            expect_calls(change, steps, whole[:2], whole)
        case Verb.DELETE:
            expect_calls(change, steps, [Call.LEAVE if change.other else Call.DELETE])
        case _:
            expect_calls(change, steps, [Call.UPDATE], [Call.PARK, Call.UPDATE])


# -- what the calls send ----------------------------------------------------------------------


def _check_bodies(change: Change, steps: Sequence[Step], owner: str) -> None:
    """Follow the bot call by call: in the end it must be what the change says."""
    now = {} if change.before is None or change.changes_kind else dict(change.before.fields)
    target, kind = _target(change, owner), change.kind
    for step in steps:
        if step.call is Call.FALLBACK:
            right = step.body.get(FALLBACK) == NEW_BOT + change.label
            settings.check_fallback(change, step, right=right)
            continue
        fields.check_values(change, step, step.kind.fields)
        _check_step(change, step, now, owner, kind)
        if step.kind is kind:
            now = {} if step.call.deletes else {**now, **step.body}
        if step.call is Call.PARK:
            _check_park(change, step, {**target, **_credential(steps[-1])}, owner)
    if steps[0].call is Call.PARK:  # parking leaves its operator behind, as the server cannot clear it
        target = {_OPERATOR: now.get(_OPERATOR, ""), **target}
    wrong = [n for n in {**target, **now} if not _becomes(change, n, now.get(n), target.get(n), owner)]
    if wrong:
        refuse_change(change, f"its calls set other values of {', '.join(wrong)}")


def _credential(step: Step) -> Fields:
    return {name: value for name, value in step.body.items() if name == step.kind.credential}


def _target(change: Change, owner: str) -> dict[str, Value]:
    """The bot as the change says that it will be."""
    before = None if change.changes_kind else change.before
    target = {} if before is None else dict(bare(before.fields, owner))
    for field in change.fields:
        if field.after is None:
            target.pop(field.name, None)
        else:
            target[field.name] = field.after
    return target


def _check_step(change: Change, step: Step, now: Fields, owner: str, kind: Kind) -> None:
    """A call sends what the server needs and what differs, and no more. now: the bot before it."""
    match step.call:
        case Call.CREATE:
            if not markers.marked(str(step.body.get("description")), owner, change.bot):
                refuse_change(change, "it is created without its marker")
        case Call.DELETE | Call.LEAVE:
            if step.body:
                refuse_change(change, f"the call {step.call.value!r} sends something")
        case Call.UPDATE | Call.PARK:
            before = {**bare(now, owner), **({"description": ""} if step.call is Call.UPDATE else {})}
            after = {**before, **step.body}
            known = after.get("triggerType") in kind.trigger_parts
            known = known and (kind.keys.keys() == {""} or after.get("botType") in kind.keys)
            if not known or update_body(before, after, kind).keys() != step.body.keys():
                refuse_change(change, f"the call {step.call.value!r} lacks a field, or has one too many")


def _becomes(change: Change, name: str, value: Value | None, target: Value | None, owner: str) -> bool:
    """Whether a field ends as the change shows it."""
    if name == "description" and (change.verb.creates or change.changes_kind):
        return value == target and markers.marked(str(value), owner, change.bot)
    if name == "description" and change.verb is not Verb.DELETE:
        blank = "~" + "0" * 8
        stamped = markers.with_stamp(str(target or ""), owner, change.bot, blank)
        pattern = re.escape(stamped).replace(re.escape(blank), "~[0-9a-f]{8}")
        return blank in stamped and re.fullmatch(pattern, str(value)) is not None
    if name == CREDS and change.verb is not Verb.DELETE:
        shown = next((str(field.after) for field in change.fields if field.name == CREDS), None)
        by_name = shown is None or shown.startswith(CREDENTIAL)  # then unshown.py shows its id
        return bool(value) if by_name else value == shown
    return same(value, target)


# -- parking ----------------------------------------------------------------------------------


def _check_park(change: Change, step: Step, target: Fields, owner: str) -> None:
    """It only moves the bot aside: to a trigger that matches nothing, other tokens or another assistant."""
    before = {} if change.before is None else change.before.fields
    moved = {name: value for name, value in step.body.items() if not same(value, before.get(name))}
    for name in ("description", CREDS):  # a park may set what the bot has from here on
        if same(moved.get(name), target.get(name)):
            moved.pop(name, None)
    wrong = [name for name, value in moved.items() if not _is_aside(change, name, value, owner)]
    if wrong or not moved:
        refuse_change(change, f"it is not parked by {', '.join(wrong) or 'its call, which changes nothing'}")


def _is_aside(change: Change, name: str, value: Value, owner: str) -> bool:
    """Whether parking (plan.parking) gives a field this value."""
    key = None if change.before is None else parked_field(change.kind, change.before.fields)
    if key is not None and name == key.name:
        return value != 0 if key.type is Type.INT else _is_numbered(parked_key(key, owner, change.bot), value)
    if name == "triggerValue":
        return _is_numbered(parked_trigger(owner, change.bot), value)
    return (name, value) in {("triggerType", "keyword"), (_OPERATOR, "regex")}


def _is_numbered(text: str, value: Value) -> bool:
    """Whether a value is the text, with a number after it or without."""
    return re.fullmatch(rf"{re.escape(text)}( \d+)?", str(value)) is not None
