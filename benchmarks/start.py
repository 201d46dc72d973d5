"""What it costs to start: commands against an interpreter that does nothing.

    python -m benchmarks.start

CPU milliseconds of the processes, the best of twenty runs of each in turn. `validate` is of one manifest,
which is in the cache.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import manifest

RUNS = 20
FLOOR = "an interpreter"
LIMITS = {"import click": 7, "--help": 10, "validate": 30}
"""How many times as long as the floor each may take. Much of --help is click's own."""


def milliseconds(command: Sequence[str], directory: str) -> float:
    """CPU milliseconds of a process and of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    """Prints the figures; ends with 1 when one is over its limit."""
    ours = [sys.executable, "-m", "reconciler"]
    commands = {
        FLOOR: [sys.executable, "-c", "pass"],
        "import click": [sys.executable, "-c", "import click"],
        "--help": [*ours, "--help"],
        "validate": [*ours, "validate"],
    }
    best = dict.fromkeys(commands, float("inf"))
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_CACHE_HOME"] = f"{directory}/cache"
        bots = Path(directory, "bots")
        bots.mkdir()
        (bots / "loja.yaml").write_text(manifest(1), encoding="utf-8")
        for _ in range(RUNS):
            for name, command in commands.items():
                best[name] = min(best[name], milliseconds(command, directory))
    broken = False
    for name, took in best.items():
        times = took / best[FLOOR]
        limit = f", at most {LIMITS[name]}" if name in LIMITS else ""
        broken |= name in LIMITS and times > LIMITS[name]
        print(f"{name:16}{took:6.0f} ms  {times:5.1f} times{limit}")
    sys.exit(broken)


if __name__ == "__main__":
    main()
