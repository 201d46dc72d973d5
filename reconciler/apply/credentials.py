"""Writes to credentials: made once, and deleted only when nobody uses them any more.

The server has no update of them, and deleting one deletes its bots, of whatever instance: so who uses it is
read right before, from the rows themselves (users.py) and from the server's list, and again after. A key is
read when its credential is made, and held no longer than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.apply.state import UNSEEN, NotAppliedError, State, explained
from reconciler.domain.errors import InstanceError, ReconcilerError, Refused, ServerError, Unclear
from reconciler.domain.plan import Step, Verb
from reconciler.domain.results import Outcome
from reconciler.domain.shared_credentials import WHEN

if TYPE_CHECKING:
    from pydantic import SecretStr

    from reconciler.apply.users import Users
    from reconciler.evolution.answers import Credential
    from reconciler.evolution.masking import Secrets

CREATE_TRIES = 4
"""How often a credential is sent, at most, when looking for it does not find it."""


class Credentials:
    """The credentials of one instance."""

    def __init__(self, state: State, users: Users) -> None:
        self.state, self.shared, self.users = state, state.shared, users
        self.client, self.instance = state.shared.client, state.name
        self._shown = self.client.secrets.shown

    async def new(self, step: Step) -> str:
        """Make a credential. Returns what there is to say of it; raises where the change ends here."""
        name, key = str(step.body["name"]), self._key(step)
        there = await self.client.credentials(self.instance)
        self.shared.stop.check()
        if (id_ := _find(there, name, key, self.client.secrets)) is not None:
            detail = "it was made already, just so"
        else:
            id_, detail = await self._create(name, key)
        self.shared.credentials[name] = self.state.made[step.bot] = id_
        if self.state.changes[step.bot].verb is Verb.ROTATE:
            self.state.halfway[step.bot] = "the old key stays until the next apply, which does the rest"
        return detail

    def _key(self, step: Step) -> SecretStr:
        if step.secret is None:
            raise NotAppliedError(Outcome.FAILED, "the plan does not say where its key is")
        try:
            return self.shared.read(step.secret, self.state.changes[step.bot].bot)
        except ReconcilerError as error:
            raise NotAppliedError(Outcome.FAILED, str(error)) from None

    async def _create(self, name: str, key: SecretStr) -> tuple[str, str]:
        for attempt in range(1, CREATE_TRIES + 1):
            doubt: Refused | Unclear | None = None
            try:
                await self.client.create_credential(self.instance, name, key)
            except (Refused, Unclear) as error:
                doubt = error
                if isinstance(error, Unclear) and attempt < CREATE_TRIES:
                    await asyncio.sleep(error.retry_after or self.client.retry_delay * 2**attempt)
            there = await self._after(doubt)
            if (id_ := _find(there, name, key, self.client.secrets, sent=True)) is not None:
                return id_, "" if doubt is None else f"seen to be done, although: {doubt}"
            if doubt is None:
                raise NotAppliedError(
                    Outcome.FAILED,
                    f"the server answered that {self._shown(name)} is made, but it is not there",
                )
            if isinstance(doubt, Refused):
                raise NotAppliedError(Outcome.FAILED, explained(doubt, _WAY_OUT)) from None
            if attempt == CREATE_TRIES or self.shared.stop.asked:
                raise doubt
        raise AssertionError("the last try returns or raises")

    async def _after(self, doubt: Exception | None) -> Mapping[str, Credential]:
        """The credentials after a call that wrote one."""
        try:
            return await self.client.credentials(self.instance)
        except (InstanceError, ServerError) as error:
            if isinstance(error, ServerError):
                self.shared.stop.lost()
            raise NotAppliedError(Outcome.FAILED, str(doubt) if doubt else f"{UNSEEN}{error}") from None

    async def old(self, step: Step) -> str:
        """Delete a credential that nobody uses."""
        name = self._shown(str(step.body.get("name", step.id)))
        if step.id is None or step.id in self.shared.kept:
            raise NotAppliedError(Outcome.SKIPPED, f"not everything could be moved away from {name}")
        await self._refuse_used(step.id, name)
        there = await self.client.credentials(self.instance)
        if (found := _by_id(there, step.id)) is None:
            return "it was gone already"
        if step.body.get("name") not in {other for other, one in there.items() if one is found}:
            raise NotAppliedError(Outcome.STALE, f"the credential {step.id} is not {name} any more")
        if found.users is None:
            raise NotAppliedError(Outcome.SKIPPED, f"the server does not say who uses {name}")
        if found.users:
            ids = ", ".join(sorted(found.users))
            raise NotAppliedError(Outcome.SKIPPED, f"{name} is still used, by: {ids}")
        self.shared.stop.check()
        doubt = await self._delete(step.id)
        if _by_id(await self._after(doubt), step.id) is not None:
            if isinstance(doubt, Refused):
                why = "It is refused while the settings of an instance name it"
                raise NotAppliedError(Outcome.FAILED, explained(doubt, why))
            raise doubt or NotAppliedError(
                Outcome.FAILED, f"the server answered that {name} is deleted, but it is still there"
            )
        await self._refuse_lost(step.id, name)
        return "" if doubt is None else f"seen to be done, although: {doubt}"

    async def _delete(self, id: str) -> Refused | Unclear | None:
        try:
            await self.client.delete_credential(self.instance, id)
        except (Refused, Unclear) as error:
            return error
        return None

    async def _refuse_used(self, id: str, name: str) -> None:
        """The rows themselves must show no user, whatever the server's list of them says."""
        try:
            users = await self.users.of(id, self.instance)
        except InstanceError as error:
            raise NotAppliedError(
                Outcome.SKIPPED, f"{name} stays, as it cannot be seen who uses it: {error}"
            ) from None
        if users:
            raise NotAppliedError(Outcome.SKIPPED, f"{name} is still used, by: {', '.join(users)}")

    async def _refuse_lost(self, id: str, name: str) -> None:
        """What went with it all the same."""
        near = [self.shared.bots[each] for each in self.users.near(id, self.instance)]
        if lost := [words for bots in near for words in await bots.lost()]:
            raise NotAppliedError(
                Outcome.FAILED, f"{name} is deleted, but in the same moment {'; '.join(lost)}"
            )


_WAY_OUT = (
    "A credential's name and its key are each unique on the whole server, and another instance may have one "
    "of the two: use another name and key, or borrow that one, `openaiCreds: {instance: OTHER, name: NAME}` "
    f"({WHEN})"
)


def _by_id(there: Mapping[str, Credential], id: str) -> Credential | None:
    return next((one for one in there.values() if one.id == id), None)


def _find(
    there: Mapping[str, Credential], name: str, key: SecretStr, secrets: Secrets, *, sent: bool = False
) -> str | None:
    """The id of the credential, if it is there just so. Raises NotAppliedError if it is there otherwise.

    sent: it was not there before it was sent. Some servers do not show keys; then its name must do.
    """
    for other, found in there.items():
        same = found.key == key
        if other == name and (same or (sent and not found.key)):
            return found.id
        if other == name and not found.key:
            raise NotAppliedError(
                Outcome.STALE,
                f"{secrets.shown(name)} was made since the plan was made, and its key is not shown",
            )
        if other == name:
            raise NotAppliedError(
                Outcome.STALE, f"{secrets.shown(name)} was made with another key since the plan was made"
            )
        if same:
            raise NotAppliedError(
                Outcome.STALE, f"its key is there as {secrets.shown(other)} since the plan was made"
            )
    return None
