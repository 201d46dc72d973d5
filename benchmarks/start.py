"""What it costs to start: commands against an interpreter that does nothing.

    python -m benchmarks.start

CPU milliseconds of the processes, the best of twenty runs of each in turn. `validate` and `plan` are of one
manifest, which is in the cache, and `plan --instance` of one of 1,000, which are not. The server is one that
costs nothing. All is compiled, as after an installation, whatever the environment says of bytecode.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.fleet import BOTS, manifest
from benchmarks.server import serving

RUNS = 20
INSTANCES = 1_000
FLOOR = "an interpreter"
LIMITS = {"import click": 7, "--help": 3, "validate": 8, "plan": 25, "plan --instance": 33}
"""How many times as long as the floor each may take. --help does not import click."""


def milliseconds(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> float:
    """CPU milliseconds of a process and of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def fleet(directory: Path, instances: int) -> Path:
    """A directory with the manifests of so many instances."""
    (directory / "bots").mkdir(parents=True)
    for number in range(instances):
        (directory / f"bots/loja-{number}.yaml").write_text(manifest(f"loja-{number}"), encoding="utf-8")
    return directory


def main() -> None:
    """Prints the figures; ends with 1 when one is over its limit."""
    ours = [sys.executable, "-m", "reconciler"]
    with tempfile.TemporaryDirectory() as directory, serving(0, BOTS) as url:
        one, many = fleet(Path(directory, "one"), 1), fleet(Path(directory, "many"), INSTANCES)
        commands: Mapping[str, tuple[list[str], Path]] = {
            FLOOR: ([sys.executable, "-c", "pass"], one),
            "import click": ([sys.executable, "-c", "import click"], one),
            "--help": ([*ours, "--help"], one),
            "validate": ([*ours, "validate"], one),
            "plan": ([*ours, "plan"], one),
            "plan --instance": ([*ours, "plan", "--instance", "loja-7"], many),
        }
        environment = {
            "XDG_CACHE_HOME": f"{directory}/cache",
            "PYTHONPYCACHEPREFIX": f"{directory}/bytecode",
            "EVOLUTION_API_URL": url,
            "EVOLUTION_API_KEY": "benchmark",
        }
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(RUNS):
            for name, (command, place) in commands.items():
                best[name] = min(best[name], milliseconds(command, place, environment))
    broken = False
    for name, took in best.items():
        times = took / best[FLOOR]
        limit = f", at most {LIMITS[name]}" if name in LIMITS else ""
        broken |= name in LIMITS and times > LIMITS[name]
        print(f"{name:16}{took:6.0f} ms  {times:5.1f} times{limit}")
    sys.exit(broken)


if __name__ == "__main__":
    main()
