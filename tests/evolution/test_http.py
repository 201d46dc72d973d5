"""What is sent: paths byte for byte, headers, how many requests at a time, which connections, proxies."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.domain.errors import ServerError
from reconciler.evolution.client import Client, Server
from reconciler.evolution.paths import segment
from reconciler.evolution.transport import KEEP_ALIVE
from tests.evolution.scripted import KEY, NOWHERE, Act, Request, asked, drop, raw, reply, serving, stall
from tests.evolution.test_behaviour import BOT

NAMES = {
    "loja-centro_1.2~x": "loja-centro_1.2~x",
    "..": "%2E%2E",
    ".": "%2E",
    "a/b": "a%2Fb",
    "a/../b": "a%2F..%2Fb",
    "per%cent": "per%25cent",
    "a%2Fb": "a%252Fb",
    "q?x=1&y": "q%3Fx%3D1%26y",
    "x#y": "x%23y",
    " lead and trail ": "%20lead%20and%20trail%20",
    "a+b;c:d@e,f!g$h*i'j(k)": "a%2Bb%3Bc%3Ad%40e%2Cf%21g%24h%2Ai%27j%28k%29",
    'back\\slash"quote<>': "back%5Cslash%22quote%3C%3E",
    "🤖": "%F0%9F%A4%96",
    "cafe\u0301": "cafe%CC%81",
    "caf\u00e9": "caf%C3%A9",
}


@pytest.mark.parametrize(("name", "encoded"), NAMES.items(), ids=NAMES.values())
def test_names_and_ids_are_one_segment_each(name: str, encoded: str) -> None:
    outcome, spy = asked(lambda client: client.find(name), reply(200, []))
    assert outcome == ()
    assert spy.requests[0].target == f"/openai/find/{encoded}"
    outcome, spy = asked(lambda client: client.delete(name, name), reply(200, {"bot": {"id": name}}))
    assert outcome is None
    assert spy.requests[0].target == f"/openai/delete/{encoded}/{encoded}"
    assert segment(name) == encoded


def test_prefix_of_the_server_stands_before_every_path() -> None:
    async def run() -> list[str]:
        async with serving(reply(200, [])) as spy:
            async with Client(Server(f" {spy.url}/evo%20api/v2// ", KEY)) as client:
                await client.find("..")
                await client.instances()
                await client.version()
            return [request.target for request in spy.requests]

    prefix = "/evo%20api/v2"
    assert asyncio.run(run()) == [
        f"{prefix}/openai/find/%2E%2E",
        f"{prefix}/instance/fetchInstances",
        f"{prefix}/",
    ]


def test_request_of_a_writing_call() -> None:
    bot = {**BOT, "ignoreJids": ["@g.us"]}
    outcome, spy = asked(
        lambda client: client.create("loja", {"enabled": False, "model": "olá", "ignoreJids": ("@g.us",)}),
        reply(201, bot),
    )
    assert not isinstance(outcome, Exception)
    request = spy.requests[0]
    assert (request.method, request.target) == ("POST", "/openai/create/loja")
    assert request.body == rb'{"enabled": false, "model": "ol\u00e1", "ignoreJids": ["@g.us"]}'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["apikey"] == KEY
    assert spy.url.endswith(request.headers["host"])


def test_key_stands_once_and_nothing_is_sent_but_what_is_meant() -> None:
    _, spy = asked(lambda client: client.find("loja"), reply(200, []))
    assert spy.requests[0].headers.keys() == {
        "host",
        "accept",
        "accept-encoding",
        "cache-control",
        "user-agent",
        "apikey",
    }
    assert spy.requests[0].body == b""


def test_concurrency_is_never_exceeded() -> None:
    async def many(client: Client) -> None:
        await asyncio.gather(*(client.find(str(i)) for i in range(40)))

    outcome, spy = asked(many, reply(200, [], slow=0.01), concurrency=7)
    assert outcome is None
    assert len(spy.requests) == 40
    assert spy.most == 7
    assert spy.connections == 7


def test_connections_are_used_again() -> None:
    async def one_by_one(client: Client) -> None:
        for _ in range(5):
            await client.find("loja")

    _, spy = asked(one_by_one, reply(200, []))
    assert spy.connections == 1


def test_idle_connections_end_before_the_server_ends_them() -> None:
    # The recorded server says Keep-Alive: timeout=5. A POST on a connection that is just being closed would
    # have an unknown outcome.
    assert KEEP_ALIVE < 5


def test_each_call_is_one_request_even_when_a_used_connection_drops() -> None:
    async def two(client: Client) -> None:
        await client.find("loja")
        await client.create("loja", {})

    outcome, spy = asked(two, reply(200, []), drop, reply(201, BOT))
    assert isinstance(outcome, Exception)
    assert spy.methods == ["GET", "POST"]


def closing(act: Act, seconds: float) -> Act:
    """Answers once on each connection, then closes it without a word, and what came on it since is lost."""
    used: set[asyncio.StreamWriter] = set()

    async def once(request: Request, writer: asyncio.StreamWriter) -> None:
        if writer in used:
            writer.transport.abort()
            return
        used.add(writer)
        await act(request, writer)
        asyncio.get_running_loop().call_later(seconds, writer.close)

    return once


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.01, 0.1, 2.0])
def test_writes_to_a_server_that_closes_each_connection_succeed(seconds: float) -> None:
    async def several(client: Client) -> None:
        for _ in range(3):
            await client.find("loja")
            await client.create("loja", {})
            await client.update("loja", "b1", {})
            await client.create("loja", {})
            await client.delete("loja", "b1")

    async def either(request: Request, writer: asyncio.StreamWriter) -> None:
        answers = {"GET": [BOT], "DELETE": {"bot": {"id": "b1"}}}
        await reply(200, answers.get(request.method, BOT))(request, writer)

    outcome, spy = asked(several, closing(either, seconds), timeout=30)
    assert outcome is None
    writes = [method for method in spy.methods if method != "GET"]
    assert writes == ["POST", "PUT", "POST", "DELETE"] * 3, "each was sent once"


def test_reads_from_a_server_that_closes_each_connection_wait_once_at_most() -> None:
    async def many(client: Client) -> None:
        for _ in range(20):
            await client.find("loja")

    outcome, spy = asked(many, closing(reply(200, []), 0.005), timeout=30)
    assert outcome is None
    assert len(spy.requests) <= 22


def test_many_reads_at_a_time_from_such_a_server() -> None:
    async def many(client: Client) -> None:
        await asyncio.gather(*(client.find(str(i)) for i in range(200)))

    outcome, _ = asked(many, closing(reply(200, []), 0.005), timeout=30)
    assert outcome is None


def test_writes_use_a_connection_again_once_the_server_is_known_to_keep_it() -> None:
    async def several(client: Client) -> None:
        await client.find("loja")
        await client.find("loja")
        await client.create("loja", {})
        await client.find("loja")
        await client.create("loja", {})
        await client.update("loja", "b1", {})

    answers = [reply(200, []), reply(200, []), reply(200, BOT), reply(200, []), reply(200, BOT)]
    outcome, spy = asked(several, *answers)
    assert outcome is None
    assert spy.connections == 2
    assert [request.headers.get("connection") for request in spy.requests] == [
        *(None, None, "close"),
        *(None, None, None),
    ]


def test_once_a_connection_broke_writes_have_one_of_their_own() -> None:
    async def several(client: Client) -> None:
        for _ in range(4):
            await client.find("loja")
        await client.create("loja", {})
        await client.create("loja", {})

    answers = [*[reply(200, [])] * 3, drop, reply(200, []), reply(200, BOT)]
    outcome, spy = asked(several, *answers)
    assert outcome is None
    assert [request.headers.get("connection") for request in spy.requests] == [*[None] * 4, *["close"] * 3]


def test_cookies_of_an_answer_are_not_sent() -> None:
    async def two(client: Client) -> None:
        await client.find("loja")
        await client.find("loja")

    _, spy = asked(two, reply(200, [], "Set-Cookie: a=b; Path=/\r\n"))
    assert all("cookie" not in request.headers for request in spy.requests)


# -- proxies ----------------------------------------------------------------------------------


REFUSING = [
    (raw(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n"), "needs another name and password (status 407)"),
    (raw(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), "refuses to connect to it (status 403)"),
    (raw(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "refuses to connect to it (status 503)"),
    (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "cannot be used: its answer is not HTTP"),
    (drop, "cannot be used: the connection was dropped"),
]


@pytest.mark.parametrize(("act", "words"), REFUSING)
def test_what_the_proxy_does_is_said_as_the_proxys(
    monkeypatch: pytest.MonkeyPatch, act: Act, words: str
) -> None:
    outcome, _, _ = through_proxy(monkeypatch, "https://evo.test", "HTTPS_PROXY", act)
    assert isinstance(outcome, ServerError)
    assert f"the proxy that HTTPS_PROXY names {words}" in str(outcome)
    assert "Check HTTPS_PROXY, or name the server in NO_PROXY." in str(outcome)
    assert "secret" not in str(outcome)


def test_login_that_a_proxy_of_plain_http_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _, _ = through_proxy(monkeypatch, "http://evo.test", "HTTP_PROXY", reply(407, b""))
    assert "the proxy that HTTP_PROXY names needs another name and password (status 407)" in str(outcome)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (f"http://me:hunter2@{NOWHERE}:3128", "its host name is not known"),
        ("http://me:hunter2@127.0.0.1:9", "the connection was refused"),
        ("https://me:hunter2@127.0.0.1:9", "the connection was refused"),
    ],
)
def test_proxy_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str, words: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    outcome = asyncio.run(find(f"{scheme}://evo.test"))
    assert isinstance(outcome, ServerError)
    assert f"the proxy that ALL_PROXY names cannot be used: {words}" in str(outcome)
    assert "Check ALL_PROXY" in str(outcome)
    assert "hunter2" not in str(outcome)


def test_proxy_that_speaks_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> object:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{port}")
            return await find("https://evo.test")

    assert "the proxy that HTTPS_PROXY names cannot be used: TLS failed" in str(asyncio.run(run()))


def test_proxy_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> object:
        async with serving(stall) as spy:
            monkeypatch.setenv("HTTPS_PROXY", spy.url)
            return await find("https://evo.test", timeout=0.2)

    assert "within 0.2 seconds through the proxy that HTTPS_PROXY names" in str(asyncio.run(run()))


async def find(url: str, timeout: float = 30.0) -> object:  # noqa: ASYNC109 - the client's
    async with Client(Server(url, KEY, timeout, allow_http=True, retry_delay=0.001)) as client:
        try:
            return await client.find("loja")
        except ServerError as error:
            return error


def test_loopback_goes_to_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outcome, _ = asked(lambda client: client.find("loja"), reply(200, []))
    assert outcome == ()


def through_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str, answer: Act
) -> tuple[object, list[tuple[str, str]], list[dict[str, str]]]:
    """What comes of a find through a proxy that the environment names, and what the proxy saw."""

    async def run() -> tuple[object, list[tuple[str, str]], list[dict[str, str]]]:
        async with serving(answer) as spy:
            monkeypatch.setenv(variable, spy.url.replace("http://", "http://me:secret@"))
            outcome: object
            async with Client(Server(url, KEY, allow_http=True, retry_delay=0.001)) as client:
                try:
                    outcome = await client.find("..")
                except ServerError as error:
                    outcome = error
            seen = [(request.method, request.target) for request in spy.requests]
            return outcome, seen, [request.headers for request in spy.requests]

    return asyncio.run(run())


def test_http_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, seen, headers = through_proxy(monkeypatch, "http://evo.test", "http_proxy", reply(200, []))
    assert outcome == ()
    assert seen == [("GET", "http://evo.test/openai/find/%2E%2E")]
    assert headers[0]["proxy-authorization"].startswith("Basic ")


def test_https_proxy_never_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = raw(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    outcome, seen, headers = through_proxy(monkeypatch, "https://evo.test", "https_proxy", refusal)
    assert isinstance(outcome, ServerError)
    assert "the proxy that https_proxy names refuses to connect to it (status 403)" in str(outcome)
    assert "secret" not in str(outcome)
    assert {method for method, _ in seen} == {"CONNECT"}
    assert all("apikey" not in one for one in headers)


def test_proxy_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")

    async def run() -> None:
        async with Client(Server("http://evo.test", KEY, allow_http=True, retry_delay=0.001)) as client:
            await client.find("loja")

    with pytest.raises(
        ServerError, match="proxy that http_proxy names cannot be used: the connection was refused"
    ):
        asyncio.run(run())


def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", NOWHERE)
    outcome, seen, _ = through_proxy(monkeypatch, f"http://{NOWHERE}", "http_proxy", drop)
    assert "host name is not known" in str(outcome)
    assert seen == []
