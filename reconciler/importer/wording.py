"""Nearly equal texts → what they have in common, and the pieces that differ: a word diff. Pure.

The texts are compared line by line and word by word. A piece is a name, an address, a phone number: a few
words within a line. Texts that differ by more have nothing in common here, and stay apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby, pairwise

from reconciler.domain.records import dataclass

_PHONE = r"\+?(?:\d{2}\s)?\(?\b\d{2}\)?\s?9?\d{4}[-\s]\d{4}\b"
_MAIL, _URL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", r"https?://[^\s<>\"')]*[^\s<>\"').,;:!?]"
_TIME, _PRICE = r"\b\d{1,2}(?:h(?:\d{2})?|:\d{2})\b", r"R\$\s?\d+(?:[.,]\d+)*"
_NUMBER, _WORD = r"\d+(?:[.,/-]\d+)*\b", r"[@#]?\w+(?:['’._-]\w+)*"
_KINDS = {
    "url": _URL,
    "mail": _MAIL,
    "phone": _PHONE,
    "price": _PRICE,
    "time": _TIME,
    "number": _NUMBER,
    "word": _WORD,
    "space": r"\s+",
    "mark": r"[^\w\s]|_",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_OPAQUE = frozenset({"url", "mail", "phone", "price", "time"})
"""Kinds of words that are a piece of their own, and no part of a name or an address."""

_BETWEEN = re.compile(
    r"\s*(?:\b(?:de|da|do|das|dos|e|às|as|a|até|of|the|and|to)\b|[-–—&/])?\s*", re.IGNORECASE
)
"""What may stand within a piece: `Rua das Flores`, `9h às 18h`."""

_BEFORE_NUMBER = re.compile(r"\s*(?:,|n[º°.]|[-–—]|\|)?\s*")
"""What may stand within a piece before or after a number: `Rua das Flores, 12 - Centro`."""

LONGEST, MOST_WORDS = 100, 12
"""Characters and words of a piece."""

_MOST_SLOTS = 6
"""Pieces in one line."""

STREET = re.compile(
    r"(?:rua|r|av|avenida|praça|pça|alameda|al|travessa|rodovia|estrada|largo)\b", re.IGNORECASE
)
"""How an address begins, and what belongs to it."""

_KNOWN_ALONE = re.compile(rf"(?:{STREET.pattern}|.*\d)", re.IGNORECASE)
"""What may be a whole line: an address, hours, a phone number."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A place where texts differ. values: its piece in each text, by key. before: the line up to it."""

    values: Mapping[str, str]
    before: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """What texts have in common: constant texts, and slots between them. keys: of the texts that it fits."""

    parts: tuple[str | Slot, ...]
    keys: frozenset[str]

    def of(self, key: str) -> str:
        """The text of one key."""
        return "".join(part if isinstance(part, str) else part.values[key] for part in self.parts)

    @property
    def slots(self) -> Iterator[Slot]:
        """Where the texts differ."""
        return (part for part in self.parts if isinstance(part, Slot))


def common(texts: Mapping[str, str]) -> Wording | None:
    """What most of the texts have in common, and which of them do; None where fewer than two do."""
    split = {key: text.split("\n") for key, text in texts.items()}
    count, number = Counter(map(len, split.values())).most_common(1)[0]
    if number < 2:
        return None
    lines = {key: its for key, its in split.items() if len(its) == count}
    first = _middle(lines)
    made = [_Line(line) for line in lines[first]]
    variants: dict[tuple[str, ...], list[str]] = {}
    for key, its in lines.items():
        variants.setdefault(tuple(its), []).append(key)
    owners = [variants.pop(tuple(lines[first]))]
    for variant, those in variants.items():
        wider = [line.with_(text) for line, text in zip(made, variant, strict=True)]
        if None not in wider:
            made = [line for line in wider if line is not None]
            owners.append(those)
    keys = frozenset(key for those in owners for key in those)
    if len(keys) < 2:
        return None
    parts: list[str | Slot] = []
    for at, line in enumerate(made):
        parts += ["\n"] if at else []
        parts += line.parts(owners)
    return Wording(tuple(_joined(parts)), keys)


