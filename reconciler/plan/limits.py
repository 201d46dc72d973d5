"""How much a plan may delete: a number in the whole run, and a share of each instance. Pure.

Looked at before any call, so that a mistake in the manifests is an error and not a loss. An instance of
three bots is protected by the share, one of fifty by the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Change, InstancePlan, Of, Verb

_OURS = frozenset({Verb.UPDATE, Verb.REPLACE, Verb.DELETE, Verb.ORPHAN})


class LimitError(ReconcilerError):
    """The plan would delete more than the limits allow; nothing was done."""


def check_deletes(plans: Sequence[InstancePlan], most: int, share: int) -> None:
    """Raises LimitError, with the list, when more bots would be deleted than most, or on an instance more
    than share percent of the bots that are ours.
    """
    errors = []
    deletes: list[Change] = []
    for plan in plans:
        gone = [change for change in plan.changes if change.verb is Verb.DELETE]
        ours = plan.in_sync + sum(c.of is Of.BOT and c.verb in _OURS for c in plan.changes)
        if len(gone) * 100 > ours * share:
            names = _listed(change.bot for change in gone)
            errors.append(
                f"{plan.name}: {len(gone)} of {ours} bots would be deleted, "
                f"more than {share} percent: {names}"
            )
        deletes += gone
    if len(deletes) > most:
        names = _listed(f"{change.instance}/{change.bot}" for change in deletes)
        errors.append(f"{len(deletes)} bots would be deleted, more than {most}: {names}")
    if errors:
        raise LimitError(
            "Nothing was done: the plan deletes too much.\n"
            + "\n".join(f"  {error}" for error in errors)
            + "\nIf you want that, raise --max-deletes or --max-delete-share."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
