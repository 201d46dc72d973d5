"""The server's advanced expressions: how it takes one apart, and what that comes to.

From the server's own search: the expression is split at every single blank, each part at its first `:`.
Parts of one operator are alternatives; the values that commas separate must all hold; all operators must
hold. Texts are compared without accents and in lower case. An operator that is not known never holds, so
one wrong part keeps the bot from ever answering.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import product

from reconciler.domain.text import quoted

OPERATORS = ("contains", "notcontains", "startswith", "endswith", "exact")
MAX_WAYS = 64
MAX_VALUES = 100
"""Values of an expression beyond which nothing is said of it: they are compared with each other."""

MANY = 3
"""Values of `contains` that hardly anybody wants in one message."""

_HOLD = ("contains", "startswith", "endswith", "exact")

_ACCENTS = re.compile("[\u0300-\u036f]")
_MEANT = {"equals": "exact", "equal": "exact", "is": "exact", "regex": "contains", "not": "notcontains"}

Demand = tuple[str, str]
"""An operator and a value that must hold of the message. `contains` with "" always does."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """An expression taken apart.

    mistakes: sentences on what is wrongly written. ways: each a set of demands of which one is enough;
    None when they are too many. redundant: two values of one part, of which the first demands nothing.
    listed: a part that asks for so many texts at once that alternatives were meant. unread: why it was not
    taken apart, so that nothing else is known.
    """

    mistakes: tuple[str, ...]
    ways: tuple[tuple[Demand, ...], ...] | None
    redundant: tuple[str, str] | None
    listed: str | None
    unread: str = ""


def normal(text: str) -> str:
    """As the server compares texts of an advanced expression: without accents, in lower case."""
    return _ACCENTS.sub("", unicodedata.normalize("NFD", text)).lower()


@lru_cache(maxsize=4096)
def examine(expression: str) -> Advanced:
    """Takes an expression apart."""
    number = expression.count(" ") + expression.count(",") + 1
    if number > MAX_VALUES:
        return Advanced((), None, None, None, f"it has {number} values, and {MAX_VALUES} are read at most")
    groups: dict[str, list[tuple[Demand, ...]]] = {}
    redundant, listed = None, None
    for part in expression.split(" "):
        operator, _, value = part.partition(":")
        values = [normal(each) for each in value.split(",")]
        demands = tuple((operator.lower(), each) for each in values)
        groups.setdefault(operator, []).append(demands)
        if operator.lower() == "contains" and len(values) >= MANY:
            listed = listed or part
        if operator.lower() == "contains" and not redundant:
            redundant = next(
                ((one, other) for one in values for other in values if one and one != other and one in other),
                None,
            )
    count = 1
    for group in groups.values():
        count *= len(group)
    ways = None
    if count <= MAX_WAYS:
        ways = tuple(
            tuple(demand for part in parts for demand in part) for parts in product(*groups.values())
        )
    return Advanced(tuple(dict.fromkeys(_mistakes(expression))), ways, redundant, listed)


def _mistakes(expression: str) -> Iterator[str]:
    never = "the bot never answers"
    if re.search(r"[^\S ]", expression):
        yield f"a line break or tab in it counts as a part of a value, so {never}: write it on one line"
    parts = expression.split(" ")
    if "" in parts:
        yield (
            f"where a blank is doubled, or stands before or behind all, the server looks for an operator, so "
            f"{never}: keep one blank between two parts"
        )
    for before, part, behind in zip(["", *parts], parts, [*parts[1:], ":"], strict=False):
        operator, colon, value = part.partition(":")
        known = operator.lower() in OPERATORS
        if part and not known and not colon:
            way_out = (
                "leave out the blank behind the comma"
                if before.endswith(",")
                else "a value cannot hold a blank, so ask for its words one by one, as in contains:bom,dia"
                if ":" in before
                else "write operator:value, such as contains:preço"
            )
            yield f"{quoted(part)} has no operator, so {never}: {way_out}"
        elif part and not known:
            meant = _MEANT.get(operator.lower()) or next(
                iter(get_close_matches(operator.lower(), OPERATORS, 1)), ""
            )
            hint = f" (did you mean {meant}?)" if meant else ""
            yield f"{quoted(operator)} is no operator{hint}, so {never}: use one of {', '.join(OPERATORS)}"
        elif known and not value:
            effect = (
                "holds for every message"
                if operator.lower() in ("contains", "startswith", "endswith")
                else ("never holds, so the bot never answers")
            )
            yield f"{quoted(operator)} has no value and {effect}: write one behind the colon"
        elif known and "" in value.split(",") and (behind == "" or ":" in behind):
            yield f"{quoted(part)} has a comma without a value beside it: leave the comma out"


def impossible(way: tuple[Demand, ...]) -> bool:
    """Whether no message can meet all the demands."""
    if all(operator == "contains" for operator, _ in way):
        return False  # whatever they are, a message can hold them one after another
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
