"""Anchors of values that change or go: the first alias that stays takes the anchor and the old value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ruamel.yaml.nodes import Node, ScalarNode

from reconciler.domain.records import dataclass
from reconciler.yaml import replace
from reconciler.yaml.lists import Splice
from reconciler.yaml.replace import Place
from reconciler.yaml.spans import ANCHOR, Entry, Spans, in_brackets
from reconciler.yaml.tree import index, tag
from reconciler.yaml.writer import Put, Writer


@dataclass(frozen=True, slots=True)
class Anchors:
    """The anchors of a text. puts: every value that changes."""

    spans: Spans
    writer: Writer
    root: Node
    puts: Sequence[tuple[Entry, Put]]

    def changed_too(self, entry: Entry, put: Put) -> bool:
        """Whether the value that an alias repeats changes in the same way, so that the alias may stay."""
        return put.after in [each.after for at, each in self.puts if at.node is entry.node and not at.alias]

    def moved(self, entry: Entry, put: Put) -> tuple[str, list[Splice]]:
        """The anchor of a value that changes or goes, and the splices that move it to the first alias.

        The anchor is "" where it stays: the value has none, or no alias needs it.
        """
        anchor = ANCHOR.match(self.spans.text, entry.value)
        if anchor is None or self.spans.json or not (others := self._aliases(entry.node)):
            return "", []
        return anchor[0], list(self._written(entry, put, others[0], anchor[0]))

    def _written(self, entry: Entry, put: Put, first: Place, anchor: str) -> Iterator[Splice]:
        node = entry.node
        source = self.spans.text[entry.value + len(anchor) : entry.end].strip(" \t\r\n")
        text = node if isinstance(node, ScalarNode) and not tag(node) else None
        if "\n" not in source:
            if text and first.flow:  # what is plain here may need quotes there
                source = self.writer.inline(text.value, text.style or "")
            yield Splice(first.entry.value, first.entry.end, f"{anchor} {source}")
        elif text:
            yield from replace.value(self.spans, self.writer, first, text.value, anchor=f"{anchor} ")
        elif isinstance(put.before, str | tuple):
            tree = self.writer.tree(Put(None, put.before, put.files))
            yield from replace.value(self.spans, self.writer, first, tree, anchor=f"{anchor} ")

    def _aliases(self, node: Node) -> list[Place]:
        """The aliases of a node that don't change, in the order of the text."""
        found: list[Place] = []
        spans = self.spans

        def look(entry: Entry, *, flow: bool) -> None:
            if any(entry.value in range(put.value, put.end) for put, _ in self.puts):
                return
            if entry.alias:
                if entry.node is node:
                    found.append(Place(entry, spans.column(entry.start), flow))
                return
            for each in spans.parts(entry.node):
                look(each, flow=flow or in_brackets(entry.node))

        look(Entry(0, 0, self.root, index(self.root), len(spans.text), alias=False), flow=False)
        return found
