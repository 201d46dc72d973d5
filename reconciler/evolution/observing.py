"""What the server has of one instance: its bots, and of credentials and settings what the plan will look at.

Reads only, one call after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Protocol

from reconciler.domain import credential_versions
from reconciler.domain.desired import DesiredInstance
from reconciler.domain.errors import Absent, Disabled, InstanceError
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import (
    ObservedInstance,
    RemoteBot,
    RemoteCredential,
    RemoteSettings,
    not_understood,
)
from reconciler.domain.records import dataclass, field, replace
from reconciler.evolution.answers import Credentials
from reconciler.evolution.belonging import check_whole, hidden
from reconciler.evolution.client import Client
from reconciler.evolution.stored_credentials import Declared, StoredCredentials, compare

NeedsSettings = Callable[[DesiredInstance, tuple[RemoteBot, ...], Kind], bool]
"""Whether an instance with these bots of a kind on the server needs a create, which copies from its settings.

The instance is given with what it declares of that kind."""


class Settle(Protocol):
    """Gives the bots of an instance, which was just read, with no more than the plan still needs of them.

    None for all. It is asked of those alone of which all was read. early: the settings were not read, and are
    only if it gives None.
    """

    def __call__(
        self, instance: DesiredInstance, seen: ObservedInstance, /, *, early: bool
    ) -> tuple[RemoteBot, ...] | None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of an instance. unreadable: why shared credentials could not be read, by their owner."""

    instance: ObservedInstance
    unreadable: Mapping[str, InstanceError]


async def find_all(client: Client, instance: str, off: dict[str, str]) -> tuple[RemoteBot, ...]:
    """The bots of every kind that the server has and has switched on.

    off: why bots of a kind are not read, by kind; what one answer says of a kind holds for the whole server,
    and is added. Raises what the client does.
    """
    found: list[RemoteBot] = []
    for kind in KINDS.values():
        if kind.path in off:
            continue
        try:
            found += await client.find(instance, kind)
        except (Disabled, Absent) as error:
            off[kind.path] = str(error)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads instances for one fetch.

    settle: is given each instance as soon as it was read. needs_credentials: the instances of which they are
    read in any case. off: as of find_all.
    """

    client: Client
    stored: StoredCredentials
    declared: Declared
    needs_settings: NeedsSettings
    settle: Settle | None = None
    needs_credentials: Container[str] = ()
    off: dict[str, str] = field(default_factory=dict)

    async def observe(self, instance: DesiredInstance) -> Seen:
        """Read an instance. Raises what the client does."""
        client, name = self.client, instance.name
        bots = await find_all(client, name, self.off)
        named = _names_own(instance) or name in self.needs_credentials
        stored = await self.stored.read(name) if named and self._has_credentials() else None
        bots = await self._all_bots(name, bots)
        shared, unreadable = await self._shared(instance)
        compared = {} if stored is None else compare(name, stored, self.declared)
        rotating = any(
            credential_versions.need_rotation(self.declared.of(owner), there)
            for owner, there in ((name, compared), *shared.items())
        )
        seen = ObservedInstance(
            name,
            bots,
            None if stored is None else compared,
            shared_creds=shared,
            unread=self._unread(stored),
            off=self.off,
        )
        settle = None if unreadable else self.settle
        if settle and not rotating and (left := settle(instance, seen, early=True)) is not None:
            return Seen(replace(seen, bots=left), unreadable)
        settings: dict[str, RemoteSettings] = {}
        for kind in self._kinds_with_settings(instance, bots, rotating=rotating):
            row = settings[kind.path] = await client.settings(name, kind)
            if kind.credential and not row.exists and stored is None:
                # Creating settings takes a credential of the instance's own.
                stored = await self.stored.read(name)
                compared = compare(name, stored, self.declared)
        if stored is not None:
            seen = replace(seen, credentials=compared, unread=self._unread(stored))
        seen = replace(seen, settings=settings)
        if settle and (left := settle(instance, seen, early=False)) is not None:
            seen = replace(seen, bots=left)
        return Seen(seen, unreadable)

    def _unread(self, stored: Credentials | None) -> tuple[tuple[str, str], ...]:
        """The credentials whose rows are not understood, and why."""
        rows = () if stored is None else stored.unread
        return tuple((self.client.secrets.clean(what), not_understood(why)) for what, why in rows)

    def _has_credentials(self) -> bool:
        """Whether the kind that has credentials is switched on."""
        return not any(kind.credential and kind.path in self.off for kind in KINDS.values())

    def _kinds_with_settings(
        self, instance: DesiredInstance, bots: tuple[RemoteBot, ...], *, rotating: bool
    ) -> list[Kind]:
        """The kinds whose settings are read. Who answers depends on those of every kind that has bots."""
        on = [kind for kind in KINDS.values() if kind.path not in self.off]
        there = {bot.kind.path for bot in bots}
        has = (kind for kind in on if kind.path in there or instance.has(kind))
        needed = {kind.path for kind in has if self._needs(instance, bots, kind)}
        if needed:
            needed |= there
        needed |= instance.settings.keys()
        return [kind for kind in on if kind.path in needed or (rotating and kind.credential)]

    def _needs(self, instance: DesiredInstance, bots: tuple[RemoteBot, ...], kind: Kind) -> bool:
        own = tuple(bot for bot in bots if bot.kind is kind)
        return self.needs_settings(instance.of_kind(kind), own, kind)

    async def _all_bots(self, name: str, bots: tuple[RemoteBot, ...]) -> tuple[RemoteBot, ...]:
        """The bots, read again where the instance's credentials show more. Raises InstanceError."""
        stored = self.stored.so_far(name)
        users = frozenset[str]() if stored is None else stored.own_users
        if not hidden(bots, users):
            return bots
        # A bot may have been created between the two reads.
        bots = await find_all(self.client, name, self.off)
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
    if instance.credentials or any(one.creds is not None for one in instance.settings.values()):
        return True
    return any(bot.creds is not None and bot.creds_owner is None for bot in instance.bots)
