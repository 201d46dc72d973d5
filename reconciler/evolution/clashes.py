"""Why the server would refuse to create a declared credential. Pure.

A credential's name and its key are unique in the server's whole database, so the credentials of all instances
count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from reconciler.domain import credential_versions, shared_credentials
from reconciler.domain.observed import RemoteCredential
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
        for name in sorted(declared.of(instance)):
            versions = credential_versions.declared(name, there, makes=True)
            if versions is not None and versions.new:
                yield New(instance, name, versions.new, declared.keys.key(instance, name))


def clash(new: New, stored: Mapping[str, Credentials], shown: Shown) -> str:
    """Why the server would refuse a credential, a sentence; "" if nothing is known to be in the way.

    stored: the credentials on the server, by instance, as far as they were read.
    """
    own = stored.get(new.instance)
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
    for instance, credentials in stored.items():
        for name, credential in credentials.items():
            if new.key is not None and credential.key == new.key:
                return _key_is_taken(new, instance, name, shown)
            if name == new.name:
                return (
                    f"the instance {shown(instance)} already has a credential {shown(name)}, and a name can "
                    "be used only once in the server's whole database: give this one another name"
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
