"""Create a bot exactly once: look for it before each try but the first, and settle duplicates of another run.

Before the first, it is known from the last read whether it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial

from reconciler.apply import bot_writes, verify
from reconciler.apply.collisions import refuse_collision
from reconciler.apply.state import NotAppliedError, State, Unseen, despite
from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import Refused, Unclear
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Step
from reconciler.domain.results import Outcome

CREATE_TRIES = 4
"""How often a create is sent, at most, if the bot is not found after it."""

_SETTLE_TRIES = 5

_NOT_THERE = "the server answered that it is created, but it does not exist"


async def create(state: State, step: Step) -> str | Unseen:
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
    answered: list[str] = []
    created = partial(_created, state, label, body, answered, table.read_ids)

    async def judge(last: bool) -> str:
        if (mine := created()) is None:
            state.made.pop(label, None)
            raise NotAppliedError(Outcome.FAILED, _NOT_THERE)
        if not last and mine.id == written.id and len(table.marked(name)) < 2:
            bot_writes.refuse_changed(state, written)
        return (await _made(state, label, mine, body))[1]

    doubt, answer = await _post(state, body, answered, 1)
    if answer is not None and bot_writes.as_answered(state, answer, body):
        written = RemoteBot(answer.id, body, answer.created, kind=state.kind)
        table.put(written)
        state.made[label] = written.id
        return Unseen(written.id, lambda: created() is not None, judge, name)
    mine, note = await _create_once(state, body, created, doubt, answered)
    mine, more = await _made(state, label, mine, body)
    bot_writes.refuse_side_effects(state, before, mine.id, name)
    return more or note


async def _made(state: State, label: str, mine: RemoteBot, body: Fields) -> tuple[RemoteBot, str]:
    """Put right what came of a create. Returns the bot that stays and a note. Raises NotAppliedError."""
    table, name, note = state.bots, state.changes[label].bot, ""
    if not markers.marked(str(mine.fields.get("description", "")), table.owner, name):
        note = await bot_writes.restore_marker(state, mine, body)
    if len(duplicates := table.marked(name)) > 1:
        mine, note = await _settle(state, name, mine, duplicates), "another run made it at the same time"
    is_created(state, label, mine.id)
    await bot_writes.verify_written(state, mine.id, body, body)
    return mine, note


def is_created(state: State, label: str, id: str) -> None:
    """Note the id of a bot that is created, and what is still missing."""
    state.made[label] = id
    state.halfway.pop(label, None)
    if label in state.fallbacks:
        state.halfway[label] = f"the settings' fallback is lost: set it to {id} by hand"


async def _create_once(
    state: State,
    body: Fields,
    created: Callable[[], RemoteBot | None],
    doubt: Refused | Unclear | None,
    answered: list[str],
) -> tuple[RemoteBot, str]:
    """Look for a bot whose create may not be done, and send it again where it is not. Returns it and a note.

    doubt: of the first try.
    """
    for attempt in range(1, CREATE_TRIES + 1):
        if attempt > 1:
            answered.clear()
            doubt, _ = await _post(state, body, answered, attempt)
        await bot_writes.see(state, doubt, created)
        if (found := created()) is not None:
            return found, despite(doubt)
        if doubt is None:
            raise NotAppliedError(Outcome.FAILED, _NOT_THERE)
        if isinstance(doubt, Refused) or attempt == CREATE_TRIES or state.shared.stop.asked:
            raise doubt
    raise AssertionError("the last try returns or raises")


async def _post(
    state: State, body: Fields, answered: list[str], attempt: int
) -> tuple[Refused | Unclear | None, RemoteBot | None]:
    """Send the create, and note the id in its answer."""
    wait = state.shared.client.retry_delay * 2**attempt if attempt < CREATE_TRIES else 0.0
    doubt, answer = await bot_writes.send(
        state, state.shared.client.create(state.name, body, state.kind), wait
    )
    if answer is not None:
        answered.append(answer.id)
    return doubt, answer


def _created(
    state: State, label: str, body: Fields, answered: Sequence[str], before: Collection[str]
) -> RemoteBot | None:
    """The bot that was created: by its marker, else by the answer's id, or by all its other fields.

    before: the ids of the bots that were there when they were read before the create.
    """
    marked = state.bots.marked(state.changes[label].bot)
    if marked:
        return next((bot for bot in marked if bot.id in answered), marked[0])
    others = {*before, *(id for other, id in state.made.items() if other != label)}
    new = [bot for id, bot in state.bots.rows.items() if id not in others]
    rest = {field: value for field, value in body.items() if field != "description"}
    alike = [
        bot
        for bot in new
        if "[" not in str(bot.fields.get("description", ""))
        and not verify.differences(rest, rest, bot.fields, state.shared.client.secrets, state.kind)
    ]
    named = [bot for bot in new if bot.id in answered]
    return next(iter((*named, *alike)), None)


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
    await bot_writes.delete(state, mine, seen=True)
    return next(iter(state.bots.marked(name)), mine)
