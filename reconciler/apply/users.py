"""Who uses a credential, according to the bots and the settings themselves.

Deleting a credential deletes its bots, in any instance. So the server's own list of its users is not
enough: the rows of all instances that the key can read are read once, before the first credential is
deleted, and those of the instances that the plan connects with a credential again, right before that is
deleted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from reconciler.apply.bot_writes import reread
from reconciler.apply.state import Shared
from reconciler.domain.errors import InstanceError, Missing, ReconcilerError
from reconciler.domain.plan import Of
from reconciler.evolution.concurrent import side_by_side

_ANY = "any"
"""The credential of a bot whose row does not show it; not a possible id."""


class Users:
    """The users of credentials.

    uses: by instance and the credential's id. connected: the instances that a credential concerns, by its id.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared, self.client = shared, shared.client
        self.uses: dict[str, dict[str, list[str]]] = {}
        self.connected: dict[str, set[str]] = {}
        self.lock = asyncio.Lock()
        self.begun = False

    async def of(self, id: str, own: str) -> list[str]:
        """The users of a credential of this instance, a few words each. Raises InstanceError, ServerError."""
        async with self.lock:
            if not self.begun:
                await self._everywhere()
        for name in self.near(id, own):
            await self._read(name)
        return [
            f"{user} of the instance {self.client.secrets.shown(name)}"
            for name in sorted(self.uses)
            for user in (*self.uses[name].get(id, ()), *self.uses[name].get(_ANY, ()))
        ]

    def near(self, id: str, own: str) -> list[str]:
        """The instances of the plan that are connected with a credential, its own among them."""
        return sorted({own, *self.connected.get(id, ())})

    async def _everywhere(self) -> None:
        for instance in self.shared.plan.instances:
            ids = {step.body.get("openaiCredsId") for step in instance.steps}
            for change in instance.changes:
                ids |= set(change.ids) if change.of is Of.CREDENTIAL else set()
                ids |= {change.before.fields.get("openaiCredsId")} if change.before else set()
            for id in ids:
                self.connected.setdefault(str(id), set()).add(instance.local)
        await side_by_side(list(self.shared.states), self._read, self.client.concurrency)
        others: tuple[str, ...] = ()
        with suppress(ReconcilerError):  # an instance's own token may not list them
            others = await self.client.instances()
        others = tuple(name for name in others if name not in self.uses)
        await side_by_side(others, self._read_other, self.client.concurrency)
        self.begun = True

    async def _read_other(self, name: str) -> None:
        """Read an instance that is not in the plan, if the key can read it."""
        with suppress(InstanceError):
            await self._read(name)

    async def _read(self, name: str) -> None:
        uses: dict[str, list[str]] = {}
        with suppress(Missing):
            if (state := self.shared.states.get(name)) is not None:
                await reread(state)
                rows = tuple(state.bots.rows.values())
            else:
                rows = await self.client.find(name)
            for bot in rows:
                creds = bot.fields.get("openaiCredsId")
                user = f"bot {bot.id or '?'}"
                if not creds:
                    user = f"perhaps {user}, whose row is not understood,"
                uses.setdefault(str(creds or _ANY), []).append(user)
            row = await self.client.settings(name)
            if row.exists:
                uses.setdefault(str(row.fields.get("openaiCredsId", "")), []).append("the settings")
        self.uses[name] = uses
