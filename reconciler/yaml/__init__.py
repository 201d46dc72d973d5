"""Reads and writes YAML and JSON. The only package that imports ruamel.yaml.

compose: a text → nodes with their places. emit: values → a text. edit: values → changes in a text, which
stays the same everywhere else. Knows no fields of manifests.
"""

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.yaml.compose import compose
from reconciler.yaml.jsonc import compose_json
from reconciler.yaml.tree import MalformedError, Places, end, index, tag

__all__ = [
    "MalformedError",
    "MappingNode",
    "Node",
    "Places",
    "ScalarNode",
    "SequenceNode",
    "compose",
    "compose_json",
    "edit",
    "emit",
    "end",
    "hints",
    "index",
    "matching",
    "spans",
    "tag",
]
