"""Answers on their way from the process that reads ahead to the one that asked for it: each in a frame.

A frame has the number of the server, the status, the seconds that the answer took, the path and the body.
The body may be compressed. A frame with the status 0 says that the server is read no more.
"""

from __future__ import annotations

import struct
import zlib

from reconciler.domain.records import dataclass

_HEAD = struct.Struct("!HHf?HI")
_LAST = 0
_ROOM = 2**18
"""Bytes that can be received at least."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An answer. server: its number. data: the body, or that compressed."""

    server: int
    status: int
    seconds: float
    path: str
    data: bytes
    compressed: bool = False

    @property
    def body(self) -> bytes:
        """The body."""
        return zlib.decompress(self.data) if self.compressed else self.data

    @property
    def last(self) -> bool:
        """Whether the server is read no more."""
        return self.status == _LAST


def packed(
    server: int, status: int, seconds: float, path: str, body: bytes, *, compressed: bool = False
) -> tuple[bytes, bytes]:
    """A frame as bytes, in two parts. compressed: whether the body is to be, which takes little time."""
    name, data = path.encode("ascii"), zlib.compress(body, 1) if compressed else body
    return _HEAD.pack(server, status, seconds, compressed, len(name), len(data)) + name, data


def last(server: int) -> bytes:
    """The frame that says that a server is read no more."""
    return _HEAD.pack(server, _LAST, 0.0, False, 0, 0)


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
            server, status, seconds, compressed, length, size = _HEAD.unpack_from(view, start)
            path = start + _HEAD.size
            body = path + length
            if self._end < body + size:
                break
            start = body + size
            found.append(
                Frame(
                    *(server, status, seconds, str(view[path:body], "ascii")),
                    bytes(view[body:start]),
                    compressed,
                )
            )
        if start:
            left = bytes(view[start : self._end])
            view[: len(left)] = left
            self._end = len(left)
        return found
