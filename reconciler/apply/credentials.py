"""Create credentials once, and delete them only when nothing uses them any more.

The server has no update of a credential, and deleting one deletes its bots, in any instance. So its users
are read right before, from the rows themselves (users.py) and from the server's list, and again after it. A
key is read when its credential is created, and kept no longer than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.apply.bot_writes import reread
from reconciler.apply.state import NotAppliedError, State, despite, explained
from reconciler.domain.errors import InstanceError, ReconcilerError, Refused, Unclear
from reconciler.domain.plan import Step, Verb
from reconciler.domain.results import Outcome
from reconciler.domain.shared_credentials import WHEN

if TYPE_CHECKING:
    from reconciler.apply.users import Users
    from reconciler.domain.secret import SecretStr
    from reconciler.evolution.answers import Credential
    from reconciler.evolution.masking import Secrets

CREATE_TRIES = 4
"""How often a credential is sent, at most, if it is not found after it."""

# -- new ones ---------------------------------------------------------------------------------


async def new(state: State, step: Step) -> str:
    """Create a credential. Returns a note. Raises NotAppliedError, or the call's error."""
    client, name, key = state.shared.client, str(step.body["name"]), _key(state, step)
    there = await client.credentials(state.name)
    state.shared.stop.check()
    if (id_ := _find(there, name, key, client.secrets)) is not None:
        note = "it already existed as planned"
    else:
        id_, note = await _create(state, name, key)
    is_made(state, step, id_)
    return note


def is_made(state: State, step: Step, id: str) -> None:
    """Note the id of a credential that is made."""
    state.shared.credentials[str(step.body["name"])] = state.made[step.bot] = id
    if state.changes[step.bot].verb is Verb.ROTATE:
        state.halfway[step.bot] = "the old key stays until the next apply finishes the rotation"


def _key(state: State, step: Step) -> SecretStr:
    if step.secret is None:
        raise NotAppliedError(Outcome.FAILED, "the plan does not say where its key is")
    try:
        return state.shared.read(step.secret, state.changes[step.bot].bot)
    except ReconcilerError as error:
        raise NotAppliedError(Outcome.FAILED, str(error)) from None


async def _create(state: State, name: str, key: SecretStr) -> tuple[str, str]:
    """Returns the id and a note."""
    client = state.shared.client
    for attempt in range(1, CREATE_TRIES + 1):
        doubt: Refused | Unclear | None = None
        try:
            await client.create_credential(state.name, name, key)
        except (Refused, Unclear) as error:
            doubt = error
            if isinstance(error, Unclear) and attempt < CREATE_TRIES:
                await asyncio.sleep(error.retry_after or client.retry_delay * 2**attempt)
        there = await _read_after(state, doubt)
        if (id_ := _find(there, name, key, client.secrets, sent=True)) is not None:
            return id_, despite(doubt)
        if doubt is None:
            shown = client.secrets.shown(name)
            raise NotAppliedError(
                Outcome.FAILED, f"the server answered that {shown} is created, but it does not exist"
            )
        if isinstance(doubt, Refused):
            raise NotAppliedError(Outcome.FAILED, explained(doubt, _WAY_OUT)) from None
        if attempt == CREATE_TRIES or state.shared.stop.asked:
            raise doubt
    raise AssertionError("the last try returns or raises")


async def _read_after(state: State, error: Exception | None) -> Mapping[str, Credential]:
    """The credentials after a call that wrote one. error: why the call failed, if it did."""
    return await state.shared.read_after(state.shared.client.credentials(state.name), error)


_WAY_OUT = (
    "A credential's name and its key are each unique on the whole server, and another instance may have one "
    "of the two: use another name and key, or share that one, `openaiCreds: {instance: OTHER, name: NAME}` "
    f"({WHEN})"
)


def _find(
    there: Mapping[str, Credential], name: str, key: SecretStr, secrets: Secrets, *, sent: bool = False
) -> str | None:
    """The id of the credential with this name and key. Raises NotAppliedError if just one is there.

    sent: it was not there before it was sent. Some servers do not show keys; then the name is enough.
    """
    for other, found in there.items():
        same = found.key == key
        if other == name and (same or (sent and not found.key)):
            return found.id
        if other == name and not found.key:
            raise NotAppliedError(
                Outcome.STALE,
                f"{secrets.shown(name)} was created since the plan was made, and the server does not show "
                "its key",
            )
        if other == name:
            raise NotAppliedError(
                Outcome.STALE, f"{secrets.shown(name)} was created with another key since the plan was made"
            )
        if same:
            raise NotAppliedError(
                Outcome.STALE, f"{secrets.shown(other)} was created with its key since the plan was made"
            )
    return None


# -- old ones ---------------------------------------------------------------------------------


async def old(state: State, step: Step, users: Users) -> str:
    """Delete a credential that nothing uses. Returns a note. Raises NotAppliedError, or the call's error."""
    client = state.shared.client
    name = client.secrets.shown(str(step.body.get("name", step.id)))
    if step.id is None or step.id in state.shared.kept:
        raise NotAppliedError(Outcome.SKIPPED, f"not everything could be moved away from {name}")
    await _refuse_used(state, step.id, name, users)
    there = await client.credentials(state.name)
    if (found := _by_id(there, step.id)) is None:
        return "it was already gone"
    _refuse_changed(step, name, there, found)
    state.shared.stop.check()
    doubt: Refused | Unclear | None = None
    try:
        await client.delete_credential(state.name, step.id)
    except (Refused, Unclear) as error:
        doubt = error
    if _by_id(await _read_after(state, doubt), step.id) is not None:
        if isinstance(doubt, Refused):
            why = "A credential cannot be deleted while the settings of an instance use it"
            raise NotAppliedError(Outcome.FAILED, explained(doubt, why))
        raise doubt or NotAppliedError(
            Outcome.FAILED, f"the server answered that {name} is deleted, but it still exists"
        )
    await _refuse_lost(state, step.id, name, users)
    return despite(doubt)


async def _refuse_used(state: State, id: str, name: str, users: Users) -> None:
    """Raises NotAppliedError if a row names the credential, whatever the server's list of users says."""
    try:
        found = await users.of(id, state.name)
    except InstanceError as error:
        raise NotAppliedError(
            Outcome.SKIPPED, f"{name} was kept, because its users could not be read: {error}"
        ) from None
    if found:
        raise NotAppliedError(Outcome.SKIPPED, f"{name} is still used by {', '.join(found)}")


def _refuse_changed(step: Step, name: str, there: Mapping[str, Credential], found: Credential) -> None:
    """Raises NotAppliedError if the id has another name now, or the server's list shows a user."""
    if step.body.get("name") not in {other for other, one in there.items() if one is found}:
        raise NotAppliedError(Outcome.STALE, f"the credential {step.id} is not {name} any more")
    if found.users is None:
        raise NotAppliedError(Outcome.SKIPPED, f"the server does not say who uses {name}")
    if found.users:
        raise NotAppliedError(Outcome.SKIPPED, f"{name} is still used by {', '.join(sorted(found.users))}")


async def _refuse_lost(state: State, id: str, name: str, users: Users) -> None:
    """Raises NotAppliedError if bots were deleted with the credential all the same."""
    near = [state.shared.states[each] for each in users.near(id, state.name)]
    if lost := [what for each in near for what in await reread(each)]:
        raise NotAppliedError(Outcome.FAILED, f"{name} was deleted, but at the same moment {'; '.join(lost)}")


def _by_id(there: Mapping[str, Credential], id: str) -> Credential | None:
    return next((one for one in there.values() if one.id == id), None)
