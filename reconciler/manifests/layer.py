"""What one file declares, a Layer, and what two layers say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.domain.desired import SecretRef
from reconciler.domain.errors import Position
from reconciler.manifests.source import Origin, Source
from reconciler.yaml import Node

CREDENTIAL = ("openaiCreds", "openaiCredsId")
"""The two fields that name a credential: a bot has one of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A bot, defaults or settings: where each value comes from, and the values that are valid.

    The value of openaiCreds is a name, or a mapping of instance and name. whole: False where it could not be
    read, so that a missing field means nothing.
    """

    origins: Mapping[str, Origin]
    values: dict[str, Any]
    whole: bool = True


EMPTY = Part({}, {})


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file declares: a manifest, or the `_defaults` file of a folder.

    at: of the manifest. instance: its name; None for a folder's file, and where the name is wrong.
    vars: the text and the place of each variable; None where the file has no such key. credentials: the node
    of each name, and where the key is found. settings: the node of their key, and the settings.
    bots: the node and the fields of each name, None for a bot that is left out; None where the file has no
    such key.
    """

    source: Source
    at: Position
    instance: str | None = None
    vars: Mapping[str, tuple[str, Position]] | None = None
    credentials: Mapping[str, tuple[Node, SecretRef]] = field(default_factory=dict)
    settings: tuple[Node, Part] | None = None
    silence: frozenset[str] = frozenset()
    defaults: Part = EMPTY
    bots: Mapping[str, tuple[Node, Part | None]] | None = None
    whole: bool = True


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
    return Part(origins | dict(nearer.origins), values, nearer.whole and farther.whole)
