"""The sessions of a kind's bots in 2.3.6. Nobody writes to a sandbox, so there are none.

Typebot's route `start`, which calls the Typebot, is not served.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.domain.kinds import Kind
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import id_parameter, instance_id
from reconciler.sandbox.schema import Call
from reconciler.sandbox.store import DatabaseError, Row, Store, bots_of


@dataclass(frozen=True, slots=True)
class Sessions:
    """The controller of a kind's sessions."""

    store: Store
    kind: Kind

    async def change_status(self, call: Call) -> Row:
        try:
            await instance_id(self.store, call)
        except (DatabaseError, RefusalError) as error:
            raise failure(f"Error changing {self.kind.title} status") from error
        changed = {"remoteJid": call.body["remoteJid"], "status": call.body["status"]}
        if call.body["status"] == "delete":
            return {"bot": changed}
        if call.body["status"] == "closed":
            return {"bot": {**call.params, "bot": changed}}
        return {"bot": {**call.params, "bot": {**changed, "session": {"count": 0}}}}

    async def fetch(self, call: Call) -> list[Row]:
        try:
            owner = await instance_id(self.store, call)
            bot = await self.store.first(bots_of(self.kind), id=call.params[id_parameter(self.kind)])
            if bot is not None and bot["instanceId"] != owner:
                raise failure(f"{self.kind.title} not found")
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching sessions") from error
        return []
