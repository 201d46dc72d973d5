"""The bots of 2.3.6: creates, reads, updates, deletes, and what no two bots of a kind may share."""

from __future__ import annotations

from reconciler.domain.kinds import Kind
from reconciler.domain.kinds.common import COPIED
from reconciler.domain.records import dataclass, replace
from reconciler.sandbox.refusals import RefusalError, failure
from reconciler.sandbox.rows import LAST_RESORT, copied, id_parameter, instance_id, is_falsy, own_fields
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import DatabaseError, Row, Store, bots_of, settings_of


@dataclass(frozen=True, slots=True)
class Bots:
    """The controller of a kind's bots. settings: the first create in an instance makes them."""

    store: Store
    kind: Kind
    settings: Settings

    async def create(self, call: Call) -> Row:
        owner = await instance_id(self.store, call)
        if "create" in self.kind.keys_checked:
            await self._check_keys(owner, call.body, None)
        data = await self._completed(call, owner)
        if call.body["triggerType"] == "all":
            await self._check_all(owner, None)
        await self._check_trigger(owner, call.body, None)
        row = {**own_fields(self.kind, data), "instanceId": owner}
        try:
            return await self.store.insert(bots_of(self.kind), row)
        except DatabaseError as error:
            raise failure(f"Error creating {self.kind.title}") from error

    async def find(self, call: Call) -> list[Row] | None:
        return await self.store.all(bots_of(self.kind), instanceId=await instance_id(self.store, call))

    async def fetch(self, call: Call) -> Row | None:
        try:
            return await self._bot(call)
        except DatabaseError as error:
            raise failure(f"Error fetching {self.kind.title}") from error

    async def update(self, call: Call) -> Row:
        try:
            owner = await instance_id(self.store, call)
            bot_id = await self._bot_id(call, owner)
            if call.body["triggerType"] == "all":
                await self._check_all(owner, bot_id)
            await self._check_keys(owner, call.body, bot_id)
            await self._check_trigger(owner, call.body, bot_id)
            return await self.store.update(bots_of(self.kind), bot_id, own_fields(self.kind, call.body))
        except (DatabaseError, RefusalError) as error:
            raise failure(f"Error updating {self.kind.title}") from error

    async def delete(self, call: Call) -> Row:
        try:
            bot_id = await self._bot_id(call, await instance_id(self.store, call))
            await self._delete(bot_id)
        except (DatabaseError, RefusalError) as error:
            raise failure(f"Error deleting {self.kind.title} bot") from error
        return {"bot": {"id": bot_id}}

    async def _delete(self, bot_id: str) -> None:
        for session in await self.store.all("sessions", botId=bot_id):
            await self.store.delete("sessions", session["id"])
        await self.store.delete(bots_of(self.kind), bot_id)

    async def _completed(self, call: Call, owner: str) -> Body:
        """The body with the settings' values. They are read, and made, only if something in it is falsy."""
        if not any(is_falsy(call.body.get(name)) for name in COPIED):
            return call.body
        found = await self.store.first(settings_of(self.kind), instanceId=owner)
        inherited = copied(found or {})
        inherited |= {name: value for name, value in LAST_RESORT.items() if inherited.get(name) is None}
        given = {name: value for name, value in call.body.items() if name not in COPIED or value is not None}
        data = {**inherited, **given}
        if found is None:
            await self.settings.save(replace(call, body=copied(data)))
        return data

    async def _bot(self, call: Call) -> Row | None:
        return await self.store.first(bots_of(self.kind), id=call.params[id_parameter(self.kind)])

    async def _bot_id(self, call: Call, owner: str) -> str:
        bot = await self._bot(call)
        if bot is None or bot["instanceId"] != owner:
            raise failure(f"{self.kind.title} not found")
        return str(bot["id"])

    def _key(self, body: Body, but: str | None) -> Body:
        """What no other bot may have. What is left out, or an empty object, is no condition."""
        return {name: body[name] for name in self.kind.key(body) if body.get(name, {}) != {}}

    def _duplicate(self, but: str | None) -> str:
        return f"{self.kind.title} already exists"

    def _second_all(self, but: str | None) -> str:
        """What there can be one of, in the message."""
        return self.kind.title

    async def _check_keys(self, owner: str, body: Body, but: str | None) -> None:
        key = self._key(body, but)
        if await self.store.first(bots_of(self.kind), but=but, instanceId=owner, **key):
            raise failure(self._duplicate(but))

    async def _check_all(self, owner: str, but: str | None) -> None:
        taken = {"enabled": True, "triggerType": "all", "instanceId": owner}
        if await self.store.first(bots_of(self.kind), but=but, **taken):
            raise failure(
                f'You already have a {self._second_all(but)} with an "All" trigger, '
                "you cannot have more bots while it is active"
            )

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
        if await self.store.first(bots_of(self.kind), but=but, instanceId=owner, **parts):
            raise failure("Trigger already exists")
