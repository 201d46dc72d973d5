"""The project that the workflows run in. Whatever a test does, afterwards no secret stands anywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from reconciler.setup import shards
from tests.support import World
from tests.workflows.hub import Hub
from tests.workflows.project import KEY, LOJA, Project, commit, template

FILIAIS = ("filial-1", "filial-2", "filial-3", "filial-4", "filial-5")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template") / "git")


@pytest.fixture(scope="session")
def _canary() -> Iterator[Sandbox]:
    with Sandbox(api_key=KEY) as server:
        yield server


@contextmanager
def _on_github(git: Path, server: Sandbox, directory: Path, keyed: str) -> Iterator[Project]:
    """The repository, whose server has none of its bots yet. keyed: a pattern of the steps with its key."""
    server.clear()
    with Hub(git) as hub:
        project = Project(git, hub, server, directory)
        yield project
    shown = project.everything()
    assert KEY not in shown
    assert "sk-" not in shown
    assert not any(token in shown for token in hub.permissions)
    assert all(re.fullmatch(keyed, step) for step in project.steps_with(KEY))
    keys = project.steps_with("RECONCILER_SECRETS")
    assert all(re.fullmatch(keyed, step) and not step.endswith("plan: Plan") for step in keys)
    assert all("authorization" not in call.headers for call in hub.stored)


@pytest.fixture
def project(_template: Path, _canary: Sandbox, tmp_path: Path) -> Iterator[Project]:
    """A repository with a server; the server has none of its bots yet."""
    git = shutil.copytree(_template, tmp_path / "git", symlinks=True)
    with _on_github(git, _canary, tmp_path / "runs", "(plan|drift): Plan|apply: Apply") as project:
        yield project


@pytest.fixture
def sharded(_template: Path, _canary: Sandbox, tmp_path: Path) -> Iterator[Project]:
    """The same with five more instances, in two shards."""
    git = shutil.copytree(_template, tmp_path / "git", symlinks=True)
    for name in ("plan", "apply", "drift"):
        (git / f".github/workflows/{name}.yml").write_text(shards.workflow(name, 2))
    for name in FILIAIS:
        (git / f"bots/{name}.yaml").write_text(LOJA.replace("Sim.", f"Sim, {name}."))
    commit(git, "in shards")
    keyed = r"shard \([12]\): (Plan|Apply)|rotate: Rotate keys"
    with _on_github(git, _canary, tmp_path / "runs", keyed) as project:
        _canary.seed({name: ["main"] for name in FILIAIS})
        yield project


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    """The same server, as a person sees it who works on it by hand."""
    with World(project.server.url, KEY) as world:
        yield world
