"""Runs workflows as GitHub's runner would, as far as these need it, and fails where they need more.

The scripts are run by bash as they stand in the YAML, with the files and variables that a runner gives them.
The few actions from elsewhere are known by their pinned commits and imitated: a checkout is git's own, with
its sparse paths; an upload puts into the stand-in. `python3` is this interpreter, but for `-m pip`: nothing
is downloaded, and `pip install` of a directory or a wheel makes a `reconciler` that runs the code in there,
and no other. So what a test sees is done by the very code that the workflow chose to install.

A job has the token, the secrets and the permissions that GitHub would give it: none of the secrets and no
writing for a fork, those of an environment only on the refs that the environment allows.
"""

from __future__ import annotations

import fnmatch
import io
import json
import os
import re
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.workflows.expressions import condition, interpolated
from tests.workflows.hub import REPOSITORY, Hub

Json = Any

_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
_UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
_DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"

_PIP = '''\
#!{python} -I
"""python3, but nothing is downloaded: pip install makes a command that runs what is there.

What is installed again, byte for byte, is not unpacked and compiled again.
"""
import hashlib, os, pathlib, shutil, sys, tempfile, zipfile
if sys.argv[1:3] != ["-m", "pip"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
match [arg for arg in sys.argv[3:] if arg not in ("--quiet", "--no-index")]:
    case ["install", "--require-hashes", "--only-binary", ":all:", "--requirement", lock]:
        assert "--hash=sha256:" in pathlib.Path(lock).read_text()
    case ["install", "--no-deps", "--no-build-isolation", directory]:
        source = pathlib.Path(directory).resolve(strict=True)
        assert source.suffix == ".whl" or (source / "pyproject.toml").is_file()
        wheel = source.is_file()
        found = [source] if wheel else sorted(source.glob("reconciler/**/*"))
        files = [path for path in found if path.is_file()]
        named = [(str(path.relative_to(source)), path.read_bytes()) for path in files]
        site = pathlib.Path({installed!r}, hashlib.sha256(repr(named).encode()).hexdigest())
        if not site.exists():
            site.parent.mkdir(exist_ok=True)
            made = pathlib.Path(tempfile.mkdtemp(dir=site.parent))
            if wheel:
                zipfile.ZipFile(source).extractall(made)
            else:
                shutil.copytree(source / "reconciler", made / "reconciler")
            made.rename(site)
        command = pathlib.Path(sys.argv[0]).with_name("reconciler")
        command.write_text(
            f"#!/bin/sh\\nPYTHONSAFEPATH=1 PYTHONPATH='{{site}}' exec {python} -m reconciler \\"$@\\"\\n"
        )
        command.chmod(0o755)
    case ["check"]:
        pass
    case other:
        sys.exit(f"pip is not imitated for {{other}}")
'''


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of the repository: the refs that may use it, and what they get."""

    refs: tuple[str, ...]
    secrets: Mapping[str, str]


@dataclass
class Step:
    """What became of one step. commands: of the workflow, which the runner obeyed. env: what it was given."""

    name: str
    outcome: str
    log: str = ""
    commands: list[tuple[str, str]] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class Job:
    """What became of one job: its steps, those of composite actions among them, and its outputs."""

    name: str
    result: str
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """All that its steps printed."""
        return "".join(step.log for step in self.steps)

    @property
    def summary(self) -> str:
        """Its part of the run's page."""
        return "".join(step.summary for step in self.steps)

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The workflow commands that were obeyed: kind and text."""
        return [command for step in self.steps for command in step.commands]


@dataclass(frozen=True)
class Event:
    """What starts a run: name, payload, the commit and ref that it is about, the head's branch and commit."""

    name: str
    payload: Mapping[str, Json]
    sha: str
    ref: str
    head_branch: str
    head_sha: str

    @property
    def of_fork(self) -> bool:
        """Whether it comes from a fork's pull request."""
        pull: Json = self.payload.get("pull_request")
        return bool(pull) and pull["head"]["repo"]["full_name"] != REPOSITORY


