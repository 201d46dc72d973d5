"""The servers that reconciler.toml names, and what an instance is called where there are several. Pure.

Where there are several, an instance is called SERVER/INSTANCE everywhere: its identity is both. Where there
is one, or none is named, it is called INSTANCE, and its server is "". A server itself knows only INSTANCE:
`of_server` takes its name off, and `joined.py` puts it back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.text import listed, near, quoted

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""The name of a server. It has no `/`, so that the first one in SERVER/INSTANCE ends it."""


def full(server: str, instance: str) -> str:
    """What an instance of a server is called; of the only server, as the server calls it."""
    return f"{server}/{instance}" if server else instance


def local(server: str, instance: str) -> str:
    """What the server itself calls an instance that is called so."""
    return instance.removeprefix(f"{server}/") if server else instance


@dataclass(frozen=True, slots=True)
class Servers:
    """The names of the servers, and the one of manifests that name none, "" where none is the default."""

    names: tuple[str, ...] = ()
    default: str = ""

    @property
    def several(self) -> bool:
        """Whether an instance is called SERVER/INSTANCE."""
        return len(self.names) > 1

    def of(self, instance: str) -> str:
        """The server of an instance that is called so, "" where there are not several."""
        server = instance.partition("/")[0]
        return server if self.several and server in self.names else ""

    def glob(self, glob: str) -> str:
        """A glob of instances that may leave out the server, with one for the server."""
        server, slash, _ = glob.partition("/")
        named = slash and any(fnmatchcase(name, server) for name in self.names)
        return glob if named or not self.several else f"*/{glob}"

    def address(self, address: str) -> str:
        """BOT@INSTANCE, the same."""
        bot, at, glob = address.partition("@")
        return f"{bot}@{self.glob(glob)}" if at else address

    def found(self, name: str, instances: Iterable[str]) -> str:
        """The instance that is meant, by its whole name or by that on its server. Raises ReconcilerError."""
        known = set(instances)
        meant = sorted(known & {full(server, name) for server in self.names}) if self.several else []
        if name in known or not meant:
            return name
        if len(meant) > 1:
            raise ReconcilerError(
                f"{len(meant)} servers have an instance {quoted(name)}: name it as {listed(meant, 'or')}."
            )
        return meant[0]

    def chosen(self, globs: Sequence[str]) -> tuple[str, ...]:
        """The servers that any of the globs matches; all of them without a glob. Raises ReconcilerError."""
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in self.names):
                known = f"it names {listed(self.names)}" if self.names else "it names none"
                raise ReconcilerError(
                    f"no server of reconciler.toml matches {quoted(glob)}{near(glob, self.names)}: {known}."
                )
        return tuple(
            name for name in self.names if not globs or any(fnmatchcase(name, glob) for glob in globs)
        )


NONE = Servers()
"""Where reconciler.toml names none."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What reconciler.toml says of one server.

    url, key_file: "" where it says nothing. The others: None where the options of the command count.
    """

    name: str
    url: str = ""
    key_file: str = field(default="", repr=False)
    concurrency: int | None = None
    timeout: float | None = None
    max_rate: float | None = None
    allow_http: bool = False

    @property
    def url_variable(self) -> str:
        """The environment variable that sets its address."""
        return f"EVOLUTION_API_URL_{self._suffix}"

    @property
    def key_variable(self) -> str:
        """The environment variable that sets its key."""
        return f"EVOLUTION_API_KEY_{self._suffix}"

    @property
    def address(self) -> str:
        """Its address: of the variable, or of the file."""
        return os.environ.get(self.url_variable) or self.url

    @property
    def key(self) -> str:
        """The key in its variable."""
        return os.environ.get(self.key_variable, "").strip()

    @property
    def _suffix(self) -> str:
        return self.name.upper().replace("-", "_")


# -- what is declared -------------------------------------------------------------------------


def called(instance: DesiredInstance, server: str) -> DesiredInstance:
    """An instance as it is called, given as its server calls it."""
    return _renamed(instance, partial(full, server), server) if server else instance


def bare(instance: DesiredInstance) -> DesiredInstance:
    """An instance as its server calls it, and as its manifest does."""
    return (
        _renamed(instance, partial(local, instance.server), instance.server) if instance.server else instance
    )


def of_server(desired: Desired, server: str) -> Desired:
    """What is declared of one server, as the server calls it."""
    if not server:
        return desired
    mine = declared_on(desired, server)
    former = {
        local(server, name): one for name, one in desired.former.items() if name.startswith(f"{server}/")
    }
    return Desired(tuple(map(bare, mine.instances)), tuple(map(bare, mine.creds_owners)), former)


def declared_on(desired: Desired, server: str) -> Desired:
    """What is declared of one server, as it is called."""
    if not server:
        return desired
    instances, owners = (
        tuple(one for one in each if one.server == server)
        for each in (desired.instances, desired.creds_owners)
    )
    return Desired(instances, owners)


def _renamed(instance: DesiredInstance, name: partial[str], server: str) -> DesiredInstance:
    """The instance with other names of instances. server: its own."""
    bots = tuple(
        bot if bot.creds_owner is None else replace(bot, creds_owner=name(bot.creds_owner))
        for bot in instance.bots
    )
    return replace(instance, name=name(instance.name), bots=bots, server=server)
