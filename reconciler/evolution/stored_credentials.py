"""The credentials that a fetch reads, those of each instance once, compared with the declared ones.

The only place where the server's OpenAI keys and the declared ones meet, in memory. A RemoteCredential, which
has no key, is what leaves the fetch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from reconciler.domain import credential_versions
from reconciler.domain.desired import Desired
from reconciler.domain.keys import Keys
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.records import dataclass, field
from reconciler.domain.secret import SecretStr
from reconciler.evolution.answers import Credentials
from reconciler.evolution.client import Client


@dataclass(frozen=True, slots=True)
class Declared:
    """The credentials that the manifests declare. names: by instance. keys: those that are available."""

    names: Mapping[str, frozenset[str]]
    keys: Keys = field(repr=False)

    def of(self, instance: str) -> frozenset[str]:
        """The names of an instance's declared credentials."""
        return self.names.get(instance, frozenset())


def declared(desired: Desired, keys: Keys) -> Declared:
    """The declared credentials of all instances, also of those that are not fetched but share theirs."""
    names = {
        instance.name: frozenset(credential.name for credential in instance.credentials)
        for instance in (*desired.instances, *desired.creds_owners)
        if instance.credentials
    }
    return Declared(names, keys)


class StoredCredentials:
    """Reads credentials, those of each instance once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reads: dict[str, asyncio.Future[Credentials]] = {}

    async def read(self, instance: str) -> Credentials:
        """The credentials of an instance. Raises what the client does."""
        if instance not in self._reads:
            self._reads[instance] = asyncio.ensure_future(self._client.credentials(instance))
        return await self._reads[instance]

    def forget(self, instance: str) -> None:
        """Read an instance's credentials again the next time."""
        self._reads.pop(instance, None)

    def so_far(self, instance: str) -> Credentials | None:
        """The credentials of an instance if they were read, for whatever instance."""
        read = self._reads.get(instance)
        return None if read is None or not _succeeded(read) else read.result()

    def everything(self) -> dict[str, Credentials]:
        """All credentials that were read, by instance."""
        return {name: read.result() for name, read in self._reads.items() if _succeeded(read)}

    def asked(self) -> frozenset[str]:
        """The instances whose credentials were asked for, whether they could be read or not."""
        return frozenset(self._reads)


def compare(instance: str, stored: Credentials, declared: Declared) -> dict[str, RemoteCredential]:
    """An instance's credentials by name, without their keys: only whether each is the declared one."""
    names = declared.of(instance)
    found: dict[str, RemoteCredential] = {}
    for name, credential in stored.items():
        base = credential_versions.split(name)[0]
        key = declared.keys.key(instance, base) if base in names else None
        same = None if key is None else _same(key, credential.key)
        found[name] = RemoteCredential(credential.id, same, credential.users, credential.instance_id)
    return found


def _same(key: SecretStr, shown: SecretStr) -> bool | None:
    """Whether they are the same key. None where the server shows none, or no more than a part of ours."""
    whole, part = key.get_secret_value(), shown.get_secret_value()
    if whole == part:
        return True
    return None if not part or whole.startswith(part) or whole.endswith(part) else False


def _succeeded(read: asyncio.Future[Credentials]) -> bool:
    return read.done() and not read.cancelled() and read.exception() is None
