"""The workflows of a fleet in shards: together they do what one job does, with one review and one comment."""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support import World
from tests.workflows.conftest import FILIAIS
from tests.workflows.project import KEY, LOJA, Edit, Project, add, put
from tests.workflows.runner import Job, Run

EVERYWHERE = ("loja", *FILIAIS)


@pytest.fixture
def applied(sharded: Project) -> Project:
    """The project, its server as main says."""
    sharded.apply_by_hand()
    sharded.server.calls.clear()
    return sharded


@pytest.fixture
def world(applied: Project) -> Any:
    """The same server, as a person sees it who works on it by hand."""
    with World(applied.server.url, KEY) as world:
        yield world


def results(run: Run) -> dict[str, str]:
    """How each job ended."""
    return {name: job.result for name, job in run.jobs.items()}


def ended(job: Job | None) -> str:
    """How a job ended, which has to have been started."""
    assert job is not None
    return job.result


def answers(to: str) -> Edit:
    """An edit of the first bot of every instance."""

    def edit(root: Path) -> None:
        for name in EVERYWHERE:
            file = root / f"bots/{name}.yaml"
            file.write_text(file.read_text().replace("Sim", to))

    return edit


def first(world: World, name: str) -> Any:
    """The first bot of an instance."""
    [found] = [bot for bot in world.bots(name) if bot["description"].startswith("[gitops:um]")]
    return found


def prompts(world: World) -> dict[str, str]:
    """What the first bot of each instance answers."""
    return {name: first(world, name)["systemMessages"][0] for name in EVERYWHERE}


def test_the_whole_story(applied: Project, world: World) -> None:
    project = applied
    # A pull request that changes bots of both shards: one comment, one plan, nothing written.
    pull = project.open("prazos", answers("Claro"))
    assert results(pull.runs[-1]) == dict.fromkeys(("validate", "shard (1)", "shard (2)", "plan"), "success")
    [comment] = project.comments(pull)
    assert "6 to update" in comment
    assert all(name in comment for name in EVERYWHERE)
    assert "Claro" in pull.job("plan").summary
    [(_, content)] = [each for each in project.hub.artifacts.values() if each[0]["name"].startswith("plan-")]
    with zipfile.ZipFile(BytesIO(content)) as archive:
        plan = json.loads(archive.read("plan.json"))
    assert (plan["summary"]["update"], "shard" in plan) == (6, False)
    assert project.server.writes == []
    # Merged: each shard makes its own changes, and the results are posted once.
    assert ended(project.merge(pull)) == "success"
    assert results(project.runner.runs[-1]) == {
        "rotate": "skipped",
        **dict.fromkeys(("reviewed", "shard (1)", "shard (2)", "apply"), "success"),
    }
    assert len(project.server.writes) == 6
    assert all(said.startswith("Claro") for said in prompts(world).values())
    [_, result] = project.comments(pull)
    assert "6 applied" in result
    # No drift, no issue; edits on both shards open one.
    assert ended(project.drift()) == "success"
    assert project.hub.issues == {}
    before = {name: first(world, name) for name in EVERYWHERE}
    for name, bot in before.items():
        world.change(name, bot, systemMessages=["Talvez."])
    assert ended(project.drift()) == "success"
    [issue] = project.hub.issues.values()
    assert "6 to update" in issue["body"]
    for name, bot in before.items():
        world.change(name, bot)
    assert ended(project.drift()) == "success"
    assert issue["state"] == "closed"


@pytest.mark.parametrize("fork", [True, False])
def test_a_fork_and_dependabot_have_no_secret(applied: Project, *, fork: bool) -> None:
    """The token of neither job may write, so nothing that they run can."""
    pull = applied.open("edit", answers("Claro"), fork=fork, author="someone" if fork else "dependabot[bot]")
    skipped = dict.fromkeys(("shard (1)", "shard (2)", "plan"), "skipped")
    assert results(pull.runs[-1]) == {"validate": "success", **skipped}
    assert applied.steps_with(KEY) == set()
    assert applied.hub.writes == []


