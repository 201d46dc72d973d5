"""The options of a command as one value, and what the stages read from it.

Every command needs it, so it imports late what takes a while to import.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from reconciler.domain import files, markers
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Prune
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.servers import Servers, ServerSettings
from reconciler.pipeline.embedded import salt

if TYPE_CHECKING:
    from reconciler.domain.shards import Shard
    from reconciler.evolution.client import Server
    from reconciler.manifests import secrets

ALL, DECLARED = SCOPES = ("all", "declared")
"""Which instances of the server are looked at."""

_MOST_KEY = 4096  # bytes of a file with a key
_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Request:
    """The options that plan and apply share, by their names.

    Commands that call the server but do not plan have only the options without a default. secrets: of env
    files, which no output may show; most are keys that the manifests name. servers, default_server: of the
    configuration.
    """

    bots: str
    instance: tuple[str, ...]
    url: str | None
    api_key: str | None = field(repr=False)
    sandbox: bool
    allow_http: bool
    owner: str
    concurrency: int
    timeout: float
    max_rate: float | None = None
    server_name: str = ""
    target: tuple[str, ...] = ()
    rotate_keys: bool = False
    replace: bool = False
    prune: str = Prune.REVIEWED.value
    scope: str = "all"
    known_instance: tuple[str, ...] = ()
    max_deletes: int = 0
    max_delete_share: int = 0
    allow_deletes: tuple[str, ...] = ()
    format: str = "text"
    out: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    server: tuple[str, ...] = ()
    shard: Shard | None = None
    servers: tuple[ServerSettings, ...] = ()
    default_server: str = ""

    @property
    def named(self) -> Servers:
        """The names of the servers."""
        return Servers(tuple(one.name for one in self.servers), self.default_server)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of those that --server picks. Raises ReconcilerError for a glob that matches none."""
        return self.named.chosen(self.server)

    def scoped(self) -> Request:
        """The same, where globs of instances that name no server mean those of all servers."""
        named = self.named
        if not named.several:
            return self
        return replace(
            self,
            instance=tuple(map(named.glob, self.instance)),
            known_instance=tuple(map(named.glob, self.known_instance)),
            target=tuple(map(named.address, self.target)),
        )


def check_owner(request: Request) -> None:
    """Raises ReconcilerError for an owner that cannot stand in a marker."""
    if not markers.OWNER.fullmatch(request.owner):
        raise ReconcilerError(
            "the name of the owner is invalid: use 1 to 32 letters, digits, dots, dashes and underscores, at "
            "least one of them a letter, and begin with a letter or a digit."
        )


def address(request: Request, server: Server) -> str:
    """The server's address, as a plan has it."""
    from reconciler.evolution.client import Client  # noqa: PLC0415  slow to import
    from reconciler.saved import binding  # noqa: PLC0415  slow to import

    return binding.SANDBOX if request.sandbox else Client(server).bound


def server_name(request: Request) -> str:
    """The server's name; "" for the embedded server, whatever the environment says.

    Raises ReconcilerError for an invalid name.
    """
    if request.server_name and not _SERVER_NAME.fullmatch(request.server_name):
        raise ReconcilerError(
            "the name of the server is invalid: use 1 to 64 letters, digits, dots, dashes and underscores, "
            "and begin with a letter or a digit."
        )
    return "" if request.sandbox else request.server_name


def keys_of(request: Request) -> secrets.Read:
    """How the keys of credentials are read. The embedded server stores keys, so it gets placeholders."""
    from reconciler.manifests import secrets  # noqa: PLC0415  slow to import

    if request.sandbox:
        return secrets.placeholders(salt())
    own = set()
    for one in request.servers:
        with suppress(ReconcilerError):  # without its key, the server is not called
            own.add(file_key(one))
    return secrets.refusing(own - {""})


class Limits(TypedDict):
    """What a server may be asked, as of client.Server."""

    timeout: float
    concurrency: int
    allow_http: bool
    max_rate: float | None


def limits(request: Request, named: ServerSettings | None = None) -> Limits:
    """Those of a server that reconciler.toml names, or of the one of --url."""
    own = named or ServerSettings("")
    return {
        "timeout": request.timeout if own.timeout is None else own.timeout,
        "concurrency": request.concurrency if own.concurrency is None else own.concurrency,
        "allow_http": request.allow_http or own.allow_http,
        "max_rate": request.max_rate if own.max_rate is None else own.max_rate,
    }


def file_key(named: ServerSettings) -> str:
    """The key in the file that reconciler.toml names for a server. Raises ReconcilerError."""
    if not named.key_file:
        return ""
    return files.read(Path(named.key_file), _MOST_KEY).decode(errors="replace").strip()
