"""Reading and writing YAML: the only package that imports ruamel.yaml.

compose: a text to nodes that know their places. emit: values to a text. edit: values put into a text, which
stays as it is elsewhere.
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
