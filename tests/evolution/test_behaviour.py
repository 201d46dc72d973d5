"""What the client makes of a server's behaviours: which error, which words, how many requests."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from reconciler.domain.desired import Fields
from reconciler.domain.errors import (
    Disabled,
    Foreign,
    InstanceError,
    Missing,
    Refused,
    ServerError,
    Unauthorized,
    Unclear,
)
from reconciler.domain.secret import SecretStr
from reconciler.evolution.calls import ALIVE
from reconciler.evolution.client import Client, Server
from reconciler.evolution.unpacking import MAX_ANSWER
from tests.evolution.scripted import (
    KEY,
    LICENCE,
    NOWHERE,
    Act,
    Request,
    asked,
    drop,
    half,
    page,
    raw,
    refusal,
    reply,
    serving,
    stall,
)

BOT = {
    "id": "b1",
    "enabled": True,
    "description": None,
    "openaiCredsId": "c1",
    "botType": "assistant",
    "triggerType": "none",
}
GOOD = {"find": [BOT], "update": BOT, "delete": {"bot": {"id": "b1"}}}
SECRET = SecretStr("not-in-openais-form")
BODY: Fields = {"enabled": True, "botType": "assistant"}

Call = Callable[[Client], Awaitable[object]]
CALLS: dict[str, Call] = {
    "find": lambda client: client.find("loja"),
    "credentials": lambda client: client.credentials("loja"),
    "settings": lambda client: client.settings("loja"),
    "instances": lambda client: client.instances(),
    "create": lambda client: client.create("loja", BODY),
    "update": lambda client: client.update("loja", "b1", BODY),
    "delete": lambda client: client.delete("loja", "b1"),
    "create_credential": lambda client: client.create_credential("loja", "main", SECRET),
    "delete_credential": lambda client: client.delete_credential("loja", "c1"),
    "save_settings": lambda client: client.save_settings("loja", {"expire": 1}),
}
MISSING = refusal(404, ['The "loja" instance does not exist'])
NO_ROUTE = refusal(404, ["Cannot GET /openai/find/loja"])
DISABLED = refusal(400, ["Openai is disabled"])
UNAUTHORIZED = refusal(401, "Unauthorized")
MASKED = refusal(500, "Error updating Openai")
UNLICENSED = reply(503, LICENCE)
HTML = page(200, "<html><head><title>Evolution\nManager</title></head><body>x</body></html>")
GATEWAY = page(502, "<h1>502 Bad Gateway</h1>")
REDIRECT = reply(301, b"", "Location: https://elsewhere.test/openai?apikey=x\r\n")


@dataclass(frozen=True)
class Case:
    """calls: the methods that it is tried with. requests: how many reach the server."""

    calls: str
    acts: Sequence[Act]
    error: type[Exception]
    words: Sequence[str]
    requests: int = 1


READS = "find credentials settings instances"
WRITES = "create update delete save_settings create_credential delete_credential"
CASES = [
    # the server's own words
    Case("find credentials settings create update delete", [MISSING], Missing, ['"loja" does not exist']),
    Case("find create", [NO_ROUTE], ServerError, ["no such route", "Check the path"], requests=2),
    Case("find create update delete", [DISABLED], Disabled, ["OPENAI_ENABLED=true"]),
    Case("find create update delete instances", [UNAUTHORIZED], Unauthorized, ["key", "401"]),
    Case("find", [MASKED], Refused, ["status 500", "Error updating Openai"], requests=4),
    Case("create update delete", [MASKED], Refused, ["status 500", "Error updating Openai"]),
    Case("create", [refusal(400, [["a is wrong", "b is wrong"]])], Refused, ["a is wrong; b is wrong"]),
    Case("update", [refusal(413, "request entity too large")], Refused, ["request entity too large"]),
    # 2.4.0
    Case(READS + " " + WRITES, [UNLICENSED], ServerError, ["no licence", "LICENSE_REQUIRED", "Register"]),
    # something else answers
    Case("find credentials settings", [HTML], Foreign, ["Evolution Manager", "of the instance", "URL"]),
    Case("instances", [HTML], ServerError, ["Evolution Manager", "URL"]),
    Case(WRITES, [HTML], Unclear, ["not known", "Evolution Manager"]),
    Case("find", [page(404, "404 page not found")], Foreign, ["404 page not found"]),
    Case("create delete", [page(413, "<h1>Too Large</h1>")], Refused, ["in front of", "Too Large"]),
    Case("create", [page(408, "<h1>Too slow</h1>")], Unclear, ["not known", "Too slow"]),
    Case("find", [reply(200, b"")], Foreign, ["does not answer with the API's JSON"]),
    Case("find", [reply(403, {"blocked": 1})], Foreign, ["does not answer with", "403", "blocked"]),
    Case("find", [GATEWAY], ServerError, ["not available", "502 Bad Gateway", "--concurrency"], requests=4),
    Case("update delete", [GATEWAY], Unclear, ["502 Bad Gateway"], requests=4),
    Case("create save_settings", [GATEWAY], Unclear, ["502 Bad Gateway"]),
    Case("find", [refusal(429, "slow down")], ServerError, ["429", "slow down"], requests=4),
    Case("create", [refusal(429, "slow down")], Unclear, ["429", "slow down"]),
    Case("find", [page(500, "oops")], ServerError, ["500", "oops"], requests=4),
    Case("create", [page(500, "oops")], Unclear, ["500", "oops"]),
    Case("update", [page(500, "oops")], Unclear, ["500", "oops"]),
    Case(READS + " " + WRITES, [REDIRECT], ServerError, ["redirects to https://elsewhere.test/openai"]),
    Case("find", [reply(308, {}, "Location: /manager\r\n")], ServerError, ["redirects to /manager"]),
    Case("find", [reply(302, b"")], ServerError, ["redirects to nowhere"]),
    Case(WRITES, [reply(304, b"")], Unclear, ["not the API's (status 304)"]),
    Case("find", [reply(304, b"")], Foreign, ["does not answer with the API's JSON (status 304)"]),
    Case(WRITES, [reply(300, {})], Unclear, ["not the API's (status 300"]),
    # the connection
    Case("find", [drop], ServerError, ["Cannot reach", "dropped", "URL"], requests=4),
    Case("update delete", [drop], Unclear, ["dropped"], requests=4),
    Case("create save_settings", [drop], Unclear, ["dropped"]),
    Case("find", [half], ServerError, ["incomplete"], requests=4),
    Case("create", [half], Unclear, ["incomplete"]),
    Case("find", [raw(b"SSH-2.0-OpenSSH_9.6\r\n")], ServerError, ["not HTTP"], requests=4),
    Case(
        "find", [reply(200, b"xx", "Content-Encoding: gzip\r\n")], ServerError, ["decompressed"], requests=4
    ),
    # JSON of another shape
    Case("find", [reply(200, {"a": 1})], InstanceError, ["the list of bots is not a list"]),
    Case(
        "create update",
        [reply(201, {**BOT, "expire": "5"})],
        Unclear,
        ["expire of the bot is not of type int"],
    ),
    Case("create update", [reply(201, {**BOT, "id": "a/b"})], Unclear, ["id of the bot cannot be used"]),
    Case("credentials", [reply(200, {"apiKey": "sk-1"})], InstanceError, ["credentials is not a list"]),
    Case("credentials settings instances", [reply(200, None)], InstanceError, ["is not a"]),
    Case("settings", [reply(200, {"message": "hello"})], InstanceError, ["none of their fields"]),
    Case("delete delete_credential", [reply(200, None)], Unclear, ["does not say that it is deleted"]),
    Case("delete delete_credential", [reply(200, {"bot": {"id": "x"}})], Unclear, ["does not say that"]),
    Case("delete delete_credential", [reply(200, [])], Unclear, ["does not say that"]),
    # a failure with a status of success
    *(
        Case(names, [reply(200, body)], error, ["not understood: it says that it failed", words])
        for names, error in ((READS, InstanceError), (WRITES, Unclear))
        for body, words in (
            ({"error": True}, "failed."),
            ({"error": "Too many"}, "Too many"),
            ({"status": 500, "error": "X", "response": {"message": ["no luck"]}}, "no luck"),
            ({"status": 404, "message": "gone"}, "gone"),
            (LICENCE, "License required"),
        )
    ),
    # success with another status than the server has
    *(
        Case(names, [reply(status, body)], error, [f"status {status}"])
        for status in (202, 203, 206, 226)
        for names, error, body in (
            ("find", Foreign, [BOT]),
            ("credentials", Foreign, [{"id": "c1", "name": "main", "apiKey": "key-of-somebody"}]),
            ("create update", Unclear, BOT),
            ("delete", Unclear, {"bot": {"id": "b1"}}),
        )
    ),
    Case("find", [raw(b"HTTP/1.1 204 X\r\n\r\n")], Foreign, ["status 204"]),
    Case("settings", [reply(200, [])], InstanceError, ["settings is not an object"]),
    Case("create_credential", [reply(201, {"apiKey": "sk-1"})], Unclear, ["a credential has no id"]),
    Case("create update", [reply(201, None)], Unclear, ["not understood", "a bot is not an object"]),
]


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, id=f"{i}-{name}")
        for i, case in enumerate(CASES)
        for name in case.calls.split()
    ],
)
def test_behaviour(name: str, case: Case) -> None:
    outcome, spy = asked(CALLS[name], *case.acts)
    assert type(outcome) is case.error, outcome
    for words in case.words:
        assert words in str(outcome)
    assert len(spy.requests) == case.requests
    assert "\n" not in str(outcome)
    assert "key-of-somebody" not in str(outcome)


@pytest.mark.parametrize("name", ["find", "update", "delete"])
@pytest.mark.parametrize(
    "trouble",
    [drop, half, GATEWAY, refusal(429, "slow down"), page(503, "x"), page(504, "x")],
    ids=["drop", "half", "502", "429", "503", "504"],
)
def test_passing_trouble_is_gone_through(name: str, trouble: Act) -> None:
    outcome, spy = asked(CALLS[name], trouble, trouble, reply(200, GOOD[name]))
    assert not isinstance(outcome, Exception)
    assert len(spy.requests) == 3


def test_read_is_tried_again_after_500_of_the_server() -> None:
    outcome, spy = asked(CALLS["find"], MASKED, reply(200, [BOT]))
    assert not isinstance(outcome, Exception)
    assert spy.methods == ["GET", "GET"]


@pytest.mark.parametrize("name", ["create", "save_settings", "create_credential"])
@pytest.mark.parametrize("trouble", [drop, half, stall, GATEWAY, refusal(429, "slow"), MASKED])
def test_post_is_sent_once(name: str, trouble: Act) -> None:
    outcome, spy = asked(CALLS[name], trouble, reply(201, BOT), timeout=0.5 if trouble is stall else 30)
    assert isinstance(outcome, Unclear | Refused)
    assert spy.methods == ["POST"]


@pytest.mark.parametrize(
    ("name", "error", "requests"), [("find", ServerError, 4), ("update", Unclear, 4), ("create", Unclear, 1)]
)
def test_timeout(name: str, error: type[Exception], requests: int) -> None:
    outcome, spy = asked(CALLS[name], stall, timeout=0.5)
    assert type(outcome) is error
    assert "did not answer within 0.5 seconds" in str(outcome)
    assert len(spy.requests) == requests


def test_body_that_trickles_is_cut_off_in_time() -> None:
    async def trickle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    outcome, _ = asked(CALLS["create"], trickle, timeout=0.2)
    assert isinstance(outcome, Unclear)
    assert "0.2 seconds" in str(outcome)


def test_answer_without_end_is_cut_off() -> None:
    bomb = gzip.compress(bytes(MAX_ANSWER + 1), 1)
    outcome, spy = asked(CALLS["find"], reply(200, bomb, "Content-Encoding: gzip\r\n"), timeout=10)
    assert isinstance(outcome, ServerError)
    assert "longer than 64 MiB" in str(outcome)
    assert len(spy.requests) == 1


@pytest.mark.parametrize("name", ["delete", "delete_credential"])
def test_delete_that_may_have_been_done_before_is_unclear(name: str) -> None:
    outcome, spy = asked(CALLS[name], drop, refusal(500, "Error deleting Openai bot"))
    assert isinstance(outcome, Unclear)
    assert "Error deleting Openai bot" in str(outcome)
    assert len(spy.requests) == 2


def test_retry_after_is_waited_for() -> None:
    busy = refusal(503, "busy", "Retry-After: 1\r\n")
    start = time.monotonic()
    outcome, spy = asked(CALLS["find"], busy, reply(200, [BOT]))
    assert not isinstance(outcome, Exception)
    assert 1 <= time.monotonic() - start < 10
    assert len(spy.requests) == 2


def test_patience_ends() -> None:
    outcome, spy = asked(CALLS["find"], refusal(503, "busy", "Retry-After: 9\r\n"), patience=8.0)
    assert isinstance(outcome, ServerError)
    assert len(spy.requests) == 1


@pytest.mark.parametrize("name", ["find", "update", "delete"])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_often_busy_is_asked_on(name: str, status: int) -> None:
    async def after_another(client: Client) -> object:
        await client.find("another")
        return await CALLS[name](client)

    busy = [page(status, "x")] * 7
    outcome, spy = asked(after_another, reply(200, []), *busy, reply(200, GOOD[name]), retry_delay=0.05)
    assert not isinstance(outcome, Exception)
    assert len(spy.requests) == 9


@pytest.mark.parametrize(
    ("since", "acts", "tries"),
    [
        pytest.param(0.0, [reply(500, b"x")], range(4, 5), id="is broken"),
        pytest.param(0.0, [drop], range(4, 5), id="drops"),
        pytest.param(ALIVE, [drop, page(503, "x")], range(4, 5), id="drops, and answers nobody any more"),
        pytest.param(ALIVE, [page(503, "x")], range(4, 5), id="answers nobody any more"),
        pytest.param(ALIVE / 2, [page(503, "x")], range(5, 15), id="answers nobody, as of a moment ago"),
    ],
)
def test_a_server_that_is_down_is_not_asked_on(since: float, acts: list[Act], tries: range) -> None:
    async def after_another(client: Client) -> object:
        await client.find("another")
        client.calls.limiter.answered -= since * client.retry_delay
        return await CALLS["find"](client)

    outcome, spy = asked(after_another, reply(200, []), *acts, retry_delay=0.02)
    assert isinstance(outcome, ServerError)
    assert len(spy.requests) - 1 in tries


@pytest.mark.parametrize(("patience", "tries"), [(60.0, range(15, 50)), (0.4, range(4, 15))])
def test_one_route_that_is_always_busy_is_given_up(patience: float, tries: range) -> None:
    """Whatever else the server answers meanwhile."""

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        await (page(503, "x") if "/loja" in request.target else reply(200, []))(request, writer)

    async def beside_others(client: Client) -> object:
        async def others() -> None:
            while True:
                await client.find("another")
                await asyncio.sleep(0.05)

        other = asyncio.create_task(others())
        try:
            return await client.find("loja")
        finally:
            other.cancel()

    outcome, spy = asked(beside_others, act, patience=patience, retry_delay=0.02)
    assert isinstance(outcome, ServerError)
    assert sum("/loja" in request.target for request in spy.requests) in tries


def test_unclear_tells_how_long_the_server_wants_to_be_left_alone() -> None:
    outcome, _ = asked(CALLS["create"], refusal(503, "busy", "Retry-After: 7\r\n"))
    assert isinstance(outcome, Unclear)
    assert (outcome.retry_after, outcome.sent) == (7, True)


def test_refused_keeps_the_words_apart() -> None:
    outcome, _ = asked(CALLS["create"], refusal(400, [["x is wrong"], "y"]))
    assert isinstance(outcome, Refused)
    assert (outcome.status, outcome.words) == (400, "x is wrong; y")


@pytest.mark.parametrize(("name", "error"), [("find", ServerError), ("create", Unclear), ("delete", Unclear)])
def test_nothing_listens(name: str, error: type[Exception]) -> None:
    async def run() -> None:
        async with serving(drop) as spy:
            gone = spy.url
        async with Client(Server(gone, KEY, retry_delay=0.001)) as client:
            await CALLS[name](client)

    with pytest.raises(error, match="refused; nothing listens there") as caught:
        asyncio.run(run())
    assert getattr(caught.value, "sent", False) is False


@pytest.mark.parametrize(
    ("host", "words"), [(NOWHERE, "is not known (no DNS entry)"), ("1.2.3.4.5", "is not valid")]
)
def test_no_such_host(host: str, words: str) -> None:
    async def run() -> None:
        async with Client(Server(f"https://{host}", KEY, retry_delay=0.001)) as client:
            await client.find("loja")

    with pytest.raises(ServerError) as caught:
        asyncio.run(run())
    assert f"https://{host}: its host name {words}" in str(caught.value)


def test_name_that_a_proxy_takes_apart_concerns_its_instance_only() -> None:
    outcome, _ = asked(lambda client: client.find("a/b"), refusal(404, ["Cannot GET /openai/find/a/b"]))
    assert isinstance(outcome, Refused)
    assert "a proxy in front of the server seems to decode" in str(outcome)


def test_server_that_speaks_no_tls() -> None:
    connections = 0

    async def run() -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Client(Server(f"https://127.0.0.1:{port}", KEY)) as client:
                await client.find("loja")

    with pytest.raises(ServerError, match="does not use TLS; is it plain http"):
        asyncio.run(run())
    assert connections == 1, "what cannot help is not tried again"


@pytest.mark.parametrize("name", ["find", "create", "settings"])
@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.8.2", "is version 1.8.2, which has no such routes and is not supported. Update it to 2.3."),
        ("v1.7.4", "is version v1.7.4"),
        ("2.1.1", "is version 2.1.1"),
        ("2.3.6", "Check the path"),
        ("x", "Check the path"),
        ("9" * 5000 + ".1", "Check the path"),
    ],
)
def test_version_of_a_server_without_the_routes(name: str, version: str, words: str) -> None:
    outcome, spy = asked(CALLS[name], NO_ROUTE, reply(200, {"status": 200, "version": version}))
    assert type(outcome) is ServerError
    assert words in str(outcome)
    assert spy.requests[1].target == "/"
    assert "apikey" not in spy.requests[1].headers


def test_version_is_asked_for_with_any_name_of_an_instance() -> None:
    old = reply(200, {"version": "1.8.2"})
    outcome, _ = asked(
        lambda client: client.find("a b"), refusal(404, ["Cannot GET /openai/find/a%20b"]), old
    )
    assert "is version 1.8.2" in str(outcome)


def test_no_version_is_asked_for_where_an_instance_is_missing() -> None:
    _, spy = asked(CALLS["find"], MISSING)
    assert len(spy.requests) == 1


@pytest.mark.parametrize(
    ("act", "version"),
    [
        (reply(200, {"status": 200, "version": "2.3.6"}), "2.3.6"),
        (reply(200, {"version": 2}), None),
        (HTML, None),
        (drop, None),
        (stall, None),
    ],
    ids=["told", "number", "page", "drop", "stall"],
)
def test_version_is_never_a_must(act: Act, version: str | None) -> None:
    outcome, spy = asked(lambda client: client.version(), act, timeout=0.5 if act is stall else 30)
    assert outcome == version
    assert spy.requests[0].target == "/"
    assert "apikey" not in spy.requests[0].headers
