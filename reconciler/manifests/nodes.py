"""Nodes → values: a scalar means what its field says it is, whatever YAML would make of it.

Everything here reports what is wrong to its Source, with the place, and goes on, so that one run shows all
errors. Knows types and merge keys, not fields; what is allowed to a field is manifest.py's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.domain.errors import Position, Problem
from reconciler.domain.kinds import Type, Value
from reconciler.domain.text import quoted
from reconciler.yaml import MappingNode, Node, Places, ScalarNode, SequenceNode, hints, index, tag

MAX_PROBLEMS = 1000
"""Errors of one file after which the rest of it is not looked at."""

Entries = dict[str, tuple[Node, Node]]
"""The keys of a mapping, merged ones included: the key's node and the value's."""

_NO_VARIABLES: Mapping[str, Position | None] = {}
_NULLS = frozenset({"null", "Null", "NULL", "~"})
_ITEM = "an item of "
_INT = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)


class TooManyProblemsError(Exception):
    """Enough of a file: its name."""


class Origin(NamedTuple):
    """Where the value of a key comes from.

    value: its node in source. layer: in whose words: "bot", the bot's own mapping, which a merge key or an
    alias may bring in from elsewhere in the file; the manifest's "defaults" or "settings"; "folder bot",
    "folder defaults" or "folder settings", those of a folder's file.
    variables: what stands in it as ${name}, and where that is declared (None: nowhere, it is built in).
    """

    source: Source
    key: Node
    value: Node
    layer: str
    variables: Mapping[str, Position | None] = _NO_VARIABLES

    @property
    def at(self) -> Position:
        """Where the value stands."""
        return self.source.at(self.value)


class Source:
    """A manifest that is being read: its name for the person, its errors, and the files it includes.

    raw: its text. include: the text of a `!file`'s path; raises ValueError with the rest of a sentence.
    folder: where it stands, from the current directory. elsewhere: paths of `!file` that other systems may
    not find, and why.
    """

    def __init__(
        self,
        file: str,
        text: str,
        include: Callable[[str], str],
        folder: Path = Path(),
    ) -> None:
        self.file = file
        self.folder = folder
        self.raw = text
        self.places = Places(text)
        self.include = include
        self.elsewhere: dict[str, str] = {}
        self.problems: set[Problem] = set()  # a set: what is wrong in an anchor is met at every alias
        self._shared: set[tuple[int, str]] = set()

    def at(self, node: Node) -> Position:
        """Where the node begins."""
        return Position(self.file, *self.places(index(node)))

    def report(self, node: Node | None, message: str) -> None:
        """Note an error; without a node it is the file's as a whole."""
        if len(self.problems) == MAX_PROBLEMS:
            raise TooManyProblemsError(self.file)
        self.problems.add(Problem(self.at(node) if node else Position(self.file, 1, 1), message))

    def report_of(self, instance: str, node: Node, message: str) -> None:
        """Note an error that an instance makes of a file which it shares with others: once, for the first."""
        if (id(node), message) not in self._shared:
            self._shared.add((id(node), message))
            self.report(node, f"{message} (so it is in instance {quoted(instance)})")

    def entries(self, node: Node, what: str, *, secret: bool = False) -> Entries | None:
        """The keys of a mapping. Its own win over merged ones, an earlier merge over a later one.

        secret: nothing that stands there may be shown.
        """
        if not isinstance(node, MappingNode) or tag(node):
            said = f"{what} must be a mapping (`name: value` lines)"
            said = said if secret else f"{said}, not {_described(node)}"
            listed = isinstance(node, SequenceNode)
            self.report(node, f"{said}: write each item under a name, without a dash" if listed else said)
            return None
        found: Entries = {}
        merge: tuple[Node, Node] | None = None
        for pair in node.value:
            key = pair[0]
            if not isinstance(key, ScalarNode) or tag(key):
                said = "" if secret else f", not {_described(key)}"
                self.report(key, f"a key of {what} is a plain text{said}: write a name")
            elif key.value == "<<" and not key.style:
                if merge:
                    self.report(key, "`<<` stands twice in a mapping: write `<<: [*one, *other]`")
                merge = pair
            elif key.value in found:
                first = self.at(found[key.value][0])
                said = "a key" if secret else quoted(key.value)
                self.report(key, f"{said} stands twice, the first time at {first}: remove one of them")
            else:
                found[key.value] = pair
        if merge:
            items = merge[1].value if isinstance(merge[1], SequenceNode) else [merge[1]]
            for item in items:
                for name, pair in (self.entries(item, "what `<<` merges", secret=secret) or {}).items():
                    found.setdefault(name, pair)
        return found

    def text(self, node: Node, name: str, *, files: bool = False) -> str | None:
        """A scalar's text as it stands; `!file` puts a file's in its place. None when it is wrong."""
        given = tag(node) or ("!" if self.raw.startswith("!", index(node)) else None)
        if not isinstance(node, ScalarNode):
            said = f"{name} is a text, not {_described(node)}: write a text"
            self.report(node, f"{said}{self._in_quotes(node, name)}")
        elif given == "!file" and files:
            return self._included(node)
        elif given == "!file":
            self.report(node, f"{name} is short: write it here, without `!file`")
        elif given:
            said = f"the tag {quoted(given)} has no meaning here: leave it out"
            self.report(node, f"{said}{self._in_quotes(node)}")
        elif not node.style and not node.value:
            said = f'{name} has no value: write one ("" for an empty text), or leave it out'
            self.report(node, f"{said}{self._in_quotes(node)}")
        elif node.style in ("|", ">") and not node.value and self._in_quotes(node):
            self.report(node, f"{name} has no text below `{node.style}`: write it{self._in_quotes(node)}")
        elif not node.style and node.value in _NULLS:
            self.report(
                node,
                f'{name} cannot be null: leave it out, or write "{node.value}" with quotes for that text',
            )
        elif "\0" in node.value:
            self.report(node, f"{name} holds a NUL character, which the server cannot store: remove it")
        else:
            return str(node.value)
        return None

    def _in_quotes(self, node: Node, name: str = "") -> str:
        """What to write where a text was meant that YAML takes for something else; "" where none was.

        name: of the field; an item of a list is quoted by itself.
        """
        item = name.startswith(_ITEM)
        one = not isinstance(node, MappingNode) or len(node.value) == 1
        line = ""
        if not self.file.lower().endswith(".json"):
            line = hints.quoted(self.raw, index(node), item=item and one)
        return f"; if it is a text, put it in quotes: write {line}" if line else ""

    def _included(self, node: ScalarNode) -> str | None:
        try:
            return self.include(node.value)
        except ValueError as error:
            self.report(node, f"!file {quoted(node.value)} {error}")
            return None

    def texts(self, node: Node, name: str, *, files: bool = False) -> tuple[str, ...] | None:
        """A list of texts."""
        if not isinstance(node, SequenceNode) or tag(node):
            self.report(
                node, f"{name} is a list of texts, not {_described(node)}: {_listed(node, name, files)}"
            )
            return None
        items = [self.text(item, f"{_ITEM}{name}", files=files) for item in node.value]
        return None if None in items else tuple(item for item in items if item is not None)

    def boolean(self, node: Node, name: str) -> bool | None:
        """Plain true or false alone."""
        if isinstance(node, ScalarNode) and not node.style and not tag(node):
            if node.value == "true":
                return True
            if node.value == "false":
                return False
        said = f"{name} must be true or false, not {_described(node)}"
        self.report(node, f"{said}: write one of the two, without quotes{_comment(node)}")
        return None

    def integer(self, node: Node, name: str) -> int | None:
        """Plain decimal digits alone. More than any server stores is cut, and still too much."""
        if isinstance(node, ScalarNode) and _INT.fullmatch(node.value) and not tag(node):
            if not node.style:
                return int(node.value[:12])
            hint = "write it without quotes"
        else:
            hint = "write it in plain digits, such as 300"
        said = f"{name} must be a whole number, not {_described(node)}: {hint}"
        self.report(node, f"{said}{_comment(node)}")
        return None

    def value(self, node: Node, name: str, kind: Type) -> Value | None:
        """What the node says for a field of this type."""
        match kind:
            case Type.TEXT:
                return self.text(node, name, files=True)
            case Type.ENUM:
                return self.text(node, name)
            case Type.TEXTS:
                return self.texts(node, name, files=True)
            case Type.BOOL:
                return self.boolean(node, name)
            case Type.INT:
                return self.integer(node, name)


