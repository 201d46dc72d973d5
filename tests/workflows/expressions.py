"""The expressions of workflows, `${{ … }}` and `if:`, as far as these workflows use them.

Whatever else stands in one is an error, so that a test never passes on a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, Any]

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w.*-]*|\d+|==|!=|&&|\|\||[()!])")
_STATUS = re.compile(r"\b(always|failure|success|cancelled)\(\)")


def interpolated(text: Any, context: Context) -> str:
    """A value of the YAML with its expressions replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found[1], context)), shown(text))


def condition(text: str | bool, context: Context) -> bool:
    """An `if:`; without a status function in it, success() is meant to stand before it."""
    said = shown(text)
    if found := re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", said, re.DOTALL):
        said = found[1]
    if not _STATUS.search(said):
        said = f"success() && ({said})"
    return truth(evaluate(said, context))


def evaluate(text: str, context: Context) -> Any:
    """The value of one expression."""
    tokens, at = [], 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        assert token, f"not understood: {text[at:]!r}"
        tokens.append(token[1])
        at = token.end()
    return _Parser(tokens, context).whole()


def truth(value: Any) -> bool:
    """What counts as true."""
    return value not in (None, False, 0, "")


def shown(value: Any) -> str:
    """A value as text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


class _Parser:
    def __init__(self, tokens: list[str], context: Context) -> None:
        self._tokens = tokens
        self._context = context

    def whole(self) -> Any:
        value = self._either()
        assert not self._tokens, f"not understood: {self._tokens}"
        return value

    def _next(self, *wanted: str) -> str | None:
        return self._tokens.pop(0) if self._tokens and self._tokens[0] in wanted else None

    def _either(self) -> Any:
        value = self._both()
        while self._next("||"):
            other = self._both()
            value = value if truth(value) else other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._next("&&"):
            other = self._compared()
            value = other if truth(value) else value
        return value

    def _compared(self) -> Any:
        value = self._one()
        while sign := self._next("==", "!="):
            same = shown(value).lower() == shown(self._one()).lower()
            value = same if sign == "==" else not same
        return value

    def _one(self) -> Any:
        if self._next("!"):
            return not truth(self._one())
        if self._next("("):
            value = self._either()
            assert self._next(")")
            return value
        return self._plain(self._tokens.pop(0))

    def _plain(self, token: str) -> Any:
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if token in {"true", "false"}:
            return token == "true"
        if self._next("("):
            return self._called(token)
        first, *rest = token.split(".")
        value = self._context[first]  # an unknown context is an error, an unknown property is empty
        for place, name in enumerate(rest):
            if name == "*":  # of each item of a list
                assert len(rest) == place + 2, f"not understood: {token}"
                return [item.get(rest[-1]) for item in value]
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _called(self, name: str) -> Any:
        """The value of a function, whose bracket is open."""
        if name == "toJSON":
            value = json.dumps(self._either())
            assert self._next(")")
            return value
        assert self._next(")"), f"{name} with arguments"
        function: Callable[[], bool] = self._context[f"{name}()"]
        return function()
