"""Reading ahead: another process asks, each answer is taken once, and nothing is lost if it fails."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.evolution import paths
from reconciler.evolution.ahead import MOST_BYTES, Ahead
from reconciler.evolution.client import Client, Server
from reconciler.evolution.exchange import Answer
from reconciler.pipeline import ahead, process
from reconciler.pipeline.process import Process
from reconciler.pipeline.reader import Order
from tests.evolution.scripted import KEY, Act, Request, Spy, drop, half, refusal, reply, serving, stall

T = TypeVar("T")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is read ahead")

NAMES = ("loja", "..", "ação 1")
MANY = [f"loja-{number:03}" for number in range(200)]
OFF = {path for path in KINDS if path not in {"openai", "evolutionBot"}}

Use = Callable[[Ahead, Spy], Awaitable[T]]


async def as_it_is(request: Request, writer: asyncio.StreamWriter) -> None:
    """A server with OpenAI's bots and EvolutionBots. Each answer says which path it is of."""
    kind = request.target.split("/")[1]
    if kind in OFF:
        await refusal(400, f"{KINDS[kind].title} is disabled")(request, writer)
    else:
        await reply(200, [{"of": request.target}])(request, writer)


def manifests(directory: Path, names: Sequence[str], *, credentials: bool = True) -> None:
    """A manifest for each of the instances."""
    text = "defaults: {openaiCreds: main}\n" if credentials else ""
    for number, name in enumerate(names):
        (directory / f"{number:03}.yaml").write_text(f'instance: "{name}"\n{text}')


def order(directory: str, *urls: str, timeout: float = 30, listing: bool = False, key: str = KEY) -> Order:
    """To read one server; of several, those whose names are their places."""
    made: Order = {
        "bots": directory,
        "instance": (),
        "servers": {},
        "default": "",
        "listing": listing,
        "shard": None,
        "known": None,
    }
    for number, url in enumerate(urls):
        made["servers"][str(number) if len(urls) > 1 else ""] = {
            "url": url,
            "api_key": key,
            "timeout": timeout,
            "concurrency": 32,
            "allow_http": False,
            "max_rate": None,
        }
    return made


def read(
    use: Use[T],
    *acts: Act,
    names: Sequence[str] = NAMES,
    credentials: bool = True,
    timeout: float = 30,
    listing: bool = False,
    key: str = KEY,
    copied: bool | None = None,
) -> tuple[T, Spy]:
    """What use makes of a process that reads these instances of a server that behaves so."""

    async def run(other: Process) -> tuple[T, Spy]:
        async with serving(*acts) as spy:
            with TemporaryDirectory() as directory:
                manifests(Path(directory), names, credentials=credentials)
                ordered = order(directory, spy.url, timeout=timeout, listing=listing, key=key)
                async with ahead.ordered(other, ordered).answers() as answers:
                    return await use(answers, spy), spy

    with process.started(copied=copied) as other:
        assert other is not None
        return asyncio.run(run(other))


def find(instance: str, kind: str = "openai") -> str:
    return paths.of("find", instance, kind=KINDS[kind])


async def first(answers: Ahead, spy: Spy) -> Answer | None:
    return await answers.of("")(find("loja"))


@pytest.mark.parametrize("copied", [False, *([True] if sys.platform == "linux" else [])])
def test_answers_are_those_that_the_server_gave_and_each_is_taken_once(copied: bool) -> None:
    async def use(answers: Ahead, spy: Spy) -> None:
        take = answers.of("")
        for name in NAMES:
            for path in (find(name), find(name, "evolutionBot"), paths.of("creds", name)):
                answer = await take(path)
                assert answer is not None
                assert answer.status == 200
                assert json.loads(answer.body) == [{"of": path}]
        assert answers.taken == 3 * len(NAMES)
        for name in NAMES:
            assert await take(find(name)) is None

    _, spy = read(use, as_it_is, copied=copied)
    assert {request.method for request in spy.requests} == {"GET"}
    assert {request.headers["apikey"] for request in spy.requests} == {KEY}
    assert spy.connections <= len(KINDS) + len(NAMES)


