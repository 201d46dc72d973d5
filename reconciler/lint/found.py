"""What the rules find in each instance → warnings: those of ignored rules are left out, and what many bots
share gets one warning. Pure.

Imports no rule: what was found may come from the cache, and then no rule is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from reconciler.domain.errors import Position
from reconciler.domain.findings import Warning
from reconciler.domain.records import dataclass
from reconciler.domain.text import quoted

UNKNOWN = "unknown-rule"
"""The rule about ids of rules, which checks all manifests together."""

_NO_EFFECT = "no-effect"

_IN_ORDER = attrgetter("at.file", "at.line", "at.column", "rule", "text", "error")
"""Their own order, without a call for each pair that is compared."""

_NAMED = 2
"""How many bots a warning names before it only counts them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repository says about rules, by their ids: those that are ignored, and those that are errors."""

    ignored: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of an instance.

    own: whether it is about the instance's manifest, and not a file that it inherits from. nth: of those with
    this place, rule and subject. bot: its name, "" for the settings.
    """

    at: Position
    own: bool
    rule: str
    nth: int
    bot: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the rules find in one instance alone.

    useful: the places in other files, which it inherits from, of values that have an effect for some bot.
    unknown: where ids are named that no rule has, and what is said of each.
    """

    said: Sequence[Said]
    useful: frozenset[Position]
    unknown: Sequence[tuple[Position, Mapping[str, str]]]


def seen(value: Any) -> Found:
    """What a look has seen."""
    said, useful, unknown = value
    return Found(
        [Said(Position(*at), *rest) for at, *rest in said],
        frozenset(Position(*at) for at in useful),
        [(Position(*at), ids) for at, ids in unknown],
    )


def encoded(found: Found) -> object:
    """What a look keeps."""
    return [
        [[_place(one.at), one.own, one.rule, one.nth, one.bot, one.text] for one in found.said],
        sorted(map(_place, found.useful)),
        [[_place(at), ids] for at, ids in found.unknown],
    ]


def _place(at: Position) -> list[Any]:
    return [at.file, at.line, at.column]


def warnings(found: Mapping[str, Found], policy: Policy) -> list[Warning]:
    """What was found in instances, by their names, as warnings: what many bots share gets one."""
    useful = frozenset[Position]().union(*(one.useful for one in found.values()))
    places: dict[tuple[str, int, int, str, int], list[tuple[str, Said]]] = {}
    for instance, one in found.items():
        for said in one.said:
            if said.rule not in policy.ignored and not (said.rule == _NO_EFFECT and said.at in useful):
                at = said.at
                place = at.file, at.line, at.column, said.rule, said.nth
                places.setdefault(place, []).append((instance, said))
    made = []
    for those in places.values():
        said = those[0][1]
        text = f"{_whose(said.at, those)}: {said.text}"
        made.append(Warning(said.at, said.rule, text, said.rule in policy.errors, said.text))
    if UNKNOWN not in policy.ignored:
        made += _of_unknown(found.values(), error=UNKNOWN in policy.errors)
    return sorted(made, key=_IN_ORDER)


_quoted = lru_cache(1000)(quoted)
"""Many instances have bots of the same name."""


def _whose(at: Position, those: list[tuple[str, Said]]) -> str:
    """The bots that a warning is about, the first few by name."""
    if len(those) == 1 and (said := those[0][1]).own and said.bot:
        return _quoted(said.bot)  # as nearly all
    everywhere = len({instance for instance, _ in those}) > 1 or not those[0][1].own
    names = list(
        dict.fromkeys(
            (f"{said.bot}@{instance}" if everywhere else said.bot)
            if said.bot
            else f"the settings of {quoted(instance)}"
            for instance, said in those
        )
    )
    shown = ", ".join(quoted(name) if not name.startswith("the ") else name for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _of_unknown(found: Iterable[Found], *, error: bool) -> Iterator[Warning]:
    """Warnings about ids that no rule has, each once: at the first bot or instance that names it."""
    seen: set[str] = set()
    for at, ids in (each for one in found for each in one.unknown):
        for name, text in ids.items():
            if name not in seen:
                seen.add(name)
                yield Warning(at, UNKNOWN, text, error)
