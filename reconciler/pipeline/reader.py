"""The process that reads ahead, begun by process.py. Through a socket the order comes in, and answers go out.

It looks at the manifests itself, so that it needs nothing that the other process finds out. It ends at the
first trouble, and when the socket is closed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import tee
from pathlib import Path
from typing import TypedDict

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution import frames, reader
from reconciler.evolution.gets import Unread
from reconciler.evolution.reader import Target
from reconciler.manifests import guess
from reconciler.manifests.guess import Guess
from reconciler.manifests.selection import matches

MOST_BYTES = 32 * 2**20
"""What may wait to be sent; then no more is read until some of it was."""

MANY_BYTES = 2**18
"""What may wait to be sent; then whatever follows is compressed."""


class Order(TypedDict):
    """What is to be read.

    bots: the directory of the manifests. instance: globs. servers: by their names, "" for the only one.
    default: the one of manifests that name none. shard: whose instances are read, by its number and how many
    there are; None for all. listing: whether the servers' instances are listed too. known: the paths that are
    read of each server instead of all that.
    """

    bots: str
    instance: Sequence[str]
    servers: dict[str, Target]
    default: str
    shard: tuple[int, int] | None
    listing: bool
    known: Mapping[str, Sequence[str]] | None


class _Answers(asyncio.Protocol):
    """The way back. closed: whether nobody reads it any more."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport
        self._unsent: list[bytes] = []

    async def send(self, *parts: bytes) -> None:
        """Send, with what else is sent before the loop waits again. Waits while too much is unsent."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += parts
        if not self._writable.is_set():
            await self._writable.wait()

    @property
    def is_behind(self) -> bool:
        """Whether much waits to be sent."""
        return self._transport.get_write_buffer_size() > MANY_BYTES

    def close(self) -> None:
        """Close it when all is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        self._transport.writelines(self._unsent)
        self._unsent = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        transport.set_write_buffer_limits(MOST_BYTES)
        self._transport = transport

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def _serve(ours: socket.socket, order: Order) -> None:
    _, answers = await asyncio.get_running_loop().create_connection(_Answers, sock=ours)
    servers = order["servers"]
    guesses = guess.instances(Path(order["bots"]), servers="" not in servers)

    async def read(number: int, name: str, guesses: Iterator[Guess]) -> None:
        async def deliver(status: int, seconds: float, path: str, body: bytes) -> None:
            compressed = answers.is_behind
            await answers.send(*frames.packed(number, status, seconds, path, body, compressed=compressed))

        try:
            if order["known"] is not None:
                await reader.read_known(servers[name], order["known"].get(name, ()), deliver)
            else:
                chosen = _chosen(order, name, guesses)
                await reader.read(servers[name], chosen, deliver, listing=order["listing"])
        except* (Unread, ReconcilerError):
            pass
        await answers.send(frames.last(number))

    async def read_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number, (name, own) in enumerate(zip(servers, tee(guesses, len(servers)), strict=True)):
                group.create_task(read(number, name, own))
        answers.close()

    reading = asyncio.ensure_future(read_all())
    await answers.closed.wait()
    reading.cancel()
    await asyncio.wait([reading])


def _chosen(order: Order, server: str, guesses: Iterator[Guess]) -> Iterator[tuple[str, bool]]:
    """The instances of a server that are read, and whether their credentials are."""
    is_in_shard = _in_shard(*order["shard"]) if order["shard"] else None
    for one in guesses:
        if is_in_shard and not is_in_shard(server, one.instance):
            continue
        if server and (one.server or order["default"]) != server:
            continue
        if matches(f"{server}/{one.instance}" if server else one.instance, order["instance"]):
            yield one.instance, one.credentials


def _in_shard(number: int, of: int) -> Callable[[str, str], bool]:
    from reconciler.domain.shards import Shard  # noqa: PLC0415  slow to import

    return Shard(number, of).has


def read(ours: socket.socket) -> None:
    """Does what the other end of a socket orders. Ends when that is closed."""
    with ours.makefile("rb") as lines:
        if line := lines.readline():
            asyncio.run(_serve(ours, json.loads(line)))


def main() -> None:
    """The same, of stdin."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    read(socket.socket(fileno=0))


if __name__ == "__main__":
    main()
