"""What the server does once a call has passed the checks: the controllers of each version, bugs included.

Written after the public source and proved by the recordings. Each check is a query of its own, and other
calls may run between a check and the write that follows it, as on the real server. A DatabaseError that a
controller does not catch is one that the server does not catch either. Of HTTP they know the statuses only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.domain.kinds import KINDS, OPENAI, Kind
from reconciler.sandbox.bots import Bots
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.openai import Models, OpenaiBots, OpenaiSettings
from reconciler.sandbox.sessions import Sessions
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import Store
from reconciler.sandbox.version_2_2 import Bots22, Credentials22, Settings22


@dataclass(frozen=True, slots=True)
class OfKind:
    """The controllers of one kind."""

    kind: Kind
    bots: Bots
    settings: Settings
    sessions: Sessions


@dataclass(frozen=True, slots=True)
class Controllers:
    """The controllers of one version, over one store. credentials, models: OpenAI's alone."""

    kinds: tuple[OfKind, ...]
    credentials: Credentials
    models: Models


def _of_2_3(store: Store) -> Controllers:
    kinds = tuple(_kind_of_2_3(store, kind) for kind in KINDS.values())
    return Controllers(kinds, Credentials(store), Models(store))


def _kind_of_2_3(store: Store, kind: Kind) -> OfKind:
    own_bots, own_settings = _OWN.get(kind.path, (Bots, Settings))
    settings = own_settings(store, kind)
    return OfKind(kind, own_bots(store, kind, settings), settings, Sessions(store, kind))


_OWN: Mapping[str, tuple[type[Bots], type[Settings]]] = {"openai": (OpenaiBots, OpenaiSettings)}
"""The kinds that have controllers of their own."""


def _of_2_2(store: Store) -> Controllers:
    settings = Settings22(store, OPENAI)
    openai = OfKind(OPENAI, Bots22(store, OPENAI, settings), settings, Sessions(store, OPENAI))
    return Controllers((openai,), Credentials22(store), Models(store))


VERSIONS: Mapping[str, Callable[[Store], Controllers]] = {"2.3.6": _of_2_3, "2.2.3": _of_2_2}
"""The versions of the server that a sandbox can be, and their controllers."""
