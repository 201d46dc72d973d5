"""The JSON Schema of a manifest, for editors: the model's, loosened to what the loader takes.

An editor reads `triggerValue: 1` as a number and `!file x` as the text x, so a text may be a number or a
boolean here. What the schema refuses, the loader refuses too; the loader knows more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from reconciler.domain.kinds import OPENAI, Field, Type
from reconciler.manifests.model import GENERATION, model

FILE = ".manifest.schema.json"
"""The schema's file beside the manifests, named in their first line. For its dot it is none of them."""

Json = dict[str, Any]

_TEXT = ["string", "number", "boolean"]


def document(*, folder: bool = False) -> str:
    """The schema of a manifest, or of a folder's `_defaults` file, as a JSON document with a newline."""
    return json.dumps(schema(folder=folder), indent=2, ensure_ascii=False) + "\n"


def schema(*, folder: bool = False) -> Json:
    """The same as a value."""
    made = _loosened(model(folder=folder).model_json_schema(schema_generator=_Generator))
    parts = made["$defs"]
    for name in ("Bot", "Defaults", "Settings"):
        _complete(parts[name]["properties"], OPENAI.settings if name == "Settings" else OPENAI.fields)
    # Not one of two shapes, of which an editor would only say that neither fits.
    parts["Bot"] |= {"type": ["object", "boolean"], "not": {"const": True}}
    [pattern] = made["properties"]["bots"]["patternProperties"]
    made["properties"]["bots"]["patternProperties"][pattern] = {"$ref": "#/$defs/Bot"}
    if not folder:
        # A tag cannot be seen here; what looks like the key itself can. No search for keys should find this.
        parts["Credential"]["properties"]["apiKey"] |= {"type": "string", "not": {"pattern": "^sk[-]"}}
        made["properties"]["credentials"]["propertyNames"]["not"] = {"pattern": GENERATION.pattern}
    made["properties"]["$schema"] = {"type": "string", "description": "Where an editor finds this schema."}
    made["patternProperties"] = {"^x-": {"description": "Holds anchors, and means nothing by itself."}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


class _Generator(GenerateJsonSchema):
    """Without the titles and defaults that pydantic makes up; names that fit no pattern are no names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return made | {"additionalProperties": False} if "patternProperties" in made else made


def _loosened(node: Any) -> Any:
    """Texts as they may be written. A key is a text always, and a choice is one of its words."""
    if isinstance(node, list):
        return [_loosened(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: value if key == "propertyNames" else _loosened(value) for key, value in node.items()}
    return made | {"type": _TEXT} if made.get("type") == "string" and "enum" not in made else made


def _complete(properties: Json, table: Mapping[str, Field]) -> None:
    """What the model does not know: units, the API's defaults, and for which bots a field is."""
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
