"""The servers of a request, side by side: each has its own client, key and limits, and its own troubles.

Where there is one, its name is "", and all is as if there were no names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from reconciler.domain import versions
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.joined import joined, named
from reconciler.domain.keys import Keys
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.domain.plan import Plan
from reconciler.domain.records import replace
from reconciler.domain.servers import ServerSettings, called, full, of_server
from reconciler.domain.text import listed
from reconciler.evolution import confirming
from reconciler.evolution.ahead import Ahead
from reconciler.evolution.calls import Heard
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import OnRead, Others, fetch
from reconciler.evolution.masking import Secrets
from reconciler.evolution.observing import NeedsSettings, Settle
from reconciler.manifests import secrets
from reconciler.pipeline.embedded import SANDBOX_FILE, make_home, seeds
from reconciler.pipeline.request import Request, address, file_key, limits, server_name

Running = Mapping[str, Server]
"""Servers that can be called, by their names; "" for the only one."""


@contextmanager
def servers(request: Request, desired: Desired) -> Iterator[Running]:
    """The servers that the request picks. The embedded ones run for the length of the block.

    Raises ReconcilerError.
    """
    picked = request.chosen
    names = picked if request.named.several else ("",)
    if request.sandbox:
        from reconciler.sandbox import Sandbox  # noqa: PLC0415  slow to import

        make_home()
        with ExitStack() as stack:
            found = {}
            for name in names:
                embedded = stack.enter_context(Sandbox(_database(name)))
                embedded.seed(seeds(of_server(desired, name)))
                found[name] = Server(
                    embedded.url,
                    embedded.api_key,
                    request.timeout,
                    request.concurrency,
                    max_rate=request.max_rate,
                )
            yield found
        return
    if request.servers and request.url:
        raise ReconcilerError(
            "the server is given twice: by --url or EVOLUTION_API_URL, and reconciler.toml names "
            f"{listed(request.named.names)}. Leave the address out, or pass --no-config."
        )
    if request.servers:
        known = _known(request)
        of = {one.name: _server(request, one, known) for one in request.servers if one.name in picked}
        yield of if request.named.several else {"": of[picked[0]]}
        return
    yield {"": _given(request)}


def _database(name: str) -> Path:
    return SANDBOX_FILE.with_stem(f"{SANDBOX_FILE.stem}-{name}") if name else SANDBOX_FILE


def _given(request: Request) -> Server:
    """The server of --url. Raises ReconcilerError."""
    if not request.url:
        raise ReconcilerError(
            "no server is given: set EVOLUTION_API_URL or --url, or try --sandbox, the embedded server."
        )
    if not request.api_key:
        raise ReconcilerError("the server's key is not given: set EVOLUTION_API_KEY.")
    return Server(
        request.url,
        request.api_key,
        **limits(request),
        secrets=_known(request),
    )


def _server(request: Request, named: ServerSettings, known: Secrets) -> Server:
    """A server that reconciler.toml names. Raises ReconcilerError."""
    url, key = named.address, named.key or file_key(named)
    if not url:
        raise ReconcilerError(
            f"the address of the server {named.name} is not given: write `url` in [servers.{named.name}] of "
            f"reconciler.toml, or set {named.url_variable}."
        )
    if not key:
        others = "" if len(request.servers) == 1 else ", or pick other servers with --server"
        raise ReconcilerError(
            f"the key of the server {named.name} is not given: set {named.key_variable}, or name a file with "
            f"`key-file` in [servers.{named.name}] of reconciler.toml{others}."
        )
    return Server(url, key, **limits(request, named), secrets=known)


def _known(request: Request) -> Secrets:
    """What no output may show from the start: one for all servers, as each may say what another has."""
    known = Secrets()
    known.add_long(*request.secrets)
    return known


@asynccontextmanager
async def clients(
    running: Running, ahead: Ahead | None = None, heard: Callable[[str], Heard] | None = None
) -> AsyncIterator[Mapping[str, Client]]:
    """A client of each server. ahead: what is read of them already. heard: gives what takes what is read."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                Client(server, ahead.of(name) if ahead else None, heard(name) if heard else None)
            )
            for name, server in running.items()
        }


