"""Secrets in texts from outside, found in whatever form a server echoes them, and masked.

A server that repeats a key may escape it, encode it, change its case, or break it with tags and characters
that nobody sees. So a text is looked at in views: as it is, and unescaped, stripped and decoded, each of
these again until nothing is new. Every character of a view knows its place in the text. In each view only
letters and digits are compared, without case, so that blanks and punctuation hide nothing.

What is masked of a known secret:

    all of it                        wherever it stands; one with fewer than SHORTEST letters and digits,
                                     which may be a word, only exactly and as a word
    SHORTEST letters and digits      unless they are a word: "evolution" in evolution-2024
    LONG letters and digits          always

And whatever looks like a key of OpenAI's, known or not.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import SecretStr

MASK = "[key]"

SHORTEST = 8
LONG = 12

LOOKED_AT = 8 * 1024
"""Characters of a text that are looked at. The rest is cut off, and MARGIN more: a key may stand there."""

MARGIN = 4 * 1024

LONGEST_WORDS = 300

_MOST_WORK = 32 * LOOKED_AT
"""Characters of all views together. A text that needs more is not shown at all."""

SHORTEST_RUN = 16

_RUN = re.compile(rf"(?<!\S)\S{{{SHORTEST_RUN},}}")
"""What a secret stands in among the words of a value."""

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|&#|\\[xuU0-7]|[\xad\u200b-\u200f\u2060-\u206f\ufeff]")
_SEPARATORS = re.compile("[^A-Za-z0-9]+")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
"""What a secret may be escaped or encoded as."""

_OPENAI_KEY = re.compile(r"(?:(?<![A-Za-z0-9])sk-[\w*•…·-]{2,}|sk-[\w*•…·-]{16,})(?:\.{2,}[\w*-]+)?")
_TOO_MUCH = "[too much is encoded in it to look for keys]"


class Secrets:
    """The secrets that a process knows. One for each server; grows as keys are read."""

    def __init__(self, *values: str) -> None:
        self._values: set[str] = set()
        self._needles = _Needles()
        self.add(*values)

    def add(self, *values: str | SecretStr) -> None:
        """Know these too, from now on. Empty ones are none."""
        texts = {one.get_secret_value() if isinstance(one, SecretStr) else one for one in values}
        for text in {one for one in texts if one.strip()} - self._values:
            self._values.add(text)
            self._needles.add(text)

    def mask(self, text: str, mask: str = MASK) -> str:
        """The text with a mask in the place of every secret; the first LOOKED_AT characters of it."""
        cut = text[:LOOKED_AT]
        hidden = bytearray(len(cut))
        for view in _views(cut):
            if view is None:
                return _TOO_MUCH
            for first, last in self._needles.spans(view.text):
                start, end = view.starts[first], view.ends[last]
                hidden[start:end] = b"\1" * max(0, end - start)
        if len(cut) < len(text):
            cut = cut[:-MARGIN]
        return _covered(cut, hidden, mask)

    def cover(self, value: str, mask: str) -> str:
        """A value of a bot, of whatever length, with a mask in the place of every secret.

        There are many of them and hardly any has a secret, so only what could be one is looked at: what has
        no blank in it and is long enough.
        """
        if len(value) < SHORTEST:
            return value
        if self._needles.has_small(value):
            value = self._needles.small.sub(lambda _: mask, value)
        return _RUN.sub(lambda run: self._run(run[0], mask), value) if _runs(value) else value

    def in_any(self, values: Iterable[str]) -> bool:
        """Whether `cover` would find something in one of the values; sooner said than by covering each."""
        runs: set[str] = set()
        for value in values:
            if self._needles.has_small(value):
                return True
            runs.update(_runs(value))
        return any(self._run(run, MASK) != run for run in runs)

    def _run(self, run: str, mask: str) -> str:
        has_part = self._needles.has_part(run)
        if len(run) <= MARGIN and (has_part or _is_encoded(run)):
            return self.mask(run, mask)
        if not has_part:
            return run
        hidden = bytearray(len(run))
        for first, last in self._needles.spans(run):
            hidden[first : last + 1] = b"\1" * (last + 1 - first)
        return _covered(run, hidden, mask)

    def clean(self, text: str, longest: int = LONGEST_WORDS) -> str:
        """Text from outside for a sentence: masked, then one line, printable, so many characters at most."""
        masked = self.mask(text)
        line = " ".join("".join(char if char.isprintable() else " " for char in masked).split())
        return line if len(line) <= longest else line[: longest - 1] + "…"

    def shown(self, name: str) -> str:
        """A name from outside, for a sentence."""
        return f'"{self.clean(name)}"'


def _runs(value: str) -> list[str]:
    """What _RUN finds."""
    return [word for word in value.split() if len(word) >= SHORTEST_RUN]


def unreadable(text: str) -> bool:
    """Whether half of a text or more is nothing that a person could read."""
    lost = sum(char == "\ufffd" or not (char.isprintable() or char.isspace()) for char in text)
    return 2 * lost >= len(text)


def _is_encoded(run: str) -> bool:
    """Whether it may be an encoding of something: escaped, or a long word as no language has it."""
    if _ESCAPED.search(run):
        return True
    word = _LONG_WORD.search(run)
    if word is None or word[0].isalpha():
        return False
    upper = re.search("[A-Z]", word[0]) and re.search("[a-z]", word[0]) and re.search("[0-9]", word[0])
    return bool(upper or re.search("[0-9A-Fa-f]{32}", word[0]))


def _covered(text: str, hidden: bytearray, mask: str) -> str:
    parts, last = [], 0
    for run in re.finditer(b"\1+", hidden[: len(text)]):
        parts += [text[last : run.start()], mask]
        last = run.end()
    return "".join((*parts, text[last:]))


# -- what is looked for -----------------------------------------------------------------------


class _Needles:
    """What finds the secrets: parts of them, by their number of letters and digits; patterns for short ones.

    heads, tails: what stands before the first part of a secret, and behind its last one.
    """

    def __init__(self) -> None:
        self.parts: dict[int, set[str]] = {}
        self.heads: dict[str, str] = {}
        self.tails: dict[str, str] = {}
        self._least = 0
        self._short: set[str] = set()
        self._short_pattern: re.Pattern[str] | None = None
        self._small: set[str] = set()
        self._folds: set[str] = set()
        self._small_pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Find this one too."""
        for form in {secret, _unescape(secret)}:
            core = "".join(map(_letters, form))
            if len(core) < SHORTEST:
                self._short.add(form)
                self._short_pattern = None
                continue
            long = min(len(core), LONG)
            self.parts.setdefault(long, set()).update(each.lower() for each in _windows(core, LONG))
            if words := {each.lower() for each in _windows(core, SHORTEST) if not _is_word(each)}:
                self.parts.setdefault(SHORTEST, set()).update(words)
            head, tail = _ends(form)
            if head:
                self.heads[core[:LONG].lower()] = head
            if tail:
                self.tails[core[-LONG:].lower()] = tail
        size = len(_core(secret)[0])
        if size >= SHORTEST_RUN:
            self._least = min(size, self._least or size)
        elif size >= SHORTEST:
            self._small.add(secret)
            self._folds.add(_folded(secret))
            self._small_pattern = None

    @property
    def step(self) -> int:
        """How far from any place in a secret that is not small one of its parts of LONG begins, at most."""
        return (self._least or SHORTEST_RUN) - LONG + 1

    @property
    def short(self) -> re.Pattern[str] | None:
        """What finds secrets that may be words."""
        if self._short_pattern is None and self._short:
            alternatives = "|".join(sorted(map(re.escape, self._short), key=len, reverse=True))
            self._short_pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])")
        return self._short_pattern

    @property
    def small(self) -> re.Pattern[str]:
        """What finds secrets that are no words, but too short for has_part."""
        if self._small_pattern is None:
            self._small_pattern = re.compile("|".join(map(re.escape, self._small)), re.IGNORECASE)
        return self._small_pattern

    def has_small(self, text: str) -> bool:
        """Whether `small` may find something in the text."""
        if not self._folds:
            return False
        folded = _folded(text)
        return any(one in folded for one in self._folds)

    def has_part(self, text: str) -> bool:
        """Whether a whole secret that is not small stands in the text as it is."""
        core = _SEPARATORS.sub("", text).lower()
        long = self.parts.get(LONG, ())
        return any(core[at : at + LONG] in long for at in range(0, len(core) - LONG + 1, self.step))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the first and the last character of something secret stand in the text."""
        for pattern in filter(None, (_OPENAI_KEY, self.short)):
            for match in pattern.finditer(text):
                if match.end() > match.start():
                    yield match.start(), match.end() - 1
        if not self.parts:
            return
        core, places = _core(text)
        for size, parts in self.parts.items():
            for at in range(len(core) - size + 1):
                if (part := core[at : at + size]) in parts:
                    first, last = places[at], places[at + size - 1]
                    head, tail = self.heads.get(part, ""), self.tails.get(part, "")
                    yield (
                        first - (len(head) if text.endswith(head, 0, first) else 0),
                        last + (len(tail) if text.startswith(tail, last + 1) else 0),
                    )


def _folded(text: str) -> str:
    """What two texts have in common of which re.IGNORECASE sees no difference."""
    return text.replace("\u0131", "i").replace("\u0130", "i").casefold()


def _ends(secret: str) -> tuple[str, str]:
    """What stands before the first and behind the last letter or digit of a secret."""
    places = [at for at, char in enumerate(secret) if _letters(char)]
    return secret[: places[0]], secret[places[-1] + 1 :]


def _windows(core: str, size: int) -> set[str]:
    """Every part of this size; the whole, where it is shorter."""
    return {core[at : at + size] for at in range(max(1, len(core) - size + 1))}


def _is_word(part: str) -> bool:
    return part.isalpha() and (part.islower() or part.isupper() or part.istitle())


@cache
def _ascii(char: str) -> str:
    """What a character looks like in ASCII, where it does: accents and widths do not count."""
    return "".join(c for c in unicodedata.normalize("NFKD", char) if " " <= c <= "~")


def _letters(char: str) -> str:
    """The ASCII letters and digits that a character stands for."""
    return "".join(c for c in _ascii(char) if c.isalnum())


def _core(text: str) -> tuple[str, list[int]]:
    """The letters and digits of a text in lower case, and where each of them stands."""
    if text.isascii():
        places = [at for at, char in enumerate(text) if char.isalnum()]
        return "".join([text[at] for at in places]).lower(), places
    pairs = [(letter, at) for at, char in enumerate(text) for letter in _letters(char)]
    return "".join([letter for letter, _ in pairs]).lower(), [at for _, at in pairs]


# -- views ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """A text that was made of another. starts, ends: for each character, what it stands for there."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def _views(text: str) -> Iterator[_View | None]:
    """The text in every form that it may be meant in; None at last, where that is too much."""
    views = [_View(text, range(len(text)), range(1, len(text) + 1))]
    seen = {text}
    work = 0
    for view in views:  # which grows meanwhile
        work += len(view.text)
        if work > _MOST_WORK:
            yield None
            return
        yield view
        for change in (_unescaped, _unquoted, _utf8, _bare, _decoded):
            made = change(view)
            if made is not None and made.text not in seen:
                seen.add(made.text)
                views.append(made)


