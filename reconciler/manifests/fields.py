"""The fields of a bot, of defaults or of settings: a mapping's nodes → a Part. Errors go to the Source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from sys import intern
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.kinds import DEFAULT, KINDS, Field, Kind
from reconciler.domain.markers import claimed
from reconciler.domain.text import near, quoted
from reconciler.manifests import nodes
from reconciler.manifests.credentials import secret
from reconciler.manifests.layer import Part
from reconciler.manifests.messages import misnamed, no_kind
from reconciler.manifests.nodes import Entries
from reconciler.manifests.source import Origin, Source
from reconciler.manifests.tables import fields, keys
from reconciler.manifests.variables import VARIABLE
from reconciler.yaml import MappingNode, Node, ScalarNode, tag

_OF_THE_SERVER = frozenset({"id", "createdAt", "updatedAt", "instanceId"})
"""What every row of the server has, and no manifest."""

_NOTHING = ("", "null", "Null", "NULL", "~")


def part(
    source: Source, node: Node, what: str, section: str, kind: Kind | None, *, folder: bool, layer: str = ""
) -> Part:
    """What a mapping says. what: its name in errors. section: "bot", "defaults" or "settings".

    kind: of the bots that it is about, None for all kinds; a bot may say another one. layer: of its values'
    origins, by default the section.
    """
    found = nodes.entries(source, node, what)
    if found is None:
        return Part({}, {}, whole=False, kind=kind)
    if section == "bot" and "kind" in found:
        kind = kind_named(source, found["kind"][1])
        if kind is None:
            return Part({}, {}, whole=False)
    if not _OF_THE_SERVER.isdisjoint(found):
        _report_row(source, found, section, None if kind is DEFAULT else kind)
        return Part({}, {}, whole=False, kind=kind)
    readers = _readers(section, kind)
    values: dict[str, Any] = {}
    for name, (_, value_node) in found.items():
        reader = readers.get(name)
        value = reader(source, value_node, name) if reader else ""  # which the model refuses
        if type(value) is str:
            values[name] = intern(value)
        elif value is not None:
            values[name] = tuple(map(intern, value)) if type(value) is tuple else value
    layer = f"folder {layer or section}" if folder else layer or section
    origins = {name: Origin(source, *pair, layer) for name, pair in found.items()}
    return Part(origins, values, kind=kind)


def kind_named(source: Source, node: Node) -> Kind | None:
    """The kind that a text names; None where there is no such kind."""
    name = nodes.text(source, node, "kind")
    if name is not None and name not in KINDS:
        source.report(node, no_kind(name))
    return None if name is None else KINDS.get(name)


def _report_row(source: Source, found: Entries, section: str, kind: Kind | None) -> None:
    """Report a row that was copied from the server, with all keys that a manifest cannot have.

    kind: None where it is not known.
    """
    known = keys(section, kind)
    names = [
        name
        for name, (_, value) in found.items()
        if name not in known
        or (isinstance(value, ScalarNode) and not value.style and value.value in _NOTHING)
    ]
    message = "this is a row copied from the server, and a manifest cannot have all of its fields: delete"
    listed = ", ".join(quoted(name)[1:-1] for name in names)
    marker = ", and the marker in the description" if _has_marker(found) else ""
    first = next(key for name, (key, _) in found.items() if name in _OF_THE_SERVER)
    source.report(first, f"{message} {listed}{marker}")


def _has_marker(found: Entries) -> bool:
    node = found["description"][1] if "description" in found else None
    return isinstance(node, ScalarNode) and bool(claimed(node.value))


_Reader = Callable[[Source, Node, str], object]
"""Gives the value of a key, None where it is wrong."""


@cache
def _readers(section: str, kind: Kind | None) -> Mapping[str, _Reader]:
    """What reads the value of each key. kind: None for all kinds together."""
    readers: dict[str, _Reader] = dict.fromkeys(("previously", "silence"), nodes.texts)
    readers |= dict.fromkeys(("kind", "onDrift", "fallback"), nodes.text)
    readers["openaiCreds"] = _credential
    readers |= {name: _reader(field) for name, field in fields(section, kind).items()}
    return readers | {"ignoreJids": _jids} if section == "settings" else readers


def _reader(field: Field) -> _Reader:
    return partial(_hidden, field) if field.hides else nodes.READERS[field.type]


def _jids(source: Source, node: Node, name: str) -> tuple[str, ...] | None:
    """The ignoreJids of settings: a list, or a mapping of one that is added to the server's."""
    if not isinstance(node, MappingNode):
        return nodes.texts(source, node, name, files=True)
    found = _only(source, node, name, ("merge",))
    return nodes.texts(source, found["merge"], "merge") if found else None


def _credential(source: Source, node: Node, name: str) -> str | dict[str, str] | None:
    """The name of a credential, or that of a shared one and its instance."""
    if isinstance(node, MappingNode):
        return _shared_credential(source, node)
    return _named(source, node, nodes.text(source, node, name), name)


def _hidden(field: Field, source: Source, node: Node, _: str) -> object:
    """The value of a field that may hold a secret: where it is found, or a URL itself."""
    if field.hides == "whole" or tag(node) in ("!env", "!secret-file"):
        ref = secret(source, node, field.name)
        return hidden.of_ref(hidden.reference(field, ref.tag, ref.name)) if ref else None
    value = nodes.READERS[field.type](source, node, field.name)
    if isinstance(value, str) and hidden.is_tagged(value):
        given = value.partition(" ")[0]
        source.report(node, f"{field.name} starts like a tag: write {given} without quotes")
        return None
    return value


def _shared_credential(source: Source, node: Node) -> dict[str, str] | None:
    """The owning instance and the name of a shared credential."""
    found = _only(source, node, "openaiCreds", ("instance", "name")) or {}
    values = {
        name: _named(source, value, nodes.text(source, value, name), f"the {name} of openaiCreds")
        for name, value in found.items()
    }
    return {name: text for name, text in values.items() if text} if values and all(values.values()) else None


def _named(source: Source, node: Node, text: str | None, what: str) -> str | None:
    """The name of a credential or an instance, None where it is wrong."""
    if text is None or VARIABLE in text:
        return text
    if message := misnamed(text, what):
        source.report(node, message)
        return None
    return text


def _only(source: Source, node: Node, what: str, names: tuple[str, ...]) -> dict[str, Node] | None:
    """The values of a mapping that must have exactly these keys."""
    found = nodes.entries(source, node, what)
    if found is None:
        return None
    for name in found.keys() - set(names):
        message = f"{quoted(name)} has no meaning in {what}{near(name, names)}: write {' and '.join(names)}"
        source.report(found[name][0], message)
    for name in set(names) - found.keys():
        source.report(node, f"{what} has no {name}: add it")
    return {name: found[name][1] for name in names} if found.keys() == set(names) else None
