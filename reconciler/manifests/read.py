"""One file's nodes → a Layer. Every error goes to the Source with its place.

A manifest and a folder's `_defaults` file are read in the same way. merge.py puts several layers together.
"""

from __future__ import annotations

from typing import Any

from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI
from reconciler.domain.text import quoted
from reconciler.manifests import nodes
from reconciler.manifests.check import Unchecked, check
from reconciler.manifests.credentials import credentials
from reconciler.manifests.fields import part
from reconciler.manifests.layer import EMPTY, Layer, Part
from reconciler.manifests.model import FOLDER, FREE, MANIFEST
from reconciler.manifests.nodes import Entries
from reconciler.manifests.source import Source
from reconciler.yaml import Node, ScalarNode, tag

_PARTS: tuple[str, ...] = ("defaults", "settings")


def read(root: Node, source: Source, stem: str | None, *, bots: bool = True, variables: bool = True) -> Layer:
    """What a file declares; errors go to the source.

    stem: the instance's name where a manifest gives none; None for a folder's file. bots: whether its
    folders' files declare bots, so that the manifest needs none. variables: whether `${name}` is a variable
    even if the file declares none, so that the length of a text is not known yet. With errors, the result is
    only good for finding more of them.
    """
    top = nodes.entries(source, root, "a manifest" if stem is not None else "a folder's file")
    if top is None or _is_one_bot(source, top, folder=stem is None):
        return Layer(source, Position(source.file, 1, 1), whole=False)
    if not (bots or "bots" in top):
        source.report(root, "the manifest has no bots: add `bots:` (`bots: {}` for an instance without any)")
    return _layer(source, top, stem, variables=variables or "vars" in top)


def _is_one_bot(source: Source, top: Entries, *, folder: bool) -> bool:
    """Report a file that is one bot's fields, as pasted from the API's documentation."""
    pasted = [key for name, (key, _) in top.items() if name in OPENAI.fields]
    if "bots" in top or len(pasted) < 2:
        return False
    known = "`defaults:`, or under `bots:` and a name" if folder else "`bots:` and a name"
    source.report(pasted[0], f"the fields of a bot belong under {known}: move them there")
    return True


def _layer(source: Source, top: Entries, stem: str | None, *, variables: bool) -> Layer:
    folder = stem is None
    known = FOLDER if folder else MANIFEST
    found = {name: node for name, (_, node) in top.items() if name in known}
    values: dict[str, Any] = {name: "" for name in top if name not in known and not FREE.fullmatch(name)}
    if not folder:
        values["instance"] = (
            nodes.text(source, found["instance"], "instance") if "instance" in found else stem
        )
    silence = nodes.texts(source, found["silence"], "silence") if "silence" in found else ()
    texts = _vars(source, found["vars"]) if "vars" in found else None
    parts = {name: part(source, found[name], name, name, folder=folder) for name in _PARTS if name in found}
    bots = _bots(source, found["bots"], folder=folder) if "bots" in found else None
    plain = None if texts is None else {name: text for name, (text, _) in texts.items()}
    values |= {"silence": silence, "vars": plain}
    check(source, Unchecked(top, values, parts, bots or {}), folder=folder, variables=variables)
    return Layer(
        source,
        source.at(found["instance"]) if "instance" in found else Position(source.file, 1, 1),
        values.get("instance"),
        texts,
        credentials(source, found["credentials"]) if "credentials" in found else {},
        (top["settings"][0], parts["settings"]) if "settings" in parts else None,
        frozenset(silence or ()),
        parts.get("defaults", EMPTY),
        bots,
    )


def _bots(source: Source, node: Node, *, folder: bool) -> dict[str, tuple[Node, Part | None]]:
    listed = nodes.entries(source, node, "bots") or {}
    return {
        name: (
            key,
            None if _is_false(value) else part(source, value, f"bot {quoted(name)}", "bot", folder=folder),
        )
        for name, (key, value) in listed.items()
    }


def _is_false(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "false" and not node.style and not tag(node)


def _vars(source: Source, node: Node) -> dict[str, tuple[str, Position]]:
    found: dict[str, tuple[str, Position]] = {}
    for name, (key, value) in (nodes.entries(source, node, "vars") or {}).items():
        text = nodes.text(source, value, f"the variable {quoted(name)}")
        if name == "instance":
            source.report(key, "${instance} is already the instance's name: give the variable another name")
        elif text is not None:
            found[name] = text, source.at(value)
    return found
