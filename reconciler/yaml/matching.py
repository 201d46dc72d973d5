"""Matches new pieces with old ones: lines of a text, items of a list. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Stretch = tuple[range, range]
"""Numbers of old pieces and of new ones."""

_FEW = 10_000
"""The most pairs of pieces that are compared one by one."""

_DEEPEST = 20


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


def equal(old: Sequence[str], new: Sequence[str]) -> list[Stretch]:
    """The stretches that both have in common, in their order.

    difflib compares few pieces; its time is cubic at worst. Many are split at the pieces that occur once in
    both, as in a patience diff.
    """
    found: list[Stretch] = []
    todo = [(range(len(old)), range(len(new)), 0)]
    while todo:
        there, here, depth = todo.pop()
        if len(there) * len(here) <= _FEW:
            blocks = SequenceMatcher(
                None, old[there.start : there.stop], new[here.start : here.stop], autojunk=False
            ).get_matching_blocks()
            found += [(there[i : i + n], here[j : j + n]) for i, j, n in blocks if n]
            continue
        anchors = _anchors(old, there, new, here, repeated=depth >= _DEEPEST)
        if not anchors and depth < _DEEPEST:
            todo.append((there, here, _DEEPEST))
            continue
        found += [(range(i, i + 1), range(j, j + 1)) for i, j in anchors]
        ends = [*anchors, (there.stop, here.stop)]
        starts = [(there.start, here.start), *((i + 1, j + 1) for i, j in anchors)]
        if depth < _DEEPEST:
            todo += [
                (range(i, i_end), range(j, j_end), depth + 1)
                for (i, j), (i_end, j_end) in zip(starts, ends, strict=True)
            ]
    return _joined(sorted(found, key=lambda pair: pair[0].start))


def _anchors(
    old: Sequence[str], there: range, new: Sequence[str], here: range, *, repeated: bool
) -> list[tuple[int, int]]:
    """The longest common subsequence of the pieces that occur once in each.

    repeated: with the other pieces too, the first one with the first one, and so on.
    """
    places: list[dict[tuple[str, int], int]] = []
    for pieces, part in ((old, there), (new, here)):
        count: dict[str, int] = {}
        numbered: dict[tuple[str, int], int] = {}
        for at in part:
            count[pieces[at]] = number = count.get(pieces[at], -1) + 1
            numbered[pieces[at], number] = at
        places.append({key: at for key, at in numbered.items() if repeated or not count[key[0]]})
    # The longest increasing subsequence.
    lasts: list[int] = []
    pairs: list[tuple[int, int]] = []
    before: dict[tuple[int, int], tuple[int, int] | None] = {}
    for key, i in places[0].items():
        j = places[1].get(key)
        if j is None:
            continue
        at = bisect_left(lasts, j)
        before[i, j] = pairs[at - 1] if at else None
        lasts[at : at + 1] = [j]
        pairs[at : at + 1] = [(i, j)]
    found: list[tuple[int, int]] = []
    pair = pairs[-1] if pairs else None
    while pair is not None:
        found.append(pair)
        pair = before[pair]
    return found[::-1]


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The same stretches, with adjacent ones joined."""
    found: list[Stretch] = []
    for there, here in stretches:
        if found and found[-1][0].stop == there.start and found[-1][1].stop == here.start:
            found[-1] = range(found[-1][0].start, there.stop), range(found[-1][1].start, here.stop)
        else:
            found.append((there, here))
    return found


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
