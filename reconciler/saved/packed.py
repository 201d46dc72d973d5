"""A document with each text once, and lists of like mappings as tables, and back. Pure.

A prompt stands in a plan up to four times for each bot: as the bot is, as the change shows it, and in the
call. In a file each text that occurs more than once stands in `texts`, under its digest, and where it occurs
stands `text:` with that digest. A text that begins so itself is always in `texts`, so that nothing is
ambiguous.

A list of mappings with the same keys is a table, `{"rows": {"same": {...}, "each": {...}}}`: by its key, what
all of them have, or a list of what each has.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

VERSION = 4

MOST_CHARACTERS = 2**31
"""A document with more in its texts, each as often as it occurs, is neither written nor read."""

MOST_CELLS = 2**25
"""Of a document with more values in its tables the same is true: a small file would take all memory."""

_MARK = "text:"
_SHORT = 64  # characters; a shorter text takes no more room than its digest
_TABLE, _SAME, _EACH = "rows", "same", "each"


class PackedError(Exception):
    """Why a document cannot be packed or unpacked; completes "it ..."."""


def pack(document: Mapping[str, object]) -> dict[str, object]:
    """The document with its texts once, and its tables. Raises PackedError."""
    found = Counter(_texts(document))
    if sum(len(text) * number for text, number in found.items()) > MOST_CHARACTERS:
        raise PackedError("has too many long texts")
    digests = {
        text: hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
        for text, number in found.items()
        if number > 1 or text.startswith(_MARK)
    }
    marks = {text: _MARK + digest for text, digest in digests.items()}
    room = _Room()
    packed = {name: _with_tables(_replaced(value, marks), room) for name, value in document.items()}
    return packed | {"texts": {digest: text for text, digest in digests.items()}}


def unpack(packed: Mapping[str, object]) -> dict[str, Any]:
    """The document that was packed. Raises PackedError.

    Not everything that can be unpacked is as `pack` makes it: the caller packs what comes out, and compares.
    """
    texts = packed.get("texts")
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise PackedError("lacks its texts")
    room = _Room()
    rest = {name: _without_tables(value, room) for name, value in packed.items() if name != "texts"}
    found = Counter(mark for mark in _texts(rest) if mark.startswith(_MARK))
    marks = {mark: texts.get(mark.removeprefix(_MARK)) for mark in found}
    if None in marks.values():
        raise PackedError("lacks a text")
    if sum(len(marks[mark] or "") * number for mark, number in found.items()) > MOST_CHARACTERS:
        raise PackedError("has too many long texts")
    return {name: _replaced(value, marks) for name, value in rest.items()}


def _texts(value: object) -> Iterator[str]:
    """The texts in a value that may be packed, as often as they occur."""
    if isinstance(value, str):
        if len(value) > _SHORT or value.startswith(_MARK):
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _replaced(value: object, by: Mapping[str, object]) -> object:
    """The value with other texts in it."""
    if isinstance(value, str):
        return by.get(value, value)
    if isinstance(value, Mapping):
        return {name: _replaced(part, by) for name, part in value.items()}
    return [_replaced(part, by) for part in value] if isinstance(value, list | tuple) else value


# -- tables -----------------------------------------------------------------------------------


class _Room:
    """Counts the values in the tables of a document."""

    def __init__(self) -> None:
        self._left = MOST_CELLS

    def take(self, cells: int) -> None:
        """Raises PackedError where there are too many."""
        self._left -= cells
        if self._left < 0:
            raise PackedError("has too many values in its tables")


def _with_tables(value: object, room: _Room) -> object:
    """The value with tables in it. Raises PackedError for one that has what looks like a table."""
    if isinstance(value, dict):
        if value.keys() == {_TABLE}:
            raise PackedError(f"has a mapping with no other key than {_TABLE}")
        return {name: _with_tables(part, room) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < 2 or not all(isinstance(one, dict) and one.keys() == value[0].keys() for one in value):
        return [_with_tables(part, room) for part in value]
    if not value[0]:
        return value
    room.take(len(value) * len(value[0]))
    columns = {name: [_with_tables(one[name], room) for one in value] for name in value[0]}
    same = {name: column[0] for name, column in columns.items() if _is_same(column)}
    if len(same) == len(columns):
        del same[next(iter(columns))]  # one tells how many rows there are
    each = {name: column for name, column in columns.items() if name not in same}
    return {_TABLE: {_SAME: same, _EACH: each}}


def _is_same(column: list[object]) -> bool:
    """Whether a column has one value, which is small."""
    first = column[0]
    return _is_small(first) and all(type(one) is type(first) and one == first for one in column)


def _is_small(value: object) -> bool:
    """Whether a value may stand once for all rows: a file is never much smaller than its document."""
    if isinstance(value, str):
        return len(value) <= _SHORT
    return value is None or isinstance(value, bool | int) or value in ([], {})


def _without_tables(value: object, room: _Room) -> object:
    """The value with lists in the place of its tables. Raises PackedError."""
    if isinstance(value, list):
        return [_without_tables(part, room) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {_TABLE}:
        return {name: _without_tables(part, room) for name, part in value.items()}
    table = value[_TABLE]
    same, each = (table.get(_SAME), table.get(_EACH)) if isinstance(table, dict) else (None, None)
    if not isinstance(same, dict) or not isinstance(each, dict) or not each:
        raise PackedError("has a broken table")
    columns = [*each.values()]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        raise PackedError("has a broken table")
    if not all(map(_is_small, same.values())):
        raise PackedError("has a broken table")
    room.take(len(columns[0]) * (len(same) + len(each)))
    names = [*each]
    return [
        {**same, **{name: _without_tables(part, room) for name, part in zip(names, row, strict=True)}}
        for row in zip(*columns, strict=True)
    ]
