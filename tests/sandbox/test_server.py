"""The sandbox as a thing that is started, seeded, stopped and started again."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.sandbox import Sandbox
from reconciler.sandbox.app import Served
from reconciler.sandbox.body import LIMIT
from reconciler.sandbox.server import stop_accepting
from reconciler.sandbox.store import new_id
from tests.support import World, segment

RUN = """
import sys, time
from pathlib import Path
from reconciler.sandbox import Sandbox
with Sandbox(Path(sys.argv[1]), int(sys.argv[2])) as server:
    print(server.url, server.api_key, flush=True)
    time.sleep(60)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_importing_the_package_is_cheap() -> None:
    code = "import reconciler.sandbox, sys; print({'uvicorn', 'starlette'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_unknown_name_of_the_package() -> None:
    import reconciler.sandbox as package  # noqa: PLC0415 - the module is what is tested

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_a_connection_in_the_moment_of_the_end_is_served() -> None:
    """Which it is for Python 3.11 only after stop_accepting; else it is leaked, and its client waits."""
    served = threading.Event()

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.set()
        writer.close()

    async def end(server: asyncio.Server) -> None:
        await stop_accepting(server)
        server.close()

    async def main() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()):
            await asyncio.sleep(0)  # in this turn of the loop it is accepted, in the next one is the end
            await asyncio.create_task(end(server))
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert served.is_set()


