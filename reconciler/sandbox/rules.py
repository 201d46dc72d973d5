"""What the server's controllers do once a call is let in: the business rules of 2.3.6, holes included.

Written after the public source and proved by the recordings. Each check is a query of its own, and others'
calls may run between a check and the write that follows it, as on the real server. A DatabaseError that is
not caught here is one that the server does not catch either. Knows nothing of HTTP beyond statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.domain.kinds import OPENAI
from reconciler.sandbox.refusals import RefusalError, bad_request, failure
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.store import DatabaseError, Row, Store

COPIED = tuple(name for name, described in OPENAI.fields.items() if described.from_settings)
"""The fields that a bot and the settings have in common."""

_WITHOUT_ROW = {name: OPENAI.fields[name].default for name in COPIED}
_ALL_TAKEN = 'You already have a Openai with an "All" trigger, you cannot have more bots while it is active'


@dataclass(frozen=True, slots=True)
class Rules:
    """The controllers, over one store."""

    store: Store

    # -- bots -------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Row:
        instance_id = await self._instance_id(call)
        await self._check_keys(instance_id, call.body, None)
        settings = await self.store.first("settings", instanceId=instance_id)
        if settings is None:
            await self.settings(replace(call, body=_first_settings(call.body)))
            settings = await self.store.first("settings", instanceId=instance_id)
        data = {**call.body, **_inherited(call.body, settings or {})}
        if call.body["triggerType"] == "all":
            await self._check_all(instance_id, None)
        await self._check_trigger(instance_id, call.body, None)
        try:
            return await self.store.insert("bots", {**own_fields(data), "instanceId": instance_id})
        except DatabaseError as error:
            raise failure("Error creating Openai") from error

    async def find(self, call: Call) -> list[Row] | None:
        return await self.store.all("bots", instanceId=await self._instance_id(call))

    async def fetch(self, call: Call) -> Row | None:
        try:
            return await self.store.first("bots", id=call.params["openaiBotId"])
        except DatabaseError as error:
            raise failure("Error fetching Openai") from error

    async def update(self, call: Call) -> Row:
        try:
            instance_id = await self._instance_id(call)
            bot_id = await self._bot_id(call, instance_id)
            if call.body["triggerType"] == "all":
                await self._check_all(instance_id, bot_id)
            await self._check_keys(instance_id, call.body, bot_id)
            await self._check_trigger(instance_id, call.body, bot_id)
            return await self.store.update("bots", bot_id, own_fields(call.body))
        except (DatabaseError, RefusalError) as error:
            raise failure("Error updating Openai") from error

    async def delete(self, call: Call) -> Row:
        try:
            bot_id = await self._bot_id(call, await self._instance_id(call))
            await self.store.delete("bots", bot_id)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error deleting Openai bot") from error
        return {"bot": {"id": bot_id}}

    async def _bot_id(self, call: Call, instance_id: str) -> str:
        bot = await self.store.first("bots", id=call.params["openaiBotId"])
        if bot is None or bot["instanceId"] != instance_id:
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

    async def _check_keys(self, instance_id: str, body: Body, but: str | None) -> None:
        key = {**self._key(body), "botType": body["botType"]}
        if await self.store.first("bots", but=but, instanceId=instance_id, **key):
            raise failure("Openai Bot already exists")

    async def _check_all(self, instance_id: str, but: str | None) -> None:
        if await self._all_is_taken(instance_id, but):
            raise failure(_ALL_TAKEN)

    async def _all_is_taken(self, instance_id: str, but: str | None) -> bool:
        taken = {"enabled": True, "triggerType": "all", "instanceId": instance_id}
        return await self.store.first("bots", but=but, **taken) is not None

    async def _check_trigger(self, instance_id: str, body: Body, but: str | None) -> None:
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
        if await self.store.first("bots", but=but, instanceId=instance_id, **parts):
            raise failure("Trigger already exists")

    # -- settings ---------------------------------------------------------------------------------

    async def settings(self, call: Call) -> Row:
        try:
            instance_id = await self._instance_id(call)
            existing = await self.store.first("settings", instanceId=instance_id)
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
                row = await self.store.insert("settings", {**values, "instanceId": instance_id})
            else:
                row = await self.store.update("settings", existing["id"], values)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {**row, "fallbackId": row["openaiIdFallback"]}

    async def fetch_settings(self, call: Call) -> Row:
        try:
            instance_id = await self._instance_id(call)
            row = await self.store.first("settings", instanceId=instance_id)
            if row is None:
                return {**_WITHOUT_ROW, "timePerChar": 0, "fallbackId": "", "fallback": None}
            fallback_id = row["openaiIdFallback"]
            fallback = await self.store.first("bots", id=fallback_id) if fallback_id else None
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching settings") from error
        return {**row, "Fallback": fallback, "fallbackId": fallback_id, "fallback": fallback}

    async def ignore_jid(self, call: Call) -> Row:
        try:
            row = await self.store.first("settings", instanceId=await self._instance_id(call))
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

    # -- sessions: nobody writes to a sandbox, so there are none -----------------------------------

    async def change_status(self, call: Call) -> Row:
        try:
            await self._instance_id(call)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error changing Openai status") from error
        changed = {"remoteJid": call.body["remoteJid"], "status": call.body["status"]}
        if call.body["status"] == "delete":
            return {"bot": changed}
        if call.body["status"] == "closed":
            return {"bot": {**call.params, "bot": changed}}
        return {"bot": {**call.params, "bot": {**changed, "session": {"count": 0}}}}

    async def fetch_sessions(self, call: Call) -> list[Row]:
        try:
            instance_id = await self._instance_id(call)
            bot = await self.store.first("bots", id=call.params["openaiBotId"])
            if bot is not None and bot["instanceId"] != instance_id:
                raise failure("Openai not found")
        except (DatabaseError, RefusalError) as error:
            raise failure("Error fetching sessions") from error
        return []

    async def models(self, call: Call) -> Row:
        """OpenAI is never called, so there is no way for this call to succeed."""
        instance_id = await self._instance_id(call)
        creds_id = call.params.get("openaiCredsId")
        if creds_id and not await self.store.first("creds", id=creds_id, instanceId=instance_id):
            raise failure("OpenAI credentials not found for the provided ID")
        if not creds_id and not await self.store.first("settings", instanceId=instance_id):
            raise failure("Settings not found")
        raise failure("Error fetching models")

    # -- credentials ------------------------------------------------------------------------------

    async def create_creds(self, call: Call) -> Row:
        instance_id = await self._instance_id(call)
        if not call.body["apiKey"]:
            raise bad_request("API Key is required")
        if not call.body["name"]:
            raise bad_request("Name is required")
        if await self.store.first("creds", apiKey=call.body["apiKey"]):
            raise bad_request("This API key is already registered. Please use a different API key.")
        if await self.store.first("creds", name=call.body["name"], instanceId=instance_id):
            raise bad_request("This credential name is already in use. Please choose a different name.")
        row = {"name": call.body["name"], "apiKey": call.body["apiKey"], "instanceId": instance_id}
        try:
            return await self.store.insert("creds", row)
        except DatabaseError as error:
            raise failure("Error creating openai creds") from error

    async def find_creds(self, call: Call) -> list[Row]:
        found = await self.store.all("creds", instanceId=await self._instance_id(call))
        return [
            {**row, "OpenaiAssistant": await self.store.all("bots", openaiCredsId=row["id"])} for row in found
        ]

    async def delete_creds(self, call: Call) -> Row:
        instance_id = await self._instance_id(call)
        creds_id = call.params["openaiCredsId"]
        found = await self.store.first("creds", id=creds_id)
        if found is None or found["instanceId"] != instance_id:
            raise failure("Openai Creds not found")
        try:
            await self.store.delete("creds", creds_id)
        except DatabaseError as error:
            raise failure("Error deleting openai creds") from error
        return {"openaiCreds": {"id": creds_id}}

    async def _instance_id(self, call: Call) -> str:
        row = await self.store.first("instances", name=call.params["instanceName"])
        if row is None:
            raise failure("Cannot read properties of null (reading 'id')")
        return str(row["id"])


def own_fields(body: Body) -> Body:
    """The fields of a bot that a body gives."""
    return {name: body[name] for name in OPENAI.fields if name in body}


def _first_settings(body: Body) -> Body:
    """The settings that the first create makes: falsy texts and numbers count as left out."""
    return {
        "openaiCredsId": body["openaiCredsId"],
        **{
            name: body[name] if isinstance(body.get(name), bool) else body.get(name) or _WITHOUT_ROW[name]
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
