"""One change as text for a terminal: its sign, its reason, and every line that differs.

An update shows each changed line in full. Only unchanged lines, and the long texts of a bot that is created
or deleted, are shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from reconciler.domain import safe
from reconciler.domain.kinds import Value
from reconciler.domain.plan import Change, FieldChange, Verb
from reconciler.domain.text import count
from reconciler.render import values
from reconciler.render.values import Paint

_LOOKS: dict[Verb, tuple[str, str | None]] = {
    Verb.CREATE: ("+", "green"),
    Verb.MOVE: ("+", "yellow"),
    Verb.UPDATE: ("~", "yellow"),
    Verb.ADOPT: (">", "yellow"),
    Verb.REPLACE: ("-/+", "red"),
    Verb.ROTATE: ("@", "yellow"),
    Verb.DELETE: ("-", "red"),
    Verb.BLOCKED: ("!", "yellow"),
    Verb.CONFLICT: ("!", "red"),
    Verb.ORPHAN: ("?", "cyan"),
    Verb.FORGET: ("?", "cyan"),
    Verb.SWITCHED_OFF: ("!", "yellow"),
    Verb.BEFORE: ("=", None),
    Verb.WITHDRAWN: ("?", "cyan"),
    Verb.UNMANAGED: ("?", None),
}
_SIGNS = {"@@": "cyan", "-": "red", "+": "green"}

FIELD = " " * 6
"""Where fields begin."""

_BLOCK = " " * 8  # where the lines of long texts begin


def change(
    change: Change, origins: Sequence[str], alike: Sequence[Change], paint: Paint, width: int
) -> Iterator[str]:
    """The lines of a change. origins: where it is declared. alike: the changes for which it stands."""
    sign, colour = _LOOKS[change.verb]
    head = f"{sign:>3} {safe.line(change.label)}  {values.word(change.verb)}"
    yield from sentence(head, colour, values.about(change, origins, alike), paint, width)
    if change.is_whole:
        yield from _whole(change, width)
    else:
        inline = [safe.line(field.name) for field in change.fields if _fits(field, width)]
        column = max(map(len, inline), default=0)
        for field in change.fields:
            yield from _field(field, column, paint, width)


def sentence(head: str, colour: str | None, text: str, paint: Paint, width: int) -> Iterator[str]:
    """A painted head and its text, on as many lines as it takes."""
    first, *rest = wrapped(f"{head}: {text}", width, FIELD, len(head) + 2)
    yield paint(head, colour) + first.removeprefix(head)
    yield from rest


def wrapped(text: str, width: int, indent: str, least: int = 0) -> list[str]:
    """The text on as many lines as it takes. least: the least columns of a line, for a narrow terminal."""
    if len(text) <= width:
        return [text]
    room = max(width, least, len(indent) + 2)
    return wrap(text, room, subsequent_indent=indent, break_long_words=False)


# -- a bot that is created or deleted: every field, in short -----------------------------------


def _whole(change: Change, width: int) -> Iterator[str]:
    whole = [
        (safe.line(field.name), value)
        for field in change.fields
        if (value := field.before if change.verb is Verb.DELETE else field.after) is not None
    ]
    room = width - len(FIELD)
    short = [(name, value) for name, value in whole if not values.is_long(value, room - len(name) - 2)]
    yield from _flow([f"{name} {values.inline(name, value)}" for name, value in short], room)
    for name, value in whole:
        if (name, value) not in short:
            yield from _heads(name, value, width)


def _flow(parts: Iterable[str], room: int) -> Iterator[str]:
    """The parts separated by commas, as many on a line as fit."""
    row = ""
    for part in parts:
        if row and safe.cells(row) + safe.cells(part) + 3 > room:
            yield f"{FIELD}{row},"
            row = ""
        row = f"{row}, {part}" if row else part
    if row:
        yield f"{FIELD}{row}"


def _heads(name: str, value: Value, width: int) -> Iterator[str]:
    """The first line of each long text, and how many lines follow."""
    for index, text in enumerate(value if isinstance(value, tuple) else (str(value),)):
        place = f"{FIELD}{name}[{index}]  " if isinstance(value, tuple) else f"{FIELD}{name}  "
        first, *rest = text.strip("\n").split("\n")
        more = f"  (+{count(len(rest), 'line')})" if rest else ""
        yield f"{place}{values.clip(safe.line(first), width - len(place) - len(more))}{more}"


# -- a field that changes ----------------------------------------------------------------------


def _field(field: FieldChange, column: int, paint: Paint, width: int) -> Iterator[str]:
    if _fits(field, width):
        before, after = (
            values.inline(field.name, side) for side in values.distinguished(field.before, field.after)
        )
        yield f"{FIELD}{safe.line(field.name):<{column}}  {before} → {after}"
        yield from _note(field, width)
    else:
        for title, old, new in values.texts(field):
            yield f"{FIELD}{title}"
            yield from _note(field, width)
            for sign, line in values.diff(old, new, width - len(_BLOCK) - 2):
                shown = f"{sign} {line}"
                yield _BLOCK + (shown.rstrip() if sign == " " else paint(shown, _SIGNS[sign]))


def _note(field: FieldChange, width: int) -> list[str]:
    return wrapped(f"{_BLOCK}{values.NOTES[field.note]}", width, _BLOCK) if field.note else []


# -- values ------------------------------------------------------------------------------------


def _fits(field: FieldChange, width: int) -> bool:
    """Whether the change fits on one line."""
    room = width - len(FIELD) - len(field.name) - len("   → ")
    if values.is_long(field.before, room) or values.is_long(field.after, room):
        return False
    shown = values.inline(field.name, field.before) + values.inline(field.name, field.after)
    return len(shown) <= room or not isinstance(field.before or field.after, str | tuple)
