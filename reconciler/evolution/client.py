"""The Evolution API's routes as methods: typed values in and out, refusals as errors of our own.

Reads, PUT and DELETE are tried again after a dropped connection, a time-out and what a busy proxy answers;
POST never is, because nobody can tell whether it was done. What a method raises:

- ServerError: nothing can go on, whatever the instance. From a writing call: nothing was written.
- Missing, Unauthorized, Disabled, Refused: the server answered and did not do it.
- Unclear, from writing calls only: nobody knows. Read the instance again.

The server's key goes out in a header and nowhere else. Instance tokens, which the server returns in plain
text, are dropped as soon as they are read; OpenAI keys leave here with their credentials alone, as SecretStr.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from reconciler import __version__
from reconciler.domain import hidden
from reconciler.domain.desired import Fields
from reconciler.domain.errors import ReconcilerError, ServerError
from reconciler.domain.kinds import OPENAI
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.evolution import address, answers, failures
from reconciler.evolution.belonging import Belonging
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import NotUnderstood, parse, secrets_in
from reconciler.evolution.refusals import BUSY, Refusals, Request, lacks_route
from reconciler.evolution.transport import Answer, NoAnswer, Wire

OLDEST = (2, 2)
"""The oldest version that is served."""

TRIES = 4
SUCCESS = frozenset({200, 201})
"""What the server answers when it did something. Any other status is none, whatever the body."""

LONGEST_VERSION = 40
"""Characters of a version that are shown."""

VERSION_TIMEOUT = 3.0
"""Seconds for `GET /`, which stalls on a server without a way out to the internet."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how to speak with it.

    url: may have a path, for a server behind a prefix. timeout: seconds per try, from connecting to the last
    byte. concurrency: requests at a time, over all instances; more than about 10 gains nothing on one Node
    process. allow_http: plain http to another machine. retry_delay: seconds before the first retry, doubled
    each time, give or take a half. patience: seconds after a call's first try in which another may begin.
    secrets: what no output may show, for all clients of the server; each adds what it reads.
    """

    url: str
    api_key: str = field(repr=False)
    timeout: float = 30.0
    concurrency: int = 32
    allow_http: bool = False
    retry_delay: float = 0.25
    patience: float = 60.0
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)


class Client:
    """One server. An async context manager; its methods may be called side by side.

    url: the server's, as it may be shown. secrets: what no output may show; whoever reads a secret adds
    it.
    belonging: whose its rows are, from all that was read.
    """

    def __init__(self, server: Server) -> None:
        """Raises ReconcilerError for a URL or a key that cannot be used."""
        self._key = _usable_key(server.api_key)
        url = address.server(server.url, self._key, allow_http=server.allow_http)
        self.url, self._whole = address.shown(url) or "", url
        self.concurrency = server.concurrency
        self.secrets = server.secrets
        self.secrets.add(self._key)
        self.belonging = Belonging()
        self._refusals = Refusals(self.url, self.secrets)
        self.retry_delay = server.retry_delay
        self._patience = server.patience
        self._version_timeout = min(server.timeout, VERSION_TIMEOUT)
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": f"evolution-reconciler/{__version__}",
        }
        try:
            self._wire = Wire(
                url,
                {**self._headers, "apikey": self._key},
                timeout=server.timeout,
                concurrency=server.concurrency,
            )
        except ValueError as error:
            raise ReconcilerError(f"The server at {self.url} cannot be used: {error}.") from None

    @property
    def bound(self) -> str:
        """The server's URL as a plan has it."""
        return address.bound(self._whole)

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._wire.__aexit__(kind, error, traceback)

    # -- the routes ---------------------------------------------------------------------------

    async def version(self) -> str | None:
        """The server's version, None when it does not tell it within a few seconds. Sent without the key."""
        try:
            answer = await self._wire.send("GET", "/", headers=self._headers, timeout=self._version_timeout)
            told = answers.version(parse(answer.body))
        except (NoAnswer, NotUnderstood):
            return None
        return None if told is None else self.secrets.clean(told, LONGEST_VERSION)

    async def listed(self) -> answers.Listed:
        """All instances. An instance's own token may not ask for them."""
        request = Request("GET", "/instance/fetchInstances", "list the instances")

        def read(data: object) -> answers.Listed:
            self.secrets.add(*answers.tokens(data))
            found = answers.instances(data)
            self.belonging.known(found.ids.items())
            return found

        return await self._made(request, read)

    async def instances(self) -> tuple[str, ...]:
        """The names of all instances."""
        return tuple((await self.listed()).ids)

    async def find(self, instance: str) -> tuple[RemoteBot, ...]:
        """All bots of an instance, in no order."""
        request = _route("GET", "find", instance, "read the bots")
        found = await self._made(request, self._of(instance, answers.bots))
        rows = ("\n".join((bot.id, bot.instance_id, *hidden.texts(bot.fields))) for bot in found)
        return tuple([self._covered_bot(bot) for bot in found]) if self.secrets.in_any(rows) else found

    def _cover(self, text: str) -> str:
        return self.secrets.cover(text, hidden.KEY)

    def _covered_bot(self, bot: RemoteBot) -> RemoteBot:
        """The same without a key that the server has put into it; an id that is one is none."""
        fields = hidden.covered(bot.fields, self._cover)
        id, home = self._cover(bot.id), self._cover(bot.instance_id)
        if fields is bot.fields and id == bot.id and home == bot.instance_id:
            return bot
        unread = bot.unread if id == bot.id else (*answers.NO_ID, *bot.unread)
        return replace(
            bot,
            id=bot.id if id == bot.id else "",
            fields=fields,
            instance_id=bot.instance_id if home == bot.instance_id else "",
            unread=unread,
        )

    async def credentials(self, instance: str) -> answers.Credentials:
        """The credentials of an instance, by name, their keys with them."""
        request = _route("GET", "creds", instance, "read the credentials")

        def read(data: object) -> answers.Credentials:
            self.secrets.add(*secrets_in(data))
            return answers.credentials(data)

        return await self._made(request, self._of(instance, read))

    def _of(self, instance: str, read: Callable[[object], T]) -> Callable[[object], T]:
        """The same, for rows that must be this instance's."""

        def checked(data: object) -> T:
            found = read(data)
            self.belonging.check(instance, answers.homes(data))
            return found

        return checked

    async def create_credential(self, instance: str, name: str, key: SecretStr) -> str:
        """Makes a credential; returns its id."""
        self.secrets.add(key)
        body = {"name": name, "apiKey": key.get_secret_value()}
        request = _route("POST", "creds", instance, "create a credential", body=body)
        return await self._made(request, answers.credential)

    async def delete_credential(self, instance: str, id: str) -> None:
        """Deletes a credential, and with it every bot that uses it."""
        request = _route("DELETE", "creds", instance, f"delete the credential {id}", id=id)
        await self._made(request, lambda data: answers.deleted(data, "openaiCreds", id))

    async def settings(self, instance: str) -> RemoteSettings:
        """The settings of an instance, which a create copies into what it leaves out."""
        request = _route("GET", "fetchSettings", instance, "read the settings")
        found = await self._made(request, self._of(instance, answers.settings))
        return replace(found, fields=hidden.covered(found.fields, self._cover))

    async def create(self, instance: str, body: Fields) -> RemoteBot:
        """Makes a bot; returns it as the server stored it."""
        self.secrets.add(*hidden.secrets(body))
        return await self._made(_route("POST", "create", instance, "create a bot", body=body), answers.bot)

    async def update(self, instance: str, id: str, body: Fields) -> RemoteBot:
        """Changes what body names in a bot; returns it as the server stored it."""
        self.secrets.add(*hidden.secrets(body))
        request = _route("PUT", "update", instance, f"update the bot {id}", id=id, body=body)
        return await self._made(request, answers.bot)

    async def delete(self, instance: str, id: str) -> None:
        """Deletes a bot and its sessions."""
        request = _route("DELETE", "delete", instance, f"delete the bot {id}", id=id)
        await self._made(request, lambda data: answers.deleted(data, "bot", id))

    async def save_settings(self, instance: str, body: Mapping[str, object]) -> RemoteSettings:
        """Writes the settings of an instance; returns them as the server stored them."""
        request = _route("POST", "settings", instance, "save the settings", body=body)
        return await self._made(request, lambda data: answers.settings(data, saved=True))

    # -- making a call ------------------------------------------------------------------------

    async def _made(self, request: Request, read: Callable[[object], T]) -> T:
        """Makes the call and reads the answer."""
        answer, seen = await self._answer(request)
        if answer.status not in SUCCESS:
            if lacks_route(answer):
                await self._check_version()
            raise self._refusals.refusal(request, answer, seen=seen)
        try:
            data = parse(answer.body)
        except NotUnderstood:
            raise self._refusals.refusal(request, answer) from None
        try:
            if said := failures.error(data):
                raise NotUnderstood(said)
            return read(data)
        except NotUnderstood as error:
            raise self._refusals.not_understood(request, error) from None

    async def _check_version(self) -> None:
        """Raises ServerError for a server that is too old to have the routes."""
        version = await self.version()
        if version is not None and (answers.numbers(version) or OLDEST) < OLDEST:
            raise ServerError(
                f"The server at {self.url} is version {version}, which has no such routes and is not served. "
                "Update it to 2.3."
            )

    async def _answer(self, request: Request) -> tuple[Answer, bool]:
        """Makes the call, again where that is harmless and may help.

        Returns the last answer, and whether the server may have seen a try before it.
        """
        start = time.monotonic()
        seen = False
        tries = 0
        while True:
            outcome = await self._try(request)
            tries += 1
            if request.method == "POST" or tries == TRIES or not _may_pass(request, outcome):
                break
            delay = self._delay(tries, outcome)
            if time.monotonic() - start + delay > self._patience:
                break
            seen = seen or not isinstance(outcome, NoAnswer) or outcome.sent
            await asyncio.sleep(delay)
        if isinstance(outcome, NoAnswer):
            raise self._refusals.unreachable(request, outcome, sent=seen or outcome.sent)
        return outcome, seen

    async def _try(self, request: Request) -> Answer | NoAnswer:
        try:
            return await self._wire.send(request.method, request.path, request.body)
        except NoAnswer as failure:
            return failure

    def _delay(self, tries: int, outcome: Answer | NoAnswer) -> float:
        """Seconds before the next try, after so many."""
        asked = None if isinstance(outcome, NoAnswer) else failures.retry_after(outcome.headers)
        if asked is not None:
            return asked
        spread = random.uniform(0.5, 1.5)  # noqa: S311 - it guards nothing
        return self.retry_delay * 2.0 ** (tries - 1) * spread


