"""What the controllers have in common: the fields of the rows, and the instance that a call names."""

from __future__ import annotations

from reconciler.domain.kinds import OPENAI
from reconciler.sandbox.refusals import failure
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.store import Store

COPIED = tuple(name for name, described in OPENAI.fields.items() if described.from_settings)
"""The fields that a bot and the settings have in common."""

WITHOUT_ROW = {name: OPENAI.fields[name].default for name in COPIED}
"""What the server takes for settings that do not exist."""


def own_fields(body: Body) -> Body:
    """The fields of a bot that a body has."""
    return {name: body[name] for name in OPENAI.fields if name in body}


async def instance_id(store: Store, call: Call) -> str:
    """The id of the instance that a call names. Raises RefusalError."""
    row = await store.first("instances", name=call.params["instanceName"])
    if row is None:
        raise failure("Cannot read properties of null (reading 'id')")
    return str(row["id"])
