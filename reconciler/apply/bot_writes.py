"""Writing calls to bots, and the reads that show what they did.

A call whose answer is as it should be is not yet believed: it is Unseen until the next read of the bots,
which decides what it did (verify.py). Until then the bots are taken to be as the answers say. A call whose
answer is missing, a refusal or not as it should be is followed by a read at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from reconciler.apply import verify
from reconciler.apply.state import UNSEEN, NotAppliedError, State, Unseen, despite
from reconciler.apply.verify import Whole
from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import InstanceError, Refused, ServerError, Unclear
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.plan import Step
from reconciler.domain.records import replace
from reconciler.domain.results import Outcome
from reconciler.plan import differ


async def send(
    state: State, call: Awaitable[RemoteBot | None], wait: float = 0.0
) -> tuple[Refused | Unclear | None, RemoteBot | None]:
    """Make a writing call. Returns the error of one that may not be done, and the row in its answer.

    wait: seconds to give a call that may still arrive, if the server does not say how many.
    """
    try:
        return None, await call
    except (Refused, Unclear) as error:
        state.bots.fresh = False
        if wait and isinstance(error, Unclear):
            await asyncio.sleep(error.retry_after or wait)
        return error, None


async def see(
    state: State, doubt: Refused | Unclear | None, shows: Callable[[], object], own: Collection[str] = ()
) -> None:
    """Read the bots after a call. doubt: why the call may not be done. own: the bot that it wrote.

    If they do not show what the call did although the server answered that it is done, they are read once
    more, once per instance: the first answer may be a cache's.
    """
    state.bots.fresh = False
    await state.shared.read_after(reread(state, own, blamed=False), doubt)
    if doubt is None and not state.looked_again and not shows():
        state.looked_again = True
        await asyncio.sleep(state.shared.client.cache_delay)
        await state.shared.read_after(state.bots.read(), None)


async def update(state: State, own: RemoteBot, body: Fields) -> str | Unseen:
    """Update a bot. Returns a note. Raises NotAppliedError, or the call's error, if it is not as written."""
    table, before, after = state.bots, state.bots.rows, {**own.fields, **body}
    whole = {**dict.fromkeys(state.kind.fields), **after}

    def shows() -> bool:
        return not _differences(state, table.rows.get(own.id), body, whole)

    async def judge(last: bool) -> str:
        row, note = table.rows.get(own.id), ""
        if not last:
            refuse_changed(state, written)
        if row is not None and _lost_its_marker(row, after, table.owner):
            note = await restore_marker(state, row, after)
        await verify_written(state, own.id, body, whole)
        return note

    doubt, answer = await send(state, _put(state, own, body))
    written = replace(own, fields=after)
    if answer is not None and answer.id == own.id and not _differences(state, answer, body, whole):
        table.put(written)
        return Unseen(own.id, shows, judge)
    await see(state, doubt, shows, (own.id,))
    if doubt is None:
        note = await judge(True)
    else:
        note = despite(doubt)
        row = table.rows.get(own.id)
        if row is None or not differ.equal(row.fields, after):
            raise doubt
        await verify_written(state, own.id, body, whole)
    refuse_side_effects(state, before, own.id)
    return note


async def _put(state: State, own: RemoteBot, body: Fields) -> RemoteBot:
    """Send an update, with what the server insists on although it stays as it is: keys among it."""
    after = {**own.fields, **body}
    insists = {name: own.fields[name] for name in state.kind.insists(after) if name in own.fields}
    return await state.bots.client.update(state.name, own.id, {**insists, **body}, state.kind)


async def delete(state: State, own: RemoteBot, *, seen: bool = False) -> str | Unseen:
    """Delete a bot. Returns a note. Raises NotAppliedError, or the call's error, if it still exists.

    seen: whether it is to be seen at once.
    """
    table, before = state.bots, state.bots.rows
    still_there = "the server answered that it is deleted, but it still exists"

    def shows() -> bool:
        return own.id not in table.rows

    async def judge(last: bool) -> str:
        if not shows():
            raise NotAppliedError(Outcome.FAILED, still_there)
        return ""

    doubt, _ = await send(state, _delete(state, own))
    if doubt is None and not seen:
        table.drop(own.id)
        return Unseen(own.id, shows, judge)
    await see(state, doubt, shows, (own.id,))
    if not shows():
        raise doubt or NotAppliedError(Outcome.FAILED, still_there)
    refuse_side_effects(state, before, own.id)
    return despite(doubt)


async def _delete(state: State, own: RemoteBot) -> None:
    await state.bots.client.delete(state.name, own.id, state.kind)


# -- the marker -------------------------------------------------------------------------------


async def restore_marker(state: State, row: RemoteBot, whole: Fields) -> str:
    """Write a description again that the server lost, and with it the marker. Returns a note."""
    after = {**whole, **row.fields, "description": whole["description"]}
    body = differ.update_body(row.fields, after, state.kind)
    doubt, _ = await send(state, _put(state, row, body))
    await see(state, doubt, lambda: True, (row.id,))
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


