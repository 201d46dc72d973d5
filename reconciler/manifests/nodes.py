"""Nodes → values. A scalar means what its field says it is, not what YAML would make of it.

Every function reports errors to the Source and goes on, so that one run shows all of them. Knows types and
merge keys, not fields: model.py says what a field allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from reconciler.domain.kinds import Type, Value
from reconciler.domain.text import quoted
from reconciler.manifests.source import Source
from reconciler.yaml import MappingNode, Node, ScalarNode, SequenceNode, hints, index, tag

Entries = dict[str, tuple[Node, Node]]
"""The keys of a mapping, merged ones included: the node of the key and of the value."""

_NULLS = frozenset({"null", "Null", "NULL", "~"})
_ITEM = "an item of "
_INT = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)


def entries(source: Source, node: Node, what: str, *, secret: bool = False) -> Entries | None:
    """The keys of a mapping. Its own win over merged ones, an earlier merge over a later one.

    secret: no message may show what is written there.
    """
    if not isinstance(node, MappingNode) or tag(node):
        message = f"{what} must be a mapping (`name: value` lines)"
        message = message if secret else f"{message}, not {_described(node)}"
        listed = isinstance(node, SequenceNode)
        source.report(node, f"{message}: write each item under a name, without a dash" if listed else message)
        return None
    found: Entries = {}
    merge: tuple[Node, Node] | None = None
    for pair in node.value:
        key = pair[0]
        if not isinstance(key, ScalarNode) or (source.tags and tag(key)):
            given = "" if secret else f", not {_described(key)}"
            source.report(key, f"a key of {what} must be a plain text{given}: write a name")
        elif key.value == "<<" and not key.style:
            if merge:
                source.report(key, "`<<` appears twice in a mapping: write `<<: [*one, *other]`")
            merge = pair
        elif key.value in found:
            first = source.at(found[key.value][0])
            name = "a key" if secret else quoted(key.value)
            source.report(key, f"{name} appears twice, first at {first}: remove one of them")
        else:
            found[key.value] = pair
    if merge:
        items = merge[1].value if isinstance(merge[1], SequenceNode) else [merge[1]]
        for item in items:
            for name, pair in (entries(source, item, "what `<<` merges", secret=secret) or {}).items():
                found.setdefault(name, pair)
    return found


def text(source: Source, node: Node, name: str, *, files: bool = False) -> str | None:
    """A scalar's text, None where it is wrong. files: whether `!file` may name a file that has the text."""
    if (
        type(node) is ScalarNode
        and (value := node.value)
        and (node.style or value not in _NULLS)
        and "\0" not in value
        and (not source.tags or not (tag(node) or source.raw.startswith("!", index(node))))
    ):
        return value  # type: ignore[no-any-return]  # always a str
    return _other_text(source, node, name, files=files)


def _other_text(source: Source, node: Node, name: str, *, files: bool) -> str | None:
    """The text of a node that is not just that, None where it is wrong."""
    given = tag(node) or ("!" if source.raw.startswith("!", index(node)) else None)
    if not isinstance(node, ScalarNode):
        message = f"{name} must be a text, not {_described(node)}: write a text"
        source.report(node, f"{message}{_in_quotes(source, node, name)}")
    elif given == "!file" and files:
        return _included(source, node)
    elif given == "!file":
        source.report(node, f"{name} cannot come from a file: write it here, without `!file`")
    elif given:
        message = f"the tag {quoted(given)} has no meaning here: leave it out"
        source.report(node, f"{message}{_in_quotes(source, node)}")
    elif not node.style and not node.value:
        message = f'{name} has no value: write one ("" for an empty text), or leave it out'
        source.report(node, f"{message}{_in_quotes(source, node)}")
    elif node.style in ("|", ">") and not node.value and _in_quotes(source, node):
        source.report(node, f"{name} has no text below `{node.style}`: write it{_in_quotes(source, node)}")
    elif not node.style and node.value in _NULLS:
        source.report(
            node,
            f'{name} cannot be null: leave it out, or write "{node.value}" with quotes for that text',
        )
    elif "\0" in node.value:
        source.report(node, f"{name} contains a NUL character, which the server cannot store: remove it")
    else:
        return str(node.value)
    return None


