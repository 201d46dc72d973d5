"""The credentials that a fetch reads, each instance's once, their keys compared and dropped.

The only place where the server's OpenAI keys and the declared ones meet, in memory. What leaves it is a
RemoteCredential, or a sentence: never a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import SecretStr

from reconciler.domain import credential_versions, shared_credentials
from reconciler.domain.desired import Desired
from reconciler.domain.errors import InstanceError, ReconcilerError
from reconciler.domain.keys import Keys
from reconciler.domain.observed import RemoteCredential, Unread
from reconciler.evolution.answers import Credential, Credentials
from reconciler.evolution.client import Client


@dataclass(frozen=True, slots=True)
class _New:
    """A credential that is to be made. name: the one that it gets. key: None where it is not at hand."""

    instance: str
    declared: str
    name: str
    key: SecretStr | None = field(repr=False)


class Keyring:
    """Reads credentials for one fetch."""

    def __init__(self, client: Client, desired: Desired, keys: Keys) -> None:
        self._client, self._keys = client, keys
        self._shown = client.secrets.shown
        self._reads: dict[str, asyncio.Future[Credentials]] = {}
        self._declared = {
            instance.name: {credential.name for credential in instance.credentials}
            for instance in (*desired.instances, *desired.creds_owners)
            if instance.credentials
        }

    async def read(self, instance: str) -> dict[str, RemoteCredential]:
        """The credentials of an instance by name. Raises what the client does."""
        if instance not in self._reads:
            self._reads[instance] = asyncio.ensure_future(self._client.credentials(instance))
        declared = self._declared.get(instance, ())
        found: dict[str, RemoteCredential] = {}
        for name, credential in (await self._reads[instance]).items():
            family = credential_versions.split(name)[0]
            key = self._keys.key(instance, family) if family in declared else None
            same = None if key is None else _same(key, credential.key)
            found[name] = RemoteCredential(credential.id, same, credential.users, credential.instance_id)
        return found

    def forget(self, instance: str) -> None:
        """Read an instance's credentials again, when they are asked for."""
        self._reads.pop(instance, None)

    def unread(self, instance: str) -> tuple[tuple[str, Unread], ...]:
        """The rows of an instance's credentials that are not understood, where they were read."""
        read = self._reads.get(instance)
        return read.result().unread if read is not None and read.done() and not _failed(read) else ()

    def users(self, instance: str) -> frozenset[str]:
        """The bots of an instance that use a credential of its own, where those were read."""
        read = self._reads.get(instance)
        if read is None or not read.done() or _failed(read):
            return frozenset()
        return read.result().own_users

    def turning(self, instance: str, there: Mapping[str, RemoteCredential]) -> bool:
        """Whether one of an instance's declared credentials is to be rotated, or half-way."""
        return credential_versions.need_rotation(self._declared.get(instance, ()), there)

    def leaving(self, instance: str, there: Mapping[str, RemoteCredential]) -> Iterator[RemoteCredential]:
        """The old generations of an instance's declared credentials that are to go."""
        return credential_versions.outdated(self._declared.get(instance, ()), there)

    async def clashes(
        self, observed: Mapping[str, Mapping[str, RemoteCredential]]
    ) -> dict[str, dict[str, str]]:
        """Why the server would refuse to make a declared credential, by instance and name: a sentence each.

        observed: the credentials of the instances that could be read. A name and a key are unique in the
        whole database, so all other instances are looked at too, where the server's key may list them.
        """
        new = [one for instance in observed for one in self._new(instance, observed[instance])]
        found = {one: why for one in new if (why := self._taken(one))}
        if len(found) < len(new):
            await self._read_others()
            found = {one: why for one in new if (why := self._taken(one))}
        sentences: dict[str, dict[str, str]] = {}
        for one, why in found.items():
            sentences.setdefault(one.instance, {})[one.declared] = why
        return sentences

    def _new(self, instance: str, there: Mapping[str, RemoteCredential]) -> Iterator[_New]:
        for name in sorted(self._declared.get(instance, ())):
            family = credential_versions.declared(name, there, makes=True)
            if family is not None and family.new:
                yield _New(instance, name, family.new, self._keys.key(instance, name))

    async def _read_others(self) -> None:
        try:
            others = iter([name for name in await self._client.instances() if name not in self._reads])

            async def work() -> None:
                for name in others:
                    with suppress(InstanceError):
                        await self.read(name)

            async with asyncio.TaskGroup() as group:
                for _ in range(self._client.concurrency):
                    group.create_task(work())
        except* ReconcilerError:
            pass  # what could not be read is not looked at, and the server has the last word

    def _taken(self, new: _New) -> str:
        """Who has its name or its key, or may have; "" for nobody."""
        if nameless := [what for what, unread in self.unread(new.instance) if "name" in dict(unread)]:
            return (
                f"the credential {self._shown(nameless[0])} of this instance may be it, and its row is not "
                "understood: the server does not show its name"
            )
        if len(new.name) > credential_versions.LONGEST:
            longest = credential_versions.LONGEST
            return f"the server stores {longest} characters of a name, and {new.name} has more"
        for instance, name, credential in self._everything():
            if new.key is not None and credential.key == new.key:
                return self._key_taken(new, instance, name)
            if name == new.name:
                return (
                    f"the instance {self._shown(instance)} has a credential {self._shown(name)} already, and "
                    "a name is taken once in the server's whole database: give this one another name"
                )
        return ""

    def _everything(self) -> Iterable[tuple[str, str, Credential]]:
        for instance, read in self._reads.items():
            if read.done() and not _failed(read):
                for name, credential in read.result().items():
                    yield instance, name, credential

    def _key_taken(self, new: _New, instance: str, name: str) -> str:
        family = credential_versions.split(name)[0]
        once = "the server takes a key once in its whole database"
        if instance == new.instance:
            return (
                f"its key is that of the credential {self._shown(name)} of this instance, and {once}: "
                "declare it under that name"
            )
        return (
            f"its key is that of the credential {self._shown(name)} of the instance "
            f"{self._shown(instance)}, and {once}: borrow it, "
            f"{shared_credentials.reference(instance, family)} ({shared_credentials.WHEN})"
        )


def _failed(read: asyncio.Future[Credentials]) -> bool:
    return read.cancelled() or read.exception() is not None


def _same(key: SecretStr, shown: SecretStr) -> bool | None:
    """Whether they are the same key. None where the server shows none, or no more than a part of ours."""
    whole, part = key.get_secret_value(), shown.get_secret_value()
    if whole == part:
        return True
    return None if not part or whole.startswith(part) or whole.endswith(part) else False
