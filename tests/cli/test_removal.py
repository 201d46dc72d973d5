"""A removal in Git removes: which policy deletes what, what stops it, and a bot that moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.cli.repo import KEYS, Repo
from tests.cli.test_effect import bot, declared, verbs
from tests.support import World

Json = dict[str, Any]

GONE = [("delete", "dois@loja"), ("delete", "um@loja")]
KEPT = [("orphan", "dois@loja"), ("orphan", "um@loja")]


@pytest.fixture
def repo(tmp_path: Path, run: Run, world: World) -> Repo:
    """Three instances of two bots each, as main declares them; then loja's manifest is deleted."""
    for name in ("loja", "filial", "matriz"):
        world.instance(name)
        world.creds(name, name, KEYS.get(name))
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo", run, world)
    repo.write(three())
    repo.run("apply", "--yes", code=0)
    repo.write({name: one for name, one in three().items() if name != "loja"})
    return repo


def three() -> dict[str, Any]:
    return {**declared(), "matriz": {**declared()["filial"], "defaults": {"openaiCreds": "matriz"}}}


def left(repo: Repo, instance: str = "loja") -> int:
    return len(repo.world.bots(instance))


@pytest.mark.parametrize(
    ("prune", "shown", "plain", "saved", "reviewed"),
    [("never", KEPT, 2, 2, 2), ("reviewed", GONE, 2, 0, 0), ("always", GONE, 0, 0, 0)],
)
@pytest.mark.parametrize("how", ["plain", "saved", "reviewed"])
def test_a_policy(
    repo: Repo, how: str, prune: str, shown: list[tuple[str, str]], plain: int, saved: int, reviewed: int
) -> None:
    policy, plan = ("--prune", prune), repo.root / "plan.json"
    found = repo.plan(*policy, "--out", plan, code=2)
    assert verbs(found) == shown
    assert (found["pending"], found["summary"]["delete"]) == (True, 0 if prune == "never" else 2)
    match how:
        case "plain":
            result = repo.run("apply", "--yes", *policy, code=0)
            assert ("kept, as prune is" in result.output) == (plain == 2)
        case "saved":
            repo.run("apply", "--yes", *policy, plan, code=0)
        case _:
            repo.run("apply", "--yes", *policy, "--reviewed", plan, code=0)
    assert left(repo) == {"plain": plain, "saved": saved, "reviewed": reviewed}[how]


def test_merging_the_removal_removes_and_reverting_it_brings_back(repo: Repo) -> None:
    before = repo.state()
    assert verbs(repo.merge()) == GONE
    assert left(repo) == 0
    repo.git("revert", "--no-edit", "HEAD")
    assert verbs(repo.merge()) == [("create", "um@loja"), ("create", "dois@loja")]
    assert repo.state() == before


def test_never_refuses_a_plan_that_deletes(repo: Repo) -> None:
    plan = repo.root / "plan.json"
    repo.plan("--out", plan, code=2)
    result = repo.run("apply", "--yes", "--prune", "never", plan, code=1)
    assert "prune is `never`, and the plan deletes 2" in result.stderr
    assert left(repo) == 2


# -- where bots are looked for ----------------------------------------------------------------


def test_other_instances_are_looked_at_for_our_bots_only(repo: Repo) -> None:
    ids = repo.world.instance("alheia", "alheia")
    repo.world.bot("alheia", ids["alheia"], description="somebody's")
    repo.world.bot("alheia", ids["alheia"], description="[other:um]~01234567", maxTokens=7)
    assert verbs(repo.plan(code=2)) == GONE
    assert verbs(repo.plan("--scope", "declared", code=0)) == []
    assert verbs(repo.plan("--instance", "loja", code=2)) == GONE
    assert verbs(repo.plan("--instance", "matriz", code=0)) == []
    result = repo.run("plan", "--instance", "lija", code=1)
    assert "no instance matches 'lija'" in result.stderr


def test_a_manifest_that_is_gone_counts_as_changed(repo: Repo) -> None:
    assert verbs(repo.plan("--changed-since", "HEAD~1", code=2)) == GONE
    assert verbs(repo.plan("--changed-since", "HEAD", code=0)) == []


def test_a_file_that_is_renamed_changes_nothing(repo: Repo) -> None:
    repo.write(
        {
            **three(),
            "loja": {"instance": "filial", **declared()["filial"]},
            "filial": {"instance": "loja", **declared()["loja"]},
        }
    )
    assert verbs(repo.plan("--base", "HEAD~2", code=0)) == []


