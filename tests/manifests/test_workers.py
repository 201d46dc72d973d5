"""Manifests that several processes parse are what one process makes of them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.manifests.load import read_all
from reconciler.manifests.workers import LEAST, MANY, _Worker

NUMBER = 4 * LEAST
BOT = "{botType: chatCompletion, model: gpt-4o, maxTokens: 100, triggerType: keyword, triggerOperator: equals"

LOAD = """
import os, signal, sys
from pathlib import Path
from reconciler.manifests.load import read_all

forks = []
sys.addaudithook(lambda event, args: forks.append(event) if event == "os.fork" else None)
if sys.argv[1] == "killed":
    os.register_at_fork(after_in_child=lambda: os._exit(9))
if sys.argv[1] == "killed later":
    os.register_at_fork(after_in_child=lambda: signal.setitimer(signal.ITIMER_REAL, 0.2))
loaded = read_all(Path("bots"), origins=False, cached=True)
print(len(forks), [repr(one) for one in loaded.instances], sorted(map(str, loaded.problems)))
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child is left")
"""

several = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Manifests, some with errors, some with a text of their own, in two folders with defaults."""
    monkeypatch.chdir(tmp_path)
    for folder in ("bots/a", "bots/b"):
        Path(folder).mkdir(parents=True)
        Path(folder, "_defaults.yaml").write_text(f"defaults: {{openaiCreds: main, expire: {len(folder)}}}\n")
        Path(folder, "prompt.md").write_text("Seja breve.\n")
    for number in range(NUMBER):
        path = Path("bots", "ab"[number % 2], f"{number}.yaml")
        more = (
            ", modle: x" if number % 20 == 7 else ", systemMessages: [!file prompt.md]" if number % 5 else ""
        )
        path.write_text(f"instance: loja-{number}\nbots:\n  um: {BOT}, triggerValue: {number}{more}}}\n")
    Path("bots/a/0.yaml").write_text("bots: [\n")
    return tmp_path


def loaded(fleet: Path, cache: str, how: str = "whole") -> tuple[int, str]:
    """How many processes were started, and what was loaded."""
    result = subprocess.run(
        [sys.executable, "-c", LOAD, how],
        cwd=fleet,
        env={**os.environ, "XDG_CACHE_HOME": str(fleet / cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    forks, _, rest = result.stdout.partition(" ")
    assert rest.endswith("no child is left\n")
    return int(forks), rest.removesuffix("no child is left\n").strip()


@several
@pytest.mark.parametrize("how", ["whole", "killed", "killed later"])
def test_what_several_processes_parse(fleet: Path, how: str) -> None:
    alone = read_all(Path("bots"), origins=False)
    expected = f"{[repr(one) for one in alone.instances]} {sorted(map(str, alone.problems))}"
    assert len(alone.problems) > 4
    forks, found = loaded(fleet, "cache", how)
    assert forks == min(len(os.sched_getaffinity(0)), 4)
    assert found == expected
    if how == "whole":
        forks, found = loaded(fleet, "cache")
        assert forks == 0
        assert found == expected


@several
def test_the_cache_is_what_one_process_makes(fleet: Path) -> None:
    assert loaded(fleet, "cache")[0] > 0
    one = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import os; os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}])\n{LOAD}",
            "x",
        ],
        cwd=fleet,
        env={**os.environ, "XDG_CACHE_HOME": str(fleet / "other")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert one.stdout.startswith("0 ")
    assert _entries(fleet / "cache") == _entries(fleet / "other")


@several
def test_how_many_processes_are_of_use() -> None:
    code = (
        "from reconciler.manifests.workers import LEAST, number\n"
        "files = (0, 1, 2 * LEAST - 1, 2 * LEAST, 1000 * LEAST)\n"
        "print(*(number(each, busy=busy) for busy in (False, True) for each in files))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cores = len(os.sched_getaffinity(0))

    assert ran.stdout.split() == ["0", "0", "0", "2", str(cores), "0", "1", "1", "2", str(cores)]


MEANWHILE = """
from pathlib import Path
from reconciler.manifests.load import read_all

for _ in range(2):
    read_all(Path("bots"), origins=False, cached=True, meanwhile=lambda: print("meanwhile"))
"""


@several
def test_what_is_done_meanwhile(fleet: Path) -> None:
    """It is done once, where others parse, and not where nothing is to be parsed."""
    for path in {problem.at.file for problem in read_all(Path("bots"), origins=False).problems}:
        Path(path).unlink()
    ran = subprocess.run(
        [sys.executable, "-c", MEANWHILE],
        env={**os.environ, "XDG_CACHE_HOME": str(fleet / "cache")},
        check=True,
        capture_output=True,
        text=True,
    )

    assert ran.stdout == "meanwhile\n"


def test_what_a_process_sends_may_end_anywhere() -> None:
    """Each entry is taken whole, or not at all."""
    first, second = b"one 4\nabc\n", b"two 5\nabcd\n"
    sent = first + b"\n" + second + b"\n"
    for end in range(len(sent)):
        worker = _Worker(0, io.BytesIO(sent[:end]))
        whole = (end >= len(first)) + (end >= len(first) + 1 + len(second))

        assert [*worker.lines(), *worker.lines()] == [("one", b"abc\n"), ("two", b"abcd\n")][:whole]


@several
def test_one_of_many_is_parsed_without_a_copy_that_has_them_all(tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    for number in range(MANY + 2):
        (tmp_path / f"bots/{number}.yaml").write_text(f"instance: loja-{number}\nbots: {{}}\n")

    def said() -> str:
        ran = subprocess.run(
            [sys.executable, "-c", MEANWHILE],
            cwd=tmp_path,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            check=True,
            capture_output=True,
            text=True,
        )
        return ran.stdout

    assert said() == "meanwhile\n"
    (tmp_path / "bots/7.yaml").write_text("instance: loja-7\nbots: {}  # other\n")
    assert said() == ""


def _entries(home: Path) -> dict[str, bytes]:
    [file] = (home / "evolution-reconciler").iterdir()
    data = file.read_bytes()
    index = json.loads(data[int(data[-20:]) : -20])
    return {key: data[start : start + length] for key, (start, length) in index["entries"].items()}
