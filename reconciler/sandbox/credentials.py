"""The credentials of 2.3.6."""

from __future__ import annotations

from reconciler.domain.kinds import OPENAI
from reconciler.domain.records import dataclass
from reconciler.sandbox.refusals import bad_request, failure
from reconciler.sandbox.rows import instance_id
from reconciler.sandbox.schema import Call
from reconciler.sandbox.store import DatabaseError, Row, Store, bots_of


@dataclass(frozen=True, slots=True)
class Credentials:
    """The controller of credentials."""

    store: Store

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        if not call.body["apiKey"]:
            raise bad_request("API Key is required")
        if not call.body["name"]:
            raise bad_request("Name is required")
        if await self.store.first("creds", apiKey=call.body["apiKey"]):
            raise bad_request("This API key is already registered. Please use a different API key.")
        if await self.store.first("creds", name=call.body["name"], instanceId=owner):
            raise bad_request("This credential name is already in use. Please choose a different name.")
        row = {"name": call.body["name"], "apiKey": call.body["apiKey"], "instanceId": owner}
        try:
            return await self.store.insert("creds", row)
        except DatabaseError as error:
            raise failure("Error creating openai creds") from error

    async def find(self, call: Call) -> list[Row]:
        found = await self.store.all("creds", instanceId=await instance_id(self.store, call))
        return [
            {**row, "OpenaiAssistant": await self.store.all(bots_of(OPENAI), openaiCredsId=row["id"])}
            for row in found
        ]

    async def delete(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        creds_id = call.params["openaiCredsId"]
        found = await self.store.first("creds", id=creds_id)
        if found is None or found["instanceId"] != owner:
            raise failure("Openai Creds not found")
        try:
            await self.store.delete("creds", creds_id)
        except DatabaseError as error:
            raise failure("Error deleting openai creds") from error
        return {"openaiCreds": {"id": creds_id}}
