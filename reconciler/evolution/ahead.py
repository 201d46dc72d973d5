"""What was read ahead: the answers that the other process (reader.py) sends, for who asks for them.

Whatever it does not deliver is asked for as if there were no such process, so that every error is found and
told in one place.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Self

import httpx

from reconciler.evolution.exchange import Answer, log_call
from reconciler.evolution.spawn import Reader

PATIENCE = 10.0
"""Seconds beyond a request's own limit in which an answer must come; else no more are waited for."""

MOST_HEAD = 2**20
"""Bytes of what is sent about an answer before its body: most of it are the headers, each up to 64 KiB."""


class Ahead:
    """The answers of a process that reads ahead, for one event loop.

    An async context manager around those who take them. taken: how many were.
    """

    def __init__(self, reader: Reader, timeout: float) -> None:
        """timeout: of one request, in seconds."""
        self._reader, self._patience = reader, timeout + PATIENCE
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
        reader, writer = await asyncio.open_connection(sock=self._reader.socket, limit=MOST_HEAD)
        try:
            with suppress(
                EOFError, asyncio.LimitOverrunError, TimeoutError, OSError, ValueError, LookupError
            ):
                while True:
                    async with asyncio.timeout(self._patience):
                        path, answer, seconds = await _received(reader)
                    self._answers[path] = answer, seconds
                    if waiting := self._awaited.pop(path, None):
                        waiting.set()
        finally:
            self._reader.end()
            writer.close()
            for waiting in self._awaited.values():
                waiting.set()


async def _received(reader: asyncio.StreamReader) -> tuple[str, Answer, float]:
    """The path of the next answer, the answer, and its seconds. Raises IncompleteReadError at the end."""
    head = json.loads(await reader.readuntil())
    body = await reader.readexactly(head["bytes"])
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]]
    return head["path"], Answer(head["status"], httpx.Headers(raw), body), head["seconds"]