def test_a_kind_that_is_off_is_asked_of_the_first_instance_alone() -> None:
    async def use(answers: Ahead, spy: Spy) -> None:
        take = answers.of("")
        for name in MANY:
            assert await take(find(name)) is not None
            assert await take(find(name, "evolutionBot")) is not None

    _, spy = read(use, as_it_is, names=MANY, credentials=False)
    asked = [request.target.split("/")[1] for request in spy.requests]
    assert asked.count("openai") == asked.count("evolutionBot") == len(MANY)
    assert {kind: asked.count(kind) for kind in OFF} == dict.fromkeys(OFF, 1)
    assert not any("creds" in request.target for request in spy.requests)


def test_instances_are_listed_where_that_is_wanted() -> None:
    async def use(answers: Ahead, spy: Spy) -> Answer | None:
        return await answers.of("")(paths.LIST)

    assert read(use, as_it_is, listing=True)[0] is not None
    assert read(use, as_it_is)[0] is None


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(drop, id="drops every connection"),
        pytest.param(half, id="answers by halves"),
        pytest.param(refusal(503, "busy"), id="is busy"),
        pytest.param(refusal(429, "too many"), id="wants fewer"),
        pytest.param(reply(302, b"", "Location: http://elsewhere.test/\r\n"), id="sends elsewhere"),
    ],
)
def test_a_server_in_trouble_is_asked_no_more_than_once_by_each(act: Act) -> None:
    async def use(answers: Ahead, spy: Spy) -> list[Answer | None]:
        take = answers.of("")
        return [await take(find(name)) for name in MANY]

    taken, spy = read(use, act, names=MANY)
    assert taken == [None] * len(MANY)
    assert 0 < len(spy.requests) <= Server("", "").concurrency


def test_a_silent_server_is_waited_for_as_long_as_for_one_request() -> None:
    assert read(first, stall, timeout=0.3)[0] is None


@pytest.mark.parametrize("key", ["Bearer abc", "", "<the key>", "ação"])
def test_a_key_that_is_none_is_not_sent(key: str) -> None:
    answer, spy = read(first, as_it_is, key=key)
    assert answer is None
    assert spy.requests == []


