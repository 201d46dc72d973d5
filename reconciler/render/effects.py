"""What an apply of a plan does to customers: what is dangerous, in sentences with counts. Pure.

The sentences have no text from a manifest or a server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from reconciler.domain import safe
from reconciler.domain.kinds import Value
from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Verb
from reconciler.domain.records import replace

_CATCH_ALL = frozenset({"all", "none"})


def dangers(plan: Plan) -> Iterator[str]:
    """What an apply does that cannot be undone, or that customers notice: a sentence each, without a stop."""
    bots = [change for change in plan.changes() if change.of is Of.BOT]
    number = Counter[object](change.verb for change in bots if not is_left(change))
    credentials = plan.counts(Of.CREDENTIAL)
    number["rotated"] = credentials.get(Verb.ROTATE, 0)
    number["credentials"] = credentials.get(Verb.DELETE, 0)
    number["catch-alls"] = sum(map(becomes_catch_all, bots))
    number["silenced"] = len(silenced(plan))
    yield from _counted(_DANGERS, number)


def stuck(plan: Plan) -> Iterator[str]:
    """What an apply leaves as it is although the manifests say otherwise, likewise."""
    number = Counter[object](change.verb for change in plan.changes())
    number["problems"] = sum(one.problem is not None for one in plan.instances)
    yield from _counted(_STUCK, number)


def _counted(table: Mapping[object, tuple[str, str]], number: Mapping[object, int]) -> Iterator[str]:
    for what, (one, more) in table.items():
        if some := number[what]:
            yield f"1 {one}" if some == 1 else f"{some} {more}"


_DANGERS: dict[object, tuple[str, str]] = {
    Verb.DELETE: (
        "bot is deleted, and its open sessions end",
        "bots are deleted, and their open sessions end",
    ),
    Verb.REPLACE: (
        "bot is deleted and recreated, and its open sessions end",
        "bots are deleted and recreated, and their open sessions end",
    ),
    Verb.MOVE: (
        "bot moves to another number, and its open sessions end",
        "bots move to other numbers, and their open sessions end",
    ),
    Verb.ADOPT: (
        "bot that somebody else created is adopted: its manifest takes it over",
        "bots that somebody else created are adopted: their manifests take them over",
    ),
    "rotated": (
        "credential is rotated: its old key is deleted once nothing uses it",
        "credentials are rotated: their old keys are deleted once nothing uses them",
    ),
    "credentials": ("credential is deleted", "credentials are deleted"),
    "catch-alls": (
        "catch-all bot starts to answer every message of its number",
        "catch-all bots start to answer every message of their numbers",
    ),
    "silenced": (
        "number loses the last bot that answers",
        "numbers lose the last bot that answers",
    ),
}
_STUCK: dict[object, tuple[str, str]] = {
    Verb.BLOCKED: (
        "change was not reviewed, and is not applied",
        "changes were not reviewed, and are not applied",
    ),
    Verb.CONFLICT: ("conflict is left as it is", "conflicts are left as they are"),
    "problems": (
        "instance has a problem, and is left as it is",
        "instances have a problem, and are left as they are",
    ),
}


def is_left(change: Change) -> bool:
    """Whether it is only the second half of a move: the delete on the instance that the bot leaves."""
    return change.verb is Verb.DELETE and change.other != ""


def becomes_catch_all(change: Change) -> bool:
    """Whether an enabled bot answers every message afterwards that did not before."""
    return (
        change.of is Of.BOT
        and change.verb.writes
        and _is_catch_all(_after(change))
        and not _is_catch_all(_before(change))
    )


def _is_catch_all(fields: Mapping[str, Value | None] | None) -> bool:
    return fields is not None and fields.get("enabled") is True and fields.get("triggerType") in _CATCH_ALL


def silenced(plan: Plan) -> list[str]:
    """The instances on which one of our bots answers before, and none afterwards."""
    return [one.name for one in plan.instances if _is_silenced(one)]


def _is_silenced(instance: InstancePlan) -> bool:
    untouched = instance.answering if instance.manifest else instance.in_sync
    changes = [c for c in instance.changes if c.of is Of.BOT and c.verb is not Verb.UNMANAGED]
    return (
        not untouched
        and any(change.verb.writes for change in changes)
        and any(_answers(_before(change)) for change in changes)
        and not any(_answers(_after(change)) for change in changes)
    )


def _answers(fields: Mapping[str, Value | None] | None) -> bool:
    return fields is not None and fields.get("enabled", True) is True


def _before(change: Change) -> Mapping[str, Value | None] | None:
    """The bot as it is; None where there is none. Without a row only what the change says of it."""
    if change.verb in {Verb.CREATE, Verb.MOVE}:
        return None
    stored = {} if change.before is None else change.before.fields
    return {**{field.name: field.before for field in change.fields}, **stored}


def _after(change: Change) -> Mapping[str, Value | None] | None:
    """The bot as it is after the apply, None where there is none."""
    if change.verb is Verb.DELETE:
        return None
    if not change.verb.writes:
        return _before(change)
    return {**(_before(change) or {}), **{field.name: field.after for field in change.fields}}


def question(plan: Plan) -> str:
    """What is asked before an apply."""
    writing = [change for change in plan.changes() if change.verb.writes and not is_left(change)]
    where = sum(bool(one.steps) for one in plan.instances)
    changes = "1 change" if len(writing) == 1 else f"{len(writing)} changes"
    instances = "1 instance" if where == 1 else f"{where} instances"
    written = {one.server for one in plan.instances if one.steps}
    there = replace(plan, servers={name: at for name, at in plan.servers.items() if name in written})
    return f"Apply {changes} to {instances} of {safe.line(there.where)}?"
