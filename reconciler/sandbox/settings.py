"""The settings of 2.3.6: one row per instance, which may not exist."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import COPIED, WITHOUT_ROW, instance_id
from reconciler.sandbox.schema import Call
from reconciler.sandbox.store import DatabaseError, Row, Store


@dataclass(frozen=True, slots=True)
class Settings:
    """The controller of settings."""

    store: Store

    async def save(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            existing = await self.store.first("settings", instanceId=owner)
            values = {name: call.body[name] for name in (*COPIED, "speechToText") if name in call.body}
            if call.body.get("openaiCredsId"):
                values["openaiCredsId"] = call.body["openaiCredsId"]
            if "fallbackId" in call.body:
                # The server mixes Prisma's two forms of a reference, which works only for an update of a row
                # whose credential stays.
                if existing is None or "openaiCredsId" in values:
                    raise failure("Unknown argument `openaiIdFallback`")
                values["openaiIdFallback"] = call.body["fallbackId"]
            if existing is None:
                row = await self.store.insert("settings", {**values, "instanceId": owner})
            else:
                row = await self.store.update("settings", existing["id"], values)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {**row, "fallbackId": row["openaiIdFallback"]}

    async def fetch(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            row = await self.store.first("settings", instanceId=owner)
            if row is None:
                return {**WITHOUT_ROW, "timePerChar": 0, "fallbackId": "", "fallback": None}
            fallback_id = row["openaiIdFallback"]
            fallback = await self.store.first("bots", id=fallback_id) if fallback_id else None
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching settings") from error
        return {**row, "Fallback": fallback, "fallbackId": fallback_id, "fallback": fallback}

    async def ignore_jid(self, call: Call) -> Row:
        try:
            row = await self.store.first("settings", instanceId=await instance_id(self.store, call))
            if row is None:
                raise failure("Settings not found")
            jids = row["ignoreJids"] or []
            if call.body["action"] == "add":
                if call.body["remoteJid"] in jids:
                    return {"ignoreJids": jids}
                jids = [*jids, call.body["remoteJid"]]
            else:
                jids = [jid for jid in jids if jid != call.body["remoteJid"]]
            row = await self.store.update("settings", row["id"], {"ignoreJids": jids})
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {"ignoreJids": row["ignoreJids"]}
