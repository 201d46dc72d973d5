"""The fields that a change shows: they exist, each once, and were what the plan saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.domain.kinds import INT32_MAX, Field, Kind, Type, Value
from reconciler.domain.plan import Call, Change, Of, Step, Verb
from reconciler.plan.differ import bare, same
from reconciler.saved.consistency.contradiction import refuse_change, refuse_duplicates

CREDS = "openaiCredsId"
FALLBACK = "fallbackId"

CREDENTIAL = "credential "
"""Stands with its name where a change shows a credential."""


def check(change: Change, steps: Sequence[Step], owner: str) -> None:
    """Raises ContradictionError for fields that cannot be, do not change, or were not so."""
    table = _table(change)
    where = f"{change.label} on {change.instance!r}"
    refuse_duplicates(where, "the field", [field.name for field in change.fields])
    for name, value in _values(change):
        if name not in table or (value is not None and not fits(table[name], value)):
            refuse_change(change, f"{name} has an invalid value")
    for field in change.fields:
        compared = change.before is not None and not change.changes_kind
        if field.before == field.after or (compared and same(field.before, field.after)):
            refuse_change(change, f"{field.name} is shown, and does not change")
        if not _was(change, steps, field.name, field.before, owner):
            refuse_change(change, f"the value of {field.name} before the change is not what the plan saw")


def _values(change: Change) -> Iterator[tuple[str, Value | None]]:
    if change.before is not None and not change.changes_kind:
        yield from change.before.fields.items()
    for field in change.fields:
        yield field.name, field.before
        yield field.name, field.after


def _table(change: Change) -> Mapping[str, Field]:
    match change.of:
        case Of.BOT:
            return change.kind.fields
        case Of.SETTINGS:
            return {**settings_table(change.kind), FALLBACK: Field(FALLBACK, Type.TEXT, "")}
    return {"apiKey": Field("apiKey", Type.TEXT, "")}


def settings_table(kind: Kind) -> Mapping[str, Field]:
    """The fields of settings that one call saves: all but the fallback."""
    own = {} if kind.credential is None else {kind.credential: kind.fields[kind.credential]}
    return {**kind.settings, **own}


def _was(change: Change, steps: Iterable[Step], name: str, before: Value | None, owner: str) -> bool:
    """Whether a field was, when the plan saw it, what the change shows."""
    if change.changes_kind:
        return before is None
    was = None if change.before is None else change.before.fields.get(name)
    if change.of is Of.BOT and change.before and name == "description" and change.verb is not Verb.DELETE:
        was = bare(change.before.fields, owner).get(name)
    if change.of is Of.SETTINGS and name == FALLBACK:
        return bool(before) == bool(was)  # it is shown by the bot's name
    if change.of is Of.SETTINGS and name == "ignoreJids" and any(step.merge for step in steps):
        after = next(field.after for field in change.fields if field.name == name)
        was = tuple(jid for jid in _texts(after) if jid in _texts(was))
    return same(before, was)


def _texts(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def fits(field: Field, value: Value) -> bool:
    """Whether a value is of the field's type, exactly: true is not a number."""
    match field.type:
        case Type.BOOL:
            return isinstance(value, bool)
        case Type.INT:
            return type(value) is int and 0 <= value <= INT32_MAX
        case Type.TEXTS:
            return isinstance(value, tuple)
    return isinstance(value, str)


def check_values(change: Change, step: Step, table: Mapping[str, Field]) -> None:
    """Raises ContradictionError for a call that sends what the table does not have, or another type."""
    for name, value in step.body.items():
        if name not in table or not fits(table[name], value):
            refuse_change(change, f"the call {step.call.value!r} sends an invalid {name}")


def expect_calls(change: Change, steps: Sequence[Step], *allowed: Sequence[Call]) -> None:
    """Raises ContradictionError unless the calls are one of the allowed sequences."""
    calls = [step.call for step in steps]
    if calls not in [list(each) for each in allowed]:
        found = ", ".join(calls) or "none"
        refuse_change(change, f"its calls are not those of a {change.verb.value}: {found}")
