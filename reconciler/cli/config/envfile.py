"""Environment variables from elsewhere, as `--env-file` names it.

    -              stdin, `KEY=value` on each line
    /dev/fd/3      the same from a descriptor that the caller opened, as `<(…)` in a shell does
    DIR            a file for each variable, as Kubernetes and Docker mount secrets
    FILE           `KEY=value` on each line

Lines are parsed by python-dotenv, without `${…}` in values. Faults that people make in such files are errors
with their place; no value is shown.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from reconciler.cli.config.keys import PREFIX
from reconciler.cli.config.values import SECRET
from reconciler.domain import files
from reconciler.domain.errors import ConfigError, Position, Problem, ReconcilerError
from reconciler.domain.key_format import placeholder
from reconciler.domain.records import dataclass
from reconciler.domain.text import looks_like_key

STDIN = "-"

_MOST_BYTES = 256 * 1024
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEXT_LINE = re.compile(r"\n\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=")
_TOO_LATE = {f"{PREFIX}{name}" for name in ("CONFIG", "NO_CONFIG", "ENV_FILE")}


@dataclass(frozen=True, slots=True)
class Variable:
    """A value, and where it is written. secret: whether no output may show it."""

    value: str
    at: Position
    secret: bool = False

    def __repr__(self) -> str:
        return f"Variable({self.at})"


Variables = Mapping[str, Variable]


def read(sources: Sequence[str]) -> Variables:
    """The variables of all sources; a later one wins. Raises ReconcilerError, ConfigError with all faults."""
    found: dict[str, Variable] = {}
    problems: list[Problem] = []
    for source in sources:
        if Path(source).is_dir():
            found |= _directory(source, problems)
            continue
        inside: dict[str, Variable] = {}
        shown = _shown(source)
        for at, binding in _bindings(shown, _text(shown, _content(source))):
            if message := _fault(binding, inside):
                problems.append(Problem(at, message))
            elif binding.key is not None:
                value = binding.value or ""
                inside[binding.key] = Variable(value, at, _is_secret(source, binding.key, value))
        found |= inside
    if problems:
        raise ConfigError(problems)
    return found


def is_file(source: str) -> bool:
    """Whether a source is a file or a directory, and not open already."""
    return source != STDIN and _DESCRIPTOR.fullmatch(source) is None


def _is_secret(source: str, name: str, value: str) -> bool:
    """Whether it is a secret. Unlike the other sources a file may have settings in it."""
    ours = name.startswith("EVOLUTION_")
    return SECRET.search(name) is not None or looks_like_key(value) or not (ours or is_file(source))


def _content(source: str) -> bytes:
    number = _DESCRIPTOR.fullmatch(source)
    if number is None and source != STDIN:
        return files.read(Path(source), _MOST_BYTES)
    shown = _shown(source)
    try:
        if number is None:
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with os.fdopen(int(number[1]), "rb", closefd=False) as file:
                content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError, AttributeError):  # it is closed, or there is none
        raise ReconcilerError(f"{shown} cannot be read: it is not open.") from None
    if len(content) > _MOST_BYTES:
        raise ReconcilerError(f"{shown} is not read: it has more than {_MOST_BYTES:,} bytes.")
    return content


def _shown(source: str) -> str:
    return "stdin" if source == STDIN else source


def _directory(directory: str, problems: list[Problem]) -> dict[str, Variable]:
    """A variable for each file, named as the file. Without the line break at the end, if there is one."""
    found: dict[str, Variable] = {}
    try:
        paths = sorted(Path(directory).iterdir())
    except OSError as error:
        raise ReconcilerError(f"{directory} cannot be read: {error.strerror}.") from None
    for path in paths:
        if path.name.startswith(".") or not path.is_file():  # Kubernetes keeps its own in ..data
            continue
        at = Position(str(path), 1, 1)
        if not _NAME.fullmatch(path.name):
            problems.append(Problem(at, f"the file's name is no name of a variable: {_A_NAME}"))
            continue
        value = _text(str(path), files.read(path, _MOST_BYTES)).removesuffix("\n")
        if message := _fault_of(path.name, value):
            problems.append(Problem(at, message))
        found[path.name] = Variable(value, at, _is_secret(STDIN, path.name, value))
    return found


def _text(shown: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        pass
    # Raised outside of the except block: the decoder's error contains the whole file.
    raise ConfigError([Problem(Position(shown, 1, 1), "it is not UTF-8: save it as UTF-8")])


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
        message = f"what is before the = is no name: {_A_NAME}"
    elif _NEXT_LINE.search(value):
        message = f"the quotes around the value of {key} are not closed: it has the next lines in it"
    elif key in before and before[key].value != value:
        message = f"{key} has another value in line {before[key].at.line}: remove one of them"
    else:
        message = _fault_of(key, value)
    return message


_A_NAME = "use letters, digits and _, and no digit first"


def _fault_of(key: str, value: str) -> str:
    """What is wrong with a variable's value; "" when nothing is."""
    message = ""
    if "\0" in value:
        message = f"the value of {key} has a NUL character: remove it"
    elif key in _TOO_LATE:
        message = f"{key} cannot be set in this file: it says which files are read"
    elif unusable := placeholder(key, value):
        message = f"the value of {key} cannot be used: {unusable}"
    return message
