"""The bots of an instance that the server would not accept side by side.

Applies the server's rules (domain/uniqueness.py) to the declared end state; disabled bots count, and
comparisons are exact. The order of the calls does not matter here: two bots clash when one takes a claim
that the other holds, whichever is written first. A disabled `all` bot may be beside an enabled one, because
it does not hold the claim that it takes; the plan orders the calls for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass
from reconciler.domain.text import listed, quoted
from reconciler.domain.uniqueness import Claim, holds, takes


@dataclass(frozen=True, slots=True)
class Clash:
    """A bot that clashes with an earlier one. field: the one to change. message: with what to do."""

    bot: DesiredBot
    field: str
    message: str


def clashes(bots: Sequence[DesiredBot]) -> Iterator[Clash]:
    """Every bot that clashes with an earlier one of its kind, once for each claim, with the first one."""
    for kind in dict.fromkeys(bot.kind for bot in bots):
        yield from _of_kind(kind, [bot for bot in bots if bot.kind is kind])


def _of_kind(kind: Kind, bots: Sequence[DesiredBot]) -> Iterator[Clash]:
    holder: dict[Claim, DesiredBot] = {}
    taker: dict[Claim, DesiredBot] = {}
    for bot in bots:
        fields = {"enabled": True} | dict(bot.fields)
        held = holds(kind, fields)
        taken = takes(kind, fields)
        for claim in sorted(held):
            other = (holder if claim in taken else taker).get(claim)
            if other:
                field, shared, way_out = _message(claim, kind, {*bot.fields, *other.fields})
                yield Clash(
                    bot,
                    field,
                    f"{quoted(bot.name)} and {quoted(other.name)} ({other.at}) {shared}: {way_out}",
                )
            holder.setdefault(claim, bot)
        for claim in taken:
            taker.setdefault(claim, bot)


def _message(claim: Claim, kind: Kind, given: set[str]) -> tuple[str, str, str]:
    """The field that makes the claim, the rule in words, and what to do. given: the fields of either bot."""
    match claim[0]:
        case "all":
            return (
                "triggerType",
                "are both enabled with triggerType all, and the server allows one such bot",
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
        case "key":
            names = claim[1::2]
            whole = kind.key(dict(zip(names, claim[2::2], strict=True)))
            left = [name for name in whole if name in given and name not in names]
            return (
                names[-1],
                f"have the same {listed(names)}, and the server tells bots of kind {kind.path} apart by "
                f"{listed(whole)} alone, even disabled ones"
                + (f"; one without {listed(left, 'or')} is taken for every other" if left else ""),
                f"give one of them another {names[-1]}",
            )
        case bot_type:
            names = kind.keys[bot_type]
            return (
                names[-1],
                f"have the same {' and '.join(names)}, and the server tells {bot_type} bots apart by that "
                "alone, even disabled ones",
                f"give one of them another {names[-1]}",
            )
