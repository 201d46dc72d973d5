"""What was done: how each change of a plan ended. Frozen values."""

from __future__ import annotations

from enum import StrEnum

from reconciler.domain.plan import Change
from reconciler.domain.records import dataclass


class Outcome(StrEnum):
    """How a change ended."""

    APPLIED = "applied"
    FAILED = "failed"
    STALE = "stale"  # the bot moved since the plan was made
    SKIPPED = "skipped"  # it needs another change that was not applied
    NOT_ATTEMPTED = "not attempted"  # the run ended before its turn


@dataclass(frozen=True, slots=True)
class Result:
    """How one change ended. detail: a sentence with the server's own words where there are any."""

    change: Change
    outcome: Outcome
    detail: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """How an apply ended: every writing change of the plan, in the plan's order.

    signal: the number of the signal that ended it early. missing: the shards of which nothing is known.
    """

    results: tuple[Result, ...]
    signal: int | None = None
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every change was applied."""
        whole = self.signal is None and not self.missing
        return whole and all(r.outcome is Outcome.APPLIED for r in self.results)

    @property
    def complete(self) -> bool:
        """Whether the run came to its end: no change was left for another one."""
        return self.signal is None and all(r.outcome is not Outcome.NOT_ATTEMPTED for r in self.results)
