"""Reads a server ahead: what fetch.py will probably ask for, in its order, each answer as it comes.

First tries of GETs alone. It judges no answer, but for whether a kind of bot is off, and ends at the first
trouble: then whoever wanted the answers asks as if it had never been.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from time import monotonic
from typing import TypedDict

from reconciler.domain.kinds import KINDS, Kind
from reconciler.evolution import address, paths
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.exchange import BUSY, HEADERS
from reconciler.evolution.gets import Gets, Unread
from reconciler.evolution.limiter import Limiter

Deliver = Callable[[int, float, str, bytes], Awaitable[None]]
"""Takes an answer: its status, the seconds that it took, the path that was asked for, and the body."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_OFF = (b" is disabled", b"Cannot GET ")
"""What the refusal of a kind says that the whole server has switched off, or does not know."""


class Target(TypedDict):
    """A server that is read ahead. As of client.Server."""

    url: str
    api_key: str
    timeout: float
    concurrency: int
    allow_http: bool
    max_rate: float | None


async def read(
    target: Target, instances: Iterable[tuple[str, bool]], deliver: Deliver, *, listing: bool
) -> None:
    """Read these instances, and their credentials where the bool says so. Raises Unread, ReconcilerError.

    listing: whether the server's instances are listed too.
    """
    reading = _Reading(_gets(target), Limiter(target["concurrency"], target["max_rate"]), deliver)
    queue = iter(instances)
    async with asyncio.TaskGroup() as group:
        if listing:
            group.create_task(reading.ask(paths.LIST, "list"))
        for one in islice(queue, 1):
            group.create_task(reading.first(one))
        group.create_task(side_by_side(queue, reading.other, target["concurrency"]))


async def read_known(target: Target, known: Sequence[str], deliver: Deliver) -> None:
    """Read these paths. Raises Unread, ReconcilerError.

    Those of the first instance are delivered first: who asks finds out from them what is switched off.
    """
    reading = _Reading(_gets(target), Limiter(target["concurrency"], target["max_rate"]), deliver)
    instance = next((_instance(path) for path in known if path != paths.LIST), "")
    first = {path for path in known if _instance(path) == instance}
    waiting = set(first)

    async def ask(path: str) -> None:
        await reading.ask(path, path.rpartition("/")[0], later=path not in first)
        waiting.discard(path)
        if not waiting:
            reading.tried.set()

    await side_by_side(known, ask, target["concurrency"])


def _instance(path: str) -> str:
    """The instance that a path is of."""
    return path.rpartition("/")[2]


class _Reading:
    """The reading of one server. tried: is set when it is known what is switched off."""

    def __init__(self, gets: Gets, limiter: Limiter, deliver: Deliver) -> None:
        self._gets, self._limiter, self._deliver = gets, limiter, deliver
        self._off: set[str] = set()
        self.tried = asyncio.Event()

    async def first(self, one: tuple[str, bool]) -> None:
        """Read an instance, all kinds at once, to find out which are off."""
        instance, named = one
        async with asyncio.TaskGroup() as group:
            for kind in KINDS.values():
                group.create_task(self._find(kind, instance))
        self.tried.set()
        await self._credentials(instance, named)

    async def other(self, one: tuple[str, bool]) -> None:
        """Read another instance."""
        instance, named = one
        for kind in KINDS.values():
            if kind.path not in self._off:
                await self._find(kind, instance)
            await self.tried.wait()
        await self._credentials(instance, named)

    async def _find(self, kind: Kind, instance: str) -> None:
        status, body = await self.ask(paths.of("find", instance, kind=kind), kind.path)
        if status in (400, 404) and any(words in body for words in _OFF):
            self._off.add(kind.path)

    async def _credentials(self, instance: str, named: bool) -> None:
        if named and not any(kind.credential and path in self._off for path, kind in KINDS.items()):
            await self.ask(paths.of("creds", instance), "creds")

    async def ask(self, path: str, route: str, *, later: bool = False) -> tuple[int, bytes]:
        """An answer, after its delivery. route: of the limiter. Raises Unread.

        later: whether it is delivered when it is known what is switched off.
        """
        began = await self._limiter.begin()
        try:
            status, body = await self._gets.get(path)
        finally:
            self._limiter.end(began, route)
        if status in BUSY or status // 100 not in (2, 4):
            raise Unread
        if later:
            await self.tried.wait()
        await self._deliver(status, monotonic() - began, path, body)
        return status, body


def _gets(target: Target) -> Gets:
    key = target["api_key"].strip()
    if not _PLAIN_KEY.fullmatch(key):  # such a key has no fault
        from reconciler.domain.key_format import server_key_fault  # noqa: PLC0415  slow to import

        if not key or server_key_fault(key):
            raise Unread
    url = address.server(target["url"], key, allow_http=target["allow_http"])
    return Gets(url, {**HEADERS, "apikey": key}, target["timeout"])
