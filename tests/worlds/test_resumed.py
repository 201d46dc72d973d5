"""A saved plan whose apply is killed at a call: `apply --resume` ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain import files
from reconciler.domain.plan import Plan
from reconciler.evolution.client import Client
from reconciler.saved import write
from tests.support import Json
from tests.worlds.proxy import Proxy, Request
from tests.worlds.shop import busy
from tests.worlds.stage import Stage

CALLS = 16
"""Writing calls of the plan: one more or less, as instances run side by side, changes nothing here."""

_KILLED = [
    pytest.param(number, done, marks=[] if (number, done) in {(2, True), (9, False)} else [pytest.mark.slow])
    for number in range(1, CALLS + 1)
    for done in (True, False)
]


class Run:
    """A stage with a plan in a file, behind a proxy that kills the process at a writing call.

    at: which; 0 for none. done: whether the server gets that call.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage, self.at, self.done, self.writes = stage, 0, True, 0
        self.process: subprocess.Popen[str] | None = None
        self.proxy = Proxy(lambda: stage.port, edit=self._edit)
        self.journal = stage.directory / ".reconciler" / "journal"
        self.file = stage.directory / "plan.json"

    def _edit(self, request: Request) -> bytes:
        self.writes += request.writes
        if request.writes and self.at and self.writes >= self.at:
            assert self.process is not None
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            return request.raw if self.done and self.writes == self.at else b""
        return request.raw

    def plan(self) -> Plan:
        """Put the world on the server, and save its plan."""
        desired = self.stage.put(busy())
        server = self.stage.server(self.proxy.url)
        plan = replace(self.stage.plan(desired, server=server), server=Client(server).bound)
        with files.Replacement(self.file) as file:
            write(file, plan)
        return plan

    def apply(self, *options: str, at: int = 0, done: bool = True) -> tuple[int, str, str]:
        """Apply the file. Returns the exit code, stdout and stderr."""
        self.at, self.done, self.writes = at, done, 0
        command = [sys.executable, "-m", "reconciler", "apply", "--yes", "--format", "json"]
        self.process = subprocess.Popen(
            [*command, *options, str(self.file)],
            env={
                **os.environ,
                "EVOLUTION_API_URL": self.proxy.url,
                "EVOLUTION_API_KEY": self.stage.sandbox.api_key,
            },
            cwd=self.stage.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        out, err = self.process.communicate(timeout=120)
        self.proxy.drain()  # what was under way arrives
        return self.process.returncode, out, err

    def state(self) -> list[Json]:
        """The bots, without what no run has the same."""
        rows = self.stage.rows().values()
        own = {"id", "createdAt", "updatedAt", "instanceId"}
        bare = [{name: value for name, value in row.items() if name not in own} for row in rows]
        return sorted(bare, key=lambda row: json.dumps(row, sort_keys=True))


@pytest.fixture
def run(stage: Stage) -> Iterator[Run]:
    made = Run(stage)
    for path in (made.journal, made.journal.with_suffix(".old")):
        path.unlink(missing_ok=True)
    with made.proxy:
        yield made


def _results(out: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out)["results"]
    return found


@pytest.mark.parametrize(("number", "done"), _KILLED)
def test_a_run_that_was_killed_at_a_call_is_resumed(run: Run, number: int, done: bool) -> None:
    run.plan()
    code, out, err = run.apply()
    assert code == 0, err
    whole, results = run.state(), [(one["bot"], one["verb"], one["outcome"]) for one in _results(out)]
    assert not run.journal.exists()

    plan = run.plan()
    code, _, _ = run.apply(at=number, done=done)
    assert code == -signal.SIGKILL
    assert stat.S_IMODE(run.journal.stat().st_mode) == 0o600
    text = run.journal.read_text()
    assert plan.digest in text
    assert run.stage.sandbox.api_key not in text

    code, out, err = run.apply("--resume")
    assert code == 0, err
    assert [(one["bot"], one["verb"], one["outcome"]) for one in _results(out)] == results
    assert [one for one in run.state() if one not in whole] == []
    assert len(run.state()) == len(whole)
    assert not run.journal.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"plan": "', '"plan": "0'), "it is of an apply of another plan"),
        (lambda text: text.replace('"server": "', '"server": "x'), "it is of an apply to another server"),
        (lambda text: text.replace('"journal": 1', '"journal": 2'), "another version of this tool wrote it"),
        (lambda text: text + '{"done": 1}\n', "is damaged"),
        (lambda text: text + "\n", "is damaged"),
        (
            lambda text: text + '{"done": ["nowhere", "ana", "create", null, "", null]}\n',
            "that the plan lacks",
        ),
        (lambda text: text + '{"result": ["nowhere", "ana", "failed", "", null]}\n', "that the plan lacks"),
        (lambda text: "", "line 1 is damaged"),
    ],
)
def test_a_journal_that_is_not_of_this_apply_is_refused(run: Run, change: Any, said: str) -> None:
    run.plan()
    run.apply(at=5)
    run.journal.write_text(change(run.journal.read_text()))
    before = run.state()
    code, _, err = run.apply("--resume")
    assert code == 1
    assert said in err
    assert err.startswith("Error: .reconciler/journal is not resumed: ")
    assert run.state() == before


def test_half_a_last_line_is_dropped(run: Run) -> None:
    run.plan()
    run.apply(at=9)
    with run.journal.open("a") as file:
        file.write('{"done": ["loja", "an')
    code, out, err = run.apply("--resume")
    assert code == 0, err
    assert {one["outcome"] for one in _results(out)} == {"applied"}


def test_what_was_interrupted_is_not_begun_anew_by_mistake(run: Run) -> None:
    run.plan()
    run.apply(at=9)
    assert len(run.journal.read_text().splitlines()) > 1
    kept = run.journal.read_bytes()
    code, _, err = run.apply()
    assert (code, run.journal.read_bytes()) == (1, kept)
    assert err.startswith("Error: nothing was done: an apply of this plan was interrupted")
    plan_of_the_rest = run.stage.plan(run.stage.declare({w.instance: w.manifest for w in busy().worlds}))
    assert plan_of_the_rest.writes  # a new plan goes on too
    run.journal.unlink()
    code, _, err = run.apply("--resume")
    assert code == 1
    assert "there is nothing to resume: .reconciler/journal does not exist" in err


def test_no_link_is_followed(run: Run, tmp_path: Path) -> None:
    run.plan()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    run.journal.parent.mkdir(exist_ok=True)
    run.journal.symlink_to(elsewhere)
    code, _, err = run.apply("--resume")
    assert code == 1
    assert "a link" in err
    run.journal.unlink(missing_ok=True)
    run.journal.parent.rename(tmp_path / "moved")
    run.journal.parent.symlink_to(tmp_path / "moved")
    code, _, err = run.apply()
    run.journal.parent.unlink()
    assert code == 0, err
    assert "Warning: this apply cannot be resumed if it is interrupted: " in err
    assert elsewhere.read_text() == "mine"
    assert not (tmp_path / "moved" / "journal").exists()
