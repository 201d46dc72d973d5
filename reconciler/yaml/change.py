"""A value to change → its splices, which keep anchors, aliases, comments and the items of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ruamel.yaml.nodes import ScalarNode, SequenceNode

from reconciler.domain.records import dataclass
from reconciler.yaml import replace
from reconciler.yaml.anchors import Anchors
from reconciler.yaml.lists import Items, Splice
from reconciler.yaml.replace import Place
from reconciler.yaml.spans import Entry, Spans, in_brackets
from reconciler.yaml.tree import tag
from reconciler.yaml.writer import Put, Writer


@dataclass(frozen=True, slots=True)
class Changer:
    """Makes the splices for the values of one text, one value at a time."""

    spans: Spans
    writer: Writer
    anchors: Anchors

    def change(self, place: Place, put: Put) -> Iterator[Splice]:
        """Write over a value; other places that share it by an anchor or alias keep theirs."""
        entry = place.entry
        if entry.alias:
            if not self.anchors.changed_too(entry, put):
                yield from self._put(place, put)
            return
        yield from self._put(place, put)
        anchor, splices = self.anchors.moved(entry, put)
        yield from splices
        if anchor:
            yield Splice(self.spans.blanks(entry.value), entry.value + len(anchor), "")

    def _put(self, place: Place, put: Put) -> Iterator[Splice]:
        entry, before, after = place.entry, put.before, put.after
        node = entry.node
        style = node.style if isinstance(node, ScalarNode) and not entry.alias and not tag(node) else None
        if (
            isinstance(node, SequenceNode)
            and not entry.alias
            and (isinstance(before, tuple) and isinstance(after, tuple))
            and (before and after and len(before) == len(node.value))
        ):
            flow = place.flow or in_brackets(node)
            items = Items.of(self.spans, node, before, after, flow=flow)
            return self._list(items, before, after, put)
        if style in ("|", ">"):
            return replace.block(self.spans, self.writer, place, put)
        return replace.value(self.spans, self.writer, place, self.writer.tree(put), style)

    def _list(self, items: Items, before: Sequence[str], after: Sequence[str], put: Put) -> Iterator[Splice]:
        """Change a list item by item; an item that stays or moves keeps its source."""
        for i in sorted(set(items.gone).difference(items.carried.values())):
            yield from self.anchors.moved(items.old[i], Put(before[i], "", put.files))[1]
        for j, i in items.matched.stays.items():
            entry = items.old[i]
            if after[j] == before[i]:
                continue
            if j in items.carried and "&" not in self.spans.text[entry.value : self.spans.content(entry)]:
                yield Splice(entry.start, entry.end, items.source(items.carried[j]))
            else:
                place = Place(entry, self.spans.column(entry.start), items.flow)
                yield from self.change(place, Put(before[i], after[j], put.files))

        def fresh(j: int, near: Entry) -> str:
            old = items.old[items.matched.moves[j]] if j in items.matched.moves else near
            return self._item(items, after[j], old, put)

        yield from items.splices(fresh, self.writer.newline)

    def _item(self, items: Items, text: str, like: Entry, put: Put) -> str:
        """The source of a new item. like: the item whose quotes it takes."""
        node = like.node
        quotes = node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else None
        tree = self.writer.text(text, put.files)
        if items.flow:
            return self.writer.inline(tree, quotes)
        column = self.spans.column(items.old[0].start)
        long = isinstance(tree, str) and "\n" in tree
        first, rest = self.writer.lines(tree, column, None if long else quotes)
        return f"{' ' * column}-{first}{self.writer.newline}{rest}"