@dataclass
class Run:
    """A workflow's run: its jobs by name, those of a matrix as `name (value)`. attempt: to run it."""

    id: int
    workflow: Json
    event: Event
    jobs: dict[str, Job] = field(default_factory=dict)
    attempt: int = 1

    def needed(self, name: str) -> Job:
        """A job as others that need it see it: all of a matrix as one."""
        jobs = [job for job in self.jobs.values() if job.name.partition(" (")[0] == name]
        worst = min(jobs, key=lambda job: ("failure", "success", "skipped").index(job.result))
        return Job(name, worst.result, outputs=jobs[-1].outputs)

    @property
    def conclusion(self) -> str:
        """As GitHub has it; jobs that were skipped do no harm."""
        return "failure" if any(job.result == "failure" for job in self.jobs.values()) else "success"


class Runner:
    """Runs the workflows of a git repository. Everything that it ran stays in `runs`.

    lost: the names of jobs whose machines are lost before they do anything.
    """

    def __init__(self, git: Path, hub: Hub, environments: Mapping[str, Environment], directory: Path) -> None:
        self.git = git
        self.hub = hub
        self.environments = environments
        self.directory = directory
        self.installed = directory.parents[1] / "installed"  # which the tests of a process share
        self.runs: list[Run] = []
        self.lost: set[str] = set()

    def run(self, file: str, event: Event) -> Run | None:
        """Runs .github/workflows/FILE of the event's commit; None where the event does not start it."""
        path = f".github/workflows/{file}"
        workflow = YAML(typ="safe", pure=True).load(_git(self.git, "show", f"{event.sha}:{path}"))
        if not self._starts(workflow[True] if True in workflow else workflow["on"], event):
            return None
        run = Run(next(self.hub.numbers), workflow, event)
        self.runs.append(run)
        about: Json = {
            "path": path,
            "event": event.name,
            "conclusion": None,
            "head_sha": event.head_sha,
            "head_branch": event.head_branch,
            "display_title": self._title(workflow, event),
            "repository": {"full_name": REPOSITORY},
            "head_repository": {"full_name": REPOSITORY},
        }
        if event.of_fork:
            about["head_repository"] = event.payload["pull_request"]["head"]["repo"]
        self.hub.runs[run.id] = about
        self._jobs(run, lambda name, of: True)
        return run

    def rerun_failed(self, run: Run) -> None:
        """What "Re-run failed jobs" does: those, and the jobs that need them."""
        failed = {name for name, job in run.jobs.items() if job.result == "failure"}
        again = {name.partition(" (")[0] for name in failed}
        for name, job in run.workflow["jobs"].items():
            if again & set(_needs(job)):
                again.add(name)
        run.attempt += 1
        self._jobs(run, lambda name, of: name in failed if " (" in name else of in again)

    def _jobs(self, run: Run, runs: Callable[[str, str], bool]) -> None:
        for of, job in run.workflow["jobs"].items():
            for about in _matrix(of, job):
                if runs(about.name, of):
                    run.jobs.pop(of, None)  # a matrix that was skipped
                    run.jobs[about.name] = _Job(self, run, about, job).run()
        self.hub.runs[run.id]["conclusion"] = run.conclusion

    @staticmethod
    def _title(workflow: Json, event: Event) -> str:
        """What a list of runs calls it: the run-name, or what the event is about where that is blank."""
        context = {"inputs": event.payload.get("inputs", {})}
        return interpolated(workflow.get("run-name", ""), context).strip() or f"{event.name} of {event.sha}"

    def _starts(self, on: Json, event: Event) -> bool:
        if event.name not in on:
            return False
        if event.name == "schedule":
            return True
        given = on[event.name] or {}
        assert set(given) <= {"branches", "paths", "inputs", "types"}, given
        if "action" in event.payload and event.payload["action"] not in given.get("types", _TYPES):
            return False
        pull: Json = event.payload.get("pull_request")
        group: Json = event.payload.get("merge_group")
        branch = pull["base"]["ref"] if pull else group["base_ref"] if group else event.ref
        branch = branch.removeprefix("refs/heads/")
        if branch not in given.get("branches", [branch]):
            return False
        if "paths" in given:
            [path] = given["paths"]
            assert path.endswith("bots/**")
            changed = _git(self.git, "diff", "--name-only", event.payload["before"], event.sha)
            return any(each.startswith(path.removesuffix("**")) for each in changed.splitlines())
        return True