def _middle(lines: Mapping[str, Sequence[str]]) -> str:
    """The key of the text that has most in common with the others."""
    known = Counter(line for its in lines.values() for line in {*its})
    words = Counter(word for its in lines.values() for word in {*" ".join(its).split()})

    def shared(key: str) -> tuple[int, float]:
        its = {*" ".join(lines[key]).split()}
        return sum(known[line] for line in {*lines[key]}), sum(words[word] for word in its) / (len(its) or 1)

    return max(lines, key=shared)


def _joined(parts: Iterable[str | Slot]) -> Iterator[str | Slot]:
    for plain, run in groupby(parts, key=lambda part: isinstance(part, str)):
        if plain:
            yield "".join(str(part) for part in run)
        else:
            yield from run


# -- one line ---------------------------------------------------------------------------------


class _Line:
    """A line that some variants of a text have in common, token by token.

    places: for each variant, where in its tokens the common ones are.
    """

    def __init__(self, text: str) -> None:
        self._texts = [text]
        self._tokens = [_tokens(text)]
        self._common = list(self._tokens[0])
        self._places = [list(range(len(self._common)))]
        self._slots: frozenset[int] = frozenset()

    def with_(self, text: str) -> _Line | None:
        """The line that one more variant has in common with these; None where it is too little."""
        if text in self._texts:
            number = self._texts.index(text)
            its = [*self._places[number]]
            return self._added(text, self._tokens[number], self._common, self._places, its, self._slots)
        tokens = _tokens(text)
        matcher = SequenceMatcher(None, self._common, tokens, autojunk=False)
        pairs = [
            (block.a + offset, block.b + offset)
            for block in matcher.get_matching_blocks()
            for offset in range(block.size)
        ]
        kept = [a for a, _ in pairs]
        if len(kept) == len(self._common) and self._has_room(tokens, places := [b for _, b in pairs]):
            return self._added(text, tokens, self._common, self._places, places, self._slots)
        wider = self._added(
            text,
            tokens,
            [self._common[a] for a in kept],
            [[its[a] for a in kept] for its in self._places],
            [b for _, b in pairs],
        )
        return wider._settled()

    def _has_room(self, tokens: list[str], places: list[int]) -> bool:
        """Whether the pieces of one more variant are where those of the others are."""
        ends = [*places, len(tokens)]
        begins = [0, *(place + 1 for place in places)]
        gaps = [tokens[begin:end] for begin, end in zip(begins, ends, strict=True)]
        values = {at: "".join(gap) for at, gap in enumerate(gaps) if gap}
        return values.keys() == self._slots and all(
            value == value.strip() and len(value) <= LONGEST and len(gaps[at]) <= MOST_WORDS
            for at, value in values.items()
        )

    def _added(
        self,
        text: str,
        tokens: list[str],
        common: list[str],
        places: list[list[int]],
        its: list[int],
        slots: frozenset[int] = frozenset(),
    ) -> _Line:
        wider = _Line.__new__(_Line)
        wider._slots = slots
        wider._texts, wider._tokens = [*self._texts, text], [*self._tokens, tokens]
        wider._common, wider._places = common, [*places, its]
        return wider

    def _settled(self) -> _Line | None:
        """The line with whole pieces only, so that each reads as one thing; None where that is too little."""
        while (absorbed := self._loose()) is not None:
            keep = [at for at in range(len(self._common)) if at not in absorbed]
            self._common = [self._common[at] for at in keep]
            self._places = [[its[at] for at in keep] for its in self._places]
            self._give_back()
        self._slots = frozenset(at for at, gap in enumerate(self._gaps()) if any(gap))
        return self if self._is_enough() else None

    def _give_back(self) -> None:
        """Blanks that end a piece in all texts are no part of it."""
        for at, gap in reversed([*enumerate(self._gaps())]):
            last = {tokens[-1] if tokens else "" for tokens in gap}
            if len(last) == 1 and (blank := last.pop()).isspace():
                ends = [
                    its[at] if at < len(its) else len(tokens)
                    for tokens, its in zip(self._tokens, self._places, strict=True)
                ]
                self._common.insert(at, blank)
                for its, end in zip(self._places, ends, strict=True):
                    its.insert(at, end - 1)

    def _gaps(self) -> list[list[list[str]]]:
        """The tokens of each variant before each common one, and behind the last."""
        found = []
        for at in range(len(self._common) + 1):
            gap = []
            for tokens, its in zip(self._tokens, self._places, strict=True):
                begin = its[at - 1] + 1 if at else 0
                end = its[at] if at < len(its) else len(tokens)
                gap.append(tokens[begin:end])
            found.append(gap)
        return found

    def _loose(self) -> set[int] | None:
        """Common tokens that belong to the pieces beside them; None where there are none."""
        gaps = self._gaps()
        slots = [at for at, gap in enumerate(gaps) if any(gap)]
        for at in slots:
            values = ["".join(tokens) for tokens in gaps[at]]
            if all(values) and all(value == value.strip() for value in values):
                if at and self._common[at - 1].endswith("$"):
                    return {at - 1}
                if at > 1 and STREET.fullmatch(self._common[at - 2]) and self._common[at - 1].isspace():
                    return {at - 2, at - 1}
                continue
            # A piece is nothing in some text, or begins with a blank: the word beside it belongs to it.
            for beside in (at - 1, at):
                if 0 <= beside < len(self._common):
                    return {beside}
        for one, other in pairwise(slots):
            between = "".join(self._common[one:other])
            if _is_one(between, gaps[one], gaps[other]):
                return set(range(one, other))
        return None

    def _is_enough(self) -> bool:
        gaps = [gap for gap in self._gaps() if any(gap)]
        if not gaps:
            return True
        said = sum(1 for token in self._common if _kind(token) not in ("space", "mark"))
        if len(gaps) > _MOST_SLOTS or (said == 0 and len(gaps) > 1):
            return False
        longest = 0
        for gap in gaps:
            values = ["".join(tokens) for tokens in gap]
            words = max(sum(_kind(token) not in ("space", "mark") for token in tokens) for tokens in gap)
            if max(map(len, values)) > LONGEST or words > MOST_WORDS or "" in values:
                return False
            known = all(map(_KNOWN_ALONE.match, values))
            longest += 0 if known else words
            if said == 0 and not known:
                return False
        return longest <= 4 or said * 2 >= longest

    def parts(self, owners: Sequence[Iterable[str]]) -> Iterator[str | Slot]:
        """The constant texts and the slots. owners: the keys of each variant."""
        gaps = self._gaps()
        said = ""
        for at, gap in enumerate(gaps):
            if any(gap):
                values = {
                    key: "".join(tokens) for tokens, keys in zip(gap, owners, strict=True) for key in keys
                }
                yield Slot(values, said)
            if at < len(self._common):
                said += self._common[at]
                yield self._common[at]


def _is_one(between: str, one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> bool:
    """Whether two pieces with this between them are one: an address with its number, hours from and to."""
    kinds = [_kinds(gap) for gap in (one, other)]
    opaque = [its & _OPAQUE for its in kinds]
    if opaque[0] != opaque[1]:
        return False
    if _BETWEEN.fullmatch(between):
        return True
    return "number" in kinds[0] | kinds[1] and _BEFORE_NUMBER.fullmatch(between) is not None


def _kinds(gap: Sequence[Sequence[str]]) -> set[str]:
    return {_kind(token) for tokens in gap for token in tokens} - {"space", "mark"}


def _tokens(text: str) -> list[str]:
    return [found[0] for found in _TOKEN.finditer(text)]


def _kind(token: str) -> str:
    found = _TOKEN.match(token)
    return str(found.lastgroup) if found else "mark"
