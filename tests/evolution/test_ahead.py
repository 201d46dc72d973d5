"""Reading ahead: another process asks, each answer is taken once, and nothing is lost if it fails."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.evolution import spawn
from reconciler.evolution.ahead import Ahead
from reconciler.evolution.client import Client, Server
from reconciler.evolution.exchange import Answer
from reconciler.evolution.routes import segment
from reconciler.evolution.spawn import Guess
from tests.evolution.scripted import KEY, Act, Request, Spy, drop, refusal, reply, serving, stall

T = TypeVar("T")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is read ahead")

GUESSES = [Guess(name, credentials=True) for name in ("loja", "..", "ação 1")]
OFF = {path for path in KINDS if path not in {"openai", "evolutionBot"}}


async def as_it_is(request: Request, writer: asyncio.StreamWriter) -> None:
    """A server with OpenAI's bots and EvolutionBots. Each answer says which path it is of."""
    kind = request.target.split("/")[1]
    if kind in OFF:
        await refusal(400, f"{KINDS[kind].title} is disabled")(request, writer)
    else:
        await reply(200, [{"of": request.target}], "x-of: ação\r\n")(request, writer)


def read(
    use: Callable[[Ahead, Spy], Awaitable[T]],
    *acts: Act,
    guesses: list[Guess] = GUESSES,
    timeout: float = 30,
    listing: bool = False,
) -> tuple[T, Spy]:
    """What use makes of a process that reads these instances of a server that behaves so."""

    async def run() -> tuple[T, Spy]:
        async with serving(*acts) as spy:
            options = {"url": spy.url, "api_key": KEY, "timeout": timeout}
            with spawn.reading(options, guesses, listing=listing) as reader:
                assert reader is not None
                async with Ahead(reader, timeout) as answers:
                    return await use(answers, spy), spy

    return asyncio.run(run())


def path(action: str, instance: str) -> str:
    return f"/openai/{action}/{segment(instance)}"


def test_answers_are_those_that_the_server_gave_and_each_is_taken_once() -> None:
    async def use(answers: Ahead, spy: Spy) -> None:
        for guess in GUESSES:
            for action in ("find", "creds"):
                answer = await answers.take(path(action, guess.instance))
                assert answer is not None
                assert answer.status == 200
                assert json.loads(answer.body) == [{"of": path(action, guess.instance)}]
                assert answer.headers["X-Of"] == "ação"
        assert answers.taken == 2 * len(GUESSES)
        for guess in GUESSES:
            assert await answers.take(path("find", guess.instance)) is None

    _, spy = read(use, as_it_is)
    assert {request.method for request in spy.requests} == {"GET"}
    assert {request.headers["apikey"] for request in spy.requests} == {KEY}


@pytest.mark.parametrize("headers", [1, 30], ids=["as long as may be", "more than are taken over"])
def test_long_headers(headers: int) -> None:
    async def use(answers: Ahead, spy: Spy) -> Answer | None:
        return await answers.take(path("find", "loja"))

    lines = "".join(f"x-{number}: {'a' * 60_000}\r\n" for number in range(headers))
    answer, _ = read(use, reply(200, [], lines))
    assert (answer is not None) == (headers == 1)


def test_a_kind_that_is_off_is_not_asked_of_every_instance() -> None:
    async def use(answers: Ahead, spy: Spy) -> None:
        for number in range(100):
            assert await answers.take(path("find", f"loja-{number}")) is not None
            assert await answers.take(f"/evolutionBot/find/loja-{number}") is not None

    guesses = [Guess(f"loja-{number}", credentials=False) for number in range(100)]
    _, spy = read(use, as_it_is, guesses=guesses)
    asked = [request.target.split("/")[1] for request in spy.requests]
    assert asked.count("openai") == asked.count("evolutionBot") == 100
    assert all(0 < asked.count(kind) <= Server("", "").concurrency for kind in OFF)
    assert not any("creds" in request.target for request in spy.requests)


def test_instances_are_listed_where_that_is_wanted() -> None:
    async def use(answers: Ahead, spy: Spy) -> Answer | None:
        return await answers.take("/instance/fetchInstances")

    assert read(use, as_it_is, listing=True)[0] is not None
    assert read(use, as_it_is)[0] is None


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(drop, id="drops every connection"),
        pytest.param(refusal(503, "busy"), id="is busy"),
        pytest.param(refusal(429, "too many"), id="wants fewer"),
        pytest.param(reply(302, b"", "Location: http://elsewhere.test/\r\n"), id="sends elsewhere"),
    ],
)
def test_a_server_in_trouble_is_asked_no_more_than_once_by_each(act: Act) -> None:
    async def use(answers: Ahead, spy: Spy) -> list[Answer | None]:
        return [await answers.take(path("find", guess.instance)) for guess in guesses]

    guesses = [Guess(f"loja-{number}", credentials=True) for number in range(200)]
    taken, spy = read(use, act, guesses=guesses)
    assert taken == [None] * len(guesses)
    assert 0 < len(spy.requests) <= Server("", "").concurrency


def test_a_silent_server_is_waited_for_as_long_as_for_one_request() -> None:
    async def use(answers: Ahead, spy: Spy) -> Answer | None:
        return await answers.take(path("find", "loja"))

    assert read(use, stall, timeout=0.3)[0] is None


def test_whatever_the_other_process_does_not_deliver_is_asked_for() -> None:
    async def run() -> tuple[int, Spy]:
        async with serving(as_it_is) as spy:
            guesses = [Guess("loja", credentials=False)]
            with spawn.reading({"url": spy.url, "api_key": KEY}, guesses, listing=False) as reader:
                assert reader is not None
                async with Ahead(reader, 30) as answers, Client(Server(spy.url, KEY), answers.take) as client:
                    found = [await client.credentials(name) for name in ("loja", "other")]
                    assert [one.unread for one in found] != [(), ()]  # the server's rows are odd
                    return answers.taken, spy

    taken, spy = asyncio.run(run())
    assert taken == 0
    assert [one.target for one in spy.requests if "creds" in one.target] == [
        "/openai/creds/loja",
        "/openai/creds/other",
    ]


def _processes() -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if b"reconciler.evolution.reader" in line and parent == str(os.getpid()):
            found.add(line.decode())
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked for in /proc")
def test_the_other_process_shows_no_key_and_ends_with_the_block() -> None:
    async def use(answers: Ahead, spy: Spy) -> set[str]:
        return _processes()

    shown, _ = read(use, stall)
    assert len(shown) == 1
    assert KEY not in shown.pop()
    assert _processes() == set()


def test_no_module_of_the_working_directory_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "httpx", "asyncio", "reconciler"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(spawn.__file__).parents[2]))

    async def use(answers: Ahead, spy: Spy) -> Answer | None:
        return await answers.take(path("find", "loja"))

    assert read(use, as_it_is)[0] is not None
    assert not Path("ran").exists()


def test_a_url_that_cannot_be_used_is_told_by_this_process() -> None:
    async def run() -> Answer | None:
        url = "http://198.51.100.1"  # plain http to another machine is not allowed
        with spawn.reading({"url": url, "api_key": KEY}, GUESSES, listing=False) as reader:
            assert reader is not None
            async with Ahead(reader, 30) as answers:
                with pytest.raises(ReconcilerError, match="plain http"):
                    Client(Server(url, KEY))
                return await answers.take(path("find", "loja"))

    assert asyncio.run(run()) is None
