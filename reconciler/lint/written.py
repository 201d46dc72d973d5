"""Checks of values that are not what their line in the manifest seems to say.

YAML reads `&promo` before a text as an anchor and ` #1` after one as a comment, and `!file` in quotes is not
a tag. All of that is valid and may be intended, but is easily overlooked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.domain.origins import Source
from reconciler.domain.text import quoted
from reconciler.lint.characters import IDS
from reconciler.lint.context import Context, Remark
from reconciler.yaml import ScalarNode, end, hints, index, tag

_ANCHOR = re.compile(r"&([^\s,\[\]{}]+)\s")
_COMMENT = re.compile(r"[ \t]+(#[^\s#]\S*)")
_TAGGED = re.compile(r"!(file|env|secret-file)[ \t]+\S+")


def yaml_sign(context: Context) -> Iterator[Remark]:
    """Characters that YAML does not read as text, or tags that it does: one remark per text."""
    for subject, name, source, item, node in context.written:
        if text := _misread(source, node, name):
            yield Remark(subject, name, text, item)


def file_name(context: Context) -> Iterator[Remark]:
    """A file that other systems may not find by its name."""
    for subject, name, source, item, node in context.written:
        if source.elsewhere and tag(node) == "!file" and (why := source.elsewhere.get(node.value)):
            yield Remark(subject, name, f"the file {quoted(node.value)} {why}: rename it", item)


def _misread(source: Source, node: ScalarNode, name: str) -> str:
    """What YAML reads differently than it looks, and what to do; "" for nothing."""
    raw, at = source.raw, index(node)
    if node.value[:1] == "!" and _TAGGED.fullmatch(node.value) and node.style in ("'", '"'):
        if source.file.lower().endswith(".json"):
            return f"{name} is the text {node.value!r}, as JSON has no tags: make the manifest a .yaml file"
        return f"{node.value!r} in quotes is a text, not a tag: write {node.value} without quotes"
    if node.style or name in IDS:
        return ""
    anchor = _ANCHOR.match(raw, at)
    if anchor and f"*{anchor[1]}" not in raw:
        line = hints.quoted(raw, at)
        return (
            f"YAML reads &{anchor[1]} as an anchor, which nothing refers to, so the value is only "
            f"{node.value!r}: remove it, or put the whole value in quotes{f': {line}' if line else ''}"
        )
    comment = _COMMENT.match(raw, end(node))
    if comment:
        line = hints.quoted(raw, at, comment=True)
        return (
            f"YAML reads {comment[1]!r} as the start of a comment, so the value is only {node.value!r}: "
            f"write a space after the #, or put the whole value in quotes{f': {line}' if line else ''}"
        )
    return ""
