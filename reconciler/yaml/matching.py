"""Which piece of the old a piece of the new is: lines of a text, items of a list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


def reused(
    old: Sequence[str], source: Sequence[str], new: Sequence[str], fresh: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """For every new piece of a text its source: the old one's where the piece is old, else a fresh one.

    With the old piece's number, -1 for a fresh one. old and source, new and fresh are of one length.
    """
    for what, i, _, j, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for step in range(end - j):
            yield (i + step, source[i + step]) if what == "equal" else (-1, fresh[j + step])


@dataclass(frozen=True, slots=True)
class Matched:
    """What becomes of a list's items. All are numbers of old items by those of new ones.

    stays: the place of the old one is the new one's, whether or not it says the same; both rise. moves: the
    old one says the same elsewhere. An old item in neither goes, a new one in neither comes.
    """

    stays: dict[int, int]
    moves: dict[int, int]

    @classmethod
    def of(cls, old: Sequence[str], new: Sequence[str], *, in_place: bool = False) -> Matched:
        """in_place: an item that moves still leaves its place to the next best, so both have the number."""
        stays: dict[int, int] = {}
        moves: dict[int, int] = {}
        others: list[tuple[range, range]] = []
        for what, i, i_end, j, j_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if what == "equal":
                stays.update(zip(range(j, j_end), range(i, i_end), strict=True))
            else:
                others.append((range(i, i_end), range(j, j_end)))
        free: dict[str, list[int]] = {}
        for left, _ in others:
            for i in left:
                free.setdefault(old[i], []).append(i)
        for _, came in others:
            moves.update((j, free[new[j]].pop(0)) for j in came if free.get(new[j]))
        away = set() if in_place else set(moves.values())
        for left, came in others:
            places = (i for i in left if i not in away)
            stays.update(zip((j for j in came if in_place or j not in moves), places, strict=False))
        return cls(dict(sorted(stays.items())), moves)