def bound(request: Request, running: Running, made: Plan) -> Plan:
    """The plan with the servers that it is for."""
    if "" in running:
        return replace(made, server=address(request, running[""]), server_name=server_name(request))
    return replace(made, servers={name: address(request, server) for name, server in running.items()})


# -- reading ----------------------------------------------------------------------------------


def keys(desired: Desired, running: Running, read: secrets.Read) -> dict[str, Keys]:
    """The keys of declared credentials, by server: each takes a key once. Raises ManifestError."""
    return {server: secrets.keys(of_server(desired, server), read) for server in running}


async def fetched(
    clients: Mapping[str, Client],
    desired: Desired,
    needs_settings: NeedsSettings,
    keys: Mapping[str, Keys],
    others: Others | None,
    on_read: OnRead,
    settle: Settle | None = None,
) -> Observed:
    """What the servers have: see fetch. What is wrong with one of several is a problem of its instances.

    Raises ServerError where there is one.
    """
    numbers: dict[str, tuple[int, int]] = {}

    def count(server: str, number: int, of: int) -> None:
        numbers[server] = number, of
        on_read(sum(number for number, _ in numbers.values()), sum(of for _, of in numbers.values()))

    async def read(server: str, client: Client) -> Observed:
        mine = of_server(desired, server)
        if not server:
            return await fetch(
                client, mine, needs_settings, keys.get(server, Keys()), others, on_read, settle
            )

        def needs(instance: DesiredInstance, bots: tuple[RemoteBot, ...], kind: Kind) -> bool:
            return needs_settings(called(instance, server), bots, kind)

        def settles(
            instance: DesiredInstance, seen: ObservedInstance, /, *, early: bool
        ) -> tuple[RemoteBot, ...] | None:
            return settle(called(instance, server), named(seen, server), early=early) if settle else None

        theirs = None if others is None else lambda name: others(full(server, name))
        own, on = keys.get(server, Keys()), partial(count, server)
        try:
            return await fetch(client, mine, needs, own, theirs, on, settles)
        except ReconcilerError as error:
            return _unread(client, mine, str(error))

    found = await asyncio.gather(*(read(name, client) for name, client in clients.items()))
    return joined(dict(zip(clients, found, strict=True)))


def _unread(client: Client, desired: Desired, why: str) -> Observed:
    """What is known of a server that could not be read."""
    found = {one.name: ObservedInstance(one.name, problem=why) for one in desired.instances}
    return Observed(client.url, found, unlisted="" if found else f"it could not be read: {why}")


async def with_versions(clients: Mapping[str, Client], observed: Observed) -> Observed:
    """The same with the versions of the servers."""

    async def version(server: str) -> str:
        return versions.recognized(await clients[server].version() or "")

    found = dict(zip(clients, await asyncio.gather(*map(version, clients)), strict=True))
    if "" in found:
        return replace(observed, version=found[""])
    parts = {server: replace(part, version=found[server]) for server, part in observed.parts.items()}
    return replace(observed, parts=parts)


async def misplaced(clients: Mapping[str, Client], made: Plan) -> dict[str, str]:
    """As confirming.misplaced, of the instances of all servers."""

    async def of(server: str) -> dict[str, str]:
        own = [one for one in made.instances if one.server == server]
        part = replace(made, instances=tuple(replace(one, name=one.local) for one in own))
        try:
            found = await confirming.misplaced(clients[server], part)
        except ReconcilerError as error:
            if not server:
                raise
            found = {one.name: str(error) for one in part.instances if one.steps}
        return {full(server, name): why for name, why in found.items()}

    return {name: why for each in await asyncio.gather(*map(of, clients)) for name, why in each.items()}