class TestPlan:
    def test_a_shard_that_has_no_plan(self, applied: Project) -> None:
        """Nothing is approved of a part of the fleet. When that shard is planned after all, the whole is."""
        applied.runner.lost = {"shard (2)"}
        pull = applied.open("edit", answers("Claro"))
        run = pull.runs[-1]
        assert results(run)["plan"] == run.conclusion == "failure"
        [comment] = applied.comments(pull)
        assert "There is no plan" in comment
        assert "the shard 2/2 is missing" in run.jobs["plan"].log
        applied.runner.lost = set()
        applied.runner.rerun_failed(run)
        assert run.conclusion == "success"
        [comment] = applied.comments(pull)
        assert "6 to update" in comment

    def test_a_plan_with_problems_is_one(self, applied: Project) -> None:
        """What is wrong with one instance hides no other's plan."""
        pull = applied.open("new", put("bots/fantasma.yaml", LOJA))
        assert pull.runs[-1].conclusion == "success"
        [comment] = applied.comments(pull)
        assert "fantasma" in comment
        assert "no instance" in comment.lower() or "does not exist" in comment

    def test_the_limits_are_those_of_the_fleet(self, applied: Project, world: World) -> None:
        """A label allows what all shards delete together, by a code that no single shard shows."""

        def edit(root: Path) -> None:
            for name in FILIAIS:
                file = root / f"bots/{name}.yaml"
                file.write_text(
                    "".join(line for line in file.read_text().splitlines(True) if "tres" not in line)
                )

        applied.push_to_main(put("reconciler.toml", "max-deletes = 4\n"), apply=False)
        pull = applied.open("edit", edit)
        [comment] = applied.comments(pull)
        assert "5 to delete" not in comment
        [code] = set(re.findall("allow-deletes-([0-9a-f]{12})", comment))
        applied.label(pull, f"allow-deletes-{code}")
        [comment] = applied.comments(pull)
        assert "5 to delete" in comment
        assert ended(applied.merge(pull)) == "success"
        assert [len(world.bots(name)) for name in EVERYWHERE] == [3, 2, 2, 2, 2, 2]


class TestApply:
    def test_one_shard_fails_and_the_other_goes_on(self, applied: Project, world: World) -> None:
        pull = applied.open("edit", answers("Claro"))
        world.change("filial-1", first(world, "filial-1"), systemMessages=["By hand."])
        assert ended(applied.merge(pull)) == "failure"
        assert sorted(results(applied.runner.runs[-1]).items()).count(("apply", "failure")) == 1
        said = prompts(world)
        assert said.pop("filial-1") == "By hand."
        assert all(each.startswith("Claro") for each in said.values())
        [_, comment] = applied.comments(pull)
        assert "5 applied" in comment
        assert "blocked" in comment

    def test_a_shard_whose_machine_is_lost(self, applied: Project, world: World) -> None:
        """Run again alone, it would not notice what was applied since. The next apply finishes it."""
        assert ended(applied.dispatch(apply_unreviewed=True)) == "success"
        pull = applied.open("edit", answers("Claro"))
        applied.runner.lost = {"shard (2)"}
        assert ended(applied.merge(pull)) == "failure"
        run = applied.runner.runs[-1]
        assert results(run)["shard (1)"] == "success"
        [_, comment] = applied.comments(pull)
        assert "The results of the shard 2/2 are missing" in comment
        applied.runner.lost = set()
        applied.runner.rerun_failed(run)
        assert results(run)["shard (2)"] == "failure"
        assert "Run all jobs again" in run.jobs["shard (2)"].log
        later = applied.open("later", add("More."))
        assert ended(applied.merge(later)) == "success"
        assert all(said.startswith("Claro") for said in prompts(world).values())

    def test_without_a_review_nothing_is_applied(self, applied: Project, world: World) -> None:
        assert ended(applied.push_to_main(answers("Claro"))) == "failure"
        assert applied.server.writes == []
        job = applied.runner.runs[-1].jobs["apply"]
        assert "there is no reviewed plan" in job.summary
        assert "6 to update" in job.summary
        assert ended(applied.dispatch(apply_unreviewed=True)) == "success"
        assert all(said.startswith("Claro") for said in prompts(world).values())

    def test_what_is_committed_is_no_plan(self, applied: Project) -> None:
        """Nor are these the results."""

        def edit(root: Path) -> None:
            answers("Claro")(root)
            for name in ("reviewed/9.json", "results.json", "nothing.md", "comment.md"):
                put(name, "{}")(root)

        assert ended(applied.push_to_main(edit)) == "failure"
        assert applied.server.writes == []
        assert "there is no reviewed plan" in applied.runner.runs[-1].jobs["apply"].summary

    def test_keys_are_rotated_in_one_job(self, applied: Project) -> None:
        assert applied.dispatch(rotate_keys=True) is not None
        run = applied.runner.runs[-1]
        assert results(run) == {
            "rotate": "success",
            **dict.fromkeys(("reviewed", "shard (1)", "shard (2)", "apply"), "skipped"),
        }


def test_drift_of_which_a_part_could_not_be_compared(applied: Project, world: World) -> None:
    applied.runner.lost = {"shard (1)"}
    assert ended(applied.drift()) == "failure"
    [issue] = applied.hub.issues.values()
    assert "could not be compared" in issue["body"]
