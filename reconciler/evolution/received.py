"""What the process that reads ahead (reader.py) sends: bytes as they come → answers. Imports little."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Received:
    """An answer to a read. seconds: how long it took. headers: each a pair, names as they were sent."""

    path: str
    status: int
    seconds: float
    headers: list[list[str]]
    body: bytes


class Splitter:
    """Finds the answers in what comes. rest: the beginning of one that is not whole yet."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def add(self, data: bytes) -> Iterator[Received]:
        """The answers that are whole now. Raises ValueError, LookupError for what is none."""
        self.rest += data
        start = 0
        try:
            while (line := self.rest.find(b"\n", start)) >= 0:
                head = json.loads(self.rest[start:line])
                end = line + 1 + head["bytes"]
                if end > len(self.rest):
                    return
                body = bytes(self.rest[line + 1 : end])
                start = end
                yield Received(head["path"], head["status"], head["seconds"], head["headers"], body)
        finally:
            del self.rest[:start]
