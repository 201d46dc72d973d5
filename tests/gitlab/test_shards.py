"""What `init --gitlab --shards N` writes: the jobs of all shards do together what one job does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from reconciler.setup.init import scaffold
from tests.gitlab.lab import TOKEN, Job, Lab
from tests.gitlab.test_gitlab import Project
from tests.support import World
from tests.workflows.project import KEY, Edit, commit, git, put

INSTANCES = ("loja-1", "loja-2", "loja-3", "loja-4", "loja-5", "loja-6")
MANIFEST = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o}
bots:
  um: {maxTokens: 100, triggerType: all, systemMessages: ["Sim."]}
"""


@pytest.fixture(scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gitlab") / "git"
    for name in INSTANCES:
        put(f"bots/{name}.yaml", MANIFEST)(directory)
    scaffold(directory, "loja-1", forge="gitlab", shards=2)
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(directory, "first")
    return directory


@pytest.fixture
def project(_template: Path, tmp_path: Path) -> Iterator[Project]:
    """The project, whose server has all bots. Afterwards no secret stands anywhere."""
    shutil.copytree(_template, tmp_path / "git")
    with Sandbox(api_key=KEY) as server:
        server.seed({name: ["main"] for name in INSTANCES})
        given = {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": KEY}
        variables = {"*": {"GITLAB_TOKEN": TOKEN}, "plan": given, "production": dict(given)}
        with Lab(tmp_path / "git", tmp_path / "jobs", variables) as lab:
            project = Project(lab, server)
            assert set(results(project.main("web", "unreviewed")).values()) == {"success"}
            server.calls.clear()
            yield project
            shown = lab.everything()
            assert KEY not in shown
            assert TOKEN not in shown


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    """The same server, as a person sees it who works on it by hand."""
    with World(project.server.url, KEY) as world:
        yield world


def results(jobs: dict[str, Job]) -> dict[str, str]:
    """How each job ended."""
    return {name: job.result for name, job in jobs.items()}


def both(name: str) -> dict[str, str]:
    """The jobs of both shards, which succeeded."""
    return {f"{name}: [1/2]": "success", f"{name}: [2/2]": "success"}


def answers(text: str) -> Edit:
    """An edit of the bot of every instance."""

    def edit(root: Path) -> None:
        for name in INSTANCES:
            put(f"bots/{name}.yaml", MANIFEST.replace("Sim", text))(root)

    return edit


def prompts(world: World) -> dict[str, str]:
    """What the bot of each instance answers."""
    return {name: world.bots(name)[0]["systemMessages"][0] for name in INSTANCES}


def test_the_whole_story(project: Project, world: World) -> None:
    iid, jobs = project.open("prazo", answers("Claro"))
    assert results(jobs) == {"validate": "success", **both("plan-shard"), "plan": "success"}
    [note] = project.notes(iid)
    assert "6 to update" in note
    assert project.server.writes == []
    assert results(project.merge(iid)) == {
        "reviewed": "success",
        **both("apply-shard"),
        "apply": "success",
    }
    assert len(project.server.writes) == 6
    assert set(prompts(world).values()) == {"Claro."}
    assert "6 applied" in project.notes(iid)[1]
    # An edit by hand opens an issue, which is closed again.
    assert results(project.main("schedule")) == {**both("drift-shard"), "drift": "success"}
    assert project.lab.issues == {}
    bot = world.bots("loja-1")[0]
    world.change("loja-1", bot, systemMessages=["Talvez."])
    project.main("schedule")
    [issue] = project.lab.issues.values()
    assert "Talvez." in issue["description"]
    world.change("loja-1", bot)
    project.main("schedule")
    assert issue["state"] == "closed"


def test_a_shard_whose_machine_is_lost(project: Project, world: World) -> None:
    """What the other did is kept and told. The next pipeline finishes it."""
    project.lab.lost = {"plan-shard: [2/2]"}
    iid, jobs = project.open("edit", answers("Claro"))
    assert "plan" not in jobs
    project.lab.lost = set()
    project.push(iid, put("bots/loja-1.yaml", MANIFEST.replace("Sim", "Certo")))
    project.lab.lost = {"apply-shard: [1/2]"}
    jobs = project.merge(iid)
    assert results(jobs)["apply"] == "failed"
    assert results(jobs)["apply-shard: [2/2]"] == "success"
    assert "The results of the shard 1/2 are missing" in project.notes(iid)[1]
    assert "Sim." in prompts(world).values()
    project.lab.lost = set()
    assert results(project.main("web"))["apply"] == "success"
    assert "Sim." not in prompts(world).values()


def test_a_shard_of_an_older_commit_does_not_revert_a_newer_one(project: Project, world: World) -> None:
    """The jobs of two pipelines run in any order: only those of one shard wait for each other."""
    old = git(project.git, "rev-parse", "main")
    first, _ = project.open("first", answers("Claro"))
    project.merge(first, runs=False)
    before, at = old, git(project.git, "rev-parse", "main")
    second, _ = project.open("second", answers("Certo"))
    project.merge(second, runs=False)
    jobs = project.lab.pipeline("push", at, before)
    assert results(jobs)["apply"] == "failed"
    assert "A newer commit changed the manifests" in jobs["apply-shard: [1/2]"].log
    assert project.server.writes == []
    assert results(project.main("web"))["apply"] == "success"
    assert set(prompts(world).values()) == {"Certo."}


def test_what_is_committed_is_no_plan_and_no_result(project: Project, world: World) -> None:
    def edit(root: Path) -> None:
        answers("Claro")(root)
        for name in ("shards/3.json", "shards/1.json", "shards/1.status", "reviewed/9.json", "results.json"):
            put(name, "{}")(root)

    iid, jobs = project.open("edit", edit)
    assert results(jobs)["plan"] == "failed"  # the shard's own plan was taken for the file that is there
    project.merge(iid, runs=False)
    assert results(project.main("web"))["apply"] == "failed"
    assert set(prompts(world).values()) == {"Sim."}


def test_what_is_kept_is_one_plan(project: Project) -> None:
    """Its name is that without shards, by which the apply finds it."""
    project.open("edit", answers("Claro"))
    [plan] = [job["plan.json"] for job in project.lab.jobs.values() if "plan.json" in job]
    document = json.loads(plan)
    assert (document["format"], "shard" in document) == ("evolution-reconciler/plan", False)
