"""HTTP: one request out, one complete answer back. The only module that imports httpx and aiohttp.

Handles time-outs, the limit of requests at a time, proxies, TLS and the size of an answer. It does not retry
and does not judge a status: calls.py does.

httpx runs on aiohttp's connections here, because httpx's own pool spends milliseconds of CPU per request
when many run side by side (benchmarks/transport.py has the figures). The transport is our own and not
httpx-aiohttp's, because that one decodes a percent-encoded path again: an instance named `..` would become
another route.

A server or a proxy may close a connection after an answer without notice, and nobody knows whether a request
that is sent then arrives. So a connection is used again only within seconds, for a write only where the
server has answered on one twice, and for nothing any more once one broke. If a write is lost even so,
who made it looks for what it was to do, as whenever an answer is lost.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import httpx
from yarl import URL

from reconciler.evolution import proxies, tls
from reconciler.evolution.exchange import Answer, NoAnswer, log_call
from reconciler.evolution.proxies import Proxy
from reconciler.evolution.unpacking import Body, Unusable

tls.check(os.environ)  # before aiohttp, which sets TLS up when it is imported
import aiohttp  # noqa: E402

for _name in ("asyncio", "aiohttp"):  # they would log an error with its values, and so the key
    logging.getLogger(_name).addHandler(logging.NullHandler())

KEEP_ALIVE = 2.0
"""Seconds in which an idle connection is used again. The server ends them after 5."""

MAX_HEADER = 64 * 2**10
"""Bytes of a header, and of the first line."""

MAX_HEADERS = 1000


class Connections:
    """The connections to one server, made in a running event loop. `send` may be called side by side."""

    def __init__(self, url: str, headers: Mapping[str, str], *, timeout: float, concurrency: int) -> None:
        """url: with no slash at its end.

        Raises ValueError when it cannot be used, ReconcilerError when the proxy or the certificates that the
        environment names cannot.
        """
        try:
            parsed = httpx.URL(url)
            URL(url, encoded=True)
        except (httpx.InvalidURL, ValueError) as error:
            raise ValueError(f"its host name is not valid ({str(error).rstrip('.')})") from error
        # Parsed once: to parse the URL and the headers is most of what a request costs.
        self._url, self._prefix = parsed, parsed.raw_path.rstrip(b"/")
        self._headers = httpx.Headers(headers)
        self._timeout = timeout
        self._turn = asyncio.Semaphore(concurrency)
        self._proxy = proxies.of(url, os.environ)
        self._reuses = True
        secure = "https:" in (url[:6], self._proxy.url[:6] if self._proxy else "")
        origin = str(parsed.copy_with(raw_path=b"/")).rstrip("/")
        self._transport = _Transport(origin, concurrency=concurrency, secure=secure, proxy=self._proxy)

    async def aclose(self) -> None:
        """Close all of them."""
        await self._transport.aclose()

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
        alone = not self._reuses or (method != "GET" and not self._transport.keeps)
        target = self._prefix + path.encode("ascii")
        request = httpx.Request(
            method, self._url, headers=own, content=body, extensions={_ALONE: alone, "target": target}
        )
        seconds = self._timeout if timeout is None else timeout
        async with self._turn:
            start = monotonic()
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._exchange(request)
                log_call(method, path, str(answer.status), monotonic() - start)
                return answer
            except TimeoutError:
                way = f" through the proxy that {self._proxy.variable} names" if self._proxy else ""
                failure = NoAnswer(f"it did not answer within {seconds:g} seconds{way}", sent=True)
            except Unusable as error:
                failure = NoAnswer(str(error), sent=True, lasting=error.lasting)
            except _Broken as broken:
                self._reuses = self._reuses and not broken.connected
                failure = _failure(broken, self._proxy)
        log_call(method, path, "no answer", monotonic() - start)
        # Raised outside of the except blocks: aiohttp's errors hold the request's headers, and so the key.
        raise failure

    async def _exchange(self, request: httpx.Request) -> Answer:
        # Not by httpx's client, which looks at redirects and cookies whether it is to follow them or not.
        response = await self._transport.handle_async_request(request)
        try:
            status = response.status_code
            if not 200 <= status <= 599:
                raise NoAnswer(f"its answer has the status {status}, which is not valid in HTTP", sent=True)
            if status == 407 and self._proxy:
                raise _refused_by(self._proxy, status)
            body = Body(response.headers.get("content-encoding", ""))
            async for chunk in response.aiter_raw():
                for _ in body.add(chunk):
                    await asyncio.sleep(0)  # others take their turn, and a time-out its effect
            return Answer(status, response.headers, body.whole())
        finally:
            await response.aclose()


_ALONE = "alone"
"""An extension of a request: that it goes out on a connection of its own."""


class _Broken(Exception):  # noqa: N818
    """An exchange without an end. cause: what aiohttp said. connected: whether the request may be out."""

    def __init__(self, cause: Exception, *, connected: bool) -> None:
        super().__init__()
        self.cause = cause
        self.connected = connected


class _Transport(httpx.AsyncBaseTransport):
    """httpx's requests on aiohttp's connections, the path byte for byte as the extension "target" has it."""

    def __init__(self, origin: str, *, concurrency: int, secure: bool, proxy: Proxy | None) -> None:
        self._origin = origin
        self._concurrency = concurrency
        self._proxy = proxy
        self._login = {"Proxy-Authorization": proxy.login} if proxy and proxy.login else {}
        context = tls.context(os.environ) if secure else True
        self._pooled = self._session(ssl=context, keepalive_timeout=KEEP_ALIVE)
        self._alone = self._session(ssl=context, force_close=True)

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(limit=self._concurrency, **options),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            middlewares=(_once,),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
        )

    @property
    def keeps(self) -> bool:
        """Whether the server is known to keep a connection open after an answer."""
        return isinstance(pool := self._pooled.connector, _Connector) and pool.most_uses > 2

    async def aclose(self) -> None:
        await self._pooled.close()
        await self._alone.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]
        if request.url.scheme == "http":
            headers += self._login.items()
        response = await (self._alone if request.extensions[_ALONE] else self._pooled).request(
            request.method,
            URL(self._origin + request.extensions["target"].decode("ascii"), encoded=True),
            headers=headers,
            data=request.content or None,
            allow_redirects=False,
            proxy=self._proxy.url if self._proxy else None,
            proxy_headers=self._login,
        )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))


class _Connector(aiohttp.TCPConnector):
    """Tells what went wrong before the request could go out from what went wrong after.

    most_uses: how often the connection was used that was used most; each time but the last it gave an answer.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._uses = WeakKeyDictionary[object, int]()
        self.most_uses = 0

    async def connect(self, *args: Any, **options: Any) -> Any:
        try:
            connection = await super().connect(*args, **options)
        except (aiohttp.ClientError, OSError) as error:
            raise _Broken(error, connected=False) from None
        uses = self._uses[connection.protocol] = self._uses.get(connection.protocol, 0) + 1
        self.most_uses = max(uses, self.most_uses)
        return connection


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _Broken(error, connected=True) from None

    async def aclose(self) -> None:
        # A body that was read to its end gives its connection back; any other closes it.
        self._response.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Makes aiohttp's errors ours, and so keeps it from repeating a dropped GET, PUT or DELETE unasked."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _Broken(error, connected=True) from None


