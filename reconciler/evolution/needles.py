"""What finds known secrets in a text: parts of them, and patterns for those too short to have parts.

Only letters and digits are compared, without case, so that blanks and punctuation hide nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.evolution.views import ascii_of, unescape

SHORTEST = 8
"""Letters and digits of a part that gives a secret away, unless the part is a word."""

LONG = 12
"""Letters and digits of a part that always gives a secret away."""

SHORTEST_RUN = 16
"""Letters and digits of a secret from which on it is found by its parts of LONG alone."""

_SEPARATORS = re.compile("[^A-Za-z0-9]+")
_OPENAI_KEY = re.compile(r"(?:(?<![A-Za-z0-9])sk-[\w*•…·-]{2,}|sk-[\w*•…·-]{16,})(?:\.{2,}[\w*-]+)?")


class Needles:
    """Finds the secrets that were added.

    parts: parts of secrets, by their number of letters and digits. heads, tails: what stands before the first
    part of a secret, and after its last one. Short secrets may be words; small ones are not, and have fewer
    than SHORTEST_RUN letters and digits: both have patterns.
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
        """Add a secret."""
        for form in {secret, unescape(secret)}:
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
        size = len(core_of(secret)[0])
        if size >= SHORTEST_RUN:
            self._least = min(size, self._least or size)
        elif size >= SHORTEST:
            self._small.add(secret)
            self._folds.add(_folded(secret))
            self._small_pattern = None

    @property
    def step(self) -> int:
        """The largest step between lookups of parts of LONG that misses no secret that is not small."""
        return (self._least or SHORTEST_RUN) - LONG + 1

    @property
    def short(self) -> re.Pattern[str] | None:
        """A pattern for secrets that may be words; None when there are none."""
        if self._short_pattern is None and self._short:
            alternatives = "|".join(sorted(map(re.escape, self._short), key=len, reverse=True))
            self._short_pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])")
        return self._short_pattern

    @property
    def small(self) -> re.Pattern[str]:
        """A pattern for secrets that are no words, but too short for `has_part`."""
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
        """Whether the text, as it is, holds a whole secret that is not small."""
        core = _SEPARATORS.sub("", text).lower()
        long = self.parts.get(LONG, ())
        return any(core[at : at + LONG] in long for at in range(0, len(core) - LONG + 1, self.step))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """The places of the first and the last character of everything secret in the text."""
        for pattern in filter(None, (_OPENAI_KEY, self.short)):
            for match in pattern.finditer(text):
                if match.end() > match.start():
                    yield match.start(), match.end() - 1
        if not self.parts:
            return
        core, places = core_of(text)
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
    """The text in a form that is equal for all texts that re.IGNORECASE takes for equal."""
    return text.replace("\u0131", "i").replace("\u0130", "i").casefold()


def _ends(secret: str) -> tuple[str, str]:
    """What stands before the first and after the last letter or digit of a secret."""
    places = [at for at, char in enumerate(secret) if _letters(char)]
    return secret[: places[0]], secret[places[-1] + 1 :]


def _windows(core: str, size: int) -> set[str]:
    """Every part of this size; the whole, where it is shorter."""
    return {core[at : at + size] for at in range(max(1, len(core) - size + 1))}


def _is_word(part: str) -> bool:
    return part.isalpha() and (part.islower() or part.isupper() or part.istitle())


def _letters(char: str) -> str:
    """The ASCII letters and digits that a character stands for."""
    return "".join(c for c in ascii_of(char) if c.isalnum())


def core_of(text: str) -> tuple[str, list[int]]:
    """The letters and digits of a text in lower case, and where each of them stands."""
    if text.isascii():
        places = [at for at, char in enumerate(text) if char.isalnum()]
        return "".join([text[at] for at in places]).lower(), places
    pairs = [(letter, at) for at, char in enumerate(text) for letter in _letters(char)]
    return "".join([letter for letter, _ in pairs]).lower(), [at for _, at in pairs]
