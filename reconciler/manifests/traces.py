"""Origins → traces: where values come from, for a plan, without keeping the nodes of every file."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from functools import cache

from reconciler.domain.origins import Trace
from reconciler.manifests.source import Origin
from reconciler.yaml import Node, SequenceNode, tag

_OTHER_NAMES = {"openaiCreds": "openaiCredsId", "fallback": "fallbackId"}


def traces(origins: Mapping[str, Origin], own: str) -> Mapping[str, Trace]:
    """The traces of values that another file than `own` or a folder's file declares, or with variables."""
    found: dict[str, Trace] = {}
    for name, origin in origins.items():
        source = origin.source
        if (
            source.file == own
            and not source.tags
            and not origin.variables
            and not origin.layer.startswith("folder")
        ):
            continue  # as nearly all
        places = _places(origin, own)
        if origin.variables or any(places):
            found[_OTHER_NAMES.get(name, name)] = _shared(places, tuple(origin.variables))
    return found


def _places(origin: Origin, own: str) -> tuple[str, ...]:
    node = origin.value
    if isinstance(node, SequenceNode) and any(tag(item) for item in node.value):
        return tuple(_place(origin, item, own) for item in node.value)
    return (_place(origin, node, own),)


def _place(origin: Origin, node: Node, own: str) -> str:
    if tag(node) == "!file":
        return os.path.normpath(origin.source.folder / str(node.value))
    if origin.source.file == own and not origin.layer.startswith("folder"):
        return ""
    at = origin.source.at(node)
    return f"{at.file}:{at.line}"


@cache
def _shared(places: tuple[str, ...], variables: tuple[str, ...]) -> Trace:
    """A Trace, one for all instances that have the same."""
    return Trace(places, variables)
