"""A configuration file as TOML: read, decoded and parsed, with the place of each key.

Raises ReconcilerError for a file that cannot be read, ConfigError for one that is not TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from reconciler.cli.config import places
from reconciler.domain import files
from reconciler.domain.errors import ConfigError, Position, Problem
from reconciler.domain.records import dataclass

PYPROJECT = "pyproject.toml"
_TABLE = ("tool", "reconciler")
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Source:
    """A file that has configuration. path: as it is shown, from the current directory. data: the tables."""

    path: str
    data: Mapping[str, Any]
    text: str
    prefix: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """What relative paths in the file are relative to."""
        return Path(self.path).parent

    def at(self, *keys: str | int) -> Position:
        """The place of a key, or of an item of its array."""
        path: places.Path = (*self.prefix, *keys)
        while path and path not in self._places:
            path = path[:-1]
        return Position(self.path, *self._places.get(path, (1, 1)))

    @cached_property
    def _places(self) -> dict[places.Path, tuple[int, int]]:
        return places.places(self.text)

    def bots(self) -> set[Path]:
        """The directories of manifests that it names, without links."""
        tables = [each for each in self.data.values() if isinstance(each, dict)]
        named = [self.data.get("bots", "bots"), *(t[k] for t in tables for k in ("bots", "into") if k in t)]
        return {(self.directory / each).resolve() for each in named if _is_path(each)}


def load(path: str, *, through_link: bool = True) -> Source | None:
    """Read a file; None for a pyproject.toml that has no table of ours."""
    content = files.read(Path(path), _MOST_BYTES, through_link=through_link)
    prefix = _TABLE if Path(path).name == PYPROJECT else ()
    if prefix and b"reconciler" not in content:  # most are of other projects, and parsing takes a while
        return None
    text = _decoded(path, content)
    data: Any = _parsed(path, text)
    for key in prefix:
        data = data.get(key) if isinstance(data, dict) else None
    if data is None:
        return None
    if not isinstance(data, dict):
        raise ConfigError(
            [Problem(Position(path, 1, 1), "tool.reconciler is not a table: write [tool.reconciler]")]
        )
    return Source(path, data, text, prefix)


def _decoded(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
    else:
        return text.replace("\r\n", "\n")
    # Raised outside of the except block: the decoder's error contains the whole file.
    raise ConfigError([Problem(Position(path, line, column), "it is not UTF-8: save it as UTF-8")])


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also one of int(), for a number with thousands of digits
        message = str(error) if isinstance(error, tomllib.TOMLDecodeError) else ""
    except RecursionError:
        message = "it is nested too deeply"
    raise _not_toml(path, text, message)


def _not_toml(path: str, text: str, message: str) -> ConfigError:
    """The error. message: of tomllib, which names a place and maybe a key or a character, but no value."""
    said, line, column = message, text.count("\n") + 1, 1
    if found := re.search(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", message, re.DOTALL):
        said, line, column = found[1], int(found[2] or line), int(found[3] or 1)
    said = f"{said[0].lower()}{said[1:]}" if said else "a number is too long"
    return ConfigError([Problem(Position(path, line, column), f"not valid TOML: {said}")])


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
