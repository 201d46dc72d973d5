"""The text of a manifest → a tree of nodes, each of which knows its place.

The C composer reads it. Every scalar stays the text that it is: its field decides what `1`, `no` or `0010`
means. Raises MalformedError for a text that cannot be read. Depth, aliases and cycles are limited here, so
that other functions can walk the tree without checks of their own.
"""

from __future__ import annotations

import re
from itertools import chain

from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # it is there, but not exported
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.tag import Tag

from reconciler.domain.safe import named
from reconciler.yaml import hints
from reconciler.yaml.syntax import explained
from reconciler.yaml.tree import MAX_DEPTH, UNTAGGED, MalformedError, children, each, malformed, too_deep

MAX_EXPANDED = 20_000_000
"""How large aliases may make a manifest: the characters of its scalars, and 20 for every node."""


def compose(text: str) -> Node:
    """The one document in a YAML text. Raises MalformedError."""
    parsed, back = _without_breaks(text)
    try:
        root: Node | None = _Composer(parsed).get_single_node()
    except MarkedYAMLError as error:
        raise explained(error, text) from None
    except YAMLError as error:  # the reader's, which has an offset in bytes instead of a mark
        before = parsed.encode()[: getattr(error, "position", 0)].decode(errors="ignore")
        raise _forbidden(text, len(before)) from None
    if back and root is not None:
        _translate(root, back)
    if not text.isascii() and root is not None and _ODD_BLANK.search(text):
        _check_blanks(root)
    if root is None or (isinstance(root, ScalarNode) and not root.value and not root.style):
        raise MalformedError("the file is empty: start with `bots:`, or remove the file", 0)
    if "*" in text:
        _measure(root)
    return root


# -- line breaks of YAML 1.1 ------------------------------------------------------------------

_BREAKS = ("\x85", "\u2028", "\u2029")
_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE))


def _without_breaks(text: str) -> tuple[str, dict[int, str]]:
    """The text without the line breaks of YAML 1.1, and the table that brings them back.

    libyaml reads YAML 1.1; in YAML 1.2 they are characters like others. They are replaced with characters of
    private use that the text does not have, not even as an escape.
    """
    there = [each for each in _BREAKS if each in text]
    if not there:
        return text, {}
    taken, escapes = set(text), text.lower()
    free = (code for code in chain(*_PRIVATE) if chr(code) not in taken and f"{code:04x}" not in escapes)
    placeholders = dict(zip(free, there, strict=False))
    if len(placeholders) < len(there):
        raise _forbidden(text, text.index(there[-1]))
    return text.translate({ord(each): code for code, each in placeholders.items()}), placeholders


def _translate(root: Node, table: dict[int, str]) -> None:
    """Replace characters in all scalars."""
    for node in each(root):
        if isinstance(node, ScalarNode):
            node.value = node.value.translate(table)


def _forbidden(text: str, at: int) -> MalformedError:
    """The error for a character that YAML does not allow."""
    sign = text[at : at + 1] or "\0"
    message = f"not valid YAML: {named(sign)} is not allowed here"
    if ord(sign) > 0xFF or sign == "\0":
        return MalformedError(f"{message}: remove it", at)
    return MalformedError(f'{message}: remove it, or write it as "\\x{ord(sign):02x}" in double quotes', at)


_ODD_BLANK = re.compile(rf"(?m)^[ \t]*[{hints.BLANKS}]")


def _check_blanks(root: Node) -> None:
    """Refuse a key with a blank before it that is not a space: it looks indented, and is not."""
    for node in each(root):
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode) and not key.style and _ODD_BLANK.match(key.value):
                raise malformed(key, f"not valid YAML: {hints.blank(key.value[0])}")


# -- the composer -----------------------------------------------------------------------------


class _Composer(CParser):  # type: ignore[misc]  # the C extension has no types
    """The C composer with a resolver that resolves nothing and counts the depth instead."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH and parent is not None:
            raise too_deep(parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, kind: object, value: object, implicit: object) -> Tag:
        return UNTAGGED


def _measure(root: Node) -> None:
    """Refuse aliases that make a cycle, nest too deep, or expand too much. Visits each node once."""
    opened: set[int] = set()
    sizes: dict[int, tuple[int, int]] = {}  # characters and depth of what a node expands to
    stack = [root]
    while stack:
        node = stack[-1]
        inner = children(node)
        if id(node) not in opened:
            opened.add(id(node))
            for child in inner:
                if id(child) not in opened:
                    stack.append(child)
                elif id(child) not in sizes:
                    raise malformed(
                        child, "an alias in here refers to the value that contains it: write it out"
                    )
            continue
        stack.pop()
        if id(node) in sizes:
            continue
        own = len(node.value) if isinstance(node, ScalarNode) else 0
        size = 20 + own + sum(sizes[id(child)][0] for child in inner)
        depth = 1 + max((sizes[id(child)][1] for child in inner), default=0)
        if size > MAX_EXPANDED:
            raise malformed(node, "aliases make this too large: write it with fewer of them")
        if depth > MAX_DEPTH:
            raise too_deep(node)
        sizes[id(node)] = (size, depth)
