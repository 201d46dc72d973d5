"""Who uses a credential, by what the bots and the settings themselves say.

Deleting a credential deletes its bots, of whatever instance. So the server's own list of its users is one
witness, and the rows of all instances are another: each instance that the key opens is read once, when the
first credential is to go, and those that the plan connects with one are read again right before it goes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from reconciler.apply.state import Shared, side_by_side
from reconciler.domain.errors import InstanceError, Missing, ReconcilerError
from reconciler.domain.plan import Of

_ANY = "any"
"""Stands for the credential of a bot whose row does not show it; no id is like that."""


class Users:
    """The users of credentials. uses: of each instance that was read, by the credential's id."""

    def __init__(self, shared: Shared) -> None:
        self.shared, self.client = shared, shared.client
        self.uses: dict[str, dict[str, list[str]]] = {}
        self.connected: dict[str, set[str]] = {}
        self.lock = asyncio.Lock()
        self.begun = False

    async def of(self, id: str, own: str) -> list[str]:
        """Who uses a credential of this instance, a few words each. Raises InstanceError, ServerError."""
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
        """The instances of the plan that have to do with a credential, its own among them."""
        return sorted({own, *self.connected.get(id, ())})

    async def _everywhere(self) -> None:
        for instance in self.shared.plan.instances:
            ids = {step.body.get("openaiCredsId") for step in instance.steps}
            for change in instance.changes:
                ids |= set(change.ids) if change.of is Of.CREDENTIAL else set()
                ids |= {change.before.fields.get("openaiCredsId")} if change.before else set()
            for id in ids:
                self.connected.setdefault(str(id), set()).add(instance.name)
        await side_by_side(list(self.shared.bots), self._read, self.client.concurrency)
        others: tuple[str, ...] = ()
        with suppress(ReconcilerError):  # an instance's own token may not list them
            others = await self.client.instances()
        others = tuple(name for name in others if name not in self.uses)
        await side_by_side(others, self._read_other, self.client.concurrency)
        self.begun = True

    async def _read_other(self, name: str) -> None:
        """Read an instance that is not of the plan, if the key opens it."""
        with suppress(InstanceError):
            await self._read(name)

    async def _read(self, name: str) -> None:
        uses: dict[str, list[str]] = {}
        with suppress(Missing):
            if (bots := self.shared.bots.get(name)) is not None:
                await bots.lost()
                rows = tuple(bots.rows.values())
            else:
                rows = await self.client.find(name)
            for bot in rows:
                creds = bot.fields.get("openaiCredsId")
                user = f"bot {bot.id}" if creds else f"perhaps bot {bot.id or '?'}, which is not understood,"
                uses.setdefault(str(creds or _ANY), []).append(user)
            row = await self.client.settings(name)
            if row.exists:
                uses.setdefault(str(row.fields.get("openaiCredsId", "")), []).append("the settings")
        self.uses[name] = uses
