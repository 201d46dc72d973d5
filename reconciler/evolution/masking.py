"""Secrets in texts from outside, found in whatever form a server echoes them, and masked.

A server that repeats a key may escape it, encode it, change its case, or break it with tags and invisible
characters. So every view of a text is searched (views.py), and in each view only letters and digits are
compared, without case (needles.py).

What is masked of a known secret:

    all of it                        wherever it stands; one with fewer than SHORTEST letters and digits,
                                     which may be a word, only exactly and as a word
    SHORTEST letters and digits      unless they are a word: "evolution" in evolution-2024
    LONG letters and digits          always

And whatever looks like a key of OpenAI's, known or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.domain.secret import SecretStr
from reconciler.evolution.needles import SHORTEST, SHORTEST_RUN, Needles
from reconciler.evolution.views import views

MASK = "[key]"

LOOKED_AT = 8 * 1024
"""Characters of a text that are searched. The rest is cut off, and MARGIN more: a key may stand there."""

MARGIN = 4 * 1024

LONGEST_WORDS = 300

_MOST_WORK = 32 * LOOKED_AT
"""Characters of all views together. A text that needs more is not shown at all."""

_RUN = re.compile(rf"(?<!\S)\S{{{SHORTEST_RUN},}}")
"""The words of a value that are long enough to hold a secret."""

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|&#|\\[xuU0-7]|[\xad\u200b-\u200f\u2060-\u206f\ufeff]")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
"""What a secret may be escaped or encoded as."""

_TOO_MUCH = "[too much is encoded in it to look for keys]"


class Secrets:
    """The known secrets of one server. Grows as keys are read."""

    def __init__(self, *values: str) -> None:
        self._values: set[str] = set()
        self._needles = Needles()
        self.add(*values)

    def add(self, *values: str | SecretStr) -> None:
        """Add secrets. Blank ones are ignored."""
        texts = {one.get_secret_value() if isinstance(one, SecretStr) else one for one in values}
        for text in {one for one in texts if one.strip()} - self._values:
            self._values.add(text)
            self._needles.add(text)

    def add_long(self, *values: str) -> None:
        """Add those secrets that are no word of any text: with SHORTEST letters and digits or more."""
        self.add(*(value for value in values if sum(map(str.isalnum, value)) >= SHORTEST))

    def mask(self, text: str, mask: str = MASK) -> str:
        """The text with a mask in the place of every secret; the first LOOKED_AT characters of it."""
        cut = text[:LOOKED_AT]
        hidden = bytearray(len(cut))
        for view in views(cut, _MOST_WORK):
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

        There are many values and hardly any has a secret, so only long words without a blank are searched.
        """
        if len(value) < SHORTEST:
            return value
        if self._needles.has_small(value):
            value = self._needles.small.sub(lambda _: mask, value)
        return _RUN.sub(lambda run: self._run(run[0], mask), value) if _runs(value) else value

    def in_any(self, values: Iterable[str]) -> bool:
        """Whether `cover` would find something in one of the values. Costs less than covering each."""
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
        """Text from outside for a sentence: masked, on one line, printable, at most this many characters."""
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
    """Whether a person could not read half of a text or more."""
    lost = sum(char == "\ufffd" or not (char.isprintable() or char.isspace()) for char in text)
    return 2 * lost >= len(text)


def _is_encoded(run: str) -> bool:
    """Whether it may be escaped or encoded: it has escapes, or a long word that no language has."""
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
