"""What the calls of a plan send that its changes do not show, so that every output can show it too. Pure.

The id of a credential that a change shows by its name, and settings that the server hides and would lose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.domain import credential_versions
from reconciler.domain.kinds import Value
from reconciler.domain.plan import NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Step
from reconciler.saved.consistency.fields import CREDENTIAL, CREDS, FALLBACK

_BODIES = frozenset({Call.CREATE, Call.UPDATE, Call.SETTINGS, Call.FALLBACK})


def unshown(instance: InstancePlan) -> dict[str, dict[str, Value]]:
    """What the calls of each change send that its fields do not show, by the change's label.

    Without what parks a bot or moves it to another credential: that is shown call by call.
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


def _more(change: Change, step: Step, moved: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    shown: dict[str, Value | None] = {field.name: field.after for field in change.fields}
    if change.of is Of.BOT and change.before is not None:
        shown = {CREDS: moved.get(change.before.id, change.before.fields.get(CREDS)), **shown}
    if change.of is Of.CREDENTIAL:
        shown = {CREDS: CREDENTIAL + change.bot}
    for name, value in step.body.items():
        if name == CREDS:
            if not _is_shown(value, shown.get(name)):
                yield name, value
        elif name != FALLBACK and step.call in (Call.SETTINGS, Call.FALLBACK) and name not in shown:
            yield name, value


def _is_shown(id: Value, shown: Value | None) -> bool:
    """Whether a credential is shown as what is sent: its id, or the name of one that the plan makes."""
    if not isinstance(id, str) or not isinstance(shown, str):
        return False
    if id.startswith(NEW_CREDENTIAL):
        made, _ = credential_versions.split(id.removeprefix(NEW_CREDENTIAL))
        return shown in (id, CREDENTIAL + made)
    return id == shown


def _moved(steps: Iterable[Step]) -> dict[str, Value]:
    """The credential to which a rotation moves each bot, by the bot's id."""
    return {
        step.id: step.body[CREDS]
        for step in steps
        if step.call is Call.MOVE and step.id is not None and CREDS in step.body
    }
