"""A credential and its generations. Pure.

The server can't change a credential, so a new key is a new credential under another name: NAME, then NAME@2,
NAME@3 and so on; those that are there form the family of NAME. Which of them is meant:

    declared, key at hand    on the server              then
    ─────────────────────    ────────────────────────   ────────────────────────────────────────────────
    yes      yes             one has the key            that one; bots are moved to it from all others
    yes      yes             some, none has the key     a new one, and bots are moved to it (a rotation)
    yes      no              some                       the highest; a bot on another one stays there
    yes      any             none                       a new one, NAME
    no       -               NAME                       NAME
    no       -               others                     the highest

What cannot be made (another instance has the name or the key) is not: what is there stays in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import NEW_CREDENTIAL, Standing

LONGEST = 255
"""Characters of a credential's name, at most."""

_GENERATION = re.compile(r"(.+)@([1-9][0-9]*)", re.DOTALL | re.ASCII)


def split(name: str) -> tuple[str, int]:
    """The family that a credential's name belongs to, and its generation, from 1."""
    found = _GENERATION.fullmatch(name)
    if found is None or found[2] == "1":
        return name, 1
    return found[1], int(found[2])


def named(family: str, generation: int) -> str:
    """The name of a generation."""
    return family if generation == 1 else f"{family}@{generation}"


@dataclass(frozen=True, slots=True)
class CredentialVersions:
    """What a credential's name stands for.

    current: the id that bots use, NEW_CREDENTIAL with the name while it is not made. new: the name under
    which it is made, "" when it is there. old: the other generations, by name. leaving: whether bots are
    moved from those to the current one. standing: None when no manifest declares it.
    """

    name: str
    current: str
    new: str = ""
    old: Mapping[str, RemoteCredential] = field(default_factory=dict)
    leaving: bool = False
    standing: Standing | None = None

    @property
    def old_ids(self) -> tuple[str, ...]:
        """The ids of the other generations."""
        return tuple(credential.id for credential in self.old.values())

    @property
    def shown(self) -> str:
        """What stands for it where a person reads an id. Of a declared one the same in all generations."""
        return f"credential {self.name}" if self.standing else self.current

    def leaves(self, id: object) -> bool:
        """Whether who uses this id is to be moved to the current one."""
        return self.leaving and id in self.old_ids

    def seen(self, id: str) -> str:
        """What a bot that uses this id compares as: as if it had been moved."""
        return self.current if self.leaves(id) else id

    def wanted(self, id: str) -> str:
        """The id that a bot should use which uses this one: it stays where nobody knows better."""
        return id if not self.leaving and id in self.old_ids else self.current


def undeclared(name: str, there: Mapping[str, RemoteCredential]) -> CredentialVersions | None:
    """What a name stands for that no manifest declares; None when nothing is there."""
    if name in there:
        return CredentialVersions(name, there[name].id)
    members = _members(name, there)
    return CredentialVersions(name, members[max(members)].id) if members else None


def declared(name: str, there: Mapping[str, RemoteCredential], *, makes: bool) -> CredentialVersions | None:
    """What a declared name stands for; None when nothing is there and it is not made.

    there: the credentials of its instance. makes: whether the plan may make a new one.
    """
    members = _members(name, there)
    if not members:
        return CredentialVersions(name, NEW_CREDENTIAL + name, name, standing="missing") if makes else None
    same = [number for number, member in members.items() if member.same]
    different = not same and all(member.same is False for member in members.values())
    standing: Standing = "present" if same else "different" if different else "not compared"
    if different and makes:
        new = named(name, max(members) + 1)
        return CredentialVersions(
            name, NEW_CREDENTIAL + new, new, _old(name, members), leaving=True, standing=standing
        )
    number = max(same or members)
    current = members.pop(number)
    return CredentialVersions(
        name, current.id, "", _old(name, members), leaving=bool(same), standing=standing
    )


def turning(names: Iterable[str], there: Mapping[str, RemoteCredential]) -> bool:
    """Whether one of these declared credentials is to be rotated, or a rotation may be unfinished."""
    found = [declared(name, there, makes=True) for name in names]
    return any(family is not None and family.old for family in found)


def leaving(names: Iterable[str], there: Mapping[str, RemoteCredential]) -> Iterator[RemoteCredential]:
    """The old generations of these declared credentials that are to go."""
    for name in names:
        family = declared(name, there, makes=True)
        if family is not None and family.leaving:
            yield from family.old.values()


def _members(name: str, there: Mapping[str, RemoteCredential]) -> dict[int, RemoteCredential]:
    families = ((*split(each), credential) for each, credential in there.items())
    return {number: credential for family, number, credential in families if family == name}


def _old(name: str, members: Mapping[int, RemoteCredential]) -> dict[str, RemoteCredential]:
    return {named(name, number): members[number] for number in sorted(members)}
