"""Writing calls to bots. Each is followed by a read, which decides what it did (verify.py).

The read is also what the next step starts from, so an instance with n writes is read n + 1 times. The
answer of a write is not trusted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from reconciler.apply import verify
from reconciler.apply.state import UNSEEN, NotAppliedError, State, despite
from reconciler.apply.verify import Whole
from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import Refused, Unclear
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.results import Outcome
from reconciler.plan import differ


async def attempt(
    state: State, call: Awaitable[object], shows: Callable[[], object], wait: float = 0.0
) -> Refused | Unclear | None:
    """Make a writing call and read the bots after it. Returns the error of a call that may not be done.

    shows: whether the bots that were read show what the call did. If they do not although the server answered
    that it is done, they are read once more, once per instance: the first answer may be a cache's.
    wait: seconds to give a call that may still arrive, if the server does not say how many.
    """
    state.bots.fresh = False
    doubt: Refused | Unclear | None = None
    try:
        await call
    except (Refused, Unclear) as error:
        doubt = error
        if wait and isinstance(error, Unclear):
            await asyncio.sleep(error.retry_after or wait)
    await state.shared.read_after(state.bots.read(), doubt)
    if doubt is None and not state.looked_again and not shows():
        state.looked_again = True
        await asyncio.sleep(state.shared.client.cache_delay)
        await state.shared.read_after(state.bots.read(), None)
    return doubt


async def update(state: State, own: RemoteBot, body: Fields) -> str:
    """Update a bot. Returns a note. Raises NotAppliedError, or the call's error, if it is not as written."""
    table, before, after = state.bots, state.bots.rows, {**own.fields, **body}
    whole = {**dict.fromkeys(state.kind.fields), **after}

    def shows() -> bool:
        return not _differences(state, own.id, body, whole)

    doubt = await attempt(state, _put(state, own, body), shows)
    row, note = table.rows.get(own.id), despite(doubt)
    if doubt is not None:
        if row is None or not differ.equal(row.fields, after):
            raise doubt
    elif row is not None and _lost_its_marker(row, after, table.owner):
        note = await restore_marker(state, row, after)
    await verify_written(state, before, own.id, body, whole)
    return note


async def _put(state: State, own: RemoteBot, body: Fields) -> None:
    """Send an update, with what the server insists on although it stays as it is: keys among it."""
    after = {**own.fields, **body}
    insists = {name: own.fields[name] for name in state.kind.insists(after) if name in own.fields}
    await state.bots.client.update(state.name, own.id, {**insists, **body}, state.kind)


async def delete(state: State, own: RemoteBot) -> str:
    """Delete a bot. Returns a note. Raises NotAppliedError, or the call's error, if it still exists."""
    table, before = state.bots, state.bots.rows
    doubt = await attempt(
        state,
        table.client.delete(table.instance, own.id, state.kind),
        lambda: own.id not in table.rows,
    )
    if own.id in table.rows:
        raise doubt or NotAppliedError(
            Outcome.FAILED, "the server answered that it is deleted, but it still exists"
        )
    _refuse_side_effects(state, before, own.id)
    return despite(doubt)


# -- the marker -------------------------------------------------------------------------------


async def restore_marker(state: State, row: RemoteBot, whole: Fields) -> str:
    """Write a description again that the server lost, and with it the marker. Returns a note."""
    after = {**whole, **row.fields, "description": whole["description"]}
    body = differ.update_body(row.fields, after, state.kind)
    await attempt(state, _put(state, row, body), lambda: True)
    return "the server lost its description, so it was written again"


def _lost_its_marker(row: RemoteBot, after: Fields, owner: str) -> bool:
    """Whether a bot should have a marker of ours, and has none."""
    text = str(row.fields.get("description", ""))
    name = markers.name_of(str(after.get("description", "")), owner)
    return bool(name) and not markers.name_of(text, owner)


async def _stamp(state: State, row: RemoteBot) -> None:
    """Stamp what the bot became, so that the next plan can tell that from an edit."""
    text = differ.restamped(row.fields, state.shared.owner, state.kind)
    if text is None or state.shared.stop.asked:
        return
    body = differ.update_body(row.fields, {**row.fields, "description": text}, state.kind)
    state.bots.fresh = False
    with suppress(Refused, Unclear):  # only a sentence of the next plan depends on it
        await _put(state, row, body)


# -- what the read after a call shows ---------------------------------------------------------


async def verify_written(
    state: State, before: Mapping[str, RemoteBot], id: str, sent: Fields, whole: Whole, made: str = ""
) -> None:
    """Raises NotAppliedError if the bot that was written, or another one, is not as it should be.

    before: the bots before the call. sent: what the call wrote. whole: what the bot should be then.
    made: the name of the bot, if the call created it.
    """
    if wrong := _differences(state, id, sent, whole):
        if (row := state.bots.rows.get(id)) is not None and not row.unread:
            await _stamp(state, row)
        raise NotAppliedError(Outcome.FAILED, "; ".join(wrong))
    _refuse_side_effects(state, before, id, made)


def _differences(state: State, id: str, sent: Fields, whole: Whole) -> list[str]:
    """Why the bot that was written, as it was read, is not as it should be: a sentence each."""
    row, owner = state.bots.rows.get(id), state.shared.owner
    if row is None:
        return ["the server answered that it is done, but it is gone"]
    if row.unread:
        return [f"{UNSEEN}{not_understood(row.unread)}"]
    seen = {name: value for name, value in whole.items() if name not in row.unseen}
    return verify.differences(
        sent,
        _without_stamp(seen, owner),
        _without_stamp(row.fields, owner),
        state.shared.client.secrets,
        state.kind,
    )


def _without_stamp(fields: Whole, owner: str) -> dict[str, Value | None]:
    """Fields without the stamp, which nobody declares. The mark of a bot that is switched off stays."""
    text = markers.unstamped(str(fields.get("description") or ""), owner, marked=True)
    return {**fields, "description": text}


def _refuse_side_effects(state: State, before: Mapping[str, RemoteBot], own: str, made: str = "") -> None:
    if found := _side_effects(state, before, (own,), made):
        raise NotAppliedError(
            Outcome.FAILED,
            f"it was done, but at the same moment, by this call or by someone else: {'; '.join(found)}",
        )


def _side_effects(
    state: State, before: Mapping[str, RemoteBot], own: tuple[str, ...], made: str = ""
) -> list[str]:
    """What happened to bots that have no change in this run, a sentence each. A bot's change ends with it."""
    found, secrets = [], state.shared.client.secrets
    for id, what in verify.side_effects(
        before, state.bots.rows, own, made, state.shared.owner, secrets
    ).items():
        if (label := state.label(id)) is None:
            found.append(what)
        else:  # if its step is yet to come, that finds it stale
            state.undone(label, f"it was done, but then {what}")
    return found


async def reread(state: State) -> list[str]:
    """Read the bots again, after other calls or a while. Returns what happened to those without a change.

    A change that was applied and is undone since becomes failed.
    """
    before = state.bots.rows
    await state.bots.read()
    return _side_effects(state, before, ())