def test_an_instance_s_own_token_lists_that_instance(repo: Repo) -> None:
    [row] = [one for one in repo.world.done("GET", "/instance/fetchInstances") if one["name"] == "matriz"]
    repo.env = {"EVOLUTION_API_KEY": row["token"]}
    plan = repo.plan("--instance", "matriz", code=0)
    assert (verbs(plan), plan["notes"], plan["summary"]["inSync"]) == ([], [], 2)


def test_an_instance_that_was_renamed_on_the_server(repo: Repo) -> None:
    ids = repo.world.instance("nova", "nova")
    for name in ("um", "dois"):
        repo.world.bot("nova", ids["nova"], **bot(f"a-{name}", description=f"[gitops:{name}]"))
    repo.write(three())
    repo.world.done("DELETE", "/instance/delete/loja")
    [loja] = [one for one in repo.plan(code=1)["instances"] if one["name"] == "loja"]
    assert "does not exist" in loja["problem"]
    assert loja["problem"].endswith(
        "The instance 'nova' has its bots (dois, um): if it was renamed, write `instance: nova` in its "
        "manifest."
    )


def test_an_instance_that_was_deleted_on_the_server(repo: Repo) -> None:
    repo.write(three())
    repo.world.done("DELETE", "/instance/delete/loja")
    [loja] = [one for one in repo.plan(code=1)["instances"] if one["name"] == "loja"]
    assert loja["problem"].endswith("has a similar name: create it, or remove its manifest.")


# -- whose they are ---------------------------------------------------------------------------


@pytest.fixture
def stranger(repo: Repo) -> Repo:
    """Another repository has the same owner, and its bot on an instance that this one never named."""
    ids = repo.world.instance("alheia", "alheia")
    repo.world.bot("alheia", ids["alheia"], description="[gitops:dela]")
    repo.write(three())
    return repo


def test_the_bots_of_another_repository_are_kept(stranger: Repo) -> None:
    [change] = next(one["changes"] for one in stranger.plan(code=2)["instances"] if one["name"] == "alheia")
    assert change["verb"] == "orphan"
    assert "another repository may use the owner gitops too" in change["reason"]
    stranger.run("apply", "--yes", "--prune", "always", code=0)
    assert left(stranger, "alheia") == 1
    assert verbs(stranger.plan("--known-instance", "alh*", code=2)) == [("delete", "dela@alheia")]


@pytest.mark.parametrize(
    "manifests",
    [
        {"alheia": {"bots": {}}},
        {"x": {"instance": "alheia", "bots": {}}},
        {"x.yaml": "instance: alheia # the other\nbots: {}\n"},
        {"x.yaml": "instance: 'alheia'\nbots: {}\n"},
    ],
)
def test_what_a_commit_named_was_ours(stranger: Repo, manifests: Json) -> None:
    stranger.write({**three(), **manifests})
    stranger.write(three())
    assert verbs(stranger.plan(code=2)) == [("delete", "dela@alheia")]


@pytest.mark.parametrize(
    "manifests",
    [
        {"alheia2": {"bots": {}}},
        {"x.yaml": "instance: alheia-2\nbots: {}\n"},
        {"x.yaml": "# alheia\ninstance: x\nbots: {}\n"},
        {"alheia.md": "no manifest"},
    ],
)
def test_what_only_looks_like_it_was_not(stranger: Repo, manifests: Json) -> None:
    stranger.write({**three(), **manifests})
    stranger.write(three())
    assert verbs(stranger.plan(code=2)) == [("orphan", "dela@alheia")]


# -- limits -----------------------------------------------------------------------------------


def test_what_exceeds_a_limit_needs_a_yes_for_this_very_plan(repo: Repo) -> None:
    repo.write({"matriz": three()["matriz"]})
    few, plan = ("--max-deletes", "3"), repo.root / "plan.json"
    found = repo.plan("--base", "HEAD~2", *few, code=1)
    assert found["limits"][-1].startswith("4 bots would be deleted, more than 3 (max-deletes): ")
    assert {verb for verb, _ in verbs(found)} == {"orphan"}
    code = found["approval"]
    # A later push needs it again.
    again = three()["matriz"]
    again["bots"]["um"] = bot("a-um", expire=6)
    repo.write({"matriz": again})
    other = repo.plan("--base", "HEAD~3", *few, "--allow-deletes", code, code=1)
    assert other["approval"] != code
    allowed = repo.plan("--base", "HEAD~3", *few, "--allow-deletes", other["approval"], "--out", plan, code=2)
    assert (allowed["approved"], allowed["summary"]["delete"], allowed["summary"]["update"]) == (True, 4, 1)
    repo.run("apply", "--yes", *few, "--reviewed", plan, code=0)
    assert (left(repo), left(repo, "filial"), left(repo, "matriz")) == (0, 0, 2)


