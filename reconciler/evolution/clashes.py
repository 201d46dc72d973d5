"""Why the server would refuse to create a declared credential. Pure.

A credential's name and its key are unique in the server's whole database, so the credentials of all instances
count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from reconciler.domain import credential_versions, shared_credentials
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.records import dataclass, field
from reconciler.domain.secret import SecretStr
from reconciler.evolution.answers import Credentials
from reconciler.evolution.stored_credentials import Declared

Shown = Callable[[str], str]
"""A name from the server, as a sentence may show it."""


@dataclass(frozen=True, slots=True)
class New:
    """A credential to create. declared: its name in the manifest. name: the one it gets on the server.

    key: None where it is not available.
    """

    instance: str
    declared: str
    name: str
    key: SecretStr | None = field(repr=False)


def to_create(observed: Mapping[str, Mapping[str, RemoteCredential]], declared: Declared) -> Iterator[New]:
    """The credentials that a plan would create. observed: those of each instance that could be read."""
    for instance, there in observed.items():
        stored = credential_versions.by_name(there)
        for name in sorted(declared.of(instance)):
            versions = credential_versions.declared(name, stored, makes=True)
            if versions is not None and versions.new:
                yield New(instance, name, versions.new, declared.keys.key(instance, name))


@dataclass(frozen=True, slots=True)
class _Place:
    """Which credential of the server has a key or a name. number: how many were read before it."""

    number: int
    instance: str
    name: str


def clashes(new: Iterable[New], stored: Mapping[str, Credentials], shown: Shown) -> dict[New, str]:
    """Why the server would refuse some of these credentials, a sentence for each.

    stored: the credentials on the server, by instance, as far as they were read.
    """
    keys: dict[SecretStr, _Place] = {}
    names: dict[str, _Place] = {}
    every = ((instance, *item) for instance, credentials in stored.items() for item in credentials.items())
    for number, (instance, name, credential) in enumerate(every):
        place = _Place(number, instance, name)
        keys.setdefault(credential.key, place)
        names.setdefault(name, place)
    return {
        one: why
        for one in new
        if (why := _unfit(one, stored.get(one.instance), shown) or _taken(one, keys, names, shown))
    }


def _unfit(new: New, own: Credentials | None, shown: Shown) -> str:
    """Why a credential cannot be created, whatever the others are; "" if it can."""
    nameless = [what for what, unread in own.unread if "name" in dict(unread)] if own is not None else []
    if nameless:
        return (
            f"the credential {shown(nameless[0])} of this instance may be it, and its row is not "
            "understood: the server does not show its name"
        )
    if len(new.name) > credential_versions.LONGEST:
        return (
            f"the server stores {credential_versions.LONGEST} characters of a name, and {new.name} has more"
        )
    return ""


def _taken(new: New, keys: Mapping[SecretStr, _Place], names: Mapping[str, _Place], shown: Shown) -> str:
    """Which credential on the server has the key or the name, whichever was read first; "" for none."""
    key, name = None if new.key is None else keys.get(new.key), names.get(new.name)
    if key is not None and (name is None or key.number <= name.number):
        return _key_is_taken(new, key.instance, key.name, shown)
    if name is not None:
        return (
            f"the instance {shown(name.instance)} already has a credential {shown(name.name)}, and a name "
            "can be used only once in the server's whole database: give this one another name"
        )
    return ""


def _key_is_taken(new: New, instance: str, name: str, shown: Shown) -> str:
    once = "a key can be stored only once in the server's whole database"
    if instance == new.instance:
        return (
            f"its key is that of the credential {shown(name)} of this instance, and {once}: "
            "declare it under that name"
        )
    shared = shared_credentials.reference(instance, credential_versions.split(name)[0])
    return (
        f"its key is that of the credential {shown(name)} of the instance {shown(instance)}, and {once}: "
        f"use that credential, {shared} ({shared_credentials.WHEN})"
    )
