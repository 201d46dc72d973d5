"""What 2.2.3 does differently from 2.3.6, in the words and order of its source.

Proved by recorded sequences for creates with settings, reads, updates, deletes, settings and credentials;
after the source alone for creates without settings. Sessions and models are those of 2.3.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.sandbox.bots import Bots
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import COPIED, instance_id, own_fields
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import DatabaseError, Row

_ALL_TAKEN = 'You already have a {} with an "All" trigger, you cannot have more bots while it is active'
_NOTHING_SET: Row = {
    "openaiCredsId": None,
    "expire": 0,
    "keywordFinish": "",
    "delayMessage": 0,
    "unknownMessage": "",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": False,
    "ignoreJids": [],
    "splitMessages": False,
    "timePerChar": 0,
    "openaiIdFallback": None,
    "speechToText": False,
    "fallback": None,
}
_SHOWN = ("openaiCredsId", *COPIED, "speechToText", "openaiIdFallback")


@dataclass(frozen=True, slots=True)
class Bots22(Bots):
    """The controller of bots of 2.2.3."""

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        data = await self._completed(call, owner)
        if data["triggerType"] == "all":
            await self._check_all(owner, None)
        await self._check_keys(owner, data, None)
        await self._check_trigger(owner, data, None)
        try:
            return await self.store.insert("bots", {**own_fields(data), "instanceId": owner})
        except DatabaseError as error:
            raise failure("Error creating openai bot") from error

    async def _completed(self, call: Call, owner: str) -> Body:
        """The body with the settings' values; those are read, and made, only if something in it is falsy."""
        data = dict(call.body)
        if not any(_is_falsy(data.get(name)) for name in ("openaiCredsId", *COPIED)):
            return data
        settings = await self.store.first("settings", instanceId=owner)
        without = {"splitMessages": False, "timePerChar": 0}
        for name in COPIED:
            if data.get(name) is not None:
                continue
            if settings is None and name not in without:
                raise failure(f"Cannot read properties of null (reading '{name}')")
            value = settings[name] if settings else None
            data[name] = without.get(name) if value is None else value
        if not data["openaiCredsId"]:
            raise failure("Openai Creds Id is required")
        if settings is None:
            await self.settings.save(
                replace(call, body={name: data[name] for name in ("openaiCredsId", *COPIED)})
            )
        return data

    async def find(self, call: Call) -> list[Row] | None:
        return await Bots.find(self, call) or None

    async def fetch(self, call: Call) -> Row | None:
        return await self._own_bot(call, await instance_id(self.store, call), "Openai Bot not found")

    async def update(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        bot_id = (await self._own_bot(call, owner, "Openai Bot not found"))["id"]
        if call.body["triggerType"] == "all":
            await self._check_all(owner, bot_id)
        await self._check_keys(owner, call.body, bot_id)
        await self._check_trigger(owner, call.body, bot_id)
        try:
            return await self.store.update("bots", bot_id, own_fields(call.body))
        except DatabaseError as error:
            raise failure("Error updating openai bot") from error

    async def delete(self, call: Call) -> Row:
        bot = await self._own_bot(call, await instance_id(self.store, call), "Openai bot not found")
        await self._delete(bot["id"])
        return {"bot": {"id": bot["id"]}}

    async def _own_bot(self, call: Call, owner: str, missing: str) -> Row:
        bot = await self.store.first("bots", id=call.params["openaiBotId"])
        if bot is None or bot["instanceId"] != owner:
            raise failure(missing)
        return bot

    async def _check_keys(self, owner: str, body: Body, but: str | None) -> None:
        """An update also collides with what a bot of the other botType has left behind."""
        key = self._key(body)
        if but is None:
            key["botType"] = body["botType"]
        if await self.store.first("bots", but=but, instanceId=owner, **key):
            raise failure("Openai Bot already exists")

    async def _check_all(self, owner: str, but: str | None) -> None:
        if await self._all_is_taken(owner, but):
            raise failure(_ALL_TAKEN.format("openai" if but is None else "openai bot"))


@dataclass(frozen=True, slots=True)
class Settings22(Settings):
    """The controller of settings of 2.2.3."""

    async def save(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            existing = await self.store.first("settings", instanceId=owner)
            values = {name: call.body[name] for name in _SHOWN if name in call.body}
            if existing is None:
                row = await self.store.insert("settings", {**values, "instanceId": owner})
            else:
                row = await self.store.update("settings", existing["id"], values)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {name: row[name] for name in _SHOWN}

    async def fetch(self, call: Call) -> Row:
        row = await Settings.fetch(self, call)
        return {name: row[name] for name in _NOTHING_SET} if "id" in row else dict(_NOTHING_SET)


@dataclass(frozen=True, slots=True)
class Credentials22(Credentials):
    """The controller of credentials of 2.2.3."""

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        for name, required in (("apiKey", "API Key is required"), ("name", "Name is required")):
            if not call.body[name]:
                raise failure(required)
        row = {"name": call.body["name"], "apiKey": call.body["apiKey"], "instanceId": owner}
        try:
            return await self.store.insert("creds", row)
        except DatabaseError as error:
            raise failure("Error creating openai creds") from error


def _is_falsy(value: object) -> bool:
    """As in JavaScript, where an empty list is true."""
    return not value and not isinstance(value, list)
