"""What `init --gitlab` writes, as people meet it: each script as it stands, against the sandbox."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from reconciler.setup.init import scaffold
from tests.gitlab.lab import FORK, PROJECT, TOKEN, Job, Lab
from tests.support import World
from tests.workflows.project import KEY, Edit, add, commit, git, put

_PROMPT = "bots/prompts/atendimento.md"
_KEYED = """\
credentials: {chave: {apiKey: !env OPENAI_KEY}}
bots:
  um: {openaiCreds: chave, botType: chatCompletion, model: gpt-4o, maxTokens: 100, triggerType: all}
"""


class Project:
    """The project on GitLab, with people who push, open merge requests and merge them."""

    def __init__(self, lab: Lab, server: Sandbox) -> None:
        self.lab, self.git, self.server = lab, lab.git, server
        self._numbers = itertools.count(1)

    def open(self, branch: str, edit: Edit, *, fork: bool = False) -> tuple[int, dict[str, Job]]:
        """A merge request of a new branch with one edit; its number and its pipeline's jobs."""
        iid = next(self._numbers)
        git(self.git, "checkout", "--quiet", "-b", branch, "main")
        about = {"iid": iid, "state": "opened", "target_branch": "main", "source_branch": branch}
        about |= {"source_project_id": int(FORK if fork else PROJECT), "target_project_id": int(PROJECT)}
        self.lab.requests[iid] = about
        return iid, self.push(iid, edit)

    def push(self, iid: int, edit: Edit) -> dict[str, Job]:
        """One more edit of the merge request's branch."""
        about = self.lab.requests[iid]
        git(self.git, "checkout", "--quiet", about["source_branch"])
        edit(self.git)
        about["sha"] = commit(self.git, "edit")
        git(self.git, "checkout", "--quiet", "main")
        before = git(self.git, "merge-base", "main", about["sha"])
        return self.lab.pipeline("merge_request_event", about["sha"], before, iid)

    def merge(self, iid: int, *, runs: bool = True) -> dict[str, Job]:
        """Merge it; the jobs of the pipeline of main, if there is a runner for it."""
        before = git(self.git, "rev-parse", "main")
        git(
            self.git,
            "merge",
            "--quiet",
            "--no-ff",
            "--message",
            "merge",
            self.lab.requests[iid]["source_branch"],
        )
        sha = git(self.git, "rev-parse", "main")
        self.lab.introduced[sha] = [iid]
        self.lab.requests[iid]["state"] = "merged"
        return self.lab.pipeline("push", sha, before) if runs else {}

    def main(self, source: str, apply: str = "") -> dict[str, Job]:
        """A pipeline of main that a person or a schedule starts."""
        sha = git(self.git, "rev-parse", "main")
        return self.lab.pipeline(source, sha, sha, apply=apply)

    def notes(self, iid: int) -> list[str]:
        """The texts of its notes."""
        return [each["body"] for each in self.lab.notes.get(iid, [])]