# -- words ------------------------------------------------------------------------------------


def _failure(broken: _Broken, proxy: Proxy | None) -> NoAnswer:
    """The error for a broken exchange: "Cannot reach the server: …"."""
    error = broken.cause
    if isinstance(error, aiohttp.ClientHttpProxyError) and proxy:
        return _refused_by(proxy, error.status)
    reason, advice = _reason(error), "Check its URL."
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        advice = _about_trust(error) or advice
    if proxy and not broken.connected and _is_of(proxy, error):
        reason = f"the proxy that {proxy.variable} names cannot be used: {reason}"
        advice = advice.replace("Check its URL.", _advice(proxy))
    lasting = isinstance(error, aiohttp.ClientSSLError)
    return NoAnswer(reason, sent=broken.connected, lasting=lasting, advice=advice)


def _refused_by(proxy: Proxy, status: int) -> NoAnswer:
    what = "needs another name and password" if status == 407 else "refuses to connect to it"
    return NoAnswer(
        f"the proxy that {proxy.variable} names {what} (status {status})",
        sent=False,
        lasting=400 <= status < 500,
        advice=_advice(proxy),
    )


def _advice(proxy: Proxy) -> str:
    return f"Check {proxy.variable}, or name the server in NO_PROXY."


def _is_of(proxy: Proxy, error: Exception) -> bool:
    """Whether an error on the way to the server is of the connection to the proxy, which comes first."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        url = URL(proxy.url)
        return (error.host, error.port) == (url.raw_host, url.port)
    return True


def _reason(error: Exception) -> str:  # noqa: PLR0911 - a table of cases
    match error:
        case aiohttp.InvalidURL():
            return "its host name is not valid"
        case aiohttp.ClientConnectorDNSError():
            return "its host name is not known (no DNS entry)"
        case aiohttp.ClientConnectorCertificateError():
            return f"its TLS certificate is not trusted ({_tls_reason(error)})"
        case aiohttp.ClientSSLError():
            return f"TLS failed ({_tls_reason(error)})"
        case aiohttp.ClientConnectorError():
            return _os_reason(error)
        case aiohttp.ClientPayloadError():
            return "its answer is incomplete"
        case aiohttp.ClientResponseError():
            return f"its answer is not HTTP, or has a header of more than {MAX_HEADER // 2**10} KiB"
        case _:
            return "the connection was dropped"


def _about_trust(error: aiohttp.ClientConnectorCertificateError) -> str:
    """What to do about a certificate with an unknown signer; "" for other errors."""
    code = getattr(error.certificate_error, "verify_code", None)
    return tls.untrusted(os.environ) if code in _UNKNOWN_SIGNER else ""


_UNKNOWN_SIGNER = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes for a self-signed certificate, or one with an unknown signer."""


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "no reason given"
    if reason == "WRONG_VERSION_NUMBER":
        return "the server there does not use TLS; is it plain http?"
    return str(reason).lower().replace("_", " ").rstrip(".")


def _os_reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno or 0
    known = {errno.ECONNREFUSED: "the connection was refused; nothing listens there"}
    return known.get(number, f"no connection ({os.strerror(number) if number > 0 else 'no reason given'})")
