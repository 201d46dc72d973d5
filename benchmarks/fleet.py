"""What a plan costs by the size of the fleet, everything in sync, against what its reads cost alone.

    python -m benchmarks.fleet [--only SIZE ...]

Instances with 10 bots each, on a server that takes 20 ms for a request. The floor is curl making the reads of
the plan, 32 at a time: for each instance a find, a creds and a find of EvolutionBots. Then the whole process
of `reconciler plan`, with the memory of all its processes: with an empty cache, with what the first
plan left there, and once more after one manifest got a comment. Small fleets are planned several times, and
the best run counts. Every figure goes to history.jsonl, and is printed with the goal for it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measured import Cost, best, cost, keep
from benchmarks.server import bot, names, serving

SIZES = (10, 100, 1_000, 4_000, 10_000)
BOTS = 10
MILLISECONDS = 20
AT_A_TIME = 32
READS = ("openai/find", "evolutionBot/find", "openai/creds")

TIMES: Mapping[int, float] = {100: 2, 1_000: 1.3, 10_000: 1.4}
"""How many times as long as curl a plan may take."""
MEBIBYTES: Mapping[int, int] = {1_000: 150, 10_000: 300}

SERVER_SIDE = {"id", "openaiCredsId", "instanceId", "createdAt", "updatedAt"}


def manifest(instance: str) -> str:
    """A manifest as a person writes it, whose bots are those of the benchmark's server."""
    lines = [f"instance: {instance}", "defaults:", "  openaiCreds: main", "bots:"]
    for number in range(BOTS):
        lines.append(f"  bot-{number}:")
        for name, value in bot(number).items():
            if name in SERVER_SIDE or value is None:
                continue
            if name == "description":
                lines.append(f"    description: Bot {number}")
            elif isinstance(value, list):
                lines += [f"    {name}:", *(f'      - "{one}"' for one in value)]
            elif isinstance(value, bool):
                lines.append(f"    {name}: {str(value).lower()}")
            elif isinstance(value, int):
                lines.append(f"    {name}: {value}")
            else:
                lines.append(f'    {name}: "{value}"')
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Manifests in `root`, and a server at `url` that has what they declare. root: also for other files."""

    names: Sequence[str]
    root: Path
    url: str

    @property
    def curl(self) -> list[str]:
        """The command of the floor."""
        reads = self.root / "reads"
        reads.write_text(
            "".join(
                f'url = "{self.url}/{read}/{name}"\noutput = /dev/null\n'
                for name in self.names
                for read in READS
            )
        )
        parallel = ["--parallel", "--parallel-max", str(AT_A_TIME)]
        return ["curl", "-sS", "--no-progress-meter", *parallel, "--config", str(reads)]

    def ours(self, *arguments: str) -> list[str]:
        """A command of the tool."""
        return [sys.executable, "-m", "reconciler", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """What the tool needs to find the server, and a cache of its own."""
        return {
            "EVOLUTION_API_URL": self.url,
            "EVOLUTION_API_KEY": "benchmark",
            "XDG_CACHE_HOME": str(self.root / "cache"),
        }


@contextmanager
def fleet(size: int) -> Iterator[Fleet]:
    """A fleet of so many instances, for the length of the block."""
    called = names(size)
    with tempfile.TemporaryDirectory() as directory, serving(MILLISECONDS, BOTS) as url:
        bots = Path(directory, "bots")
        bots.mkdir()
        for name in called:
            (bots / f"{name}.yaml").write_text(manifest(name))
        yield Fleet(called, Path(directory), url)


def of_size(size: int) -> dict[str, Cost]:
    """What curl and the plans cost, by subject."""
    with fleet(size) as made:
        plan = made.ours("plan", "--concurrency", str(AT_A_TIME))

        def cold() -> Cost:
            shutil.rmtree(made.root / "cache", ignore_errors=True)
            return cost(plan, made.environment, made.root)

        def changed() -> Cost:
            with (made.root / "bots" / f"{made.names[0]}.yaml").open("a") as file:
                file.write("# Another line.\n")
            return cost(plan, made.environment, made.root)

        subjects: Mapping[str, Callable[[], Cost]] = {
            "curl": lambda: cost(made.curl),
            "plan": cold,
            "plan, same": lambda: cost(plan, made.environment, made.root),
            "plan, changed": changed,
        }
        runs = [{name: run() for name, run in subjects.items()} for _ in range(max(1, min(5, 500 // size)))]
    return {name: best([run[name] for run in runs]) for name in subjects}


def against(figure: float, goal: float | None) -> str:
    """A goal, and whether it is missed."""
    return "" if goal is None else f" ({'missed' if figure > goal else 'goal'} {goal:g})"


HEAD = f"{'':14}{'instances':>10}{'seconds':>9}{'CPU':>8}{'times curl':>12}{'':14}{'MiB':>7}"


def line(subject: str, size: int, took: Cost, floor: float, *, goals: bool = False) -> str:
    """A row of the table."""
    times = took.seconds / floor
    return (
        f"{subject:14}{size:10,}{took.seconds:9.2f}{took.cpu:8.2f}{times:12.2f}"
        f"{against(times, TIMES.get(size) if goals else None):14}{took.mib:7.0f}"
        f"{against(took.mib, MEBIBYTES.get(size) if goals else None)}"
    ).rstrip()


def sizes(default: Sequence[int] = SIZES) -> Sequence[int]:
    """Those that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", type=int, nargs="+", default=default, metavar="SIZE", help="instances")
    asked: Sequence[int] = parser.parse_args().only
    return asked


def main() -> None:
    """Prints and keeps the figures."""
    asked = sizes()
    print(HEAD)
    for size in asked:
        took = of_size(size)
        floor = took["curl"].seconds
        for subject, one in took.items():
            keep(subject, size, one, floor)
            print(line(subject, size, one, floor, goals=subject != "curl"), flush=True)


if __name__ == "__main__":
    main()
