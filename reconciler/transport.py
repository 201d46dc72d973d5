"""The wire: one request out, one whole answer back. The only module that imports httpx.

It knows time-outs, the limit of requests at a time, proxies, TLS and the size of an answer. It does not
retry, and it does not judge a status: that is the client's.

httpx runs on aiohttp's connections here, because httpx's own pool spends milliseconds of CPU per request
when many run side by side (benchmarks/transport.py has the figures). The transport is our own and not
httpx-aiohttp's, because that one decodes a percent-encoded path again: an instance named `..` would become
another route.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

KEEP_ALIVE = 3.5
"""Seconds that an idle connection is kept. The server ends them after 5: never send on a dying one."""

MAX_ANSWER = 64 * 2**20
"""Bytes, unpacked. Ten thousand bots with long prompts are less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server, or something in front of it, answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):  # noqa: N818 - it says what happened, as the errors of this project do
    """No whole answer came. Its text completes "Cannot reach the server: …".

    sent: whether the server may have seen the request. lasting: whether trying again is of no use.
    """

    def __init__(self, reason: str, *, sent: bool, lasting: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent
        self.lasting = lasting


class Wire:
    """The connections to one server. An async context manager; `send` may be called side by side."""

    def __init__(self, url: str, headers: Mapping[str, str], *, timeout: float, concurrency: int) -> None:
        """url: with no slash at its end. Raises ValueError when it or its proxy cannot be used."""
        try:
            host = httpx.URL(url).host
            URL(url, encoded=True)
        except (httpx.InvalidURL, ValueError) as error:
            raise ValueError(f"its host name is not valid ({str(error).rstrip('.')})") from error
        self._url = url
        self._headers = httpx.Headers(headers)  # made once: a copy costs less than making it
        self._timeout = timeout
        self._turn = asyncio.Semaphore(concurrency)
        secure = url.startswith("https:")
        self._client = httpx.AsyncClient(
            transport=_Transport(
                concurrency=concurrency,
                tls=httpx.create_ssl_context() if secure else None,
                proxy=_proxy("https" if secure else "http", host),
            ),
            timeout=None,  # noqa: S113 - send has one for the whole exchange
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a limit of this exchange, shorter than the usual one
    ) -> Answer:
        """One exchange. path: percent-encoded, sent byte for byte. body: JSON. Raises NoAnswer.

        headers: instead of the usual ones. timeout: seconds for everything, from connecting to the last byte.
        """
        own = self._headers if headers is None else headers
        if body is not None:
            own = {**own, "content-type": "application/json"}
        request = httpx.Request(method, self._url + path, headers=own, content=body)
        seconds = self._timeout if timeout is None else timeout
        async with self._turn:
            try:
                async with asyncio.timeout(seconds):
                    return await self._exchange(request)
            except TimeoutError:
                failure = NoAnswer(f"it did not answer within {seconds:g} seconds", sent=True)
            except httpx.TransportError as error:
                sent = not isinstance(error, httpx.ConnectError | httpx.ProxyError)
                failure = NoAnswer(str(error), sent=sent, lasting=isinstance(error, _TlsError))
            except httpx.DecodingError:
                failure = NoAnswer("its answer cannot be unpacked", sent=True)
        # Raised outside of the except blocks: aiohttp's errors hold the request's headers, and so the key.
        raise failure

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise NoAnswer(
                        f"its answer is longer than {MAX_ANSWER // 2**20} MiB", sent=True, lasting=True
                    )
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, bytes(body))


def is_loopback(host: str) -> bool:
    """Whether what is sent to the host stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise ValueError(
            "the environment names a proxy that is not an HTTP proxy; name an HTTP proxy or set NO_PROXY"
        )
    return proxy


class _TlsError(httpx.ConnectError):
    """No trust or no common language: trying again does not help."""


class _Transport(httpx.AsyncBaseTransport):
    """httpx's requests on aiohttp's connections, the path byte for byte as it was given."""

    def __init__(self, *, concurrency: int, tls: ssl.SSLContext | None, proxy: str | None) -> None:
        self._concurrency = concurrency
        self._tls = tls
        self._proxy = proxy
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._concurrency, keepalive_timeout=KEEP_ALIVE, ssl=self._tls or True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            middlewares=(_once,),
        )
        return self

    async def aclose(self) -> None:
        await self._session.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw],
            data=request.content or None,
            allow_redirects=False,
            proxy=self._proxy,
        )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        # A body that was read to its end gives its connection back; any other closes it.
        self._response.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Translates aiohttp's errors, and so keeps it from repeating a dropped GET, PUT or DELETE unasked."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _translated(error) from error


def _translated(error: Exception) -> httpx.TransportError:  # noqa: PLR0911 - a table of cases
    """The httpx error for an aiohttp one, with words for the person: "Cannot reach the server: …"."""
    match error:
        case aiohttp.InvalidURL():
            return httpx.ConnectError("its host name is not valid")
        case aiohttp.ClientConnectorDNSError():
            return httpx.ConnectError("its host name is not known (no DNS entry)")
        case aiohttp.ClientConnectorCertificateError():
            return _TlsError(f"its TLS certificate is not trusted ({_tls_reason(error)})")
        case aiohttp.ClientSSLError():
            return _TlsError(f"TLS failed ({_tls_reason(error)})")
        case aiohttp.ClientHttpProxyError():
            return httpx.ProxyError(f"the proxy refuses to connect to it (status {error.status})")
        case aiohttp.ClientProxyConnectionError():
            return httpx.ProxyError("the proxy that the environment names cannot be reached")
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(_os_reason(error))
        case aiohttp.ClientPayloadError():
            return httpx.ReadError("its answer broke off")
        case aiohttp.ClientResponseError():
            return httpx.RemoteProtocolError("its answer is not HTTP")
        case _:
            return httpx.ReadError("the connection was dropped")


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "no reason given"
    if reason == "WRONG_VERSION_NUMBER":
        return "what listens there does not speak TLS; is it plain http?"
    return str(reason).lower().replace("_", " ")


def _os_reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno or 0
    known = {errno.ECONNREFUSED: "the connection is refused; nothing listens there"}
    return known.get(number, f"no connection ({os.strerror(number) if number > 0 else 'no reason given'})")
