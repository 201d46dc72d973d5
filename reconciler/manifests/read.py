"""One file's nodes → a Layer. Every error goes to the Source with its place.

A manifest and a folder's `_defaults` file are read in the same way. merge.py puts several layers together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.errors import Position
from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.text import quoted
from reconciler.manifests import asserted, nodes
from reconciler.manifests.check import Unchecked, check
from reconciler.manifests.credentials import credentials
from reconciler.manifests.fields import part
from reconciler.manifests.layer import Layer, Part
from reconciler.manifests.messages import no_kind, of_no_kind
from reconciler.manifests.nodes import Entries
from reconciler.manifests.source import Source
from reconciler.manifests.tables import FOLDER, FREE, MANIFEST, fields
from reconciler.yaml import Node, ScalarNode, tag

Kinds = Mapping[str, Kind] | None
"""The kinds of the bots that are inherited, by name; None where a file above could not be read."""


def read(
    root: Node, source: Source, stem: str | None, *, kinds: Kinds, bots: bool = True, variables: bool = True
) -> Layer:
    """What a file declares; errors go to the source.

    stem: the instance's name where a manifest gives none; None for a folder's file. kinds: of the bots that
    the folders' files above declare. bots: whether these declare any, so that the manifest needs none.
    variables: whether `${name}` is a variable even if the file declares none, so that the length of a text is
    not known yet. With errors, the result is only good for finding more of them.
    """
    top = nodes.entries(source, root, "a manifest" if stem is not None else "a folder's file")
    if top is None or _is_one_bot(source, top, folder=stem is None):
        return Layer(source, Position(source.file, 1, 1), whole=False)
    if not (bots or "bots" in top):
        source.report(root, "the manifest has no bots: add `bots:` (`bots: {}` for an instance without any)")
    return _layer(source, top, stem, kinds, variables=variables or "vars" in top)


def _is_one_bot(source: Source, top: Entries, *, folder: bool) -> bool:
    """Report a file that is one bot's fields, as pasted from the API's documentation."""
    pasted = [key for name, (key, _) in top.items() if name in fields("bot", None)]
    if "bots" in top or len(pasted) < 2:
        return False
    known = "`defaults:`, or under `bots:` and a name" if folder else "`bots:` and a name"
    source.report(pasted[0], f"the fields of a bot belong under {known}: move them there")
    return True


def _layer(source: Source, top: Entries, stem: str | None, kinds: Kinds, *, variables: bool) -> Layer:
    folder = stem is None
    known = FOLDER if folder else MANIFEST
    found = {name: node for name, (_, node) in top.items() if name in known}
    values: dict[str, Any] = {name: "" for name in top if name not in known and not FREE.fullmatch(name)}
    if not folder:
        values["instance"] = (
            nodes.text(source, found["instance"], "instance") if "instance" in found else stem
        )
    server = nodes.text(source, found["server"], "server") if "server" in found else None
    silence = nodes.texts(source, found["silence"], "silence") if "silence" in found else ()
    texts = _vars(source, found["vars"]) if "vars" in found else None
    defaults, settings = _shared(source, top, folder=folder)
    bots = _bots(source, found["bots"], kinds, folder=folder) if "bots" in found else None
    plain = None if texts is None else {name: text for name, (text, _) in texts.items()}
    values |= {"server": server, "silence": silence, "vars": plain}
    parts = [("defaults", each) for each in defaults.values()]
    parts += [("settings", each) for _, each in settings.values()]
    check(source, Unchecked(top, values, parts, bots or {}), folder=folder, variables=variables)
    return Layer(
        source,
        source.at(found["instance"]) if "instance" in found else Position(source.file, 1, 1),
        values.get("instance"),
        texts,
        credentials(source, found["credentials"]) if "credentials" in found else {},
        settings,
        frozenset(silence or ()),
        defaults,
        bots,
        _known(kinds, bots or {}),
        tests=asserted.entries(source, found["tests"]) if "tests" in found else (),
        server=None if server is None else (server, source.at(found["server"])),
    )


def _shared(
    source: Source, top: Entries, *, folder: bool
) -> tuple[dict[str, Part], dict[str, tuple[Node, Part]]]:
    """The defaults of all kinds and of each, and the settings of each."""
    defaults: dict[str, Part] = {}
    settings: dict[str, tuple[Node, Part]] = {}
    if "defaults" in top:
        defaults[""] = part(source, top["defaults"][1], "defaults", "defaults", None, folder=folder)
    if "settings" in top:
        key, node = top["settings"]
        settings[DEFAULT.path] = key, part(source, node, "settings", "settings", DEFAULT, folder=folder)
    for name, (key, node) in _named(source, top).items():
        if name not in KINDS:
            source.report(key, no_kind(name))
            continue
        where, kind = f"kinds.{name}", KINDS[name]
        for section, (inner, value) in (nodes.entries(source, node, where) or {}).items():
            layer = f"{where}.{section}"
            if section == "defaults":
                defaults[name] = part(source, value, layer, section, kind, folder=folder, layer=layer)
            elif section == "settings" and name in settings:
                first = source.at(settings[name][0])
                message = (
                    f"{layer} and settings are the same, and settings are at {first}: keep one of the two"
                )
                source.report(inner, message)
            elif section == "settings":
                settings[name] = inner, part(source, value, layer, section, kind, folder=folder, layer=layer)
            else:
                source.report(inner, of_no_kind(section))
    return defaults, settings


def _named(source: Source, top: Entries) -> Entries:
    """What is said of each kind."""
    return (nodes.entries(source, top["kinds"][1], "kinds") or {}) if "kinds" in top else {}


def _bots(source: Source, node: Node, kinds: Kinds, *, folder: bool) -> dict[str, tuple[Node, Part | None]]:
    listed = nodes.entries(source, node, "bots") or {}
    found: dict[str, tuple[Node, Part | None]] = {}
    for name, (key, value) in listed.items():
        if _is_false(value):
            found[name] = key, None
        else:
            kind = None if kinds is None else kinds.get(name, DEFAULT)
            found[name] = key, part(source, value, f"bot {quoted(name)}", "bot", kind, folder=folder)
    return found


def _known(above: Kinds, bots: Mapping[str, tuple[Node, Part | None]]) -> Kinds:
    """The kinds of these bots and of those above; a bot that is left out is not inherited any more."""
    if above is None:
        return None
    kept = {name: kind for name, kind in above.items() if name not in bots}
    return kept | {name: part.kind for name, (_, part) in bots.items() if part and part.kind}


def _is_false(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "false" and not node.style and not tag(node)


def _vars(source: Source, node: Node) -> dict[str, tuple[str, Position]]:
    found: dict[str, tuple[str, Position]] = {}
    for name, (key, value) in (nodes.entries(source, node, "vars") or {}).items():
        text = nodes.text(source, value, f"the variable {quoted(name)}")
        if text is not None and hidden.variables_of(text):
            source.report(
                value, "${env:NAME} is read in URLs only, and not in variables: write it in the URL"
            )
        elif name == "instance":
            source.report(key, "${instance} is already the instance's name: give the variable another name")
        elif text is not None:
            found[name] = text, source.at(value)
    return found
