"""What an import costs by the size of the fleet, against what its reads cost alone.

    python -m benchmarks.imports [--only SIZE ...]

Instances with 10 bots each that all use one credential, on a server that takes 20 ms for a request. The floor
is curl making the reads of the import, 32 at a time: for each instance its credentials, and the bots and the
settings of the two kinds that are switched on. Then the whole process of `reconciler import`, which writes
each manifest, loads it, and plans that.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.fleet import AT_A_TIME, BOTS, HEAD, MILLISECONDS, line, sizes
from benchmarks.measured import Cost, cost
from benchmarks.server import names, serving

SIZES = (100, 1_000)
READS = (
    "openai/creds",
    "openai/find",
    "evolutionBot/find",
    "openai/fetchSettings",
    "evolutionBot/fetchSettings",
)


def of_size(size: int) -> tuple[Cost, Cost]:
    """What curl and an import cost."""
    with tempfile.TemporaryDirectory() as directory, serving(MILLISECONDS, BOTS, size) as url:
        reads = Path(directory, "reads")
        paths = [f"{read}/{name}" for name in names(size) for read in READS]
        reads.write_text("".join(f'url = "{url}/{path}"\noutput = /dev/null\n' for path in paths))
        parallel = ["--parallel", "--parallel-max", str(AT_A_TIME), "--config", str(reads)]
        floor = cost(["curl", "-sS", "--no-progress-meter", *parallel])
        command = [sys.executable, "-m", "reconciler", "import", "--concurrency", str(AT_A_TIME)]
        environment = {"EVOLUTION_API_URL": url, "EVOLUTION_API_KEY": "benchmark"}
        return floor, cost(command, environment, Path(directory))


def main() -> None:
    """Prints the figures."""
    print(HEAD)
    for size in sizes(SIZES):
        floor, took = of_size(size)
        print(line("curl", size, floor, floor.seconds))
        print(line("import", size, took, floor.seconds), flush=True)


if __name__ == "__main__":
    main()
