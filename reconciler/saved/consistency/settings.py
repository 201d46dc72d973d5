"""A change of settings and its calls; what any call may save in settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.domain.kinds import Value
from reconciler.domain.plan import NEW_BOT, Call, Change, Of, Step, Verb, bot_label
from reconciler.domain.records import replace
from reconciler.plan.differ import same
from reconciler.saved.consistency.contradiction import refuse_change
from reconciler.saved.consistency.fields import CREDS, FALLBACK, check_values, expect_calls, settings_table


def check(change: Change, steps: Sequence[Step], writes: Mapping[str, Change]) -> None:
    """Raises ContradictionError. writes: the changes of the instance that write, by label."""
    if change.bot or change.ids or (change.before is not None and change.before.id):
        refuse_change(change, "settings have neither a name nor an id")
    if change.verb is not (Verb.CREATE if change.before is None else Verb.UPDATE):
        refuse_change(change, f"a {change.verb.value} does not go with whether they exist")
    shown = {field.name: field.after for field in change.fields}
    calls = [Call.SETTINGS] if shown.keys() - {FALLBACK} else []
    calls += [Call.FALLBACK] if FALLBACK in shown else []
    if not calls:
        refuse_change(change, f"it is a {change.verb.value} without a field")
    expect_calls(change, steps, calls)
    for step in steps:
        if step.call is Call.FALLBACK:
            label = bot_label(name, change.kind) if (name := str(shown[FALLBACK])) else ""
            right = _is_bot(label, step.body.get(FALLBACK), writes)
            check_fallback(change, step, right=right)
            continue
        check_row(change, step, shown.keys() - {FALLBACK})
        for name, value in step.body.items():
            if name in shown and name != CREDS and not same(value, shown[name]):
                refuse_change(change, f"its calls set another value of {name}")


def check_row(change: Change, step: Step, shown: Collection[str]) -> None:
    """A call that saves settings sends what is shown, and nothing that settings do not have."""
    if step.id is not None or set(shown) - step.body.keys():
        refuse_change(change, "the call 'settings' lacks what is shown")
    check_values(change, step, settings_table(step.kind))
    if CREDS in step.body and (CREDS not in shown or not step.body[CREDS]):
        refuse_change(change, "the call 'settings' sends another credential")


def check_fallback(change: Change, step: Step, *, right: bool) -> None:
    """A fallback points to the bot that is shown, and sends no other setting but what the server hides.

    right: whether it points to that bot.
    """
    if not right:
        refuse_change(change, "the fallback is set to another bot")
    rest = {name: value for name, value in step.body.items() if name != FALLBACK}
    check_row(change, replace(step, body=rest), ())


def _is_bot(label: str, id: Value | None, writes: Mapping[str, Change]) -> bool:
    """Whether the fallback that is shown is the bot with this id. label: its change's; "" for none."""
    if not isinstance(id, str) or label == "":
        return id == label
    change = writes.get(label)
    if change is None or change.of is not Of.BOT:  # a bot that has no change: only the server knows its id
        written = {other for one in writes.values() if one.of is Of.BOT for other in one.ids}
        return id != "" and id not in written and not id.startswith(NEW_BOT)
    return id == (NEW_BOT + label if change.verb.creates or change.verb is Verb.REPLACE else change.ids[0])
