"""What a command costs with all of its processes, and the file in which figures are kept."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

HISTORY = Path(__file__).parent / "history.jsonl"
"""A figure a line, the newest at the end."""

_EVERY = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall clock and of CPU, and the most MiB that all processes had at a time."""

    seconds: float
    cpu: float
    mib: float


@dataclass(frozen=True, slots=True)
class Figure:
    """What a subject took for a fleet of a size, and curl for the reads in the same run."""

    subject: str
    instances: int
    seconds: float
    cpu: float
    mib: float
    floor: float
    commit: str
    date: str
    machine: str
    python: str


def cost(
    command: Sequence[str], environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Cost:
    """What a command costs. Ends this process if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=directory,
        )
        ended, seen = Event(), [0]
        looking = Thread(target=_look, args=(process.pid, ended, seen))
        looking.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        ended.set()
        looking.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{shlex.join(command)} ended with {process.returncode}\n{output.read()[-2000:]}")
    alone = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(alone, *seen) / 2**20)


def best(runs: Sequence[Cost]) -> Cost:
    """The least of each."""
    return Cost(*(min(each) for each in zip(*(asdict(run).values() for run in runs), strict=True)))


def _look(pid: int, ended: Event, seen: list[int]) -> None:
    """Note the memory of a process and of those that it starts, again and again. Only Linux says it."""
    while not ended.wait(_EVERY):
        seen.append(sum(map(_resident, _family(pid))))


def _family(pid: int) -> Iterator[int]:
    """A process and all that come from it, as far as they still run."""
    yield pid
    try:
        found = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    except OSError:
        return
    for child in found:
        yield from _family(child)


def _children(task: Path) -> Iterator[int]:
    yield from map(int, (task / "children").read_text().split())


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def keep(subject: str, instances: int, took: Cost, floor: float) -> Figure:
    """Add a figure to the history."""
    figure = Figure(
        subject=subject,
        instances=instances,
        seconds=round(took.seconds, 3),
        cpu=round(took.cpu, 3),
        mib=round(took.mib, 1),
        floor=round(floor, 3),
        commit=_commit(),
        date=datetime.now(UTC).date().isoformat(),
        machine=_machine(),
        python=platform.python_version(),
    )
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(json.dumps(asdict(figure)) + "\n")
    return figure


def history() -> list[Figure]:
    """All figures, the oldest first."""
    return [Figure(**json.loads(line)) for line in HISTORY.read_text(encoding="utf-8").splitlines()]


def _commit() -> str:
    """The commit that is measured, with a plus sign if the code differs from it."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "reconciler"], check=False)
    return head.stdout.strip() + ("+" if same.returncode else "")


def _machine() -> str:
    """Cores, memory and system, and no name."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = ""
    if (about := Path("/proc/cpuinfo")).exists():
        names = (line for line in about.read_text().splitlines() if line.startswith("model name"))
        model = next(names, "").partition(":")[2].strip()
    cores = f"{os.cpu_count()} cores" + (f" of {model}" if model else "")
    return f"{cores}, {gib:.0f} GiB, {platform.system()}"
