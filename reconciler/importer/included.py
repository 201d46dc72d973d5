"""Texts of manifests that are in files (`!file`): who uses them, and the files' new contents. Pure."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.kinds import KINDS, Value
from reconciler.domain.origins import Origin
from reconciler.domain.plan import settings_label
from reconciler.domain.records import dataclass
from reconciler.manifests.confined import MAX_INCLUDED
from reconciler.manifests.variables import literal
from reconciler.yaml import Node, SequenceNode, tag
from reconciler.yaml.matching import Matched, reused

Original = Callable[[Path], bytes]
"""What a file holds now."""


@dataclass(frozen=True, slots=True)
class Use:
    """A text from a file, in a bot or the settings (about).

    before, after: the text now and as it is wanted; after is None where it is not wanted any more. origin: of
    the value that the text belongs to.
    """

    instance: DesiredInstance
    about: str
    field: str
    path: Path
    before: str
    after: str | None
    origin: Origin


def uses(instance: DesiredInstance, wanted: DesiredInstance) -> Iterator[Use]:
    """The texts of an instance that are in files, as far as it has origins."""
    after = {bot.name: bot for bot in wanted.bots}
    pairs: list[tuple[str, Any, Any]] = [(bot.name, bot, after[bot.name]) for bot in instance.bots]
    for kind, settings in instance.settings.items():
        pairs.append((settings_label(KINDS[kind]), settings, wanted.settings[kind]))
    for about, now, then in pairs:
        for name, value in now.fields.items():
            if origin := now.origins.get(name):
                for slot, text, path in included(origin, value):
                    yield Use(
                        instance, about, name, path, text, _after(value, then.fields[name], slot), origin
                    )


def included(origin: Origin, value: Value) -> Iterator[tuple[int, str, Path]]:
    """The texts of a value that are in files: their numbers, texts and paths without links."""
    node = origin.value
    parts: Sequence[tuple[Node, object]] = [(node, value)]
    if isinstance(node, SequenceNode) and isinstance(value, tuple):
        parts = list(zip(node.value, value, strict=False))
    for slot, (part, text) in enumerate(parts):
        if tag(part) == "!file" and isinstance(text, str):
            yield slot, text, (origin.source.folder / part.value).resolve()


def _after(before: Value, after: Value, slot: int) -> str | None:
    """What a text, or an item of a list, becomes; None for an item that is removed."""
    if not (isinstance(before, tuple) and isinstance(after, tuple)):
        return str(after)
    matched = Matched.of(before, after)
    if slot in matched.moves.values():
        return before[slot]
    return next((after[j] for j, i in matched.stays.items() if i == slot), None)


# -- new contents ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What becomes of a file. contents: what each of its users wants; None where a file cannot hold it."""

    contents: Sequence[tuple[Use, bytes | None]]

    @property
    def one(self) -> bytes | None:
        """What all of them want; None where they differ."""
        [first, *others] = {content for _, content in self.contents}
        return None if others else first

    @property
    def drifted(self) -> dict[bytes, list[Use]]:
        """The new contents that are possible, and who wants each."""
        found: dict[bytes, list[Use]] = {}
        for use, content in self.contents:
            if content is not None and use.after != use.before:
                found.setdefault(content, []).append(use)
        return found

    @property
    def fits(self) -> bool:
        """Whether a file can hold what each user wants."""
        return all(content is not None for _, content in self.contents)


def rewritten(
    before: Desired, wanted: Mapping[str, DesiredInstance], original: Original
) -> dict[Path, Rewritten]:
    """What becomes of every file of which a user wants a new content. wanted: the instances by name."""
    by_path: dict[Path, list[Use]] = {}
    for instance in before.instances:
        for use in uses(instance, wanted[instance.name]):
            by_path.setdefault(use.path, []).append(use)
    return {
        path: Rewritten([(use, _content(use, original(path))) for use in those if use.after is not None])
        for path, those in by_path.items()
        if any(use.after not in (use.before, None) for use in those)
    }


def for_all(use: Use, content: bytes, before: bytes) -> bytes:
    """The new content for all users of a file: what is one bot's own becomes a variable in new lines."""
    values = use.instance.vars or {}
    names = {values[name]: f"${{{name}}}" for name in use.origin.variables if values.get(name)}
    pieces = "|".join(re.escape(value) for value in sorted(names, key=len, reverse=True))
    known = {*before.decode().splitlines()}
    lines = content.decode().splitlines(keepends=True)
    for at, line in enumerate(lines) if names else ():
        if line.rstrip("\r\n") not in known:
            lines[at] = re.sub(rf"(?<!\w)(?:{pieces})(?!\w)", lambda found: names[found[0]], line)
    return "".join(lines).encode()


def _content(use: Use, data: bytes) -> bytes | None:
    """The file with its new text, unchanged lines as they are; None where a file cannot hold the text."""
    if use.after is None or use.after == use.before:
        return data
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    raw = data[len(mark) :].decode()
    newline = "\r\n" if "\r\n" in raw else "\n"
    source = raw.removesuffix("\n").split("\n")
    lines, before = use.after.split("\n"), use.before.split("\n")
    if len(before) != len(source):
        before = source = []
    literal = as_literal(use.instance)
    behind = newline.removesuffix("\n")
    made = [line for _, line in reused(before, source, lines, lambda j: literal(lines[j]) + behind)]
    if not raw.endswith("\n"):
        made[-1] = made[-1].removesuffix("\r")
    ends = raw.endswith("\n") or not raw or use.after.endswith("\n")
    content = mark + ("\n".join(made) + ("\n" if ends else "")).encode()
    carried = "\r\n" not in use.after + "\n" and (mark or not use.after.startswith("\ufeff"))
    return content if carried and len(content) <= MAX_INCLUDED else None


def as_literal(instance: DesiredInstance) -> Callable[[str], str]:
    """How a text is written for this instance so that nothing in it is a variable."""
    return partial(literal, variables=instance.vars is not None)
