"""How a contradiction is reported: where it is, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Change


class ContradictionError(ReconcilerError):
    """A plan whose parts contradict each other. Nothing of it may be applied."""


def refuse(where: str, what: str) -> NoReturn:
    """Raises ContradictionError."""
    raise ContradictionError(f"{where}: {what}")


def refuse_change(change: Change, what: str) -> NoReturn:
    """Raises ContradictionError for a change."""
    refuse(f"{change.label} on {change.instance!r}", what)


def refuse_duplicates(where: str, what: str, names: Iterable[str]) -> None:
    """Raises ContradictionError if a name occurs more than once."""
    for name, number in Counter(names).items():
        if number > 1:
            refuse(where, f"{what} {name!r} occurs {number} times")
