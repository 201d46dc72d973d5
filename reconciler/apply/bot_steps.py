"""The steps of bots: each is made only if the bot is as the plan saw it, or as an earlier step left it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from reconciler.apply import bot_writes
from reconciler.apply.bot_create import create, is_created
from reconciler.apply.collisions import refuse_collision
from reconciler.apply.state import NotAppliedError, State, Unseen
from reconciler.domain.errors import InstanceError, Refused, ServerError, Unclear
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Step, Verb
from reconciler.domain.records import replace
from reconciler.domain.results import Outcome
from reconciler.plan import differ, matching


def waits(state: State, step: Step) -> bool:
    """Whether the bots are to be read before a step: what they are, or what became of them, is not known.

    A bot is not written twice, and not created in the place of a deleted one, before the first call is seen.
    """
    bots = state.bots
    if not bots.fresh or (bots.old and step.call is not Call.CREATE):
        return True
    return step.bot in state.written or step.id in state.written


async def make(state: State, step: Step) -> str | Unseen:
    """Make one call. Returns a note. Raises NotAppliedError, or the call's error, if the change ends here."""
    if step.call is Call.CREATE:
        return await create(state, step)
    if step.call is Call.LEAVE:
        _refuse_early(state, step)
    own = state.bots.rows.get(step.id or "")
    if step.call is Call.MOVE:
        return await _move(state, step, own)
    if own is None:
        return await _missing(state, step)
    if _is_done(state, step, own):
        _wrote(state, step)
        return "it was already as planned"
    if step.call.deletes:
        return await _delete(state, step, own)
    refuse_collision(state, {**own.fields, **step.body}, own.id)
    made = await bot_writes.update(state, own, step.body)
    _wrote(state, step)
    return made


def take_over(state: State, step: Step) -> None:
    """Know what a step left behind that an earlier run has made, and saw."""
    if step.call is Call.CREATE:
        is_created(state, step.bot, state.made[step.bot])
    elif step.call.deletes:
        _is_gone(state, step)
    elif step.id in state.expected:
        state.expected[step.id] = {**state.expected[step.id], **step.body}
        if step.call is not Call.MOVE:
            _is_halfway(state, step)


def _refuse_early(state: State, step: Step) -> None:
    """Raises NotAppliedError if a bot that moves was not created on the other instance.

    One that another kind replaces is created by a step of the same change.
    """
    other = state.changes[step.bot].other
    if not other:
        return
    there = state.shared.everywhere.get(other)
    result = None if there is None else there.results.get(step.bot)
    if result is None or result.outcome is not Outcome.APPLIED:
        raise NotAppliedError(Outcome.SKIPPED, f"it was not created on {other}, so it stays here")


async def _missing(state: State, step: Step) -> str:
    """The bot does not exist, which suits a delete only."""
    if not step.call.deletes:
        raise NotAppliedError(Outcome.STALE, "it was deleted since the plan was made")
    await _refuse_hidden(state, step.id or "")
    if others := state.bots.marked(state.changes[step.bot].bot):
        ids = ", ".join(bot.id for bot in others)
        raise NotAppliedError(Outcome.STALE, f"it was recreated since the plan was made: {ids}")
    return "it was already gone"


def _is_done(state: State, step: Step, own: RemoteBot) -> bool:
    """Whether somebody did already what the step does. Raises NotAppliedError if they did something else."""
    expected = {name: value for name, value in state.expected[own.id].items() if name not in own.unseen}
    if differ.equal(own.fields, expected):
        return False
    moved = [change.name for change in differ.changes(expected, own.fields, state.kind)]
    done = differ.equal(own.fields, {**own.fields, **step.body}) and step.body.keys() >= set(moved)
    if step.call.deletes or not done:
        raise NotAppliedError(Outcome.STALE, f"it changed since the plan was made: {', '.join(moved)}")
    return True


def _wrote(state: State, step: Step) -> None:
    """Expect the bot as it is now from here on."""
    if step.id is not None:
        state.expected[step.id] = state.bots.rows[step.id].fields
    _is_halfway(state, step)


def _is_halfway(state: State, step: Step) -> None:
    if step.call is Call.PARK:
        state.halfway[step.bot] = (
            "it is still parked on a trigger that matches nothing; the next apply finishes its update"
        )
    else:
        state.halfway.pop(step.bot, None)


async def _delete(state: State, step: Step, own: RemoteBot) -> str | Unseen:
    made = await bot_writes.delete(state, own)
    if isinstance(made, Unseen):
        return made.then(lambda _: _is_gone(state, step))
    _is_gone(state, step)
    return made


def _is_gone(state: State, step: Step) -> None:
    if state.changes[step.bot].verb is not Verb.DELETE:
        lost = ", but the settings' fallback is lost" if step.bot in state.fallbacks else ""
        state.halfway[step.bot] = f"the old bot is deleted; the next apply creates the new one{lost}"


async def _refuse_hidden(state: State, id: str) -> None:
    """Raises NotAppliedError for a bot that the list of bots lacks and a credential names as its user."""
    with suppress(InstanceError, ServerError):
        there = await state.shared.client.credentials(state.name)
        if any(id in (one.users or ()) for one in there.values()):
            raise NotAppliedError(
                Outcome.FAILED, f"the server's list of bots does not show bot {id}, but a credential does"
            )


# -- moving to another credential -------------------------------------------------------------


async def _move(state: State, step: Step, own: RemoteBot | None) -> str | Unseen:
    """Give a bot another credential, whatever else changed in it since the plan was made."""
    if own is None:
        await _refuse_hidden(state, step.id or "")
        return f"bot {step.id} was deleted since the plan was made"
    made: str | Unseen = ""
    target = {"openaiCredsId": step.body["openaiCredsId"]}
    now = own.fields.get("openaiCredsId")
    if now != target["openaiCredsId"]:
        if now not in state.changes[step.bot].ids:
            return f"bot {own.id} uses another credential since the plan was made, and is left alone"
        after = {**own.fields, **target}
        if collision := state.bots.collision(after, own.id):
            if any(own.id == each.id and each.call is not Call.MOVE for each in state.instance.steps):
                return ""  # refused as it is now; its own update, which is to come, moves it too
            other, words = collision
            raise NotAppliedError(
                Outcome.FAILED,
                f"bot {own.id} cannot be moved: {matching.called(other)} has {words} too, "
                "and the server refuses a change of either",
            )
        try:
            body = differ.update_body(own.fields, after, state.kind)
            made = await bot_writes.update(state, own, body)
        except (Refused, Unclear) as error:
            raise NotAppliedError(Outcome.FAILED, f"bot {own.id} was not moved: {error}") from None
        except NotAppliedError as trouble:
            raise _of(own, trouble) from None
    if own.id in state.expected:
        state.expected[own.id] = {**state.expected[own.id], **target}
    return made if isinstance(made, str) else replace(made, judge=partial(_judge_move, own, made))


async def _judge_move(own: RemoteBot, made: Unseen, last: bool) -> str:
    try:
        return await made.judge(last)
    except NotAppliedError as trouble:
        raise _of(own, trouble) from None


def _of(own: RemoteBot, trouble: NotAppliedError) -> NotAppliedError:
    return NotAppliedError(trouble.outcome, f"bot {own.id}: {trouble.detail}")
