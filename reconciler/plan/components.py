"""What has something in common, if only by way of others: only that waits for each other. Union-find."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from enum import Enum
from typing import Generic, TypeVar

from reconciler.domain.uniqueness import Claim

T = TypeVar("T", bound=Hashable)


class Groups(Generic[T]):
    """Things that were joined, two at a time."""

    def __init__(self) -> None:
        self._parents: dict[T, T] = {}

    def join(self, one: T, other: T) -> None:
        """Note that two are of one group; one may be the other."""
        self._parents[self._root(other)] = self._root(one)

    def found(self) -> Iterator[set[T]]:
        """The groups of two and more."""
        members: dict[T, set[T]] = {}
        for one in self._parents:
            members.setdefault(self._root(one), set()).add(one)
        return (group for group in members.values() if len(group) > 1)

    def _root(self, one: T) -> T:
        while (parent := self._parents.setdefault(one, one)) != one:
            self._parents[one] = one = self._parents[parent]
        return one


class Mark(Enum):
    """What is known of a component."""

    PARKED = "one of its bots was parked"
    LEFT = "it is left as it is, as some of its bots exclude each other"


class Components:
    """A union-find of claims: which of them bots join, and how the sets that arise are marked."""

    def __init__(self) -> None:
        self._parents: dict[Claim, Claim] = {}
        self._marked: dict[Mark, set[Claim]] = {mark: set() for mark in Mark}

    def join(self, claims: Iterable[Claim]) -> None:
        """Note that one bot has all of these claims, at one time or another."""
        first: Claim | None = None
        for claim in claims:
            root = self._root(claim)
            if first is None:
                first = root
            elif root != first:
                self._parents[root] = first
                for marked in self._marked.values():
                    if root in marked:
                        marked.add(first)

    def mark(self, claims: Iterable[Claim], mark: Mark) -> None:
        """Mark the component of a bot by its claims."""
        self._marked[mark] |= {self._root(claim) for claim in claims}

    def is_marked(self, claims: Iterable[Claim], mark: Mark) -> bool:
        """Whether the component of a bot is marked."""
        return any(self._root(claim) in self._marked[mark] for claim in claims)

    def _root(self, claim: Claim) -> Claim:
        while (parent := self._parents.setdefault(claim, claim)) != claim:
            self._parents[claim] = claim = self._parents[parent]
        return claim
