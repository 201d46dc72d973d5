"""The nodes of a manifest's text: their places, tags and limits, and the error for a text without any."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.tag import Tag

MAX_DEPTH = 50

UNTAGGED = Tag(suffix="")
"""The tag of every node that has none in the text."""


class MalformedError(Exception):
    """The text is not valid: a sentence, and the index of the character that it is about."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Places:
    """Lines and columns of a text, from 1, as an editor counts them: only LF (and CRLF) ends a line.

    libyaml's own marks count Unicode's other line breaks too, so only its indexes are used.
    """

    def __init__(self, text: str) -> None:
        self._end = len(text)
        self._last = len(text.rstrip(" \t\r\n"))  # errors at the end are shown after the last word
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def __call__(self, index: int) -> tuple[int, int]:
        index = index if index < self._end else self._last
        line = bisect_left(self._breaks, index)
        return line + 1, index - (self._breaks[line - 1] if line else -1)


def index(node: Node) -> int:
    """The index of the node's first character."""
    return int(node.start_mark.index)


def end(node: Node) -> int:
    """The index after the node's last character; of block styles it may be after the line break."""
    return int(node.end_mark.index)


def tag(node: Node) -> str | None:
    """The tag that the manifest gives to the node, None when it gives none."""
    return None if node.ctag is UNTAGGED else str(node.ctag).replace("tag:yaml.org,2002:", "!!")


def children(node: Node) -> list[Node]:
    """The keys, values or items of a node; none of a scalar."""
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, SequenceNode) else []


def each(root: Node) -> Iterator[Node]:
    """Every node of a tree once, however many aliases it has."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack += children(node)


def malformed(node: Node, message: str) -> MalformedError:
    """The error at the beginning of a node."""
    return MalformedError(message, index(node))


def too_deep(node: Node) -> MalformedError:
    """The error for a node that is nested too deep."""
    return malformed(node, f"the nesting is deeper than {MAX_DEPTH} levels: a manifest needs five at most")
