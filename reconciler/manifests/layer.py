"""One file → a Layer: the nodes of what it declares, with the values of what is right of it.

A manifest and a folder's file are read alike. The model of manifest.py judges the values; every error goes to
the Source with its place. What several layers make together is merge.py's. Touches no file.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.domain import hidden
from reconciler.domain.desired import SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI, Field
from reconciler.domain.markers import claimed
from reconciler.domain.text import looks_like_key, near, quoted
from reconciler.manifests.model import FOLDER, FREE, IDENTIFIER, MANIFEST, misnamed, model, wrong
from reconciler.manifests.nodes import Entries, Origin, Source
from reconciler.yaml import MappingNode, Node, ScalarNode, SequenceNode, tag

VARIABLE = "${"
"""What a text holds that may not yet be what it will be."""

_ENVIRONMENT = re.compile(IDENTIFIER, re.ASCII)
_BARE_KEY = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32,}", re.ASCII)
"""A key that could be a variable's name as well, which none has without a single _."""

_WHERE = "!env NAME or !secret-file PATH"
_OF_THE_SERVER = frozenset({"id", "createdAt", "updatedAt", "instanceId"})
"""What every row of the server has, and no manifest."""

_BESIDE = ("openaiCreds", "onDrift", "previously", "silence", "fallback")
_NOTHING = ("", "null", "Null", "NULL", "~")
_OWN_KEY = "EVOLUTION_API_KEY"


@dataclass(frozen=True, slots=True)
class Part:
    """A bot, defaults or settings: where what stands there comes from, and the values of what is right of it.

    Of openaiCreds the value is a name, or a mapping of instance and name. whole: whether it could be read at
    all, so that what it lacks is really missing.
    """

    origins: Mapping[str, Origin]
    values: dict[str, Any]
    whole: bool = True


