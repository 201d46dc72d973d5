"""What two sequences of texts have in common: the lines of a text, the items of a list. Pure.

difflib's time is quadratic, and cubic at worst. So it compares short sequences only, and long ones are split
first at what occurs once in both, as in a patience diff: n log n. What is still long then, and repeats
itself, is compared coarsely.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from difflib import Match, SequenceMatcher

Stretch = tuple[range, range]
"""Numbers of old pieces and of new ones."""

_FEW = 10_000
"""The most pairs of pieces that are compared one by one."""

_DEEPEST = 20


class Matcher(SequenceMatcher[str]):
    """difflib's matcher, for sequences of any length.

    stretches: what they have in common, in its order. coarse: they may have more in common.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, "", "")
        self.a, self.b = old, new
        self.stretches, self.coarse = _common(old, new)

    def get_matching_blocks(self) -> list[Match]:
        """As difflib's, with the empty one at the end."""
        found = [Match(there.start, here.start, len(there)) for there, here in self.stretches]
        return [*found, Match(len(self.a), len(self.b), 0)]


def equal(old: Sequence[str], new: Sequence[str]) -> Sequence[Stretch]:
    """The stretches that both have in common, in their order."""
    return _common(old, new)[0]


def _common(old: Sequence[str], new: Sequence[str]) -> tuple[list[Stretch], bool]:
    """The stretches that both have in common, and whether there may be more."""
    found: list[Stretch] = []
    coarse = False
    todo = [(range(len(old)), range(len(new)), 0)]
    while todo:
        there, here, depth = todo.pop()
        before, after = old[there.start : there.stop], new[here.start : here.stop]
        if set(before).isdisjoint(after):
            continue
        if len(there) * len(here) <= _FEW:
            blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
            found += [(there[i : i + n], here[j : j + n]) for i, j, n in blocks if n]
            continue
        anchors = _anchors(old, there, new, here, repeated=depth >= _DEEPEST)
        if not anchors and depth < _DEEPEST:
            todo.append((there, here, _DEEPEST))
            continue
        found += [(range(i, i + 1), range(j, j + 1)) for i, j in anchors]
        ends = [*anchors, (there.stop, here.stop)]
        starts = [(there.start, here.start), *((i + 1, j + 1) for i, j in anchors)]
        gaps = (
            (range(i, i_end), range(j, j_end), depth + 1)
            for (i, j), (i_end, j_end) in zip(starts, ends, strict=True)
        )
        if depth < _DEEPEST:
            todo += gaps
        else:
            coarse = True
    return _joined(sorted(found, key=lambda pair: pair[0].start)), coarse


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
