"""The order of an instance's calls: the server, as far as the plan knows it, accepts each when it is made."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.desired import Fields
from reconciler.domain.hidden import MASK
from reconciler.domain.kinds import Kind
from reconciler.domain.plan import NEW_BOT, Call, InstancePlan, Of, Step
from reconciler.domain.uniqueness import describe, holds, takes
from reconciler.saved.consistency.contradiction import refuse
from reconciler.saved.consistency.fields import FALLBACK


def check(instance: InstancePlan) -> None:
    """Raises ContradictionError for a call that the server refuses, because of a bot that the plan knows."""
    phases = [step.call.phase for step in instance.steps]
    if phases != sorted(phases):
        refuse(f"its calls on {instance.name!r}", "they are not in the order in which they are made")
    now = {
        change.before.id: (change.before.kind, change.before.fields)
        for change in instance.changes
        if change.of is Of.BOT and change.before is not None
    }
    made: set[str] = set()
    for step in instance.steps:
        if step.call.deletes:
            now.pop(str(step.id), None)
        elif step.call in (Call.CREATE, Call.UPDATE, Call.PARK):
            own = NEW_BOT + step.bot if step.id is None else step.id
            after = {**now.get(own, (step.kind, {}))[1], **step.body}
            _check_free(instance, step, own, after, now)
            now[own] = step.kind, after
            made |= {own} if step.id is None else set()
        elif step.call is Call.FALLBACK:
            target = str(step.body[FALLBACK])
            if target.startswith(NEW_BOT) and target not in made:
                where = f"{step.bot} on {instance.name!r}"
                refuse(where, "the fallback is set to a bot that is not created yet")


def _check_free(
    instance: InstancePlan, step: Step, own: str, after: Fields, now: Mapping[str, tuple[Kind, Fields]]
) -> None:
    """No other bot of its kind has what the server allows one bot only, as far as that is no secret."""
    taken = {claim for claim in takes(step.kind, after) if not any(MASK in part for part in claim)}
    for other, (kind, fields) in now.items():
        if other != own and kind is step.kind and (claims := holds(kind, fields) & taken):
            words = " and ".join(describe(claim) for claim in sorted(claims))
            refuse(f"{step.bot} on {instance.name!r}", f"when it is written, bot {other} has {words}")