def test_stops_without_a_trace(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    before = set(threading.enumerate())
    with Sandbox(db) as server, World(server.url, server.api_key) as world:
        world.instance("shop")
    assert set(threading.enumerate()) <= before
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
    address = urlsplit(server.url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


def test_a_file_keeps_the_state(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    with Sandbox(db) as server, World(server.url, server.api_key) as world:
        creds = world.instance("shop", "main")["main"]
        bot = world.bot("shop", creds, systemMessages=["olá"])
        port = urlsplit(server.url).port
    assert port is not None
    with Sandbox(db, port) as server, World(server.url, server.api_key) as world:
        assert world.bots("shop") == [bot]


def test_memory_does_not(tmp_path: Path) -> None:
    with Sandbox() as server, World(server.url, server.api_key) as world:
        world.instance("shop")
    with Sandbox() as server, World(server.url, server.api_key) as world:
        assert world.done("GET", "/instance/fetchInstances") == []


def test_port_in_use() -> None:
    with Sandbox() as server:
        port = urlsplit(server.url).port or 0
        with pytest.raises(ReconcilerError, match=f"cannot listen on 127.0.0.1:{port}"), Sandbox(port=port):
            pass


def test_file_that_is_no_database(tmp_path: Path) -> None:
    db = tmp_path / "notes.txt"
    db.write_text("These are notes, not a database. " * 100)
    with pytest.raises(ReconcilerError, match=r"cannot use .*notes\.txt as its database"), Sandbox(db):
        pass


def test_seed_makes_what_is_missing_only(sandbox: Sandbox, world: World) -> None:
    sandbox.seed({"loja": ["main"], "..": ["main", "spare"], "empty": []})
    first = {name: world.done("GET", f"/openai/creds/{segment(name)}") for name in ("loja", "..", "empty")}
    sandbox.seed({"loja": ["main", "more"], "..": ["main"]})
    assert [creds["name"] for creds in first[".."]] == ["main", "spare"]
    assert world.done("GET", "/openai/creds/loja")[:1] == first["loja"]
    assert world.done("GET", f"/openai/creds/{segment('..')}") == first[".."]
    assert [creds["name"] for creds in world.done("GET", "/openai/creds/loja")] == ["main", "more"]


def test_a_seeded_name_is_taken_for_everybody_else(sandbox: Sandbox, world: World) -> None:
    sandbox.seed({"loja": ["main"], "outra": []})
    assert world.call("POST", "/openai/creds/outra", {"name": "main", "apiKey": "sk-1"})[0] == 500


@pytest.mark.parametrize("instances", [{"x" * 256: []}, {"shop": ["x" * 256]}, {"nul\0": []}])
def test_seed_of_a_name_that_cannot_be(sandbox: Sandbox, instances: dict[str, list[str]]) -> None:
    with pytest.raises(ReconcilerError, match="cannot make the instance '"):
        sandbox.seed(instances)


def test_stopping_ends_a_call_that_takes_too_long() -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        Sandbox(latency=60) as server,
        World(server.url, server.api_key) as world,
    ):
        waiting = pool.submit(world.http.get, "/")
        time.sleep(1)  # until the call is there
        server.__exit__(None, None, None)
        assert waiting.result(timeout=60).status_code == 500


def test_clear_forgets_everything(sandbox: Sandbox, world: World) -> None:
    world.bot("shop", world.instance("shop", "main")["main"])
    assert [(call.method, call.path, call.status) for call in sandbox.writes] == [
        ("POST", "/instance/create", 201),
        ("POST", "/openai/creds/shop", 201),
        ("POST", "/openai/create/shop", 201),
    ]
    sandbox.clear()
    assert sandbox.calls == []
    assert world.done("GET", "/instance/fetchInstances") == []
    assert sandbox.writes == []


def test_calls_do_not_pile_up(sandbox: Sandbox, world: World) -> None:
    sandbox.calls.extend([Served("GET", "/", 200)] * 100_000)
    world.done("POST", "/instance/create", {"instanceName": "shop", "integration": "EVOLUTION"})
    assert len(sandbox.calls) == 50_001
    assert [call.path for call in sandbox.writes] == ["/instance/create"]


def test_latency(sandbox: Sandbox, world: World) -> None:
    sandbox.options.latency = 0.05
    started = time.monotonic()
    world.done("GET", "/")
    assert time.monotonic() - started >= 0.05


def test_killed_and_started_again_it_keeps_every_answered_call(tmp_path: Path) -> None:
    db, port = tmp_path / "state.db", free_port()
    with running(db, port) as (url, key), World(url, key) as world:
        bot = world.bot("shop", world.instance("shop", "main")["main"])
    with running(db, port) as (url, key), World(url, key) as world:
        assert world.bots("shop") == [bot]


@contextmanager
def running(db: Path, port: int) -> Iterator[list[str]]:
    """A sandbox in a process of its own, killed when the block ends. Its URL and key."""
    command = [sys.executable, "-W", "error", "-c", RUN, str(db), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()
        finally:
            process.kill()


def test_large_answers_are_compressed_and_small_ones_not(sandbox: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    small, plain = _get(sandbox, "/openai/find/shop", "gzip"), _get(sandbox, "/openai/find/shop", "identity")
    assert (small[0], small[1]) == (None, plain[1])
    world.bot("shop", creds, systemMessages=["x" * 2000])
    packed, plain = _get(sandbox, "/openai/find/shop", "gzip"), _get(sandbox, "/openai/find/shop", "identity")
    assert (packed[0], gzip.decompress(packed[1])) == ("gzip", plain[1])


def _get(sandbox: Sandbox, path: str, encoding: str) -> tuple[str | None, bytes]:
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    connection.request("GET", path, headers={"apikey": sandbox.api_key, "Accept-Encoding": encoding})
    response = connection.getresponse()
    answer = response.getheader("Content-Encoding"), response.read()
    connection.close()
    return answer


def test_a_body_over_the_limit_is_refused(sandbox: Sandbox) -> None:
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = f"POST /openai/create/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LIMIT + 2**20}\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(LIMIT // 2**20 + 1):
            connection.sendall(b"x" * 2**20)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_caller_who_leaves_in_the_middle_disturbs_nobody(sandbox: Sandbox, world: World) -> None:
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            b"POST /openai/create/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
        )
    assert world.done("GET", "/")["version"] == "2.3.6"


def test_ids_tell_the_order_within_a_millisecond_too() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert all(re.fullmatch("c[a-z0-9]{24}", one) for one in ids)
