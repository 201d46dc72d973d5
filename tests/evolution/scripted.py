"""A tiny raw HTTP server for what no well-behaved server does: it drops, stalls, halves, and counts."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reconciler.evolution.client import Client, Server

NOWHERE = "a." * 200 + "test"
"""A host's name too long for any DNS: it is not found without asking the network."""

KEY = "B6D711FCDE4D4FD5936544120E713976"


@dataclass(frozen=True)
class Request:
    """A request as it arrived. target: the path, byte for byte."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Act = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""What the server does with one request."""


@dataclass
class Spy:
    """What the server saw. most: requests at the same time."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    most: int = 0
    connections: int = 0
    now: int = 0

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


def reply(status: int, body: object, headers: str = "", *, slow: float = 0.0) -> Act:
    """Answers. body: bytes as they are, else JSON. slow: seconds before."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode()

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(slow)
        writer.write(head + data)
        await writer.drain()

    return act


def page(status: int, html: str) -> Act:
    """Answers as a proxy or another site does."""
    return reply(status, html.encode(), "Content-Type: text/html\r\n")


def refusal(status: int, message: object, headers: str = "") -> Act:
    """Answers as the server itself says no."""
    return reply(status, {"status": status, "error": "X", "response": {"message": message}}, headers)


def raw(data: bytes) -> Act:
    """Writes the bytes and hangs up."""

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return act


async def stall(request: Request, writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.sleep(60)


drop = raw(b"")
half = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{"id": "x"')

LICENCE = {
    "error": "service not activated",
    "code": "LICENSE_REQUIRED",
    "register_url": "http://127.0.0.1/manager/login",
    "message": "License required",
}


@asynccontextmanager
async def serving(*acts: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[Spy]:
    """A server on loopback. The first request gets the first act, and so on; the last act stays."""
    spy = Spy()
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.append(writer)
        spy.connections += 1
        try:
            while not writer.is_closing():
                await _serve(spy, acts, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    spy.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield spy
    finally:
        for _ in range(10):  # until those that were just accepted have their tasks: a close would lose them
            await asyncio.sleep(0)
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(10):  # what was accepted late has its task only now
            for writer in writers:  # what nobody reads any more would keep a connection open
                writer.transport.abort()
            await asyncio.sleep(0)


async def _serve(
    spy: Spy, acts: Sequence[Act], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    spy.requests.append(Request(method, target, headers, body))
    spy.now += 1
    spy.most = max(spy.most, spy.now)
    try:
        await acts[min(len(spy.requests), len(acts)) - 1](spy.requests[-1], writer)
    finally:
        spy.now -= 1


def asked(
    call: Callable[[Client], Awaitable[object]],
    *acts: Act,
    timeout: float = 30,
    retry_delay: float = 0.001,
    concurrency: int = 10,
    patience: float = 60.0,
    max_rate: float | None = None,
) -> tuple[object, Spy]:
    """What the client makes of a server that behaves so: the value or the exception, and what it saw."""

    async def run() -> tuple[object, Spy]:
        async with serving(*acts) as spy:
            server = Server(
                spy.url,
                KEY,
                timeout=timeout,
                retry_delay=retry_delay,
                concurrency=concurrency,
                patience=patience,
                max_rate=max_rate,
            )
            async with Client(server) as client:
                try:
                    return await call(client), spy
                except Exception as error:  # whatever comes is the case's to judge
                    return error, spy

    return asyncio.run(run())
