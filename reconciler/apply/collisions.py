"""Calls that the server would refuse with 500 and no reason: here the reason is known before the call."""

from __future__ import annotations

from reconciler.apply.state import NotAppliedError, State
from reconciler.domain.desired import Fields
from reconciler.domain.results import Outcome
from reconciler.plan import matching


def refuse_collision(state: State, fields: Fields, own: str | None) -> None:
    """Raises NotAppliedError if another bot has what the server allows one bot only, and names that bot."""
    if (collision := state.bots.collision(fields, own)) is None:
        return
    bot, words = collision
    for label, result in state.results.items():
        if bot.id in (result.id, *result.change.ids) and result.outcome is not Outcome.APPLIED:
            raise NotAppliedError(Outcome.SKIPPED, f"it needs {words}, and {label} was not applied")
    raise NotAppliedError(Outcome.STALE, f"{matching.called(bot)} has taken {words} since the plan was made")
