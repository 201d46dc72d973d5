"""The settings of a kind's bots in 2.3.6: one row per instance, which may not exist."""

from __future__ import annotations

from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import WITHOUT_ROW, instance_id
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.store import DatabaseError, Row, Store, bots_of, settings_of


@dataclass(frozen=True, slots=True)
class Settings:
    """The controller of a kind's settings."""

    store: Store
    kind: Kind

    async def save(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            existing = await self.store.first(settings_of(self.kind), instanceId=owner)
            values = self._values(call.body, existing)
            if existing is None:
                row = await self.store.insert(settings_of(self.kind), {**values, "instanceId": owner})
            else:
                row = await self.store.update(settings_of(self.kind), existing["id"], values)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {**row, "fallbackId": row[self.kind.fallback]}

    def _values(self, body: Body, existing: Row | None) -> Body:
        """What of a body is written. Raises RefusalError."""
        values = {name: body[name] for name in self.kind.settings if name in body}
        if "fallbackId" in body:
            # Prisma takes a bot's bare id beside the instance's for an update only.
            if existing is None:
                raise failure(f"Unknown argument `{self.kind.fallback}`")
            values[self.kind.fallback] = body["fallbackId"]
        return values

    async def fetch(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            row = await self.store.first(settings_of(self.kind), instanceId=owner)
            if row is None:
                return {**WITHOUT_ROW, "timePerChar": 0, "fallbackId": "", "fallback": None}
            fallback_id = row[self.kind.fallback]
            fallback = await self.store.first(bots_of(self.kind), id=fallback_id) if fallback_id else None
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching settings") from error
        return {**row, "Fallback": fallback, "fallbackId": fallback_id, "fallback": fallback}

    async def ignore_jid(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            row = await self.store.first(settings_of(self.kind), instanceId=owner)
            if row is None:
                raise failure("Settings not found")
            jids = row["ignoreJids"] or []
            if call.body["action"] == "add":
                if call.body["remoteJid"] in jids:
                    return {"ignoreJids": jids}
                jids = [*jids, call.body["remoteJid"]]
            else:
                jids = [jid for jid in jids if jid != call.body["remoteJid"]]
            row = await self.store.update(settings_of(self.kind), row["id"], {"ignoreJids": jids})
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {"ignoreJids": row["ignoreJids"]}
