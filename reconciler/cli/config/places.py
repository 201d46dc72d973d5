"""Where each key of a TOML text is. Neither tomllib nor tomlkit tells; both drop the positions.

Only for a text that tomllib has read: so nothing is checked here, and what is between two keys may be skipped
by a few regular expressions.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress

Path = tuple[str | int, ...]
"""Keys and, in arrays, indices from 0, from the top of the text."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*(\.?)""")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
    r"|[^\s,\]}#]+(?: \d[^\s,\]}#]*)?",  # a date and a time may be parted by a blank
    re.DOTALL,
)


def places(text: str) -> dict[Path, tuple[int, int]]:
    """The line and the column, from 1, of every key and of every item of an array. Line breaks are \\n."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: dict[Path, tuple[int, int]] = {}
    with suppress(RecursionError):  # tomllib took less room for it; its keys are found above
        for path, at in _Scanner(text).document():
            line = bisect_right(starts, at)
            found.setdefault(path, (line, at - starts[line - 1] + 1))
    return found


class _Scanner:
    """Reads a text once, from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tables: dict[Path, int] = {}  # how many tables each array of tables has

    def document(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        while self._skip() < len(self._text):
            if self._text[self._at] == "[":
                many = self._text.startswith("[[", self._at)
                self._at += 2 if many else 1
                keys, starts = self._keys()
                table = self._table(keys, many=many)
                yield table, starts[-1]
                self._at += 2 if many else 1
            else:
                yield from self._pair(table)

    def _table(self, keys: list[str], *, many: bool) -> Path:
        """The path of a table by the keys of its header: the last one of an array of tables."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path])
        path = (*path, keys[-1])
        if not many:
            return path
        self._tables[path] = self._tables.get(path, -1) + 1
        return (*path, self._tables[path])

    def _pair(self, table: Path) -> Iterator[tuple[Path, int]]:
        keys, starts = self._keys()
        for end, start in enumerate(starts, 1):
            yield (*table, *keys[:end]), start
        self._at += 1  # =
        yield from self._value((*table, *keys))

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        self._skip()
        if self._text[self._at] == "[":
            yield from self._list(path, "]")
        elif self._text[self._at] == "{":
            yield from self._list(path, "}")
        elif match := _SCALAR.match(self._text, self._at):
            self._at = match.end()

    def _list(self, path: Path, end: str) -> Iterator[tuple[Path, int]]:
        """An array, or an inline table."""
        self._at += 1
        index = 0
        while self._text[self._skip()] != end:
            if self._text[self._at] == ",":
                self._at += 1
            elif end == "}":
                yield from self._pair(path)
            else:
                yield (*path, index), self._at
                yield from self._value((*path, index))
                index += 1
        self._at += 1

    def _keys(self) -> tuple[list[str], list[int]]:
        """A key with its parts, and where each part begins."""
        keys, starts, dot = [], [], "."
        while dot and (match := _KEY.match(self._text, self._at)):
            text, dot = match[1], match[2]
            keys.append(next(iter(tomllib.loads(f"{text} = 0"))) if text[0] in "\"'" else text)
            starts.append(match.start(1))
            self._at = match.end()
        return keys, starts

    def _skip(self) -> int:
        """Go on behind blanks, line breaks and comments."""
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at
