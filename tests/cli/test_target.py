"""`--target BOT@INSTANCE`: a plan of chosen bots, with what they need and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.cli.repo import KEYS, Repo
from tests.cli.test_effect import bot, declared, edited, verbs
from tests.support import World

Json = dict[str, Any]


@pytest.fixture
def repo(tmp_path: Path, run: Run, world: World) -> Repo:
    """Two instances of two bots each, applied."""
    for name in ("loja", "filial"):
        world.instance(name)
        world.creds(name, name, KEYS[name])
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo", run, world)
    repo.write(declared())
    repo.run("apply", "--yes", code=0)
    return repo


@pytest.fixture
def drifted(repo: Repo) -> Repo:
    """The same, with every bot edited on the server."""
    for instance in ("loja", "filial"):
        for name in ("um", "dois"):
            edited(repo, instance, name, expire=99)
    return repo


@pytest.mark.parametrize(
    ("targets", "places"),
    [
        (["um@loja"], ["um@loja"]),
        (["um@*"], ["um@filial", "um@loja"]),
        (["*@loja"], ["dois@loja", "um@loja"]),
        (["d*@f*", "um@loja"], ["dois@filial", "um@loja"]),
        (["*@*"], ["dois@filial", "dois@loja", "um@filial", "um@loja"]),
    ],
)
def test_only_these_bots_are_changed(
    drifted: Repo, server: Sandbox, targets: list[str], places: list[str]
) -> None:
    options = [each for target in targets for each in ("--target", target)]
    plan = drifted.plan(*options, code=2)
    assert sorted(verbs(plan)) == [("update", place) for place in places]
    assert plan["summary"]["update"] == len(places)
    assert plan["summary"]["inSync"] == 0
    [note] = plan["notes"]
    assert note.startswith(f"only {', '.join(targets)} and what it needs was looked at")
    done = len(server.writes)
    result = drifted.run("apply", *options, "--yes", code=0)
    assert "was looked at" in result.output
    assert len(server.writes) == done + len(places)
    assert verbs(drifted.plan(*options, code=0)) == []
    assert drifted.plan(*options, code=0)["summary"]["inSync"] == len(places)
    assert len(verbs(drifted.plan())) == 4 - len(places)


def test_with_instance_both_must_match(drifted: Repo) -> None:
    options = ("--target", "um@*", "--instance", "loja")
    assert verbs(drifted.plan(*options, code=2)) == [("update", "um@loja")]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("u@loja", "no bot matches 'u@loja' (did you mean 'um@loja'?)"),
        ("um@lija", "no bot matches 'um@lija' (did you mean 'um@loja'?)"),
        ("x*@loja", "no bot matches 'x*@loja'"),
        ("loja", "names no bot: write BOT@INSTANCE"),
        ("id:um@loja", "names a bot by its id: write BOT@INSTANCE"),
    ],
)
def test_a_target_that_matches_nothing(repo: Repo, target: str, message: str) -> None:
    assert message in repo.run("plan", "--target", "um@loja", "--target", target, code=1).stderr


def test_a_saved_plan_is_applied_as_it_is(drifted: Repo, server: Sandbox) -> None:
    plan = drifted.root / "plan.json"
    drifted.plan("--target", "um@loja", "--out", plan, code=2)
    assert "remove --reviewed, --instance, --target" in (
        drifted.run("apply", "--target", "um@loja", plan, "--yes", code=1).stderr
    )
    done = len(server.writes)
    drifted.run("apply", plan, "--yes", code=0)
    assert len(server.writes) == done + 1


def test_of_a_reviewed_plan_only_these_are_made(drifted: Repo) -> None:
    plan = drifted.root / "plan.json"
    drifted.plan("--instance", "loja", "--out", plan, code=2)
    drifted.run("apply", "--reviewed", plan, "--target", "um@loja", "--yes", code=0)
    assert verbs(drifted.plan("--instance", "loja")) == [("update", "dois@loja")]
    result = drifted.run("apply", "--reviewed", plan, "--target", "um@filial", "--yes", code=0)
    assert "um" in result.output  # edited by hand, as before the review
    assert len(verbs(drifted.plan("--instance", "filial"))) == 2


def test_the_effect_of_a_change_on_these_alone(drifted: Repo) -> None:
    more = declared(delayMessage=7)
    more["loja"]["bots"]["dois"]["delayMessage"] = 8
    drifted.write(more)
    options = ("--base", "HEAD~1", "--target", "um@*")
    assert verbs(drifted.plan(*options, code=2)) == [("before", "um@filial"), ("update", "um@loja")]


# -- what a bot needs --------------------------------------------------------------------------

NEW = """\
credentials: {new: {apiKey: !env NEW}, other: {apiKey: !env OTHER}}
settings: {openaiCreds: new, expire: 20, fallback: dois}
defaults: {openaiCreds: new, botType: assistant, triggerType: keyword, triggerOperator: equals}
bots:
  um: {assistantId: a, triggerValue: um}
  dois: {assistantId: b, triggerValue: dois, openaiCreds: other}
