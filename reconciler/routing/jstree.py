"""A regular expression that compiles in JavaScript → its syntax tree.

Only the grammar without flags, ECMAScript's Annex B. It also notes syntax of other languages that JavaScript
reads as something else.
"""

from __future__ import annotations

import re

from reconciler.domain.records import dataclass, field

MAX_DEPTH = 30
"""The deepest nesting of groups that is read."""

MAX_TEXTS = 64
"""The most texts that a pattern is expanded to."""

_ESCAPES = {
    "A": "write ^ for the beginning",
    "Z": "write $ for the end",
    "z": "write $ for the end",
    "h": "write [ \\t] for a space",
    "R": "write \\r?\\n for a line break",
    "p": "list the letters, as in [a-zà-ú]",
    "P": "list the letters, as in [^a-zà-ú]",
    "Q": "escape each character by itself",
    "E": "escape each character by itself",
    "u": "write \\u and four digits, or the character itself",
    "x": "write \\x and two digits, or the character itself",
    "U": "write the character itself",
    "N": "write the character itself",
}
_KNOWN = frozenset("dDwWsSbBfnrtv")


@dataclass(frozen=True, slots=True)
class Char:
    """One of these characters; None: any but a line break, or any at all (whole)."""

    of: frozenset[str] | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """^ or $."""

    sign: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """What is not expanded: a look-around, a boundary, a reference, a large class."""


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives in parentheses of any kind."""

    alternatives: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A term repeated. most: None for no limit."""

    term: Term
    least: int
    most: int | None


Term = Char | Edge | Opaque | Group | Repeat
Tree = tuple[tuple[Term, ...], ...]

