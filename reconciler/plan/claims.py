"""Which bots have which claims, looked up by bot and by claim."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Set

from reconciler.domain.uniqueness import Claim, describe


class ClaimIndex:
    """The claims of an instance's bots."""

    def __init__(self) -> None:
        self._labels: dict[Claim, set[str]] = {}
        self._claims: dict[str, frozenset[Claim]] = {}
        self._by_name: dict[Claim, list[str]] = {}  # heaps, of the claims whose first bot was asked for

    def put(self, label: str, claims: frozenset[Claim]) -> frozenset[Claim]:
        """Replace the claims of one bot. Returns those that it has lost."""
        before = self.claims(label)
        for claim in before - claims:
            self._labels[claim].discard(label)
        for claim in claims - before:
            self._labels.setdefault(claim, set()).add(label)
            if claim in self._by_name:
                heapq.heappush(self._by_name[claim], label)
        self._claims[label] = claims
        return before - claims

    def claims(self, label: str) -> frozenset[Claim]:
        """The claims of one bot."""
        return self._claims.get(label, frozenset())

    def labels(self, claim: Claim) -> Set[str]:
        """The bots that have a claim."""
        return self._labels.get(claim, _NOBODY)

    def others(self, claims: Iterable[Claim], label: str) -> set[tuple[str, Claim]]:
        """The other bots that have one of these claims, and which one."""
        return {(other, claim) for claim in claims for other in self.labels(claim) if other != label}

    def has_other(self, claim: Claim, label: str) -> bool:
        """Whether another bot has a claim."""
        return len(self.labels(claim)) > (label in self.labels(claim))

    def first_other(self, claim: Claim, label: str) -> str | None:
        """The other bot, the first by name, that has a claim."""
        labels = self.labels(claim)
        if len(labels) <= 1:
            return next((other for other in labels if other != label), None)
        if claim not in self._by_name:
            self._by_name[claim] = sorted(labels)
        heap, its_own = self._by_name[claim], False
        while heap and (heap[0] == label or heap[0] not in labels):
            its_own |= heapq.heappop(heap) == label
        found = next(iter(heap), None)
        if its_own and label in labels:
            heapq.heappush(heap, label)
        return found


_NOBODY: frozenset[str] = frozenset()


def listed(claims: Iterable[Claim]) -> str:
    """The claims for a sentence."""
    return " and ".join(describe(claim) for claim in sorted(claims))
