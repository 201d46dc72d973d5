"""The values of one file against the model: every error is reported at its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.domain.text import quoted
from reconciler.manifests import nodes
from reconciler.manifests.layer import EMPTY, Part
from reconciler.manifests.messages import wrong
from reconciler.manifests.model import model
from reconciler.manifests.nodes import Entries
from reconciler.manifests.source import Source
from reconciler.manifests.variables import VARIABLE
from reconciler.yaml import Node, SequenceNode


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What a file says. top: its keys. parts: defaults and settings. values: of the other keys but bots."""

    top: Entries
    values: Mapping[str, Any]
    parts: Mapping[str, Part]
    bots: Mapping[str, tuple[Node, Part | None]]


def check(source: Source, found: Unchecked, *, folder: bool, variables: bool) -> None:
    """Report what the model refuses, and remove it from the parts. variables: whether `${name}` is one."""
    given = {name: value for name, value in found.values.items() if value is not None}
    given |= {name: part.values for name, part in found.parts.items()}
    given["bots"] = {name: part.values if part else {} for name, (_, part) in found.bots.items()}
    try:
        model(folder=folder).model_validate(given)
        return
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for detail in errors:
        match detail["loc"]:
            case ("instance",) if "instance" not in found.top:
                source.report(None, wrong(detail, "instance"))
            case ("bots", str(bot), "[key]"):
                source.report(found.bots[bot][0], wrong(detail, f"the name {quoted(bot)}"))
            case ("bots", str(bot), _, str(name), *rest):
                _report(source, detail, found.bots[bot][1] or EMPTY, name, rest, variables=variables)
            case ("defaults" | "settings" as part, str(name), *rest):
                _report(source, detail, found.parts[part], name, rest, variables=variables)
            case ("vars", str(name), *_):
                declared = nodes.entries(source, found.top["vars"][1], "vars") or {}
                source.report(declared[name][0], wrong(detail, f"the name {quoted(name)}"))
            case (str(name), *rest):
                key, node = found.top[name]
                place = key if detail["type"] == "extra_forbidden" else _item(node, rest)
                source.report(place, wrong(detail, name))


def _report(
    source: Source, detail: ErrorDetails, part: Part, name: str, rest: list[Any], *, variables: bool
) -> None:
    origin = part.origins[name]
    if name == "openaiCreds" and detail["type"] != "string_type":
        return  # its names are checked one by one, after variables are filled in
    if detail["type"] == "string_too_long" and variables and VARIABLE in detail["input"]:
        return  # likewise
    part.values.pop(name, None)
    place = origin.key if detail["type"] == "extra_forbidden" else _item(origin.value, rest)
    source.report(place, wrong(detail, name))


def _item(node: Node, rest: Sequence[Any]) -> Node:
    """The item of a list that the error is about, else the whole."""
    at = next((part for part in rest if isinstance(part, int)), None)
    return node.value[at] if at is not None and isinstance(node, SequenceNode) else node
