"""The Evolution API's routes as methods: typed values in and out, refusals as errors of our own.

What a method raises:

- ServerError: nothing can go on, whatever the instance. From a writing call: nothing was written.
- Missing, Unauthorized, Absent, Disabled, Refused: the server answered and did not do it.
- Foreign, from reads of an instance only: something other than the server answered.
- Unclear, from writing calls only: it may have been done or not. Read the instance again.

The server's key is sent in a header and nowhere else. Instance tokens, which the server returns in plain
text, are dropped as soon as they are read; OpenAI keys leave here only with their credentials, as SecretStr.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.domain import hidden
from reconciler.domain.desired import Fields
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.key_format import server_key_fault
from reconciler.domain.kinds import DEFAULT, Kind
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.records import dataclass, field
from reconciler.domain.secret import SecretStr
from reconciler.evolution import address, answers, paths
from reconciler.evolution.belonging import Belonging
from reconciler.evolution.calls import Calls, Heard, Take
from reconciler.evolution.covering import cover_bots, cover_settings, secrets_of
from reconciler.evolution.exchange import HEADERS
from reconciler.evolution.limiter import Limiter
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import secrets_in
from reconciler.evolution.refusals import OLDEST, Refusals
from reconciler.evolution.routes import Request, named, one, route

if TYPE_CHECKING:
    from reconciler.evolution.transport import Connections

__all__ = ["OLDEST", "Client", "Server"]

LIST = Request("GET", paths.LIST, "list the instances")

VERSION_TIMEOUT = 3.0
"""Seconds for `GET /`, which stalls on a server without internet access."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how to talk to it.

    url: may have a path, for a server behind a prefix. timeout: seconds per try, from connecting to the last
    byte. concurrency, max_rate: the most requests at a time and a second, over all instances; limiter.py
    finds out how many do no harm. allow_http: whether plain http to another machine is allowed. retry_delay:
    seconds before the first retry, doubled each time, plus or minus a half. patience: seconds after a call's
    first try in which another may begin. secrets: what no output may show, shared by all clients of the
    server; each adds what it reads.
    """

    url: str
    api_key: str = field(repr=False)
    timeout: float = 30.0
    concurrency: int = 32
    allow_http: bool = False
    retry_delay: float = 0.25
    patience: float = 60.0
    max_rate: float | None = None
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)


class Client:
    """One server. An async context manager; its methods may be called side by side.

    url: the server's, as it may be shown. secrets: what no output may show; whoever reads a secret adds it.
    cache_delay: seconds after which another read may show what a cache in front of the server did not.
    belonging: which instance each row belongs to, from all that was read.
    calls, refusals: what makes its calls, and judges their answers.
    """

    def __init__(self, server: Server, ahead: Take | None = None, heard: Heard | None = None) -> None:
        """Raises ReconcilerError for a URL or a key that cannot be used.

        So does entering it, for a host name, a proxy or certificates; with ahead, the first call does.
        ahead: gives what was already read of the server. heard: takes what is read.
        """
        key = _usable_key(server.api_key)
        url = address.server(server.url, key, allow_http=server.allow_http)
        self.url, self._whole = address.shown(url) or "", url
        self.concurrency = server.concurrency
        self.retry_delay = server.retry_delay
        self.cache_delay = min(4 * server.retry_delay, server.timeout)
        self.secrets = server.secrets
        self.secrets.add(key)
        self.belonging = Belonging()
        self._key, self._timeout, self._ahead = key, server.timeout, ahead
        self._connections: Connections | None = None
        self.refusals = Refusals(self.url, self.secrets)
        self.calls = Calls(
            self._connect,
            Limiter(server.concurrency, server.max_rate),
            self.refusals,
            HEADERS,
            retry_delay=server.retry_delay,
            patience=server.patience,
            version_timeout=min(server.timeout, VERSION_TIMEOUT),
            ahead=ahead,
            heard=heard,
        )

    @property
    def bound(self) -> str:
        """The server's URL as a plan has it."""
        return address.bound(self._whole)

    async def __aenter__(self) -> Self:
        if self._ahead is None:
            self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connections is not None:
            await self._connections.aclose()

    def _connect(self) -> Connections:
        """The connections, made when the first is needed: what was all read ahead needs none."""
        if self._connections is None:
            from reconciler.evolution.transport import Connections  # noqa: PLC0415  slow to import

            headers = {**HEADERS, "apikey": self._key}
            try:
                self._connections = Connections(
                    self._whole, headers, timeout=self._timeout, concurrency=self.concurrency
                )
            except ValueError as error:
                raise ReconcilerError(f"The server at {self.url} cannot be used: {error}.") from None
        return self._connections

    # -- the server ---------------------------------------------------------------------------

    async def version(self) -> str | None:
        """The server's version; None when it does not answer within a few seconds. Sent without the key."""
        return await self.calls.version()

    async def listed(self) -> answers.Listed:
        """All instances. An instance's own token may not list them."""

        def read(data: object) -> answers.Listed:
            self.secrets.add(*answers.tokens(data))
            return answers.instances(data)

        found = await self.calls.make(LIST, read)
        self.belonging.known(found.ids.items())
        return found

    async def instances(self) -> tuple[str, ...]:
        """The names of all instances."""
        return tuple((await self.listed()).ids)

    # -- bots ---------------------------------------------------------------------------------

    async def find(self, instance: str, kind: Kind = DEFAULT) -> tuple[RemoteBot, ...]:
        """All bots of a kind in an instance, in no order."""
        request = route("GET", "find", instance, f"read the {named(kind, 'bots')}", kind=kind)

        read = self.belonging.checked(instance, lambda data: answers.bots(data, kind))
        found = await self.calls.make(request, read)
        self.secrets.add_long(*secrets_of(found, kind))
        return cover_bots(found, self.secrets)

    async def create(self, instance: str, body: Fields, kind: Kind = DEFAULT) -> RemoteBot:
        """Create a bot. Returns it as the server stored it."""
        self.secrets.add(*hidden.secrets(body))
        request = route("POST", "create", instance, f"create {one(kind)}", body=body, kind=kind)
        return await self.calls.make(request, lambda data: answers.bot(data, kind))

    async def update(self, instance: str, id: str, body: Fields, kind: Kind = DEFAULT) -> RemoteBot:
        """Change the fields of a bot that body has. Returns it as the server stored it."""
        self.secrets.add(*hidden.secrets(body))
        task = f"update the {named(kind, 'bot')} {id}"
        request = route("PUT", "update", instance, task, id=id, body=body, kind=kind)
        return await self.calls.make(request, lambda data: answers.bot(data, kind))

    async def delete(self, instance: str, id: str, kind: Kind = DEFAULT) -> None:
        """Delete a bot and its sessions."""
        request = route(
            "DELETE", "delete", instance, f"delete the {named(kind, 'bot')} {id}", id=id, kind=kind
        )
        await self.calls.make(request, lambda data: answers.deleted(data, kind.deleted, id))

    async def open_sessions(self, instance: str, id: str, kind: Kind = DEFAULT) -> tuple[str, ...]:
        """The contacts (JIDs) with an open session of a bot. They are personal data: for no output."""
        task = f"read the sessions of the {named(kind, 'bot')} {id}"
        request = route("GET", "fetchSessions", instance, task, id=id, kind=kind)
        read = self.belonging.checked(instance, lambda data: answers.open_sessions(data, id))
        return await self.calls.make(request, read)

    async def end_sessions(self, instance: str, contact: str, kind: Kind = DEFAULT) -> None:
        """Delete a contact's sessions: with every bot, on every instance, as the server has no other way."""
        body = {"remoteJid": contact, "status": "delete"}
        request = route("POST", "changeStatus", instance, "end a session", body=body, kind=kind)
        await self.calls.make(request, lambda data: None)

    # -- settings -----------------------------------------------------------------------------

    async def settings(self, instance: str, kind: Kind = DEFAULT) -> RemoteSettings:
        """The settings of an instance for a kind. A create takes from them what it leaves out."""
        request = route("GET", "fetchSettings", instance, f"read the {named(kind, 'settings')}", kind=kind)
        read = self.belonging.checked(instance, lambda data: answers.settings(data, kind))
        return cover_settings(await self.calls.make(request, read), self.secrets)

    async def save_settings(
        self, instance: str, body: Mapping[str, object], kind: Kind = DEFAULT
    ) -> RemoteSettings:
        """Write the settings of an instance for a kind. Returns them as the server stored them."""
        task = f"save the {named(kind, 'settings')}"
        request = route("POST", "settings", instance, task, body=body, kind=kind)
        return await self.calls.make(request, lambda data: answers.settings(data, kind, saved=True))

    # -- credentials --------------------------------------------------------------------------

    async def credentials(self, instance: str) -> answers.Credentials:
        """The credentials of an instance, by name, with their keys."""
        request = route("GET", "creds", instance, "read the credentials")

        def read(data: object) -> answers.Credentials:
            self.secrets.add(*secrets_in(data))
            return answers.credentials(data)

        return await self.calls.make(request, self.belonging.checked(instance, read))

    async def create_credential(self, instance: str, name: str, key: SecretStr) -> str:
        """Create a credential. Returns its id."""
        self.secrets.add(key)
        body = {"name": name, "apiKey": key.get_secret_value()}
        request = route("POST", "creds", instance, "create a credential", body=body)
        return await self.calls.make(request, answers.credential)

    async def delete_credential(self, instance: str, id: str) -> None:
        """Delete a credential, and with it every bot that uses it."""
        request = route("DELETE", "creds", instance, f"delete the credential {id}", id=id)
        await self.calls.make(request, lambda data: answers.deleted(data, ("openaiCreds",), id))


def _usable_key(key: str) -> str:
    """The key without blanks around it. Raises ReconcilerError for one that cannot be used."""
    key = key.strip()
    if not key:
        raise ReconcilerError("The server's api key is empty. Set EVOLUTION_API_KEY.")
    if message := server_key_fault(key):
        raise ReconcilerError(
            f"The server's api key (EVOLUTION_API_KEY or --api-key) does not look like a key: {message}."
        )
    return key