"""


def test_a_bot_gets_its_credential_and_settings(repo: Repo) -> None:
    repo.world.instance("nova")
    repo.env = {"NEW": "sk-new-0123456789abcdef", "OTHER": "sk-other-0123456789abcdef"}
    repo.write({**declared(), "nova.yaml": NEW})
    plan = repo.plan("--target", "um@nova", code=2)
    assert verbs(plan) == [("create", "new@nova"), ("create", "settings@nova"), ("create", "um@nova")]
    repo.run("apply", "--target", "um@nova", "--yes", code=0)
    assert repo.plan("--target", "um@nova", code=0)["pending"] is False
    assert repo.world.settings("nova")["expire"] == 20
    assert [one["name"] for one in repo.world.done("GET", "/openai/creds/nova")] == ["new"]
    # The settings exist now, so another bot does not need them.
    plan = repo.plan("--target", "dois@nova", code=2)
    assert verbs(plan) == [("create", "other@nova"), ("create", "dois@nova")]
    repo.run("apply", "--yes", code=0)
    assert repo.plan(code=0)["pending"] is False


def test_no_credential_is_rotated(repo: Repo, server: Sandbox) -> None:
    """It would move other bots; a bot that is created takes the version that is there."""
    text = (
        "credentials: {filial: {apiKey: !env KEY}}\ndefaults: {openaiCreds: filial}\nbots: {um: %s, dois: %s}"
    )
    repo.env = {"KEY": "sk-another-0123456789abcdef"}
    more = declared()
    del more["filial"]
    repo.write({**more, "filial.yaml": text % (_flow("um"), _flow("dois"))})
    assert ("rotate", "filial@filial") in verbs(repo.plan())
    assert verbs(repo.plan("--target", "um@filial", code=0)) == []
    [row] = [one for one in repo.world.bots("filial") if ":um]" in one["description"]]
    repo.world.remove("filial", row)
    assert verbs(repo.plan("--target", "um@filial", code=2)) == [("create", "um@filial")]
    repo.run("apply", "--target", "um@filial", "--yes", code=0)
    assert len(repo.world.done("GET", "/openai/creds/filial")) == 1


def _flow(name: str) -> str:
    fields = ", ".join(f"{key}: {value}" for key, value in bot(f"a-{name}").items())
    return f"{{{fields}}}"


def test_what_another_bot_holds_is_a_conflict(repo: Repo, server: Sandbox) -> None:
    """Two bots swap their triggers: one alone cannot take the other's."""
    swapped = declared()
    swapped["loja"]["bots"] = {
        "um": bot("a-um", triggerValue="a-dois"),
        "dois": bot("a-dois", triggerValue="a-um"),
    }
    repo.write(swapped)
    plan = repo.plan("--target", "um@loja", code=1)
    assert verbs(plan) == [("conflict", "um@loja")]
    assert "dois" in plan["instances"][0]["changes"][0]["reason"]
    done = len(server.writes)
    repo.run("apply", "--target", "um@loja", "--yes", code=1)
    assert len(server.writes) == done
    repo.run("apply", "--target", "um@loja", "--target", "dois@loja", "--yes", code=0)
    assert verbs(repo.plan(code=0)) == []


