"""The process that reads ahead: `python -P -m reconciler.evolution.reader`, started by spawn.py.

It makes first tries of reads, and sends each answer as it comes: a line of JSON (path, seconds, status,
headers, number of bytes), and then its body. It judges no answer, and ends at the first trouble.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic

import httpx

from reconciler.domain.errors import Absent, Disabled
from reconciler.domain.kinds import KINDS
from reconciler.evolution.client import LIST, Client, Server
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.refusals import BUSY
from reconciler.evolution.routes import Request, route
from reconciler.evolution.spawn import Guess
from reconciler.evolution.transport import Answer, NoAnswer

MOST_BYTES = 32 * 2**20
"""What may wait to be sent; then no more is read until some of it was."""


async def _serve() -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0), limit=MOST_BYTES)
    writer.transport.set_write_buffer_limits(MOST_BYTES)
    options, guesses, paths, listing = json.loads(await reader.readuntil())
    reading = asyncio.ensure_future(
        _read(Server(**options), [Guess(*one) for one in guesses], paths, writer, listing=listing)
    )
    await asyncio.wait([reading, asyncio.ensure_future(reader.read())], return_when=asyncio.FIRST_COMPLETED)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _read(
    server: Server,
    guesses: Sequence[Guess],
    paths: Sequence[str],
    writer: asyncio.StreamWriter,
    *,
    listing: bool,
) -> None:
    off: set[str] = set()

    async with Client(server) as client:

        async def ask(request: Request) -> Answer:
            start = monotonic()
            answer = await client.calls.once(request.method, request.path)
            if answer.status in BUSY or answer.status // 100 not in (2, 4):
                raise NoAnswer(f"status {answer.status}", sent=True)
            writer.writelines(_sent(request.path, answer, monotonic() - start))
            await writer.drain()
            return answer

        async def read(guess: Guess) -> None:
            for path, kind in KINDS.items():
                if path in off:
                    continue
                request = route("GET", "find", guess.instance, "", kind=kind)
                answer = await ask(request)
                if answer.status < 400:
                    continue
                if isinstance(client.refusals.refusal(request, answer), Disabled | Absent):
                    off.add(path)
            if guess.credentials and not any(kind.credential and path in off for path, kind in KINDS.items()):
                await ask(route("GET", "creds", guess.instance, ""))

        if listing:
            await ask(LIST)
        await _ask_all(paths, ask, server.concurrency)
        await side_by_side(guesses, read, server.concurrency)


async def _ask_all(
    paths: Sequence[str], ask: Callable[[Request], Awaitable[Answer]], concurrency: int
) -> None:
    async def one(path: str) -> None:
        await ask(Request("GET", path, ""))

    await side_by_side(paths, one, concurrency)


def _sent(path: str, answer: Answer, seconds: float) -> tuple[bytes, bytes]:
    headers = [[part.decode("latin-1") for part in pair] for pair in httpx.Headers(answer.headers).raw]
    head = {
        "path": path,
        "seconds": seconds,
        "status": answer.status,
        "headers": headers,
        "bytes": len(answer.body),
    }
    return json.dumps(head).encode() + b"\n", answer.body


def main() -> None:
    """Does what the other end of stdin, a socket, orders. Ends when that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
