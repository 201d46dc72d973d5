"""Parts of a page → the page, in so many bytes of UTF-8. Pure.

A job's summary is measured in bytes, and a comment in characters, of which there are never more. A block that
takes more than its share of the room is shown in part: the beginning of each of its diffs. What is left out
is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.render.html import closed, code, fitting, size
from reconciler.render.values import count

NAME = 80  # characters of a name that is always shown

_NAMED = 20  # instances that are named when bots are left out,
_NOTE = 3000  # and bytes for that
_LEAST_SHARE = 2000  # bytes of a block that is shown in part; with less, fewer blocks are shown


@dataclass(frozen=True, slots=True)
class Block:
    """A part that is shown whole, with the beginning of its diffs, or not at all.

    start: its text up to the diffs, made by `opened`. stub: shown instead where the start alone is larger
    than the block's share of the page.
    """

    instance: str
    start: str
    stub: str
    diffs: tuple[Diff, ...] = ()
    is_bot: bool = True

    @property
    def text(self) -> str:
        return closed(self.start, [each.text(len(each.lines)) for each in self.diffs])

    def cut(self, room: int) -> str:
        """As much as fits into so many bytes, an equal part of each diff; "" where nothing of a diff does."""
        shown: list[str] = []
        room -= size(closed(self.start, []))
        for number, each in enumerate(self.diffs):
            part = each.cut(room // (len(self.diffs) - number))
            room -= size(part)
            shown.append(part)
        return closed(self.start, shown) if room >= 0 and any(shown) else ""


@dataclass(frozen=True, slots=True)
class Diff:
    """A text that differs: its name, and the lines of its diff."""

    title: str
    lines: tuple[str, ...]

    def text(self, number: int) -> str:
        """The first lines, in a fence that none of them closes, and how many are left out."""
        shown, rest = self.lines[:number], len(self.lines) - number
        longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        note = f"<p>{count(rest, 'more line')} of this diff left out.</p>"
        diff = [f"<p>{code(self.title)}</p>", "", f"{fence}diff", *shown, fence]
        return "\n".join([*diff, "", note] if rest else diff)

    def cut(self, room: int) -> str:
        """As many lines as fit into so many bytes; "" where none does."""
        if size(whole := self.text(len(self.lines))) <= room:
            return whole
        number = len(fitting(self.lines, room, between=1))
        while number > 0 and size(part := self.text(number)) > room:
            over = size(part) - room
            while number > 0 and over > 0:  # at least what is too much
                number -= 1
                over -= len(self.lines[number].encode()) + 1
        return self.text(number) if number > 0 else ""


def page(head: Sequence[str], blocks: Sequence[Block], foot: str, most: int, more: str) -> str:
    """The whole page if it has at most `most` bytes, else as many blocks as fit.

    more: a sentence that says where the whole plan is. A block that is larger than its share of the room is
    cut to its share; what smaller blocks do not use is shared among the others.
    """
    page = _joined([*head, *(block.text for block in blocks), foot])
    if len(page.encode()) <= most:
        return page
    note = min((most - size(more)) // 8, _NOTE)
    room = most - size(*head, more, foot) - note
    share = max(_share([size(block.text) for block in blocks], room), min(_LEAST_SHARE, room))
    shown: list[str] = []
    left: list[Block] = []
    cut = 0
    for block in blocks:
        part = block.text
        if size(part) > min(share, room):
            part = block.cut(min(share, room))
            cut += bool(part)
            if not part:
                left.append(block)
                part = block.stub if size(block.text) > share else ""
        if part and size(part) <= room:
            shown.append(part)
            room -= size(part)
    return _joined([*head, *shown, _left_out(left, cut, note), more, foot])


def _share(sizes: Sequence[int], room: int) -> int:
    """The most bytes that each may have: what those with less leave over is shared among the others."""
    for number, needed in enumerate(sorted(sizes)):
        if needed * (len(sizes) - number) > room:
            return room // (len(sizes) - number)
        room -= needed
    return room


def _left_out(blocks: Sequence[Block], cut: int, room: int) -> str:
    """How many bots of which instances are left out, and how many are shown in part."""
    bots = Counter(block.instance for block in blocks if block.is_bot)
    calls = sum(not block.is_bot for block in blocks)
    parts = [f"{code(name, NAME)}: {number}" for name, number in bots.items()]
    shown = fitting(parts[:_NAMED], room - 270)
    if len(shown) < len(parts):
        shown.append(f"and on {count(len(parts) - len(shown), 'instance')} more")
    what = [f"{count(bots.total(), 'bot')} ({', '.join(shown)})"] if bots else []
    what += [f"the calls on {count(calls, 'instance')}"] if calls else []
    said = [f"Left out: {' and '.join(what)}."] if what else []
    said += [f"Shown in part: {count(cut, 'bot')}."] if cut else []
    said += ["<code>reconciler show --format json</code> shows everything."]
    return f"<p><b>Too long to show in full.</b> {' '.join(said)}</p>"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
