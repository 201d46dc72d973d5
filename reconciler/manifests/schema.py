"""The JSON Schema of a manifest, for editors: the model's, with the types that the loader accepts.

An editor reads `triggerValue: 1` as a number and `!file x` as the text x, so a text may be a number or a
boolean here. The loader refuses all that the schema refuses, and more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from reconciler.domain.kinds import OPENAI, Field, Type
from reconciler.manifests.model import VERSION_SUFFIX, model

FILE = ".manifest.schema.json"
"""The schema's file beside the manifests, named in their first line. The dot hides it from the loader."""

Json = dict[str, Any]

_TEXT = ["string", "number", "boolean"]


def document(*, folder: bool = False) -> str:
    """The schema of a manifest, or of a folder's `_defaults` file, as a JSON document with a newline."""
    return json.dumps(schema(folder=folder), indent=2, ensure_ascii=False) + "\n"


def schema(*, folder: bool = False) -> Json:
    """The schema as a value."""
    made = _loosened(model(folder=folder).model_json_schema(schema_generator=_Generator))
    parts = made["$defs"]
    for name in ("Bot", "Defaults", "Settings"):
        _complete(parts[name]["properties"], OPENAI.settings if name == "Settings" else OPENAI.fields)
    # One type, as editors report of two types only that neither fits.
    parts["Bot"] |= {"type": ["object", "boolean"], "not": {"const": True}}
    [pattern] = made["properties"]["bots"]["patternProperties"]
    made["properties"]["bots"]["patternProperties"][pattern] = {"$ref": "#/$defs/Bot"}
    if not folder:
        # It cannot see a tag, but it can see a key. [-] keeps scanners for keys from finding one here.
        parts["Credential"]["properties"]["apiKey"] |= {"type": "string", "not": {"pattern": "^sk[-]"}}
        made["properties"]["credentials"]["propertyNames"]["not"] = {"pattern": VERSION_SUFFIX.pattern}
    made["properties"]["$schema"] = {"type": "string", "description": "Where an editor finds this schema."}
    made["patternProperties"] = {"^x-": {"description": "A place for anchors. Ignored otherwise."}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


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
    if field.type is Type.TEXT:
        parts.append("`!file PATH` puts a text file's content here.")
    if field.type is Type.TEXTS:
        parts.append("An item `!file PATH` is a text file's content.")
    return " ".join(parts)