async def verify_written(state: State, id: str, sent: Fields, whole: Whole) -> None:
    """Raises NotAppliedError if the bot that was written is not as it should be.

    sent: what the call wrote. whole: what the bot should be then.
    """
    row = state.bots.rows.get(id)
    if wrong := _differences(state, row, sent, whole):
        if row is not None and not row.unread:
            await _stamp(state, row)
        raise NotAppliedError(Outcome.FAILED, "; ".join(wrong))


def refuse_changed(state: State, written: RemoteBot) -> None:
    """Raises NotAppliedError if a bot is not as its call left it, which later calls came after."""
    now = {written.id: state.bots.rows[written.id]} if written.id in state.bots.rows else {}
    if any(row.unread or row.fields == written.fields for row in now.values()):
        return
    unseen = {name for row in now.values() for name in row.unseen}
    fields = {name: value for name, value in written.fields.items() if name not in unseen}
    before = {written.id: replace(written, fields=_plain(fields, state.shared.owner))}
    after = {id: replace(row, fields=_plain(row.fields, state.shared.owner)) for id, row in now.items()}
    found = verify.side_effects(before, after, (), (), state.shared.owner, state.shared.client.secrets)
    if what := "; ".join(found.values()):
        raise NotAppliedError(Outcome.FAILED, f"it was done, but then {what}")


def _plain(fields: Fields, owner: str) -> Fields:
    return {name: value for name, value in _without_stamp(fields, owner).items() if value is not None}


def as_answered(state: State, answer: RemoteBot, body: Fields) -> bool:
    """Whether the answer to a create is as it should be."""
    return answer.id not in state.bots.rows and not _differences(state, answer, body, body)


def _differences(state: State, row: RemoteBot | None, sent: Fields, whole: Whole) -> list[str]:
    """Why the bot that was written, as a row shows it, is not as it should be: a sentence each."""
    owner = state.shared.owner
    if row is None:
        return ["the server answered that it is done, but it is gone"]
    if row.unread:
        return [f"{UNSEEN}{not_understood(row.unread)}"]
    seen = {name: value for name, value in whole.items() if name not in row.unseen}
    if all(row.fields.get(name) == value for name, value in seen.items()):
        return []
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


def refuse_side_effects(state: State, before: Mapping[str, RemoteBot], own: str, made: str = "") -> None:
    """Raises NotAppliedError if a call did something to other bots. before: the bots before it."""
    if found := _side_effects(state, before, (own,), (made,)):
        raise _blamed(found)


def _blamed(found: list[str], calls: int = 1) -> NotAppliedError:
    who = "at the same moment, by this call or by someone else"
    if calls > 1:
        who = f"by one of the {calls} calls before the bots were read again, or by someone else"
    return NotAppliedError(Outcome.FAILED, f"it was done, but {who}: {'; '.join(found)}")


def _side_effects(
    state: State, before: Mapping[str, RemoteBot], own: Collection[str], made: Collection[str] = ()
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


async def reread(
    state: State, own: Collection[str] = (), *, upcoming: Step | None = None, blamed: bool = True
) -> list[str]:
    """Read the bots again, and judge by that what is unseen. Returns what happened to those without a change.

    A change that was applied and is undone since becomes failed. What happened to others fails the last of
    the calls that were unseen, if blamed is true. own: a bot that is being written, and judged elsewhere.
    upcoming: the step to be made next, which itself finds what later calls did to its bot.
    """
    before, unseen = state.bots.rows, state.to_judge()
    state.bots.fresh = False
    try:
        await state.bots.read()
        if not (state.looked_again or all(one.shows() for _, one in unseen)):
            state.looked_again = True
            await asyncio.sleep(state.shared.client.cache_delay)
            await state.bots.read()
    except (InstanceError, ServerError) as unread:
        if unseen and isinstance(unread, ServerError):
            state.shared.stop.lost()
        for step, _ in unseen:
            state.ended(step, NotAppliedError(Outcome.FAILED, f"{UNSEEN}{unread}"))
        raise
    written = {one.id for _, one in unseen}
    found = _side_effects(state, before, {*own, *written}, {one.made for _, one in unseen})
    done = []
    for number, (step, one) in enumerate(unseen, 1):
        last = number == len(unseen)
        try:
            judged = last or upcoming is None or upcoming.id != one.id
            done.append((step, await one.judge(last) if judged else ""))
        except NotAppliedError as error:
            state.ended(step, error)
        except (InstanceError, ServerError) as error:
            state.ended(step, NotAppliedError(Outcome.FAILED, str(error)))
    for number, (step, note) in enumerate(done, 1):
        if found and blamed and number == len(done):
            state.ended(step, _blamed(found, len(unseen)))
        else:
            state.ended(step, note)
    return found
