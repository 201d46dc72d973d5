"""Where the value of a key comes from: what a desired value remembers of its file, for messages and edits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from reconciler.domain.errors import Position


class Source(Protocol):
    """The file that a value was read from.

    raw: its text. folder: where it stands, from the current directory. elsewhere: paths of `!file` that other
    systems may not find, and why.
    """

    file: str
    raw: str
    folder: Path
    elsewhere: dict[str, str]

    @property
    def include(self) -> Any:
        """Reads the text of a `!file`'s path. Raises ValueError with the rest of a sentence."""
        ...

    def at(self, node: Any) -> Position:
        """The place of a node."""
        ...


class Origin(Protocol):
    """Where the value of a key comes from. key, value: their YAML nodes in source, opaque here.

    layer: the part of a file that declares it. "bot": the bot's own mapping, which a merge key or an alias
    may bring in from elsewhere in the file. "defaults", "settings": those of the manifest;
    "kinds.dify.defaults", "kinds.dify.settings": those of one kind. With "folder " before it, those of a
    folder's file.
    variables: the names of each ${name} in it, and where they are declared (None: it is built in).
    """

    @property
    def source(self) -> Source:
        """The file."""
        ...

    @property
    def key(self) -> Any:
        """The node of the key."""
        ...

    @property
    def value(self) -> Any:
        """The node of the value."""
        ...

    @property
    def layer(self) -> str:
        """The part of a file that declares it."""
        ...

    @property
    def variables(self) -> Mapping[str, Position | None]:
        """The variables in the value."""
        ...

    @property
    def at(self) -> Position:
        """The place of the value."""
        ...


class Trace(NamedTuple):
    """Where a value comes from, in short: what is kept of an Origin when the files' nodes are not.

    places: `bots/_defaults.yaml:14`, the path of a `!file`, or "" for the bot's own place; one for the whole
    value, or one for each text of a list. variables: the names of those that are used in it.
    """

    places: tuple[str, ...]
    variables: tuple[str, ...] = ()
