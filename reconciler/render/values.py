"""A bot's values for people, in every format: on one line where they fit, else as a diff of lines.

The texts returned here have been through `safe`; a format adds only its own marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

from reconciler.domain import safe
from reconciler.domain.kinds import KINDS, Type, Value
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Verb
from reconciler.domain.sequences import Matcher
from reconciler.domain.text import count
from reconciler.plan import differ
from reconciler.render import effects
from reconciler.saved.unshown import unshown

_CONTEXT = 2  # unchanged lines around a changed one
_COARSE = "compared roughly, as it is long and repeats itself: more lines may be the same"
_AROUND = 30  # unchanged characters around a change within a long line


Paint = Callable[[str, str | None], str]
"""Styles a text for a terminal. Its second argument is a colour's name, "bold", or None."""


def plain(text: str, look: str | None) -> str:
    """The Paint of an output without colours."""
    return text


_WORDS = {Verb.BLOCKED: "blocked"}


def word(verb: Verb) -> str:
    """What people read for a verb: the JSON value, where that is a plain word."""
    return _WORDS.get(verb, verb.value)


def clip(text: str, room: int) -> str:
    """The text, or as much of it as `room` characters hold."""
    return text if len(text) <= max(room, 1) else text[: max(room - 1, 0)] + "…"


NOTES = {
    "undeclared": "no longer declared, so it goes back to the default",
    "edited": "edited on the server since the last apply: this line will be overwritten",
}
"""What people read for the note of a field."""

_PLACES, _LINES = 2, 6  # files and lines that are named


def about(change: Change, origins: Sequence[str], alike: Sequence[Change]) -> str:
    """Why a change is made, and where it is declared. alike: the changes that it stands for."""
    text = safe.line(change.reason)
    if any(map(effects.becomes_catch_all, alike)):
        text += "; it answers every message of its number from now on"
    if change.verb is Verb.MOVE and len(alike) == 1 and change.other not in change.reason:
        text += f", from {safe.line(change.other)}"
    # For a change that is written the name is enough; for a report the reader needs to find the bot.
    ids = [id for id in change.ids if id not in change.reason and id != change.label]
    if ids and not change.verb.writes and len(alike) == 1:
        text += f" (id {safe.line(', '.join(ids))})"
    return f"{text} ({places(origins)})" if origins else text


def places(origins: Sequence[str]) -> str:
    """Where something is declared: the files with their lines, or how many places and the first."""
    lines: dict[str, list[str]] = {}
    for origin in origins:
        file, colon, line = origin.rpartition(":")
        is_line = bool(colon) and line.isdecimal()
        lines.setdefault(file if is_line else origin, []).extend([line] if is_line else [])
    if len(lines) <= _PLACES and len(origins) <= _LINES:
        return ", ".join(
            safe.line(f"{file}:{','.join(each)}" if each else file) for file, each in lines.items()
        )
    return f"{len(origins)} places, the first {safe.line(origins[0])}"


# -- on one line -------------------------------------------------------------------------------


def is_long(value: Value | None, room: int) -> bool:
    """Whether a value does not fit on one line. room: the characters of that line."""
    texts = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
    return any("\n" in text for text in texts) or sum(len(text) + 4 for text in texts) > room


def inline(name: str, value: Value | None) -> str:
    """A whole value on one line. Texts are in quotes, so that "1" differs from 1 and spaces are visible."""
    if value is None:
        return "(unset)"
    if isinstance(value, bool):
        return "true" if value else "false"
    field = _FIELDS.get(name)
    if isinstance(value, int):
        unit = field.unit if field and field.unit and field.unit not in name.lower() else None
        return count(value, unit.removesuffix("s")) if unit else str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_quoted(text) for text in value)}]"
    return safe.line(value) if field and field.type is Type.ENUM else _quoted(value)


_FIELDS = {name: field for kind in reversed([*KINDS.values()]) for name, field in kind.fields.items()}
"""Every kind's; what several kinds have is shown alike."""


def _quoted(text: str) -> str:
    return f'"{safe.line(text)}"'


def distinguished(before: Value | None, after: Value | None) -> tuple[Value | None, Value | None]:
    """The two sides. Texts that differ only in Unicode's normal form are shown by their code points."""
    if isinstance(before, str) and isinstance(after, str):
        was, now = str(before), str(after)
        if was == now:  # they differ in a secret, which neither shows
            return was, f"{now} (another secret)"
        if unicodedata.normalize("NFC", was) == unicodedata.normalize("NFC", now):
            return ascii(was)[1:-1], ascii(now)[1:-1]
    return before, after


def also(instance: InstancePlan) -> dict[str, list[str]]:
    """What the calls of a change do that its fields do not show: sentences, by the change's label."""
    found = {
        label: [f"{name} is sent as {inline(name, value)}" for name, value in more.items()]
        for label, more in unshown(instance).items()
    }
    for step in instance.steps:
        if step.merge:
            found.setdefault(step.bot, []).append("ignoreJids are added to those that are there")
    return found


# -- as lines ----------------------------------------------------------------------------------


def texts(field: FieldChange) -> Iterator[tuple[str, list[str], list[str]]]:
    """The texts of a field that differ: for each its name, and its lines before and after."""
    parts = differ.items(field.before, field.after)
    for place, was, now in [("", field.before, field.after)] if parts is None else parts:
        what = "" if parts is None else " added" if was is None else " removed" if now is None else ""
        old, new = distinguished(was, now)
        yield f"{safe.line(field.name)}{place}{what}", _lines(old), _lines(new)


def _lines(value: Value | None) -> list[str]:
    return str(value).split("\n") if value else []


def diff(before: Sequence[str], after: Sequence[str], room: int) -> Iterator[tuple[str, str]]:
    """A unified diff: a sign ("@@", " ", "-", "+") and a line each.

    room: characters of a line; a longer one is cut, but never where it changes.
    """
    matcher = Matcher(before, after)
    if matcher.coarse:
        yield "@@", _COARSE
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first = group[0][3] + 1
        if first > 1:
            yield "@@", f"line {first}"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from ((" ", clip(safe.line(line), room)) for line in before[i1:i2])
                continue
            gone, come = list(before[i1:i2]), list(after[j1:j2])
            if len(gone) == len(come):
                pairs = [_around(a, b, room) for a, b in zip(gone, come, strict=True)]
                gone, come = [a for a, _ in pairs], [b for _, b in pairs]
            yield from (("-", _with_ending(line)) for line in gone)
            yield from (("+", _with_ending(line)) for line in come)


def _around(before: str, after: str, room: int) -> tuple[str, str]:
    """The two sides of a changed line; of long ones only the change and the text around it."""
    shorter = min(len(before), len(after))
    start = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    end = next((i for i in range(shorter - start) if before[-1 - i] != after[-1 - i]), shorter - start)

    def cut(line: str) -> str:
        if len(line) <= room:
            return line
        head = "…" if start > _AROUND else ""
        tail = "…" if end > _AROUND else ""
        return head + line[max(0, start - _AROUND) : len(line) - max(0, end - _AROUND)] + tail

    return cut(before), cut(after)


def _with_ending(line: str) -> str:
    """A changed line with its trailing spaces made visible."""
    bare = line.rstrip(" ")
    return safe.line(bare) + "·" * (len(line) - len(bare))
