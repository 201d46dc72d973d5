"""The steps for the writes of one instance's bots. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.domain.plan import NEW_BOT, Call, Step
from reconciler.plan import differ
from reconciler.plan.inputs import Inputs
from reconciler.plan.simulation import Write
from reconciler.plan.targets import Targets


def of_writes(
    given: Inputs, writes: Sequence[Write], targets: Targets, *, moves_fallback: bool
) -> Iterator[Step]:
    """A step for each write; after a replacement, also one that points the fallback to the new bot.

    moves_fallback: the settings have a step of their own for their fallback.
    """
    deletes = given.deletes
    for write in writes:
        remote = deletes[write.label] if write.label in deletes else targets[write.label].remote
        yield _step(given, write, remote.id if remote else None, targets)
        if moves_fallback or remote is None or write.before is not None:
            continue
        if given.row.fallback == remote.id:
            label = given.label(write.label)
            body = {**given.unshown, "fallbackId": NEW_BOT + label}
            why = "it was the fallback of the instance's settings"
            yield Step(Call.FALLBACK, label, None, body, why, kind=given.kind)


def _step(given: Inputs, write: Write, id: str | None, targets: Targets) -> Step:
    label, kind = given.label(write.label), given.kind
    if write.after is None:
        return Step(Call.DELETE, label, id, {}, write.why, kind=kind)
    if write.before is None:
        body = {**write.after, "description": targets[write.label].stamped}
        return Step(Call.CREATE, label, None, body, write.why, kind=kind)
    if write.park:
        body = differ.update_body(write.before, write.after, kind)
        return Step(Call.PARK, label, id, body, write.why, kind=kind)
    after = {**write.after, "description": targets[write.label].stamped}
    # The description is always sent, as the one before has no stamp: the stamp says what was applied.
    body = differ.update_body(write.before, after, kind)
    return Step(Call.UPDATE, label, id, body, write.why, kind=kind)
