"""Create a bot exactly once: look for it before each try, and settle duplicates that another run created."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

from reconciler.apply import bot_writes, verify
from reconciler.apply.collisions import refuse_collision
from reconciler.apply.state import NotAppliedError, State, despite
from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import Refused
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Step
from reconciler.domain.results import Outcome

CREATE_TRIES = 4
"""How often a create is sent, at most, if the bot is not found after it."""

_SETTLE_TRIES = 5


async def create(state: State, step: Step) -> str:
    """Create a bot. Returns a note. Raises NotAppliedError, or the call's error, if it is not there then."""
    table, body, label, name = state.bots, step.body, step.bot, state.changes[step.bot].bot
    if here := table.marked(name):
        ids = ", ".join(bot.id for bot in here)
        if len(here) > 1 or verify.differences(body, body, here[0].fields, table.client.secrets, state.kind):
            raise NotAppliedError(Outcome.STALE, f"it was created since the plan was made: {ids}")
        state.made[label] = here[0].id
        return "it already existed as planned"
    refuse_collision(state, body, None)
    before = table.rows
    mine, note = await _create_once(state, name, body)
    if not markers.marked(str(mine.fields.get("description", "")), table.owner, name):
        note = await bot_writes.restore_marker(state, mine, body)
    if len(duplicates := table.marked(name)) > 1:
        mine, note = await _settle(state, name, mine, duplicates), "another run made it at the same time"
    state.made[label] = mine.id
    state.halfway.pop(label, None)
    if label in state.fallbacks:
        state.halfway[label] = f"the settings' fallback is lost: set it to {mine.id} by hand"
    await bot_writes.verify_written(state, before, mine.id, body, body, made=name)
    return note


async def _create_once(state: State, name: str, body: Fields) -> tuple[RemoteBot, str]:
    before, delay = state.bots.rows.keys(), state.shared.client.retry_delay
    for attempt in range(1, CREATE_TRIES + 1):
        answered: list[str] = []
        wait = delay * 2**attempt if attempt < CREATE_TRIES else 0.0
        created = partial(_created, state, name, body, before, answered)
        post = _post(state, body, answered)
        doubt = await bot_writes.attempt(state, post, created, wait)
        if (found := created()) is not None:
            return found, despite(doubt)
        if doubt is None:
            raise NotAppliedError(
                Outcome.FAILED, "the server answered that it is created, but it does not exist"
            )
        if isinstance(doubt, Refused) or attempt == CREATE_TRIES or state.shared.stop.asked:
            raise doubt
    raise AssertionError("the last try returns or raises")


async def _post(state: State, body: Fields, answered: list[str]) -> None:
    """Send the create, and note the id in its answer."""
    answered.append((await state.shared.client.create(state.name, body, state.kind)).id)


def _created(
    state: State, name: str, body: Fields, before: Collection[str], answered: Sequence[str]
) -> RemoteBot | None:
    """The bot that was created: by its marker, else by the answer's id, or by all its other fields."""
    marked = state.bots.marked(name)
    new = [bot for id, bot in state.bots.rows.items() if id not in before]
    rest = {field: value for field, value in body.items() if field != "description"}
    alike = [
        bot
        for bot in new
        if "[" not in str(bot.fields.get("description", ""))
        and not verify.differences(rest, rest, bot.fields, state.shared.client.secrets, state.kind)
    ]
    mine = [bot for bot in marked if bot.id in answered]
    named = [bot for bot in new if bot.id in answered]
    return next(iter((*mine, *marked, *named, *alike)), None)


async def _settle(state: State, name: str, mine: RemoteBot, duplicates: list[RemoteBot]) -> RemoteBot:
    """Keep one of the bots that two runs created. The newer one goes; each run deletes only what it created.

    The other run may have looked before ours was there, and then it deletes nothing: if its bot is still
    there after a while, ours goes even if it is the older one.
    """
    for attempt in range(_SETTLE_TRIES):
        if duplicates[0].id != mine.id:
            break
        await asyncio.sleep(state.shared.client.retry_delay * 2**attempt)
        await state.bots.read()
        duplicates = state.bots.marked(name)
        if len(duplicates) < 2:
            return mine
    await bot_writes.delete(state, mine)
    return next(iter(state.bots.marked(name)), mine)