def _route(
    method: str,
    action: str,
    instance: str,
    task: str,
    *,
    id: str | None = None,
    body: Mapping[str, object] | None = None,
) -> Request:
    parts = [OPENAI.path, action, *([] if id is None else [segment(id)]), segment(instance)]
    # Escaped to ASCII: whatever a text holds can be sent.
    data = None if body is None else json.dumps(hidden.body(body)).encode()
    return Request(method, "/" + "/".join(parts), task, instance, data)


def segment(name: str) -> str:
    """A name as one segment of a path, every character but letters, digits, `-`, `_` and `~` encoded.

    Dots too when the name is nothing else: `.` and `..` would be taken as steps in the path.
    """
    encoded = quote(name, safe="")
    return encoded.replace(".", "%2E") if set(name) <= {"."} else encoded


def _may_pass(request: Request, outcome: Answer | NoAnswer) -> bool:
    """Whether it may be a passing trouble. A missing licence does not pass."""
    if isinstance(outcome, NoAnswer):
        return not outcome.lasting
    busy = outcome.status in BUSY or (request.reads and outcome.status == 500)
    return busy and b"LICENSE_REQUIRED" not in outcome.body


def _usable_key(key: str) -> str:
    key = key.strip()
    if not key:
        raise ReconcilerError("The server's api key is empty. Set EVOLUTION_API_KEY.")
    if not key.isascii() or not key.isprintable():
        raise ReconcilerError(
            "The server's api key has characters that no key has: line breaks or non-ASCII."
        )
    return key
