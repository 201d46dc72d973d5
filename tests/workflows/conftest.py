"""The project that the workflows run in. Whatever a test does, afterwards no secret stands anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.support import World
from tests.workflows.hub import Hub
from tests.workflows.project import KEY, Project, template


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template") / "git")


@pytest.fixture(scope="session")
def _canary() -> Iterator[Sandbox]:
    with Sandbox(api_key=KEY) as server:
        yield server


@pytest.fixture
def project(_template: Path, _canary: Sandbox, tmp_path: Path) -> Iterator[Project]:
    """A repository with a server; the server has none of its bots yet."""
    _canary.clear()
    git = shutil.copytree(_template, tmp_path / "git", symlinks=True)
    with Hub(git) as hub:
        project = Project(git, hub, _canary, tmp_path / "runs")
        yield project
    shown = project.everything()
    assert KEY not in shown
    assert "sk-" not in shown
    assert not any(token in shown for token in hub.permissions)
    assert project.steps_with(KEY) <= {"plan: Plan", "apply: Apply", "drift: Plan"}
    assert project.steps_with("RECONCILER_SECRETS") <= {"apply: Apply", "drift: Plan"}
    assert all("authorization" not in call.headers for call in hub.stored)


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    """The same server, as a person sees it who works on it by hand."""
    with World(project.server.url, KEY) as world:
        yield world
