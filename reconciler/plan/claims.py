"""Which bots have which claims, looked up by bot and by claim."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.domain.uniqueness import Claim, describe


class ClaimIndex:
    """The claims of an instance's bots."""

    def __init__(self) -> None:
        self._labels: dict[Claim, set[str]] = {}
        self._claims: dict[str, frozenset[Claim]] = {}

    def put(self, label: str, claims: frozenset[Claim]) -> None:
        """Replace the claims of one bot."""
        for claim in self._claims.pop(label, ()):
            self._labels[claim].discard(label)
        if claims:
            self._claims[label] = claims
            for claim in claims:
                self._labels.setdefault(claim, set()).add(label)

    def claims(self, label: str) -> frozenset[Claim]:
        """The claims of one bot."""
        return self._claims.get(label, frozenset())

    def labels(self, claim: Claim) -> set[str]:
        """The bots that have a claim."""
        return self._labels.get(claim, set())

    def others(self, claims: Iterable[Claim], label: str) -> set[tuple[str, Claim]]:
        """The other bots that have one of these claims, and which one."""
        return {(other, claim) for claim in claims for other in self.labels(claim) if other != label}


def listed(claims: Iterable[Claim]) -> str:
    """The claims for a sentence."""
    return " and ".join(describe(claim) for claim in sorted(claims))
