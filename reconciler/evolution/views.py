"""The views of a text: every form in which it may be meant.

A view is the text itself, or what comes out when a view is unescaped, stripped or decoded; each new view is
treated in the same way until nothing is new. Every character of a view knows its place in the text. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from reconciler.domain.records import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """A text that was made of another. starts, ends: for each character, what it stands for there."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def views(text: str, most: int) -> Iterator[View | None]:
    """The text in every form in which it may be meant.

    most: characters of all views together; where that is not enough, the last view is None.
    """
    found = [View(text, range(len(text)), range(1, len(text) + 1))]
    seen = {text}
    work = 0
    for view in found:  # which grows meanwhile
        work += len(view.text)
        if work > most:
            yield None
            return
        yield view
        for change in (_unescaped, _unquoted, _utf8, _bare, _decoded):
            made = change(view)
            if made is not None and made.text not in seen:
                seen.add(made.text)
                found.append(made)


def _replaced(view: View, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> View | None:
    """The view with every match replaced; None where there is none."""
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for match in pattern.finditer(view.text):
        first, end = match.span()
        made = new(match)
        texts += [view.text[last:first], made]
        starts += [*view.starts[last:first], *[view.starts[first]] * len(made)]
        ends += [*view.ends[last:first], *[view.ends[end - 1]] * len(made)]
        last = end
    if not texts:
        return None
    text = "".join((*texts, view.text[last:]))
    return View(text, [*starts, *view.starts[last:]], [*ends, *view.ends[last:]])


_ESCAPE = re.compile(
    r"%u(?P<iis>[0-9a-f]{4})|%(?P<percent>[0-9a-f]{2})"
    r"|&\#x0*(?P<hex>[0-9a-f]{1,6});?|&\#0*(?P<decimal>[0-9]{1,7});?|(?P<named>&[a-z][a-z0-9]{1,31};)"
    r"|\\+u\{0*(?P<brace>[0-9a-f]{1,6})\}|\\+u(?P<short>[0-9a-f]{4})|\\+U(?P<long>[0-9a-f]{8})"
    r"|\\+x(?P<byte>[0-9a-f]{2})|\b0x(?P<number>[0-9a-f]{2})(?![0-9a-f])(?:,\s*)?"
    r"|\\+(?P<octal>[0-3][0-7]{2})|\\+(?P<plain>.)",
    re.IGNORECASE | re.DOTALL,
)
_BASES = {"decimal": 10, "octal": 8}
_LAYERS = 8
"""How often a secret may have been escaped."""


def _unescaped(view: View) -> View | None:
    """Percent codes, entities and the escapes of JSON and JavaScript."""
    return _replaced(view, _ESCAPE, _meant)


def unescape(text: str) -> str:
    """The text with nothing escaped in it any more."""
    for _ in range(_LAYERS):
        before, text = text, _ESCAPE.sub(_meant, text)
        if before == text:
            break
    return text


def _meant(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "named":
        import html  # noqa: PLC0415  slow to import

        return html.unescape(match[0])
    if kind == "plain":
        return match[kind] if match[kind] not in "nrtbfv" else " "
    code = int(match[kind], _BASES.get(kind, 16))
    return chr(code) if code < 0x110000 else " "


_QUOTED = re.compile(r"=([0-9A-Fa-f]{2})(?:(?==)|(?<==..=..))")


def _unquoted(view: View) -> View | None:
    """What mail calls quoted-printable. On its own, and not a single one: `a=bc` is mostly something else."""
    return _replaced(view, _QUOTED, lambda match: chr(int(match[1], 16)))


_UTF8 = r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_BYTES = re.compile(_UTF8)


def _utf8(view: View) -> View | None:
    """Characters beyond ASCII whose bytes were taken for characters, as percent codes are."""
    return _replaced(view, _BYTES, lambda match: match[0].encode("latin-1").decode(errors="replace"))


_BARE = re.compile(r"<[^<>]*>|[^\t\n\r\x20-\x7e]")


def _bare(view: View) -> View | None:
    """Without tags, accents, widths and what nobody sees: they also break an escape or an unknown key."""
    return _replaced(view, _BARE, lambda match: "" if match[0][0] == "<" else ascii_of(match[0]))


@cache
def ascii_of(char: str) -> str:
    """What a character looks like in ASCII, where it does: accents and widths do not count."""
    return "".join(c for c in unicodedata.normalize("NFKD", char) if " " <= c <= "~")


# -- encodings --------------------------------------------------------------------------------

_LEGIBLE = re.compile(rf"(?:[\x20-\x7e\s\0]|{_UTF8}){{6,}}".encode("latin-1"))
"""What may be a text, or the bytes of UTF-16, among what was never encoded and is decoded all the same."""

_NUMBER = re.compile(r"(?<!\d)\d{1,3}(?!\d)")


@dataclass(frozen=True, slots=True)
class _Encoding:
    """characters: of its alphabet; size of them make so many bytes. zero: the one that stands for nothing."""

    characters: re.Pattern[str]
    size: int
    makes: int
    zero: str
    decode: Callable[[str], bytes]


_Keep = Callable[[bytes, Callable[[int], int], Callable[[int], int]], None]
"""Takes bytes, and where the characters that a byte was made of begin and end."""

_BASE64 = str.maketrans("-_", "+/")
_ENCODINGS = (
    _Encoding(
        re.compile("[A-Za-z0-9+/_-]"), 4, 3, "A", lambda text: binascii.a2b_base64(text.translate(_BASE64))
    ),
    _Encoding(re.compile("[A-Za-z2-7]"), 8, 5, "A", lambda text: base64.b32decode(text.upper())),
    _Encoding(re.compile("[0-9A-Fa-f]"), 2, 1, "0", bytes.fromhex),
)


def _decoded(view: View) -> View | None:
    """What is legible of the text when it is decoded, from wherever an encoded part may begin in it.

    Whatever is not of an alphabet is left out, so that line breaks and quotes do not matter.
    """
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def keep(data: bytes, first: Callable[[int], int], last: Callable[[int], int]) -> None:
        for match in _LEGIBLE.finditer(data):
            texts.append(match[0].decode("latin-1") + "\n")
            places = [*range(*match.span()), match.end() - 1]
            starts.extend(view.starts[first(at)] for at in places)
            ends.extend(view.ends[last(at)] for at in places)

    numbers = list(_NUMBER.finditer(view.text))
    codes = bytes(code if (code := int(match[0])) < 256 else 255 for match in numbers)
    keep(codes, lambda at: numbers[at].start(), lambda at: numbers[at].end() - 1)
    for encoding in _ENCODINGS:
        places = [match.start() for match in encoding.characters.finditer(view.text)]
        text = "".join([view.text[at] for at in places])
        for offset in range(min(encoding.size, len(text))):
            _decode(encoding, text, offset, places, keep)
    return View("".join(texts), starts, ends) if texts else None


def _decode(
    encoding: _Encoding,
    text: str,
    offset: int,
    places: Sequence[int],
    keep: _Keep,
) -> None:
    size, makes = encoding.size, encoding.makes
    encoded = text[offset:]
    data = encoding.decode(encoded + encoding.zero * (-len(encoded) % size))  # so its end counts too
    end = len(places) - 1
    keep(
        data,
        lambda at: places[min(end, offset + at // makes * size)],
        lambda at: places[min(end, offset + at // makes * size + size - 1)],
    )
