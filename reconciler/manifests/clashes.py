"""Which bots of a manifest the server would not hold side by side.

The server's rules (rules.py) on the declared end state, within one instance; disabled bots count and
comparisons are exact. The order of the calls is nobody's worry here: two bots exclude each other when the
claim that one takes is held by the other, whichever is written first. A disabled `all` beside an enabled
one takes what it does not hold: that end state is legal, and order.py finds the way to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import OPENAI
from reconciler.domain.text import quoted
from reconciler.domain.uniqueness import Claim, holds, takes


@dataclass(frozen=True, slots=True)
class Clash:
    """A bot that cannot stand beside an earlier one. field: where it says so. message: with a way out."""

    bot: DesiredBot
    field: str
    message: str


def clashes(bots: Sequence[DesiredBot]) -> Iterator[Clash]:
    """Every bot that an earlier one excludes, with the first such bot, once for each claim."""
    holder: dict[Claim, DesiredBot] = {}
    taker: dict[Claim, DesiredBot] = {}
    for bot in bots:
        fields = {"enabled": True} | dict(bot.fields)
        held = holds(OPENAI, fields)
        taken = held & takes(OPENAI, fields)
        for claim in sorted(held):
            other = (holder if claim in taken else taker).get(claim)
            if other:
                field, shared, way_out = _message(claim)
                yield Clash(
                    bot,
                    field,
                    f"{quoted(bot.name)} and {quoted(other.name)} ({other.at}) {shared}: {way_out}",
                )
            holder.setdefault(claim, bot)
        for claim in taken:
            taker.setdefault(claim, bot)


def _message(claim: Claim) -> tuple[str, str, str]:
    """The field that makes the claim, the rule in plain words, and what to do."""
    match claim[0]:
        case "all":
            return (
                "triggerType",
                "are both enabled with triggerType all, and the server takes one such bot",
                "give one of them `enabled: false` or another triggerType",
            )
        case "trigger":
            return (
                "triggerValue",
                "have the same triggerOperator and triggerValue, and no bot may share those of a keyword "
                "bot, whatever its triggerType and even if disabled",
                "change one of them, or leave them out of a bot that no keyword starts",
            )
        case "value":
            return (
                "triggerValue",
                "have the same triggerValue, and no bot may share that of an advanced bot, whatever its "
                "triggerType and even if disabled",
                "change one of them, or leave it out of a bot that needs none",
            )
        case bot_type:
            names = OPENAI.keys[bot_type]
            return (
                names[-1],
                f"have the same {' and '.join(names)}, and the server tells {bot_type} bots apart by that "
                "alone, even disabled ones",
                f"give one of them another {names[-1]}",
            )
