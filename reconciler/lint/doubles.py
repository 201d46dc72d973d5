"""Which message bots of two kinds answer: each kind decides by itself, so the contact gets an answer of each.

A message is made of what triggers ask for, of one bot or of two, and routed as the server does it. So what is
said is true, and shown; but of a trigger with many alternatives not all are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, product

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import Kind
from reconciler.domain.text import quoted
from reconciler.lint.context import Context, Remark
from reconciler.routing import witnesses
from reconciler.routing.choice import answer, ignored
from reconciler.routing.difference import GROUP
from reconciler.routing.values import CONTACT, Bot, Instance, Message, Settings
from reconciler.routing.witnesses import Way

MOST = 10
"""Pairs of bots of an instance after which no others are looked for."""

WORK = 100_000
"""Looks at a bot, after which an instance's other messages are not tried."""

_ANY = "Olá"
"""A message that no trigger asks for."""

_Pair = tuple[str, str]


def two_kinds_answer(contexts: Sequence[Context]) -> Iterator[Remark]:
    """Pairs of bots of two kinds that answer the same message, each with such a message."""
    if len(contexts) < 2:
        return
    bots = {bot.name: bot for bot in contexts[0].instance.bots}
    places = {name: place for place, name in enumerate(bots)}
    for (one, other), message in _pairs(contexts).items():
        first, later = sorted((one, other), key=places.__getitem__)
        where = " in a group" if message.jid == GROUP else ""
        kind = bots[first].kind
        yield Remark(
            bots[later],
            "triggerValue" if "triggerValue" in bots[later].fields else "triggerType",
            f"the {kind.label} bot {quoted(first)} also answers {quoted(message.text)}{where}, as each kind "
            "answers by itself, so contacts get two answers: change one of the triggers, or disable one bot",
        )


def _pairs(contexts: Sequence[Context]) -> Mapping[_Pair, Message]:
    """The pairs of bots that answer a message, with the first that was found."""
    instance = _routed(contexts)
    bots = {context.kind.path: context.answering() for context in contexts}
    ways = {
        bot.name: witnesses.ways(bot.fields, instance.version) or ((),)
        for own in bots.values()
        for bot in own
    }
    found: dict[_Pair, Message] = {}
    work = 0
    for jid in _jids(instance):
        tried: set[tuple[str, Sequence[Kind]]] = set()
        alone = ((None, (way,), instance.kinds) for own in ways.values() for way in own)
        for pair, asked, kinds in chain(alone, _together(bots, ways)):
            work += 1
            if work > WORK or len(found) >= MOST:
                return found
            text = _text(asked)
            if text is None or pair in found or {(text, kinds), (text, instance.kinds)} & tried:
                continue
            tried.add((text, kinds))
            work += sum(len(bots[kind.path]) for kind in kinds)
            message = Message(text, jid)
            for answering in combinations(_answering(instance, message, kinds), 2):
                found.setdefault(answering, message)
    return found


def _routed(contexts: Sequence[Context]) -> Instance:
    return Instance(
        tuple(Bot(bot.name, bot.kind, bot.fields) for context in contexts for bot in context.bots),
        {
            context.kind.path: Settings(context.settings.fields, context.settings.fallback or "")
            for context in contexts
            if context.settings
        },
        contexts[0].version,
    )


def _jids(instance: Instance) -> Iterator[str]:
    """A contact's, and a group's where some kind ignores contacts."""
    yield CONTACT
    if any(ignored(settings.fields.get("ignoreJids"), CONTACT) for settings in instance.settings.values()):
        yield GROUP


def _answering(instance: Instance, message: Message, kinds: Iterable[Kind]) -> Iterator[str]:
    """The bots that answer, one of each kind."""
    for kind in kinds:
        found = answer(instance, kind, message)
        if not found.silent:
            bot = instance.bot(kind, found.bots[0])
            if bot and bot.fields.get("botType") not in kind.silent_types:
                yield bot.name


def _together(
    bots: Mapping[str, Sequence[DesiredBot]], ways: Mapping[str, Sequence[Way]]
) -> Iterator[tuple[_Pair, Sequence[Way], Sequence[Kind]]]:
    """What two bots of different kinds ask for at once, and their kinds."""
    for one, other in combinations(bots.values(), 2):
        for bot, rival in product(one, other):
            for way, another in product(ways[bot.name], ways[rival.name]):
                yield (bot.name, rival.name), (way, another), (bot.kind, rival.kind)


def _text(ways: Sequence[Way]) -> str | None:
    """A message that may meet all demands; None where they exclude each other."""
    texts = list(witnesses.texts(ways, ("",)))
    return (texts[-1] or _ANY) if texts else None
