"""The bots of one instance: as they were last read, and as our own calls have left them since."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import RemoteBot
from reconciler.domain.uniqueness import Claim, describe, holds, takes
from reconciler.evolution.client import Client

OLD = 5.0
"""Seconds after which others may have changed a bot since it was read."""

OFTEN = 20
"""How many times as long as a read took passes before the next one, so that large instances are not read
for most of the time."""


class BotTable:
    """The bots of one instance.

    fresh: whether they are as the server has them, as far as is known. read_ids: those of the last read.
    """

    def __init__(
        self,
        client: Client,
        instance: str,
        owner: str,
        kind: Kind,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.client, self.instance, self.owner, self.kind = client, instance, owner, kind
        self._fill({})
        self.read_ids: frozenset[str] = frozenset()
        self.fresh = False
        self._read = self._took = 0.0

    async def read(self) -> None:
        """Read the bots. Raises InstanceError, ServerError."""
        start = self._clock()
        found = await self.client.find(self.instance, self.kind)
        self._read = self._clock()
        self._took = self._read - start
        # A row without an id counts only for what it claims: a trigger, an assistant.
        self._fill({bot.id or f"?{number}": bot for number, bot in enumerate(found)})
        self.read_ids = frozenset(self._rows)
        self.fresh = True

    @property
    def old(self) -> bool:
        """Whether they were read so long ago that others may have changed them."""
        return self._clock() - self._read > max(OLD, OFTEN * self._took)

    def put(self, bot: RemoteBot) -> None:
        """Note a bot as a call of ours left it."""
        self.drop(bot.id)
        self._rows[bot.id] = bot
        self._index(bot.id, bot)

    def drop(self, id: str) -> None:
        """Note that a call of ours deleted a bot."""
        if (bot := self._rows.pop(id, None)) is not None:
            self._named[self._name(bot)].discard(id)
            for claim in holds(self.kind, bot.fields):
                self._holders[claim].discard(id)

    @property
    def rows(self) -> Mapping[str, RemoteBot]:
        """The bots, by id. After a read it is another mapping."""
        return self._rows

    def marked(self, name: str) -> list[RemoteBot]:
        """The bots with our marker for this name; the oldest first."""
        found = [
            self._rows[id]
            for id in self._named.get(name, ())
            if markers.marked(str(self._rows[id].fields.get("description", "")), self.owner, name)
        ]
        return sorted(found, key=lambda bot: (bot.created, bot.id))

    def collision(self, fields: Fields, own: str | None) -> tuple[RemoteBot, str] | None:
        """The other bot for which the server would refuse these fields, and what both would have."""
        wanted = takes(self.kind, fields)
        holders = {id for claim in wanted for id in self._holders.get(claim, ()) if id != own}
        for id in sorted(holders):
            bot = self._rows[id]
            claims = holds(self.kind, bot.fields) & wanted
            return bot, " and ".join(describe(claim) for claim in sorted(claims))
        return None

    # -- the indexes, so that a call costs the same whatever the number of bots ----------------

    def _fill(self, rows: dict[str, RemoteBot]) -> None:
        self._rows = rows
        self._named: dict[str, set[str]] = {}
        self._holders: dict[Claim, set[str]] = {}
        for id, bot in rows.items():
            self._index(id, bot)

    def _index(self, id: str, bot: RemoteBot) -> None:
        self._named.setdefault(self._name(bot), set()).add(id)
        for claim in holds(self.kind, bot.fields):
            self._holders.setdefault(claim, set()).add(id)

    def _name(self, bot: RemoteBot) -> str:
        return markers.name_of(str(bot.fields.get("description", "")), self.owner)