def _in_quotes(source: Source, node: Node, name: str = "") -> str:
    """What to write instead of a text that YAML reads as something else; "" where it cannot be a text.

    name: of the field; an item of a list is quoted by itself.
    """
    item = name.startswith(_ITEM)
    one = not isinstance(node, MappingNode) or len(node.value) == 1
    line = ""
    if not source.file.lower().endswith(".json"):
        line = hints.quoted(source.raw, index(node), item=item and one)
    return f"; if it is a text, put it in quotes: write {line}" if line else ""


def _included(source: Source, node: ScalarNode) -> str | None:
    try:
        return source.include(node.value)
    except ValueError as error:
        source.report(node, f"!file {quoted(node.value)} {error}")
        return None


def texts(source: Source, node: Node, name: str, *, files: bool = False) -> tuple[str, ...] | None:
    """A list of texts."""
    if not isinstance(node, SequenceNode) or tag(node):
        source.report(
            node, f"{name} must be a list of texts, not {_described(node)}: {_listed(node, name, files)}"
        )
        return None
    items = [text(source, item, f"{_ITEM}{name}", files=files) for item in node.value]
    return None if None in items else tuple(item for item in items if item is not None)


def boolean(source: Source, node: Node, name: str) -> bool | None:
    """Only plain true or false."""
    if isinstance(node, ScalarNode) and not node.style and not (source.tags and tag(node)):
        if node.value == "true":
            return True
        if node.value == "false":
            return False
    message = f"{name} must be true or false, not {_described(node)}"
    source.report(node, f"{message}: write one of the two, without quotes{_comment(node)}")
    return None


def integer(source: Source, node: Node, name: str) -> int | None:
    """Only plain decimal digits. A number that no server stores is cut, and is still too large."""
    if isinstance(node, ScalarNode) and _INT.fullmatch(node.value) and not (source.tags and tag(node)):
        if not node.style:
            return int(node.value[:12])
        hint = "write it without quotes"
    else:
        hint = "write it in plain digits, such as 300"
    message = f"{name} must be a whole number, not {_described(node)}: {hint}"
    source.report(node, f"{message}{_comment(node)}")
    return None


READERS: Mapping[Type, Callable[[Source, Node, str], Value | None]] = {
    Type.TEXT: partial(text, files=True),
    Type.ENUM: text,
    Type.TEXTS: partial(texts, files=True),
    Type.BOOL: boolean,
    Type.INT: integer,
}
"""What reads the value of a field, by its type; it gives None where that is wrong."""


def _described(node: Node) -> str:
    """What a node is, for the message that it should be something else."""
    if isinstance(node, MappingNode):
        what = "a mapping"
    elif isinstance(node, SequenceNode):
        what = "a list"
    elif not isinstance(node, ScalarNode) or not (node.style or node.value):
        what = "nothing"
    elif node.style in ('"', "'"):
        what = f"the text {quoted(node.value)}"
    else:
        what = quoted(node.value)
    given = tag(node)
    return f"{what} with the tag {quoted(given)}" if given else what


def _comment(node: Node) -> str:
    """A hint where a value contains a comment of another language."""
    if isinstance(node, ScalarNode) and not node.style and re.search(r"\s(//|/\*)", node.value):
        return "; a comment starts with `#`"
    return ""


def _listed(node: Node, name: str, files: bool) -> str:
    """What to write instead of what is not a list. files: whether its texts may be long, with commas."""
    if not isinstance(node, ScalarNode) or (not node.style and node.value in ("", *_NULLS)):
        return f"write {name}: [...]"
    if tag(node) == "!file":
        return f"write {name}: [!file {quoted(node.value)}]"
    if node.style in ("|", ">"):
        return f"start the next line with `- {node.style}`, and indent the text further"
    if not node.style and node.value[0] in "-–—•*":
        return "start every item with `- `, a hyphen and a space"
    texts = [text.strip() for text in node.value.split(",") if text.strip()]
    if files and not all("@" in text for text in texts):
        texts = [node.value]
    return f"write {name}: [{', '.join(map(quoted, texts))}]"
