"""The exact places of keys, items and values in a manifest's text. Changes nothing.

libyaml tells where a node starts, but not where an alias is, and not where a block ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.domain.records import dataclass
from reconciler.yaml.blocks import Block, CannotEditError
from reconciler.yaml.jsonc import uncommented
from reconciler.yaml.tree import end, index

# All with re.ASCII: YAML has no other blanks.
ANCHOR = re.compile(r"&\S+", re.ASCII)

_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s|(?<!\S)#[^\n]*)+)*", re.ASCII)
_ALIAS = re.compile(r"\*[^\s,\[\]{}]+", re.ASCII)
_GAP = re.compile(r"(?:\s|(?<!\S)#[^\n]*)*", re.ASCII)
_GAP_OR_COMMA = re.compile(r"(?:[\s,]|(?<!\S)#[^\n]*)*", re.ASCII)
_COLON = re.compile(r"\s*:", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of a key, or an item of a list. start: of its key or dash, else of the value.

    head: after the colon or dash. value: where the value starts, with its anchor and tag; end: after its last
    character. alias: whether it is an alias, of a node that is elsewhere.
    """

    start: int
    head: int
    node: Node
    value: int
    end: int
    alias: bool


class Spans:
    """A text and the places in it. as_json: it is JSON, without anchors, tags and blocks.

    source: the text. text: the same with blanks for the comments of JSON, to search in.
    """

    def __init__(self, text: str, as_json: bool) -> None:
        self.source, self.json = text, as_json
        self.text = uncommented(text) if as_json else text
        self._parts: dict[Node, Sequence[Entry]] = {}

    def parts(self, node: Node) -> Sequence[Entry]:
        """The entries or items of a node; none of a scalar."""
        if node not in self._parts:  # it is asked for the node's end too, and for that of each one around it
            self._parts[node] = self._parts_of(node)
        return self._parts[node]

    def _parts_of(self, node: Node) -> Sequence[Entry]:
        if isinstance(node, SequenceNode):
            return self.items(node)
        return list(self.entries(node).values()) if isinstance(node, MappingNode) else ()

    def entries(self, node: Node) -> dict[str, Entry]:
        """The keys of a mapping in their order, with `<<` but without those that it merges."""
        found: dict[str, Entry] = {}
        for key, value in node.value:
            stop = self.end(key)
            colon = _COLON.match(self.text, stop)
            if not isinstance(key, ScalarNode) or index(key) < index(node) or colon is None:
                raise CannotEditError("a key is written in a way that is not understood: change it by hand")
            found[key.value] = self.entry(index(key), colon.end(), value)
        return found

    def items(self, node: SequenceNode) -> Sequence[Entry]:
        """The items of a list."""
        found: list[Entry] = []
        flow = in_brackets(node)
        at = self.content(node) + flow
        for item in node.value:
            if flow:
                start = head = self.skip(_GAP_OR_COMMA, at)
            else:
                start = self.skip(_GAP, at)
                head = start + 1
            entry = self.entry(start, head, item)
            found.append(entry)
            at = entry.end
        return found

    def entry(self, start: int, head: int, node: Node) -> Entry:
        value = self.skip(_GAP, head)
        if index(node) >= head:
            return Entry(start, head, node, index(node), self.end(node), alias=False)
        alias = _ALIAS.match(self.text, value)
        if alias is None:
            raise CannotEditError("a value is written in a way that is not understood: change it by hand")
        return Entry(start, head, node, value, alias.end(), alias=True)

    def end(self, node: Node) -> int:
        """The place after a node's last character; of a block scalar after its lines."""
        if self.json:
            return end(node)
        if isinstance(node, ScalarNode):
            start = self.content(node)
            return Block.find(self.text, node, start).whole if node.style in ("|", ">") else end(node)
        if in_brackets(node) or not node.value:
            return end(node)
        return max(entry.end for entry in self.parts(node))

    def content(self, node: Node | Entry) -> int:
        """Where a node starts, after its anchor and tag."""
        start = node.value if isinstance(node, Entry) else index(node)
        return start if self.json else self.skip(_PROPERTIES, start)

    def inside(self, entry: Entry) -> tuple[int, str]:
        """Where a new value starts, and the anchor to write before it: an anchor stays, a tag goes."""
        if entry.alias or self.json:
            return entry.value, ""
        anchor = ANCHOR.match(self.text, entry.value)
        if is_block(entry):
            return anchor.end() if anchor else entry.head, ""
        properties = self.text[entry.value : self.content(entry)]
        if anchor is None and (late := ANCHOR.search(properties)):
            return entry.value, f"{late[0]} "
        return entry.value + properties.find("!") if "!" in properties else self.content(entry), ""

    def skip(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self.text, at)
        return found.end() if found else at

    def line(self, at: int) -> int:
        """The start of the line."""
        return self.text.rfind("\n", 0, at) + 1

    def after(self, at: int) -> int:
        """The start of the next line, or the end of the text; the place itself at the start of a line."""
        if at and self.text[at - 1] == "\n":
            return at
        return self.text.find("\n", at) + 1 or len(self.text)

    def blanks(self, at: int) -> int:
        """The start of the blanks before it."""
        while at and self.text[at - 1] in " \t":
            at -= 1
        return at

    def column(self, at: int) -> int:
        return at - self.line(at)


def in_brackets(node: Node) -> bool:
    return isinstance(node, MappingNode | SequenceNode) and node.flow_style is not False


def is_block(entry: Entry) -> bool:
    """Whether it is a mapping or list outside of brackets, with lines for its entries."""
    return not entry.alias and not isinstance(entry.node, ScalarNode) and not in_brackets(entry.node)
