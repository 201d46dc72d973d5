"""The bytes of a manifest or of an included file → its text, which must be UTF-8."""

from __future__ import annotations

import codecs
import re

from reconciler.manifests.confined import UnreadableError

_CONFLICT = tuple(re.compile(sign, re.MULTILINE) for sign in (r"^<{7} ", r"^={7}\r?$", r"^>{7} "))


def decoded(data: bytes) -> str:
    """A file's text. Raises UnreadableError where it is not UTF-8, or contains a merge conflict of git."""
    text = _as_utf8(data)
    if text.startswith("\ufeff"):
        raise UnreadableError("starts with two byte order marks: save it as UTF-8 without any")
    if "<<<<<<< " not in text:
        return text
    at, first = 0, -1
    for sign in _CONFLICT:
        found = sign.search(text, at)
        if found is None:
            return text
        at, first = found.end(), found.start() if first < 0 else first
    line = text.count("\n", 0, first) + 1
    raise UnreadableError("contains a merge conflict, from `<<<<<<<` to `>>>>>>>`: resolve it", line)


def _as_utf8(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) or b"\0\0\0" in (data[:3], data[1:4]):
        raise UnreadableError("is UTF-32: save it as UTF-8")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0\0" in (data[:4:2], data[1:4:2]):
        raise UnreadableError("is UTF-16: save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise UnreadableError(
            f"is not UTF-8, at the byte 0x{error.object[error.start]:02x}: save it as UTF-8",
            before.count("\n") + 1,
            len(before) - before.rfind("\n"),
        ) from None
