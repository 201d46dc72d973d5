"""GET requests with as little CPU as Python allows: HTTP/1.1 on asyncio's connections, parsed by httptools.

For the process that reads ahead, whose failures cost another try and nothing else: so whatever is unusual is
Unread here, and transport.py, which can tell why, asks again. Behind a proxy nothing is read at all. Answers
are parsed as strictly as there: aiohttp and httptools both use llhttp.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from time import monotonic
from urllib.parse import SplitResult, urlsplit

import httptools

from reconciler.evolution import proxies
from reconciler.evolution.unpacking import Body, Unusable

KEEP_ALIVE = 3.5
"""Seconds that an idle connection is used again. The server ends them after 5."""

MAX_HEADERS = 64 * 2**10
"""Bytes of all headers of an answer."""

_PLAIN_URL = re.compile(r"https?://[\w.:\[\]-]+(/[\w~-][\w.~-]*)*", re.ASCII)
"""A server's URL that every library sends as it is written."""

_PLAIN_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")
_PORTS = {"http": 80, "https": 443}
_SECOND_ADDRESS = 0.25
"""Seconds after which a host's next address is tried too."""


class Unread(Exception):  # noqa: N818 - it says what happened, as the errors of this project do
    """No answer came that can be handed over."""


class Gets:
    """Makes GET requests to one server. Opens as many connections as there are requests at a time."""

    def __init__(self, url: str, headers: dict[str, str], timeout: float) -> None:
        """url: from address.server. timeout: seconds for connecting, and those for an answer.

        Raises Unread where something is unusual, ReconcilerError for a proxy or certificates that cannot be
        used.
        """
        if not _PLAIN_URL.fullmatch(url) or proxies.of(url, os.environ):
            raise Unread
        if not all(map(_PLAIN_HEADER.fullmatch, headers.values())):
            raise Unread
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._tls = _tls() if parts.scheme == "https" else None
        lines = [f"Host: {_host(parts)}", *(f"{name}: {value}" for name, value in headers.items())]
        self._before = f"GET {parts.path}"
        self._after = "\r\n".join([" HTTP/1.1", *lines, "", ""])
        self._timeout = timeout
        self._idle: list[tuple[_Connection, float]] = []
        self._address = ""
        self._finding = asyncio.Lock()

    async def get(self, path: str) -> tuple[int, bytes]:
        """The status and the body of an answer. path: percent-encoded. Raises Unread."""
        request = f"{self._before}{path}{self._after}".encode("ascii")
        connection = self._free() or await self._opened()
        answer = await connection.exchange(request, self._timeout)
        self._idle.append((connection, monotonic()))
        return answer

    def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop()[0].close()

    def _free(self) -> _Connection | None:
        """An idle connection: the one that was used last, so that few are kept."""
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.closed and monotonic() - since < KEEP_ALIVE:
                return connection
            connection.close()
        return None

    async def _opened(self) -> _Connection:
        try:
            async with asyncio.timeout(self._timeout):
                if not self._address:
                    async with self._finding:  # one looks for the host's address that answers
                        if not self._address:
                            connection = await self._connect(self._host, _SECOND_ADDRESS)
                            self._address = connection.address
                            return connection
                return await self._connect(self._address)
        except (OSError, ValueError):  # of time, of the network, of TLS; of a name that is no host's
            raise Unread from None

    async def _connect(self, address: str, happy_eyeballs_delay: float | None = None) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection,
            address,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
            happy_eyeballs_delay=happy_eyeballs_delay,
        )
        return connection


_RECEIVED = memoryview(bytearray(2**18))
"""Where every connection receives: what came is parsed before anything else is received."""


class _Connection(asyncio.BufferedProtocol):
    """One connection: a request out, its whole answer back. httptools calls its methods without a `_`.

    closed: whether no request can be sent any more. address: of the other end.
    """

    def __init__(self) -> None:
        self.closed = False
        self.address = ""
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._bytes = 0
        self._codings: list[str] = []
        self._body: Body

    async def exchange(self, request: bytes, seconds: float) -> tuple[int, bytes]:
        """The answer to a request: its status and its body. seconds: it may take. Raises Unread."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        limit = loop.call_later(seconds, self.close)
        self._transport.write(request)
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            limit.cancel()
            self._answer = None

    def close(self) -> None:
        self.closed = True
        self._transport.abort()

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        self._transport = transport
        self.address = transport.get_extra_info("peername")[0]

    def get_buffer(self, sizehint: int) -> memoryview:
        return _RECEIVED

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._parser.feed_data(_RECEIVED[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Unread())

    # -- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            raise Unread
        self._bytes, self._codings = 0, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._bytes += len(name) + len(value)
        if self._bytes > MAX_HEADERS:
            raise Unread
        if name.lower() == b"content-encoding":
            self._codings.append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            raise Unread
        self._body = Body(", ".join(self._codings))

    def on_body(self, body: bytes) -> None:
        for _ in self._body.add(body):
            pass

    def on_message_complete(self) -> None:
        if self._answer is None or self._answer.done():
            return
        try:
            self._answer.set_result((self._parser.get_status_code(), self._body.whole()))
        except Unusable:
            self._answer.set_exception(Unread())
        if not self._parser.should_keep_alive():
            self.close()


def _tls() -> ssl.SSLContext:
    from reconciler.evolution import tls  # noqa: PLC0415  slow to import

    tls.check(os.environ)
    return tls.context(os.environ)


def _host(parts: SplitResult) -> str:
    """The value of the header Host."""
    name = parts.hostname or ""
    shown = f"[{name}]" if ":" in name else name
    return shown if parts.port in {None, _PORTS[parts.scheme]} else f"{shown}:{parts.port}"
