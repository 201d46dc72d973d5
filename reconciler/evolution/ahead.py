"""What was read ahead: the answers that the other process (reader.py) sends, for who asks for them.

Whatever it does not deliver is asked for as if there were no such process, so that every error is found and
told in one place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

import httpx

from reconciler.evolution.log import log_call
from reconciler.evolution.received import Received
from reconciler.evolution.spawn import PATIENCE, Reader
from reconciler.evolution.transport import Answer

_CHUNK = 2**18


class Ahead:
    """The answers of a process that reads ahead, for one event loop.

    An async context manager around those who take them. taken: how many were.
    """

    def __init__(self, reader: Reader, timeout: float) -> None:
        """timeout: of one request, in seconds."""
        self._reader, self._patience = reader, timeout + PATIENCE
        self._answers = {one.path: (_answer(one), one.seconds) for one in reader.early}
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
        reader, writer = await asyncio.open_connection(sock=self._reader.socket, limit=_CHUNK)
        try:
            with suppress(TimeoutError, OSError, ValueError, LookupError):
                self._add(b"")  # what had come before is whole
                while True:
                    async with asyncio.timeout(self._patience):
                        data = await reader.read(_CHUNK)
                    if not data:
                        break
                    self._add(data)
        finally:
            self._reader.end()
            writer.close()
            for waiting in self._awaited.values():
                waiting.set()

    def _add(self, data: bytes) -> None:
        for one in self._reader.splitter.add(data):
            self._answers[one.path] = _answer(one), one.seconds
            if waiting := self._awaited.pop(one.path, None):
                waiting.set()


def _answer(one: Received) -> Answer:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in one.headers]
    return Answer(one.status, httpx.Headers(raw), one.body)