_ANY = Char(None)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??", re.ASCII)
_GROUP = re.compile(r"\((?:\?(?:[a-z-]*:|<?[=!]|<[^>]*>))?")
_PLAIN = re.compile(r"\((?:\?(?::|<[^=!]))?$")
_PYTHON_COUNT = re.compile(r"\{,\d+\}")
_POSIX = re.compile(r"\[\^?\[:\^?\w+:\]")
_NUMBER = re.compile(r"\d+", re.ASCII)
_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c[A-Za-z]")
_DIGITS = "0123456789"
_LITERAL_ESCAPES = {"d": _DIGITS, "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HALF = "an emoji is two characters in JavaScript, and only the second is repeated: write (?:😀)?"
_HALVES = "an emoji in [...] is two halves, each of them part of many emoji: write (?:😀|😂) instead"


class TooDeepError(Exception):
    """Groups are nested more deeply than MAX_DEPTH."""


@dataclass(slots=True)
class _Class:
    """The members of a class [...]. escapes: their letters. open_ended: whether there are more than chars."""

    negated: bool
    chars: set[str] = field(default_factory=set)
    escapes: set[str] = field(default_factory=set)
    open_ended: bool = False

    def add(self, low: str, high: str, escaped: bool) -> None:
        """Add the characters from low to high; "" for one that is not known."""
        self.open_ended |= escaped or not low
        if low and high and ord(high) - ord(low) < MAX_TEXTS:
            self.chars.update(map(chr, range(ord(low), ord(high) + 1)))
        else:
            self.open_ended = True

    def term(self) -> Char | Opaque:
        """The class as a term."""
        everything = any({letter, letter.upper()} <= self.escapes for letter in "dws")
        nothing = not self.chars and not self.escapes
        if (self.negated and nothing) or (everything and not self.negated):
            return Char(None, whole=True)
        if self.negated or self.open_ended or not self.chars:
            return Opaque()
        return Char(frozenset(self.chars))


class Reader:
    """Reads the tree of a pattern that JavaScript compiles.

    foreign: sentences about syntax of other languages. boundary: a non-ASCII letter next to a `\\b`.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._named = re.search(r"\(\?<(?![=!])", pattern) is not None
        self._groups = len(re.findall(r"(?<!\\)\((?!\?)|\(\?<(?![=!])", pattern))
        self.foreign: list[str] = []
        self.boundary = ""

    def alternatives(self) -> Tree:
        """Up to the end of the pattern, or of the group."""
        found: list[tuple[Term, ...]] = []
        terms: list[Term] = []
        while (sign := self._sign()) and sign != ")":
            if sign == "|":
                self._at += 1
                found.append(tuple(terms))
                terms = []
            else:
                terms.extend(self._repeated(self._term()))
        return (*found, tuple(terms))

    def _sign(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _repeated(self, term: Term) -> tuple[Term, ...]:
        match = _QUANTIFIER.match(self._pattern, self._at)
        if not match:
            if isinstance(term, Group) and len(term.alternatives) == 1:
                return term.alternatives[0]
            return (term,)
        self._at = match.end()
        if isinstance(term, Char) and match[1] != "+" and max(term.of or "-") > "\uffff":
            self.foreign.append(_HALF)
            return (Opaque(),)
        if match[1]:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[match[1]]
        else:
            least = int(match[2])
            most = least if not match[3] else int(match[4]) if match[4] else None
        return (Repeat(term, least, most),)

    def _term(self) -> Term:
        pattern, at, sign = self._pattern, self._at, self._sign()
        if sign == "\\":
            return self._escape()
        if sign == "[":
            return self._class()
        if sign == "(":
            opening = _GROUP.match(pattern, at)
            self._at = opening.end() if opening else at + 1
            plain = _PLAIN.match(pattern[at : min(self._at, at + 4)])
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise TooDeepError
            tree = self.alternatives()
            self._depth -= 1
            self._at += 1
            return Group(tree) if plain else Opaque()
        if _PYTHON_COUNT.match(pattern, at):
            self.foreign.append("{,3} is Python syntax, and plain text in JavaScript: write {0,3}")
        self._at += 1
        if sign in "^$":
            return Edge(sign)
        return _ANY if sign == "." else Char(frozenset(sign))

    def _escape(self) -> Term:
        """An escape outside of a class."""
        pattern, at = self._pattern, self._at
        sign = pattern[at + 1 : at + 2]
        if sign in ("b", "B"):
            self._at += 2
            around = pattern[at - 1 : at] + pattern[at + 2 : at + 3]
            if sign == "b" and (letters := [c for c in around if c.isalpha() and not c.isascii()]):
                self.boundary = letters[0]
            return Opaque()
        if sign.isdigit() and sign != "0":
            number = _NUMBER.match(pattern, at + 1)
            self._at = number.end() if number else at + 2
            if number and int(number[0][:4]) > self._groups:
                self.foreign.append(
                    f"\\{number[0][:4]} refers to a group that does not exist: remove or correct it"
                )
            return Opaque()
        if sign == "k" and self._named:
            self._at = pattern.index(">", at) + 1
            return Opaque()
        return self._character()

    def _character(self) -> Char | Opaque:
        """An escape that stands for one character, wherever it is."""
        pattern, at = self._pattern, self._at
        sign = pattern[at + 1 : at + 2]
        self._at += 2
        if sign in _KNOWN or sign == "0":
            texts = _LITERAL_ESCAPES.get(sign)
            return Char(frozenset(texts)) if texts else Opaque()
        if code := _CODE.match(pattern, at + 1):
            self._at = code.end()
            digits = code[1] or code[2]
            return Char(frozenset(chr(int(digits, 16)))) if digits else Opaque()
        if sign.isascii() and sign.isalpha():
            advice = _ESCAPES.get(sign, "remove the backslash if that is what you mean")
            self.foreign.append(f"JavaScript reads \\{sign} as the letter {sign}: {advice}")
        if sign == "c":  # the backslash itself, then a c
            return Opaque()
        return Char(frozenset(sign))

    def _class(self) -> Char | Opaque:
        negated = self._class_opening()
        found = _Class(negated)
        while self._sign() not in ("]", ""):
            low, high, escape, ranged = self._range()
            found.escapes.add(escape)
            if escape == "d" and not ranged:
                found.chars.update(_DIGITS)
            else:
                found.add(low, high, bool(escape))
        self._at += 1
        if any(char > "\uffff" for char in found.chars):
            self.foreign.append(_HALVES)
            found.open_ended = True
        return found.term()

    def _class_opening(self) -> bool:
        """Read the [ of a class, and note what JavaScript does not know. Returns whether it is negated."""
        pattern, start = self._pattern, self._at
        if _POSIX.match(pattern, start):
            self.foreign.append(
                "JavaScript does not know [:alpha:] and the like, and reads each character by itself: write "
                "[a-z] or \\d"
            )
        negated = pattern.startswith("[^", start)
        self._at = start + 1 + negated
        if not negated and self._sign() == "]" and "]" in pattern[self._at + 1 :]:
            self.foreign.append("[] matches nothing in JavaScript: write [\\]...] for a class with a bracket")
        return negated

    def _range(self) -> tuple[str, str, str, bool]:
        """A class's next character or range: its ends, the letter of an escape, and whether it is a range."""
        low, escape = self._member()
        if self._sign() != "-" or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return low, low, escape, False
        self._at += 1
        high, high_escape = self._member()
        return low, high, escape or high_escape, True

    def _member(self) -> tuple[str, str]:
        """A class's next character, and the letter of an escape that stands for many."""
        sign = self._sign()
        if sign != "\\":
            self._at += 1
            return sign, ""
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter in "dDwWsS":
            self._at += 2
            return "", letter
        if letter == "b":
            self._at += 2
            return "\b", ""
        if letter.isdigit() or (letter == "c"):
            self._at += 2
            return "", "?"
        found = self._character()
        return (next(iter(found.of)), "") if isinstance(found, Char) and found.of else ("", "?")
