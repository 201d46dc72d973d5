"""Which server has an instance: the nearest layer that names one says it. Touches no file.

A manifest only chooses among the servers that reconciler.toml names. Nothing in it says where a server is.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.domain.errors import Position, Problem
from reconciler.domain.servers import Servers
from reconciler.domain.text import listed, near, quoted
from reconciler.manifests.layer import Layer


def server(layers: Sequence[Layer], servers: Servers | None, problems: set[Problem]) -> str:
    """The server of an instance, "" where there are not several; problems are added.

    layers: of the instance, the nearest first. servers: those that may be named; None where any may.
    """
    named = next((layer.server for layer in layers if layer.server is not None), None)
    if servers is None:
        return "" if named is None else named[0]
    if named is None:
        if servers.several and not servers.default and all(layer.whole for layer in layers):
            problems.add(_none(layers[0], servers))
        return servers.default if servers.several else ""
    name, at = named
    if name not in servers.names:
        problems.add(_unknown(name, at, servers))
    return name if servers.several else ""


def _none(manifest: Layer, servers: Servers) -> Problem:
    message = (
        f"the manifest names no server, and reconciler.toml names {listed(servers.names)}: write `server:` "
        "here or in the _defaults.yaml of a folder, or name a `default` in [servers]"
    )
    return Problem(Position(manifest.source.file, 1, 1), message)


def _unknown(name: str, at: Position, servers: Servers) -> Problem:
    if not servers.names:
        message = (
            f"there is no server {quoted(name)}, as reconciler.toml names none: leave `server` out, or add a "
            "table [servers.NAME] there"
        )
    else:
        message = (
            f"there is no server {quoted(name)}{near(name, servers.names)}: write one that reconciler.toml "
            f"names, {listed(servers.names, 'or')}"
        )
    return Problem(at, message)
