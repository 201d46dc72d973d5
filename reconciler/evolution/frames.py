"""Answers on their way from the process that reads ahead to the one that asked for it: each in a frame.

A frame has the number of the server, the status, the seconds that the answer took, the path and the body. One
with the status 0 says that the server is read no more.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEAD = struct.Struct("!HHfHI")
_LAST = 0
_ROOM = 2**18
"""Bytes that can be received at least."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An answer. server: its number."""

    server: int
    status: int
    seconds: float
    path: str
    body: bytes

    @property
    def last(self) -> bool:
        """Whether the server is read no more."""
        return self.status == _LAST


def packed(server: int, status: int, seconds: float, path: str, body: bytes) -> tuple[bytes, bytes]:
    """A frame as bytes, in two parts."""
    name = path.encode("ascii")
    return _HEAD.pack(server, status, seconds, len(name), len(body)) + name, body


def last(server: int) -> bytes:
    """The frame that says that a server is read no more."""
    return _HEAD.pack(server, _LAST, 0.0, 0, 0)


class Frames:
    """Finds the frames in what arrives."""

    def __init__(self) -> None:
        self._bytes = bytearray(2 * _ROOM)
        self._end = 0

    def room(self) -> memoryview:
        """Where what arrives is to be put."""
        if len(self._bytes) - self._end < _ROOM:
            self._bytes = self._bytes + bytes(len(self._bytes))
        return memoryview(self._bytes)[self._end :]

    def add(self, number: int) -> list[Frame]:
        """The frames that are whole, now that so many bytes were put there."""
        self._end += number
        found, start = [], 0
        view = memoryview(self._bytes)
        while self._end - start >= _HEAD.size:
            server, status, seconds, length, size = _HEAD.unpack_from(view, start)
            path = start + _HEAD.size
            body = path + length
            if self._end < body + size:
                break
            start = body + size
            found.append(
                Frame(server, status, seconds, str(view[path:body], "ascii"), bytes(view[body:start]))
            )
        if start:
            left = bytes(view[start : self._end])
            view[: len(left)] = left
            self._end = len(left)
        return found
