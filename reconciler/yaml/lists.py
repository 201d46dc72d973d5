"""Items that are added, removed and moved in a list → splices.

An item that moves keeps its source. Where each item has lines of its own it takes them along, with the
comment after it; where items share lines, what is between them stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ruamel.yaml.nodes import SequenceNode

from reconciler.domain.records import dataclass
from reconciler.yaml.matching import Matched
from reconciler.yaml.spans import Entry, Spans
from reconciler.yaml.tree import index


class Splice(NamedTuple):
    """New text for what is between two places.

    ends: whether the line break that ends the whole text is now part of a value.
    """

    start: int
    stop: int
    text: str
    ends: bool = False


_COMMA = re.compile(r"[ \t]*,")
_REST_OF_LINE = re.compile(r"[ \t]*(?:(?<!\S)#[^\n]*?)?(?=\r?\n|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """The lines of one item: where they start, where the item ends, its comma, and the lines."""

    start: int
    end: int
    comma: int
    stop: int


@dataclass(frozen=True, slots=True)
class Items:
    """The old and new items of a list. Items are numbers: i of old ones, j of new ones.

    many: of new ones. flow: whether in brackets. rows: of old ones, None where some share lines. carried: the
    old item whose source a new one takes. gone: old items that no new one replaces.
    """

    spans: Spans
    old: Sequence[Entry]
    many: int
    flow: bool
    rows: Sequence[Row] | None
    matched: Matched
    carried: dict[int, int]
    gone: Sequence[int]

    @classmethod
    def of(
        cls, spans: Spans, node: SequenceNode, before: Sequence[str], after: Sequence[str], *, flow: bool
    ) -> Items:
        """before, after: the current and the new texts; neither is empty."""
        old = spans.items(node)
        rows = _rows(spans, old, flow=flow)
        matched = Matched.of(before, after, in_place=rows is None)
        stay = set(matched.stays.values())
        gone = [i for i in range(len(old)) if i not in stay]
        carried = {j: i for j, i in matched.moves.items() if _may_move(spans, old, i, leaves=i not in stay)}
        return cls(spans, old, len(after), flow, rows, matched, carried, gone)

    def source(self, i: int) -> str:
        """The source of an old item."""
        return self.spans.source[self.old[i].start : self.old[i].end]

    def splices(self, fresh: Callable[[int, Entry], str], newline: str) -> Iterator[Splice]:
        """The items that are added and removed, but not those that replace another.

        fresh: the source of a new item that resembles an old one: in brackets the item, else whole lines.
        """
        came: dict[int, list[int]] = {}
        at = 0
        for j in range(self.many):
            if j in self.matched.stays:
                at = self.matched.stays[j] + 1
            else:
                came.setdefault(at, []).append(j)
        if self.rows is not None:
            yield from self._in_rows(self.rows, came, fresh, newline)
            return
        for at, numbers in came.items():
            near = self.old[max(at - 1, 0)]
            texts = [self.source(self.carried[j]) if j in self.carried else fresh(j, near) for j in numbers]
            yield from added(self.spans, self.old, at, texts, newline)
        for first, behind in _runs(self.gone):
            yield self._without(first, behind)

    def _in_rows(
        self,
        rows: Sequence[Row],
        came: dict[int, list[int]],
        fresh: Callable[[int, Entry], str],
        newline: str,
    ) -> Iterator[Splice]:
        text, source = self.spans.text, self.spans.source
        ends = rows[-1].comma > rows[-1].end  # whether there is a comma after the last one

        def comma(j: int, row: Row | None = None) -> str:
            there = text[row.end : row.comma] if row else ""
            return (there or ",") if self.flow and (ends or j < self.many - 1) else ""

        for j, i in self.matched.stays.items():
            if text[rows[i].end : rows[i].comma] != comma(j, rows[i]):
                yield Splice(rows[i].end, rows[i].comma, comma(j, rows[i]))
        for at, numbers in came.items():
            near = max(at - 1, 0)
            lines = []
            for j in numbers:
                if j in self.carried:
                    row = rows[self.carried[j]]
                    lines.append(source[row.start : row.end] + comma(j, row) + source[row.comma : row.stop])
                elif self.flow:
                    pad = text[rows[near].start : self.old[near].start]
                    lines.append(f"{pad}{fresh(j, self.old[near])}{comma(j)}{newline}")
                else:
                    lines.append(fresh(j, self.old[near]))
            place = rows[near].stop if at else rows[0].start
            yield Splice(place, place, "".join(lines))
        for i in self.gone:
            yield Splice(rows[i].start, rows[i].stop, "")

    def _without(self, first: int, behind: int) -> Splice:
        """Remove items in brackets, but not all of them."""
        text, last = self.spans.text, self.old[behind - 1]
        if behind < len(self.old):
            return Splice(self.old[first].start, self.old[behind].start, "")
        if "#" not in text[self.old[first - 1].end : self.old[first].start]:
            return Splice(self.old[first - 1].end, last.end, "")
        start, stop = self.old[first].start, self.spans.skip(_COMMA, last.end)
        rest = _REST_OF_LINE.match(text, stop)
        alone = rest is not None and rest.end() == stop and not text[self.spans.line(start) : start].strip()
        return (
            Splice(self.spans.line(start), self.spans.after(stop), "") if alone else Splice(start, stop, "")
        )


def added(
    spans: Spans, entries: Sequence[Entry], at: int, texts: Sequence[str], newline: str
) -> Iterator[Splice]:
    """Insert items or keys in brackets before the one with this number, laid out like the others."""
    near = entries[at - 1] if at else entries[0]
    line = spans.text[spans.line(near.start) : near.start]
    apart = f"{newline}{line}" if not line.strip() and "\n" in spans.text[: near.start] else " "
    if not at:
        yield Splice(near.start, near.start, "".join(f"{text},{apart}" for text in texts))
        return
    comma = spans.skip(_COMMA, near.end)
    rest = _REST_OF_LINE.match(spans.text, comma)
    if apart == " " or rest is None:
        yield Splice(near.end, near.end, "".join(f",{apart}{text}" for text in texts))
        return
    if comma == near.end:
        yield Splice(near.end, near.end, ",")
    made = f",{apart}".join(texts)
    yield Splice(rest.end(), rest.end(), f"{apart}{made}{',' if comma > near.end else ''}")


def comment(spans: Spans, at: int) -> str:
    """The comment on the rest of a line; "" where there is none, or something else."""
    rest = _REST_OF_LINE.match(spans.text, at)
    return rest[0].strip(" \t") if rest else ""


def _rows(spans: Spans, items: Sequence[Entry], *, flow: bool) -> Sequence[Row] | None:
    found = []
    for item in items:
        start = spans.line(item.start)
        comma = spans.skip(_COMMA, item.end) if flow else item.end
        rest = _REST_OF_LINE.match(spans.text, comma)
        if flow and (spans.text[start : item.start].strip() or rest is None):
            return None
        found.append(Row(start, item.end, comma, spans.after(comma)))
    return found


def _may_move(spans: Spans, items: Sequence[Entry], i: int, *, leaves: bool) -> bool:
    """Whether its source may move within the list. leaves: whether its own place is gone."""
    item = items[i]
    if not item.alias and "&" in spans.text[item.value : spans.content(item)] and not leaves:
        return False
    aliased = any(other.alias and other.node is item.node for other in items)
    return index(item.node) < items[0].start or not aliased


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The runs of consecutive numbers: the first, and the one after the last."""
    first = behind = -1
    for number in numbers:
        if number != behind:
            if behind >= 0:
                yield first, behind
            first = number
        behind = number + 1
    if behind >= 0:
        yield first, behind
