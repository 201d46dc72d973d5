"""One value in the text of a manifest → the splices that write another one over it."""

from __future__ import annotations

from collections.abc import Iterator

from ruamel.yaml.nodes import ScalarNode

from reconciler.domain.records import dataclass
from reconciler.yaml import emit
from reconciler.yaml.blocks import Block
from reconciler.yaml.lists import Splice, comment
from reconciler.yaml.spans import Entry, Spans, is_block
from reconciler.yaml.writer import Put, Writer


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is. column: of its key or dash. flow: whether in brackets or braces."""

    entry: Entry
    column: int
    flow: bool


def value(
    spans: Spans, writer: Writer, place: Place, tree: emit.Tree, style: str | None = None, anchor: str = ""
) -> Iterator[Splice]:
    """Write over a value that is no block scalar. anchor: to write before the new value."""
    entry = place.entry
    start, kept = spans.inside(entry)
    anchor += kept
    if place.flow:
        yield Splice(start, entry.end, anchor + writer.inline(tree, style))
        return
    first, rest = writer.lines(tree, place.column, style, before=_comment(spans, entry))
    if is_block(entry):
        yield Splice(start, start, first)
        yield from _lines(spans, writer, entry, rest)
        return
    first = (anchor + first.lstrip(" ")).rstrip(" ")
    yield Splice(start if first else spans.blanks(start), entry.end, first)
    if rest:
        below = spans.after(entry.end)
        yield Splice(below, below, rest)


def _lines(spans: Spans, writer: Writer, entry: Entry, new: str) -> Iterator[Splice]:
    """Replace the lines of a mapping or list; the comments after its values and between its items stay."""
    for number, part in enumerate(spans.parts(entry.node)):
        after = _comment(spans, part)
        kept = f"{' ' * spans.column(part.start)}{after}{writer.newline}" if after else ""
        yield Splice(spans.line(part.start), spans.after(part.end), kept if number else new + kept)


def block(spans: Spans, writer: Writer, place: Place, put: Put) -> Iterator[Splice]:
    """Write over a block scalar; the comment after its header stays."""
    found = Block.find(spans.text, place.entry.node, spans.content(place.entry))
    ends = found.whole == len(spans.text) and str(put.after).endswith("\n")
    tree, made = writer.tree(put), None
    if isinstance(tree, str) and isinstance(put.before, str) and isinstance(put.after, str):
        made = found.changed(put.before, put.after, writer.literal, place.column, writer.newline)
    if made is not None:
        header, lines = made
        yield Splice(found.start, found.header, header)
        yield Splice(found.body, found.end, lines, ends)
        return
    first, rest = writer.lines(tree, place.column, found.sign, before=comment(spans, found.header))
    yield Splice(found.start, found.header, first.lstrip(" "))
    yield Splice(found.body, found.whole, rest, ends)


def _comment(spans: Spans, entry: Entry) -> str:
    """The comment on the line where a value ends; of a block scalar, after its header."""
    node, at = entry.node, entry.end
    if isinstance(node, ScalarNode) and node.style in ("|", ">") and not entry.alias:
        at = Block.find(spans.text, node, spans.content(entry)).header
    return comment(spans, at) if spans.text[at - 1] != "\n" else ""
