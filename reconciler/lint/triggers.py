"""Which message starts which bot: what of an instance's triggers can never, or need not, be reached.

The server asks enabled bots in this order: all (since 2.3.0 none too), advanced, then keyword by operator:
equals, regex, startsWith, endsWith, contains. The first that matches answers; between two of one rank it has
no order. All but advanced compare exactly, case and accents included. So with p a text of one bot and v one
of another:

    asked first          hides, of what is asked later or beside it
    all, none            every other bot
    equals p             a regex that is only ^p$
    regex, read as p     ^p startsWith v when v begins with p · p$ endsWith v when v ends with p ·
                         p startsWith, endsWith or contains v when p is in v
    startsWith p         startsWith v when v begins with p: chance decides
    endsWith p           endsWith v when v ends with p: chance decides
    contains p           contains v when p is in v: chance decides
    advanced             what its demands hold for, whatever else the message says

startsWith "ab" does not hide contains "ab": a message may hold it further on. equals "ab" is asked before
startsWith "a" and is hidden by nothing but an advanced bot. What cannot be decided is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.kinds import Value
from reconciler.lint import advanced, jsregex
from reconciler.lint.advanced import Demand, implies, normal
from reconciler.model import DesiredBot

Way = tuple[Demand, ...]

_ADVANCED = 0
_RANKS = {"equals": 1, "regex": 2, "startsWith": 3, "endsWith": 4, "contains": 5}
_DEMANDS = {"equals": "exact", "startsWith": "startswith", "endsWith": "endswith", "contains": "contains"}


@dataclass(frozen=True, slots=True)
class Reach:
    """The messages that a bot's trigger matches: those of any of the ways. complete: and no others."""

    bot: DesiredBot
    rank: int
    ways: tuple[Way, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Shadow:
    """A bot, and those that answer in its place: always (certain), or where chance has it."""

    bot: DesiredBot
    takers: tuple[DesiredBot, ...]
    certain: bool
    advanced: bool


def answers(fields: Mapping[str, Value]) -> bool:
    """Whether the bot takes part at all. The server's default is that it does."""
    return fields.get("enabled", True) is True


def catches_all(fields: Mapping[str, Value], none_too: bool) -> bool:
    """Whether the trigger matches every message, by its type."""
    return fields.get("triggerType") == "all" or (none_too and fields.get("triggerType") == "none")


def reach(bot: DesiredBot, modern: bool) -> Reach | None:
    """What the bot matches; None for a trigger that is no keyword and no expression, or says nothing."""
    value = bot.fields.get("triggerValue")
    if not isinstance(value, str) or not value:
        return None
    operator = str(bot.fields.get("triggerOperator"))
    match bot.fields.get("triggerType"):
        case "advanced":
            found = advanced.examine(value)
            ways = tuple(way for way in found.ways or () if not advanced.impossible(way))
            return Reach(bot, _ADVANCED, ways, found.ways is not None)
        case "keyword" if operator == "regex":
            regex = jsregex.examine(value, modern)
            texts = ((("contains", ""),),) if regex.everything else ()
            return Reach(bot, _RANKS[operator], (*texts, *((each,) for each in regex.texts)), regex.complete)
        case "keyword" if operator in _RANKS:
            return Reach(bot, _RANKS[operator], (((_DEMANDS[operator], value),),), True)
    return None


MOST = 1500
"""Texts of an instance's enabled triggers that are compared with each other."""


def compared(bots: Sequence[DesiredBot], modern: bool) -> tuple[list[Reach], DesiredBot | None]:
    """What the enabled bots match, as far as that is compared, and the first bot for which it is not."""
    found: list[Reach] = []
    room = MOST
    for bot in bots:
        if answers(bot.fields) and (each := reach(bot, modern)):
            room -= sum(map(len, each.ways))
            if room < 0:
                return found, bot
            found.append(each)
    return found, None


def shadows(bots: Sequence[DesiredBot], modern: bool) -> Iterator[Shadow]:
    """Every enabled bot all of whose messages are matched by bots that are asked before it, or beside it."""
    reaches, _ = compared(bots, modern)
    pool = [
        (taker, way, next((text for how, text in way if how != "notcontains"), ""))
        for taker in sorted(reaches, key=lambda each: each.rank)
        for way in taker.ways
    ]
    places = {id(each): place for place, each in enumerate(reaches)}
    for place, hidden in enumerate(reaches):
        if not hidden.complete or not hidden.ways:
            continue
        rivals = [rival for rival in pool if rival[0].rank <= hidden.rank and rival[0] is not hidden]
        found = [_taker(way, rivals) for way in hidden.ways]
        takers = list({id(taker): taker for taker in found if taker}.values())
        if None in found or any(
            places[id(taker)] > place for taker in takers if _same(hidden, taker)
        ):  # of two that match the same, the later is spoken of
            continue
        yield Shadow(
            hidden.bot,
            tuple(taker.bot for taker in takers),
            certain=all(taker.rank < hidden.rank for taker in takers),
            advanced=any(taker.rank == _ADVANCED for taker in takers),
        )


def _taker(way: Way, rivals: Iterable[tuple[Reach, Way, str]]) -> Reach | None:
    """The first rival that takes every message of the way."""
    folded = tuple((how, normal(text)) for how, text in way)
    texts, folded_texts = ("\0".join(text for _, text in each) for each in (way, folded))
    for taker, wanted, text in rivals:
        if taker.rank == _ADVANCED:
            if text in folded_texts and _covered(folded, wanted):
                return taker
        elif text in texts and _covered(way, wanted):  # the quick look first: there may be many
            return taker
    return None


def _covered(way: Way, other: Way) -> bool:
    """Whether every message of the one way is one of the other."""
    return all(any(implies(given, wanted) for given in way) for wanted in other)


def _same(one: Reach, other: Reach) -> bool:
    """Whether the two stand beside each other and match the same messages."""
    return (
        one.rank == other.rank
        and other.complete
        and all(any(_covered(theirs, ours) for ours in one.ways) for theirs in other.ways)
    )
