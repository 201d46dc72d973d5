"""The action for workflows of one's own: its steps run, its tables are those of the documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.sandbox import Sandbox
from tests.support import World
from tests.workflows.expressions import condition, interpolated
from tests.workflows.hub import BOT, REPOSITORY, Hub
from tests.workflows.project import ROOT
from tests.workflows.runner import obeyed

_DIRECTORY = ROOT / ".github" / "actions" / "run"
_ACTION: Any = YAML(typ="safe", pure=True).load((_DIRECTORY / "action.yml").read_text(encoding="utf-8"))
_PAGE = (ROOT / "docs" / "guides" / "action.md").read_text(encoding="utf-8")
_HEAD = "a" * 40

_MANIFEST = """\
bots:
  menu:
    {openaiCreds: main, botType: chatCompletion, model: gpt-4o, maxTokens: 100, triggerType: all}
"""


@dataclass
class Done:
    """What a run of the action came to."""

    ok: bool = True
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)


@dataclass
class Job:
    """A job with a checkout of manifests, on a pull request."""

    directory: Path
    hub: Hub
    server: Sandbox
    world: World

    def run(self, **given: str) -> Done:
        """Runs the action's scripts, as far as they download nothing."""
        assert set(given) <= set(_ACTION["inputs"])
        inputs = {name: given.get(name, about["default"]) for name, about in _ACTION["inputs"].items()}
        done = Done()
        steps: dict[str, dict[str, dict[str, str]]] = {"run": {"outputs": {}}}
        event = {"pull_request": {"number": 7, "head": {"sha": _HEAD}}}
        context = {
            "inputs": inputs,
            "github": {"token": "token", "event": event},
            "steps": steps,
            "always()": lambda: True,
            "success()": lambda: done.ok,
        }
        for step in _ACTION["runs"]["steps"]:
            if "run" not in step or step["name"] == "Install" or not condition(step.get("if", True), context):
                continue
            files = {name: self.directory.with_name(name) for name in ("OUTPUT", "STEP_SUMMARY")}
            for path in files.values():
                path.write_text("")
            ended = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.directory,
                env={
                    "PATH": os.environ["PATH"],
                    "RUNNER_TEMP": str(self.directory.parent),
                    "GITHUB_API_URL": self.hub.url,
                    "GITHUB_REPOSITORY": REPOSITORY,
                    **{f"GITHUB_{name}": str(path) for name, path in files.items()},
                    **{name: interpolated(value, context) for name, value in step["env"].items()},
                },
                capture_output=True,
                text=True,
                check=False,
            )
            done.steps.append(step["name"])
            done.log += ended.stdout + ended.stderr
            done.summary += files["STEP_SUMMARY"].read_text()
            if "id" in step:
                said = [line.partition("=") for line in files["OUTPUT"].read_text().splitlines()]
                steps[step["id"]] = {"outputs": {name: value for name, _, value in said}}
            done.ok &= ended.returncode == 0
        done.outputs = {
            name: interpolated(about["value"], context) for name, about in _ACTION["outputs"].items()
        }
        return done


@pytest.fixture
def job(tmp_path: Path, sandbox: Sandbox) -> Iterator[Job]:
    workspace = tmp_path / "workspace"
    (workspace / "bots").mkdir(parents=True)
    (workspace / "bots" / "loja.yaml").write_text(_MANIFEST)
    tools = tmp_path / "reconciler" / "bin"
    tools.mkdir(parents=True)
    (tools / "python3").symlink_to(sys.executable)
    (tools / "github.py").symlink_to(ROOT / ".github" / "actions" / "reconciler" / "github.py")
    command = tools / "reconciler"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o755)
    with Hub(workspace) as hub, World(sandbox.url, sandbox.api_key) as world:
        world.instance("loja", "main")
        hub.permissions["token"] = {"pull-requests": "write"}
        hub.pulls[7] = {"number": 7, "state": "open", "head": {"sha": _HEAD}, "user": BOT}
        yield Job(workspace, hub, sandbox, world)