EMPTY = Part({}, {})


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file declares: a manifest, or what the manifests of a folder have in common.

    at: of the manifest. instance: its name, None of a folder and where it is wrong. bots: each name's node
    and fields, None for one that is opted out of; None where the file has no such key. vars: texts and their
    places, None likewise. credentials: each name's node, and where its key is found. settings: with the node
    of their key.
    """

    source: Source
    at: Position
    instance: str | None = None
    vars: Mapping[str, tuple[str, Position]] | None = None
    credentials: Mapping[str, tuple[Node, SecretRef]] = field(default_factory=dict)
    settings: tuple[Node, Part] | None = None
    silence: frozenset[str] = frozenset()
    defaults: Part = EMPTY
    bots: Mapping[str, tuple[Node, Part | None]] | None = None
    whole: bool = True


def read(root: Node, source: Source, stem: str | None, *, bots: bool = True, variables: bool = True) -> Layer:
    """What a file declares; errors go to the source.

    stem: a manifest's name if it gives none, None for a folder's file. bots: whether its folders' files give
    it some, so that it needs none. variables: whether `${name}` has a meaning even if the file declares none,
    so that a text's length is not known yet. What is returned when there are errors is for nothing but
    finding more of them.
    """
    top = source.entries(root, "a manifest" if stem is not None else "a folder's file")
    if top is None:
        return Layer(source, Position(source.file, 1, 1), whole=False)
    pasted = [key for name, (key, _) in top.items() if name in OPENAI.fields]
    if "bots" not in top and len(pasted) > 1:
        known = "`bots:` and a name" if stem is not None else "`defaults:`, or under `bots:` and a name"
        source.report(pasted[0], f"the fields of a bot stand below {known}: move them there")
        return Layer(source, Position(source.file, 1, 1), whole=False)
    if not (bots or "bots" in top):
        source.report(root, "the manifest has no bots: add `bots:` (`bots: {}` for an instance without any)")
    return _Reader(source, top, "" if stem is not None else "folder ", variables or "vars" in top).layer(stem)


class _Reader:
    """Reads what stands under the keys of a file. prefix: of the layers that its values come from."""

    def __init__(self, source: Source, top: Entries, prefix: str, variables: bool) -> None:
        self.source = source
        self.top = top
        self.prefix = prefix
        self.variables = variables

    def layer(self, stem: str | None) -> Layer:
        known = MANIFEST if stem is not None else FOLDER
        nodes = {name: node for name, (_, node) in self.top.items() if name in known}
        raw: dict[str, Any] = {
            name: "" for name in self.top if name not in known and not FREE.fullmatch(name)
        }
        if stem is not None:
            raw["instance"] = self.source.text(nodes["instance"], "instance") if "instance" in nodes else stem
        silence = self.source.texts(nodes["silence"], "silence") if "silence" in nodes else ()
        texts = self._vars(nodes["vars"]) if "vars" in nodes else None
        parts = {
            name: self._part(nodes[name], name, name, table)
            for name, table in (("defaults", OPENAI.fields), ("settings", OPENAI.settings))
            if name in nodes
        }
        bots = self._bots(nodes["bots"]) if "bots" in nodes else None
        plain = None if texts is None else {name: text for name, (text, _) in texts.items()}
        raw |= {"silence": silence, "vars": plain}
        self._check(raw, parts, bots or {})
        return Layer(
            self.source,
            self.source.at(nodes["instance"]) if "instance" in nodes else Position(self.source.file, 1, 1),
            raw.get("instance"),
            texts,
            self._credentials(nodes["credentials"]) if "credentials" in nodes else {},
            (self.top["settings"][0], parts["settings"]) if "settings" in parts else None,
            frozenset(silence or ()),
            parts.get("defaults", EMPTY),
            bots,
        )

    # -- the keys -----------------------------------------------------------------------------

    def _bots(self, node: Node) -> dict[str, tuple[Node, Part | None]]:
        listed = self.source.entries(node, "bots") or {}
        return {
            name: (
                key,
                None if _is_false(value) else self._part(value, f"bot {quoted(name)}", "bot", OPENAI.fields),
            )
            for name, (key, value) in listed.items()
        }

    def _part(self, node: Node, what: str, layer: str, table: Mapping[str, Field]) -> Part:
        """What stands under a bot's name, under defaults or settings."""
        nodes = self.source.entries(node, what)
        if nodes is None:
            return Part({}, {}, whole=False)
        if not _OF_THE_SERVER.isdisjoint(nodes):
            self._pasted(nodes, table)
            return Part({}, {}, whole=False)
        values: dict[str, Any] = {}
        for name, (_, value_node) in nodes.items():
            value = self._value(value_node, name, layer, table)
            if value is not None:
                values[name] = value
        layer = self.prefix + layer
        return Part({name: Origin(self.source, *pair, layer) for name, pair in nodes.items()}, values)

    def _pasted(self, nodes: Entries, table: Mapping[str, Field]) -> None:
        """Report a row of the server as a whole: all that is not for a manifest."""
        names = [
            name
            for name, (_, value) in nodes.items()
            if (name not in table and name not in _BESIDE)
            or (isinstance(value, ScalarNode) and not value.style and value.value in _NOTHING)
        ]
        said = "this is a row as the server lists it, of which a manifest cannot have all: delete"
        listed = ", ".join(quoted(name)[1:-1] for name in names)
        marker = ", and the marker in the description" if self._marked(nodes) else ""
        first = next(key for name, (key, _) in nodes.items() if name in _OF_THE_SERVER)
        self.source.report(first, f"{said} {listed}{marker}")

    def _marked(self, nodes: Entries) -> bool:
        node = nodes["description"][1] if "description" in nodes else None
        return isinstance(node, ScalarNode) and bool(claimed(node.value))

    def _value(self, node: Node, name: str, layer: str, table: Mapping[str, Field]) -> object:
        source = self.source
        value: object = ""  # for the model to refuse
        if name == "ignoreJids" and layer == "settings" and isinstance(node, MappingNode):
            value = self._merged_jids(node)
        elif (field := table.get(name)) and field.hides and tag(node) in ("!env", "!secret-file"):
            ref = self._secret(node)
            value = hidden.of_ref(hidden.reference(field, ref.tag, ref.name)) if ref else None
        elif field:
            value = source.value(node, name, field.type)
            if field.hides and isinstance(value, str) and hidden.is_tagged(value):
                source.report(
                    node, f"{name} begins like a tag: write {value.partition(' ')[0]} without quotes"
                )
                value = None
        elif name in {"previously", "silence"}:
            value = source.texts(node, name)
        elif name == "openaiCreds" and isinstance(node, MappingNode):
            value = self._borrowed(node)
        elif name == "openaiCreds":
            value = self._named(node, source.text(node, name), name)
        elif name in {"onDrift", "fallback"}:
            value = source.text(node, name)
        return value

    def _merged_jids(self, node: Node) -> tuple[str, ...] | None:
        found = self._only(node, "ignoreJids", ("merge",))
        return self.source.texts(found["merge"], "merge") if found else None

    def _borrowed(self, node: Node) -> dict[str, str] | None:
        """The instance and the name of a credential of another instance."""
        found = self._only(node, "openaiCreds", ("instance", "name")) or {}
        values = {
            name: self._named(value, self.source.text(value, name), f"the {name} of openaiCreds")
            for name, value in found.items()
        }
        return (
            {name: text for name, text in values.items() if text} if values and all(values.values()) else None
        )

    def _named(self, node: Node, text: str | None, what: str) -> str | None:
        """A credential's or an instance's name, unless it is wrong."""
        if text is None or VARIABLE in text:
            return text
        if said := misnamed(text, what):
            self.source.report(node, said)
            return None
        return text

    def _only(self, node: Node, what: str, names: tuple[str, ...]) -> dict[str, Node] | None:
        """The values of a mapping that has just these keys."""
        found = self.source.entries(node, what)
        if found is None:
            return None
        for name in found.keys() - set(names):
            said = f"{quoted(name)} has no meaning in {what}{near(name, names)}: write {' and '.join(names)}"
            self.source.report(found[name][0], said)
        for name in set(names) - found.keys():
            self.source.report(node, f"{what} is a mapping without {name}: add it")
        return {name: found[name][1] for name in names} if found.keys() == set(names) else None

    def _vars(self, node: Node) -> dict[str, tuple[str, Position]]:
        found: dict[str, tuple[str, Position]] = {}
        for name, (key, value) in (self.source.entries(node, "vars") or {}).items():
            text = self.source.text(value, f"the variable {quoted(name)}")
            if name == "instance":
                self.source.report(
                    key, "${instance} is the instance's name already: give the variable another"
                )
            elif text is not None:
                found[name] = text, self.source.at(value)
        return found

    def _credentials(self, node: Node) -> dict[str, tuple[Node, SecretRef]]:
        """Where the keys of credentials are found. Nothing that stands there is shown but their names."""
        found: dict[str, tuple[Node, SecretRef]] = {}
        for name, (key, value) in (self.source.entries(node, "credentials", secret=True) or {}).items():
            if VARIABLE not in name and (said := misnamed(name, "a credential's name", declared=True)):
                self.source.report(key, said)
                continue
            ref = self._credential(key, value)
            found[name] = key, ref or SecretRef("env", f"of {name} in {self.source.file}")  # not said twice
        return found

    def _credential(self, key: Node, value: Node) -> SecretRef | None:
        if not isinstance(value, MappingNode) or tag(value):
            self.source.report(value, f"a credential is a mapping with apiKey: write {{apiKey: {_WHERE}}}")
            return None
        inner = self.source.entries(value, "a credential", secret=True) or {}
        for name in inner.keys() - {"apiKey"}:
            said = "a credential has an apiKey and nothing else: leave this out"
            self.source.report(inner[name][0], said)
        if "apiKey" in inner:
            return self._secret(inner["apiKey"][1])
        self.source.report(key, f"the credential has no apiKey: add apiKey: {_WHERE}")
        return None

    def _secret(self, node: Node) -> SecretRef | None:
        """Where a key is found, whatever is there."""
        given = tag(node) if isinstance(node, ScalarNode) else None
        if given == "!env" and node.value == _OWN_KEY:
            said = f"{_OWN_KEY} is the key of the server itself, and every user of it could read it there: "
            said += "give this one a variable of its own"
        elif given == "!env" and (looks_like_key(node.value) or _BARE_KEY.fullmatch(node.value)):
            said = (
                "!env takes the name of a variable of the environment, not the key: put the key into a "
                "variable, write the variable's name, and revoke the key if this was a real one"
            )
        elif given == "!env" and _ENVIRONMENT.fullmatch(node.value):
            return SecretRef("env", node.value)
        elif given == "!env":
            said = (
                "!env takes the name of a variable of the environment: letters, digits and _, no digit first"
            )
        elif (
            given == "!secret-file"
            and node.value
            and "\0" not in node.value
            and not looks_like_key(node.value)
        ):
            return SecretRef("secret-file", os.path.normpath(self.source.folder / node.value))
        elif given == "!secret-file":
            said = "!secret-file takes the path of a file, relative to the manifest: write one"
        elif isinstance(node, ScalarNode) and not given and node.value:
            said = (
                f"an apiKey never stands in a manifest: write where it is found, apiKey: {_WHERE}, and "
                "revoke the key if this was a real one"
            )
        else:
            hint = near(given or "", ("!env", "!secret-file"))
            said = f"an apiKey says where it is found{hint}: write {_WHERE}"
        self.source.report(node, said)
        return None

    # -- the model's judgement ----------------------------------------------------------------

    def _check(
        self, raw: dict[str, Any], parts: Mapping[str, Part], bots: Mapping[str, tuple[Node, Part | None]]
    ) -> None:
        """Lets the model judge, reports with places, and takes the wrong values away."""
        given = {name: value for name, value in raw.items() if value is not None}
        given |= {name: part.values for name, part in parts.items()}
        given["bots"] = {name: part.values if part else {} for name, (_, part) in bots.items()}
        try:
            model(folder=bool(self.prefix)).model_validate(given)
            return
        except ValidationError as error:
            errors = error.errors(include_url=False)
        for detail in errors:
            match detail["loc"]:
                case ("instance",) if "instance" not in self.top:
                    self.source.report(None, wrong(detail, "instance"))
                case ("bots", str(bot), "[key]"):
                    self.source.report(bots[bot][0], wrong(detail, f"the name {quoted(bot)}"))
                case ("bots", str(bot), _, str(name), *rest):
                    self._report(detail, bots[bot][1] or EMPTY, name, rest)
                case ("defaults" | "settings" as part, str(name), *rest):
                    self._report(detail, parts[part], name, rest)
                case ("vars", str(name), *_):
                    variables = self.source.entries(self.top["vars"][1], "vars") or {}
                    self.source.report(variables[name][0], wrong(detail, f"the name {quoted(name)}"))
                case (str(name), *rest):
                    key, node = self.top[name]
                    place = key if detail["type"] == "extra_forbidden" else _item(node, rest)
                    self.source.report(place, wrong(detail, name))

    def _report(self, detail: ErrorDetails, part: Part, name: str, rest: list[Any]) -> None:
        origin = part.origins[name]
        if name == "openaiCreds" and detail["type"] != "string_type":
            return  # its names are judged one by one, where variables have no say any more
        if detail["type"] == "string_too_long" and self.variables and VARIABLE in detail["input"]:
            return  # likewise
        part.values.pop(name, None)
        place = origin.key if detail["type"] == "extra_forbidden" else _item(origin.value, rest)
        self.source.report(place, wrong(detail, name))


def _is_false(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "false" and not node.style and not tag(node)


def _item(node: Node, rest: Sequence[Any]) -> Node:
    """The item of a list that the model speaks of, else the whole."""
    at = next((part for part in rest if isinstance(part, int)), None)
    return node.value[at] if at is not None and isinstance(node, SequenceNode) else node
