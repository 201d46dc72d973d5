"""What a change of bots and settings does to who answers: two worlds in, the messages that show it out.

The messages are those that are given, and those that the triggers of both worlds lead to: texts that match
one, just miss one, or match one that changed together with others; from a group, an ignored JID or the number
itself where a world makes a difference of that; and any other text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain, combinations, islice, product

from reconciler.domain.kinds import KINDS
from reconciler.domain.records import dataclass, field
from reconciler.routing import witnesses
from reconciler.routing.choice import ignored, route, uses_fallback
from reconciler.routing.values import CONTACT, STEPS, Bot, Instance, Message, Rule, enabled
from reconciler.routing.witnesses import Way

GROUP = "120363000000000000@g.us"
LID = "100000000000000@lid"

MOST, LEAST = 5000, 500
"""Texts that are compared for one change of few triggers, and of many."""

FLEET, FEWEST = 50_000, 60
"""Texts that are compared for all changes of a fleet together, and for one of them at least."""

WORK = 500_000
"""Texts times triggers."""

_COMBINED = 60
"""Ways to match that are combined with each other."""

_NOT = "notcontains"
_KEYWORDS = STEPS[STEPS.index(Rule.EQUALS) :]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kind makes of a message. bots: any one of them answers. certain: one of them does."""

    bots: frozenset[str]
    certain: bool
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that is answered differently. before, after: by the kind's path, of kinds that may answer.

    given: whether the message was given, rather than made from triggers. other: it stands for any message
    that no trigger is about.
    """

    message: Message
    before: Mapping[str, Outcome] = field(hash=False)
    after: Mapping[str, Outcome] = field(hash=False)
    given: bool = False
    other: bool = False

    @property
    def silenced(self) -> bool:
        """Whether it was answered, and nobody answers any more."""
        return bool(self.before) and not self.after

    @property
    def doubled(self) -> bool:
        """Whether two kinds answer, which was not so before."""
        return len(self.after) > 1 and len(self.before) < 2

    @property
    def pair(self) -> Hashable:
        """Before and after, for comparing two of them."""
        return tuple(frozenset(each.items()) for each in (self.before, self.after))


def outcomes(instance: Instance, message: Message) -> dict[str, Outcome]:
    """What each kind makes of a message, of those that may answer."""
    return {
        path: Outcome(frozenset(answer.bots), not answer.silent, bool(answer.undecided))
        for path, answer in route(instance, message).items()
        if answer.bots or answer.undecided
    }


def differences(
    before: Instance, after: Instance, given: Sequence[Message] = (), most: int = MOST
) -> tuple[Difference, ...]:
    """The messages that are answered differently: each of those given, and one of each other change.

    most: texts that are compared, if there are more: those that one trigger alone is about come first.
    """
    if relevant(before) == relevant(after):
        return ()
    found = []
    for message in given:
        one = Difference(message, outcomes(before, message), outcomes(after, message), given=True)
        if one.before != one.after:
            found.append(one)
    seen = {one.pair for one in found}
    for message, other in _messages(before, after, most):
        one = Difference(message, outcomes(before, message), outcomes(after, message), other=other)
        if one.before != one.after and one.pair not in seen:
            seen.add(one.pair)
            found.append(one)
    return tuple(found)


def compare(
    worlds: Mapping[str, tuple[Instance, Instance]], given: Mapping[str, Sequence[Message]]
) -> dict[str, tuple[Difference, ...]]:
    """The differences by the instance's name, where there are any.

    The same change is looked at once. The more different changes there are, the fewer texts are compared for
    each.
    """
    keys = {
        name: (was, will, tuple(given.get(name, ())))
        for name, (before, after) in worlds.items()
        if (was := relevant(before)) != (will := relevant(after))
    }
    most = max(FEWEST, FLEET // max(1, len(set(keys.values()))))
    known: dict[Hashable, tuple[Difference, ...]] = {}
    for name, key in keys.items():
        if key not in known:
            known[key] = differences(*worlds[name], key[2], most)
    return {name: known[key] for name, key in keys.items() if known[key]}


def relevant(instance: Instance) -> Hashable:
    """All that decides who answers: two instances with the same are routed alike."""
    answering = {(kind.path, instance.of(kind).fallback) for kind in instance.kinds}
    bots = frozenset(
        _relevant(instance, bot)
        for bot in instance.bots
        if enabled(bot.fields) or (bot.kind.path, bot.name) in answering
    )
    settings = frozenset(
        (
            kind.path,
            frozenset(_jids(instance, kind.path)),
            uses_fallback(kind, instance.version) and instance.of(kind).fallback,
        )
        for kind in instance.kinds
    )
    return instance.version, bots, settings


def _relevant(instance: Instance, bot: Bot) -> Hashable:
    own = tuple(bot.fields.get(name) for name in ("triggerType", "triggerOperator", "triggerValue"))
    heard = tuple(instance.value(bot, name) for name in ("listeningFromMe", "stopBotFromMe", "keywordFinish"))
    return bot.kind.path, bot.name, enabled(bot.fields), own, heard


def _jids(instance: Instance, path: str) -> tuple[str, ...]:
    settings = instance.settings.get(path)
    listed = settings.fields.get("ignoreJids") if settings else None
    return listed if isinstance(listed, tuple) else ()


def _messages(before: Instance, after: Instance, most: int) -> Iterator[tuple[Message, bool]]:
    """The messages to compare, and whether one stands for any other.

    Of texts that the same bots are chosen for there is one, and of JIDs that the same kinds ignore.
    """
    sides = (before, after)
    texts, other = _texts(before, after, most)
    chosen: dict[Hashable, str] = {}
    for text in texts:
        answers = [sorted(route(side, Message(text, jid="")).items()) for side in sides]
        chosen.setdefault(tuple(map(tuple, answers)), text)
    listed = [jid for side in sides for path in side.settings for jid in _jids(side, path)]
    jids: dict[Hashable, str] = {}
    for jid in (CONTACT, GROUP, LID, *(jid for jid in listed if not jid.startswith("@"))):
        jids.setdefault(
            tuple(tuple(ignored(_jids(side, path), jid) for path in KINDS) for side in sides), jid
        )
    deaf = any(side.value(bot, "listeningFromMe") is False for side in sides for bot in side.bots)
    for jid, from_me in product(jids.values(), (False, True) if deaf else (False,)):
        for text in chosen.values():
            yield Message(text, jid, from_me), text == other


def _texts(before: Instance, after: Instance, most: int) -> tuple[list[str], str | None]:
    """The texts to compare; one of them stands for any other, if there is one that does."""
    asked: list[dict[tuple[str, str], Bot]] = [
        {(bot.kind.path, bot.name): bot for bot in side.bots if enabled(bot.fields)}
        for side in (before, after)
    ]
    ways: dict[Way, None] = {}
    changed: dict[Way, None] = {}
    for name in dict.fromkeys(name for bots in asked for name in bots):
        found = [
            dict.fromkeys(witnesses.ways(bots[name].fields, side.version)) if name in bots else {}
            for bots, side in zip(asked, (before, after), strict=True)
        ]
        for each in found:
            forbidden = {(("contains", value),): None for way in each for how, value in way if how == _NOT}
            ways |= each | forbidden
            changed |= each | forbidden if found[0] != found[1] else {}
    pads = witnesses.filler(
        str(bot.fields.get("triggerValue", "")) for bots in asked for bot in bots.values()
    )
    others = [pad * 3 for pad in pads if all(_is_other(side, pad * 3) for side in (before, after))]
    words = {
        str(side.value(bot, "keywordFinish") or "")
        for side in (before, after)
        for bot in side.bots
        if bot.kind.finishes_first
    }
    made = _made(list(changed | ways), list(changed), pads)
    most = min(most, max(LEAST, WORK // (1 + len(ways))))
    texts = dict.fromkeys(islice(chain(others[:1], sorted(words), pads, [""], made), most))
    return list(texts), next(iter(others), None)


def _is_other(side: Instance, text: str) -> bool:
    """Whether no keyword is about a text."""
    return all(
        found.rule not in _KEYWORDS or (found.broken and not found.chosen)
        for found in route(side, Message(text)).values()
    )


def _made(ways: list[Way], changed: list[Way], pads: Sequence[str]) -> Iterator[str]:
    """Texts of each way, near each, of two at once, and of one that changed with two others."""
    for way in ways:
        alone = list(witnesses.texts((way,), ("", *pads[:2])))
        yield from (*alone, *map(str.swapcase, alone), *witnesses.misses(way, pads[0]))
    for pair in combinations(ways[:_COMBINED], 2):
        yield from witnesses.texts(pair, ("", pads[0]))
    for one in changed:
        for two in combinations(ways[:_COMBINED], 2):
            if one not in two:
                yield from witnesses.texts((one, *two), ("", pads[0]))