def test_a_plan_and_its_apply(job: Job) -> None:
    server = {"server": job.server.url, "api-key": job.server.api_key}
    planned = job.run(**server, comment="true")
    assert (planned.ok, planned.outputs["changes"]) == (True, "1"), planned.log
    saved = json.loads(Path(planned.outputs["plan"]).read_text())
    assert planned.outputs["digest"] == saved["digest"]
    assert "menu" in planned.summary
    [comment] = job.hub.comments[7]
    assert comment["body"].startswith("<!-- reconciler-action-plan -->\n")
    assert job.world.bots("loja") == []

    applied = job.run(**server, command="apply")
    assert (applied.ok, applied.outputs["changes"]) == (True, "1"), applied.log
    assert applied.outputs["digest"] == saved["digest"]
    assert (applied.steps, len(job.hub.comments[7])) == (["Run"], 1), "no comment was asked for"
    assert len(job.world.bots("loja")) == 1
    assert job.run(**server).outputs["changes"] == "0"
    assert job.server.api_key not in planned.log + applied.log + planned.summary + str(job.hub.comments)


@pytest.mark.parametrize(("prune", "left"), [("", 1), ("never", 1), ("always", 0)])
def test_prune(job: Job, prune: str, left: int) -> None:
    server = {"server": job.server.url, "api-key": job.server.api_key, "command": "apply"}
    assert job.run(**server).ok
    (job.directory / "bots" / "loja.yaml").write_text("bots: {}\n")
    (job.directory / "reconciler.toml").write_text("max-delete-share = 100\n")
    assert job.run(**server, prune=prune).ok
    assert len(job.world.bots("loja")) == left


def test_what_needs_no_server(job: Job) -> None:
    assert job.run(command="validate").ok
    assert job.run(command="test").steps == ["Run"]
    (job.directory / "bots" / "loja.yaml").write_text("bots: {menu: {model: gpt-4o, nonsense: 1}}\n")
    wrong = job.run(command="validate", comment="true")
    assert (wrong.ok, wrong.steps) == (False, ["Run"])
    assert obeyed(wrong.log)[0][0].startswith("error file=bots/loja.yaml,")


def test_a_plan_that_cannot_be_made(job: Job) -> None:
    failed = job.run(server=job.server.url, **{"api-key": "wrong"}, comment="true")
    assert (failed.ok, failed.steps) == (False, ["Run"])
    assert failed.outputs == {"changes": "", "plan": "", "digest": ""}


def test_another_command_is_refused(job: Job) -> None:
    refused = job.run(command="disable", server=job.server.url, **{"api-key": job.server.api_key})
    assert (refused.ok, obeyed(refused.log)) == (
        False,
        [("error", "The input command is none of validate, test, plan and apply.")],
    )


def test_only_the_step_that_runs_the_command_has_the_key() -> None:
    keyed = [step["name"] for step in _ACTION["runs"]["steps"] if "inputs.api-key" in str(step)]
    assert keyed == ["Run"]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def tables() -> list[str]:
    """The inputs and the outputs, as the page has them."""
    inputs = "".join(
        _row(f"`{name}`", about["default"] and f"`{about['default']}`", about["description"])
        for name, about in _ACTION["inputs"].items()
    )
    outputs = "".join(_row(f"`{name}`", about["description"]) for name, about in _ACTION["outputs"].items())
    return ["| input | default | |\n|---|---|---|\n" + inputs, "| output | |\n|---|---|\n" + outputs]


@pytest.mark.parametrize("table", tables(), ids=["inputs", "outputs"])
def test_the_page_has_the_tables(table: str) -> None:
    assert f"\n\n{table}\n" in _PAGE, table


def test_the_example_uses_what_there_is() -> None:
    example = YAML(typ="safe", pure=True).load(_PAGE.partition("```yaml\n")[2].partition("```")[0])
    [step] = [step for step in example["jobs"]["plan"]["steps"] if step.get("id") == "reconciler"]
    assert step["uses"] == f"OWNER/REPO/{_DIRECTORY.relative_to(ROOT)}@v1"
    assert set(step["with"]) <= set(_ACTION["inputs"])
