"""Reads and writes YAML and JSON. The only package that imports ruamel.yaml.

compose: a text → nodes with their places. emit: values → a text. edit: values → changes in a text, which
stays the same everywhere else. canonical: a text → the same in the style of emit. Knows no fields of
manifests.
"""

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.yaml.compose import compose
from reconciler.yaml.jsonc import compose_json
from reconciler.yaml.tree import MalformedError, Places, each, end, index, tag

__all__ = [
    "MalformedError",
    "MappingNode",
    "Node",
    "Places",
    "ScalarNode",
    "SequenceNode",
    "canonical",
    "compose",
    "compose_json",
    "each",
    "edit",
    "emit",
    "end",
    "hints",
    "index",
    "matching",
    "spans",
    "tag",
]
