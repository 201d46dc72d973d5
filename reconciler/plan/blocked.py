"""The transitions of an instance that are impossible, and those that they make impossible in turn. Pure.

A bot whose transition is impossible stays as it is, with all that it holds. So whatever takes any of that is
impossible too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.uniqueness import Claim, holds, takes
from reconciler.plan.claims import ClaimIndex, listed
from reconciler.plan.simulation import Transition


class Impossible(NamedTuple):
    """Why a transition cannot be made, and the labels or ids of the bots that stand in its way."""

    reason: str
    by: tuple[str, ...]


class Blocked:
    """The impossible transitions: at first those whose target takes what a fixed bot holds.

    why: by label.
    """

    def __init__(
        self, transitions: Mapping[str, Transition], fixed: Mapping[str, Fields], kind: Kind
    ) -> None:
        self.why: dict[str, Impossible] = {}
        self._transitions, self._kind = transitions, kind
        self._held, self._wanted = ClaimIndex(), ClaimIndex()
        for name, fields in fixed.items():
            self._held.put(name, holds(kind, fields))
        for label, transition in transitions.items():
            if transition.target is not None:
                self._wanted.put(label, takes(kind, transition.target))
        self._spread(fixed)

    def starts(self) -> dict[str, Fields]:
        """Where the bots stay whose transitions are impossible."""
        return {label: start for label in self.why if (start := self._transitions[label].start) is not None}

    def add(self, found: Mapping[str, Impossible]) -> list[str]:
        """Block those of these bots that have a transition; all transitions, where none of them has one.

        Returns the labels that are blocked by that, also in turn.
        """
        ours = {label: why for label, why in found.items() if label in self._transitions}
        if not ours:
            rest = [label for label in self._transitions if label not in self.why]
            ours = dict.fromkeys(rest, next(iter(found.values())))
        self._block(ours)
        return [*ours, *self._spread(ours)]

    def _spread(self, staying: Iterable[str]) -> list[str]:
        """Block whatever takes what one of these bots holds, and so on. Returns what is blocked so."""
        blocked: list[str] = []
        while staying:
            waiting = {
                label
                for name in staying
                for claim in self._held.claims(name)
                for label in self._wanted.labels(claim)
                if label != name
            }
            found = {label: self._impossible(label) for label in sorted(waiting)}
            self._block(found)
            blocked += found
            staying = found
        return blocked

    def _impossible(self, label: str) -> Impossible:
        """Why a transition is impossible of which at least one claim is held."""
        by: dict[str, list[Claim]] = {}
        for name, claim in sorted(self._held.others(self._wanted.claims(label), label)):
            by.setdefault(name, []).append(claim)
        return Impossible(
            " and ".join(f"{name} holds {listed(claims)}" for name, claims in by.items()), tuple(by)
        )

    def _block(self, found: Mapping[str, Impossible]) -> None:
        self.why |= found
        for label in found:
            self._wanted.put(label, frozenset())
            if (start := self._transitions[label].start) is not None:
                self._held.put(label, holds(self._kind, start))
