"""What a fleet costs that is planned, reviewed and applied in shards, on several embedded servers.

    python -m benchmarks.shards [INSTANCES [SHARDS [SERVERS]]]

Each instance has 10 bots. In one of ten a prompt was edited in the manifest, in one of fifty a bot was edited
on the server, and in one of a hundred one is missing there. As the workflows do: a plan for each shard, one
plan of all, a comment, an apply of what was reviewed for each shard, one result, and a second plan, which has
to find nothing. The shards run one after the other, each with a cache of its own. Printed are the CPU time of
the tool's processes, the wall clock, and the most memory of one; the servers are other processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.apply import body
from benchmarks.fleet import BOTS, manifest
from reconciler.evolution.client import Client, Server
from reconciler.sandbox import Sandbox

KEY = "benchmark"
SEED = "seed"
RECONCILER = (sys.executable, "-m", "reconciler")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU and of wall clock, and the most MiB of one process."""

    cpu: float
    wall: float
    mebibytes: float

    def __str__(self) -> str:
        return f"{self.cpu:7.1f} s of CPU {self.wall:7.1f} s {self.mebibytes:6.0f} MiB"


# -- the servers ------------------------------------------------------------------------------


def database(path: Path, names: Sequence[str]) -> None:
    """A server's database, in which these instances have their bots: copies of one that is made by calls."""
    with Sandbox(path, api_key=KEY) as server:
        server.seed({SEED: ["main"]})
        asyncio.run(_seed(server.url))
    with sqlite3.connect(path) as db:
        for table in ("instances", "creds", "bots"):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            rows = [dict(zip(columns, row, strict=True)) for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608
            places = ", ".join("?" * len(columns))
            copies = (tuple(_copied(table, row, n, name)) for n, name in enumerate(names) for row in rows)
            db.executemany(f"INSERT INTO {table} VALUES ({places})", copies)  # noqa: S608
        db.execute("DELETE FROM instances WHERE name = ?", [SEED])
        db.execute("DELETE FROM creds WHERE instanceId NOT IN (SELECT id FROM instances)")
        db.execute("DELETE FROM bots WHERE instanceId NOT IN (SELECT id FROM instances)")
        edited = [row[0] for row in db.execute("SELECT id FROM instances WHERE rowid % 50 = 7")]
        db.executemany(
            "UPDATE bots SET systemMessages = '[\"By hand.\"]' WHERE maxTokens = 103 AND instanceId = ?",
            [(each,) for each in edited],
        )
        lost = [row[0] for row in db.execute("SELECT id FROM instances WHERE rowid % 100 = 11")]
        db.executemany(
            "DELETE FROM bots WHERE maxTokens = 105 AND instanceId = ?", [(each,) for each in lost]
        )


async def _seed(url: str) -> None:
    async with Client(Server(url, KEY)) as client:
        creds = (await client.credentials(SEED))["main"].id
        for number in range(BOTS):
            await client.create(SEED, {**body(number), "openaiCredsId": creds})


def _copied(table: str, row: dict[str, object], number: int, name: str) -> Iterator[object]:
    """The values of a row of another instance: what is an id gets its number."""
    for column, value in row.items():
        if column in {"id", "instanceId", "openaiCredsId", "apiKey", "token"} and value is not None:
            yield f"{value}-{number}"
        else:
            yield name if (table, column) == ("instances", "name") else value


def serve(path: str) -> None:
    """Runs a server until its stdin ends."""
    with Sandbox(Path(path), api_key=KEY) as server:
        print(server.url, flush=True)
        sys.stdin.read()


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.shards", "serve", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


# -- the fleet --------------------------------------------------------------------------------


def fleet(directory: Path, instances: int, servers: int) -> dict[str, list[str]]:
    """Writes the manifests. Returns the instances of each server."""
    found = {
        f"s-{number}": [f"loja-{at:05}" for at in range(number, instances, servers)]
        for number in range(servers)
    }
    for server, names in found.items():
        folder = directory / "bots" / server
        folder.mkdir(parents=True)
        (folder / "_defaults.yaml").write_text(f"server: {server}\n")
        for place, name in enumerate(names):
            text = manifest(name)
            edited = text.replace("You are number 2 of", "You are the second of") if place % 10 == 0 else text
            (folder / f"{name}.yaml").write_text(edited)
    return found


class Steps:
    """Runs the tool in a directory, and prints what each step costs."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = {**os.environ, **environment}

    def run(self, *arguments: str) -> Cost:
        """One command, with a cache of its own, as on a machine of its own. Ends this process if it fails."""
        with tempfile.TemporaryDirectory() as cache, (self.directory / "output").open("wb") as output:
            start = time.perf_counter()
            process = subprocess.Popen(
                [*RECONCILER, *arguments],
                cwd=self.directory,
                stdout=output,
                env={**self.environment, "XDG_CACHE_HOME": cache},
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{shlex.join(arguments)} ended with {process.returncode}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * unit / 2**20)

    def shards(self, what: str, number: int, *arguments: str) -> list[str]:
        """A command for each shard; the files that they wrote."""
        files = [f"{what}-{shard}.json" for shard in range(1, number + 1)]
        costs = [
            self.run(*arguments, "--shard", f"{shard}/{number}", "--out", file)
            for shard, file in enumerate(files, 1)
        ]
        most = Cost(*(max(each) for each in zip(*((c.cpu, c.wall, c.mebibytes) for c in costs), strict=True)))
        total = sum(cost.cpu for cost in costs)
        print(
            f"{what:22} {most} at most, {total:.0f} s of CPU in all; files: {self._sizes(files)}", flush=True
        )
        return files

    def one(self, what: str, *arguments: str, out: str = "") -> str:
        """One command; what it printed last."""
        cost = self.run(*arguments, *(["--out", out] if out else []))
        said = (self.directory / "output").read_text().strip()
        size = self._sizes([out]) if out else f"{len(said):,} characters"
        print(f"{what:22} {cost}; {size}", flush=True)
        return said

    def _sizes(self, files: Sequence[str]) -> str:
        sizes = [(self.directory / file).stat().st_size / 1024 for file in files]
        return f"{max(sizes):,.0f} KiB" + (" at most" if len(sizes) > 1 else "")


def main(instances: int = 10_000, shards: int = 10, servers: int = 4) -> None:
    """Prints what each step costs. Ends with 1 when one fails, or when the second plan finds something."""
    print(
        f"{instances:,} instances with {BOTS} bots each on {servers} servers, in {shards} shards", flush=True
    )
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        directory = Path(name)
        config, environment = [], {}
        for server, names in fleet(directory, instances, servers).items():
            database(directory / f"{server}.db", names)
            url = running.enter_context(serving(directory / f"{server}.db"))
            config.append(f'[servers.{server}]\nurl = "{url}"\n')
            environment[f"EVOLUTION_API_KEY_{server.upper().replace('-', '_')}"] = KEY
        (directory / "reconciler.toml").write_text("\n".join(config))
        _story(Steps(directory, environment), shards)


def _story(steps: Steps, shards: int) -> None:
    steps.one("plan, in one job", "plan", out="whole.json")
    plans = steps.shards("plan", shards, "plan")
    steps.one("merge the plans", "merge", *plans, out="plan.json")
    steps.one("comment", "show", "plan.json", "--format", "markdown", "--max-chars", "65000")
    results = steps.shards("apply", shards, "apply", "--yes", "--reviewed", "plan.json")
    steps.one("merge the results", "merge", *results, out="results.json")
    summary = json.loads((steps.directory / "results.json").read_text())["summary"]
    print(", ".join(f"{count:,} {what}" for what, count in summary.items() if count))
    again = steps.shards("second plan", shards, "plan", "--detailed-exitcode")
    print(steps.one("merge the plans", "merge", *again, out="again.json").splitlines()[0])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        main(*map(int, sys.argv[1:]))
