"""What 2.2.3 does differently from 2.3.6, in the words and order of its source. It has no n8n and no Evo AI.

OpenAI is proved by recorded sequences for creates with settings, reads, updates, deletes, settings and
credentials. After the source alone are OpenAI's creates without settings, and all of the other kinds.
Sessions and models are those of 2.3.6.
"""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED
from reconciler.domain.records import dataclass, replace
from reconciler.sandbox.bots import Bots
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.kinds_2_2 import NOTHING_SET, TYPEBOT_DEFAULTS, WORDS, Words, without_younger
from reconciler.sandbox.openai import key_of
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import LAST_RESORT, copied, instance_id, is_falsy, own_fields
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import DatabaseError, Row, bots_of, settings_of


@dataclass(frozen=True, slots=True)
class Bots22(Bots):
    """The controller of a kind's bots in 2.2.3."""

    @property
    def _words(self) -> Words:
        return WORDS[self.kind.path]

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        data = await self._completed(call, owner)
        if data["triggerType"] == "all":
            await self._check_all(owner, None)
        await self._check_keys(owner, data, None)
        await self._check_trigger(owner, data, None)
        row = {**own_fields(self.kind, data), "instanceId": owner}
        try:
            return self._shown(await self.store.insert(bots_of(self.kind), row))
        except DatabaseError as error:
            raise failure(f"Error creating {self._words.bot}") from error

    async def _completed(self, call: Call, owner: str) -> Body:
        """The body with the settings' values; those are read, and made, only if something in it is falsy."""
        data = dict(call.body)
        needed = (self.kind.credential,) if self.kind.credential else ()
        if not any(is_falsy(data.get(name)) for name in (*needed, *COPIED)):
            return data
        settings = await self.store.first(settings_of(self.kind), instanceId=owner)
        for name in COPIED:
            if data.get(name) is not None:
                continue
            if settings is None and name not in LAST_RESORT:
                raise failure(f"Cannot read properties of null (reading '{name}')")
            value = settings[name] if settings else None
            data[name] = LAST_RESORT.get(name) if value is None else value
        for name in needed:
            if not data[name]:
                raise failure("Openai Creds Id is required")
        if settings is None:
            await self.settings.save(replace(call, body={name: data[name] for name in (*needed, *COPIED)}))
        return data

    async def find(self, call: Call) -> list[Row] | None:
        found = await Bots.find(self, call) or []
        return [self._shown(row) for row in found] or None

    async def fetch(self, call: Call) -> Row | None:
        return self._shown(await self._own_bot(call, self._words.missing[0]))

    async def update(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        bot_id = (await self._own_bot(call, self._words.missing[0]))["id"]
        if call.body["triggerType"] == "all":
            await self._check_all(owner, bot_id)
        await self._check_keys(owner, call.body, bot_id)
        await self._check_trigger(owner, call.body, bot_id)
        values = own_fields(self.kind, call.body)
        try:
            return self._shown(await self.store.update(bots_of(self.kind), bot_id, values))
        except DatabaseError as error:
            raise failure(f"Error updating {self._words.bot}") from error

    async def delete(self, call: Call) -> Row:
        bot = await self._own_bot(call, self._words.missing[1])
        await self._delete(bot["id"])
        return {self._words.deleted: {"id": bot["id"]}}

    async def _own_bot(self, call: Call, missing: str) -> Row:
        owner = await instance_id(self.store, call)
        bot = await self._bot(call)
        if bot is None or bot["instanceId"] != owner:
            raise failure(f"{missing} not found")
        return bot

    def _duplicate(self, but: str | None) -> str:
        return f"{self._words.duplicate[but is not None]} already exists"

    def _second_all(self, but: str | None) -> str:
        return self._words.all[but is not None]

    def _shown(self, row: Row) -> Row:
        return without_younger(self.kind, row)


@dataclass(frozen=True, slots=True)
class OpenaiBots22(Bots22):
    """The controller of OpenAI's bots in 2.2.3."""

    def _key(self, body: Body, but: str | None) -> Body:
        """An update also collides with what a bot of the other botType has left behind."""
        return {**key_of(body), **({"botType": body["botType"]} if but is None else {})}


@dataclass(frozen=True, slots=True)
class TypebotBots22(Bots22):
    """The controller of Typebots in 2.2.3."""

    async def _completed(self, call: Call, owner: str) -> Body:
        if not any(is_falsy(call.body.get(name)) for name in TYPEBOT_DEFAULTS):
            return call.body
        settings = await self.store.first(settings_of(self.kind), instanceId=owner)
        data = dict(call.body)
        for name, last in TYPEBOT_DEFAULTS.items():
            if is_falsy(data.get(name)):
                inherited = (settings or {}).get(name)
                data[name] = last if is_falsy(inherited) else inherited
        if settings is None:
            await self.settings.save(replace(call, body=copied(data)))
        return data


@dataclass(frozen=True, slots=True)
class Settings22(Settings):
    """The controller of a kind's settings in 2.2.3. The fallback has the row's name in bodies and answers."""

    async def save(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            existing = await self.store.first(settings_of(self.kind), instanceId=owner)
            names = self._names()
            values = {name: call.body[name] for name in names if name in call.body}
            if existing is None:
                row = await self.store.insert(settings_of(self.kind), {**values, "instanceId": owner})
            else:
                row = await self.store.update(settings_of(self.kind), existing["id"], values)
        except (DatabaseError, RefusalError) as error:
            raise failure("Error setting default settings") from error
        return {name: row[name] for name in names}

    async def fetch(self, call: Call) -> Row:
        row = await Settings.fetch(self, call)
        names = [name for name in self._names() if name != "debounceTime"]
        if "id" not in row:
            values = {**NOTHING_SET, self.kind.fallback: WORDS[self.kind.path].no_fallback}
            return {**{name: values.get(name) for name in names}, "fallback": None}
        fallback = row["fallback"]
        return {
            **{name: row[name] for name in names},
            "fallback": fallback and without_younger(self.kind, fallback),
        }

    def _names(self) -> tuple[str, ...]:
        return (
            *((self.kind.credential,) if self.kind.credential else ()),
            *self.kind.settings,
            self.kind.fallback,
        )


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
