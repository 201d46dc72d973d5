"""A document with each text once, and back. Pure.

A prompt stands in a plan up to four times for each bot: as the bot is, as the change shows it, and in the
call. In a file each text that occurs more than once stands in `texts`, under its digest, and where it occurs
stands `text:` with that digest. A text that begins so itself is always in `texts`, so that nothing is
ambiguous.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

VERSION = 3

MOST_CHARACTERS = 2**31
"""A document with more in its texts, each as often as it occurs, is neither written nor read."""

_MARK = "text:"
_SHORT = 64  # characters; a shorter text takes no more room than its digest


class PackedError(Exception):
    """Why a document cannot be packed or unpacked; completes "it ..."."""


def pack(document: Mapping[str, object]) -> dict[str, object]:
    """The document with its texts once."""
    found = Counter(_texts(document))
    if sum(len(text) * number for text, number in found.items()) > MOST_CHARACTERS:
        raise PackedError("has too many long texts")
    digests = {
        text: hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
        for text, number in found.items()
        if number > 1 or text.startswith(_MARK)
    }
    marks = {text: _MARK + digest for text, digest in digests.items()}
    packed = {name: _replaced(value, marks) for name, value in document.items()}
    return packed | {"texts": {digest: text for text, digest in digests.items()}}


def unpack(packed: Mapping[str, object]) -> dict[str, Any]:
    """The document that was packed. Raises PackedError.

    Not everything that can be unpacked is as `pack` makes it: the caller packs what comes out, and compares.
    """
    texts = packed.get("texts")
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise PackedError("lacks its texts")
    rest = {name: value for name, value in packed.items() if name != "texts"}
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
