"""The check of values that do not say what their line in the manifest seems to say.

YAML takes `&promo` before a text for an anchor and ` #1` behind one for a comment, and in quotes `!file` is
no tag. None of that is wrong, and the value may be meant so; but nobody sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.domain.kinds import OPENAI, Type
from reconciler.domain.origins import Source
from reconciler.domain.text import quoted
from reconciler.lint.characters import IDS
from reconciler.lint.context import Context, Remark, Subject
from reconciler.yaml import MappingNode, Node, ScalarNode, SequenceNode, end, hints, index, tag

FIELDS = tuple(
    name
    for name, field in {**OPENAI.fields, **OPENAI.settings}.items()
    if field.type in (Type.TEXT, Type.TEXTS)
)

_ANCHOR = re.compile(r"&([^\s,\[\]{}]+)\s")
_COMMENT = re.compile(r"[ \t]+(#[^\s#]\S*)")
_TAGGED = re.compile(r"!(file|env|secret-file)[ \t]+\S+")


def yaml_sign(context: Context) -> Iterator[Remark]:
    """Signs that YAML takes for no text, or the reverse, one remark a text."""
    for subject, name, source, item, node in _texts(context):
        if said := _said(source, node, name):
            yield Remark(subject, name, said, item)


def file_name(context: Context) -> Iterator[Remark]:
    """A file that other systems may not find."""
    for subject, name, source, item, node in _texts(context):
        if source.elsewhere and tag(node) == "!file" and (said := source.elsewhere.get(node.value)):
            yield Remark(subject, name, f"the file {quoted(node.value)} {said}: rename it", item)


def _texts(context: Context) -> Iterator[tuple[Subject, str, Source, int | None, ScalarNode]]:
    """Every scalar of a field that is a text or a list of them: its subject, field, source and number."""
    for subject, _ in context.holders():
        for name in FIELDS:
            if origin := subject.origins.get(name):
                node = origin.value
                if isinstance(node, MappingNode) and node.value:  # `ignoreJids: {merge: [...]}`
                    node = node.value[0][1]
                nodes: list[Node] = node.value if isinstance(node, SequenceNode) else [node]
                for item, each in enumerate(nodes):
                    if isinstance(each, ScalarNode):
                        number = item if isinstance(node, SequenceNode) else None
                        yield subject, name, origin.source, number, each


def _said(source: Source, node: ScalarNode, name: str) -> str:
    raw, at = source.raw, index(node)
    if _TAGGED.fullmatch(node.value) and node.style in ("'", '"'):
        if source.file.lower().endswith(".json"):
            return f"{name} says {node.value!r} to the letter, as JSON has no tags: make the manifest a .yaml"
        return f"in quotes {node.value!r} is a text and no tag: write {node.value} without quotes"
    if node.style or name in IDS:
        return ""
    anchor = _ANCHOR.match(raw, at)
    if anchor and f"*{anchor[1]}" not in raw:
        line = hints.quoted(raw, at)
        return (
            f"YAML takes &{anchor[1]} for the name of an anchor, which nothing refers to, so the value is "
            f"only {node.value!r}: remove it, or put the whole in quotes{f': {line}' if line else ''}"
        )
    comment = _COMMENT.match(raw, end(node))
    if comment:
        line = hints.quoted(raw, at, comment=True)
        return (
            f"YAML takes {comment[1]!r} for the beginning of a comment, so the value is only {node.value!r}: "
            f"write a space behind the #, or put the whole in quotes{f': {line}' if line else ''}"
        )
    return ""
