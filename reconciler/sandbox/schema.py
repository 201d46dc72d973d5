"""What requests carry, and what bodies must look like: the server's JSON schemas, and its validator's words.

Mirrors the parts of the npm package jsonschema that those schemas use, in its order: every property (its
type, its enum, its items), then what is required, then what may not be empty. That last rule is switched on
only when the body has no key beyond those that it names, a quirk that the recordings show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.domain.kinds import Field, Kind, Type
from reconciler.domain.kinds.common import SPLIT
from reconciler.domain.records import dataclass

Body = dict[str, Any]
"""A request's body: an object, or an array by its indices."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in.

    params: what the path names, instanceName above all; a query string replaces what is of the same name.
    key: the caller's apikey.
    """

    params: Mapping[str, str]
    body: Body
    key: str = ""


_LOW_SURROGATE = re.compile("[\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class Property:
    """What one property may be. type: JSON's name of it. items: the type of each item of an array."""

    type: str
    choices: tuple[str, ...] = ()
    items: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """What a body may be. not_empty: texts that may not be "" in a body of these keys alone."""

    properties: Mapping[str, Property]
    required: tuple[str, ...] = ()
    not_empty: tuple[str, ...] = ()


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
}


def errors(body: Body, schema: Schema) -> list[str]:
    """What is wrong with a body, in the server's words and order; nothing when it is valid."""
    return [*_of_properties(body, schema), *_missing(body, schema), *_empty(body, schema)]


def _of_properties(body: Body, schema: Schema) -> Iterator[str]:
    for name, allowed in schema.properties.items():
        if name not in body:
            continue
        value = body[name]
        if not _TYPES[allowed.type](value):
            yield f"{name} is not of a type(s) {allowed.type}"
        if allowed.choices and value not in allowed.choices:
            yield f"{name} is not one of enum values: {','.join(allowed.choices)}"
        if allowed.items and isinstance(value, list):
            for index, item in enumerate(value):
                if not _TYPES[allowed.items](item):
                    yield f"{name}[{index}] is not of a type(s) {allowed.items}"
        if allowed.pattern and isinstance(value, str) and not re.search(allowed.pattern, value, re.ASCII):
            yield f"{name} does not match pattern {_quoted(allowed.pattern)}"


def _missing(body: Body, schema: Schema) -> Iterator[str]:
    return (f'instance requires property "{name}"' for name in schema.required if name not in body)


def _empty(body: Body, schema: Schema) -> Iterator[str]:
    if not body.keys() <= set(schema.not_empty):
        return
    for name in schema.not_empty:
        value = body.get(name)
        # The validator counts UTF-16 units without low surrogates, so that one alone is empty too.
        if isinstance(value, str) and not _LOW_SURROGATE.sub("", value):
            yield f'The "{name}" cannot be empty'


def _quoted(pattern: str) -> str:
    return '"' + pattern.replace("\\", "\\\\") + '"'


def _property(field: Field) -> Property:
    if field.type is Type.TEXTS:
        return Property("array", items="string")
    if field.type is Type.ENUM:
        return Property("string", field.choices)
    return Property({Type.BOOL: "boolean", Type.INT: "integer", Type.TEXT: "string"}[field.type])


def bot(kind: Kind) -> Schema:
    """The schema of a kind's bots. A misnamed property stands in the place of the field that it means."""
    misnamed = {kept: name for name, kept in kind.schema.misnamed.items()}
    properties = {
        misnamed.get(name, name): _property(field)
        for name, field in kind.fields.items()
        if name in misnamed or name not in kind.schema.unchecked
    }
    return _object(properties, required=kind.schema.required)


def settings(kind: Kind) -> Schema:
    """The schema of a kind's settings."""
    last = {"ignoreJids", *SPLIT}
    own = {name: _property(field) for name, field in kind.settings.items()}
    properties = {
        **({kind.credential: _TEXT} if kind.credential else {}),
        **{name: allowed for name, allowed in own.items() if name not in last},
        "ignoreJids": own["ignoreJids"],
        **dict.fromkeys(kind.schema.misnamed_settings, _TEXT),
        **{name: own[name] for name in own if name in SPLIT - kind.schema.unchecked_settings},
    }
    return _object(properties, required=kind.schema.required_settings)


def _object(
    properties: Mapping[str, Property], *, required: tuple[str, ...], not_empty: tuple[str, ...] | None = None
) -> Schema:
    return Schema(properties, required, required if not_empty is None else not_empty)


_TEXT = Property("string")
CREDS = _object({"name": _TEXT, "apiKey": _TEXT}, required=("name", "apiKey"))
STATUS = _object(
    {"remoteJid": _TEXT, "status": Property("string", ("opened", "closed", "paused", "delete"))},
    required=("remoteJid", "status"),
)
IGNORE_JID = _object(
    {"remoteJid": _TEXT, "action": Property("string", ("add", "remove"))}, required=("remoteJid", "action")
)
INSTANCE = _object(
    {
        "instanceName": _TEXT,
        "token": _TEXT,
        "number": Property("string", pattern=r"^\d+[\.@\w-]+"),
        "businessId": _TEXT,
        "qrcode": Property("boolean"),
        "rejectCall": Property("boolean"),
        "msgCall": _TEXT,
        "groupsIgnore": Property("boolean"),
        "alwaysOnline": Property("boolean"),
        "readMessages": Property("boolean"),
        "readStatus": Property("boolean"),
        "syncFullHistory": Property("boolean"),
        "wavoipToken": _TEXT,
    },
    required=(),
    not_empty=("instanceName",),
)
