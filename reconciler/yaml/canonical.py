"""A YAML text → the same text in the canonical style, which is that of emit. Pure.

Keeps comments, anchors, aliases, tags, the order of keys, and blank lines. Every scalar keeps its text. The
result is read again: it has the same nodes and the same comments, and is canonical itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.yaml import emit
from reconciler.yaml.blocks import Block, CannotEditError
from reconciler.yaml.compose import compose
from reconciler.yaml.emit import STEP, WIDTH
from reconciler.yaml.spans import Entry, Spans, in_brackets, is_block
from reconciler.yaml.tree import MalformedError, end, index, tag

Path = tuple[str, ...]
"""The keys that lead to a mapping; () for the outermost."""

_GAP = re.compile(r"[ \t]+|\n|#[^\n]*|[,\]}]")
_PROPERTIES = re.compile(r"[ \t]+|\n|#[^\n]*|[&!][^\s,\[\]{}]*", re.ASCII)
_OUTSIDE = re.compile(r"[ \t]+|\n|#[^\n]*|(?:---|\.\.\.)(?!\S)")
"""What may stand between two values, before a value, and around the document."""


def unix(text: str) -> str:
    """The text with LF at the end of each line, and without a byte order mark."""
    return re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))


def canonical(text: str, apart: Collection[Path] = ()) -> str:
    """The text in the canonical style. text: as unix returns it.

    apart: mappings whose longer entries have a blank line between them. Raises MalformedError for a text that
    cannot be read, or not be formatted without loss.
    """
    before = _printed(text, apart)
    if before.result != text:
        try:
            after = _printed(before.result, apart)
        except MalformedError:
            raise _not_understood(0) from None
        if (after.result, after.comments) != (before.result, before.comments):
            raise _not_understood(0)
        if not _same(before.root, after.root, {}):
            raise _not_understood(0)
    return before.result


def _printed(text: str, apart: Collection[Path]) -> _Printer:
    root = compose(text)
    printer = _Printer(text, root, apart)
    try:
        printer.document()
    except CannotEditError as error:
        raise MalformedError(str(error), index(root)) from None
    return printer


def _not_understood(at: int) -> MalformedError:
    return MalformedError("the file is written in a way that cannot be formatted: change it by hand", at)


def _same(one: Node, two: Node, seen: dict[int, Node]) -> bool:
    """Whether two trees mean the same to every reader. seen: the nodes of the first, and their equals."""
    if id(one) in seen:
        return seen[id(one)] is two
    seen[id(one)] = two
    if type(one) is not type(two) or tag(one) != tag(two) or one.anchor != two.anchor:
        return False
    if isinstance(one, ScalarNode) and isinstance(two, ScalarNode):
        return bool(one.value == two.value) and _is_typed(one) == _is_typed(two)
    if len(one.value) != len(two.value):
        return False
    if isinstance(one, SequenceNode):
        return all(_same(a, b, seen) for a, b in zip(one.value, two.value, strict=True))
    return all(
        _same(a, c, seen) and _same(b, d, seen) for (a, b), (c, d) in zip(one.value, two.value, strict=True)
    )


def _is_typed(node: ScalarNode) -> bool:
    """Whether other readers read something other than a text."""
    return not node.style and emit.typed(node.value)


class _Printer:
    """Goes through a text once, from its beginning to its end, and writes lines.

    Every character is read either as a key or a value, or by _tokens. levels: the columns of the mappings and
    lists that comments may belong to, in the text and in the lines. tail: the line that takes a comment from
    the same line of the text, -1 for none. breaks: line breaks of the text since the last line.
    """

    def __init__(self, text: str, root: Node, apart: Collection[Path]) -> None:
        self.root = root
        self.comments: list[str] = []
        self._text, self._apart = text, apart
        self._spans = Spans(text, as_json=False)
        self._lines: list[str] = []
        self._levels: list[tuple[int, int]] = []
        self._at, self._tail, self._breaks, self._opened = 0, -1, 0, True

    @property
    def result(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def document(self) -> None:
        """Print all."""
        root = self.root
        if not isinstance(root, MappingNode):
            raise MalformedError("a manifest is a mapping: start with `bots:`", index(root))
        start = index(root)
        self._levels = [(0 if in_brackets(root) else self._spans.column(start), 0)]
        self._gap(start, 1, _OUTSIDE)
        if root.value:
            self._entries(root, start, 0, ())
        else:
            self._line("{}")
            self._at = end(root)
        self._gap(len(self._text), 1, _OUTSIDE)

    # -- lines, comments and blank lines ------------------------------------------------------

    def _line(self, line: str) -> None:
        """Add a line, after a blank one if the text has one there."""
        self._blank()
        self._lines += line.split("\n")
        self._breaks, self._opened, self._tail = 0, False, -1

    def _blank(self) -> None:
        if self._breaks > 1 and not self._opened:
            self._lines.append("")
        self._breaks = min(self._breaks, 1)

    def _tokens(self, start: int, stop: int, pattern: re.Pattern[str]) -> Iterator[tuple[str, int]]:
        while start < stop:
            found = pattern.match(self._text, start, stop)
            if found is None:
                raise _not_understood(start)
            yield found[0], start
            start = found.end()

    def _gap(self, stop: int, depth: int, pattern: re.Pattern[str] = _GAP) -> None:
        """Print the comments up to a place. depth: the number of levels that are open there."""
        for sign, at in self._tokens(self._at, stop, pattern):
            if sign == "\n":
                self._breaks += 1
            elif sign[0] == "#":
                self._comment(sign.rstrip(), self._spans.column(at), depth)
        self._at = max(self._at, stop)
        del self._levels[depth:]

    def _comment(self, comment: str, column: int, depth: int) -> None:
        """Print a comment: at the end of its line, or in the column of the values that it belongs to."""
        self.comments.append(comment)
        if not self._breaks and self._tail >= 0:
            self._lines[self._tail] += f" {comment}"
            self._tail = -1
            return
        levels = self._levels[depth - 1 :]
        fits = (level for level in levels if level[0] <= column)
        _, indent = max(fits, key=lambda level: level[0], default=levels[0])
        self._line(" " * indent + comment)

    # -- mappings and lists, an entry on a line -----------------------------------------------

    def _entries(self, node: Node, start: int, column: int, path: Path) -> None:
        """Print the entries of a mapping or list. start: its place. Its level is the last one."""
        depth = len(self._levels)
        self._at = start + in_brackets(node)
        last = 0  # lines of the entry before
        for key, entry in self._parts(node):
            before = len(self._lines)
            self._gap(entry.start, depth)
            place = self._above(before, column)
            self._blank()
            blank = "" in self._lines[max(place - 1, 0) :]
            head, name = ("-", "-") if key is None else (f"{self._key(key)}:", str(key.value))
            first = len(self._lines)
            self._entry(head, entry, column, (*path, name))
            lines = len(self._lines) - first
            if path in self._apart and last and not blank and max(last, lines) > 1:
                self._lines.insert(place, "")
                self._tail += self._tail >= 0
            last = lines
        if in_brackets(node):
            self._gap(end(node) - 1, depth)
            self._at = end(node)

    def _above(self, start: int, column: int) -> int:
        """The first line from start on that belongs to the entry to come: a comment in its column."""
        while start < len(self._lines) and (
            not self._lines[start] or self._lines[start].startswith(" " * (column + 1))
        ):
            start += 1
        return start

    def _parts(self, node: Node) -> Iterator[tuple[ScalarNode | None, Entry]]:
        parts = self._spans.parts(node)
        if in_brackets(node) and self._text[end(node) - 1] not in "]}":
            raise _not_understood(index(node))
        if len(parts) != len(node.value):
            raise MalformedError("a key is there twice: keep one of the two", index(node))
        keys = [key for key, _ in node.value] if isinstance(node, MappingNode) else [None] * len(parts)
        return zip(keys, parts, strict=True)

    def _entry(self, head: str, entry: Entry, column: int, path: Path) -> None:
        node = entry.node
        pad = " " * column
        start = self._start(entry)
        tokens = [sign for sign, _ in self._tokens(entry.head, start, _PROPERTIES)]
        head = " ".join([head, *self._properties(tokens)])
        collection = not entry.alias and not isinstance(node, ScalarNode)
        line = self._short(node, start, entry.end, column) if collection else ""
        if line is None:
            self._longer(head, entry, start, column, path)
            return
        if collection and not node.value:
            tokens += [sign for sign, _ in self._tokens(start + 1, end(node) - 1, _GAP)]
        for comment in (sign.rstrip() for sign in tokens if sign[0] == "#"):
            self.comments.append(comment)
            self._line(pad + comment)
        if entry.alias:
            line = self._text[entry.value : entry.end]
        elif isinstance(node, ScalarNode):
            line = self._scalar(node, start, entry.end, column)
        self._line(f"{pad}{head} {line}" if line else pad + head)
        self._at = entry.end
        self._breaks = int(self._text[entry.end - 1] == "\n")  # of a block
        # A comment stands after a text, or beside the sign of a block.
        self._tail = len(self._lines) - 1 - (line.count("\n") if line[:1] in ("|", ">") else 0)

    def _longer(self, head: str, entry: Entry, start: int, column: int, path: Path) -> None:
        """Print a mapping or list below its key or dash."""
        node = entry.node
        pad, depth = " " * column, len(self._levels)
        self._line(pad + head)
        opening = len(self._lines) - 1
        self._tail, self._opened, self._at = opening, True, entry.head
        old = 0 if in_brackets(node) else self._spans.column(start)
        self._levels.append((old, column + STEP))
        self._gap(start, depth + 1, _PROPERTIES)
        self._entries(node, start, column + STEP, path)
        if in_brackets(node):
            del self._levels[depth:]
        inner = self._lines[opening + 1][column + STEP :]
        if self._lines[opening] == f"{pad}-" and inner and inner[0] not in " #":
            self._lines[opening : opening + 2] = [f"{pad}- {inner}"]
            self._tail -= self._tail > opening

    def _start(self, entry: Entry) -> int:
        """Where the value starts, after its anchor and tag; those of a first key are the key's."""
        if entry.alias:
            return entry.value
        stop = max(entry.end, entry.value)
        if is_block(entry) and isinstance(entry.node, MappingNode):
            stop = index(entry.node.value[0][0])
        return min(self._spans.content(entry), stop)

    @staticmethod
    def _properties(tokens: Sequence[str]) -> list[str]:
        """The anchor, then the tag."""
        return sorted((sign for sign in tokens if sign[0] in "&!"), key=lambda sign: sign[0] != "&")

    # -- values on a line ---------------------------------------------------------------------

    def _key(self, key: ScalarNode) -> str:
        start = min(self._spans.content(key), end(key))
        tokens = [sign for sign, _ in self._tokens(index(key), start, _PROPERTIES)]
        return " ".join([*self._properties(tokens), self._scalar(key, start, end(key), 0, flow=True)])

    def _short(self, node: Node, start: int, stop: int, column: int) -> str | None:
        """A mapping or list in brackets that is on one line and fits there; None for another one."""
        if not in_brackets(node) or (node.value and "\n" in self._text[start:stop]):
            return None
        line = self._inline(node, start)
        return line if not node.value or column + len(line) < WIDTH - 20 else None

    def _inline(self, node: Node, start: int) -> str:
        if isinstance(node, ScalarNode):
            return self._scalar(node, start, max(end(node), start), 0, flow=True)
        at = start + 1
        items: list[str] = []
        for key, entry in self._parts(node):
            list(self._tokens(at, entry.start, _GAP))
            begin = self._start(entry)
            tokens = [sign for sign, _ in self._tokens(entry.head, begin, _PROPERTIES)]
            value = self._text[entry.value : entry.end] if entry.alias else self._inline(entry.node, begin)
            head = [] if key is None else [f"{self._key(key)}:"]
            items.append(" ".join([*head, *self._properties(tokens), value]))
            at = entry.end
        list(self._tokens(at, end(node) - 1, _GAP))
        return f"[{', '.join(items)}]" if isinstance(node, SequenceNode) else f"{{{', '.join(items)}}}"

    def _scalar(self, node: ScalarNode, start: int, stop: int, column: int, *, flow: bool = False) -> str:
        """The source of a scalar. column: of its key or dash."""
        text, source = str(node.value), self._text[start:stop]
        flow = flow or tag(node) is not None
        if node.style in ("|", ">"):
            return self._block(node, start, column)
        if node.style in ("'", '"'):
            line = emit.scalar(text, indent=column, flow=flow)
            if line == text and emit.typed(text):  # a number in quotes is a text to every reader
                return emit.scalar(text, indent=column, style='"', flow=flow)
            return line
        if "\n" in source:
            return emit.scalar(text, indent=column, style="" if emit.typed(text) else None, flow=flow)
        line = "" if flow or emit.typed(text) else emit.scalar(text, indent=column)
        return line if line.startswith(">") else source

    def _block(self, node: ScalarNode, start: int, column: int) -> str:
        """A block scalar with its lines as they are, and the comment of its header."""
        text = str(node.value)
        block = Block.find(self._text, node, start)
        tokens = [sign.rstrip() for sign, _ in self._tokens(block.header, block.body, _GAP)]
        comments = [sign for sign in tokens if sign[:1] == "#"]
        self.comments += comments
        if not text:  # an error of most fields, which stays one
            return " ".join([block.sign, *comments])
        if not text.strip():
            return " ".join([emit.scalar(text, indent=column, style='"', flow=True), *comments])
        digit = str(STEP) if text.lstrip("\n")[0] in " \t" else ""
        ends = len(text) - len(text.rstrip("\n"))
        pad = " " * (column + STEP)
        header = f"{block.sign}{digit}{('-', '', '+')[min(ends, 2)]}"
        lines = self._text[block.body : block.whole].removesuffix("\n").split("\n")
        inner = (line[block.indent :] for line in lines)
        return "\n".join([" ".join([header, *comments]), *(pad + line if line else "" for line in inner)])
