"""The JSON Schema of a manifest, for editors: the model's, with the types that the loader accepts.

An editor reads `triggerValue: 1` as a number and `!file x` as the text x, so a text may be a number or a
boolean here. The loader refuses all that the schema refuses, and more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from reconciler.domain.kinds import DEFAULT, KINDS, Field, Kind, Type
from reconciler.manifests.model import model, section
from reconciler.manifests.tables import VERSION_SUFFIX, fields

FILE = ".manifest.schema.json"
"""The schema's file beside the manifests, named in their first line. The dot hides it from the loader."""

FOLDER_FILE = ".defaults.schema.json"
"""The same for the `_defaults` file of a folder."""

Json = dict[str, Any]

_TEXT = ["string", "number", "boolean"]


def document(*, folder: bool = False) -> str:
    """The schema of a manifest, or of a folder's `_defaults` file, as a JSON document with a newline."""
    return json.dumps(schema(folder=folder), indent=2, ensure_ascii=False) + "\n"


def schema(*, folder: bool = False) -> Json:
    """The schema as a value."""
    made = _generated(model(folder=folder))
    parts: Json = made.setdefault("$defs", {})
    sections = _Sections(parts)
    properties = made["properties"]
    properties["defaults"] = sections.named("defaults", None)
    properties["settings"] = sections.named("settings", DEFAULT)
    properties["kinds"] |= {
        "type": "object",
        "properties": {path: _of_kind(sections, kind) for path, kind in KINDS.items()},
        "additionalProperties": False,
    }
    parts["Bot"] = _bot(sections)
    [pattern] = properties["bots"]["patternProperties"]
    properties["bots"]["patternProperties"][pattern] = {"$ref": "#/$defs/Bot"}
    parts["Test"]["oneOf"] = [
        {"required": ["message", "bot"], "not": {"required": ["drop"]}},
        {"required": ["name", "drop"], "maxProperties": 2},
    ]
    if not folder:
        # It cannot see a tag, but it can see a key. [-] keeps scanners for keys from finding one here.
        parts["Credential"]["properties"]["apiKey"] |= {"type": "string", "not": {"pattern": "^sk[-]"}}
        properties["credentials"]["propertyNames"]["not"] = {"pattern": VERSION_SUFFIX.pattern}
    properties["$schema"] = {"type": "string", "description": "Where an editor finds this schema."}
    made["patternProperties"] = {"^x-": {"description": "A place for anchors. Ignored otherwise."}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _of_kind(sections: _Sections, kind: Kind) -> Json:
    return {
        "type": "object",
        "description": f"What belongs to the bots of kind {kind.path} alone.",
        "properties": {name: sections.named(name, kind) for name in ("defaults", "settings")},
        "additionalProperties": False,
    }


def _bot(sections: _Sections) -> Json:
    """A bot of each kind, by its `kind`; one without may have inherited it, so any field is right there.

    An editor offers OpenAI's fields for that: it offers no property that only a pattern allows.
    """
    whole, default = sections.whole("bot", None), sections.whole("bot", DEFAULT)["properties"]
    others = {f"^{name}$": field for name, field in whole["properties"].items() if name not in default}
    offered = {name: whole["properties"][name] for name in default}
    open_ = whole | {"properties": offered, "patternProperties": others}
    cases = [
        {
            "if": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": path}}},
            "then": sections.named("bot", kind),
        }
        for path, kind in KINDS.items()
    ]
    none = {"if": {"type": "object", "not": {"required": ["kind"]}}, "then": open_}
    return {
        "description": open_.pop("description"),
        # One type, as editors report of two types only that neither fits.
        "type": ["object", "boolean"],
        "not": {"const": True},
        "properties": {"kind": offered["kind"]},
        "allOf": [*cases, none],
    }


class _Sections:
    """The sections, each a definition of the schema; a field or section that is there twice is one."""

    def __init__(self, parts: Json) -> None:
        self._parts = parts
        self._names: dict[str, str] = {}

    def named(self, name: str, kind: Kind | None) -> Json:
        """A reference to the section. kind: None for all kinds together."""
        return self._reference(f"{kind.title if kind else ''}{name.capitalize()}", self.whole(name, kind))

    def whole(self, name: str, kind: Kind | None) -> Json:
        """The section, with references to its fields."""
        made = _generated(section(name, kind))
        del made["title"]
        self._parts |= made.pop("$defs", {})
        _complete(made["properties"], fields(name, kind))
        references = {key: self._reference(key, field) for key, field in made["properties"].items()}
        return {**made, "properties": references}

    def _reference(self, name: str, part: Json) -> Json:
        content = json.dumps(part, sort_keys=True)
        if content not in self._names:
            taken = sum(each.partition("-")[0] == name for each in self._names.values())
            self._names[content] = f"{name}-{taken + 1}" if taken else name
            self._parts[self._names[content]] = part
        return {"$ref": f"#/$defs/{self._names[content]}"}


def _generated(model: type[BaseModel]) -> Json:
    return cast("Json", _loosened(model.model_json_schema(schema_generator=_Generator)))


class _Generator(GenerateJsonSchema):
    """Without pydantic's titles and defaults; a name that fits no pattern is refused."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return made | {"additionalProperties": False} if "patternProperties" in made else made


def _loosened(node: Any) -> Any:
    """Let texts be numbers or booleans, but not keys and choices."""
    if isinstance(node, list):
        return [_loosened(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: value if key == "propertyNames" else _loosened(value) for key, value in node.items()}
    return made | {"type": _TEXT} if made.get("type") == "string" and "enum" not in made else made


def _complete(properties: Json, table: Mapping[str, Field]) -> None:
    """Add what the model does not have: units, the API's defaults, and the bots that a field is for."""
    for name, field in table.items():
        properties[name]["description"] = _about(field)
        if field.default is not None:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            properties[name]["default"] = default


def _about(field: Field) -> str:
    parts = [field.about]
    if field.unit:
        parts.append(f"In {field.unit}.")
    for what, which in (("botType", field.bot_types), ("triggerType", field.trigger_types)):
        if which is not None:
            parts.append(f"For {what} {' and '.join(sorted(which))}.")
    if field.hides == "whole":
        parts.append("Where to find it: !env NAME or !secret-file PATH. Never the secret itself.")
    elif field.type is Type.TEXT:
        parts.append("`!file PATH` puts a text file's content here.")
    if field.type is Type.TEXTS:
        parts.append("An item `!file PATH` is a text file's content.")
    return " ".join(parts)
