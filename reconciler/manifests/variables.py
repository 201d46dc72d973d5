"""Variables: `${name}` in texts, filled in with what `vars:` declares. `$${` stands for `${` itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.text import near, quoted
from reconciler.manifests.model import IDENTIFIER
from reconciler.yaml import Node, SequenceNode

VARIABLE = "${"
"""Begins a variable: a text that contains it may change when variables are filled in."""

Variables = Mapping[str, tuple[str, Position | None]]
"""The text of each variable, and where it is declared; None for built-in ones."""

_VARIABLE = re.compile(rf"\$(?:\$\{{|\{{({IDENTIFIER})\}})", re.ASCII)
_NEEDS_ESCAPE = re.compile(rf"(?<=\$)\$\{{|\$\{{(?={IDENTIFIER}\}})", re.ASCII)


def literal(text: str) -> str:
    """The text with every `${name}` in it escaped, so that it is read back unchanged."""
    return _NEEDS_ESCAPE.sub("$${", text)


def holds_variable(value: object) -> bool:
    """Whether a value has a text in which something may be filled in."""
    if isinstance(value, Hidden):
        return False
    if isinstance(value, str):
        return VARIABLE in value
    texts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return any(VARIABLE in text for text in texts)


@dataclass(slots=True)
class Filler:
    """Fills variables into one value.

    variables: None where `${` has no meaning. wrong: what is wrong with a text, by its name in errors.
    report: takes an error and its node. used: the variables that were used, and where each is declared.
    """

    variables: Variables | None
    wrong: Callable[[str, str], str | None]
    report: Callable[[Node, str], None]
    used: dict[str, Position | None] = field(default_factory=dict)

    def fill(self, name: str, value: Any, node: Node) -> Any:
        """The value with its texts filled in, None where that is wrong. name: for errors."""
        if isinstance(value, tuple):
            items: Sequence[Node] = node.value if isinstance(node, SequenceNode) else [node] * len(value)
            texts = [self._text(name, text, item) for text, item in zip(value, items, strict=False)]
            return None if None in texts else tuple(texts)
        if isinstance(value, dict):
            parts = {key: self._text(f"the {key} of {name}", text, node) for key, text in value.items()}
            return None if None in parts.values() else parts
        return self._text(name, value, node)

    def _text(self, name: str, text: str, node: Node) -> str | None:
        filled = self._filled(text, node)
        if filled is not None and (message := self.wrong(filled, name)):
            self.report(node, message)
            return None
        return filled

    def _filled(self, text: str, node: Node) -> str | None:
        variables = self.variables
        if variables is None:
            return text
        unknown: dict[str, None] = {}

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return VARIABLE
            if name not in variables:
                unknown[name] = None
                return ""
            value, self.used[name] = variables[name]
            return value

        filled = _VARIABLE.sub(put, text)
        for name in unknown:
            message = f"${{{quoted(name)[1:-1]}}} is not a declared variable{near(name, variables)}"
            self.report(node, f"{message}: declare it in `vars:`, or write $${{ for a literal ${{")
        return None if unknown else filled
