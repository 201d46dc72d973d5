"""Matches new pieces with old ones: lines of a text, items of a list. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from reconciler.domain.records import dataclass
from reconciler.domain.sequences import equal


def reused(
    old: Sequence[str], source: Sequence[str], new: Sequence[str], fresh: Callable[[int], str]
) -> Iterator[tuple[int, str]]:
    """For every new piece the number and the source of the equal old one, else -1 and a fresh source.

    source: of each old piece. fresh: makes the source of the new piece with this number.
    """
    same = {j: i for there, here in equal(old, new) for i, j in zip(there, here, strict=True)}
    for j in range(len(new)):
        i = same.get(j, -1)
        yield i, fresh(j) if i < 0 else source[i]


@dataclass(frozen=True, slots=True)
class Matched:
    """Old items of a list by new ones, as numbers.

    stays: the old item in whose place the new one is, whether or not it is equal; both increase. moves: the
    equal old item from another place. Old items in neither are removed, new ones in neither are added.
    """

    stays: dict[int, int]
    moves: dict[int, int]

    @classmethod
    def of(cls, old: Sequence[str], new: Sequence[str], *, in_place: bool = False) -> Matched:
        """in_place: the place of an item that moves is given to another one, so that both have its number."""
        stays: dict[int, int] = {}
        moves: dict[int, int] = {}
        others: list[tuple[range, range]] = []
        i = j = 0
        for there, here in (*equal(old, new), (range(len(old), len(old)), range(len(new), len(new)))):
            others.append((range(i, there.start), range(j, here.start)))
            stays.update(zip(here, there, strict=True))
            i, j = there.stop, here.stop
        free: dict[str, deque[int]] = {}
        for left, _ in others:
            for i in left:
                free.setdefault(old[i], deque()).append(i)
        for _, came in others:
            moves.update((j, free[new[j]].popleft()) for j in came if free.get(new[j]))
        away = set() if in_place else set(moves.values())
        for left, came in others:
            places = (i for i in left if i not in away)
            stays.update(zip((j for j in came if in_place or j not in moves), places, strict=False))
        return cls(dict(sorted(stays.items())), moves)
