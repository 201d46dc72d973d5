"""A repository that `reconciler init` laid out, on GitHub: its workflows run the tool that lies in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.init import lay_out
from reconciler.sandbox import Sandbox
from tests.support import World
from tests.workflows.hub import Hub
from tests.workflows.project import KEY, Project, commit, git

_PROMPT = "bots/prompts/atendimento.md"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The repository, with a server that has its instance and credential."""
    directory = tmp_path / "git"
    lay_out(directory, "loja")
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(directory, "first")
    with Sandbox(api_key=KEY) as server, Hub(directory) as hub:
        server.seed({"loja": ["loja-openai"]})
        yield Project(directory, hub, server, tmp_path / "runs")


def _more(git: Path) -> None:
    with (git / _PROMPT).open("a") as prompt:
        prompt.write("Diga sempre o prazo de entrega.\n")


def test_a_change_is_planned_merged_and_applied(project: Project) -> None:
    pull = project.open("edit", _more)
    assert pull.runs[-1].conclusion == "success"
    assert pull.job("validate").commands == []
    [comment] = project.comments(pull)
    assert "Diga sempre o prazo de entrega." in comment
    applied = project.merge(pull)
    assert applied is not None
    assert applied.result == "success"
    with World(project.server.url, KEY) as world:
        assert len(world.bots("loja")) == 2
    drift = project.drift()
    assert drift.result == "success"
    assert project.hub.issues == {}


def test_the_tool_is_the_one_that_lies_there(project: Project) -> None:
    """Without it nothing is installed in its place."""

    def without(git: Path) -> None:
        for wheel in (git / ".github/actions/reconciler").glob("*.whl"):
            wheel.unlink()
        shutil.rmtree(git / "bots")

    project.push_to_main(without, apply=False)
    assert project.open("edit", lambda git: None).runs[-1].conclusion == "failure"