def test_above_a_limit_the_rest_is_done(repo: Repo) -> None:
    rest = {name: one for name, one in three().items() if name != "loja"}
    rest["matriz"]["bots"]["tres"] = bot("a-tres")
    repo.write(rest)
    result = repo.run("apply", "--yes", "--prune", "always", "--max-deletes", "1", code=1)
    assert (left(repo), left(repo, "matriz")) == (2, 3)
    assert "more than 1" in result.output


def test_deleting_everything_by_mistake(repo: Repo) -> None:
    for path in (repo.root / "bots").iterdir():
        path.unlink()
    result = repo.run("plan", code=1)
    assert "contains no manifest" in result.stderr
    repo.write({"nova": {"bots": {}}})
    repo.world.instance("nova")
    result = repo.run("apply", "--yes", "--prune", "always", code=1)
    assert "6 of 6 bots of all instances would be deleted, more than 50 percent" in result.output
    assert [left(repo, name) for name in ("loja", "filial", "matriz")] == [2, 2, 2]


# -- moves ------------------------------------------------------------------------------------


def moved(repo: Repo, **fields: Any) -> None:
    """loja's um is declared on matriz instead, as tres."""
    repo.write(three())
    repo.run("apply", "--yes", code=0)
    some = three()
    some["loja"]["bots"] = {"dois": some["loja"]["bots"]["dois"], "tres": bot("a-tres")}
    repo.write(some)
    repo.merge()
    del some["loja"]["bots"]["tres"]
    some["matriz"]["bots"]["tres"] = bot("a-tres", **fields)
    repo.write(some)


def test_a_bot_that_moves_is_created_first_and_deleted_last(repo: Repo, server: Sandbox) -> None:
    moved(repo)
    done = len(server.writes)
    plan = repo.merge()
    assert verbs(plan) == [("delete", "tres@loja"), ("move", "tres@matriz")]
    assert (plan["summary"]["move"], plan["summary"]["delete"]) == (1, 0)
    assert [(call.method, call.path.rpartition("/")[2]) for call in server.writes[done:]] == [
        ("POST", "matriz"),
        ("DELETE", "loja"),
    ]
    assert repo.plan(code=0)["pending"] is False


def test_a_move_that_is_not_created_deletes_nothing(repo: Repo) -> None:
    moved(repo)
    plan = repo.root / "plan.json"
    repo.plan("--base", "HEAD~1", "--out", plan, code=2)
    repo.world.bot(
        "matriz",
        repo.world.done("GET", "/openai/creds/matriz")[0]["id"],
        botType="assistant",
        assistantId="a-tres",
    )
    result = repo.run("apply", "--yes", plan, code=1)
    assert "it was not created on matriz, so it stays here" in result.output
    assert any("[gitops:tres]" in row["description"] for row in repo.world.bots("loja"))


def test_what_needs_its_place_does_not_wait_for_a_move(repo: Repo) -> None:
    moved(repo)
    some = three()
    some["loja"]["bots"] = {"dois": some["loja"]["bots"]["dois"], "quatro": bot("a-tres")}
    some["matriz"]["bots"]["tres"] = bot("a-tres")
    repo.write(some)
    plan = repo.plan("--base", "HEAD~2", code=2)
    assert sorted(verbs(plan)) == [
        ("create", "quatro@loja"),
        ("create", "tres@matriz"),
        ("delete", "tres@loja"),
    ]


def test_the_same_name_on_two_instances_is_no_move(repo: Repo) -> None:
    """Of loja's two bots nobody can say which of two new instances gets them."""
    some = {name: one for name, one in three().items() if name != "loja"}
    for name in ("nova", "outra"):
        repo.world.instance(name, name)
        some[name] = {**declared()["filial"], "defaults": {"openaiCreds": name}}
    repo.write(some)
    assert {verb for verb, _ in verbs(repo.plan("--base", "HEAD~2", code=2))} == {"create", "delete"}


def test_under_never_a_move_is_a_create_and_what_is_kept(repo: Repo) -> None:
    moved(repo)
    assert verbs(repo.plan("--prune", "never", code=2)) == [
        ("orphan", "tres@loja"),
        ("create", "tres@matriz"),
    ]


def test_a_bot_that_cannot_be_created_where_it_goes_stays(repo: Repo) -> None:
    moved(repo, openaiCreds="nobody")
    plan = repo.plan("--base", "HEAD~1", code=1)
    assert verbs(plan) == [("orphan", "tres@loja"), ("conflict", "tres@matriz")]
    assert "it is to move to matriz, and is not created there" in plan["instances"][1]["changes"][0]["reason"]
    repo.run("apply", "--yes", "--prune", "always", code=1)
    assert any("[gitops:tres]" in row["description"] for row in repo.world.bots("loja"))
