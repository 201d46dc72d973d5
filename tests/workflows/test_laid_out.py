"""A repository that `reconciler init` laid out, on GitHub: its workflows run the tool that lies in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from reconciler.setup.init import scaffold
from tests.support import World
from tests.workflows.hub import Hub
from tests.workflows.project import KEY, Project, commit, git, put

_ACTION = ".github/actions/reconciler"
_PROMPT = "bots/prompts/atendimento.md"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The repository, with a server that has its instance and credential."""
    directory = tmp_path / "git"
    scaffold(directory, "loja", forge="github")
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
    first = project.dispatch(apply_unreviewed=True)  # what main declares from the beginning
    assert first is not None
    assert first.result == "success"
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


def _another_wheel(git: Path) -> None:
    [wheel] = (git / _ACTION).glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"x")


def _one_more_wheel(git: Path) -> None:
    [wheel] = (git / _ACTION).glob("*.whl")
    (git / _ACTION / "zevolution_reconciler-9-py3-none-any.whl").write_bytes(wheel.read_bytes())


def _no_sha(git: Path) -> None:
    action = git / _ACTION / "action.yml"
    action.write_text(re.sub('WHEEL_SHA256: ".*"', 'WHEEL_SHA256: ""', action.read_text()))


def _no_wheel(git: Path) -> None:
    for wheel in (git / _ACTION).glob("*.whl"):
        wheel.unlink()


@pytest.mark.parametrize("edit", [_another_wheel, _one_more_wheel, _no_sha, _no_wheel])
def test_no_other_wheel_is_installed(project: Project, edit: Callable[[Path], None]) -> None:
    project.push_to_main(edit, apply=False)
    job = project.drift()
    assert job.result == "failure"
    [(kind, said)] = job.commands
    assert kind == "error"
    assert "Nothing was installed." in said
    assert [step.outcome for step in job.steps if step.name == "Plan"] == ["skipped"]


def test_below_the_top_of_a_repository(tmp_path: Path) -> None:
    """Nothing outside of that directory is the workflows' business."""
    top = tmp_path / "git"
    top.mkdir()
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "config", "uploadpack.allowAnySHA1InWant", "true")
    scaffold(top / "infra" / "zap", "loja", forge="github")
    commit(top, "first")
    with Sandbox(api_key=KEY) as server, Hub(top) as hub:
        server.seed({"loja": ["loja-openai"]})
        project = Project(top, hub, server, tmp_path / "runs")
        pull = project.open("edit", lambda git: _more(git / "infra" / "zap"))
        assert pull.runs[-1].conclusion == "success"
        assert "Diga sempre o prazo de entrega." in project.comments(pull)[0]
        applied = project.merge(pull)
        assert applied is not None
        assert applied.result == "success"
        broken = project.open("broken", put("infra/zap/bots/loja.yaml", "bots: 1\n"))
        [(where, _)] = broken.job("validate").commands
        assert "file=infra/zap/bots/loja.yaml,line=1" in where
        assert project.push_to_main(put("bots/x.yaml", "nothing of ours")) is None
        assert project.drift().result == "success"


def test_the_tool_is_the_one_that_lies_there(project: Project) -> None:
    """Without it nothing is installed in its place."""

    def without(git: Path) -> None:
        for wheel in (git / ".github/actions/reconciler").glob("*.whl"):
            wheel.unlink()
        shutil.rmtree(git / "bots")

    project.push_to_main(without, apply=False)
    assert project.open("edit", lambda git: None).runs[-1].conclusion == "failure"