@pytest.fixture(scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gitlab") / "git"
    scaffold(directory, "loja", forge="gitlab")
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(directory, "first")
    return directory


@pytest.fixture
def project(_template: Path, tmp_path: Path) -> Iterator[Project]:
    """The project, with a server that has its instance. Afterwards no secret stands anywhere."""
    shutil.copytree(_template, tmp_path / "git")
    with Sandbox(api_key=KEY) as server:
        server.seed({"loja": ["loja-openai"]})
        given = {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": KEY}
        variables = {"*": {"GITLAB_TOKEN": TOKEN}, "plan": given, "production": dict(given)}
        with Lab(tmp_path / "git", tmp_path / "jobs", variables) as lab:
            project = Project(lab, server)
            assert project.main("web", "unreviewed")["apply"].result == "success"
            server.calls.clear()
            yield project
            shown = lab.everything()
            assert KEY not in shown
            assert TOKEN not in shown
            assert "canary-of-keys" not in shown
            assert {job.name for job in lab.ran if KEY in job.env.values()} <= {
                *("plan", "apply", "drift", "rotate-keys")
            }
            assert all("private-token" not in call.headers for call in lab.stored)


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    """The same server, as a person sees it who works on it by hand."""
    with World(project.server.url, KEY) as world:
        yield world


def _results(jobs: dict[str, Job]) -> dict[str, str]:
    return {name: job.result for name, job in jobs.items()}


def _prompts(world: World) -> str:
    return str([bot["systemMessages"] for bot in world.bots("loja")])


def test_the_whole_story(project: Project, world: World) -> None:
    iid, jobs = project.open("prazo", add("Diga sempre o prazo.", _PROMPT))
    assert _results(jobs) == {"validate": "success", "plan": "success"}
    [note] = project.notes(iid)
    assert "Diga sempre o prazo." in note
    jobs = project.push(iid, add("Nunca prometa.", _PROMPT))
    [note] = project.notes(iid)
    assert "Nunca prometa." in note
    assert project.server.writes == []
    assert _results(project.merge(iid)) == {"apply": "success"}
    assert [call.method for call in project.server.writes] == ["PUT"]
    assert "Nunca prometa." in _prompts(world)
    assert "applied" in project.notes(iid)[1]
    # No drift, no issue; an edit by hand opens one, which is edited and closed again.
    assert _results(project.main("schedule")) == {"drift": "success"}
    assert project.lab.issues == {}
    bot = world.bots("loja")[0]
    world.change("loja", bot, systemMessages=["Talvez."])
    for _ in range(2):
        assert _results(project.main("schedule")) == {"drift": "success"}
    [issue] = project.lab.issues.values()
    assert "Talvez." in issue["description"]
    assert issue["labels"] == "drift"
    world.change("loja", bot)
    project.main("schedule")
    assert (len(project.lab.issues), issue["state"]) == (1, "closed")


def test_without_a_change_of_bots_nothing_is_planned_or_applied(project: Project) -> None:
    iid, jobs = project.open("docs", put("docs.md", "Words."))
    assert _results(jobs) == {"validate": "success"}
    assert project.merge(iid) == {}


def test_a_broken_manifest(project: Project) -> None:
    _, jobs = project.open("broken", put("bots/loja.yaml", "bots: 1\n"))
    assert _results(jobs) == {"validate": "failed"}
    assert "bots/loja.yaml:1:" in jobs["validate"].log


def test_a_fork_is_checked_and_has_no_secret(project: Project) -> None:
    iid, jobs = project.open("edit", add("Mais.", _PROMPT), fork=True)
    assert _results(jobs) == {"validate": "success"}
    assert not {KEY, TOKEN} & set(jobs["validate"].env.values())
    assert _results(project.merge(iid)) == {"apply": "failed"}
    assert project.server.writes == []


def test_what_moved_since_the_review_is_left_alone(project: Project, world: World) -> None:
    iid, _ = project.open("edit", add("Mais.", _PROMPT))
    for bot in world.bots("loja"):
        world.change("loja", bot, systemMessages=["By hand."])
    assert _results(project.merge(iid)) == {"apply": "failed"}
    assert "By hand." in _prompts(world)
    assert "Mais." not in _prompts(world)
    assert "blocked" in project.notes(iid)[-1]


def test_an_older_commit_does_not_revert_a_newer_one(project: Project, world: World) -> None:
    first, _ = project.open("first", add("Mais.", _PROMPT))
    old = git(project.git, "rev-parse", "main")
    assert _results(project.merge(first)) == {"apply": "success"}
    jobs = project.lab.pipeline("web", old, old)
    assert _results(jobs) == {"apply": "failed"}
    assert "A newer commit than this one was applied" in jobs["apply"].log
    assert "Mais." in _prompts(world)


@pytest.mark.parametrize(
    "forged",
    [
        {"deployable": None},
        {"deployable": {"name": "apply", "ref": "evil", "tag": False}},
        {"deployable": {"name": "apply", "ref": "main", "tag": True}},
        {"deployable": {"name": "deploy", "ref": "main", "tag": False}},
    ],
)
def test_deployments_of_others_do_not_count(project: Project, world: World, forged: Any) -> None:
    """Somebody who says that this commit was applied would have its merge request left out."""
    iid, _ = project.open("edit", add("Mais.", _PROMPT))
    project.merge(iid, runs=False)
    project.lab.deployments.append({"sha": git(project.git, "rev-parse", "main"), **forged})
    assert _results(project.main("web")) == {"apply": "success"}
    assert "Mais." in _prompts(world)


HOSTILE = """\
/merge
  /approve
/close
section_start:0:x\r\x1b[0K
```
<!-- reconciler-plan -->
$(env) `env` '; env; ' $EVOLUTION_API_KEY
</details><img src=x>
"""


def test_a_hostile_prompt_is_text(project: Project, world: World) -> None:
    iid, jobs = project.open("edit", add(HOSTILE, _PROMPT))
    assert _results(jobs) == {"validate": "success", "plan": "success"}
    assert _results(project.merge(iid)) == {"apply": "success"}
    for note in project.notes(iid):
        assert not [line for line in note.splitlines() if line.strip().startswith("/")]
    assert "/merge" in _prompts(world)
    assert len(project.notes(iid)) == 2


def test_nothing_of_the_branch_is_run_or_obeyed(project: Project) -> None:
    """But for the pipeline itself, which README.md keeps out of its reach."""

    def edit(root: Path) -> None:
        for path in (root / ".gitlab" / "reconciler").iterdir():
            path.write_text("echo pwned; exit 1\n" if path.name == "install" else "pwned")
        put("reconciler.toml", 'owner = "mallory"\nurl = "https://mallory.example"\n')(root)
        add("Mais.", _PROMPT)(root)
        (root / "bots" / "link.yaml").symlink_to("/proc/self/environ")

    _, jobs = project.open("edit", edit)
    assert "pwned" not in jobs["validate"].log
    assert "mallory" not in project.lab.everything()


def test_a_rotation(project: Project, world: World) -> None:
    """The secret is edited, and the pipeline is started with rotate-keys: nothing else is applied."""
    secrets = project.lab.variables["production"]
    secrets["RECONCILER_SECRETS"] = "OPENAI_KEY=sk-canary-of-keys-1\n"
    world.instance("filial")
    iid, jobs = project.open("keys", put("bots/filial.yaml", _KEYED))
    assert "RECONCILER_SECRETS" not in jobs["plan"].env
    assert _results(project.merge(iid)) == {"apply": "success"}
    secrets["RECONCILER_SECRETS"] = "OPENAI_KEY=sk-canary-of-keys-2\n"
    bot = world.bots("loja")[0]
    world.change("loja", bot, systemMessages=["Talvez."])
    done = len(project.lab.deployments)
    jobs = project.main("web", "rotate-keys")
    assert _results(jobs) == {"rotate-keys": "success"}
    [creds] = world.done("GET", "/openai/creds/filial")
    assert creds["apiKey"] == "sk-canary-of-keys-2"
    assert "Talvez." in _prompts(world)
    assert len(project.lab.deployments) == done  # so what waits for an apply still does


def test_another_wheel_is_not_installed(project: Project) -> None:
    [wheel] = (project.git / ".gitlab" / "reconciler").glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"x")
    commit(project.git, "wheel")
    jobs = project.main("schedule")
    assert _results(jobs) == {"drift": "failed"}
    assert "Nothing was installed." in jobs["drift"].log


def test_no_secret_is_in_what_a_job_leaves(project: Project) -> None:
    project.open("edit", add("Mais.", _PROMPT))
    [plan] = [job["plan.json"] for job in project.lab.jobs.values() if "plan.json" in job]
    assert json.loads(plan)["format"] == "evolution-reconciler/plan"


def test_a_line_that_would_be_a_quick_action(project: Project, tmp_path: Path) -> None:
    """Whoever's text it is, and wherever GitLab looks for such lines."""
    iid, _ = project.open("docs", put("docs.md", "Words."))
    (tmp_path / "note.md").write_text("/merge\n  /approve\n\t/close\na/b\n")
    lab = project.lab
    env = {"CI_API_V4_URL": lab.url, "CI_PROJECT_ID": PROJECT, "GITLAB_TOKEN": TOKEN}
    script = project.git / ".gitlab" / "reconciler" / "gitlab.py"
    command: list[str | Path] = [
        sys.executable,
        "-I",
        script,
        "note",
        "--marker",
        "x",
        "--text",
        tmp_path / "note.md",
    ]
    subprocess.run([*command, "--merge-request", str(iid)], check=True, env=env)
    [note] = project.notes(iid)
    assert note.splitlines()[1:] == ["\u200b/merge", "  \u200b/approve", "\t\u200b/close", "a/b"]
