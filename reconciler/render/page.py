"""Parts of a page → the page, in so many bytes of UTF-8. Pure.

A job's summary is measured in bytes, and a comment in characters, of which there are never more. Every block
has a line that says what it is about; these come first. A block that takes more than its share of the rest is
shown in part: the beginning of each of its diffs. What is left out is counted, and not even made: blocks and
the lines of diffs are made when they are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from reconciler.domain.records import dataclass
from reconciler.domain.text import count
from reconciler.render.html import closed, code, fitting, size

NAME = 80  # characters of a name that is always shown

_NOTE = 400  # bytes for what is said about what is left out
_LEAST_SHARE = 2000  # bytes of a block that is shown in part; with less, fewer blocks are shown


@dataclass(frozen=True, slots=True)
class Part:
    """A block before it is made. changes: how many it is about."""

    changes: int
    make: Callable[[], Block]


@dataclass(frozen=True)
class Block:
    """A part that is shown whole, with the beginning of its diffs, as one line, or not at all.

    start: its text up to the diffs, made by `opened`. line: the one line.
    """

    start: str
    line: str
    diffs: tuple[Diff, ...]

    @cached_property
    def text(self) -> str:
        return closed(self.start, [each.text(len(each.lines)) for each in self.diffs])

    @cached_property
    def least(self) -> int:
        """Bytes that it takes without its diffs."""
        return size(closed(self.start, []))

    def cut(self, room: int) -> str:
        """As much as fits into so many bytes, an equal part of each diff; "" where nothing of a diff does."""
        shown: list[str] = []
        room -= self.least
        for number, each in enumerate(self.diffs):
            part = each.cut(room // (len(self.diffs) - number))
            room -= size(part)
            shown.append(part)
        return closed(self.start, shown) if room >= 0 and any(shown) else ""


@dataclass(frozen=True)
class Diff:
    """A text that differs: its name, the lines of its diff, and a sentence about it of our own."""

    title: str
    make: Callable[[], tuple[str, ...]]
    note: str = ""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return self.make()

    def text(self, number: int) -> str:
        """The first lines, in a fence that none of them closes, and how many are left out."""
        shown, rest = self.lines[:number], len(self.lines) - number
        longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        note = f"<p>{count(rest, 'more line')} of this diff left out.</p>"
        about = f": {self.note}" if self.note else ""
        diff = [f"<p>{code(self.title)}{about}</p>", "", f"{fence}diff", *shown, fence]
        return "\n".join([*diff, "", note] if rest else diff)

    def cut(self, room: int) -> str:
        """As many lines as fit into so many bytes; "" where none does."""
        if size(f"<p>{code(self.title)}</p>") > room:
            return ""
        if size(whole := self.text(len(self.lines))) <= room:
            return whole
        number = len(fitting(self.lines, room, between=1))
        while number > 0 and size(part := self.text(number)) > room:
            over = size(part) - room
            while number > 0 and over > 0:  # at least what is too much
                number -= 1
                over -= len(self.lines[number].encode()) + 1
        return self.text(number) if number > 0 else ""


def page(head: Sequence[str], parts: Sequence[Part], foot: str, most: int, more: str) -> str:
    """The whole page if it has at most `most` bytes, else as much of its blocks as fits.

    more: a sentence that says where the whole plan is. The lines of blocks take half of the room at most. A
    block that is larger than its share of the rest is cut to its share; what smaller blocks do not use is
    shared among the others.
    """
    room = most - size(*head, more, foot) - _NOTE
    blocks, whole = _made(parts, most, room // 2)
    page = _joined([*head, *(block.text for block in blocks), foot]) if whole else ""
    if whole and len(page.encode()) <= most:
        return page
    lines = _with_lines(blocks, room // 2)
    room -= sum(size(block.line) for block in lines)
    share = _share_of(lines, room)
    shown: list[str] = []
    folded: list[Part] = []
    cut: list[Part] = []
    for part, block in zip(parts, lines, strict=False):
        most_here = size(block.line) + min(share, room)
        text = block.text if block.least <= most_here else ""
        if size(text) > most_here:
            text = block.cut(most_here)
            cut += [part] if text else []
        if not text:
            folded.append(part)
            text = block.line
        shown.append(text)
        room -= size(text) - size(block.line)
    left = parts[len(lines) :]
    return _joined([*head, *shown, _left_out(left, folded, cut), more, foot])


def _made(parts: Sequence[Part], most: int, lines: int) -> tuple[list[Block], bool]:
    """The blocks that may be on a page of so many bytes, and whether it may hold all of them in full.

    lines: bytes for the lines of blocks, where it does not.
    """
    blocks: list[Block] = []
    for part in parts:
        if most < 0 and lines < 0:
            break
        block = part.make()
        blocks.append(block)
        lines -= size(block.line)
        if most >= 0:
            most -= block.least if block.least > most else size(block.text)
    return blocks, most >= 0


def _share_of(blocks: Sequence[Block], room: int) -> int:
    """The most bytes that each block may have beside its line."""
    least = min(_LEAST_SHARE, room)
    if _share([max(block.least - size(block.line), 0) for block in blocks], room) <= least:
        return least  # with their diffs, each has less still
    return max(_share([max(size(block.text) - size(block.line), 0) for block in blocks], room), least)


def _with_lines(blocks: Sequence[Block], room: int) -> list[Block]:
    """The first blocks whose lines fit into so many bytes."""
    return list(blocks[: len(fitting([block.line for block in blocks], room))])


def _share(sizes: Sequence[int], room: int) -> int:
    """The most bytes that each may have: what those with less leave over is shared among the others."""
    for number, needed in enumerate(sorted(sizes)):
        if needed * (len(sizes) - number) > room:
            return room // (len(sizes) - number)
        room -= needed
    return room


def _left_out(left: Sequence[Part], folded: Sequence[Part], cut: Sequence[Part]) -> str:
    """How many changes are left out, are shown as a line, and are shown in part."""
    said = []
    if left:
        said.append(f"Left out: {_number(left)}.")
    if folded:
        said.append(f"Without details: {_number(folded)}.")
    if cut:
        said.append(f"Shown in part: {_number(cut)}.")
    said += ["<code>reconciler show --format json</code> shows everything."]
    return f"<p><b>Too long to show in full.</b> {' '.join(said)}</p>"


def _number(parts: Sequence[Part]) -> str:
    """How many changes in how many groups the parts are about, and how many other ones there are."""
    about = [part.changes for part in parts if part.changes]
    others = len(parts) - len(about)
    said = [f"{count(sum(about), 'change')} in {count(len(about), 'group')}"] if about else []
    return " and ".join([*said, *([count(others, "other block")] if others else [])])


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
