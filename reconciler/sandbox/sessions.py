"""The sessions of bots and the models of OpenAI, in 2.3.6.

Nobody writes to a sandbox, so its only sessions are those of Sandbox.open_session. OpenAI is never called.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import instance_id
from reconciler.sandbox.schema import Call
from reconciler.sandbox.store import DatabaseError, Row, Store


@dataclass(frozen=True, slots=True)
class Sessions:
    """The controller of sessions and models."""

    store: Store

    async def change_status(self, call: Call) -> Row:
        """`delete` and `closed` end a contact's sessions on every instance, `paused` and `opened` on one."""
        try:
            owner = await instance_id(self.store, call)
            settings = await self.store.first("settings", instanceId=owner)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error changing Openai status") from error
        changed = {"remoteJid": call.body["remoteJid"], "status": call.body["status"]}
        keeps = call.body["status"] == "closed" and settings is not None and settings["keepOpen"]
        ends = call.body["status"] in {"delete", "closed"}
        where = {} if ends else {"instanceId": owner}
        found = await self.store.all("sessions", remoteJid=call.body["remoteJid"], **where)
        for session in found:
            if ends and not keeps:
                await self.store.delete("sessions", session["id"])
            else:
                await self.store.update("sessions", session["id"], {"status": call.body["status"]})
        if call.body["status"] == "delete":
            return {"bot": changed}
        if call.body["status"] == "closed":
            return {"bot": {**call.params, "bot": changed}}
        return {"bot": {**call.params, "bot": {**changed, "session": {"count": len(found)}}}}

    async def fetch(self, call: Call) -> list[Row]:
        try:
            owner = await instance_id(self.store, call)
            bot = await self.store.first("bots", id=call.params["openaiBotId"])
            if bot is not None and bot["instanceId"] != owner:
                raise failure("Openai not found")
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching sessions") from error
        of_bot = {} if bot is None else {"botId": bot["id"]}
        return await self.store.all("sessions", instanceId=owner, **of_bot)

    async def models(self, call: Call) -> Row:
        """OpenAI is never called, so there is no way for this call to succeed."""
        owner = await instance_id(self.store, call)
        creds_id = call.params.get("openaiCredsId")
        if creds_id and not await self.store.first("creds", id=creds_id, instanceId=owner):
            raise failure("OpenAI credentials not found for the provided ID")
        if not creds_id and not await self.store.first("settings", instanceId=owner):
            raise failure("Settings not found")
        raise failure("Error fetching models")
