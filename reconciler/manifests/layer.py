"""What one file declares, a Layer, and what two layers say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.domain.desired import DesiredTest, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass, field
from reconciler.manifests.source import Origin, Source
from reconciler.manifests.tables import CREDENTIAL, fields, keys
from reconciler.yaml import Node


@dataclass(frozen=True, slots=True)
class Part:
    """A bot, defaults or settings: where each value comes from, and the values that are valid.

    The value of openaiCreds is a name, or a mapping of instance and name. whole: False where it could not be
    read, so that a missing field means nothing. kind: of bot that it was read for; None for all kinds.
    """

    origins: Mapping[str, Origin]
    values: dict[str, Any]
    whole: bool = True
    kind: Kind | None = None


EMPTY = Part({}, {})


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `tests:`. test: None for one that drops the inherited test of its name.

    message, jid: their nodes, where variables may be filled in.
    """

    node: Node
    name: str
    test: DesiredTest | None
    message: Node
    jid: Node


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file declares: a manifest, or the `_defaults` file of a folder.

    at: of the manifest. instance: its name; None for a folder's file, and where the name is wrong.
    vars: the text and the place of each variable; None where the file has no such key. credentials: the node
    of each name, and where the key is found. settings: by kind the node of their key, and the settings.
    defaults: those of each kind, by its path, and those of all kinds by "".
    bots: the node and the fields of each name, None for a bot that is left out; None where the file has no
    such key. kinds: of the bots of this file and of the folders' files above; None where one of these files
    could not be read. tests: in the order of the file. server: the name, and the place of the key; None where
    the file has no such key.
    """

    source: Source
    at: Position
    instance: str | None = None
    vars: Mapping[str, tuple[str, Position]] | None = None
    credentials: Mapping[str, tuple[Node, SecretRef]] = field(default_factory=dict)
    settings: Mapping[str, tuple[Node, Part]] = field(default_factory=dict)
    silence: frozenset[str] = frozenset()
    defaults: Mapping[str, Part] = field(default_factory=dict)
    bots: Mapping[str, tuple[Node, Part | None]] | None = None
    kinds: Mapping[str, Kind] | None = None
    whole: bool = True
    tests: tuple[Entry, ...] = ()
    server: tuple[str, Position] | None = None


def over(nearer: Part, farther: Part) -> Part:
    """One part over another. One field that names a credential replaces the other; ignored rules add up."""
    if not farther.origins and farther.whole:
        return nearer
    hidden = set(nearer.origins)
    if not hidden.isdisjoint(CREDENTIAL):
        hidden.update(CREDENTIAL)
    values = {name: value for name, value in farther.values.items() if name not in hidden} | nearer.values
    if "silence" in nearer.values:
        values["silence"] += farther.values.get("silence", ())
    origins = {name: origin for name, origin in farther.origins.items() if name not in hidden}
    return Part(origins | dict(nearer.origins), values, nearer.whole and farther.whole, nearer.kind)


def of_kind(part: Part, kind: Kind) -> Part:
    """The part of a bot or of defaults without what a kind has no field for, or no such choice."""
    if part.kind is kind:
        return part
    known, table = keys("bot", kind), fields("bot", kind)
    choices = {name: table[name].choices for name in part.values if name in table and table[name].choices}
    other = {name for name, which in choices.items() if part.values[name] not in which}
    other |= {name for name in part.origins if name not in known}
    return Part(
        {name: origin for name, origin in part.origins.items() if name not in other},
        {name: value for name, value in part.values.items() if name not in other},
        part.whole,
        kind,
    )
