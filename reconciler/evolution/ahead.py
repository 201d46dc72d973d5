"""Reads ahead: a process of its own asks the server while this one still loads the manifests.

It takes a Server and the instances that will probably be read, and sends back each answer as it comes. It
makes first tries of reads and nothing else, and ends at the first trouble. Whatever it does not deliver is
asked for as if there were no such process, so that every error is found and told in one place.

An answer is sent as a line of JSON (path, seconds, status, headers, number of bytes), and then its body.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import Self

import httpx

from reconciler.domain.errors import Absent, Disabled
from reconciler.domain.kinds import KINDS
from reconciler.evolution.client import LIST, Client, Server
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.refusals import BUSY
from reconciler.evolution.routes import Request, route
from reconciler.evolution.transport import Answer, NoAnswer, log_call

MOST_BYTES = 32 * 2**20
"""What may wait to be sent; then no more is read until some of it was."""

PATIENCE = 10.0
"""Seconds beyond a request's own limit in which an answer must come; else no more are waited for."""


@dataclass(frozen=True, slots=True)
class Guess:
    """An instance that will probably be read. credentials: whether those too."""

    instance: str
    credentials: bool


# -- this process -----------------------------------------------------------------------------


class Ahead:
    """The answers of a process that reads ahead, for one event loop.

    An async context manager around those who take them. taken: how many were.
    """

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, patience: float) -> None:
        self._process, self._ours, self._patience = process, ours, patience
        self._answers: dict[str, tuple[Answer, float]] = {}
        self._awaited: dict[str, asyncio.Event] = {}
        self._receiving: asyncio.Task[None] | None = None
        self.taken = 0

    async def __aenter__(self) -> Self:
        self._receiving = asyncio.create_task(self._receive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._receiving:
            self._receiving.cancel()
            await asyncio.wait([self._receiving])

    async def take(self, path: str) -> Answer | None:
        """The answer to a read of this path, once. When it is None, the other process asks no more."""
        if path not in self._answers and self._receiving and not self._receiving.done():
            await self._awaited.setdefault(path, asyncio.Event()).wait()
        if path not in self._answers:
            return None
        answer, seconds = self._answers.pop(path)
        self.taken += 1
        log_call("GET", path, str(answer.status), seconds)
        return answer

    async def _receive(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._ours)
        try:
            with suppress(asyncio.IncompleteReadError, TimeoutError, OSError, ValueError, LookupError):
                while True:
                    async with asyncio.timeout(self._patience):
                        path, answer, seconds = await _received(reader)
                    self._answers[path] = answer, seconds
                    if waiting := self._awaited.pop(path, None):
                        waiting.set()
        finally:
            self._process.kill()
            self._process.wait()
            writer.close()
            for waiting in self._awaited.values():
                waiting.set()


async def _received(reader: asyncio.StreamReader) -> tuple[str, Answer, float]:
    """The path of the next answer, the answer, and its seconds. Raises IncompleteReadError at the end."""
    head = json.loads(await reader.readuntil())
    body = await reader.readexactly(head["bytes"])
    headers = httpx.Headers(
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]]
    )
    return head["path"], Answer(head["status"], headers, body), head["seconds"]


@contextmanager
def reading(server: Server, guesses: Sequence[Guess], *, listing: bool) -> Iterator[Ahead | None]:
    """Reads these instances ahead for the length of the block; None where that cannot be done.

    listing: whether the server's instances are listed too.
    """
    if os.name != "posix":  # elsewhere no process takes a socket for its stdin
        yield None
        return
    options = {
        "url": server.url,
        "api_key": server.api_key,
        "timeout": server.timeout,
        "concurrency": server.concurrency,
        "allow_http": server.allow_http,
        "max_rate": server.max_rate,
    }
    order = json.dumps([options, [[one.instance, one.credentials] for one in guesses], listing])
    ours, theirs = socket.socketpair()
    # -P: no module is imported from the working directory. The key stands in no argument.
    command = [sys.executable, "-P", "-m", __name__]
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this program
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        with process:
            try:
                Thread(target=_send, args=(ours, order.encode() + b"\n"), daemon=True).start()
                yield Ahead(process, ours, server.timeout + PATIENCE)
            finally:
                process.kill()


def _send(ours: socket.socket, order: bytes) -> None:
    with suppress(OSError):
        ours.sendall(order)


# -- the other process ------------------------------------------------------------------------


async def _serve() -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0), limit=MOST_BYTES)
    writer.transport.set_write_buffer_limits(MOST_BYTES)
    options, guesses, listing = json.loads(await reader.readuntil())
    reading = asyncio.ensure_future(
        _read(Server(**options), [Guess(*one) for one in guesses], writer, listing=listing)
    )
    await asyncio.wait([reading, asyncio.ensure_future(reader.read())], return_when=asyncio.FIRST_COMPLETED)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _read(
    server: Server, guesses: Sequence[Guess], writer: asyncio.StreamWriter, *, listing: bool
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
        await side_by_side(guesses, read, server.concurrency)


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
