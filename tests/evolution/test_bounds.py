"""What a hostile or broken server may send: everything ends in a sentence, in time, and in little memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.errors import Foreign, Refused, ServerError, Unclear
from reconciler.domain.observed import RemoteBot
from reconciler.evolution.client import Client
from reconciler.evolution.unpacking import MAX_ANSWER, MAX_MEMBERS, STEP, Body, Unusable
from tests.evolution.scripted import Act, Request, asked, raw, reply

BOT = {"id": "b1", "enabled": True, "botType": "assistant", "triggerType": "none"}
ROWS = json.dumps([BOT]).encode()

Find = Callable[[Client], Awaitable[object]]


def find(client: Client) -> Awaitable[object]:
    return client.find("loja")


def create(client: Client) -> Awaitable[object]:
    return client.create("loja", {"enabled": True})


def packed(data: bytes, coding: str = "gzip") -> Act:
    return reply(200, data, f"Content-Encoding: {coding}\r\n")


def forever(head: bytes, part: bytes, pause: float = 0.0) -> Act:
    """Writes the head, and then the part again and again."""

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return act


GZIP = gzip.compress(ROWS)
TAKEN = [
    reply(200, ROWS),
    packed(GZIP),
    packed(GZIP, "GZIP"),
    packed(GZIP, "x-gzip"),
    packed(GZIP, "gzip, identity"),
    packed(ROWS, "identity"),
    packed(ROWS, ""),
    packed(gzip.compress(ROWS[:9]) + gzip.compress(ROWS[9:])),
    packed(gzip.compress(b"") + GZIP + gzip.compress(b"")),
    reply(200, ROWS, "X: " + "x" * 60_000 + "\r\n"),
    reply(200, ROWS, "".join(f"X-{i}: {'x' * 60}\r\n" for i in range(900))),
    reply(200, ROWS, "Set-Cookie: a=b\r\n" * 200),
    raw(b"HTTP/1.0 200 OK\r\n\r\n" + ROWS),
    raw(b"HTTP/1.1 200\r\nConnection: close\r\n\r\n" + ROWS),
    raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + b"HTTP/1.1 200 OK\r\n\r\n" + ROWS),
    raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + ROWS),
    raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ROWS), ROWS)),
]


@pytest.mark.parametrize("act", TAKEN)
def test_taken(act: Act) -> None:
    outcome, _ = asked(find, act, timeout=10)
    assert isinstance(outcome, tuple), outcome
    assert [bot.id for bot in outcome if isinstance(bot, RemoteBot)] == ["b1"]


BOMB = gzip.compress(bytes(MAX_ANSWER + 1), 9)
REFUSED = [
    # packed
    (packed(gzip.compress(BOMB), "gzip, gzip"), "more than once", 1),
    (packed(GZIP, "gzip,gzip,gzip"), "more than once", 1),
    (packed(GZIP, "deflate, gzip"), "more than once", 1),
    (
        reply(200, GZIP, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"),
        "more than once",
        1,
    ),
    (packed(zlib.compress(ROWS), "deflate"), "compressed in another format", 1),
    (packed(ROWS, "br"), "compressed in another format", 1),
    (packed(ROWS, "zstd"), "compressed in another format", 1),
    (packed(ROWS, "hunter2"), "compressed in another format", 1),
    (packed(BOMB), "longer than 64 MiB", 1),
    (packed(GZIP[:-1]), "incomplete", 4),
    (packed(GZIP[:12]), "incomplete", 4),
    (packed(GZIP + b"garbage"), "cannot be decompressed", 4),
    (packed(GZIP + GZIP[:20]), "incomplete", 4),
    (packed(GZIP[:-8] + bytes(8)), "cannot be decompressed", 4),
    (packed(ROWS), "cannot be decompressed", 4),
    (packed(gzip.compress(b"") * (MAX_MEMBERS + 1)), "cannot be decompressed", 1),
    (packed(b""), "does not answer with the API's JSON", 1),
    # lengths and ends
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + ROWS), "incomplete", 4),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + ROWS), "not HTTP", 4),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + ROWS), "not HTTP", 4),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 5\r\n\r\n" + ROWS), "not HTTP", 4),
    (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "not HTTP", 4),
    (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{"), "incomplete", 4),
    (raw(b"HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n[]"), "not HTTP", 4),
    (reply(204, b""), "does not answer with the API's JSON", 1),
    (reply(200, ROWS, "X: " + "x" * 70_000 + "\r\n"), "a header of more than 64 KiB", 4),
    (reply(200, ROWS, "X: y\r\n" * 2000), "not HTTP", 4),
    # heads
    (raw(ROWS), "not HTTP", 4),
    (raw(b"\r\n\r\n"), "dropped", 4),
    (raw(b"HTTP/1.1\r\n\r\n"), "not HTTP", 4),
    (raw(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "not HTTP", 4),
    (raw(b"HTTP/9.9 200 OK\r\n\r\n[]"), "not HTTP", 4),
    (raw(b"HTTP/1.1 -200 OK\r\n\r\n[]"), "not HTTP", 4),
    (raw(b"HTTP/1.1 2000 OK\r\n\r\n[]"), "not HTTP", 4),
    (reply(0, []), "not HTTP", 4),
    (raw(b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n[]"), "status 0", 4),
    (raw(b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\n[]"), "status 99", 4),
    (reply(600, []), "status 600", 4),
    (reply(999, []), "status 999", 4),
    (raw(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n[]"), "status 101", 4),
]


@pytest.mark.parametrize(("act", "words", "requests"), REFUSED)
def test_refused(act: Act, words: str, requests: int) -> None:
    outcome, spy = asked(find, act, timeout=20)
    assert isinstance(outcome, ServerError | Foreign)
    assert words in str(outcome)
    assert "hunter2" not in str(outcome)
    assert len(spy.requests) == requests


@pytest.mark.parametrize(("act", "words", "requests"), REFUSED)
def test_write_that_is_answered_so_is_unclear(act: Act, words: str, requests: int) -> None:
    outcome, spy = asked(create, act, timeout=20)
    assert isinstance(outcome, Unclear)
    assert outcome.sent
    assert spy.methods == ["POST"]


ENDLESS = [
    forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.01),
    forever(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.01),
    forever(b"HTTP/1.1 ", b"2", 0.01),
    forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500),
    forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.01),
    forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", 0.01),
    forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x", 0.01),
    forever(b"HTTP/1.1 200 OK\r\n\r\n", b" ", 0.01),
    forever(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + GZIP[:10], b"\0\0\0\xff\xff" * 1000),
]


@pytest.mark.parametrize("act", ENDLESS)
def test_endless_answers_end_in_time(act: Act) -> None:
    start = time.monotonic()
    outcome, _ = asked(create, act, timeout=0.5)
    assert isinstance(outcome, Unclear)
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("chunk", [b" " * 65536, b"X: y\r\n" * 1000, b"x" * 65536])
def test_floods_end_by_their_length(chunk: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if chunk[:1] == b" " else b"X: ")
    outcome, _ = asked(create, forever(head, chunk), timeout=30)
    assert isinstance(outcome, Unclear)
    assert "seconds" not in str(outcome)


def test_loop_runs_on_while_a_bomb_is_unpacked() -> None:
    async def beside(client: Client) -> float:
        """The longest that the loop worked between two of its turns."""
        longest, last = 0.0, time.thread_time()
        call = asyncio.ensure_future(client.find("loja"))
        while not call.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        assert isinstance(call.exception(), ServerError)
        return longest

    begun = time.thread_time()
    with suppress(Unusable):
        for _ in Body("gzip").add(BOMB):
            pass
    in_one_go = time.thread_time() - begun
    outcome, _ = asked(beside, packed(BOMB), timeout=30)
    assert isinstance(outcome, float)
    assert outcome < in_one_go / 3


def test_bomb_is_cut_off_in_time() -> None:
    start = time.monotonic()
    outcome, _ = asked(create, packed(gzip.compress(bytes(MAX_ANSWER), 9)), timeout=0.02)
    assert isinstance(outcome, Unclear)
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_memory_of_a_bomb(coding: str) -> None:
    bomb = gzip.compress(gzip.compress(bytes(4 * MAX_ANSWER), 9), 9) if "," in coding else BOMB
    tracemalloc.start()
    try:
        outcome, _ = asked(create, packed(bomb, coding), timeout=30)
        assert isinstance(outcome, Unclear)
        assert tracemalloc.get_traced_memory()[1] < 2 * MAX_ANSWER
    finally:
        tracemalloc.stop()


@settings(deadline=None)
@given(
    data=st.lists(st.binary(max_size=2000), max_size=4),
    repeats=st.integers(1, 60),
    size=st.integers(1, 4000),
    level=st.integers(0, 9),
)
def test_unpacking_gives_what_was_packed(data: list[bytes], repeats: int, size: int, level: int) -> None:
    """Whatever the members, and wherever the network cuts them."""
    whole = b"".join(part * repeats for part in data)
    sent = b"".join(gzip.compress(part * repeats, level) for part in data)
    body = Body("gzip")
    for start in range(0, len(sent), size):
        for _ in body.add(sent[start : start + size]):
            pass
    assert body.whole() == whole


@given(data=st.binary(max_size=300), cut=st.integers(0, 400))
def test_unpacking_anything_raises_one_error(data: bytes, cut: int) -> None:
    body = Body("gzip")
    with suppress(Unusable):
        for _ in body.add(GZIP[:cut] + data):
            pass
        body.whole()


def test_a_step_is_a_step() -> None:
    body = Body("gzip")
    steps = sum(1 for _ in body.add(gzip.compress(bytes(10 * STEP))))
    assert steps >= 10
    assert body.whole() == bytes(10 * STEP)


def test_a_407_without_a_proxy_is_the_servers() -> None:
    outcome, _ = asked(create, reply(407, {}))
    assert isinstance(outcome, Refused)
