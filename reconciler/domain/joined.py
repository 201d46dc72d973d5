"""What several servers have → one Observed, in which an instance is called as manifests call it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.records import replace
from reconciler.domain.servers import full


def joined(parts: Mapping[str, Observed]) -> Observed:
    """What several servers have, by the servers' names; what one has, as it is."""
    if [*parts] == [""]:
        return parts[""]
    named = {server: _called(one, server) for server, one in parts.items()}
    unlisted = [f"{server}: {one.unlisted}" for server, one in parts.items() if one.unlisted]
    return Observed(
        "",
        {name: one for part in named.values() for name, one in part.instances.items()},
        created={name: at for part in named.values() for name, at in part.created.items()},
        unlisted="; ".join(unlisted),
        parts=named,
    )


def named(one: ObservedInstance, server: str) -> ObservedInstance:
    """An instance as it is called, given as its server calls it."""
    return _of(one, partial(full, server), server)


def _called(observed: Observed, server: str) -> Observed:
    """What a server has, as it is called."""
    name = partial(full, server)
    return replace(
        observed,
        instances={name(each): _of(one, name, server) for each, one in observed.instances.items()},
        elsewhere={id: name(each) for id, each in observed.elsewhere.items()},
        created={name(each): at for each, at in observed.created.items()},
    )


def _of(one: ObservedInstance, name: partial[str], server: str) -> ObservedInstance:
    return replace(
        one,
        name=name(one.name),
        server=server,
        shared_creds={name(owner): each for owner, each in one.shared_creds.items()},
        unreadable_creds={name(owner): why for owner, why in one.unreadable_creds.items()},
    )
