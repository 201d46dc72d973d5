"""The first manifest of a new repository: a shop with a bot or two. Reads templates and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.domain.kinds import DEFAULT, Field, Kind
from reconciler.setup.shipped import TEMPLATES

PROMPT = "bots/prompts/atendimento.md"


def files(kind: Kind) -> dict[str, str]:
    """The manifest as "", and the text that it includes by its path.

    The default kind's is written by hand; the others are one bot with what its kind needs, by its table.
    """
    if kind is DEFAULT:
        return {"": _template("bots/instance.yaml"), PROMPT: _template(PROMPT)}
    return {"": _template("kind.yaml").replace("KIND", kind.path) + "".join(_lines(kind))}


def _template(path: str) -> str:
    return (TEMPLATES / path).read_text(encoding="utf-8")


def _lines(kind: Kind) -> Iterator[str]:
    types = {name: field.choices[0] for name, field in kind.fields.items() if field.choices}
    needed = {*kind.key(types), *(name for name, field in kind.fields.items() if field.required)}
    for name, field in kind.fields.items():
        if name in needed and name != "triggerType":
            yield f"    # {field.about}\n    {name}: {_value(kind, field)}\n"


def _value(kind: Kind, field: Field) -> str:
    if field.hides == "whole":
        return f"!env {_upper(kind.path)}_{_upper(field.name)}"
    if field.hides == "url":
        return f"https://{kind.path.lower()}.example.com"
    return field.choices[0] if field.choices else "atendimento"


def _upper(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper()
