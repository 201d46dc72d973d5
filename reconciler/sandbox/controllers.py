"""What the server does once a call has passed the checks: the controllers of each version, bugs included.

Written after the public source and proved by the recordings. Each check is a query of its own, and other
calls may run between a check and the write that follows it, as on the real server. A DatabaseError that a
controller does not catch is one that the server does not catch either. Of HTTP they know the statuses only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.sandbox.bots import Bots
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.sessions import Sessions
from reconciler.sandbox.settings import Settings
from reconciler.sandbox.store import Store
from reconciler.sandbox.version_2_2 import Bots22, Credentials22, Settings22


@dataclass(frozen=True, slots=True)
class Controllers:
    """The controllers of one version, over one store."""

    bots: Bots
    settings: Settings
    sessions: Sessions
    credentials: Credentials


def _of_2_3(store: Store) -> Controllers:
    settings = Settings(store)
    return Controllers(Bots(store, settings), settings, Sessions(store), Credentials(store))


def _of_2_2(store: Store) -> Controllers:
    settings = Settings22(store)
    return Controllers(Bots22(store, settings), settings, Sessions(store), Credentials22(store))


VERSIONS: Mapping[str, Callable[[Store], Controllers]] = {"2.3.6": _of_2_3, "2.2.3": _of_2_2}
"""The versions of the server that a sandbox can be, and their controllers."""
