"""Values put into the text of a manifest, which stays as it is everywhere else, byte for byte.

Nothing is dumped anew: the nodes say where a value stands, and what is to be changed is cut out there and
replaced in the style that was found. YAML and JSON. Whether the text then says what it should is for the
caller to find out by reading it; what is not understood raises CannotEditError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.domain.kinds import Value
from reconciler.yaml import emit
from reconciler.yaml.blocks import Block, CannotEditError
from reconciler.yaml.compose import compose, compose_json, index, tag
from reconciler.yaml.lists import Items, added, comment
from reconciler.yaml.spans import ANCHOR, Entry, Spans, in_brackets, is_block

__all__ = ["CannotEditError", "Edits", "Put", "edit"]

_SHORT = 40
"""Characters of a text that may stand in a list in brackets."""


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
    newline = "\r\n" if "\r\n" in text else "\n"
    missing = "" if text.endswith("\n") else newline  # so that every line is a whole one
    text += missing
    root = (compose_json if as_json else compose)(text)
    editor = _Editor(text, root, as_json, literal, newline)
    editor.mapping(root, edits, column=-2, flow=as_json)
    for job in editor.jobs:
        job()
    return editor.spliced().removesuffix("" if editor.ends else missing)


@dataclass(frozen=True, slots=True)
class _Place:
    """An entry with what it stands in. column: of its key or dash. flow: whether in brackets or braces."""

    entry: Entry
    column: int
    flow: bool


class _Editor(Spans):
    """One text, and what is to be put into it."""

    def __init__(
        self, text: str, root: Node, as_json: bool, literal: Callable[[str], str], newline: str
    ) -> None:
        super().__init__(text, as_json)
        self.root, self.literal, self.newline = root, literal, newline
        self.ends = False  # whether the last line break is part of a value
        self.jobs: list[Callable[[], None]] = []  # in the order of the text, inner ones before outer ones
        self.puts: list[tuple[Entry, Put]] = []
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
            parts += [self.source[at:start], text]
            at = stop
        return "".join(parts) + self.source[at:]

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
        if anchor := self.handed_on(entry, wanted):
            self.splice(self.blanks(entry.value), entry.value + len(anchor), "")

    def handed_on(self, entry: Entry, wanted: Put) -> str | None:
        """The anchor of a value that changes or goes, where the first of the others has it now.

        With it goes what stood behind it.
        """
        anchor = ANCHOR.match(self.text, entry.value)
        if anchor is None or self.json or not (others := self.aliases(entry.node)):
            return None
        node, first = entry.node, others[0]
        source = self.text[anchor.end() : entry.end].strip(" \t\r\n")
        text = node if isinstance(node, ScalarNode) and not tag(node) else None
        if "\n" not in source:
            if text and first.flow:  # what is plain here may need quotes there
                source = self.inline(text.value, text.style or "")
            self.splice(first.entry.value, first.entry.end, f"{anchor[0]} {source}")
        elif text:
            self.value(first, text.value, anchor=f"{anchor[0]} ")
        elif isinstance(wanted.before, str | tuple):
            tree = self.tree(Put(None, wanted.before, wanted.files))
            self.value(first, tree, anchor=f"{anchor[0]} ")
        return anchor[0]

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
        first, rest = self.lines(tree, place.column, style, before=self.comment(entry))
        if is_block(entry):  # its lines go; what stands behind the key or between the items stays
            self.splice(start, start, first)
            for number, part in enumerate(self.parts(entry.node)):
                said = self.comment(part)
                kept = f"{' ' * self.column(part.start)}{said}{self.newline}" if said else ""
                self.splice(self.line(part.start), self.after(part.end), kept if number else rest + kept)
            return
        first = (anchor + first.lstrip(" ")).rstrip(" ")
        self.splice(start if first else self.blanks(start), entry.end, first)
        if rest:
            self.insert(self.after(entry.end), rest)

    def block(self, place: _Place, wanted: Put) -> None:
        """Put a value in the place of a block scalar; whatever is said behind its header stays."""
        block = Block.find(self.text, place.entry.node, self.content(place.entry))
        tree, made = self.tree(wanted), None
        self.ends |= block.whole == len(self.text) and str(wanted.after).endswith("\n")
        if isinstance(tree, str) and isinstance(wanted.before, str) and isinstance(wanted.after, str):
            made = block.changed(wanted.before, wanted.after, self.literal, place.column, self.newline)
        if made is not None:
            header, lines = made
            self.splice(block.start, block.header, header)
            self.splice(block.body, block.end, lines)
            return
        first, rest = self.lines(tree, place.column, block.sign, before=comment(self, block.header))
        self.splice(block.start, block.header, first.lstrip(" "))
        self.splice(block.body, block.whole, rest)

    def list(
        self, node: SequenceNode, before: Sequence[str], wanted: Put, after: Sequence[str], *, flow: bool
    ) -> None:
        """Change a list item by item; one that stays or moves keeps its source."""
        items = Items.of(self, node, before, after, flow=flow or in_brackets(node))
        for i in sorted(set(items.gone).difference(items.carried.values())):
            self.handed_on(items.old[i], Put(before[i], "", wanted.files))
        for j, i in items.matched.stays.items():
            place = items.old[i]
            if after[j] == before[i]:
                continue
            if j in items.carried and "&" not in self.text[place.value : self.content(place)]:
                self.splice(place.start, place.end, items.source(items.carried[j]))
            else:
                put = Put(before[i], after[j], wanted.files)
                self.put_shared(_Place(place, self.column(place.start), items.flow), put)

        def fresh(j: int, near: Entry) -> str:
            node = items.old[items.matched.moves[j]].node if j in items.matched.moves else near.node
            quotes = node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else None
            tree = self.written(after[j], wanted)
            if items.flow:
                return self.inline(tree, quotes)
            column = self.column(items.old[0].start)
            long = isinstance(tree, str) and "\n" in tree
            first, rest = self.lines(tree, column, None if long else quotes)
            return f"{' ' * column}-{first}{self.newline}{rest}"

        self.splices += items.splices(fresh, self.newline)

    def override(self, place: _Place, edits: Edits) -> None:
        """Make a mapping of an alias: the other one merged, and keys of its own."""
        entry, column = place.entry, place.column + self.step
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
                self.splices += added(self, entries, len(entries), texts, self.newline)
            else:
                self.splice(self.content(node), self.end(node), self.inline(new))
        elif entries:
            behind = self.after(max(entry.end for entry in entries))
            self.insert(behind, self.keys(new, self.column(entries[0].start)))
        else:
            start, stop = self.content(node), self.end(node)
            self.splice(self.blanks(start), stop, "")
            self.insert(self.after(stop), self.keys(new, column + self.step))

    def insert(self, at: int, lines: str) -> None:
        """Put whole lines at the beginning of a line."""
        self.splice(at, at, lines)

    def comment(self, entry: Entry) -> str:
        """What is said behind a value, on its line; of a block scalar behind its header."""
        node, at = entry.node, entry.end
        if isinstance(node, ScalarNode) and node.style in ("|", ">") and not entry.alias:
            at = Block.find(self.text, node, self.content(entry)).header
        return comment(self, at) if self.text[at - 1] != "\n" else ""

    @cached_property
    def step(self) -> int:
        """How far in a mapping stands from the key that holds it, most often, outside of braces."""
        found: Counter[int] = Counter()

        def look(node: Node) -> None:
            for entry in self.parts(node):
                if is_block(entry):
                    if isinstance(entry.node, MappingNode):
                        found[self.column(self.content(entry)) - self.column(entry.start)] += 1
                    look(entry.node)

        look(self.root)
        steps = [step for step, _ in found.most_common() if step in range(1, 9)]
        return steps[0] if steps else emit.STEP

    # -- source -------------------------------------------------------------------------------

    def lines(
        self, tree: emit.Tree, column: int, style: str | None = None, before: str = ""
    ) -> tuple[str, str]:
        """What stands behind a colon or dash in this column: the rest of its line, and whole lines below.

        before: a comment that the rest of the line will stand before; nothing goes on behind it in quotes.
        """
        if isinstance(tree, str):
            width = emit.WIDTH if style is None or style in "|>" else 10**6
            source = " " + emit.scalar(tree, indent=column, style=style, width=width, step=self.step)
        else:
            source = emit.mapping({"k": tree}, max(column, 0), step=self.step)
            source = source.lstrip(" ")[2:].removesuffix("\n")
        if before and isinstance(tree, str) and source.startswith(' "'):
            source = " " + emit.scalar(tree, indent=column, style='"', flow=True)
        first, _, rest = source.partition("\n")
        return first, "".join(f"{line}{self.newline}" for line in rest.split("\n")) if rest else ""

    def keys(self, tree: Mapping[str, emit.Tree], column: int) -> str:
        """Whole lines with the keys of a mapping."""
        return emit.mapping(tree, column, step=self.step).replace("\n", self.newline)

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
                    emit.json_text(tree) if self.json else emit.scalar(tree, indent=0, style=style, flow=True)
                )
            case emit.Tagged(name, text):
                source = f"!{name} {emit.scalar(text, indent=0, flow=True)}"
            case _:
                source = f"[{', '.join(map(self.inline, tree))}]"
        return source

    def key(self, name: str) -> str:
        """A key in braces."""
        return emit.json_text(name) if self.json else emit.key(name)


def _merges(node: MappingNode, name: str) -> bool:
    """Whether a merge key brings a key in."""
    for key, value in node.value:
        if key.value == "<<" and not key.style:
            merged = value.value if isinstance(value, SequenceNode) else [value]
            for each in merged:
                if any(k.value == name for k, _ in each.value) or _merges(each, name):
                    return True
    return False
