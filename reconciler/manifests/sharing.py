"""What the manifests say of credentials together: a server holds each name and each key once.

Pure: looks at what all instances declare, before any of them is selected.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

from reconciler.domain.desired import DesiredCredential, DesiredInstance, SecretRef
from reconciler.domain.errors import Position, Problem
from reconciler.domain.shared_credentials import WHEN
from reconciler.domain.text import near, quoted
from reconciler.manifests.model import GENERATION

_Declared = dict[str, dict[str, DesiredCredential]]


NEEDS = ("openaiCreds",)
"""The keys of bots whose origins are looked at."""


def problems(instances: Sequence[DesiredInstance]) -> Iterator[Problem]:
    """What cannot be true on one server, with the way out. instances: in the order of their files."""
    declared = {one.name: {creds.name: creds for creds in one.credentials} for one in instances}
    yield from _twice(instances)
    owners = {name: instance for instance, named in reversed(declared.items()) for name in named}
    for instance in instances:
        for at, name, creds_owner in _named(instance):
            said = _misplaced(instance.name, name, creds_owner, declared, owners)
            if said:
                yield Problem(at, said)


def _twice(instances: Sequence[DesiredInstance]) -> Iterator[Problem]:
    """Names and keys that a second credential has."""
    names: dict[str, tuple[str, DesiredCredential]] = {}
    keys: dict[tuple[str, str], tuple[str, DesiredCredential]] = {}
    for instance in instances:
        for creds in instance.credentials:
            owner, first = names.setdefault(creds.name, (instance.name, creds))
            if first is not creds:
                said = f"the credential {quoted(creds.name)} is that of instance {quoted(owner)} ({first.at})"
                yield Problem(
                    creds.at,
                    f"{said}, and a server holds each name once: give it another, or leave it out and borrow "
                    f"that one with {_borrow(owner, creds.name)} ({WHEN})",
                )
                continue
            owner, first = keys.setdefault(_place(creds.key), (instance.name, creds))
            if first is not creds:
                said = f"the key {quoted(str(creds.key))} is that of {quoted(first.name)}"
                way = (
                    f"use that one with openaiCreds: {quoted(first.name)}"
                    if owner == instance.name
                    else f"leave it out and borrow that one with {_borrow(owner, first.name)} ({WHEN})"
                )
                whose = "" if owner == instance.name else f" of instance {quoted(owner)}"
                yield Problem(
                    creds.at, f"{said}{whose} ({first.at}), and a server holds each key once: {way}"
                )


def _named(instance: DesiredInstance) -> Iterator[tuple[Position, str, str | None]]:
    """Every credential that is named: where, its name, and the instance that it is borrowed from."""
    for bot in instance.bots:
        if bot.creds is not None:
            yield bot.origins["openaiCreds"].at, bot.creds, bot.creds_owner
    if instance.settings and instance.settings.creds is not None:
        yield instance.settings.origins["openaiCreds"].at, instance.settings.creds, None


def _misplaced(
    instance: str, name: str, creds_owner: str | None, declared: _Declared, owners: dict[str, str]
) -> str | None:
    """Why no such credential can be where it is looked for."""
    whose = creds_owner or instance
    own = declared.get(whose, {})
    base = GENERATION.sub("", name)
    owner = owners.get(name)
    if name in own or (owner is None and base not in own and (creds_owner is None or not own)):
        return None  # it is there; or it may have been made by hand
    if base in own:
        return f"{quoted(name)} is what a rotation makes of {quoted(base)}: write {quoted(base)}"
    if owner is None:
        said = f"instance {quoted(whose)} declares no credential {quoted(name)}{near(name, own)}"
        return f"{said}: write the name of one that it declares, or declare it there"
    said = f"the credential {quoted(name)} is of instance {quoted(owner)}, not of {quoted(whose)}"
    if owner == instance:
        return f"{said}: write its name alone"
    return f"{said}: borrow it with {_borrow(owner, name)}, or name one of its own"


def _borrow(instance: str, name: str) -> str:
    return f"openaiCreds: {{instance: {quoted(instance)}, name: {quoted(name)}}}"


def _place(key: SecretRef) -> tuple[str, str]:
    return key.tag, os.path.abspath(key.name) if key.tag == "secret-file" else key.name  # noqa: PTH100  links stay
