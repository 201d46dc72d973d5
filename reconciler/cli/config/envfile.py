"""Files of environment variables, `KEY=value` on each line, as `--env-file` names them.

Parsed by python-dotenv, without `${…}` in values. Faults that people make in such files are errors with their
place; no value is shown.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from reconciler.cli.config.keys import PREFIX
from reconciler.domain import files
from reconciler.domain.errors import ConfigError, Position, Problem
from reconciler.domain.key_format import placeholder

_MOST_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEXT_LINE = re.compile(r"\n\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=")
_TOO_LATE = {f"{PREFIX}{name}" for name in ("CONFIG", "NO_CONFIG", "ENV_FILE")}


@dataclass(frozen=True, slots=True)
class Variable:
    """A value, and where it is written."""

    value: str
    at: Position

    def __repr__(self) -> str:
        return f"Variable({self.at})"


Variables = Mapping[str, Variable]


def read(paths: Sequence[str]) -> Variables:
    """The variables of all files; a later file wins. Raises ReconcilerError, ConfigError with all faults."""
    found: dict[str, Variable] = {}
    problems: list[Problem] = []
    for path in paths:
        inside: dict[str, Variable] = {}
        for at, binding in _bindings(path, _text(path)):
            if message := _fault(binding, inside):
                problems.append(Problem(at, message))
            elif binding.key is not None:
                inside[binding.key] = Variable(binding.value or "", at)
        found |= inside
    if problems:
        raise ConfigError(problems)
    return found


def _text(path: str) -> str:
    content = files.read(Path(path), _MOST_BYTES)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        pass
    # Raised outside of the except block: the decoder's error contains the whole file.
    raise ConfigError([Problem(Position(path, 1, 1), "it is not UTF-8: save it as UTF-8")])


def _bindings(path: str, text: str) -> Iterator[tuple[Position, Binding]]:
    """What each line sets, without blank lines and comments."""
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        line = original.lstrip()
        before = original[: len(original) - len(line)]
        if binding.error or binding.key is not None:
            column = len(before) - (before.rfind("\n") + 1) + 1
            yield Position(path, binding.original.line + before.count("\n"), column), binding


def _fault(binding: Binding, before: Mapping[str, Variable]) -> str:
    """What is wrong with a line; "" when nothing is. Shows a name only if it can be one, never a value."""
    key, value = binding.key, binding.value
    message = ""
    if binding.error:
        message = "the quotes are not balanced, or the line is not KEY=value"
    elif key is None or value is None:
        message = "the line is not KEY=value"
    elif not _NAME.fullmatch(key):
        message = "what is before the = is no name: use letters, digits and _, and no digit first"
    elif _NEXT_LINE.search(value):
        message = f"the quotes around the value of {key} are not closed: it has the next lines in it"
    elif "\0" in value:
        message = f"the value of {key} has a NUL character: remove it"
    elif key in _TOO_LATE:
        message = f"{key} cannot be set in this file: it says which files are read"
    elif key in before and before[key].value != value:
        message = f"{key} has another value in line {before[key].at.line}: remove one of them"
    elif unusable := placeholder(key, value):
        message = f"the value of {key} cannot be used: {unusable}"
    return message
