"""Which server has an instance: the nearest file that names one says it. Touches no file.

A manifest only chooses among the servers that reconciler.toml names. Nothing in it says where a server is.
"""

from __future__ import annotations

from pathlib import Path

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.errors import Position, Problem
from reconciler.domain.servers import Servers, called
from reconciler.domain.text import listed, near, quoted
from reconciler.manifests.directory import shown


def placed(instance: DesiredInstance, servers: Servers | None, problems: set[Problem]) -> DesiredInstance:
    """The instance as it is called, on its server; problems are added.

    servers: those that may be named; None where any may.
    """
    named = instance.named_server
    if servers is None:
        return instance if named is None else called(instance, named[0])
    if named is not None and named[0] not in servers.names:
        problems.add(_unknown(*named, servers))
    if not servers.several:
        return instance
    if named is None and not servers.default and not _are_wrong(instance, problems):
        problems.add(_none(instance, servers))
    return called(instance, servers.default if named is None else named[0])


def _are_wrong(instance: DesiredInstance, problems: set[Problem]) -> bool:
    """Whether a file of an instance has an error, so that it may name a server."""
    files = {shown(Path(file)) for file in instance.files}
    return any(problem.at.file in files for problem in problems)


def _none(instance: DesiredInstance, servers: Servers) -> Problem:
    message = (
        f"the manifest names no server, and reconciler.toml names {listed(servers.names)}: write `server:` "
        "here or in the _defaults.yaml of a folder, or name a `default` in [servers]"
    )
    return Problem(Position(instance.at.file, 1, 1), message)


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
