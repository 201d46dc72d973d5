"""Set the fallback of an instance's settings, which needs a call of its own.

2.3.x takes it beside an empty openaiCredsId only, 2.2.x under another name beside the full one.
"""

from __future__ import annotations

import asyncio

from reconciler.apply.settings_row import TRIES, read_after, refuse_unread, whole
from reconciler.apply.state import UNSEEN, NotAppliedError, State, explained
from reconciler.domain.desired import Fields
from reconciler.domain.errors import Refused, Unclear
from reconciler.domain.observed import RemoteSettings
from reconciler.domain.plan import Of, Step
from reconciler.domain.results import Outcome

_NO_WAY_TO_NONE = "Evolution API 2.2.x clears the fallback only when its bot is deleted"


async def point(state: State, step: Step) -> str:
    """Set the fallback to a bot, or to none. Returns a note. Raises NotAppliedError, or the call's error."""
    client, target = state.shared.client, str(step.body["fallbackId"])
    beside = {name: value for name, value in step.body.items() if name != "fallbackId"}
    for attempt in range(TRIES + 1):
        now = await client.settings(state.name, state.kind)
        if (now.fallback or "") == target:
            return ""
        refuse_unread(now, UNSEEN if attempt else "")
        if attempt == 0:
            state.shared.stop.check()
            _refuse_changed(state, step, now)
        if attempt == TRIES:
            break
        try:
            await _save(state, now, target, beside)
        except Unclear as error:
            await asyncio.sleep(error.retry_after or client.retry_delay * 2**attempt)
    recreated = "it was recreated"
    why = recreated if step.bot in state.made else f"the server did not take the fallback {target}"
    raise NotAppliedError(Outcome.FAILED, why)


async def keep(state: State, fallback: str | None, now: RemoteSettings) -> None:
    """Set the fallback again if saving the row lost it. now: the settings after that."""
    if fallback is None or now.fallback == fallback:
        return
    lost = f"saving the settings lost the fallback: set it to {fallback} by hand"
    try:
        await _save(state, now, fallback, {})
    except (Refused, Unclear) as error:
        raise NotAppliedError(Outcome.FAILED, f"{lost}: {error}") from None
    if (await read_after(state, None)).fallback != fallback:
        raise NotAppliedError(Outcome.FAILED, lost)


async def _save(state: State, now: RemoteSettings, target: str, beside: Fields) -> None:
    client, row = state.shared.client, whole(state, now, beside)
    try:
        no_credential = {} if state.kind.credential is None else {state.kind.credential: ""}
        body = {**row, **no_credential, "fallbackId": target or None}
        await client.save_settings(state.name, body, state.kind)
    except Refused as error:
        if not target:
            raise NotAppliedError(Outcome.FAILED, explained(error, _NO_WAY_TO_NONE)) from None
        await client.save_settings(state.name, {**row, state.kind.fallback: target}, state.kind)


def _refuse_changed(state: State, step: Step, now: RemoteSettings) -> None:
    """Raises NotAppliedError if somebody set or cleared the fallback since the plan was made.

    For a bot that is recreated, deleting the old one has cleared it.
    """
    change = state.changes[step.bot]
    was = change.before and change.before.fields.get("fallbackId")
    if now.fallback is not None and now.fallback not in {*change.ids, was}:
        raise NotAppliedError(
            Outcome.STALE, f"bot {now.fallback} has become the fallback since the plan was made"
        )
    # Deleting a bot clears the fallback that points to it.
    deleted = {other.id for other in state.instance.steps if other.call.deletes}
    if now.fallback is None and change.of is Of.SETTINGS and was and was not in deleted:
        raise NotAppliedError(Outcome.STALE, "the fallback was cleared since the plan was made")