def _replaced(view: _View, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> _View | None:
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
    return _View(text, [*starts, *view.starts[last:]], [*ends, *view.ends[last:]])


_ESCAPE = re.compile(
    r"%u(?P<iis>[0-9a-f]{4})|%(?P<percent>[0-9a-f]{2})"
    r"|&\#x0*(?P<hex>[0-9a-f]{1,6});?|&\#0*(?P<decimal>[0-9]{1,7});?|(?P<named>&[a-z][a-z0-9]{1,31};)"
    r"|\\+u\{0*(?P<brace>[0-9a-f]{1,6})\}|\\+u(?P<short>[0-9a-f]{4})|\\+U(?P<long>[0-9a-f]{8})"
    r"|\\+x(?P<byte>[0-9a-f]{2})|\b0x(?P<number>[0-9a-f]{2})(?![0-9a-f])(?:,\s*)?"
    r"|\\+(?P<octal>[0-3][0-7]{2})|\\+(?P<plain>.)",
    re.IGNORECASE | re.DOTALL,
)
_BASES = {"decimal": 10, "octal": 8}


def _unescaped(view: _View) -> _View | None:
    """Percent codes, entities and the escapes of JSON and JavaScript."""
    return _replaced(view, _ESCAPE, _meant)


def _unescape(text: str) -> str:
    for _ in range(SHORTEST):
        before, text = text, _ESCAPE.sub(_meant, text)
        if before == text:
            break
    return text


def _meant(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "named":
        return html.unescape(match[0])
    if kind == "plain":
        return match[kind] if match[kind] not in "nrtbfv" else " "
    code = int(match[kind], _BASES.get(kind, 16))
    return chr(code) if code < 0x110000 else " "


_QUOTED = re.compile(r"=([0-9A-Fa-f]{2})(?:(?==)|(?<==..=..))")


def _unquoted(view: _View) -> _View | None:
    """What mail calls quoted-printable. On its own, and not a single one: `a=bc` is mostly something else."""
    return _replaced(view, _QUOTED, lambda match: chr(int(match[1], 16)))


_UTF8 = r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_BYTES = re.compile(_UTF8)


def _utf8(view: _View) -> _View | None:
    """Characters beyond ASCII whose bytes were taken for characters, as percent codes are."""
    return _replaced(view, _BYTES, lambda match: match[0].encode("latin-1").decode(errors="replace"))


_BARE = re.compile(r"<[^<>]*>|[^\t\n\r\x20-\x7e]")


def _bare(view: _View) -> _View | None:
    """Without tags, accents, widths and what nobody sees: they also break an escape or an unknown key."""
    return _replaced(view, _BARE, lambda match: "" if match[0][0] == "<" else _ascii(match[0]))


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


def _decoded(view: _View) -> _View | None:
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
    return _View("".join(texts), starts, ends) if texts else None


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
