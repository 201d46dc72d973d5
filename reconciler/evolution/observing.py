"""What the server has of one instance: its bots, and of credentials and settings what the plan will look at.

Reads only, one call after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from reconciler.domain import credential_versions
from reconciler.domain.desired import DesiredInstance
from reconciler.domain.errors import InstanceError
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteCredential, not_understood
from reconciler.evolution.belonging import check_whole, hidden
from reconciler.evolution.client import Client
from reconciler.evolution.stored_credentials import Declared, StoredCredentials, compare

NeedsSettings = Callable[[DesiredInstance, tuple[RemoteBot, ...]], bool]
"""Whether an instance with these bots on the server needs a create, which copies from its settings."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of an instance. unreadable: why shared credentials could not be read, by their owner."""

    instance: ObservedInstance
    unreadable: Mapping[str, InstanceError]


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads instances for one fetch. needs_credentials: the instances of which they are read in any case."""

    client: Client
    stored: StoredCredentials
    declared: Declared
    needs_settings: NeedsSettings
    needs_credentials: Container[str] = ()

    async def observe(self, instance: DesiredInstance) -> Seen:
        """Read an instance. Raises what the client does."""
        client, name = self.client, instance.name
        bots = await client.find(name)
        named = _names_own(instance) or name in self.needs_credentials
        stored = await self.stored.read(name) if named else None
        bots = await self._all_bots(name, bots)
        shared, unreadable = await self._shared(instance)
        settings = None
        compared = {} if stored is None else compare(name, stored, self.declared)
        rotating = any(
            credential_versions.need_rotation(self.declared.of(owner), there)
            for owner, there in ((name, compared), *shared.items())
        )
        if rotating or instance.settings is not None or self.needs_settings(instance, bots):
            settings = await client.settings(name)
            if not settings.exists and stored is None:
                # Creating settings takes a credential of the instance's own.
                stored = await self.stored.read(name)
                compared = compare(name, stored, self.declared)
        return Seen(
            ObservedInstance(
                name,
                bots,
                None if stored is None else compared,
                settings,
                shared,
                unread=tuple(
                    (client.secrets.clean(what), not_understood(why))
                    for what, why in (() if stored is None else stored.unread)
                ),
            ),
            unreadable,
        )

    async def _all_bots(self, name: str, bots: tuple[RemoteBot, ...]) -> tuple[RemoteBot, ...]:
        """The bots, read again where the instance's credentials show more. Raises InstanceError."""
        stored = self.stored.so_far(name)
        users = frozenset[str]() if stored is None else stored.own_users
        if not hidden(bots, users):
            return bots
        bots = await self.client.find(name)  # a bot may have been created between the two reads
        check_whole(self.client.secrets.shown(name), bots, users)
        return bots

    async def _shared(
        self, instance: DesiredInstance
    ) -> tuple[dict[str, Mapping[str, RemoteCredential]], dict[str, InstanceError]]:
        """The credentials of the instances that share theirs with this one, and why others cannot be read."""
        shared: dict[str, Mapping[str, RemoteCredential]] = {}
        unreadable: dict[str, InstanceError] = {}
        for owner in sorted({bot.creds_owner for bot in instance.bots if bot.creds_owner is not None}):
            try:
                shared[owner] = compare(owner, await self.stored.read(owner), self.declared)
            except InstanceError as error:
                unreadable[owner] = error
        return shared, unreadable


def _names_own(instance: DesiredInstance) -> bool:
    """Whether a credential of the instance's own is declared or named."""
    if instance.credentials or (instance.settings is not None and instance.settings.creds is not None):
        return True
    return any(bot.creds is not None and bot.creds_owner is None for bot in instance.bots)
