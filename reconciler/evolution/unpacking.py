"""An answer's body as it arrives: decompressed in steps, up to a limit.

A few kilobytes can decompress to gigabytes, so no more than needed is decompressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_ANSWER = 64 * 2**20
"""Bytes after decompression. Ten thousand bots with long prompts are less."""

STEP = 2**20
"""Bytes that are decompressed at once; takes a few milliseconds."""

MAX_MEMBERS = 1000
"""Compressed parts, one after another, of one answer. A server sends one."""

_GZIP = 16 + zlib.MAX_WBITS


class Unusable(Exception):  # noqa: N818 - it completes a sentence
    """The body cannot be used. lasting: whether trying again is useless."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Body:
    """The bytes of one answer. codings: its Content-Encoding, in which gzip may stand once."""

    def __init__(self, codings: str) -> None:
        named = [part.strip() for part in codings.lower().split(",")] if codings else []
        named = [name for name in named if name not in ("", "identity")]
        if len(named) > 1:
            raise Unusable("its answer is compressed more than once (Content-Encoding)")
        if named and named[0] not in ("gzip", "x-gzip"):
            raise Unusable("its answer is compressed in another format than gzip (Content-Encoding)")
        self._packed = bool(named)
        self._member: zlib._Decompress | None = None
        self._members = 0
        self._bytes = bytearray()

    def add(self, data: bytes) -> Iterator[None]:
        """Add what arrived, a step at a time. Raises Unusable."""
        if not self._packed:
            self._keep(data)
            return
        while data:
            if self._member is None:
                self._members += 1
                if self._members > MAX_MEMBERS:
                    raise Unusable("its answer cannot be decompressed")
                self._member = zlib.decompressobj(_GZIP)
            try:
                self._keep(self._member.decompress(data, STEP))
            except zlib.error:
                raise Unusable("its answer cannot be decompressed", lasting=False) from None
            data = self._member.unconsumed_tail
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            yield

    def whole(self) -> bytes:
        """The whole body, at the end. Raises Unusable if it is incomplete."""
        if self._member is not None:
            raise Unusable("its answer is incomplete", lasting=False)
        return bytes(self._bytes)

    def _keep(self, data: bytes) -> None:
        if len(self._bytes) + len(data) > MAX_ANSWER:
            raise Unusable(f"its answer is longer than {MAX_ANSWER // 2**20} MiB")
        self._bytes += data
