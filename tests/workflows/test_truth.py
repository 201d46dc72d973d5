"""Git is the truth: removals, reverts and moves, from the pull request to the server."""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support import World
from tests.workflows.project import LOJA, Edit, Project, git, put
from tests.workflows.test_story import bots, ended


@pytest.fixture
def applied(project: Project) -> Project:
    """The project, its server as main says."""
    project.apply_by_hand()
    project.server.calls.clear()
    return project


def without(*names: str) -> Edit:
    """An edit that takes bots out of loja's manifest."""
    kept = [line for line in LOJA.splitlines() if not line.strip().startswith(tuple(f"{n}:" for n in names))]
    return put("bots/loja.yaml", "\n".join(kept) + "\n")


def state(world: World, *instances: str) -> list[Any]:
    """What the server has, but for ids and times."""
    apart = {"id", "createdAt", "updatedAt", "instanceId", "openaiCredsId"}
    rows = [row for name in instances or ("loja",) for row in world.bots(name)]
    return sorted(({k: v for k, v in row.items() if k not in apart} for row in rows), key=str)


def test_a_merged_removal_removes_and_its_revert_brings_back(applied: Project, world: World) -> None:
    before = state(world)
    pull = applied.open("remove", without("tres"))
    [comment] = applied.comments(pull)
    assert re.search(r"1.{0,20}to delete", comment, re.DOTALL)
    assert ended(applied.merge(pull)) == "success"
    assert bots(world).keys() == {"um", "dois"}
    assert ended(applied.drift()) == "success"
    assert applied.hub.issues == {}
    back = applied.revert("back")
    assert ended(applied.merge(back)) == "success"
    assert state(world) == before


def test_a_removed_manifest_leaves_no_bot_behind(applied: Project, world: World) -> None:
    world.instance("filial", "filial")
    two = LOJA.replace("openaiCreds: main", "openaiCreds: filial").partition("  dois:")[0]
    assert ended(applied.merge(applied.open("add", put("bots/filial.yaml", two)))) == "success"
    assert len(world.bots("filial")) == 1
    pull = applied.open("remove", lambda root: (root / "bots" / "filial.yaml").unlink())
    assert ended(applied.merge(pull)) == "success"
    assert world.bots("filial") == []


def test_a_reverted_prompt_is_what_it_was(applied: Project, world: World) -> None:
    before = state(world)
    edit = put(
        "bots/loja.yaml", LOJA.replace("triggerValue: 3", "triggerValue: 3, delayMessage: 7, keepOpen: true")
    )
    assert ended(applied.merge(applied.open("edit", edit))) == "success"
    assert bots(world)["tres"]["delayMessage"] == 7
    assert ended(applied.merge(applied.revert("back"))) == "success"
    assert state(world) == before


def test_a_moved_bot_is_one_move(applied: Project, world: World) -> None:
    world.instance("filial", "filial")

    def move(root: Path) -> None:
        without("tres")(root)
        line = next(line for line in LOJA.splitlines() if "tres:" in line)
        head = LOJA.replace("openaiCreds: main", "openaiCreds: filial").partition("bots:")[0]
        put("bots/filial.yaml", f"{head}bots:\n{line}\n")(root)

    pull = applied.open("move", move)
    [comment] = applied.comments(pull)
    assert "1 to move" in comment
    assert "to delete" not in comment
    assert ended(applied.merge(pull)) == "success"
    assert (len(world.bots("loja")), len(world.bots("filial"))) == (2, 1)


def test_a_pull_request_beside_drift_elsewhere(applied: Project, world: World) -> None:
    """It does what it says and no more, and does not fail because of the rest."""
    world.change("loja", bots(world)["um"], systemMessages=["Talvez."])
    pull = applied.open("edit", put("bots/loja.yaml", LOJA.replace("maxTokens: 300", "maxTokens: 301")))
    [comment] = applied.comments(pull)
    assert "1 to update" in comment
    applied.server.calls.clear()
    assert ended(applied.merge(pull)) == "success"
    assert [call.method for call in applied.server.writes] == ["PUT"]
    assert bots(world)["um"]["systemMessages"] == ["Talvez."]
    assert ended(applied.drift()) == "success"
    [issue] = applied.hub.issues.values()
    assert "Talvez." in issue["body"]


def test_deletes_beyond_a_limit_need_a_label_for_this_very_plan(applied: Project, world: World) -> None:
    pull = applied.open("remove", without("dois", "tres"))
    [comment] = applied.comments(pull)
    assert "more than 50 percent" in comment
    code = plan_of(applied)["approval"]
    assert code in comment
    applied.push(pull, put("bots/loja.yaml", LOJA.partition("  dois:")[0].replace("100", "101")))
    applied.label(pull, f"allow-deletes-{code}")  # of the plan before the push
    assert plan_of(applied)["approved"] is False
    code = plan_of(applied)["approval"]
    applied.label(pull, f"allow-deletes-{code}")
    assert plan_of(applied)["approved"] is True
    assert ended(applied.merge(pull)) == "success"
    assert bots(world).keys() == {"um"}
    assert bots(world)["um"]["maxTokens"] == 101


def test_what_nobody_approved_is_kept_and_stays_on_the_list(applied: Project, world: World) -> None:
    pull = applied.open("remove", without("dois", "tres"))
    assert ended(applied.merge(pull)) == "failure"
    assert len(bots(world)) == 3
    assert ended(applied.drift()) == "failure"  # a plan with a problem
    [issue] = applied.hub.issues.values()
    assert issue["state"] == "open"
    assert "more than 50 percent" in issue["body"]


def test_labels_that_are_no_code_do_nothing(applied: Project) -> None:
    pull = applied.open("remove", without("dois", "tres"))
    for label in ('"; touch pwned; "', "allow-deletes-$(touch pwned)", "allow-deletes-", "docs"):
        applied.label(pull, label)
        assert plan_of(applied)["approved"] is False


def test_an_orphan_keeps_the_drift_issue_open(applied: Project, world: World) -> None:
    """It says which commit took it out of the manifests."""
    applied.push_to_main(without("tres"), apply=False)
    assert ended(applied.drift()) == "success"
    [issue] = applied.hub.issues.values()
    assert "tres" in issue["body"]
    assert git(applied.git, "rev-parse", "--short", "main") in issue["body"]
    assert ended(applied.drift()) == "success"
    assert issue["state"] == "open"


def plan_of(project: Project) -> Any:
    """The newest plan that was kept for an apply."""
    kept = [content for about, content in project.hub.artifacts.values() if about["name"].startswith("plan-")]
    with zipfile.ZipFile(BytesIO(kept[-1])) as archive:
        return json.loads(archive.read("plan.json"))


def test_what_is_kept_does_not_fail_a_push(applied: Project, world: World) -> None:
    """Nothing waits for a review where all that is pending is kept by policy."""
    config = put("reconciler.toml", 'prune = "never"\n')
    applied.push_to_main(config, apply=False)
    assert ended(applied.push_to_main(without("tres"))) == "success"
    assert len(bots(world)) == 3
    assert ended(applied.push_to_main(put("bots/loja.yaml", LOJA.replace("300", "301")))) == "failure"
