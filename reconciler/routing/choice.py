"""The server's choice of a bot: an instance and a message in, who answers out.

Each kind decides by itself, so a message may be answered by one bot of each. Within a kind:

1. The settings' ignoreJids hold the JID, `@g.us` and it is a group's, or `@s.whatsapp.net` and it is a
   contact's: nobody. A JID that ends in @lid is neither. A bot's own list is not looked at.
2. An open session: its bot, enabled or not.
3. The steps in their order, among enabled bots. The first at which a trigger matches decides, and two that
   match at one step have no order. A regex that JavaScript refuses is an error: the message is lost when it
   is tried, so also when no other regex matches.
4. The settings' fallback, enabled or not, unless the kind's is never used.
5. The chosen bot says nothing to a message from us unless it has listeningFromMe, nor to one that is its
   keywordFinish in a session; OpenAI's bots say nothing to that without a session either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from reconciler.domain.kinds import Kind, Value
from reconciler.domain.versions import Version
from reconciler.routing import advanced, javascript
from reconciler.routing.advanced import BrokenError
from reconciler.routing.javascript import UndecidedError
from reconciler.routing.values import Answer, Bot, Instance, Message, Rule, modern

_SPACES = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What JavaScript trims."""


class Hush(Enum):
    """Why a chosen bot says nothing."""

    FROM_ME = "from me"
    PAUSED = "paused"
    FINISH = "finish"


def route(instance: Instance, message: Message) -> dict[str, Answer]:
    """Who answers, by the kind's path: of each kind that has bots."""
    return {kind.path: answer(instance, kind, message) for kind in instance.kinds}


def answer(instance: Instance, kind: Kind, message: Message) -> Answer:
    """Who of a kind answers."""
    if ignored(instance.of(kind).fields.get("ignoreJids"), message.jid):
        return Answer(Rule.IGNORED)
    if message.session is None:
        for rule, bots in instance.steps[kind.path].items():
            found = _tried(instance, rule, bots, message)
            if found:
                return found
    elif owner := instance.bot(kind, message.session):
        return _heard(instance, Rule.SESSION, [owner], message)
    fallback = instance.of(kind).fallback
    if not fallback or not uses_fallback(kind, instance.version):
        return Answer(Rule.NOTHING)
    bot = instance.bot(kind, fallback)
    return _heard(instance, Rule.FALLBACK, [bot], message) if bot else Answer(Rule.NOTHING)


def ignored(jids: Value | None, jid: str) -> bool:
    """Whether the settings' list has a JID."""
    if not isinstance(jids, tuple):
        return False
    return jid in jids or any(group in jids and jid.endswith(group) for group in ("@g.us", "@s.whatsapp.net"))


def uses_fallback(kind: Kind, version: Version) -> bool:
    """Whether the server reads a kind's fallback."""
    return kind.uses_fallback or version < (2, 3, 0)


def matches(fields: Mapping[str, Value], rule: Rule, text: str, version: Version) -> bool:
    """Whether a bot's trigger matches, at its step. Raises BrokenError and UndecidedError."""
    value = fields.get("triggerValue")
    return _MATCHES[rule](None if value is None else str(value), text, version)


def _advanced(value: str | None, text: str, version: Version) -> bool:
    if value is None:
        raise BrokenError("it has no triggerValue")
    return advanced.matches(value, text)


def _regex(value: str | None, text: str, version: Version) -> bool:
    pattern = _word(value)
    if reason := javascript.refusal(pattern, modern(version)):
        raise BrokenError(f"JavaScript refuses the regex, {reason}")
    return javascript.matches(pattern, text)


def _word(value: str | None) -> str:
    """A value as JavaScript makes a text of it."""
    return "null" if value is None else value


_MATCHES: Mapping[Rule, Callable[[str | None, str, Version], bool]] = {
    Rule.ALL: lambda value, text, version: True,
    Rule.ADVANCED: _advanced,
    Rule.EQUALS: lambda value, text, version: text == value,
    Rule.REGEX: _regex,
    Rule.STARTS_WITH: lambda value, text, version: text.startswith(_word(value)),
    Rule.ENDS_WITH: lambda value, text, version: text.endswith(_word(value)),
    Rule.CONTAINS: lambda value, text, version: _word(value) in text,
}


def hush(instance: Instance, bot: Bot, message: Message) -> Hush | None:
    """Why a chosen bot says nothing to a message; None if it answers."""
    if message.from_me and message.session and instance.value(bot, "stopBotFromMe"):
        return Hush.PAUSED
    if message.from_me and not instance.value(bot, "listeningFromMe"):
        return Hush.FROM_ME
    finish = str(instance.value(bot, "keywordFinish") or "").lower()
    if (message.session or bot.kind.finishes_first) and finish:
        return Hush.FINISH if message.text.lower().strip(_SPACES) == finish else None
    return None


def _tried(instance: Instance, rule: Rule, bots: Sequence[Bot], message: Message) -> Answer | None:
    """The answer if this step decides."""
    matched, broken, undecided = [], [], []
    for bot in bots:
        try:
            if matches(bot.fields, rule, message.text, instance.version):
                matched.append(bot)
        except BrokenError:
            broken.append(bot.name)
        except UndecidedError:
            undecided.append(bot.name)
    if not (matched or broken or undecided):
        return None
    return _heard(instance, rule, matched, message, broken, undecided)


def _heard(
    instance: Instance,
    rule: Rule,
    chosen: Sequence[Bot],
    message: Message,
    broken: Sequence[str] = (),
    undecided: Sequence[str] = (),
) -> Answer:
    """The answer of one of the chosen bots, or of those that say something."""
    return Answer(
        rule,
        tuple(bot.name for bot in chosen if not hush(instance, bot, message)),
        tuple(bot.name for bot in chosen),
        tuple(broken),
        tuple(undecided),
    )
