"""The versions of a credential. Pure.

The server can't change a credential, so a new key is a new credential under another name: NAME, then NAME@2,
NAME@3 and so on. These are the versions of NAME. Which of them is used:

    declared, key available  on the server              then
    ─────────────────────    ────────────────────────   ────────────────────────────────────────────────
    yes      yes             one has the key            that one; bots are moved to it from all others
    yes      yes             some, none has the key     a new one, and bots are moved to it (a rotation)
    yes      no              some                       the highest; a bot on another one stays there
    yes      any             none                       a new one, NAME
    no       -               NAME                       NAME
    no       -               others                     the highest

A new one is not created where another instance has its name or its key: what the server has stays in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import NEW_CREDENTIAL, Standing
from reconciler.domain.records import dataclass, field

LONGEST = 255
"""Characters of a credential's name, at most."""

_VERSIONED = re.compile(r"(.+)@([1-9][0-9]*)", re.DOTALL | re.ASCII)


def split(full_name: str) -> tuple[str, int]:
    """The name that a manifest uses for a credential of the server, and the version's number, from 1."""
    found = _VERSIONED.fullmatch(full_name)
    if found is None or found[2] == "1":
        return full_name, 1
    return found[1], int(found[2])


def named(name: str, number: int) -> str:
    """The name of a version on the server."""
    return name if number == 1 else f"{name}@{number}"


@dataclass(frozen=True, slots=True)
class CredentialVersions:
    """What a credential's name stands for.

    current: the id that bots use, NEW_CREDENTIAL with the name while it does not exist. new: the name under
    which it is created, "" when it exists. old: the other versions, by their names on the server. leaving:
    whether bots are moved from those to the current one. standing: None when no manifest declares it.
    """

    name: str
    current: str
    new: str = ""
    old: Mapping[str, RemoteCredential] = field(default_factory=dict)
    leaving: bool = False
    standing: Standing | None = None

    @property
    def old_ids(self) -> tuple[str, ...]:
        """The ids of the other versions."""
        return tuple(credential.id for credential in self.old.values())

    @property
    def shown(self) -> str:
        """What a person reads instead of an id. For a declared credential the same for all its versions."""
        return f"credential {self.name}" if self.standing else self.current

    def leaves(self, id: object) -> bool:
        """Whether a bot or settings with this id are to be moved to the current version."""
        return self.leaving and id in self.old_ids

    def seen(self, id: str) -> str:
        """The id that a bot with this id is compared by: as if it had been moved."""
        return self.current if self.leaves(id) else id

    def wanted(self, id: str) -> str:
        """The id that a bot with this id should have. It stays where no key tells which version is right."""
        return id if not self.leaving and id in self.old_ids else self.current


Versions = Mapping[str, Mapping[int, RemoteCredential]]
"""The credentials that an instance has on the server: by the name of a manifest, and by number."""


def by_name(there: Mapping[str, RemoteCredential]) -> Versions:
    """The versions of an instance's credentials. there: by their names on the server."""
    found: dict[str, dict[int, RemoteCredential]] = {}
    for full_name, credential in there.items():
        name, number = split(full_name)
        found.setdefault(name, {})[number] = credential
    return found


def undeclared(name: str, there: Versions) -> CredentialVersions | None:
    """What a name stands for that no manifest declares; None when the server has no version of it."""
    base, number = split(name)
    if (exact := there.get(base, {}).get(number)) is not None:
        return CredentialVersions(name, exact.id)
    versions = there.get(name)
    return CredentialVersions(name, versions[max(versions)].id) if versions else None


def declared(name: str, there: Versions, *, makes: bool) -> CredentialVersions | None:
    """What a declared name stands for; None when the server has no version of it and none is created.

    there: the credentials of its instance. makes: whether the plan may create a new version.
    """
    versions = dict(there.get(name, {}))
    if not versions:
        return CredentialVersions(name, NEW_CREDENTIAL + name, name, standing="missing") if makes else None
    same = [number for number, credential in versions.items() if credential.same]
    different = all(credential.same is False for credential in versions.values())
    standing: Standing = "present" if same else "different" if different else "not compared"
    if different and makes:
        new = named(name, max(versions) + 1)
        return CredentialVersions(
            name, NEW_CREDENTIAL + new, new, _by_full_name(name, versions), leaving=True, standing=standing
        )
    current = versions.pop(max(same or versions))
    return CredentialVersions(
        name, current.id, "", _by_full_name(name, versions), leaving=bool(same), standing=standing
    )


def need_rotation(names: Iterable[str], there: Mapping[str, RemoteCredential]) -> bool:
    """Whether one of these declared credentials is to be rotated, or a rotation may be unfinished."""
    stored = by_name(there)
    found = [declared(name, stored, makes=True) for name in names]
    return any(versions is not None and versions.old for versions in found)


def outdated(names: Iterable[str], there: Mapping[str, RemoteCredential]) -> Iterator[RemoteCredential]:
    """The versions of these declared credentials that a rotation replaces."""
    stored = by_name(there)
    for name in names:
        versions = declared(name, stored, makes=True)
        if versions is not None and versions.leaving:
            yield from versions.old.values()


def _by_full_name(name: str, versions: Mapping[int, RemoteCredential]) -> dict[str, RemoteCredential]:
    return {named(name, number): versions[number] for number in sorted(versions)}
