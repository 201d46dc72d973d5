"""A proxy in front of the sandbox that makes trouble: each request meets the next fault of its schedule.

Speaks just enough HTTP/1.1 for our own client: whole requests, answers with a Content-Length. It runs in a
thread of its own. What it forwards late still arrives, after the client has long given up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from hypothesis.vendor.pretty import RepresentationPrinter

from reconciler.sandbox.server import stop_accepting

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. raw: all of its bytes."""

    method: str
    path: str
    raw: bytes

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. The plain one: nothing.

    refuse: seconds for which nobody listens, from this request on. restart: the server is restarted first.
    forward: whether the server gets the request; before: seconds that pass until then. answer: what the
    client gets in the answer's place; part: the share of it that it gets; after: seconds that pass until
    then. cut: then the connection ends.
    """

    name: str = ""
    refuse: float = 0.0
    restart: bool = False
    forward: bool = True
    before: float = 0.0
    answer: bytes | None = None
    part: float = 1.0
    after: float = 0.0
    cut: bool = False

    def __str__(self) -> str:
        return self.name or "-"

    __repr__ = __str__

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(str(self))


PASS = Fault()


class Proxy:
    """Listens on a port of its own and forwards to another, for as long as the `with` block lasts.

    upstream: the port that it forwards to. restart: restarts the server there. edit: what becomes of each
    request's bytes before they are forwarded; of an empty one nothing is forwarded. tell: what becomes of the
    answer's bytes before the client gets them. seen: the requests and what they met, in order.
    """

    def __init__(
        self,
        upstream: Callable[[], int],
        restart: Callable[[], None] = lambda: None,
        edit: Callable[[Request], bytes] = lambda request: request.raw,
        tell: Callable[[Request, bytes], bytes] = lambda request, answer: answer,
    ) -> None:
        self.upstream, self.restart, self.edit, self.tell = upstream, restart, edit, tell
        self.seen: list[tuple[Request, Fault]] = []

    def __enter__(self) -> Self:
        self._schedules: dict[bool, Iterator[Fault]] = {}
        self._loop = asyncio.new_event_loop()
        self._forwards: set[asyncio.Task[bytes]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._port = 0
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drain()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    def meet(self, reads: Iterable[Fault], writes: Iterable[Fault]) -> None:
        """The faults for the reads and the writing calls to come; when they are used up, there are none."""
        self._schedules = {False: iter(tuple(reads)), True: iter(tuple(writes))}
        self.seen.clear()

    def drain(self) -> None:
        """No more faults; returns when all that was forwarded has arrived and somebody listens."""
        self._schedules = {}
        self._run(self._drained())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    # -- in the proxy's thread ----------------------------------------------------------------

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._listens = True

    async def _close(self) -> None:
        self._listens = False
        await stop_accepting(self._server)
        self._server.close()

    async def _end(self) -> None:
        """Nothing is left, of what came a moment ago either."""
        await self._close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._connections:
                task.cancel()
            await asyncio.wait(others, timeout=0.005)

    async def _away(self, seconds: float) -> None:
        """Nobody listens for so long."""
        if self._listens:
            await self._close()
            await asyncio.sleep(seconds)
            await self._listen()

    async def _drained(self) -> None:
        # Connections too: a client that has gone may have left a request that was not yet read.
        await asyncio.sleep(0.005)
        while self._forwards or self._connections or not self._listens:  # noqa: ASYNC110 - of a test
            await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await _read(reader)) is not None:
                fault = next(self._schedules.get(request.writes, iter(())), PASS)
                self.seen.append((request, fault))
                writer.write(await self._answer(request, fault))
                await writer.drain()
                if fault.cut:
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Request, fault: Fault) -> bytes:
        if fault.refuse:
            self._later(self._away(fault.refuse))
        answer = b""
        if fault.forward:
            # A task of its own: what is under way arrives, even if the client has gone.
            forward = self._later(self._forward(request, fault))
            answer = await asyncio.shield(forward)
        await asyncio.sleep(fault.after)
        answer = answer if fault.answer is None else fault.answer
        return answer[: int(len(answer) * fault.part)]

    def _later(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._forwards.add(task)
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._forwards.discard(task)
        task.exception()  # nobody may be left to be told

    async def _forward(self, request: Request, fault: Fault) -> bytes:
        if fault.restart:
            await asyncio.to_thread(self.restart)
        await asyncio.sleep(fault.before)
        reader, writer = await asyncio.open_connection(HOST, self.upstream())
        try:
            answer = b""
            if forwarded := self.edit(request):
                writer.write(forwarded)
                head = await reader.readuntil(b"\r\n\r\n")
                answer = head + await reader.readexactly(_length(head))
            return await asyncio.to_thread(self.tell, request, answer)
        finally:
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None when it ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head.split(b" ", 2)
    body = await reader.readexactly(_length(head))
    return Request(method.decode(), path.decode(), head + body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
