"""Where the CPU time of the commands goes, with 1,000 instances of 10 bots each.

    python -m benchmarks.profiles [--instances 1000]

Every command is run as a process of its own against the embedded server, which is another process. Each
millisecond of CPU a sample of the stack is taken. It counts for the stage that its innermost frame belongs
to: a package of ours, but not `domain`, which is used by all; one of the libraries in LIBRARIES; or imports.
Prints for each command its seconds of CPU, the largest stage with its share, and the function of it that most
samples are in. README.md says why these cannot be faster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from benchmarks.fleet import manifest

LIBRARIES = {
    "aiohttp": "HTTP",
    "asyncio": "HTTP",
    "httpx": "HTTP",
    "ruamel": "parsing",
    "yaml": "parsing",
    "deepdiff": "deepdiff",
    "pydantic": "pydantic",
    "click": "click",
}
"""Stages of packages: libraries, and those of ours that are the same stage as a library."""

EVERY = 0.001


class Sample(NamedTuple):
    """How often the process was found in a function of a stage."""

    stage: str
    where: str
    times: int


@dataclass(frozen=True, slots=True)
class Profile:
    """CPU seconds of a command, and of the processes that it started, and its samples."""

    own: float
    others: float
    samples: Sequence[Sample]

    def __str__(self) -> str:
        stages: Counter[str] = Counter()
        for sample in self.samples:
            stages[sample.stage] += sample.times
        stages["processes that it starts"] = round(self.others / EVERY)
        [(largest, times)] = stages.most_common(1)
        inside: Counter[str] = Counter()
        for sample in self.samples:
            if sample.stage == largest:
                inside[sample.where] += sample.times
        hottest = "".join(where for where, _ in inside.most_common(1))
        share = times / max(1, stages.total())
        return f"{self.own + self.others:7.2f}  {largest:30}{share:5.0%}  {hottest}"


# -- in the process that is profiled -----------------------------------------------------------


def profiled(out: Path, arguments: Sequence[str]) -> None:
    """Run the command line, and write the samples: pairs of a stage and a function, with their number."""
    found: Counter[tuple[str, str]] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        found[_place(frame)] += 1

    sys.argv = ["reconciler", *arguments]
    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        runpy.run_module("reconciler", run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        times = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        own, others = (each.ru_utime + each.ru_stime for each in times)
        out.write_text(json.dumps([own, others, [[*place, number] for place, number in found.items()]]))


def _place(frame: FrameType | None) -> tuple[str, str]:
    """The stage of a stack, and its innermost function there.

    A signal is handled after the C function that it interrupts, so what that was is not known.
    """
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        package, _, rest = name.partition(".")
        if name.startswith("importlib._bootstrap"):
            return "imports", ""
        if package == "reconciler" and not rest.startswith("domain"):
            stage = rest.partition(".")[0]
            return LIBRARIES.get(stage, stage), f"{rest}.{frame.f_code.co_name}"
        if package in LIBRARIES:
            return LIBRARIES[package], f"{name}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "the interpreter", ""


# -- the commands ------------------------------------------------------------------------------

TEST = 'tests:\n  - {message: "3", bot: bot-3}\n  - {message: "other", bot: null}\n'
PROMPT, EDITED, AGAIN = "kind,", "kinder,", "kindest,"
FRESH = "no cache"


class Checkout:
    """A directory with a fleet's manifests, and commands that are run in it."""

    def __init__(self, root: Path, instances: int) -> None:
        self.root, self.percent = root, max(1, instances // 100)
        self.manifests = [root / "bots" / f"loja-{number:05}.yaml" for number in range(instances)]
        self.server: Mapping[str, str] = {}
        (root / "bots").mkdir()
        for path in self.manifests:
            path.write_text(manifest(path.stem) + TEST)

    def edit(self, before: str, after: str, most: int | None = None) -> None:
        """Change a text in the manifests, or in the first of them."""
        for path in self.manifests[:most]:
            path.write_text(path.read_text().replace(before, after))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Runs the embedded server with the instances, for the length of the block."""
        command = [sys.executable, "-m", "reconciler", "sandbox", "--port", "0", "--bots", "bots"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, cwd=self.root, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = [process.stdout.readline().split() for _ in range(2)]
            self.server = dict(words[1].split("=", 1) for words in said)
            try:
                yield
            finally:
                process.terminate()

    def run(self, arguments: Sequence[str], cache: str = "cache") -> Profile:
        """The profile of a command. Ends this process if it fails."""
        out = self.root / "samples"
        environment = {
            **os.environ,
            **self.server,
            "PYTHONPATH": str(Path.cwd()),
            "XDG_CACHE_HOME": str(self.root / cache),
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.profiles", "--run", str(out), *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{arguments} ended with {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
        own, others, samples = json.loads(out.read_text())
        return Profile(own, others, [Sample(*each) for each in samples])


def commands(made: Checkout) -> Iterator[tuple[str, Callable[[], Profile]]]:
    """Each command with its name, in this order. Manifests are edited in between."""

    def run(arguments: str, cache: str = "cache") -> Callable[[], Profile]:
        return lambda: made.run(arguments.split(), cache)

    yield "fmt", run("fmt")
    yield "fmt --check", run("fmt --check")
    yield "validate, no cache", run("validate")
    yield "validate", run("validate")
    yield "apply, all created", run("apply --yes --max-deletes 0")
    yield "plan, no cache", run("plan", FRESH)
    yield "plan", run("plan")
    yield "plan --instance", run("plan --instance loja-00000")
    yield "list", run("list")
    yield "list --offline", run("list --offline")
    yield "route", run("route loja-00000 3")
    yield "explain", run("explain bot-3@loja-00000")
    yield "get", run("get bot-3@loja-00000")
    yield "test", run("test")
    yield "doctor", run("doctor")
    yield "import", run("import --into imported")
    yield "import --group", run("import --into grouped --group loja-*")
    made.edit(PROMPT, EDITED, made.percent)
    yield "plan, 1 % edited", run("plan")
    yield "apply, 1 % edited", run("apply --yes")
    made.edit(EDITED, PROMPT, made.percent)
    yield "import --update, 1 % edited", run("import --update")
    made.edit(PROMPT, AGAIN)
    made.edit(EDITED, AGAIN)
    yield "plan, all edited", run("plan")
    yield "plan, all edited, JSON", run("plan --format json")
    yield "plan, all edited, markdown", run("plan --format markdown")
    yield "plan --out, all edited", run("plan --out saved.json")
    yield "show", run("show saved.json")
    yield "apply FILE, all edited", run("apply saved.json --yes")


def main() -> None:
    """Prints a line for each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=1_000)
    instances: int = parser.parse_args().instances
    print(f"{'':28}{'CPU':>7}  {'largest stage':30}{'share':>5}  most of it in")
    with tempfile.TemporaryDirectory() as directory:
        made = Checkout(Path(directory), instances)
        with made.serving():
            for name, run in commands(made):
                print(f"{name:28}{run()}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", out, *arguments]:
            profiled(Path(out), arguments)
        case _:
            main()
