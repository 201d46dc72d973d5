"""Save an instance's settings: read the row, complete it with what changes, save it, and read it again.

Saving the same settings twice does no harm: after a call whose outcome is unknown they are read, and saved
again if needed.
"""

from __future__ import annotations

import asyncio

from reconciler.apply import fallback, verify
from reconciler.apply.settings_row import TRIES, read_after, refuse_unread, whole
from reconciler.apply.state import UNSEEN, NotAppliedError, State, despite, explained
from reconciler.domain.desired import Fields
from reconciler.domain.errors import Refused, Unclear
from reconciler.domain.observed import RemoteSettings
from reconciler.domain.plan import Of, Step
from reconciler.domain.results import Outcome
from reconciler.plan.differ import same

_WHY_REFUSED = (
    "The settings of two instances cannot use one credential, and another instance's may use this one, which "
    "a plan does not see: give one of the two another credential, `settings: {openaiCreds: NAME}`"
)


async def save(state: State, step: Step) -> str:
    """Save what the step says. Returns a note. Raises NotAppliedError, or the call's error."""
    seen = await state.shared.client.settings(state.name, state.kind)
    state.shared.stop.check()
    refuse_unread(seen)
    target, rotates = _target(step, seen), state.changes[step.bot].of is Of.CREDENTIAL
    if rotates and not _is_old(state, step, seen, target):
        return "the settings name another credential since the plan was made, and are left alone"
    if not rotates:
        _refuse_changed(state, step, seen, target)
    if seen.exists and not _wrong(target, seen) and not target.keys() & seen.unseen:
        return "" if rotates else "they were already as planned"
    state.saved = {**state.saved, **target}
    note, now = await _save(state, seen, target)
    await fallback.keep(state, seen.fallback, now)
    return note


async def _save(state: State, seen: RemoteSettings, target: Fields) -> tuple[str, RemoteSettings]:
    """Save the row until it is as it should be. Returns a note, and the row."""
    client, body = state.shared.client, whole(state, seen, target)
    for attempt in range(1, TRIES + 1):
        doubt: Unclear | None = None
        try:
            await client.save_settings(state.name, body, state.kind)
        except Refused as error:
            raise NotAppliedError(Outcome.FAILED, explained(error, _WHY_REFUSED)) from None
        except Unclear as error:
            if attempt == TRIES or state.shared.stop.asked:
                raise
            doubt = error
            await asyncio.sleep(error.retry_after or client.retry_delay * 2**attempt)
        now = await read_after(state, doubt)
        refuse_unread(now, UNSEEN)
        visible = {name: value for name, value in body.items() if name not in now.unseen}
        wrong = verify.differences(target, visible, _fields(now, body), client.secrets, state.kind)
        if now.exists and not wrong:
            return despite(doubt), now
        if doubt is None:
            wrong = wrong if now.exists else ["the server answered that the settings are saved, but has none"]
            raise NotAppliedError(Outcome.FAILED, "; ".join(wrong))
    raise AssertionError("the last try returns or raises")


def _is_old(state: State, step: Step, seen: RemoteSettings, target: Fields) -> bool:
    """Whether the settings name a credential that the rotation replaces, or the new one already."""
    named = seen.fields.get("openaiCredsId")
    return named == target["openaiCredsId"] or named in state.changes[step.bot].ids


def _refuse_changed(state: State, step: Step, seen: RemoteSettings, target: Fields) -> None:
    """Raises NotAppliedError for what is neither as the plan saw it nor as it should be."""
    before = state.changes[step.bot].before
    if before is None and not seen.exists:
        return
    if not seen.exists:
        raise NotAppliedError(Outcome.STALE, "they were deleted since the plan was made")
    was = {} if before is None else before.fields
    changed = [
        name
        for name, value in target.items()
        if name not in seen.unseen
        and not (step.merge and name == "ignoreJids")
        and not same(was.get(name), seen.fields.get(name))
        and not same(seen.fields.get(name), value)
    ]
    if changed:
        raise NotAppliedError(Outcome.STALE, f"they changed since the plan was made: {', '.join(changed)}")


def _target(step: Step, seen: RemoteSettings) -> Fields:
    """What the step's fields should be: as it says, or JIDs added to those that were seen."""
    if not step.merge or "ignoreJids" not in step.body:
        return step.body
    there, more = seen.fields.get("ignoreJids"), step.body["ignoreJids"]
    jids = [jid for part in (there, more) if isinstance(part, tuple) for jid in part]
    return {**step.body, "ignoreJids": tuple(dict.fromkeys(jids))}


def _fields(now: RemoteSettings, body: Fields) -> Fields:
    """The fields to compare with what was saved, without the JIDs that the server or somebody else added."""
    there, sent = now.fields.get("ignoreJids"), body.get("ignoreJids")
    if isinstance(there, tuple) and isinstance(sent, tuple) and set(sent) <= set(there):
        return {**now.fields, "ignoreJids": sent}
    return now.fields


def _wrong(target: Fields, now: RemoteSettings) -> list[str]:
    """The fields that are not as they should be, of those that the server shows."""
    return [n for n in target if n not in now.unseen and not same(target[n], now.fields.get(n))]
