"""JavaScript's regular expressions: `new RegExp(pattern).test(text)`, without flags, as the server calls it.

QuickJS decides, a JavaScript engine, in this process. Patterns come from manifests that nobody may have
reviewed, so each test has a limit of processor time, and the engine one of memory. What exceeds them is not
decided. tests/routing/node20.json has what Node 20 makes of the same patterns.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

SECONDS = 0.05
"""Processor time of one test; a harmless pattern takes a thousandth of it."""

PATIENCE = 10
"""How many texts a pattern may be too slow for before it is not tried any more."""

TRIED = 100
"""After so many slow tests of whatever patterns there is no patience, and a twentieth of the time."""

MEMORY = 64 * 1024 * 1024
"""Bytes of the engine."""

_SOURCE = """
function compile(value) { new RegExp(JSON.parse(value)) }
function test(values) { const [pattern, text] = JSON.parse(values); return new RegExp(pattern).test(text) }
"""

_LIMITS = ("too many captures", "stack overflow", "out of memory", "interrupted")
"""Limits of the engine, and not of the language."""

_MODIFIERS = re.compile(r"\(\?(?:[ims]+-?[ims]*|-[ims]+):")
_NAME = re.compile(r"\(\?<(?![=!])([^>]*)>")
_NO_SYNTAX = re.compile(r"\\.|\[(?:\\.|[^]\\])*\]", re.DOTALL)
"""Escapes and classes, in which a parenthesis is a character."""


class UndecidedError(Exception):
    """A limit was exceeded, so it is not known what JavaScript says. Its text completes "because ..."."""


class _Engine(threading.local):
    """One for each thread, made when it is first needed. slow: for how many texts a pattern was too slow."""

    def __init__(self) -> None:
        self._context: Any = None
        self.slow = Counter[str]()

    def function(self, name: str) -> Callable[[str], Any]:
        if self._context is None:
            import quickjs  # type: ignore[import-untyped]  # noqa: PLC0415 - only a regex pays for it

            self._context = quickjs.Context()
            self._context.set_memory_limit(MEMORY)
            self._context.set_time_limit(SECONDS)
            self._context.eval(_SOURCE)
        found: Callable[[str], Any] = self._context.get(name)
        return found

    def exceeded(self, pattern: str) -> None:
        """Note that a pattern was too slow for a text."""
        self.slow[pattern] += 1
        if self.slow.total() == TRIED:
            self._context.set_time_limit(SECONDS / 20)

    def gives_up(self, pattern: str) -> bool:
        """Whether a pattern is not tried any more."""
        return self.slow[pattern] >= (PATIENCE if self.slow.total() < TRIED else 1)


_ENGINE = _Engine()


@lru_cache(maxsize=4096)
def refusal(pattern: str, modern: bool = True) -> str:
    """Why JavaScript refuses a pattern; "" if it compiles. Raises UndecidedError.

    modern: by Node 24, which has `(?i:...)` and lets alternatives share the name of a group, not by Node 20.
    """
    if not modern:
        bare = _NO_SYNTAX.sub("_", pattern)
        if _MODIFIERS.search(bare):
            return "invalid group"
        names = _NAME.findall(bare)
        if len(set(names)) < len(names):
            return "duplicate group name"
    try:
        _ENGINE.function("compile")(json.dumps(pattern))
    except Exception as error:
        reason = _reason(error)
        if any(limit in reason for limit in _LIMITS):
            raise UndecidedError("it is too large") from None
        return reason
    return ""


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern that compiles matches a text anywhere. Raises UndecidedError."""
    found = _matches(pattern, text)
    if found is None:
        raise UndecidedError("it takes too long")
    return found


@lru_cache(maxsize=65536)
def _matches(pattern: str, text: str) -> bool | None:
    if _ENGINE.gives_up(pattern):
        return None
    try:
        return bool(_ENGINE.function("test")(json.dumps([pattern, text])))
    except Exception as error:
        reason = _reason(error)
        if not any(limit in reason for limit in _LIMITS):
            raise
        _ENGINE.exceeded(pattern)
        return None


def _reason(error: Exception) -> str:
    """What an error of JavaScript says, without its name and where it was thrown. Others are raised again."""
    if type(error).__name__ != "JSException":
        raise error
    kind, _, reason = str(error).partition("\n")[0].partition(": ")
    return reason or kind
