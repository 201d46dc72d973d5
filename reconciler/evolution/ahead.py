"""What was read ahead: the answers that the other process sends, for who asks for them.

Whatever it does not deliver is asked for as if there were no such process, so that every error is found and
told in one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from socket import socket
from typing import Self

from reconciler.domain.records import dataclass, field
from reconciler.evolution.exchange import Answer, log_call
from reconciler.evolution.frames import Frame, Frames

MOST_BYTES = 32 * 2**20
"""What may be held that nobody has asked for. Then no more is taken over, until something is asked for that
is not there.
"""

_NO_HEADERS: Mapping[str, str] = {}
"""No header says anything of an answer that is delivered."""


@dataclass(slots=True)
class _Server:
    """What was read of one server. ended: whether no more comes."""

    answers: dict[str, Frame] = field(default_factory=dict)
    awaited: dict[str, asyncio.Event] = field(default_factory=dict)
    ended: bool = False

    def end(self) -> None:
        self.ended = True
        for waiting in self.awaited.values():
            waiting.set()
        self.awaited.clear()


class Ahead(asyncio.BufferedProtocol):
    """The answers of a process that reads ahead, for one event loop.

    An async context manager around those who take them. taken: how many were.
    """

    def __init__(
        self,
        answers: socket,
        servers: Sequence[str],
        patience: float,
        end: Callable[[], None],
        frames: Frames,
        early: Iterable[Frame],
    ) -> None:
        """answers: where they come. servers: their names, in the order of their numbers. patience: seconds in
        which one must come, or no more are waited for. end: ends the process. early: what has come already;
        frames: the rest of that.
        """
        self._socket, self._patience, self._end = answers, patience, end
        self._servers = [_Server() for _ in servers]
        self._names = dict(zip(servers, self._servers, strict=True))
        self._frames, self._early = frames, early
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._last = self._held = 0.0
        self.taken = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._timer = loop.call_later(self._patience, self._check)
        await loop.create_connection(lambda: self, sock=self._socket)
        self._put(self._early)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    def of(self, server: str) -> Callable[[str], Awaitable[Answer | None]]:
        """Takes the answer to a read of a path of this server, once.

        It gives None for one that was not read ahead, and then the other process asks this server no more.
        """
        return partial(self._take, self._names.get(server, _Server(ended=True)))

    async def _take(self, server: _Server, path: str) -> Answer | None:
        if path not in server.answers and not server.ended:
            self._transport.resume_reading()
            await server.awaited.setdefault(path, asyncio.Event()).wait()
        if path not in server.answers:
            return None
        frame = server.answers.pop(path)
        self._held -= len(frame.data)
        self.taken += 1
        log_call("GET", path, str(frame.status), frame.seconds)
        return Answer(frame.status, _NO_HEADERS, frame.body)

    # -- what comes ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.room()

    def buffer_updated(self, nbytes: int) -> None:
        self._last = asyncio.get_running_loop().time()
        self._put(self._frames.add(nbytes))

    def _put(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            server = self._servers[frame.server]
            if frame.last:
                server.end()
                continue
            server.answers[frame.path] = frame
            self._held += len(frame.data)
            if waiting := server.awaited.pop(frame.path, None):
                waiting.set()
        if all(server.ended for server in self._servers):
            self._stop()
        elif self._held > MOST_BYTES and not any(server.awaited for server in self._servers):
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()

    def _check(self) -> None:
        """End what has been silent for too long."""
        loop = asyncio.get_running_loop()
        if not self._transport.is_reading():
            self._last = loop.time()
        if loop.time() - self._last >= self._patience:
            self._stop()
        else:
            self._timer = loop.call_at(self._last + self._patience, self._check)

    def _stop(self) -> None:
        self._timer.cancel()
        self._transport.abort()
        self._end()
        for server in self._servers:
            server.end()
