"""Why a bot answers a message, and why each other one does not."""

from __future__ import annotations

from enum import Enum

from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass
from reconciler.routing.advanced import BrokenError
from reconciler.routing.choice import Hush, answer, hush, matches
from reconciler.routing.javascript import UndecidedError
from reconciler.routing.values import STEPS, Answer, Bot, Instance, Message, Rule, enabled, step


class Reason(Enum):
    """What a message is to a bot."""

    ANSWERS = "answers"
    DISABLED = "disabled"
    IGNORED = "ignored"
    NO_MATCH = "no match"
    NOT_ASKED = "not asked"
    SHADOWED = "shadowed"
    BROKEN = "broken"
    LOST = "lost"
    SESSION = "session"
    FROM_ME = "from me"
    PAUSED = "paused"
    FINISH = "finish"
    UNDECIDED = "undecided"


_HUSHED = {Hush.FROM_ME: Reason.FROM_ME, Hush.PAUSED: Reason.PAUSED, Hush.FINISH: Reason.FINISH}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bot's part in a message. rule: the step at which it is asked, None for never.

    by: the bots that are asked before it or have the session, or whose broken triggers lose the message.
    detail: what is broken, or why it is not decided.
    """

    bot: str
    rule: Rule | None
    reason: Reason
    by: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who of a kind answers, and each bot's part, in the order in which the server asks them."""

    kind: Kind
    answer: Answer
    verdicts: tuple[Verdict, ...]


def explain(instance: Instance, message: Message) -> tuple[Explanation, ...]:
    """Of each kind that has bots."""
    return tuple(_explained(instance, kind, message) for kind in instance.kinds)


def _explained(instance: Instance, kind: Kind, message: Message) -> Explanation:
    found = answer(instance, kind, message)
    bots = [bot for bot in instance.bots if bot.kind is kind]
    verdicts = [_verdict(instance, bot, message, found) for bot in bots]
    order = [*STEPS, None]
    verdicts.sort(key=lambda one: (one.reason is Reason.DISABLED, order.index(one.rule)))
    return Explanation(kind, found, tuple(verdicts))


def _verdict(instance: Instance, bot: Bot, message: Message, found: Answer) -> Verdict:
    rule = step(bot.fields, instance.version)
    if known := _reason(instance, bot, message, found):
        other = known is Reason.SESSION and message.session
        return Verdict(bot.name, rule, known, (other,) if other else ())
    if rule is None:
        return Verdict(bot.name, rule, Reason.NOT_ASKED)
    try:
        matched = matches(bot.fields, rule, message.text, instance.version)
    except BrokenError as error:
        return Verdict(bot.name, rule, Reason.BROKEN, detail=str(error))
    except UndecidedError as error:
        return Verdict(bot.name, rule, Reason.UNDECIDED, detail=str(error))
    if not matched:
        return Verdict(bot.name, rule, Reason.NO_MATCH)
    reason, by = next(
        (reason, by)
        for reason, by in (
            (Reason.SHADOWED, found.chosen),
            (Reason.UNDECIDED, found.undecided),
            (Reason.LOST, found.broken),
        )
        if by
    )
    return Verdict(bot.name, rule, reason, by)


def _reason(instance: Instance, bot: Bot, message: Message, found: Answer) -> Reason | None:
    """The reason where the bot's trigger does not matter."""
    if found.rule is Rule.IGNORED:
        return Reason.IGNORED
    if bot.name in found.bots:
        return Reason.ANSWERS
    if bot.name in found.chosen and (why := hush(instance, bot, message)):
        return _HUSHED[why]
    if message.session is not None:
        return Reason.SESSION
    return None if enabled(bot.fields) else Reason.DISABLED
