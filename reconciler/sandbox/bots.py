"""The bots of 2.3.6: creates, reads, updates, deletes, and what no two bots may share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import COPIED, WITHOUT_ROW, instance_id, own_fields
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import DatabaseError, Row, Store

_ALL_TAKEN = 'You already have a Openai with an "All" trigger, you cannot have more bots while it is active'


@dataclass(frozen=True, slots=True)
class Bots:
    """The controller of bots. settings: the first create of an instance makes them."""

    store: Store
    settings: Settings

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        await self._check_keys(owner, call.body, None)
        settings = await self.store.first("settings", instanceId=owner)
        if settings is None:
            await self.settings.save(replace(call, body=_first_settings(call.body)))
            settings = await self.store.first("settings", instanceId=owner)
        data = {**call.body, **_inherited(call.body, settings or {})}
        if call.body["triggerType"] == "all":
            await self._check_all(owner, None)
        await self._check_trigger(owner, call.body, None)
        try:
            return await self.store.insert("bots", {**own_fields(data), "instanceId": owner})
        except DatabaseError as error:
            raise failure("Error creating Openai") from error

    async def find(self, call: Call) -> list[Row] | None:
        return await self.store.all("bots", instanceId=await instance_id(self.store, call))

    async def fetch(self, call: Call) -> Row | None:
        try:
            return await self.store.first("bots", id=call.params["openaiBotId"])
        except DatabaseError as error:
            raise failure("Error fetching Openai") from error

    async def update(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            bot_id = await self._bot_id(call, owner)
            if call.body["triggerType"] == "all":
                await self._check_all(owner, bot_id)
            await self._check_keys(owner, call.body, bot_id)
            await self._check_trigger(owner, call.body, bot_id)
            return await self.store.update("bots", bot_id, own_fields(call.body))
        except (DatabaseError, RefusalError) as error:
            raise failure("Error updating Openai") from error

    async def delete(self, call: Call) -> Row:
        try:
            bot_id = await self._bot_id(call, await instance_id(self.store, call))
            await self._delete(bot_id)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error deleting Openai bot") from error
        return {"bot": {"id": bot_id}}

    async def _delete(self, bot_id: str) -> None:
        for session in await self.store.all("sessions", botId=bot_id):
            await self.store.delete("sessions", session["id"])
        await self.store.delete("bots", bot_id)

    async def _bot_id(self, call: Call, owner: str) -> str:
        bot = await self.store.first("bots", id=call.params["openaiBotId"])
        if bot is None or bot["instanceId"] != owner:
            raise failure("Openai not found")
        return call.params["openaiBotId"]

    def _key(self, body: Body) -> Body:
        """What no other bot may have: the assistant, or the model together with the tokens."""
        if body["botType"] == "assistant":
            required = {"assistantId": "Assistant ID is required"}
        else:
            required = {"model": "Model is required", "maxTokens": "Max tokens is required"}
        for name, message in required.items():
            if not body.get(name):
                raise failure(message)
        return {name: body[name] for name in required}

    async def _check_keys(self, owner: str, body: Body, but: str | None) -> None:
        key = {**self._key(body), "botType": body["botType"]}
        if await self.store.first("bots", but=but, instanceId=owner, **key):
            raise failure("Openai Bot already exists")

    async def _check_all(self, owner: str, but: str | None) -> None:
        if await self._all_is_taken(owner, but):
            raise failure(_ALL_TAKEN)

    async def _all_is_taken(self, owner: str, but: str | None) -> bool:
        taken = {"enabled": True, "triggerType": "all", "instanceId": owner}
        return await self.store.first("bots", but=but, **taken) is not None

    async def _check_trigger(self, owner: str, body: Body, but: str | None) -> None:
        """Whatever the other bot's triggerType: parts that it no longer uses collide too."""
        if body["triggerType"] == "keyword":
            parts = {name: body.get(name) for name in ("triggerOperator", "triggerValue")}
            required = "Trigger operator and value are required"
        elif body["triggerType"] == "advanced":
            parts = {"triggerValue": body.get("triggerValue")}
            required = "Trigger value is required"
        else:
            return
        if not all(parts.values()):
            raise failure(required)
        if await self.store.first("bots", but=but, instanceId=owner, **parts):
            raise failure("Trigger already exists")


def _first_settings(body: Body) -> Body:
    """The settings that the first create makes: falsy texts and numbers count as left out."""
    return {
        "openaiCredsId": body["openaiCredsId"],
        **{
            name: body[name] if isinstance(body.get(name), bool) else body.get(name) or WITHOUT_ROW[name]
            for name in COPIED
            if name not in {"splitMessages", "timePerChar"}
        },
        "speechToText": False,
    }


def _inherited(body: Body, settings: Mapping[str, Any]) -> Body:
    """What a bot gets for what its create leaves out."""
    last_resort = {"splitMessages": False, "timePerChar": 0}
    inherited: Body = {}
    for name in COPIED:
        if body.get(name) is None:
            value = settings.get(name)
            inherited[name] = last_resort.get(name) if value is None else value
    return inherited
