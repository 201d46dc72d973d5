"""What is OpenAI's alone in 2.3.6: its own words for keys, the credential in the settings, the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.domain.kinds import OPENAI
from reconciler.domain.kinds.common import COPIED
from reconciler.domain.records import dataclass, replace
from reconciler.sandbox.bots import Bots
from reconciler.sandbox.refusals import failure
from reconciler.sandbox.rows import LAST_RESORT, WITHOUT_ROW, instance_id
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import Row, Store, settings_of

_REQUIRED = {
    "assistantId": "Assistant ID is required",
    "model": "Model is required",
    "maxTokens": "Max tokens is required",
}


@dataclass(frozen=True, slots=True)
class OpenaiBots(Bots):
    """The controller of OpenAI's bots."""

    async def _completed(self, call: Call, owner: str) -> Body:
        found = await self.store.first(settings_of(OPENAI), instanceId=owner)
        if found is None:
            await self.settings.save(replace(call, body=_first_settings(call.body)))
            found = await self.store.first(settings_of(OPENAI), instanceId=owner)
        return {**call.body, **_inherited(call.body, found or {})}

    def _key(self, body: Body, but: str | None) -> Body:
        return {**key_of(body), "botType": body["botType"]}

    def _duplicate(self, but: str | None) -> str:
        return "Openai Bot already exists"


@dataclass(frozen=True, slots=True)
class OpenaiSettings(Settings):
    """The controller of OpenAI's settings."""

    def _values(self, body: Body, existing: Row | None) -> Body:
        values = Settings._values(self, body, existing)
        if body.get("openaiCredsId"):
            # The server mixes Prisma's two forms of a reference, which works only while the credential stays.
            if "fallbackId" in body:
                raise failure(f"Unknown argument `{OPENAI.fallback}`")
            values["openaiCredsId"] = body["openaiCredsId"]
        return values


@dataclass(frozen=True, slots=True)
class Models:
    """The controller of OpenAI's models. OpenAI is never called, so there is no way for a call to succeed."""

    store: Store

    async def fetch(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        creds_id = call.params.get("openaiCredsId")
        if creds_id and not await self.store.first("creds", id=creds_id, instanceId=owner):
            raise failure("OpenAI credentials not found for the provided ID")
        if not creds_id and not await self.store.first(settings_of(OPENAI), instanceId=owner):
            raise failure("Settings not found")
        raise failure("Error fetching models")


def key_of(body: Body) -> Body:
    """The assistant, or the model together with the tokens. Raises RefusalError where one is missing."""
    names = OPENAI.keys[body["botType"]]
    for name in names:
        if not body.get(name):
            raise failure(_REQUIRED[name])
    return {name: body[name] for name in names}


def _first_settings(body: Body) -> Body:
    """The settings that the first create makes: falsy texts and numbers count as left out."""
    return {
        "openaiCredsId": body["openaiCredsId"],
        **{
            name: body[name] if isinstance(body.get(name), bool) else body.get(name) or WITHOUT_ROW[name]
            for name in COPIED
            if name not in LAST_RESORT
        },
        "speechToText": False,
    }


def _inherited(body: Body, settings: Mapping[str, Any]) -> Body:
    """What a bot gets for what its create leaves out."""
    inherited: Body = {}
    for name in COPIED:
        if body.get(name) is None:
            value = settings.get(name)
            inherited[name] = LAST_RESORT.get(name) if value is None else value
    return inherited
