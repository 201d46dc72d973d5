"""How much a plan may delete: a number, and a share of an instance and of the fleet. Pure.

They guard against a mistake in the manifests. An instance of three bots is protected by the share, one of
fifty by the number. Of an instance that no manifest declares any more all bots go, so there the share of the
fleet counts. A bot that moves does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence

from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Verb

_OURS = frozenset({Verb.UPDATE, Verb.REPLACE, Verb.DELETE, Verb.ORPHAN, Verb.BLOCKED, Verb.BEFORE})

_MOST_NAMES = 10
"""Bots, at most, that a sentence names."""


def exceeded(
    plans: Sequence[InstancePlan],
    declared: Container[str],
    fleet: int,
    most: int,
    share: int,
    approved: Container[str] = (),
) -> tuple[str, ...]:
    """A sentence for each limit that the deletes exceed.

    declared: the instances that a manifest declares. fleet: how many bots all manifests declare. most, share:
    see Options. approved: the digests of deletes that do not count.
    """
    found: list[str] = []
    deletes: list[Change] = []
    for plan in plans:
        gone = [change for change in plan.changes if _is_delete(change) and change.digest not in approved]
        ours = plan.in_sync + sum(c.of is Of.BOT and bool(c.ids) and c.verb in _OURS for c in plan.changes)
        if plan.name in declared and len(gone) * 100 > ours * share:
            names = _listed(change.bot for change in gone)
            found.append(
                f"{len(gone)} of {ours} bots of {plan.name} would be deleted, more than {share} percent "
                f"(max-delete-share): {names}"
            )
        deletes += gone
    names = _listed(f"{change.bot}@{change.instance}" for change in deletes)
    if len(deletes) * 100 > (fleet + len(deletes)) * share:
        found.append(
            f"{len(deletes)} of {fleet + len(deletes)} bots of all instances would be deleted, more than "
            f"{share} percent (max-delete-share): {names}"
        )
    if len(deletes) > most:
        bots = "1 bot" if len(deletes) == 1 else f"{len(deletes)} bots"
        found.append(f"{bots} would be deleted, more than {most} (max-deletes): {names}")
    return tuple(found)


def approval(plan: Plan) -> str:
    """What approves the deletes of this plan and of no other: 12 hex digits over all that it would do."""
    digests = sorted(change.digest for change in plan.changes() if change.verb.writes)
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:12]


def deletes(plan: Plan) -> Iterator[Change]:
    """The deletes that the limits count."""
    return (change for change in plan.changes() if _is_delete(change))


def _is_delete(change: Change) -> bool:
    return change.of is Of.BOT and change.verb is Verb.DELETE and not change.other


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(every[:_MOST_NAMES]) + more
