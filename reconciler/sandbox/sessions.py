"""The sessions of a kind's bots in 2.3.6.

Nobody writes to a sandbox, so its only sessions are those of Sandbox.open_session. Typebot's route `start`,
which calls the Typebot, is not served.
"""

from __future__ import annotations

from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import id_parameter, instance_id
from reconciler.sandbox.schema import Call
from reconciler.sandbox.store import DatabaseError, Row, Store, bots_of, settings_of


@dataclass(frozen=True, slots=True)
class Sessions:
    """The controller of a kind's sessions."""

    store: Store
    kind: Kind

    async def change_status(self, call: Call) -> Row:
        """`delete` and `closed` end a contact's sessions on every instance, `paused` and `opened` on one."""
        try:
            owner = await instance_id(self.store, call)
            settings = await self.store.first(settings_of(self.kind), instanceId=owner)
        except (DatabaseError, RefusalError) as error:
            raise failure(f"Error changing {self.kind.title} status") from error
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
            bot = await self.store.first(bots_of(self.kind), id=call.params[id_parameter(self.kind)])
            if bot is not None and bot["instanceId"] != owner:
                raise failure(f"{self.kind.title} not found")
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching sessions") from error
        of_bot = {} if bot is None else {"botId": bot["id"]}
        return await self.store.all("sessions", instanceId=owner, **of_bot)
