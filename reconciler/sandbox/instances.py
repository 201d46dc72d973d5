"""What the server does with instances: just enough to create, list and delete them."""

from __future__ import annotations

from contextlib import suppress

from reconciler.domain.records import dataclass
from reconciler.sandbox.refusals import bad_request, not_found, unauthorized
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.store import DatabaseError, Row, Store, new_uuid

INTEGRATIONS = {"EVOLUTION": "open", "WHATSAPP-BAILEYS": "close", "WHATSAPP-BUSINESS": "open"}
"""The kinds of instance, and the state of a connection of that kind that nobody opened."""

EVENTS = {"2.3.6": ("websocket", "rabbitmq", "nats", "sqs"), "2.2.3": ("websocket", "rabbitmq", "sqs")}
"""By version, where events of an instance may be sent to besides a webhook; here nowhere."""


@dataclass(frozen=True, slots=True)
class Instances:
    """The controller, over one store. api_key: the server's global key. events: the channels for events."""

    store: Store
    api_key: str
    events: tuple[str, ...]

    async def create(self, call: Call) -> Row:
        integration = call.body.get("integration")
        if integration not in INTEGRATIONS:
            raise bad_request("Invalid integration")
        if integration == "WHATSAPP-BUSINESS" and not call.body.get("number"):
            raise bad_request("number is required")
        instance = new_instance(call.body.get("instanceName"), call.body)
        try:
            row = await self.store.insert("instances", instance)
        except DatabaseError as error:
            raise bad_request(str(error)) from error
        return {
            "instance": {
                "instanceName": row["name"],
                "instanceId": row["id"],
                "integration": integration,
                "webhookWaBusiness": None,
                "accessTokenWaBusiness": "",
                "status": row["connectionStatus"],
            },
            "hash": row["token"],
            "webhook": {},
            **{name: {} for name in self.events},
            "settings": row["Setting"],
        }

    async def fetch(self, call: Call) -> list[Row]:
        """All instances, or one by its name, id or number; with an instance's own token, that one."""
        name, wanted_id, number = (call.params.get(p) for p in ("instanceName", "instanceId", "number"))
        if call.key != self.api_key:
            where = {
                "token": call.key,
                **({"name": name} if name else {}),
                **({"id": wanted_id} if wanted_id else {}),
            }
            found = await self.store.all("instances", **where)
            if not found:
                raise unauthorized()
        elif wanted_id or number:
            found = await self.store.all(
                "instances", **({"id": wanted_id} if wanted_id else {"number": number})
            )
            if not found:
                raise not_found(f'Instance "{wanted_id or number}" not found')
        elif name:
            found = await self.store.all("instances", name=name)
            if not found:
                raise not_found(f'Instance "{name}" not found')
        else:
            found = await self.store.all("instances")
        return [self._shown(row) for row in found]

    async def connection_state(self, call: Call) -> Row:
        row = await self.store.first("instances", name=call.params["instanceName"])
        state = {"state": row["connectionStatus"]} if row else {}
        return {"instance": {"instanceName": call.params["instanceName"], **state}}

    async def delete(self, call: Call) -> Row:
        """Answer success, even if it fails because another instance's settings use its credential."""
        row = await self.store.first("instances", name=call.params["instanceName"])
        if row is not None:
            with suppress(DatabaseError):
                await self.store.delete("instances", row["id"])
        return {"status": "SUCCESS", "error": False, "response": {"message": "Instance deleted"}}

    def _shown(self, row: Row) -> Row:
        setting = {
            "id": "c" + row["id"].replace("-", "")[:24],
            **row["Setting"],
            "createdAt": row["createdAt"],
            "updatedAt": row["updatedAt"],
            "instanceId": row["id"],
        }
        return {
            **row,
            "clientName": "evolution_exchange",
            **dict.fromkeys(("disconnectionReasonCode", "disconnectionObject", "disconnectionAt")),
            **dict.fromkeys(("Chatwoot", "Proxy", *(name.capitalize() for name in self.events))),
            "Setting": setting,
            "_count": {"Message": 0, "Contact": 0, "Chat": 0},
        }


def new_instance(name: str | None, body: Body | None = None) -> Row:
    """A row for an instance: of EVOLUTION's kind, which needs no phone, unless the body says otherwise."""
    given = body or {}
    integration = given.get("integration", "EVOLUTION")
    return {
        "id": new_uuid(),
        "name": name,
        "integration": integration,
        "connectionStatus": INTEGRATIONS[integration],
        "token": given.get("token") or new_uuid().upper(),
        "number": given.get("number"),
        "businessId": given.get("businessId"),
        "Setting": {
            "rejectCall": given.get("rejectCall") is True,
            "msgCall": given.get("msgCall") or "",
            "groupsIgnore": given.get("groupsIgnore") is True,
            "alwaysOnline": given.get("alwaysOnline") is True,
            "readMessages": given.get("readMessages") is True,
            "readStatus": given.get("readStatus") is True,
            "syncFullHistory": given.get("syncFullHistory") is True,
            "wavoipToken": given.get("wavoipToken") or "",
        },
    }
