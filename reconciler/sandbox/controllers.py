"""What the server does once a call has passed the checks: the controllers of each version, bugs included.

Written after the public source and proved by the recordings. Each check is a query of its own, and other
calls may run between a check and the write that follows it, as on the real server. A DatabaseError that a
controller does not catch is one that the server does not catch either. Of HTTP they know the statuses only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.records import dataclass
from reconciler.sandbox.bots import Bots
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.kinds_2_2 import KINDS_2_2
from reconciler.sandbox.openai import Models, OpenaiBots, OpenaiSettings
from reconciler.sandbox.sessions import Sessions
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import Store
from reconciler.sandbox.version_2_2 import Bots22, Credentials22, OpenaiBots22, Settings22, TypebotBots22


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
    own = {"openai": (OpenaiBots, OpenaiSettings)}
    kinds = tuple(_of_kind(store, kind, *own.get(kind.path, (Bots, Settings))) for kind in KINDS.values())
    return Controllers(kinds, Credentials(store), Models(store))


def _of_2_2(store: Store) -> Controllers:
    own = {"openai": OpenaiBots22, "typebot": TypebotBots22}
    kinds = tuple(_of_kind(store, kind, own.get(kind.path, Bots22), Settings22) for kind in KINDS_2_2)
    return Controllers(kinds, Credentials22(store), Models(store))


def _of_kind(store: Store, kind: Kind, bots: type[Bots], settings: type[Settings]) -> OfKind:
    of_kind = settings(store, kind)
    return OfKind(kind, bots(store, kind, of_kind), of_kind, Sessions(store, kind))


VERSIONS: Mapping[str, Callable[[Store], Controllers]] = {"2.3.6": _of_2_3, "2.2.3": _of_2_2}
"""The versions of the server that a sandbox can be, and their controllers."""