# -- deletes -----------------------------------------------------------------------------------


def test_a_bot_that_is_not_declared_any_more(repo: Repo) -> None:
    """By prune and within the limits, as ever; no other one with it."""
    repo.write({"filial": declared()["filial"]})
    target = ("--target", "um@loja")
    assert verbs(repo.plan(*target, code=2)) == [("delete", "um@loja")]
    assert verbs(repo.plan(*target, "--prune", "never", code=2)) == [("orphan", "um@loja")]
    assert verbs(repo.plan(*target, "--max-deletes", "0", code=1)) == [("orphan", "um@loja")]
    repo.run("apply", *target, "--yes", code=0)
    assert len(repo.world.bots("loja")) == 2
    repo.run("apply", *target, "--prune", "always", "--yes", code=0)
    assert [":dois]" in one["description"] for one in repo.world.bots("loja")] == [True]


@pytest.mark.parametrize("targets", [["tres@filial", "um@loja"], ["tres@*"]])
def test_a_move_is_one_change(repo: Repo, targets: list[str]) -> None:
    more = declared()
    more["loja"]["bots"]["tres"] = bot("a-tres")
    repo.write(more)
    repo.run("apply", "--yes", code=0)
    more = declared()
    more["filial"]["bots"] = {**more["filial"]["bots"], "tres": bot("a-tres")}
    repo.write(more)
    options = [each for target in targets for each in ("--target", target)]
    assert verbs(repo.plan(*options, code=2)) == [("move", "tres@filial"), ("delete", "tres@loja")]
    repo.run("apply", *options, "--prune", "always", "--yes", code=0)
    assert verbs(repo.plan(code=0)) == []


def test_broken_others_are_only_said(drifted: Repo) -> None:
    drifted.write({**declared(), "filial": "bots: {"})
    drifted.run("plan", "--target", "um@loja", code=0)
    result = drifted.run("plan", "--target", "um@l*", code=0)
    assert "1 error in other manifests" in result.stderr
    for target in ("um@filial", "um@*"):
        assert "filial.json:" in drifted.run("plan", "--target", target, code=1).stderr


def test_no_credential_is_deleted_with_a_bot(repo: Repo) -> None:
    """What was reviewed is made of the chosen bot, and not of a credential."""
    repo.env = {"EXTRA": "sk-extra-0123456789abcdef"}
    extra = "credentials: {extra: {apiKey: !env EXTRA}}\n"
    bots = f"defaults: {{openaiCreds: extra}}\nbots: {{um: {_flow('um')}, dois: {_flow('dois')}}}"
    repo.write({"loja": declared()["loja"], "filial.yaml": extra + bots})
    repo.run("apply", "--yes", code=0)
    repo.write({"loja": declared()["loja"], "filial.yaml": "bots: {}"})
    target = ("--base", "HEAD~1", "--target", "um@filial", "--max-delete-share", "100")
    assert verbs(repo.plan("--base", "HEAD~1", code=1))[0] == ("orphan", "extra@filial")
    plan = repo.root / "plan.json"
    assert verbs(repo.plan(*target, "--out", plan, code=2)) == [("delete", "um@filial")]
    repo.run("apply", plan, "--max-delete-share", "100", "--yes", code=0)
    assert len(repo.world.bots("filial")) == 1
    assert "extra" in {one["name"] for one in repo.world.done("GET", "/openai/creds/filial")}
