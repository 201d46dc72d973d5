"""The bots of one instance as they were last read."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import RemoteBot
from reconciler.domain.uniqueness import describe, holds, takes
from reconciler.evolution.client import Client


class BotTable:
    """The bots of one instance. rows: as last read, by id. fresh: whether no call of ours came after that."""

    def __init__(self, client: Client, instance: str, owner: str, kind: Kind) -> None:
        self.client, self.instance, self.owner, self.kind = client, instance, owner, kind
        self.rows: Mapping[str, RemoteBot] = {}
        self.fresh = False

    async def read(self) -> None:
        """Read the bots. Raises InstanceError, ServerError."""
        found = await self.client.find(self.instance, self.kind)
        # A row without an id counts only for what it claims: a trigger, an assistant.
        self.rows = {bot.id or f"?{number}": bot for number, bot in enumerate(found)}
        self.fresh = True

    def marked(self, name: str) -> list[RemoteBot]:
        """The bots with our marker for this name; the oldest first."""
        found = [
            bot
            for bot in self.rows.values()
            if markers.marked(str(bot.fields.get("description", "")), self.owner, name)
        ]
        return sorted(found, key=lambda bot: (bot.created, bot.id))

    def collision(self, fields: Fields, own: str | None) -> tuple[RemoteBot, str] | None:
        """The other bot for which the server would refuse these fields, and what both would have."""
        wanted = takes(self.kind, fields)
        for bot in self.rows.values():
            if bot.id != own and (claims := holds(self.kind, bot.fields) & wanted):
                return bot, " and ".join(describe(claim) for claim in sorted(claims))
        return None
