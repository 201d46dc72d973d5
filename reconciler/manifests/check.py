"""The values of one file against the models: every error is reported at its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from reconciler.domain.records import dataclass
from reconciler.domain.text import quoted
from reconciler.manifests import nodes
from reconciler.manifests.layer import Part
from reconciler.manifests.messages import wrong, wrong_key
from reconciler.manifests.nodes import Entries
from reconciler.manifests.source import Source
from reconciler.manifests.validators import section, top
from reconciler.manifests.variables import ENV, VARIABLE
from reconciler.yaml import Node, SequenceNode


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What a file says. top: its keys. values: of those that are no section. parts: each with its section."""

    top: Entries
    values: Mapping[str, Any]
    parts: Sequence[tuple[str, Part]]
    bots: Mapping[str, tuple[Node, Part | None]]


def check(source: Source, found: Unchecked, *, folder: bool, variables: bool) -> None:
    """Report what the models refuse, and remove it from the parts. variables: whether `${name}` is one."""
    _check_top(source, found, folder=folder)
    parts = [*found.parts, *(("bot", part) for _, part in found.bots.values() if part)]
    for name, part in parts:
        for detail in _errors(section(name, part.kind), part.values):
            _report(source, detail, name, part, variables=variables)


def _check_top(source: Source, found: Unchecked, *, folder: bool) -> None:
    given = {name: value for name, value in found.values.items() if value is not None}
    given["bots"] = dict.fromkeys(found.bots)
    for detail in _errors(top(folder=folder), given):
        match detail["loc"]:
            case ("instance",) if "instance" not in found.top:
                source.report(None, wrong(detail, "instance"))
            case ("bots", str(bot), *_):
                source.report(found.bots[bot][0], wrong(detail, f"the name {quoted(bot)}"))
            case ("vars", str(name), *_):
                declared = nodes.entries(source, found.top["vars"][1], "vars") or {}
                source.report(declared[name][0], wrong(detail, f"the name {quoted(name)}"))
            case (str(name),) if detail["type"] == "extra_forbidden":
                source.report(found.top[name][0], wrong_key(name))
            case (str(name), *rest):
                source.report(_item(found.top[name][1], rest), wrong(detail, name))


def _errors(validator: SchemaValidator, values: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        validator.validate_python(values)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _report(source: Source, detail: ErrorDetails, section: str, part: Part, *, variables: bool) -> None:
    name, *rest = detail["loc"]
    name = str(name)
    origin = part.origins[name]
    if name == "openaiCreds" and detail["type"] not in {"string_type", "extra_forbidden"}:
        return  # its names are checked one by one, after variables are filled in
    if detail["type"] == "string_too_long" and (VARIABLE if variables else ENV) in detail["input"]:
        return  # likewise
    part.values.pop(name, None)
    if detail["type"] == "extra_forbidden":
        source.report(origin.key, wrong_key(name, section, part.kind))
    else:
        source.report(_item(origin.value, rest), wrong(detail, name, section, part.kind))


def _item(node: Node, rest: Sequence[Any]) -> Node:
    """The item of a list that the error is about, else the whole."""
    at = next((part for part in rest if isinstance(part, int)), None)
    return node.value[at] if at is not None and isinstance(node, SequenceNode) else node
