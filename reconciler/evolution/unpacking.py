"""An answer's body as it comes in: unpacked a step at a time, and never longer than a bound.

A few kilobytes can unpack to gigabytes, so nothing is unpacked that is not asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_ANSWER = 64 * 2**20
"""Bytes, unpacked. Ten thousand bots with long prompts are less."""

STEP = 2**20
"""Bytes that are unpacked at once; a few milliseconds."""

MAX_MEMBERS = 1000
"""Packed parts, one after another, of one answer. A server sends one."""

_GZIP = 16 + zlib.MAX_WBITS


class Unusable(Exception):  # noqa: N818 - it completes a sentence
    """The body cannot be taken. lasting: trying again is of no use."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Body:
    """The bytes of one answer. codings: its Content-Encoding, in which gzip may stand once."""

    def __init__(self, codings: str) -> None:
        named = [part.strip() for part in codings.lower().split(",")]
        named = [name for name in named if name not in ("", "identity")]
        if len(named) > 1:
            raise Unusable("its answer is packed more than once (Content-Encoding)")
        if named and named[0] not in ("gzip", "x-gzip"):
            raise Unusable("its answer is packed otherwise than asked for (Content-Encoding)")
        self._packed = bool(named)
        self._member: zlib._Decompress | None = None
        self._members = 0
        self._bytes = bytearray()

    def add(self, data: bytes) -> Iterator[None]:
        """Takes in what came, a step at a time. Raises Unusable."""
        if not self._packed:
            self._keep(data)
            return
        while data:
            if self._member is None:
                self._members += 1
                if self._members > MAX_MEMBERS:
                    raise Unusable("its answer cannot be unpacked")
                self._member = zlib.decompressobj(_GZIP)
            try:
                self._keep(self._member.decompress(data, STEP))
            except zlib.error:
                raise Unusable("its answer cannot be unpacked", lasting=False) from None
            data = self._member.unconsumed_tail
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            yield

    def whole(self) -> bytes:
        """Everything, at the end. Raises Unusable where the end is not one."""
        if self._member is not None:
            raise Unusable("its answer broke off", lasting=False)
        return bytes(self._bytes)

    def _keep(self, data: bytes) -> None:
        if len(self._bytes) + len(data) > MAX_ANSWER:
            raise Unusable(f"its answer is longer than {MAX_ANSWER // 2**20} MiB")
        self._bytes += data
