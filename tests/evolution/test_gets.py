"""The requests of the process that reads ahead: the usual is read as ever, anything unusual is not read."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

import pytest

from reconciler.evolution.client import Client, Server
from reconciler.evolution.exchange import HEADERS
from reconciler.evolution.gets import MAX_HEADERS, Gets, Unread
from tests.evolution.scripted import KEY, Act, Spy, drop, half, raw, reply, serving, stall

BODY = b'[{"of": "' + "ação".encode() * 5000 + b'"}]'


def got(*acts: Act, times: int = 1, timeout: float = 30, prefix: str = "") -> tuple[object, Spy]:
    """What the last of several requests gives, one after the other: status and body, or None."""

    async def run() -> tuple[object, Spy]:
        async with serving(*acts) as spy:
            gets = Gets(spy.url + prefix, {**HEADERS, "apikey": KEY}, timeout)
            found: object = None
            for _ in range(times):
                try:
                    found = await gets.get("/openai/find/a%2Fb")
                except Unread:
                    found = None
            gets.close()
            return found, spy

    return asyncio.run(run())


def chunked(*chunks: bytes, headers: str = "") -> Act:
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    return raw(head.encode() + b"".join(parts))


PACKED = gzip.compress(BODY)
GZIP = "Content-Encoding: gzip\r\n"


@pytest.mark.parametrize(
    "act",
    [
        reply(200, BODY),
        reply(200, BODY, "Connection: close\r\n"),
        reply(200, BODY, f"X-Long: {'a' * (MAX_HEADERS - 100)}\r\n"),
        reply(200, PACKED, GZIP),
        chunked(BODY[:100], BODY[100:]),
        chunked(PACKED[:100], PACKED[100:], headers=GZIP),
    ],
    ids=["plain", "closes", "long header", "gzip", "chunked", "chunked gzip"],
)
def test_what_is_read(act: Act) -> None:
    assert got(act)[0] == (200, BODY)


@pytest.mark.parametrize(
    "act",
    [
        drop,
        half,
        raw(b"hello\r\n\r\n"),
        raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]"),
        raw(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
        ),
        raw(b"HTTP/1.1 200 OK\r\n\r\n[]"),
        reply(200, [], f"X-Long: {'a' * MAX_HEADERS}\r\n"),
        reply(200, [], "".join(f"x-{number}: {'a' * 100}\r\n" for number in range(1000))),
        reply(200, PACKED, "Content-Encoding: br\r\n"),
        reply(200, PACKED, "Content-Encoding: gzip, gzip\r\n"),
        reply(200, PACKED[:-10], GZIP),
        reply(200, BODY, GZIP),
    ],
    ids=[
        "nothing",
        "half",
        "no HTTP",
        "another protocol",
        "100 first",
        "two lengths",
        "length and chunks",
        "until it closes",
        "header too long",
        "too many headers",
        "brotli",
        "twice gzip",
        "half a gzip",
        "no gzip",
    ],
)
def test_what_is_not_read(act: Act) -> None:
    assert got(act)[0] is None


def test_a_silent_server_is_not_waited_for() -> None:
    assert got(stall, timeout=0.1)[0] is None


@pytest.mark.parametrize(("headers", "connections"), [("", 1), ("Connection: close\r\n", 3)])
def test_connections_are_used_again_where_the_server_keeps_them(headers: str, connections: int) -> None:
    found, spy = got(reply(200, BODY, headers), times=3)
    assert found == (200, BODY)
    assert spy.connections == connections


@pytest.mark.parametrize("prefix", ["", "/evo/v2.3"])
def test_requests_are_those_of_the_client(prefix: str) -> None:
    async def run() -> list[tuple[str, dict[str, str]]]:
        async with serving(reply(200, [])) as spy:
            async with Client(Server(spy.url + prefix, KEY)) as client:
                await client.find("a/b")
            gets = Gets(spy.url + prefix, {**HEADERS, "apikey": KEY}, 30)
            await gets.get("/openai/find/a%2Fb")
            gets.close()
            return [(one.target, one.headers) for one in spy.requests]

    one, other = asyncio.run(run())
    assert one == other


@pytest.mark.parametrize(
    "url",
    [
        "http://ação.test",
        "http://evo.test/ação",
        "http://evo.test/a b",
        "http://evo.test/a%20b",
        "http://evo.test/../x",
        "http://evo.test/./x",
        "http://evo.test//x",
        "http://me:secret@evo.test",
        "http://evo.test?x",
    ],
)
def test_unusual_addresses_are_not_read(url: str) -> None:
    with pytest.raises(Unread):
        Gets(url, {}, 30)


@pytest.mark.parametrize("value", ["a\r\nb: c", "ação", " a", ""])
def test_headers_that_would_be_changed_are_not_sent(value: str) -> None:
    with pytest.raises(Unread):
        Gets("http://evo.test", {"apikey": value}, 30)


@pytest.mark.parametrize("variables", [["http_proxy"], ["HTTP_PROXY", "NO_PROXY"], ["ALL_PROXY"]])
def test_nothing_is_read_behind_a_proxy(variables: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables:
        monkeypatch.setenv(variable, "other.test" if variable == "NO_PROXY" else "http://proxy.test:3128")
    with pytest.raises(Unread):
        Gets("http://evo.test", {}, 30)
    monkeypatch.setenv("NO_PROXY", "evo.test")
    Gets("http://evo.test", {}, 30)
