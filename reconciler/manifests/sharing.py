"""Credentials of all manifests together: a server has each name and each key once. Pure.

Looks at what all instances declare, before any of them is selected.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

from reconciler.domain.desired import DesiredCredential, DesiredInstance, SecretRef
from reconciler.domain.errors import Position, Problem
from reconciler.domain.shared_credentials import WHEN
from reconciler.domain.text import near, quoted
from reconciler.manifests.tables import VERSION_SUFFIX

_Declared = dict[str, dict[str, DesiredCredential]]
"""The credentials of each instance, by their names."""


def problems(instances: Sequence[DesiredInstance]) -> Iterator[Problem]:
    """What cannot be true on one server, with the way out. instances: in the order of their files."""
    declared = {one.name: {creds.name: creds for creds in one.credentials} for one in instances}
    yield from _declared_twice(instances)
    owners = {name: instance for instance, named in reversed(declared.items()) for name in named}
    for instance in instances:
        for at, name, creds_owner in _named(instance):
            message = _misplaced(instance.name, name, creds_owner, declared, owners)
            if message:
                yield Problem(at, message)


def _declared_twice(instances: Sequence[DesiredInstance]) -> Iterator[Problem]:
    """Credentials with a name or a key that another one has."""
    names: dict[str, tuple[str, DesiredCredential]] = {}
    keys: dict[tuple[str, str], tuple[str, DesiredCredential]] = {}
    for instance in instances:
        for creds in instance.credentials:
            owner, first = names.setdefault(creds.name, (instance.name, creds))
            if first is not creds:
                yield Problem(creds.at, _same_name(creds, owner, first))
                continue
            owner, first = keys.setdefault(_place(creds.key), (instance.name, creds))
            if first is not creds:
                yield Problem(creds.at, _same_key(instance.name, creds, owner, first))


def _same_name(creds: DesiredCredential, owner: str, first: DesiredCredential) -> str:
    return (
        f"the credential {quoted(creds.name)} is already declared by instance {quoted(owner)} ({first.at}), "
        "and a server has each name once: give it another name, or remove it and share that one with "
        f"{_shared(owner, creds.name)} ({WHEN})"
    )


def _same_key(instance: str, creds: DesiredCredential, owner: str, first: DesiredCredential) -> str:
    if owner == instance:
        whose, way = "", f"use that one with openaiCreds: {quoted(first.name)}"
    else:
        whose = f" of instance {quoted(owner)}"
        way = f"remove it and share that one with {_shared(owner, first.name)} ({WHEN})"
    message = f"the key {quoted(str(creds.key))} is already that of {quoted(first.name)}{whose} ({first.at})"
    return f"{message}, and a server has each key once: {way}"


def _named(instance: DesiredInstance) -> Iterator[tuple[Position, str, str | None]]:
    """Every credential that is named: where, its name, and the owning instance of a shared one."""
    for bot in instance.bots:
        if bot.creds is not None:
            yield bot.creds_at or bot.at, bot.creds, bot.creds_owner
    for settings in instance.settings.values():
        if settings.creds is not None:
            yield settings.creds_at or settings.at, settings.creds, None


def _misplaced(
    instance: str, name: str, creds_owner: str | None, declared: _Declared, owners: dict[str, str]
) -> str | None:
    """Why the instance cannot use a credential by this name."""
    whose = creds_owner or instance
    own = declared.get(whose, {})
    base = VERSION_SUFFIX.sub("", name)
    owner = owners.get(name)
    if name in own or (owner is None and base not in own and (creds_owner is None or not own)):
        return None  # it is declared there, or it may exist on the server only
    if base in own:
        return f"{quoted(name)} is a version of {quoted(base)} that a rotation makes: write {quoted(base)}"
    if owner is None:
        message = f"instance {quoted(whose)} declares no credential {quoted(name)}{near(name, own)}"
        return f"{message}: write the name of one that it declares, or declare it there"
    message = f"the credential {quoted(name)} belongs to instance {quoted(owner)}, not to {quoted(whose)}"
    if owner == instance:
        return f"{message}: write only its name"
    return f"{message}: share it with {_shared(owner, name)}, or name one of its own"


def _shared(instance: str, name: str) -> str:
    """How a bot names a credential of another instance."""
    return f"openaiCreds: {{instance: {quoted(instance)}, name: {quoted(name)}}}"


def _place(key: SecretRef) -> tuple[str, str]:
    return key.tag, os.path.abspath(key.name) if key.tag == "secret-file" else key.name  # noqa: PTH100  links stay
