"""The `credentials:` of a manifest: where each key is found. Errors show nothing from there but names."""

from __future__ import annotations

import os.path

from reconciler.domain.desired import SecretRef
from reconciler.domain.text import looks_like_key, near
from reconciler.manifests import nodes
from reconciler.manifests.environment import not_a_variable
from reconciler.manifests.messages import misnamed
from reconciler.manifests.source import Source
from reconciler.manifests.variables import VARIABLE
from reconciler.yaml import MappingNode, Node, ScalarNode, tag

_WHERE = "!env NAME or !secret-file PATH"


def credentials(source: Source, node: Node) -> dict[str, tuple[Node, SecretRef]]:
    """The node of each credential's name, and where its key is found."""
    found: dict[str, tuple[Node, SecretRef]] = {}
    for name, (key, value) in (nodes.entries(source, node, "credentials", secret=True) or {}).items():
        if VARIABLE not in name and (message := misnamed(name, "a credential's name", declared=True)):
            source.report(key, message)
            continue
        ref = _credential(source, key, value)
        # One that is wrong gets a place of its own, so that nothing else is reported about it.
        found[name] = key, ref or SecretRef("env", f"of {name} in {source.file}")
    return found


def _credential(source: Source, key: Node, value: Node) -> SecretRef | None:
    if not isinstance(value, MappingNode) or tag(value):
        source.report(value, f"a credential must be a mapping with apiKey: write {{apiKey: {_WHERE}}}")
        return None
    inner = nodes.entries(source, value, "a credential", secret=True) or {}
    for name in inner.keys() - {"apiKey"}:
        source.report(inner[name][0], "a credential has an apiKey and nothing else: leave this out")
    if "apiKey" in inner:
        return secret(source, inner["apiKey"][1])
    source.report(key, f"the credential has no apiKey: add apiKey: {_WHERE}")
    return None


def secret(source: Source, node: Node, name: str = "apiKey") -> SecretRef | None:
    """Where a secret is found: what `!env` or `!secret-file` says. name: of its key."""
    given = tag(node) if isinstance(node, ScalarNode) else None
    if given == "!env":
        message = not_a_variable(node.value)
    elif given == "!secret-file":
        message = _not_a_path(node.value)
    else:
        message = _not_a_reference(node, given, name)
    if message:
        source.report(node, message)
        return None
    if given == "!env":
        return SecretRef("env", node.value)
    return SecretRef("secret-file", os.path.normpath(source.folder / node.value))


def _not_a_path(path: str) -> str:
    if not path or "\0" in path or looks_like_key(path):
        return "!secret-file takes the path of a file, relative to the manifest: write one"
    return ""


def _not_a_reference(node: Node, given: str | None, name: str) -> str:
    what = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    if isinstance(node, ScalarNode) and not given and node.value:
        return (
            f"{what} must not be in a manifest: write where to find it, {name}: {_WHERE}, and revoke the key "
            "if it is real"
        )
    tags = ("!env", "!secret-file")
    return f"{what} says where to find the key{near(given or '', tags)}: write {_WHERE}"
