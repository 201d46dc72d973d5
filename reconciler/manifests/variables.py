"""Variables: `${name}` in texts, filled in with what `vars:` declares. `$${` stands for `${` itself.

`${env:NAME}` in a URL is a variable of the environment, which is read when a plan is made, not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.records import dataclass, field
from reconciler.domain.text import near, quoted
from reconciler.manifests.environment import not_a_variable
from reconciler.manifests.tables import IDENTIFIER
from reconciler.yaml import Node, SequenceNode

VARIABLE = "${"
"""Begins a variable: a text that contains it may change when variables are filled in."""

Variables = Mapping[str, tuple[str, Position | None]]
"""The text of each variable, and where it is declared; None for built-in ones."""

ENV = "${env:"
"""Begins the place of a variable of the environment, in a URL."""

_ENV = rf"\$\{{env:(?P<env>{IDENTIFIER})\}}"
_VARIABLE = re.compile(rf"\$(?P<escaped>\$\{{)|\$\{{(?P<name>{IDENTIFIER})\}}|{_ENV}", re.ASCII)
_NO_VARIABLE = re.compile(rf"\$(?P<escaped>\$\{{)(?=env:)|(?P<name>(?!))|{_ENV}", re.ASCII)
_MALFORMED = re.compile(rf"(?<!\$)(?!{_ENV})\$\{{env:", re.ASCII)
_NEEDS_ESCAPE = re.compile(rf"(?<=\$)\$\{{|\$\{{(?=env:|{IDENTIFIER}\}})", re.ASCII)
_ENV_NEEDS_ESCAPE = re.compile(r"\$\{(?=env:)")


def literal(text: str, *, variables: bool = True) -> str:
    """The text with every `${name}` and `${env:` in it escaped, so that it is read back unchanged.

    variables: whether `${name}` has a meaning there.
    """
    return (_NEEDS_ESCAPE if variables else _ENV_NEEDS_ESCAPE).sub("$${", text)


def holds(value: object, sign: str) -> bool:
    """Whether a value has a text with a sign in it, and something may be filled in there."""
    if isinstance(value, Hidden):
        return False
    if isinstance(value, str):
        return sign in value
    texts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return any(sign in text for text in texts)


@dataclass(slots=True)
class Filler:
    """Fills variables into one value.

    variables: None where `${name}` has no meaning. wrong: what is wrong with a text, by its name in errors.
    report: takes an error and its node. url: whether `${env:NAME}` may be in it. used: the variables that
    were used, and where each is declared.
    """

    variables: Variables | None
    wrong: Callable[[str, str], str | None]
    report: Callable[[Node, str], None]
    url: bool = False
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
        if filled is None or isinstance(filled, Hidden):
            return filled
        if message := self.wrong(filled, name):
            self.report(node, message)
            return None
        return filled

    def _filled(self, text: str, node: Node) -> str | None:
        pattern, variables = (_VARIABLE, self.variables) if self.variables is not None else (_NO_VARIABLE, {})
        found = list(pattern.finditer(text))
        unknown = dict.fromkeys(each["name"] for each in found if each["name"] not in {None, *variables})
        for name in unknown:
            message = f"${{{quoted(name)[1:-1]}}} is not a declared variable{near(name, variables)}"
            self.report(node, f"{message}: declare it in `vars:`, or write $${{ for a literal ${{")
        env = [each["env"] for each in found if each["env"]]
        if wrong := self._wrong_env(text, env):
            self.report(node, wrong)
        if unknown or wrong:
            return None
        filled = pattern.sub(partial(self._put, variables, template=bool(env)), text)
        return hidden.of_ref(hidden.template(filled)) if env else filled

    def _put(self, variables: Variables, match: re.Match[str], *, template: bool) -> str:
        """What stands for a match. template: whether `${env:NAME}` is still to be put in."""
        if match["env"]:
            return match[0]
        if match["escaped"]:
            return f"${VARIABLE}" if template and match.string.startswith("env:", match.end()) else VARIABLE
        value, self.used[match["name"]] = variables[match["name"]]
        return literal(value, variables=False) if template else value

    def _wrong_env(self, text: str, names: Iterable[str]) -> str:
        """What is wrong with the variables of the environment in a text; "" for nothing. names: of them."""
        if self.url and _MALFORMED.search(text):
            return "${env: must be followed by the name of a variable and }: write ${env:NAME}"
        for name in names:
            if not self.url:
                return f"${{env:{name}}} is read in URLs only: leave it out, or write $${{ for a literal ${{"
            if message := not_a_variable(name):
                return message
        return ""
