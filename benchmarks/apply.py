"""What an apply costs against a bare loop of the same writes, through the same client, on the same server.

    python -m benchmarks.apply

Two plans: 2,000 creates in one instance, and 10 creates in each of 1,000 instances, 32 at a time; each call
takes 20 ms. It ends with 1 when an apply takes more than 1.3 times as long as the loop.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, NoReturn
from zlib import crc32

from benchmarks.server import bot
from reconciler.apply import applier
from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.kinds import OPENAI
from reconciler.domain.plan import Call, Change, InstancePlan, Plan, Step, Verb
from reconciler.domain.results import Outcome
from reconciler.evolution.client import Client, Server
from reconciler.evolution.concurrent import side_by_side

MILLISECONDS = 20
AT_A_TIME = 32
MOST_TIMES_THE_LOOP = 1.3

CASES = {"2,000 in one instance": (1, 2_000), "10,000 in 1,000 instances": (1_000, 10)}


def body(number: int) -> Fields:
    """What is sent to create a bot."""
    fields: dict[str, bool | int | str | tuple[str, ...]] = {}
    for name, value in bot(number).items():
        if name in OPENAI.fields and value is not None:
            assert isinstance(value, bool | int | str | list)
            fields[name] = tuple(value) if isinstance(value, list) else value
    return fields


def plan(url: str, name: str, instances: int, bots: int) -> Plan:
    """So many creates in so many empty instances."""
    return Plan(url, "gitops", tuple(_instance(f"{name}-{number}", bots) for number in range(instances)))


def _instance(name: str, bots: int) -> InstancePlan:
    names = [f"bot-{number}" for number in range(bots)]
    changes = tuple(Change(name, one, Verb.CREATE, "") for one in names)
    steps = tuple(Step(Call.CREATE, one, None, body(number)) for number, one in enumerate(names))
    return InstancePlan(name, changes, steps)


async def loop(client: Client, made: Plan) -> None:
    """The same writes and nothing else; those of an instance one after the other."""

    async def work(instance: InstancePlan) -> None:
        for step in instance.steps:
            await client.create(instance.name, step.body)

    await side_by_side(made.instances, work, client.concurrency)


async def run(client: Client, made: Plan) -> None:
    """An apply. Ends this process if a change is not applied."""

    def read(ref: SecretRef, name: str) -> NoReturn:
        raise AssertionError

    results = await applier.apply(client, made, read)
    if any(one.outcome is not Outcome.APPLIED for one in results.results):
        sys.exit(f"not applied: {next(one for one in results.results if one.outcome is not Outcome.APPLIED)}")


WORK = {"loop": loop, "apply": run}


async def measure(what: str, url: str, instances: int, bots: int) -> tuple[float, float]:
    """Seconds of wall clock and of CPU."""
    made = plan(url, what, instances, bots)
    async with Client(Server(url, "benchmark", concurrency=AT_A_TIME)) as client:
        await client.find("warm-up")
        wall, cpu = time.perf_counter(), time.process_time()
        await WORK[what](client, made)
        return time.perf_counter() - wall, time.process_time() - cpu


# -- the server -------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One connection to a server that stores what is created, a row of JSON for each bot."""

    rows: ClassVar[dict[bytes, list[bytes]]] = {}
    calls: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.later = asyncio.get_running_loop().call_later
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while b"\r\n\r\n" in self.unread:
            head, _, rest = self.unread.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            end = int(length[1]) if length else 0
            if len(rest) < end:
                return
            self.unread = rest[end:]
            method, target, _ = head.split(b" ", 2)
            self.later(MILLISECONDS / 1000, self.transport.write, self.answer(method, target, rest[:end]))

    def answer(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """The answer to a request. Other kinds of bot have none."""
        _, _, instance = target.rpartition(b"/")
        if instance == b"calls":
            return _response(json.dumps(self.calls).encode())
        self.calls[f"{method.decode()} {instance.partition(b'-')[0].decode()}"] += 1
        there = self.rows.setdefault(instance, [])
        if method == b"GET":
            return _response(b"[" + b",".join(there) + b"]")
        row = {**dict.fromkeys(OPENAI.fields), **json.loads(body)}
        row |= {"id": f"c{len(there):07}{crc32(instance):010}", "instanceId": instance.decode()}
        there.append(json.dumps({**row, "createdAt": "2026-11-23T01:17:26.177Z"}).encode())
        return _response(there[-1])


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


async def serve() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def calls(url: str) -> dict[str, int]:
    """How many calls were made, by method and what made them."""
    with urllib.request.urlopen(f"{url}/calls") as response:  # noqa: S310 - it is our own
        found: dict[str, int] = json.load(response)
    return found


@contextmanager
def serving() -> Iterator[str]:
    """Runs a server that stores what is created, as a process of its own; gives its URL."""
    command = [sys.executable, "-m", "benchmarks.apply", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main() -> None:
    """Prints a line per plan; ends with 1 when a limit is broken."""
    broken = False
    print(
        f"{'creates':28}{'loop s':>8}{'apply s':>9}{'ratio':>7}"
        f"{'loop CPU s':>12}{'apply CPU s':>13}{'GETs a POST':>13}"
    )
    for label, (instances, bots) in CASES.items():
        walls, cpus = {}, {}
        with serving() as url:
            for what in WORK:
                command = [sys.executable, "-m", "benchmarks.apply", what, url, str(instances), str(bots)]
                wall, cpu = subprocess.check_output(command, text=True).split()
                walls[what], cpus[what] = float(wall), float(cpu)
            made = calls(url)
        ratio = walls["apply"] / walls["loop"]
        broken = broken or ratio > MOST_TIMES_THE_LOOP
        print(
            f"{label:28}{walls['loop']:8.2f}{walls['apply']:9.2f}{ratio:7.2f}"
            f"{cpus['loop']:12.2f}{cpus['apply']:13.2f}{made['GET apply'] / made['POST apply']:13.3f}"
        )
    if broken:
        sys.exit(1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["serve"]:
            asyncio.run(serve())
        case [what, url, instances, bots]:
            print(*asyncio.run(measure(what, url, int(instances), int(bots))))
