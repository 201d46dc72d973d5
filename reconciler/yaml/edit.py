"""Values put into the text of a manifest, which stays as it is everywhere else, byte for byte.

Nothing is dumped anew: the nodes say where a value stands, and what is to be changed is cut out there and
replaced in the style that was found. YAML and JSON. Whether the text then says what it should is for the
caller to find out by reading it; what is not understood raises CannotEditError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.kinds import Value
from reconciler.yaml import emit
from reconciler.yaml.blocks import Block, CannotEditError
from reconciler.yaml.compose import compose, compose_json, index, tag
from reconciler.yaml.spans import ANCHOR, Entry, Spans, in_brackets, is_block

__all__ = ["CannotEditError", "Edits", "Put", "edit"]

_SHORT = 40
"""Characters of a text that may stand in a list in brackets."""

_COMMA = re.compile(r"[ \t]*,")
_REST_OF_LINE = re.compile(r"[ \t]*(?:(?<!\S)#[^\n]*?)?(?=\r?\n|$)")


@dataclass(frozen=True, slots=True)
class Put:
    """A value to be put in the place of what is there, or to be added.

    before: what it says there now, its files read. after: what it shall say; a mapping is written in braces.
    files: for texts that a file holds, its path from the manifest; such a text is written as `!file`.
    """

    before: object
    after: Value | Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


Edits = Mapping[str, "Put | Edits"]
"""What to put under each key of a mapping; keys that are not its own are added to it."""


def edit(
    text: str, edits: Edits, *, as_json: bool = False, literal: Callable[[str], str] = lambda text: text
) -> str:
    """The text with the edits made. literal: how a text is written so that it is read as it is.

    Raises CannotEditError, and MalformedError for a text that is no manifest.
    """
    root = (compose_json if as_json else compose)(text)
    editor = _Editor(text, root, as_json, literal)
    editor.mapping(root, edits, column=-2, flow=as_json)
    for job in editor.jobs:
        job()
    return editor.spliced()


@dataclass(frozen=True, slots=True)
class _Place:
    """An entry with what it stands in. column: of its key or dash. flow: whether in brackets or braces."""

    entry: Entry
    column: int
    flow: bool


class _Editor(Spans):
    """One text, and what is to be put into it."""

    def __init__(self, text: str, root: Node, as_json: bool, literal: Callable[[str], str]) -> None:
        super().__init__(text, as_json)
        self.root, self.literal = root, literal
        self.jobs: list[Callable[[], None]] = []  # in the order of the text, inner ones before outer ones
        self.puts: list[tuple[Entry, Put]] = []
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.splices: list[tuple[int, int, str]] = []

    def splice(self, start: int, end: int, text: str) -> None:
        """Put the text in the place of what stands between the two."""
        self.splices.append((start, end, text))

    def spliced(self) -> str:
        """The text with everything put in; of what is put at one place the first comes first."""
        parts, at = [], 0
        for start, stop, text in sorted(self.splices, key=lambda splice: splice[:2]):
            if start < at:
                raise CannotEditError("two of its values stand in one place: change them by hand")
            parts += [self.text[at:start], text]
            at = stop
        return "".join(parts) + self.text[at:]

    # -- down to the values -------------------------------------------------------------------

    def mapping(self, node: Node, edits: Edits, column: int, *, flow: bool) -> None:
        """Make the edits in a mapping that stands here. column: of the key that holds it."""
        if not isinstance(node, MappingNode):
            raise CannotEditError("what should be a mapping is none: write it out")
        flow = flow or (in_brackets(node) and bool(node.value))
        entries = self.entries(node)
        new: dict[str, emit.Tree] = {}
        for name, wanted in edits.items():
            entry = entries.get(name)
            if entry is None:
                if not isinstance(wanted, Put) and _merges(node, name):
                    raise CannotEditError(f"{name} comes in through a merge key (<<): write it out here")
                new[name] = self.tree(wanted)
            elif isinstance(wanted, Put):
                place = _Place(entry, self.column(entry.start), flow)
                self.puts.append((entry, wanted))
                self.jobs.append(partial(self.put_shared, place, wanted))
            elif entry.alias:
                place = _Place(entry, self.column(entry.start), flow)
                self.jobs.append(partial(self.override, place, wanted))
            else:
                self.mapping(entry.node, wanted, self.column(entry.start), flow=flow)
        if new:
            self.jobs.append(partial(self.add, node, list(entries.values()), new, column, flow=flow))

    def tree(self, wanted: Put | Edits) -> emit.Tree:
        """What is written for something that is new."""
        if not isinstance(wanted, Put):
            return {name: self.tree(each) for name, each in wanted.items()}
        match wanted.after:
            case str(text):
                return self.written(text, wanted)
            case tuple(texts):
                items = [self.written(text, wanted) for text in texts]
                short = all(isinstance(i, str) and "\n" not in i and len(i) <= _SHORT for i in items)
                return emit.Flow(items) if short else items
            case Mapping() as names:
                return emit.Flow({name: self.literal(text) for name, text in names.items()})
            case value:
                return value

    def written(self, text: str, wanted: Put) -> str | emit.Tagged:
        """A text, or the file that holds it."""
        path = wanted.files.get(text)
        return self.literal(text) if path is None else emit.Tagged("file", path)

    # -- what is there ------------------------------------------------------------------------

    def put_shared(self, place: _Place, wanted: Put) -> None:
        """Put a value in the place of what is there; what others say by an anchor or alias stays."""
        entry = place.entry
        if entry.alias:
            anchored = [put.after for other, put in self.puts if other.node is entry.node and not other.alias]
            if wanted.after not in anchored:
                self.put(place, wanted)
            return
        self.put(place, wanted)
        anchor = ANCHOR.match(self.text, entry.value)
        if anchor is None or self.json or not (others := self.aliases(entry.node)):
            return
        # The first of the others gets the anchor, and what stood behind it.
        self.splice(self.blanks(anchor.start()), anchor.end(), "")
        source = self.text[anchor.end() : entry.end].strip()
        if "\n" not in source:
            self.splice(others[0].entry.value, others[0].entry.end, f"{anchor[0]} {source}")
        elif isinstance(wanted.before, str | tuple):
            tree = self.tree(Put(None, wanted.before, wanted.files))
            self.value(others[0], tree, anchor=f"{anchor[0]} ")

    def aliases(self, node: Node) -> Sequence[_Place]:
        """The aliases of a node that stay as they are, in the order of the text."""
        found: list[_Place] = []

        def look(entry: Entry, *, flow: bool) -> None:
            if any(entry.value in range(put.value, put.end) for put, _ in self.puts):
                return
            if entry.alias:
                if entry.node is node:
                    found.append(_Place(entry, self.column(entry.start), flow))
                return
            for each in self.parts(entry.node):
                look(each, flow=flow or in_brackets(entry.node))

        look(Entry(0, 0, self.root, index(self.root), len(self.text), alias=False), flow=False)
        return found

    def put(self, place: _Place, wanted: Put) -> None:
        """Put a value in the place of what is there."""
        entry, before, after = place.entry, wanted.before, wanted.after
        node = entry.node
        style = node.style if isinstance(node, ScalarNode) and not entry.alias and not tag(node) else None
        if (
            isinstance(node, SequenceNode)
            and not entry.alias
            and (isinstance(before, tuple) and isinstance(after, tuple))
            and (before and after and len(before) == len(node.value))
        ):
            self.list(node, before, wanted, after, flow=place.flow)
        elif style in ("|", ">"):
            self.block(place, wanted)
        else:
            self.value(place, self.tree(wanted), style)

    def value(self, place: _Place, tree: emit.Tree, style: str | None = None, anchor: str = "") -> None:
        """Put a value where anything but a block scalar stands. anchor: to be put before it."""
        entry = place.entry
        start, kept = self.inside(entry)
        anchor += kept
        if place.flow:
            self.splice(start, entry.end, anchor + self.inline(tree, style))
            return
        first, rest = self.lines(tree, place.column, style)
        if is_block(entry):  # its lines go; what stands behind the key or between the items stays
            self.splice(start, start, first)
            for number, part in enumerate(self.parts(entry.node)):
                self.splice(self.line(part.start), self.after(part.end), "" if number else rest)
            return
        first = (anchor + first.lstrip(" ")).rstrip(" ")
        self.splice(start if first else self.blanks(start), entry.end, first)
        if rest:
            self.insert(self.after(entry.end), rest)

    def block(self, place: _Place, wanted: Put) -> None:
        """Put a value in the place of a block scalar; whatever is said behind its header stays."""
        block = Block.find(self.text, place.entry.node, self.content(place.entry))
        tree, made = self.tree(wanted), None
        if isinstance(tree, str) and isinstance(wanted.before, str) and isinstance(wanted.after, str):
            made = block.changed(wanted.before, wanted.after, self.literal, place.column, self.newline)
        if made is not None:
            header, lines = made
            self.splice(block.start, block.header, header)
            self.splice(block.body, block.end, lines)
            return
        first, rest = self.lines(tree, place.column, block.sign)
        ends = block.whole < len(self.text) or self.text.endswith("\n")
        self.splice(block.start, block.header, first.lstrip(" "))
        self.splice(block.body, block.whole, rest if ends else rest.removesuffix(self.newline))

    def list(
        self, node: SequenceNode, before: Sequence[str], wanted: Put, after: Sequence[str], *, flow: bool
    ) -> None:
        """Change a list item by item; one that stays keeps its source."""
        flow = flow or in_brackets(node)
        items = self.items(node)
        for what, i, i_end, j, j_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if what == "equal":
                continue
            paired = min(i_end - i, j_end - j)
            for step in range(paired):
                place = _Place(items[i + step], self.column(items[i + step].start), flow)
                self.put(place, Put(before[i + step], after[j + step], wanted.files))
            if i_end - i > paired:
                self.remove(items, i + paired, i_end, flow=flow)
            if j_end - j > paired:
                trees = [self.written(text, wanted) for text in after[j + paired : j_end]]
                self.add_items(items, i + paired, trees, flow=flow)

    def remove(self, items: Sequence[Entry], first: int, behind: int, *, flow: bool) -> None:
        """Take items out of a list of which others stay."""
        last = items[behind - 1]
        if not flow:
            for item in items[first:behind]:
                self.splice(self.line(item.start), self.after(item.end), "")
        elif behind < len(items):
            self.splice(items[first].start, items[behind].start, "")
        elif "#" not in self.text[items[first - 1].end : items[first].start]:
            self.splice(items[first - 1].end, last.end, "")
        else:
            comma = _COMMA.match(self.text, last.end)
            self.splice(items[first].start, comma.end() if comma else last.end, "")

    def add_items(self, items: Sequence[Entry], at: int, trees: Sequence[emit.Tree], *, flow: bool) -> None:
        """Put new items before the one with this number."""
        near = items[at - 1 if at else 0].node
        quotes = near.style if isinstance(near, ScalarNode) and near.style in ("'", '"') else None
        if flow:
            self.add_inline(items, at, [self.inline(tree, quotes) for tree in trees])
            return
        column = self.column(items[0].start)
        lines = []
        for tree in trees:
            long = isinstance(tree, str) and "\n" in tree
            first, rest = self.lines(tree, column, None if long else quotes)
            lines.append(f"{' ' * column}-{first}{self.newline}{rest}")
        self.insert(self.after(items[at - 1].end) if at else self.line(items[0].start), "".join(lines))

    def override(self, place: _Place, edits: Edits) -> None:
        """Make a mapping of an alias: the other one merged, and keys of its own."""
        entry, column = place.entry, place.column + 2
        alias = self.text[entry.value : entry.end]
        if not all(isinstance(each, Put) for each in edits.values()):
            raise CannotEditError(f"more than values comes in through the alias {alias}: write it out here")
        tree = {name: self.tree(each) for name, each in edits.items()}
        if place.flow:
            self.splice(entry.value, entry.end, f"{{<<: {alias}, {self.inline(tree).removeprefix('{')}")
            return
        self.splice(self.blanks(entry.value), entry.end, "")
        merge = f"{' ' * column}<<: {alias}{self.newline}"
        self.insert(self.after(entry.end), merge + self.keys(tree, column))

    # -- what is new --------------------------------------------------------------------------

    def add(
        self,
        node: MappingNode,
        entries: Sequence[Entry],
        new: Mapping[str, emit.Tree],
        column: int,
        *,
        flow: bool,
    ) -> None:
        """Put new keys behind the last one of a mapping. column: of the key that holds it."""
        if flow:
            if entries:
                texts = [f"{self.key(name)}: {self.inline(tree)}" for name, tree in new.items()]
                self.add_inline(entries, len(entries), texts)
            else:
                self.splice(self.content(node), self.end(node), self.inline(new))
        elif entries:
            behind = self.after(max(entry.end for entry in entries))
            self.insert(behind, self.keys(new, self.column(entries[0].start)))
        else:
            start, stop = self.content(node), self.end(node)
            self.splice(self.blanks(start), stop, "")
            self.insert(self.after(stop), self.keys(new, column + 2))

    def add_inline(self, entries: Sequence[Entry], at: int, texts: Sequence[str]) -> None:
        """Put new items or keys in brackets, before the one with this number, laid out as the others are."""
        near = entries[at - 1] if at else entries[0]
        line = self.text[self.line(near.start) : near.start]
        apart = f"{self.newline}{line}" if not line.strip() and "\n" in self.text[: near.start] else " "
        if not at:
            self.splice(near.start, near.start, "".join(f"{text},{apart}" for text in texts))
            return
        comma = _COMMA.match(self.text, near.end)
        rest = _REST_OF_LINE.match(self.text, comma.end() if comma else near.end)
        if apart == " " or rest is None:
            self.splice(near.end, near.end, "".join(f",{apart}{text}" for text in texts))
            return
        if comma is None:
            self.splice(near.end, near.end, ",")
        made = f",{apart}".join(texts)
        self.splice(rest.end(), rest.end(), f"{apart}{made}{',' if comma else ''}")

    def insert(self, at: int, lines: str) -> None:
        """Put whole lines at the beginning of a line; behind a last line without a break, one is made."""
        if at == len(self.text) and not self.text.endswith("\n"):
            before = [text for start, stop, text in self.splices if stop == at and text]
            if not (before and before[-1].endswith("\n")):
                lines = self.newline + lines
            lines = lines.removesuffix(self.newline)
        self.splice(at, at, lines)

    # -- source -------------------------------------------------------------------------------

    def lines(self, tree: emit.Tree, column: int, style: str | None = None) -> tuple[str, str]:
        """What stands behind a colon or dash in this column: the rest of its line, and whole lines below."""
        if isinstance(tree, str):
            width = emit.WIDTH if style is None or style in "|>" else 10**6
            source = " " + emit.scalar(tree, indent=column, style=style, width=width)
        else:
            source = emit.mapping({"k": tree}, max(column, 0)).lstrip(" ")[2:].removesuffix("\n")
        first, _, rest = source.partition("\n")
        return first, "".join(f"{line}{self.newline}" for line in rest.split("\n")) if rest else ""

    def keys(self, tree: Mapping[str, emit.Tree], column: int) -> str:
        """Whole lines with the keys of a mapping."""
        return emit.mapping(tree, column).replace("\n", self.newline)

    def inline(self, tree: emit.Tree, style: str | None = None) -> str:
        """What stands in brackets."""
        match tree:
            case emit.Flow(of):
                source = self.inline(of)
            case Mapping():
                source = ", ".join(f"{self.key(name)}: {self.inline(each)}" for name, each in tree.items())
                source = f"{{{source}}}"
            case bool():
                source = "true" if tree else "false"
            case int():
                source = str(tree)
            case str():
                source = (
                    json.dumps(tree, ensure_ascii=False)
                    if self.json
                    else emit.scalar(tree, indent=0, style=style, flow=True)
                )
            case emit.Tagged(name, text):
                source = f"!{name} {emit.scalar(text, indent=0, flow=True)}"
            case _:
                source = f"[{', '.join(map(self.inline, tree))}]"
        return source

    def key(self, name: str) -> str:
        """A key in braces."""
        return json.dumps(name) if self.json else emit.key(name)


def _merges(node: MappingNode, name: str) -> bool:
    """Whether a merge key brings a key in."""
    for key, value in node.value:
        if key.value == "<<" and not key.style:
            merged = value.value if isinstance(value, SequenceNode) else [value]
            for each in merged:
                if any(k.value == name for k, _ in each.value) or _merges(each, name):
                    return True
    return False
