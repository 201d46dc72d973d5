"""How JavaScript reads a regular expression: whether it is valid, and what it matches.

What a pattern matches is derived from its tree and not tried here, so that it can be compared with what
others match. `javascript` tries one with a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from reconciler.domain.records import dataclass
from reconciler.routing import javascript
from reconciler.routing.javascript import UndecidedError
from reconciler.routing.jstree import (
    MAX_TEXTS,
    Char,
    Edge,
    Group,
    Reader,
    Repeat,
    Term,
    TooDeepError,
    Tree,
)

MAX_LENGTH = 2000
"""The most characters of a pattern that is read."""

_EDGES = {(True, True): "exact", (True, False): "startswith", (False, True): "endswith"}

Literals = tuple[tuple[str, str], ...]
"""Texts, and how a message must match them: exact, startswith, endswith or contains."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern as JavaScript reads it.

    refused: why it does not compile, with a hint; then nothing else is known. foreign: what means something
    else than in other languages, each a sentence. boundary: a non-ASCII letter next to a `\\b`. everything:
    whether it matches every message, or every message of one line. texts: some of its alternatives as plain
    texts. complete: whether these are all of them. unread: why it was not read.
    """

    refused: str = ""
    foreign: tuple[str, ...] = ()
    boundary: str = ""
    everything: Literal["", "line", "all"] = ""
    texts: Literals = ()
    complete: bool = False
    unread: str = ""


@lru_cache(maxsize=4096)
def examine(pattern: str, modern: bool = True) -> Regex:
    """Read a pattern. modern: by the JavaScript of Node 24, which has `(?i:...)`, rather than of Node 20."""
    if len(pattern) > MAX_LENGTH:
        return Regex(unread=f"it has {len(pattern)} characters, and at most {MAX_LENGTH} are checked")
    reader = Reader(pattern)
    try:
        if reason := javascript.refusal(pattern, modern):
            return Regex(refused=_explained(pattern, reason))
        tree = reader.alternatives()
    except UndecidedError as error:
        return Regex(unread=str(error))
    except TooDeepError:
        return Regex(unread="its groups are nested too deeply")
    texts, complete = _texts(tree)
    return Regex(
        foreign=tuple(dict.fromkeys(reader.foreign)),
        boundary=reader.boundary,
        everything=_everything(tree),
        texts=tuple(dict.fromkeys(texts)),
        complete=complete,
    )


# -- what other languages write ---------------------------------------------------------------

_FLAGS = "JavaScript does not support flags such as (?i): write both cases, as in [Oo]i"
_HINTS = (
    (r"\(\?P[<=>]", "(?P<name>...) is Python syntax: write (?<name>...), and \\k<name> to refer to it"),
    (r"\(\?[a-zA-Z]+\)", _FLAGS),
    (r"\(\?[a-zA-Z]*-?[a-zA-Z]+:", _FLAGS),
    (r"\(\?#", "JavaScript does not support comments such as (?#...): remove it"),
    (r"\(\?>", "JavaScript does not support atomic groups (?>...): write (?:...)"),
    (r"\(\?\(", "JavaScript does not support conditions (?(1)...): write out the alternatives"),
    (r"\(\?['|&R0-9+]", "JavaScript does not support this kind of group: write (?:...) or (?<name>...)"),
    (r"[*+?}]\+", "JavaScript does not support possessive quantifiers such as `++`: remove the second one"),
    (
        r"(^|[(|])[*+]|(^|\|)\?",
        "a quantifier has nothing before it to repeat: write \\+ or \\* for the character itself",
    ),
)


def _explained(pattern: str, reason: str) -> str:
    """Why it is refused, and what to do."""
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]", "_", pattern, flags=re.DOTALL)
    hint = next((hint for syntax, hint in _HINTS if re.search(syntax, bare)), "")
    return hint or f"{reason}: fix it, or escape characters such as ( and [ with a \\"


# -- what it matches --------------------------------------------------------------------------


def _nullable(term: Term) -> bool:
    """Whether it matches the empty text anywhere."""
    if isinstance(term, Repeat):
        return term.least == 0 or _nullable(term.term)
    return isinstance(term, Group) and any(all(map(_nullable, terms)) for terms in term.alternatives)


def _any(term: Term) -> Literal["", "line", "all"]:
    """Whether it matches any single character, or any but a line break."""
    if isinstance(term, Repeat):
        return _any(term.term) if term.least <= 1 and term.most != 0 else ""
    if isinstance(term, Group):
        found = {_any(terms[0]) for terms in term.alternatives if len(terms) == 1}
        return "all" if "all" in found else "line" if "line" in found else ""
    if isinstance(term, Char) and term.of is None:
        return "all" if term.whole else "line"
    return ""


def _run(term: Term) -> Literal["", "line", "all"]:
    """Whether it takes any text of at least one character."""
    if isinstance(term, Repeat) and term.most is None:
        return _any(term.term) if term.least <= 1 else ""
    if isinstance(term, Group):
        found = {_run(terms[0]) for terms in term.alternatives if len(terms) == 1}
        return "all" if "all" in found else "line" if "line" in found else ""
    return ""


def _everything(tree: Tree) -> Literal["", "line", "all"]:
    """Whether every message that is not empty is matched."""
    found = {_every(terms) for terms in tree}
    return "all" if "all" in found else "line" if "line" in found else ""


def _every(terms: tuple[Term, ...]) -> Literal["", "line", "all"]:
    first, last, inner = _bare(terms)
    if len(inner) == 1 and isinstance(inner[0], Group) and not (first or last):
        return _everything(inner[0].alternatives)
    needed = [term for term in inner if not _nullable(term)]
    if len(needed) > 1:
        return ""
    if first and last:
        spans = [_run(term) for term in (needed or inner)]
        return "all" if "all" in spans else "line" if "line" in spans else ""
    return "all" if not needed else _any(needed[0]) and "all"


def _bare(terms: tuple[Term, ...]) -> tuple[bool, bool, tuple[Term, ...]]:
    """Whether ^ and $ are at the ends, and the terms without them."""
    first = bool(terms) and terms[0] == Edge("^")
    terms = terms[first:]
    last = bool(terms) and terms[-1] == Edge("$")
    return first, last, terms[: len(terms) - last]


def _texts(tree: Tree) -> tuple[list[tuple[str, str]], bool]:
    """The alternatives that are plain texts, and whether all are."""
    found: list[tuple[str, str]] = []
    complete = True
    for terms in tree:
        first, last, inner = _bare(terms)
        if len(inner) == 1 and isinstance(inner[0], Group) and not (first or last):
            more, whole = _texts(inner[0].alternatives)
            found += more
            complete &= whole
            continue
        if first and inner and _is_line(inner[0]):
            first, inner = False, inner[1:]
        if last and inner and _is_line(inner[-1]):
            last, inner = False, inner[:-1]
        if not first:
            inner = tuple(_trimmed(inner))
        if not last:
            inner = tuple(reversed(list(_trimmed(reversed(inner)))))
        expanded = _expanded(inner)
        if expanded is None:
            complete = False
        else:
            how = _EDGES.get((first, last), "contains")
            found += [(how, text) for text in expanded]
    return (found, complete) if len(found) <= MAX_TEXTS else ([], False)


def _is_line(term: Term) -> bool:
    """Whether it is `.*`, which makes an anchor next to it nearly pointless."""
    return isinstance(term, Repeat) and term.least == 0 and bool(_run(term))


def _trimmed(terms: Iterable[Term]) -> Iterator[Term]:
    """The terms without those at the beginning that may match nothing."""
    inside = False
    for term in terms:
        if inside:
            yield term
        elif not _nullable(term):
            inside = True
            yield Repeat(term.term, term.least, term.least) if isinstance(term, Repeat) else term


def _expanded(terms: Iterable[Term]) -> list[str] | None:
    """Every text that the terms match; None if there are too many."""
    return _product([_ends(term) for term in terms])


def _product(parts: Iterable[list[str] | None]) -> list[str] | None:
    texts = [""]
    for ends in parts:
        if ends is None or len(texts) * len(ends) > MAX_TEXTS:
            return None
        texts = [text + end for text in texts for end in ends]
    return texts


def _ends(term: Term) -> list[str] | None:
    if isinstance(term, Char):
        return sorted(term.of) if term.of is not None else None
    if isinstance(term, Repeat):
        if term.most is None or term.most > MAX_TEXTS:
            return None
        once = _ends(term.term)
        return _joined([_product([once] * times) for times in range(term.least, term.most + 1)])
    if isinstance(term, Group):
        return _joined([_expanded(terms) for terms in term.alternatives])
    return None


def _joined(found: list[list[str] | None]) -> list[str] | None:
    texts = [text for each in found for text in each or ()]
    return None if None in found or len(texts) > MAX_TEXTS else texts
