"""A repository made from this one, with people who push to it, open pull requests and merge them.

Its workflows and its reconciler are this repository's as it stands now; its bots are one instance of three.
What happens on GitHub happens by methods named after it, each of which runs the workflows that it starts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from reconciler.cli.commands import main
from reconciler.sandbox import Sandbox
from tests.workflows.hub import REPOSITORY, Hub
from tests.workflows.runner import Environment, Event, Job, Run, Runner

ROOT = Path(__file__).parents[2]
KEY = "canary-of-the-server"
FORK = "mallory/bots"

LOJA = """\
defaults:
  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals}
bots:
  um: {maxTokens: 100, triggerValue: 1, systemMessages: ["Sim."]}
  dois: {maxTokens: 200, triggerValue: 2, systemMessages: [!file prompts/dois.md]}
  tres: {maxTokens: 300, triggerValue: 3}
"""

Edit = Callable[[Path], object]


def template(directory: Path) -> Path:
    """The repository's first commit, to be copied."""
    directory.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "ci.yml")
    for name in (".github", "reconciler"):
        shutil.copytree(ROOT / name, directory / name, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", directory)
    (directory / "bots" / "prompts").mkdir(parents=True)
    (directory / "bots" / "loja.yaml").write_text(LOJA)
    (directory / "bots" / "prompts" / "dois.md").write_text("Fale de prazos.\n")
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(directory, "first")
    return directory


def git(directory: Path, *args: str) -> str:
    """One git command; what it says."""
    who = {f"GIT_{role}_{what}": "someone" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1", **who}
    command = ["git", "-C", str(directory), *args]
    ended = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert ended.returncode == 0, (args, ended.stderr)
    return ended.stdout.strip()


def commit(directory: Path, message: str) -> str:
    """Commits all that is there; the commit's sha."""
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(directory, "rev-parse", "HEAD")


@dataclass
class Pull:
    """A pull request and the runs of plan.yml for it, the newest last."""

    number: int
    branch: str
    runs: list[Run]

    def job(self, name: str) -> Job:
        """A job of the newest run."""
        return self.runs[-1].jobs[name]


class Project:
    """The repository on GitHub, beside a server that has its instance and credential."""

    def __init__(self, git: Path, hub: Hub, server: Sandbox, directory: Path, keys: str = "") -> None:
        self.git = git
        self.hub = hub
        self.server = server
        given = {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": KEY}
        environments = {
            "plan": Environment(("refs/pull/*/merge",), given),
            "production": Environment(("refs/heads/main",), {**given, "RECONCILER_SECRETS": keys}),
        }
        self.runner = Runner(git, hub, environments, directory)
        server.seed({"loja": ["main"]})

    def apply_by_hand(self) -> None:
        """Makes the server what main says, as a person would from their own machine."""
        env = {"EVOLUTION_API_URL": self.server.url, "EVOLUTION_API_KEY": KEY}
        done = CliRunner().invoke(main, ["apply", "--yes", "--bots", str(self.git / "bots")], env=env)
        assert done.exit_code == 0, done.stderr

    # -- what people do -----------------------------------------------------------------------

    def open(
        self,
        branch: str,
        edit: Edit,
        *,
        fork: bool = False,
        base: str = "main",
        start: str = "",
        author: str = "someone",
    ) -> Pull:
        """A pull request of a new branch with one edit, begun at the base branch or at another start."""
        pull = Pull(next(self.hub.numbers), branch, [])
        git(self.git, "checkout", "--quiet", "-b", branch, start or base)
        owner = FORK if fork else REPOSITORY
        self.hub.pulls[pull.number] = {
            "number": pull.number,
            "merged_at": None,
            "user": {"login": author},
            "labels": [],
            "head": {"ref": branch, "repo": {"full_name": owner}},
            "base": {"ref": base, "sha": git(self.git, "rev-parse", base), "repo": {"full_name": REPOSITORY}},
        }
        return self._pushed(pull, edit)

    def push(self, pull: Pull, edit: Edit) -> Pull:
        """One more edit on the pull request's branch."""
        git(self.git, "checkout", "--quiet", pull.branch)
        self.hub.pulls[pull.number]["base"]["sha"] = git(self.git, "rev-parse", "main")
        return self._pushed(pull, edit)

    def _pushed(self, pull: Pull, edit: Edit) -> Pull:
        about = self.hub.pulls[pull.number]
        edit(self.git)
        about["head"]["sha"] = commit(self.git, "edit")
        about["files"] = git(self.git, "diff", "--name-only", "main...HEAD").splitlines()
        return self.plan(pull)

    def label(self, pull: Pull, name: str) -> Pull:
        """Somebody who may triage adds a label."""
        self.hub.pulls[pull.number]["labels"].append({"name": name})
        return self.plan(pull, "labeled")

    def revert(self, branch: str) -> Pull:
        """A pull request that reverts the last merge, as GitHub's button makes it."""

        def edit(git_: Path) -> None:
            git(git_, "revert", "--no-commit", "-m", "1", "HEAD")

        return self.open(branch, edit)

    def plan(self, pull: Pull, action: str = "synchronize") -> Pull:
        """What plan.yml does for the pull request as it is."""
        about = json.loads(json.dumps(self.hub.pulls[pull.number]))
        git(self.git, "checkout", "--quiet", "--detach", about["base"]["ref"])
        git(self.git, "merge", "--quiet", "--no-ff", "--message", "merge", about["head"]["sha"])
        payload = {"pull_request": about, "action": action}
        head = about["head"]
        event = Event(
            "pull_request",
            payload,
            git(self.git, "rev-parse", "HEAD"),
            f"refs/pull/{pull.number}/merge",
            head["ref"],
            head["sha"],
        )
        git(self.git, "checkout", "--quiet", "main")
        run = self.runner.run("plan.yml", event)
        if run is not None:
            pull.runs.append(run)
        return pull

    def merge(self, *pulls: Pull, apply: bool = True) -> Job | None:
        """Merges pull requests, and pushes them at once; the apply, if there is one."""
        before = git(self.git, "rev-parse", "main")
        git(self.git, "checkout", "--quiet", "main")
        for pull in pulls:
            git(self.git, "merge", "--quiet", "--no-ff", "--message", "merge", pull.branch)
            self.hub.introduced[git(self.git, "rev-parse", "HEAD")] = [pull.number]
            self.hub.pulls[pull.number]["merged_at"] = "2026-01-01T00:00:00Z"
        return self._apply(before) if apply else None

    def push_to_main(self, edit: Edit, *, apply: bool = True) -> Job | None:
        """A commit without a pull request; the apply, if there is one."""
        before = git(self.git, "rev-parse", "main")
        git(self.git, "checkout", "--quiet", "main")
        edit(self.git)
        commit(self.git, "direct")
        return self._apply(before) if apply else None

    def _apply(self, before: str) -> Job | None:
        sha = git(self.git, "rev-parse", "main")
        return self.apply(Event("push", {"before": before}, sha, "refs/heads/main", "main", sha))

    def dispatch(self, **inputs: Any) -> Job | None:
        """The apply, started by hand."""
        sha = git(self.git, "rev-parse", "main")
        given = {"inputs": {name.replace("_", "-"): value for name, value in inputs.items()}}
        return self.apply(Event("workflow_dispatch", given, sha, "refs/heads/main", "main", sha))

    def apply(self, event: Event) -> Job | None:
        """What apply.yml does for an event."""
        run = self.runner.run("apply.yml", event)
        return None if run is None else run.jobs["apply"]

    def queue(self, *pulls: Pull) -> Run:
        """What plan.yml does when pull requests wait in a merge queue, for the last of them."""
        git(self.git, "checkout", "--quiet", "--detach", "main")
        for pull in pulls:
            git(self.git, "merge", "--quiet", "--no-ff", "--message", "merge", pull.branch)
        sha, base = git(self.git, "rev-parse", "HEAD"), git(self.git, "rev-parse", "HEAD^1")
        git(self.git, "checkout", "--quiet", "main")
        ref = f"refs/heads/gh-readonly-queue/main/pr-{pulls[-1].number}-{base}"
        group = {"head_sha": sha, "head_ref": ref, "base_sha": base, "base_ref": "refs/heads/main"}
        run = self.runner.run("plan.yml", Event("merge_group", {"merge_group": group}, sha, ref, ref, sha))
        assert run is not None
        return run

    def drift(self) -> Job:
        """What drift.yml does on its schedule."""
        sha = git(self.git, "rev-parse", "main")
        run = self.runner.run("drift.yml", Event("schedule", {}, sha, "refs/heads/main", "main", sha))
        assert run is not None
        return run.jobs["drift"]

    # -- what is looked at --------------------------------------------------------------------

    def comments(self, pull: Pull) -> list[str]:
        """The texts of a pull request's comments."""
        return [comment["body"] for comment in self.hub.comments.get(pull.number, [])]

    def everything(self) -> str:
        """All that anybody could read afterwards: logs, summaries, outputs, calls, artifacts."""
        jobs = [job for run in self.runner.runs for job in run.jobs.values()]
        return "\n".join(
            [
                *(f"{job.log}{job.summary}{job.outputs}" for job in jobs),
                *(str(step.outputs) for job in jobs for step in job.steps),
                *(f"{call.path} {call.query} {call.body}" for call in self.hub.calls),
                *(content.decode("latin-1") for _, content in self.hub.artifacts.values()),
            ]
        )

    def steps_with(self, secret: str) -> set[str]:
        """The jobs and the names of the steps that were given a secret: `apply: Apply`."""
        jobs = [job for run in self.runner.runs for job in run.jobs.values()]
        return {f"{job.name}: {step.name}" for job in jobs for step in job.steps if secret in str(step.env)}


def add(line: str, file: str = "bots/prompts/dois.md") -> Edit:
    """An edit that adds a line to a file."""
    return lambda git: (git / file).write_text((git / file).read_text() + line + "\n")


def put(file: str, text: str) -> Edit:
    """An edit that writes a file."""

    def edit(git: Path) -> None:
        (git / file).parent.mkdir(parents=True, exist_ok=True)
        (git / file).write_text(text)

    return edit
