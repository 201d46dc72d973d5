"""What a plan of 1,000 instances with 10 bots each costs, all in sync, against what its reads cost alone.

    python -m benchmarks.plan

The first plan parses the manifests, the second finds them in the cache. The server takes 20 ms per request;
the reads are a find, a creds and a find of EvolutionBots for each instance, 32 at a time. The whole process
of the first `reconciler plan` may take at most 4 times what curl takes for the same reads, and 250 MiB.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.server import bot, serving

INSTANCES = 1_000
BOTS = 10
MILLISECONDS = 20
AT_A_TIME = 32
MOST_TIMES_CURL = 4
MOST_MEBIBYTES = 250

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


def run(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, str]:
    """Seconds of wall clock, MiB at most, and what it printed. Ends this process if the command fails."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{shlex.join(command)} ended with {process.returncode}")
        output.seek(0)
        bytes_per_unit = 1 if sys.platform == "darwin" else 1024
        return seconds, usage.ru_maxrss * bytes_per_unit / 2**20, output.read()


def main() -> None:
    """Prints both and their ratio; ends with 1 when a limit is broken."""
    names = [f"loja-{number:04}" for number in range(INSTANCES)]
    with tempfile.TemporaryDirectory() as directory, serving(MILLISECONDS, BOTS) as url:
        bots = Path(directory, "bots")
        bots.mkdir()
        for name in names:
            (bots / f"{name}.yaml").write_text(manifest(name))
        reads = Path(directory, "reads")
        reads.write_text(
            "".join(
                f'url = "{url}/{read}/{name}"\noutput = /dev/null\n'
                for name in names
                for read in ("openai/find", "evolutionBot/find", "openai/creds")
            )
        )
        curl = ["curl", "-sS", "--no-progress-meter", "--parallel", "--parallel-max", str(AT_A_TIME)]
        plan = [sys.executable, "-m", "reconciler", "plan", "--bots", str(bots)]
        environment = {
            "EVOLUTION_API_URL": url,
            "EVOLUTION_API_KEY": "benchmark",
            "XDG_CACHE_HOME": str(Path(directory, "cache")),
        }
        floor, _, _ = run([*curl, "--config", str(reads)])
        seconds, mebibytes, output = run([*plan, "--concurrency", str(AT_A_TIME)], environment)
        again, _, _ = run([*plan, "--concurrency", str(AT_A_TIME)], environment)
    print(output.strip()[:300])
    print(
        f"curl {floor:.2f} s, plan {seconds:.2f} s: {seconds / floor:.2f} times, "
        f"from the cache {again:.2f} s: {again / floor:.2f} times; {mebibytes:.0f} MiB at most"
    )
    if seconds > MOST_TIMES_CURL * floor or mebibytes > MOST_MEBIBYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
