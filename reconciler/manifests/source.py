"""A file that is being read: its name, its text, the places of its nodes, and the errors found in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.domain.errors import Position, Problem
from reconciler.domain.text import quoted
from reconciler.yaml import Node, Places, index

MAX_PROBLEMS = 1000
"""Errors of one file after which reading it stops."""

_NO_VARIABLES: Mapping[str, Position | None] = {}


class TooManyProblemsError(Exception):
    """The file has MAX_PROBLEMS errors. Its message is the file's name."""


def _may_have_tags(text: str) -> bool:
    """Whether some `!` could begin a tag, which none does that a letter or another `!` is before."""
    at = text.find("!")
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] == "!"):
        at = text.find("!", at + 1)
    return at >= 0


class Source:
    """A file that is being read.

    file: its path as shown to people. raw: its text. folder: its directory, from the current directory.
    tags: whether there may be one in it. include: the text of a `!file`'s path; raises ValueError with the
    rest of a sentence.
    elsewhere: paths of `!file` that other systems may not find, and why.
    """

    def __init__(
        self,
        file: str,
        text: str,
        include: Callable[[str], str],
        folder: Path = Path(),
        elsewhere: dict[str, str] | None = None,
    ) -> None:
        self.file = file
        self.folder = folder
        self.raw = text
        self.tags = _may_have_tags(text)
        self.places = Places(text)
        self.include = include
        self.elsewhere = {} if elsewhere is None else elsewhere
        self.problems: set[Problem] = set()  # a set: an error in an anchor is found again at every alias
        self._shared: set[tuple[int, str]] = set()

    def at(self, node: Node) -> Position:
        """Where the node begins."""
        return Position(self.file, *self.places(index(node)))

    def report(self, node: Node | None, message: str) -> None:
        """Add an error; without a node it is about the file as a whole. Raises TooManyProblemsError."""
        if len(self.problems) == MAX_PROBLEMS:
            raise TooManyProblemsError(self.file)
        self.problems.add(Problem(self.at(node) if node else Position(self.file, 1, 1), message))

    def report_of(self, instance: str, node: Node, message: str) -> None:
        """Add an error of an instance in a file that several instances share: once, for the first of them."""
        if (id(node), message) not in self._shared:
            self._shared.add((id(node), message))
            self.report(node, f"{message} (in instance {quoted(instance)})")


class Origin(NamedTuple):
    """Where the value of a key comes from.

    key, value: their nodes in source. layer: "bot" is the bot's own mapping, which a merge key or an alias
    may bring in from elsewhere in the file; "defaults" and "settings" are the manifest's, and
    "kinds.dify.defaults" those of one kind. With "folder " before it, it is of a folder's file.
    variables: the variables used in the value, and where each is declared (None for built-in ones).
    """

    source: Source
    key: Node
    value: Node
    layer: str
    variables: Mapping[str, Position | None] = _NO_VARIABLES

    @property
    def at(self) -> Position:
        """Where the value begins."""
        return self.source.at(self.value)
