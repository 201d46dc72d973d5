"""What model.py says, for the values of manifests: validators of pydantic-core, made from the same tables.

The models are for the JSON Schema. To import pydantic and to build them takes as long as to parse 50
manifests, and its core, which validates for them too, a quarter of that. Both find the same errors: a test
compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from reconciler.domain import signals
from reconciler.domain.kinds import INT32_MAX, KINDS, Field, Kind, Type
from reconciler.manifests.tables import BOT_NAME, CREDENTIAL, IDENTIFIER, MAX_NAME, ON_DRIFT, fields, keys

_STRICT = CoreConfig(strict=True, extra_fields_behavior="forbid")
_TEXT = core_schema.str_schema()
_NAME = core_schema.str_schema(max_length=64, pattern=BOT_NAME)
_NAMES = core_schema.tuple_variable_schema(_NAME)
_LONG_NAME = core_schema.str_schema(min_length=1, max_length=MAX_NAME)


@cache
@signals.held()
def top(*, folder: bool) -> SchemaValidator:
    """Validates what a manifest, or a folder's file, says beside its sections and credentials."""
    identifier = core_schema.str_schema(pattern=rf"^{IDENTIFIER}$")
    found: dict[str, CoreSchema] = {
        "server": _TEXT,
        "vars": core_schema.dict_schema(identifier, _TEXT),
        "silence": _NAMES,
        "bots": core_schema.dict_schema(_NAME, core_schema.any_schema()),
    }
    return _mapping(found if folder else {"instance": _LONG_NAME, **found})


@cache
@signals.held()
def section(name: str, kind: Kind | None) -> SchemaValidator:
    """Validates a section: "bot", "defaults" or "settings". kind: None for all kinds together."""
    table, known = fields(name, kind), keys(name, kind)
    made = {key: _field(field) for key, field in table.items()}
    if name == "settings":
        merge = _inner({"merge": core_schema.tuple_variable_schema(_TEXT)})
        made |= {CREDENTIAL[0]: _LONG_NAME, "fallback": _TEXT}
        made["ignoreJids"] = _either(core_schema.tuple_variable_schema(_TEXT), merge)
    else:
        shared = _inner({"instance": _LONG_NAME, "name": _LONG_NAME})
        made |= {
            "kind": core_schema.literal_schema([*KINDS]),
            CREDENTIAL[0]: _either(_LONG_NAME, shared),
            "onDrift": core_schema.literal_schema([*ON_DRIFT]),
            "silence": _NAMES,
            "previously": _NAMES,
        }
    return _mapping({key: value for key, value in made.items() if key in known})


def _mapping(found: Mapping[str, CoreSchema]) -> SchemaValidator:
    named = {key: core_schema.typed_dict_field(value, required=False) for key, value in found.items()}
    return SchemaValidator(core_schema.typed_dict_schema(named, config=_STRICT), _STRICT)


def _inner(found: Mapping[str, CoreSchema]) -> CoreSchema:
    """A mapping that must have all of its keys."""
    named = {key: core_schema.typed_dict_field(value) for key, value in found.items()}
    return core_schema.typed_dict_schema(named, config=_STRICT)


def _either(plain: CoreSchema, mapping: CoreSchema) -> CoreSchema:
    """One of two types, of which one is a mapping."""
    return core_schema.tagged_union_schema(
        {"plain": plain, "mapping": mapping},
        lambda value: "mapping" if isinstance(value, dict) else "plain",
    )


def _field(field: Field) -> CoreSchema:
    match field.type:
        case Type.BOOL:
            return core_schema.bool_schema()
        case Type.INT:
            return core_schema.int_schema(ge=field.minimum, le=INT32_MAX)
        case Type.TEXT:
            return core_schema.str_schema(max_length=field.limit)
        case Type.ENUM:
            return core_schema.literal_schema([*field.choices])
        case Type.TEXTS:
            return core_schema.tuple_variable_schema(core_schema.str_schema(max_length=field.limit))
