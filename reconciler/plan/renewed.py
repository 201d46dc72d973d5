"""What is left of the manifests for a plan that renews keys and does nothing else. Pure.

Credentials are rotated, and a bot that differs from its manifest in keys alone gets them. A bot that differs
in more would have to be written as a whole: it keeps what it has, and only moves to the new credential. That
a key is found where the manifest says was reviewed with the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.hidden import Hidden
from reconciler.domain.plan import Change, FieldChange, Of, Plan, Verb
from reconciler.domain.records import replace
from reconciler.plan.options import Review

_STAYS = frozenset({Verb.UPDATE, Verb.REPLACE})


def reduced(desired: Desired, whole: Plan) -> Desired:
    """The manifests without what differs for other reasons. whole: the plan of all that differs."""
    found = {(change.instance, change.bot): change for change in whole.changes() if change.of is Of.BOT}
    return replace(desired, instances=tuple(_reduced(one, found) for one in desired.instances))


def review(whole: Plan) -> Review:
    """What may be made besides rotations, which no review holds up."""
    return Review(frozenset(change.digest for change in whole.changes() if _is_of_keys_alone(change)))


def told(made: Plan, whole: Plan) -> Plan:
    """The plan with what a person has to know of it, and as many bots in sync as there are."""
    in_sync = {one.name: one.in_sync for one in whole.instances}
    instances = tuple(replace(one, in_sync=in_sync[one.name]) for one in made.instances)
    return replace(made, instances=instances, notes=(*_notes(whole), *made.notes))


def _notes(whole: Plan) -> Iterator[str]:
    yield "only keys are renewed: whatever else differs is left as it is"
    waiting = [
        f"{change.label} of {change.instance}"
        for change in whole.changes()
        if change.verb in _STAYS and any(map(_is_key, change.fields)) and not _is_of_keys_alone(change)
    ]
    if waiting:
        shown = ", ".join(waiting[:3]) + (f" and {len(waiting) - 3} more" if len(waiting) > 3 else "")
        yield f"not renewed, as more than the key differs, which a plain apply or a merge changes: {shown}"


def _reduced(one: DesiredInstance, found: dict[tuple[str, str], Change]) -> DesiredInstance:
    def bots() -> Iterator[DesiredBot]:
        for bot in one.bots:
            change = found.get((one.name, bot.name))
            if change is None or _is_of_keys_alone(change):
                yield bot
            elif change.verb in _STAYS:
                yield replace(bot, fields={})

    return replace(one, bots=tuple(bots()), settings={})


def _is_of_keys_alone(change: Change) -> bool:
    return change.verb is Verb.UPDATE and bool(change.fields) and all(map(_is_key, change.fields))


def _is_key(field: FieldChange) -> bool:
    """Whether the value is found elsewhere, by `!env`, `!secret-file` or `${env:NAME}`."""
    return isinstance(field.after, Hidden) and field.after.ref is not None
