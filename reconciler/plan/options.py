"""What a plan may do, and for whom. Options are given by the command line and change nothing themselves."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.domain.plan import Change


@dataclass(frozen=True, slots=True)
class Options:
    """What a plan may do. replace: recreate bots that differ. prune: delete orphans, within both limits.

    max_deletes: in the whole run. max_delete_share: percent of the bots on an instance that are ours.
    reviewed: the digests of the changes that may be made; all others are blocked. None: there is no review.
    made_again: the instances that were recreated under their names since the review.
    needs_keys: the plan is to be applied now, so what needs a key that is not available is a conflict.
    """

    owner: str = "gitops"
    replace: bool = False
    prune: bool = False
    max_deletes: int = 5
    max_delete_share: int = 50
    reviewed: frozenset[str] | None = None
    made_again: frozenset[str] = frozenset()
    needs_keys: bool = False

    def unreviewed(self, change: Change) -> str:
        """Why a change is blocked that is not among the reviewed ones."""
        since = " since the instance was recreated" if change.instance in self.made_again else ""
        return f"nobody reviewed this {change.verb}{since}: {change.reason}"
