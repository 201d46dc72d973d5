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

from collections.abc import Iterator, Sequence

from reconciler.domain.desired import DesiredBot
from reconciler.domain.records import dataclass
from reconciler.routing import advanced, jsregex
from reconciler.routing.advanced import Demand, implies, normal
from reconciler.routing.values import STEPS, Rule, enabled

Way = tuple[Demand, ...]

_ADVANCED = STEPS.index(Rule.ADVANCED)
_RANKS = {str(rule): rank for rank, rule in enumerate(STEPS) if rank > _ADVANCED}
_LOOKED_UP = frozenset(_RANKS.values()) - {_RANKS["regex"]}
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
"""Texts of an instance's enabled regexes and expressions that are compared with all others."""

WORK = 5_000_000
"""Looks at a text, of 64 characters each, after which an instance's others are not compared."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The enabled bots that others answer for, and the first of those that were not compared with all."""

    shadows: tuple[Shadow, ...]
    unread: DesiredBot | None


def compare(bots: Sequence[DesiredBot], modern: bool) -> Compared:
    """Every enabled bot all of whose messages are matched by bots that are asked before it, or beside it."""
    reaches, unread = _reaches(bots, modern)
    rivals = _Rivals(reaches)
    places = {id(each): place for place, each in enumerate(reaches)}
    found: list[Shadow] = []
    for place, hidden in enumerate(reaches):
        if not hidden.complete or not hidden.ways:
            continue
        takers = [rivals.taker(way, hidden) for way in hidden.ways]
        if rivals.work > WORK:
            unread = hidden.bot if unread is None else min(unread, hidden.bot, key=bots.index)
            break
        named = list({id(taker): taker for taker in takers if taker}.values())
        if None in takers or any(places[id(taker)] > place for taker in named if _same(hidden, taker)):
            continue  # of two that match the same, the later is spoken of
        found.append(
            Shadow(
                hidden.bot,
                tuple(taker.bot for taker in named),
                certain=all(taker.rank < hidden.rank for taker in named),
                advanced=any(taker.rank == _ADVANCED for taker in named),
            )
        )
    return Compared(tuple(found), unread)


def _reaches(bots: Sequence[DesiredBot], modern: bool) -> tuple[list[Reach], DesiredBot | None]:
    """What the enabled bots match, and the first regex or expression that is one too many to be compared."""
    found: list[Reach] = []
    room, unread = MOST, None
    for bot in bots:
        each = reach(bot, modern) if enabled(bot.fields) else None
        if each is None:
            continue
        texts = 0 if each.rank in _LOOKED_UP else sum(map(len, each.ways))
        if texts > room:
            unread = unread or bot
            continue
        room -= texts
        found.append(each)
    return found, unread


class _Rivals:
    """Who takes the messages of others. Keywords are looked up by their texts, and only the others tried.

    work: how much was looked at. Beyond WORK nothing is found any more.
    """

    def __init__(self, reaches: Sequence[Reach]) -> None:
        self.work = 0
        self._tried = [
            (taker, way, next((text for how, text in way if how != "notcontains"), ""))
            for taker in sorted(reaches, key=lambda each: each.rank)
            if taker.rank not in _LOOKED_UP
            for way in taker.ways
        ]
        self._folds = any(taker.rank == _ADVANCED for taker, _, _ in self._tried)
        self._texts: dict[str, dict[str, Reach]] = {how: {} for how in _DEMANDS.values()}
        for each in reaches:
            if each.rank in _LOOKED_UP:
                [[(how, text)]] = each.ways
                self._texts[how].setdefault(text, each)
        self._lengths = {how: sorted(set(map(len, texts))) for how, texts in self._texts.items()}
        self._head = min(self._lengths["contains"], default=0)
        heads: dict[str, set[int]] = {}
        for text in self._texts["contains"]:
            heads.setdefault(text[: self._head], set()).add(len(text))
        self._heads = {head: sorted(lengths) for head, lengths in heads.items()}

    def taker(self, way: Way, hidden: Reach) -> Reach | None:
        """One that takes every message of a way, and is asked before its bot or beside it."""
        return self._by_trying(way, hidden) or next(self._by_text(way, hidden), None)

    def _by_trying(self, way: Way, hidden: Reach) -> Reach | None:
        folded = tuple((how, normal(text)) for how, text in way) if self._folds else ()
        texts, folded_texts = ("\0".join(text for _, text in each) for each in (way, folded))
        step = 1 + len(texts) // 64
        for taker, wanted, text in self._tried:
            self.work += step
            if taker.rank > hidden.rank or self.work > WORK:
                break
            if taker is hidden:
                continue
            if taker.rank == _ADVANCED:
                if text in folded_texts and _covered(folded, wanted):
                    return taker
            elif text in texts and _covered(way, wanted):  # the quick look first: there may be many
                return taker
        return None

    def _by_text(self, way: Way, hidden: Reach) -> Iterator[Reach]:
        """Of the keywords only equals stands before a regex, and one of its own operator beside a keyword."""
        how, text = way[0]
        if hidden.rank == _RANKS["regex"]:
            parts = iter([text] * (how == "exact"))
        elif hidden.rank not in _LOOKED_UP:
            parts = iter(())
        elif how == "startswith":
            parts = (text[:length] for length in self._lengths[how] if length < len(text))
        elif how == "endswith":
            parts = (text[-length:] for length in self._lengths[how] if length < len(text))
        elif how == "contains":
            parts = (
                text[at : at + length]
                for at in range(len(text) - self._head + 1)
                for length in self._heads.get(text[at : at + self._head], ())
                if length < len(text) and at + length <= len(text)
            )
        else:
            parts = iter(())
        for part in parts:
            self.work += 1 + len(part) // 64
            if self.work > WORK:
                return
            if taker := self._texts[how].get(part):
                yield taker


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
