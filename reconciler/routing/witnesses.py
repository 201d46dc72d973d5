"""Texts that show what triggers do: some that one matches or just misses, some that several match.

They are candidates, made from the trigger: who answers them is for `choice` to say. A keyword or an
expression says what a text must have. For a regex, a bounded number of texts is made from its tree and tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product

from reconciler.domain.kinds import Value
from reconciler.domain.versions import Version
from reconciler.routing import advanced, javascript, jsregex
from reconciler.routing.advanced import Demand
from reconciler.routing.javascript import UndecidedError
from reconciler.routing.jstree import Char, Group, Opaque, Reader, Repeat, Term, TooDeepError
from reconciler.routing.values import Rule, modern, step

Way = tuple[Demand, ...]
"""What a text must have, all of it."""

WAYS = 6
"""How many ways to match one trigger are shown."""

SAMPLES = 300
"""How many texts are tried to find those that a regex matches."""

FILLERS = ("x", "z", "w", "q", "#", "0", "…")
"""Texts around what a trigger asks for: those that are part of no trigger."""

_DEMANDS = {
    Rule.EQUALS: "exact",
    Rule.STARTS_WITH: "startswith",
    Rule.ENDS_WITH: "endswith",
    Rule.CONTAINS: "contains",
}
_CHARACTERS = ("a", "0", " ", "é", "A", "-", "")
"""What is tried where a regex has a class, a boundary or a look-around."""


def ways(fields: Mapping[str, Value], version: Version) -> tuple[Way, ...]:
    """Some of the ways to match an enabled bot's trigger; none for one that always or never matches."""
    rule = step(fields, version)
    value = fields.get("triggerValue")
    if rule is None or rule is Rule.ALL or not isinstance(value, str):
        return ()
    if rule is Rule.ADVANCED:
        found = advanced.examine(value).ways or ()
        return tuple(way for way in found[: 4 * WAYS] if not advanced.impossible(way))[:WAYS]
    if rule is Rule.REGEX:
        return _of_regex(value, modern(version))
    return (((_DEMANDS[rule], value),),)


def filler(values: Iterable[str]) -> tuple[str, ...]:
    """A letter and a sign to put around texts, which no trigger's value has where that can be."""
    whole = advanced.normal(" ".join(values))
    free = [text for text in FILLERS if text not in whole]
    return tuple(dict.fromkeys((*free[:1], *[text for text in free if not text.isalpha()][:1], FILLERS[-1])))


def texts(parts: Sequence[Way], pads: Iterable[str]) -> Iterator[str]:
    """Texts that have all that the ways ask for, side by side and with each of the pads around them."""
    needed = _needed([demand for way in parts for demand in way])
    if needed is None:
        return
    whole, start, inside, end = needed
    if whole is not None:
        yield whole
        return
    yield "".join((start, *inside, end))
    for pad in pads:
        yield " ".join(each for each in (start or pad, *inside, end or pad) if each)


def _needed(demands: Sequence[Demand]) -> tuple[str | None, str, list[str], str] | None:
    """The whole text, or its start, what is inside and its end; None if the demands exclude each other."""
    by: dict[str, list[str]] = {}
    for operator, value in demands:
        by.setdefault(operator, []).append(value)
    exact, starts, ends = (by.get(operator, []) for operator in ("exact", "startswith", "endswith"))
    start, end = (max(each, key=len, default="") for each in (starts, ends))
    if (
        len(set(exact)) > 1
        or not all(start.startswith(each) for each in starts)
        or not all(end.endswith(each) for each in ends)
    ):
        return None
    inside = [each for each in dict.fromkeys(by.get("contains", ())) if each not in start + end]
    inside = [each for each in inside if not any(each in other for other in inside if other != each)]
    return (exact[0] if exact else None), start, inside, end


def misses(way: Way, pad: str) -> Iterator[str]:
    """Texts that just miss a way to match, or match it with something beside."""
    for at, (operator, value) in enumerate(way):
        rest = way[:at] + way[at + 1 :]
        if rest:
            yield from texts([rest], (pad,))
        if operator == "notcontains":
            yield from texts([(*rest, ("contains", value))], (pad,))
            continue
        for near in (f"{value} {pad}", f"{pad} {value}", value[:-1], value.swapcase()):
            if len(way) == 1 and near != value:
                yield near


@lru_cache(maxsize=4096)
def _of_regex(pattern: str, recent: bool) -> tuple[Way, ...]:
    """Ways to match a regex, each from a text that it was seen to match."""
    try:
        if len(pattern) > jsregex.MAX_LENGTH or javascript.refusal(pattern, recent):
            return ()
        tree = Reader(pattern).alternatives()
        found: list[Way] = []
        tried = islice(_interleaved([_texts(terms) for terms in tree]), SAMPLES)
        for sample in dict.fromkeys(tried):
            if javascript.matches(pattern, sample):
                found.append((_demand(pattern, sample),))
                if len(set(found)) >= WAYS:
                    break
    except (UndecidedError, TooDeepError):
        return ()
    return tuple(dict.fromkeys(found))


def _demand(pattern: str, sample: str) -> Demand:
    """Where in a message the text may stand."""
    pad = FILLERS[-1]
    if javascript.matches(pattern, f"{pad} {sample} {pad}"):
        return "contains", sample
    if javascript.matches(pattern, f"{sample} {pad}"):
        return "startswith", sample
    if javascript.matches(pattern, f"{pad} {sample}"):
        return "endswith", sample
    return "exact", sample


def _interleaved(many: list[Iterator[str]]) -> Iterator[str]:
    """One of each in turn, so that no alternative is left out."""
    while many:
        going = []
        for each in many:
            if (sample := next(each, None)) is not None:
                yield sample
                going.append(each)
        many = going


def _texts(terms: tuple[Term, ...]) -> Iterator[str]:
    """Texts that terms may match, the likely ones first."""
    parts = [tuple(islice(dict.fromkeys(_choices(term)), 8)) for term in terms]
    yield "".join(part[0] for part in parts if part)
    for at, part in enumerate(parts):
        for choice in part[1:]:
            yield "".join(choice if at == place else other[0] for place, other in enumerate(parts) if other)
    yield from map("".join, product(*(part for part in parts if part)))


def _choices(term: Term) -> Iterator[str]:
    match term:
        case Char(of=None):
            yield "a"
        case Char(of=chars):
            yield from sorted(chars or ())
        case Group(alternatives=alternatives):
            yield from islice(_interleaved([_texts(terms) for terms in alternatives]), 8)
        case Repeat(term=inner, least=least, most=most):
            yield from (once * min(least, 20) for once in islice(_choices(inner), 4))
            if most is None or most > least:
                yield from (once * min(least + 1, 20) for once in islice(_choices(inner), 4))
        case Opaque():
            yield from _CHARACTERS
        case _:
            yield ""
