"""Block scalars (`|` and `>`) in the text of a manifest: where they end, and how their text is changed.

A line of the text that does not change keeps its line of the source, with its line break and its blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ruamel.yaml.nodes import Node

from reconciler.domain.records import dataclass
from reconciler.yaml import emit
from reconciler.yaml.matching import reused

_HEADER = re.compile(r"([|>])([+\-0-9]*)")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class CannotEditError(Exception):
    """Why a text cannot be edited: a sentence."""


class _UnfitError(Exception):
    """A line cannot be written in a block of this style."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block scalar. Places are indexes of the whole text.

    start, header: the beginning and the end of its header, without a comment. body, end: of its lines,
    without the blank lines after them; whole: the end with those that belong to its text.
    """

    sign: str
    given: str
    indent: int
    start: int
    header: int
    body: int
    end: int
    whole: int
    lines: tuple[str, ...]

    @classmethod
    def find(cls, text: str, node: Node, start: int) -> Block:
        """The scalar whose header starts at start."""
        header = _HEADER.search(text, start)
        if header is None:
            raise CannotEditError("a text is written in a way that is not understood: change it by hand")
        body = text.find("\n", header.end()) + 1 or len(text)
        behind = max(int(node.end_mark.index), body)
        lines = _LINE.findall(text[body:behind])
        filled = next((line for line in lines if line.strip(" \r\n")), "")
        value = next((line for line in node.value.split("\n") if line.strip(" ")), "")
        indent = _blanks(filled) - _blanks(value) if filled else 0
        while lines and _is_blank(lines[-1], indent):
            lines.pop()
        end = body + sum(map(len, lines))
        whole = behind if "+" in header[2] else end
        return cls(header[1], header[2], indent, start, header.end(), body, end, whole, tuple(lines))

    def changed(
        self, before: str, after: str, literal: Callable[[str], str], column: int, newline: str
    ) -> tuple[str, str] | None:
        """The header and the lines for another text, None when a block of this style cannot hold it.

        before: the current text; the lines may differ from it, as variables are filled in. literal: escapes a
        text. column: of the key or dash that the scalar belongs to.
        """
        if not after.strip():
            return None
        tail, kept = _tail(after), _tail(before)
        chomp = self.given.strip("0123456789")
        if tail != kept:
            if chomp == "+" or tail > 1:
                return None
            chomp = "" if tail else "-"
        write = _literal if self.sign == "|" else _folded
        try:
            lines, indented = write(self, before, after, literal, newline)
        except _UnfitError:
            return None
        digit = self.given.strip("+-")
        if indented and not digit:
            digit = str(self.indent - column)
        # Where neither digit nor sign changes, their order is kept.
        same = digit == self.given.strip("+-") and chomp == self.given.strip("0123456789")
        return self.sign + (self.given if same else digit + chomp), "".join(lines)


def _literal(
    block: Block, before: str, after: str, literal: Callable[[str], str], newline: str
) -> tuple[list[str], bool]:
    pad = " " * block.indent
    new, old = after.rstrip("\n").split("\n"), before.rstrip("\n").split("\n")

    def fresh(j: int) -> str:
        if not emit.visible(new[j]):
            raise _UnfitError
        return (pad + literal(new[j]) if new[j] else "") + newline

    indented = after.lstrip("\n")[0] in " \t"
    if len(old) != len(block.lines):  # no line of the text can be told from another
        return [fresh(j) for j in range(len(new))], indented
    return [line for _, line in reused(old, block.lines, new, fresh)], indented


def _folded(
    block: Block, before: str, after: str, literal: Callable[[str], str], newline: str
) -> tuple[list[str], bool]:
    """The lines by paragraphs: one that does not change keeps its lines, others are folded again."""
    if re.search(r"(?m)^[ \t]", before) or after.startswith("\n"):
        raise _UnfitError
    pad = " " * block.indent
    new = after.rstrip("\n").split("\n")
    filled = list(filter(None, new))
    groups, gaps = _paragraphs(block.lines)
    folds = any(group.count("\n") > 1 for group in groups)
    longest = max(len(line.rstrip("\r\n")) for line in block.lines)
    width = longest if folds and longest > emit.WIDTH // 2 else emit.WIDTH

    def fresh(j: int) -> str:
        source = emit.scalar(literal(filled[j]), indent=block.indent - 2, style=">", width=width)
        if not source.startswith(">"):
            raise _UnfitError
        return "".join(f"{pad}{line.lstrip(' ')}{newline}" for line in source.split("\n")[1:])

    old = list(filter(None, before.split("\n")))
    if len(old) != len(groups):
        old, groups, gaps = [], [], []
    chosen = list(reused(old, groups, filled, fresh))
    lines: list[str] = []
    last, wanted = -2, 0
    pieces = iter(chosen)
    for line in new:
        if not line:
            wanted += 1
            continue
        number, source = next(pieces)
        if lines:
            gap = gaps[last] if number == last + 1 and last >= 0 else []
            lines += gap if len(gap) == wanted + 1 else [newline] * (wanted + 1)
        lines += _LINE.findall(source)
        last, wanted = number if number >= 0 else -2, 0
    return lines, False


def _paragraphs(lines: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The runs of lines that are not blank, and the blank lines after each."""
    groups: list[str] = []
    gaps: list[list[str]] = []
    for line in lines:
        if not line.strip(" \r\n"):
            if gaps:
                gaps[-1].append(line)
        elif groups and not gaps[-1]:
            groups[-1] += line
        else:
            groups.append(line)
            gaps.append([])
    return groups, gaps


def _tail(text: str) -> int:
    """How many line breaks end the text."""
    return len(text) - len(text.rstrip("\n"))


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_blank(line: str, indent: int) -> bool:
    line = line.rstrip("\r\n")
    return not line.strip(" ") and len(line) <= indent