def _described(node: Node) -> str:
    """What stands there, for a sentence that says that something else should."""
    if isinstance(node, MappingNode):
        said = "a mapping"
    elif isinstance(node, SequenceNode):
        said = "a list"
    elif not isinstance(node, ScalarNode) or not (node.style or node.value):
        said = "nothing"
    elif node.style in ('"', "'"):
        said = f"the text {quoted(node.value)}"
    else:
        said = quoted(node.value)
    given = tag(node)
    return f"{said} with the tag {quoted(given)}" if given else said


def _comment(node: Node) -> str:
    """What to say of a comment in the manner of other languages."""
    if isinstance(node, ScalarNode) and not node.style and re.search(r"\s(//|/\*)", node.value):
        return "; a comment begins with `#`"
    return ""


def _listed(node: Node, name: str, files: bool) -> str:
    """What to write in the place of what is no list. files: of texts that may be long, and hold commas."""
    if not isinstance(node, ScalarNode) or (not node.style and node.value in ("", *_NULLS)):
        return f"write {name}: [...]"
    if tag(node) == "!file":
        return f"write {name}: [!file {quoted(node.value)}]"
    if node.style in ("|", ">"):
        return f"begin a line below it with `- {node.style}`, and indent the text further"
    if not node.style and node.value[0] in "-–—•*":
        return "begin every item with `- `, a hyphen and a space"
    texts = [text.strip() for text in node.value.split(",") if text.strip()]
    if files and not all("@" in text for text in texts):
        texts = [node.value]
    return f"write {name}: [{', '.join(map(quoted, texts))}]"