@dataclass(frozen=True)
class _About:
    """A job's name, and its place in a matrix, if it is of one."""

    name: str
    matrix: Mapping[str, Json] = field(default_factory=dict)
    total: int = 1


def _needs(job: Json) -> list[str]:
    needs: str | list[str] = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def _matrix(name: str, job: Json) -> list[_About]:
    """The jobs that a job stands for."""
    if "strategy" not in job:
        return [_About(name)]
    assert job["strategy"]["fail-fast"] is False
    [(key, values)] = job["strategy"]["matrix"].items()
    assert 1 <= len(values) <= 256
    return [_About(f"{name} ({value})", {key: value}, len(values)) for value in values]


_TYPES = ("opened", "synchronize", "reopened")
"""What starts a workflow for pull requests that does not say it."""


class _Job:
    def __init__(self, runner: Runner, run: Run, about: _About, job: Json) -> None:
        known = {
            "env",
            "strategy",
            "needs",
            "if",
            "runs-on",
            "timeout-minutes",
            "environment",
            "permissions",
            "outputs",
            "steps",
        }
        assert set(job) <= known, set(job) - known
        workflow, event = run.workflow, run.event
        assert workflow["permissions"] == {}
        assert workflow["defaults"] == {"run": {"shell": "bash"}}
        self.runner, self.run_, self.job, self.event = runner, run, job, event
        self.result = Job(about.name, "success")
        self.temp = runner.directory / f"{run.id}-{run.attempt}-{about.name.replace(' ', '-')}"
        self.workspace = self.temp / "workspace"
        self.bin = self.temp / "bin"
        self.token = f"token-{secrets.token_hex(8)}"
        self.needs = {each: run.needed(each) for each in _needs(job)}
        self.steps: dict[str, Json] = {}
        self.context: dict[str, Any] = {
            "github": {
                "event": event.payload,
                "event_name": event.name,
                "sha": event.sha,
                "ref": event.ref,
                "repository": REPOSITORY,
                "server_url": runner.hub.url,
                "run_id": run.id,
                "run_attempt": run.attempt,
                "token": self.token,
            },
            "matrix": about.matrix,
            "strategy": {"job-total": about.total},
            "runner": {"temp": str(self.temp)},
            "inputs": event.payload.get("inputs", {}),
            "env": workflow["env"],
            "needs": {
                each.name: {"outputs": each.outputs, "result": each.result} for each in self.needs.values()
            },
            "steps": self.steps,
            "secrets": {},
            "always()": lambda: True,
            "cancelled()": lambda: False,
            "success()": lambda: self.result.result == "success",
            "failure()": lambda: self.result.result == "failure",
        }

    def _starts(self) -> bool:
        """Whether its condition holds, in which success() and failure() are about the jobs that it needs."""
        results = {each.result for each in self.needs.values()}
        of_jobs = {"success()": lambda: results <= {"success"}, "failure()": lambda: "failure" in results}
        return condition(self.job.get("if", True), {**self.context, **of_jobs})

    def run(self) -> Job:
        if not self._starts():
            self.result.result = "skipped"
            return self.result
        if self.result.name in self.runner.lost:
            self.result.result = "failure"
            return self.result
        self.context["env"] = {
            **self.context["env"],
            **{name: interpolated(value, self.context) for name, value in self.job.get("env", {}).items()},
        }
        self.context["secrets"] = self._secrets()
        level = {"write": "read"} if self.event.of_fork else {}
        permissions = {name: level.get(what, what) for name, what in self.job["permissions"].items()}
        self.runner.hub.permissions[self.token] = permissions
        self.workspace.mkdir(parents=True)
        self.bin.mkdir()
        python = self.bin / "python3"
        python.write_text(_PIP.format(python=sys.executable, installed=str(self.runner.installed)))
        python.chmod(0o755)
        self._all(self.job["steps"], self.context, None)
        self.result.outputs = {
            name: interpolated(value, self.context) for name, value in self.job.get("outputs", {}).items()
        }
        del self.runner.hub.permissions[self.token]  # it ends with the job
        return self.result

    def _secrets(self) -> Mapping[str, str]:
        name = self.job.get("environment")
        if name is None or self.event.of_fork:
            return {}
        environment = self.runner.environments[name]
        assert any(fnmatch.fnmatch(self.event.ref, ref) for ref in environment.refs), (name, self.event.ref)
        return environment.secrets

    def _all(self, steps: Json, context: Mapping[str, Any], action: Path | None) -> None:
        for step in steps:
            known = {"name", "id", "if", "uses", "with", "run", "env", "working-directory", "shell"}
            assert set(step) <= known, set(step) - known
            done = Step(step.get("name", step.get("uses", "")), "skipped")
            self.result.steps.append(done)
            if condition(step.get("if", True), context):
                given = {name: interpolated(value, context) for name, value in step.get("env", {}).items()}
                done.env = given
                if "run" in step:
                    assert step.get("shell", "bash") == "bash"
                    assert action is None or "shell" in step, "a composite action has to name its shell"
                    directory = interpolated(step.get("working-directory", ""), context)
                    ok = self._script(done, step["run"], self.workspace / directory, action)
                else:
                    inputs = {name: interpolated(v, context) for name, v in step.get("with", {}).items()}
                    ok = self._action(done, step["uses"], inputs)
                done.outcome = "success" if ok else "failure"
                if not ok:
                    self.result.result = "failure"
            if "id" in step:
                assert action is None
                self.steps[step["id"]] = {"outcome": done.outcome, "outputs": done.outputs}

    # -- scripts ------------------------------------------------------------------------------

    def _script(self, step: Step, script: str, directory: Path, action: Path | None) -> bool:
        assert "${{" not in script, "an expression in a script"
        files = {name: self.temp / f"{name}-{len(self.result.steps)}" for name in ("OUTPUT", "STEP_SUMMARY")}
        unused = self.temp / "ENV-and-PATH"
        for path in (*files.values(), unused):
            path.touch()
        event = self.temp / "event.json"
        event.write_text(json.dumps(self.event.payload))
        body = self.temp / "script.sh"
        body.write_text(script)
        step.env = {
            "PATH": os.pathsep.join([str(self.bin), os.environ["PATH"]]),
            "HOME": str(self.temp),
            "LANG": "C.UTF-8",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.runner.hub.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ATTEMPT": str(self.run_.attempt),
            **self.context["env"],
            "GITHUB_SHA": self.event.sha,
            "GITHUB_REF": self.event.ref,
            "GITHUB_REF_NAME": self.event.ref.removeprefix("refs/heads/"),
            "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ENV": str(unused),
            "GITHUB_PATH": str(unused),
            **{f"GITHUB_{name}": str(path) for name, path in files.items()},
            **({"GITHUB_ACTION_PATH": str(action)} if action else {}),
            **step.env,
        }
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", body],
            cwd=directory,
            env=step.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert not unused.read_text(), "a step changed the steps after it"
        step.log, masks = masked(ended.stdout)
        for mask in masks:
            step.log = step.log.replace(mask, "***")
        step.commands = obeyed(step.log)
        step.summary = files["STEP_SUMMARY"].read_text()
        assert len(step.summary.encode()) <= 2**20
        for line in files["OUTPUT"].read_text().splitlines():
            name, value = re.fullmatch(r"([a-z-]+)=([\w -]*)", line).groups()  # type: ignore[union-attr]
            step.outputs[name] = value
        return ended.returncode == 0

    # -- actions ------------------------------------------------------------------------------

    def _action(self, step: Step, uses: str, inputs: dict[str, str]) -> bool:
        if uses.startswith("./"):
            path = (self.workspace / uses).resolve()
            action = YAML(typ="safe", pure=True).load((path / "action.yml").read_text())
            assert action["runs"]["using"] == "composite"
            assert set(inputs) <= set(action["inputs"])
            given = {name: inputs.get(name, about["default"]) for name, about in action["inputs"].items()}
            before = self.result.result
            self._all(action["runs"]["steps"], {**self.context, "inputs": given}, path)
            return self.result.result == before
        match uses:
            case str() if uses == _CHECKOUT:
                self._checkout(inputs)
            case str() if uses == _PYTHON:
                assert inputs == {"python-version": "3.13"}
            case str() if uses == _UPLOAD:
                return self._upload(step, inputs)
            case str() if uses == _DOWNLOAD:
                self._download(inputs)
            case _:
                raise AssertionError(f"{uses} is not imitated")
        return True

    def _checkout(self, inputs: dict[str, str]) -> None:
        assert inputs.pop("persist-credentials") == "false"
        to = self.workspace / inputs.pop("path", "")
        ref = inputs.pop("ref", self.event.sha)
        assert re.fullmatch("[0-9a-f]{40}|refs/heads/.+", ref)
        _git(self.workspace, "init", "--quiet", str(to))
        if sparse := inputs.pop("sparse-checkout", ""):
            assert inputs.pop("sparse-checkout-cone-mode") == "false"
            _git(to, "config", "core.sparseCheckout", "true")
            (to / ".git" / "info").mkdir(exist_ok=True)
            (to / ".git" / "info" / "sparse-checkout").write_text(f"{sparse}\n")
        depth = inputs.pop("fetch-depth", "1")
        whole = [] if depth == "0" else [f"--depth={depth}"]
        _git(to, "fetch", "--quiet", *whole, self.runner.git.as_uri(), ref)
        _git(to, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        assert not inputs, inputs

    def _upload(self, step: Step, inputs: dict[str, str]) -> bool:
        assert inputs.pop("overwrite") == "true"
        assert 1 <= int(inputs.pop("retention-days")) <= 90
        missing = inputs.pop("if-no-files-found")
        name, paths = inputs.pop("name"), [self.workspace / path for path in inputs.pop("path").split()]
        assert not inputs, inputs
        files = [each for path in paths for each in (path.iterdir() if path.is_dir() else [path])]
        found = {path.name: path.read_bytes() for path in files if path.exists()}
        if not found:
            return missing == "ignore"
        number = self.runner.hub.keep(self.run_.id, name, found)
        url = f"{self.runner.hub.url}/{REPOSITORY}/actions/runs/{self.run_.id}/artifacts/{number}"
        step.outputs["artifact-url"] = url
        return True

    def _download(self, inputs: dict[str, str]) -> None:
        """Of this run alone, the newest of each name; a single one without a directory of its own."""
        pattern, to = inputs.pop("pattern"), Path(inputs.pop("path"))
        assert not inputs, inputs
        found = {
            about["name"]: content
            for about, content in self.runner.hub.artifacts.values()
            if about["workflow_run"]["id"] == self.run_.id and fnmatch.fnmatch(about["name"], pattern)
        }
        to.mkdir()
        for name, content in found.items():
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(to if len(found) == 1 else to / name)


def obeyed(log: str) -> list[tuple[str, str]]:
    """The workflow commands in a log that the runner would obey: kind with properties, and text."""
    return [command for command, _ in _lines(log) if command]


def masked(log: str) -> tuple[str, list[str]]:
    """A log without the commands that say what to mask, and what they say."""
    lines = list(_lines(log))
    masks = [command[1] for command, _ in lines if command and command[0] == "add-mask"]
    return "".join(line for command, line in lines if not command or command[0] != "add-mask"), masks


def _lines(log: str) -> Iterator[tuple[tuple[str, str] | None, str]]:
    """Each line, and the command in it that is obeyed, if there is one."""
    stopped = None
    for line in log.splitlines(keepends=True):
        command = re.match(r"\s*::([^:]*?)::(.*)", line) or re.search(r"##\[([^\]]*)\](.*)", line)
        if command is None:
            yield None, line
            continue
        kind, text = command[1], command[2]
        if stopped is not None:
            stopped = None if kind == stopped else stopped
            yield None, line
        elif kind == "stop-commands":
            stopped = text
            yield None, line
        else:
            yield (kind, text), line
    assert stopped is None, "commands were left stopped"


def _git(directory: Path, *args: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    ended = subprocess.run(
        ["git", "-C", str(directory), *args], capture_output=True, text=True, env=env, check=False
    )
    assert ended.returncode == 0, (args, ended.stderr)
    return ended.stdout
