"""The server's advanced expressions: how it parses one, and what that matches.

From the server's own search: the expression is split at every single space, each part at its first `:`.
Parts of one operator are alternatives; the values that commas separate must all match; all operators must
match. Texts are compared without accents and in lower case. An unknown operator never matches, so one wrong
part keeps the bot from ever answering; one that every object of JavaScript has, such as `constructor`, is an
error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from itertools import product
from math import prod

from reconciler.domain.records import dataclass
from reconciler.domain.text import quoted

OPERATORS = ("contains", "notcontains", "startswith", "endswith", "exact")
MAX_WAYS = 64
MAX_VALUES = 100
"""The most values of an expression that is checked: they are compared with each other."""

MANY = 3
"""Values of `contains` that hardly anybody expects in one message."""

_HOLD = ("contains", "startswith", "endswith", "exact")

_ACCENTS = re.compile("[\u0300-\u036f]")
_MEANT = {"equals": "exact", "equal": "exact", "is": "exact", "regex": "contains", "not": "notcontains"}

_INHERITED = frozenset(
    {
        *(f"__{verb}{which}__" for verb in ("define", "lookup") for which in ("Getter", "Setter")),
        *("__proto__", "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable"),
        *("toLocaleString", "toString", "valueOf"),
    }
)
"""What every object of JavaScript has, which the server takes for a list of values."""

Demand = tuple[str, str]
"""An operator and a value that a message must match. `contains` with "" always matches."""


class BrokenError(Exception):
    """The server throws when it reads the trigger, and the message is lost. Its text says why."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """A parsed expression.

    mistakes: sentences about what is written wrong. ways: sets of demands, any of which is enough; None when
    there are too many. redundant: two values of one part, the first of which is implied by the second.
    listed: a part that demands so many texts at once that alternatives were meant. unread: why it was not
    parsed; then nothing else is known.
    """

    mistakes: tuple[str, ...]
    ways: tuple[tuple[Demand, ...], ...] | None
    redundant: tuple[str, str] | None
    listed: str | None
    unread: str = ""


def normal(text: str) -> str:
    """As the server compares texts of an advanced expression: without accents, in lower case."""
    return _ACCENTS.sub("", unicodedata.normalize("NFD", text)).lower()


def matches(expression: str, text: str) -> bool:
    """Whether a message matches. Raises BrokenError."""
    said = normal(text)
    return all(
        any(all(meets(demand, said) for demand in demands) for demands in alternatives)
        for alternatives in _parsed(expression)
    )


def meets(demand: Demand, text: str) -> bool:
    """Whether a text meets a demand. Both are compared as they are."""
    operator, value = demand
    match operator:
        case "contains":
            return value in text
        case "notcontains":
            return value not in text
        case "startswith":
            return text.startswith(value)
        case "endswith":
            return text.endswith(value)
    return operator == "exact" and text == value


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> tuple[tuple[tuple[Demand, ...], ...], ...]:
    """Of each operator the parts, any of which is enough, and what each demands. Raises BrokenError."""
    groups: dict[str, list[tuple[Demand, ...]]] = {}
    for part in expression.split(" "):
        operator, _, value = part.partition(":")
        if operator in _INHERITED:
            raise BrokenError(f"{quoted(operator)} is an error of the server")
        demands = tuple((operator.lower(), normal(each)) for each in value.split(","))
        groups.setdefault(operator, []).append(demands)
    return tuple(map(tuple, groups.values()))


@lru_cache(maxsize=4096)
def examine(expression: str) -> Advanced:
    """Parse an expression."""
    number = expression.count(" ") + expression.count(",") + 1
    if number > MAX_VALUES:
        return Advanced((), None, None, None, f"it has {number} values, and at most {MAX_VALUES} are checked")
    mistakes = tuple(dict.fromkeys(_mistakes(expression)))
    try:
        groups = _parsed(expression)
    except BrokenError:
        return Advanced(mistakes, (), None, None)
    redundant, listed = None, None
    for part in expression.split(" "):
        operator, _, value = part.partition(":")
        values = [normal(each) for each in value.split(",")]
        if operator.lower() == "contains" and len(values) >= MANY:
            listed = listed or part
        if operator.lower() == "contains" and not redundant:
            redundant = next(
                ((one, other) for one in values for other in values if one and one != other and one in other),
                None,
            )
    ways = None
    if prod(map(len, groups)) <= MAX_WAYS:
        ways = tuple(tuple(demand for part in parts for demand in part) for parts in product(*groups))
    return Advanced(mistakes, ways, redundant, listed)


def _mistakes(expression: str) -> Iterator[str]:
    never = "the bot never answers"
    if re.search(r"[^\S ]", expression):
        yield f"a line break or tab counts as part of a value, so {never}: write the expression on one line"
    parts = expression.split(" ")
    if "" in parts:
        yield (
            f"the server expects an operator after every space, and the expression has a double, leading or "
            f"trailing one, so {never}: put a single space between two parts"
        )
    for before, part, behind in zip(["", *parts], parts, [*parts[1:], ":"], strict=False):
        operator, colon, value = part.partition(":")
        known = operator.lower() in OPERATORS
        if part and not known and not colon:
            way_out = (
                "remove the space after the comma"
                if before.endswith(",")
                else "a value cannot contain a space, so ask for its words separately, as in contains:bom,dia"
                if ":" in before
                else "write operator:value, such as contains:preço"
            )
            yield f"{quoted(part)} has no operator, so {never}: {way_out}"
        elif part and not known:
            meant = _MEANT.get(operator.lower()) or next(
                iter(get_close_matches(operator.lower(), OPERATORS, 1)), ""
            )
            hint = f" (did you mean {meant}?)" if meant else ""
            yield f"{quoted(operator)} is not an operator{hint}, so {never}: use {', '.join(OPERATORS)}"
        elif known and not value:
            effect = (
                "matches every message"
                if operator.lower() in ("contains", "startswith", "endswith")
                else "never matches, so the bot never answers"
            )
            yield f"{quoted(operator)} has no value and {effect}: write one after the colon"
        elif known and "" in value.split(",") and (behind == "" or ":" in behind):
            yield f"{quoted(part)} has a comma with no value next to it: remove the comma"


def impossible(way: tuple[Demand, ...]) -> bool:
    """Whether no message can meet all the demands."""
    if all(operator == "contains" for operator, _ in way):
        return False  # a message can contain them one after another
    return any(_excludes(one, other) for one in way for other in way)


def _excludes(one: Demand, other: Demand) -> bool:
    operator, value = one
    against, text = other
    match operator, against:
        case "exact", "exact":
            return value != text
        case "exact", "contains" | "startswith" | "endswith":
            return not implies(one, other)
        case "startswith", "startswith":
            return not (value.startswith(text) or text.startswith(value))
        case "endswith", "endswith":
            return not (value.endswith(text) or text.endswith(value))
        case _, "notcontains":
            return (operator != "notcontains" and text in value) or not text
    return operator not in OPERATORS


def implies(given: Demand, wanted: Demand) -> bool:
    """Whether every message that meets the one demand meets the other."""
    operator, value = given
    asked, text = wanted
    match asked:
        case "exact":
            return given == wanted
        case "startswith":
            return not text or (operator in ("exact", "startswith") and value.startswith(text))
        case "endswith":
            return not text or (operator in ("exact", "endswith") and value.endswith(text))
        case "contains":
            return not text or (operator in _HOLD and text in value)
        case "notcontains" if operator == "notcontains":
            return bool(value) and value in text
    return asked == "notcontains" and operator == "exact" and text not in value
