"""What the controllers have in common: fields of rows, and the instance that a call names."""

from __future__ import annotations

from reconciler.domain.kinds import Kind
from reconciler.domain.kinds.common import COPIED, settings
from reconciler.sandbox.refusals import failure
from reconciler.sandbox.schema import Body, Call
from reconciler.sandbox.store import Store

WITHOUT_ROW = {name: field.default for name, field in settings().items()}
"""What the server takes for settings that do not exist."""

LAST_RESORT: Body = {"splitMessages": False, "timePerChar": 0}
"""What a bot gets where neither its body nor the settings say."""


def own_fields(kind: Kind, body: Body) -> Body:
    """The fields of a bot that a body has."""
    return {name: body[name] for name in kind.fields if name in body}


def copied(body: Body) -> Body:
    """The fields of a body that bots and settings have in common."""
    return {name: body[name] for name in COPIED if name in body}


def is_falsy(value: object) -> bool:
    """As in JavaScript, where an empty list or object is true."""
    return not value and not isinstance(value, list | dict)


def id_parameter(kind: Kind) -> str:
    """What the paths of the server call a bot's id: a query string can replace it by this name."""
    return _ID_PARAMETERS.get(kind.path, f"{kind.path}Id")


_ID_PARAMETERS = {"openai": "openaiBotId"}


async def instance_id(store: Store, call: Call) -> str:
    """The id of the instance that a call names. Raises RefusalError."""
    row = await store.first("instances", name=call.params["instanceName"])
    if row is None:
        raise failure("Cannot read properties of null (reading 'id')")
    return str(row["id"])