def test_answers_that_are_taken_late_and_in_another_order() -> None:
    size, names = 2**20, MANY[: MOST_BYTES // 2**20 + 8]

    async def large(request: Request, writer: asyncio.StreamWriter) -> None:
        act = reply(200, bytes(size)) if request.target.startswith("/openai/find") else reply(200, [])
        await act(request, writer)

    async def use(answers: Ahead, spy: Spy) -> list[int]:
        take = answers.of("")
        found = [await take(find(name, kind)) for name in reversed(names) for kind in KINDS]
        return [len(answer.body) for answer in found if answer and len(answer.body) > 2]

    taken, _ = read(use, large, names=names, credentials=False)
    assert taken == [size] * len(names)


def test_whatever_the_other_process_does_not_deliver_is_asked_for() -> None:
    async def use(answers: Ahead, spy: Spy) -> None:
        async with Client(Server(spy.url, KEY), answers.of("")) as client:
            found = [await client.credentials(name) for name in ("loja", "other")]
            assert [one.unread for one in found] != [(), ()]  # the server's rows are odd
            assert answers.taken == 0

    _, spy = read(use, as_it_is, names=["loja"], credentials=False)
    assert [one.target for one in spy.requests if "creds" in one.target] == [
        "/openai/creds/loja",
        "/openai/creds/other",
    ]


# -- several servers --------------------------------------------------------------------------


def read_several(use: Callable[[Ahead], Awaitable[T]], acts: Sequence[Act], files: Mapping[str, str]) -> T:
    """What use makes of a process that reads a server for each act, with these files of manifests.

    Each server gets a key of its own.
    """

    async def run(other: Process) -> T:
        async with AsyncExitStack() as stack:
            spies = [await stack.enter_async_context(serving(act)) for act in acts]
            directory = Path(stack.enter_context(TemporaryDirectory()))
            for name, text in files.items():
                (directory / name).parent.mkdir(exist_ok=True)
                (directory / name).write_text(text)
            ordered = order(str(directory), *(spy.url for spy in spies), timeout=5)
            for name, target in ordered["servers"].items():
                target["api_key"] = f"{KEY}-{name}"
            ordered["default"] = "1"
            async with ahead.ordered(other, ordered).answers() as answers:
                return await use(answers)

    with process.started() as other:
        assert other is not None
        return asyncio.run(run(other))


async def with_its_key(request: Request, writer: asyncio.StreamWriter) -> None:
    """A server of which each answer says the path and the key."""
    await reply(200, [request.target, request.headers["apikey"]])(request, writer)


FILES = {
    "own.yaml": "server: '0'\n",
    "default.yaml": "bots: {}\n",
    "folder/_defaults.yaml": "server: '2'\n",
    "folder/nearest.yaml": "bots: {}\n",
    "folder/its-own.yaml": 'instance: other\nserver: "0" # here\n',
}
PLACES = {"own": "0", "default": "1", "nearest": "2", "other": "0"}


def test_each_instance_is_read_of_its_own_server_with_its_own_key() -> None:
    async def use(answers: Ahead) -> dict[str, list[str]]:
        found = {}
        for name, server in PLACES.items():
            answer = await answers.of(server)(find(name))
            assert answer is not None
            found[name] = json.loads(answer.body)
            assert await answers.of(str((int(server) + 1) % 3))(find(name)) is None
        return found

    found = read_several(use, [with_its_key] * 3, FILES)
    assert found == {name: [find(name), f"{KEY}-{server}"] for name, server in PLACES.items()}


@pytest.mark.parametrize("act", [drop, refusal(503, "busy"), stall], ids=["drops", "is busy", "is silent"])
def test_a_server_in_trouble_keeps_nobody_from_the_others(act: Act) -> None:
    async def use(answers: Ahead) -> list[bool]:
        return [await answers.of(server)(find(name)) is not None for name, server in PLACES.items()]

    assert read_several(use, [with_its_key, act, with_its_key], FILES) == [True, False, True, True]


# -- the process ------------------------------------------------------------------------------


def _processes() -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if b"reconciler.pipeline.reader" in line and parent == str(os.getpid()):
            found.add(line.decode())
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked for in /proc")
def test_the_other_process_shows_no_key_and_ends_with_the_block() -> None:
    async def use(answers: Ahead, spy: Spy) -> set[str]:
        return _processes()

    shown, _ = read(use, stall, copied=False)
    assert len(shown) == 1
    assert KEY not in shown.pop()
    assert _processes() == set()
    read(first, as_it_is)
    with pytest.raises(ChildProcessError):  # a copy is not found by its name
        os.waitpid(-1, os.WNOHANG)


def test_no_module_of_the_working_directory_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "httptools", "asyncio", "reconciler"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(ahead.__file__).parents[2]))
    assert read(first, as_it_is, copied=False)[0] is not None
    assert not Path("ran").exists()


def test_a_url_that_cannot_be_used_is_told_by_this_process(tmp_path: Path) -> None:
    url = "http://198.51.100.1"  # plain http to another machine is not allowed

    async def run(other: Process) -> Answer | None:
        async with ahead.ordered(other, order(str(tmp_path), url)).answers() as answers:
            with pytest.raises(ReconcilerError, match="plain http"):
                Client(Server(url, KEY))
            return await answers.of("")(find("loja"))

    with process.started() as other:
        assert other is not None
        assert asyncio.run(run(other)) is None
