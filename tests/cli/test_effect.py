"""`plan --base`: what a pull request does, apart from what is to be done without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.cli.repo import KEYS, Repo
from tests.support import World

Json = dict[str, Any]


@pytest.fixture
def repo(tmp_path: Path, run: Run, world: World) -> Repo:
    """Two instances of two bots each, as main declares them."""
    for name in ("loja", "filial"):
        world.instance(name)
        world.creds(name, name, KEYS[name])
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo", run, world)
    repo.write(declared())
    repo.run("apply", "--yes", code=0)
    return repo


def declared(**changes: Any) -> dict[str, Any]:
    """The manifests of loja and filial; changes: fields of loja's bot um."""
    bots = {name: bot(f"a-{name}") for name in ("um", "dois")}
    return {
        name: {
            "defaults": {"openaiCreds": name},
            "bots": bots if name == "filial" else bots | {"um": bot("a-um", **changes)},
        }
        for name in ("loja", "filial")
    }


def bot(assistant: str, **fields: Any) -> Json:
    trigger = {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": assistant}
    return {"botType": "assistant", "assistantId": assistant, "expire": 5, **trigger, **fields}


def verbs(plan: Json) -> list[tuple[str, str]]:
    """What a plan does and reports: the verb, and the bot on its instance."""
    return [
        (change["verb"], f"{change['bot'] or change['of']}@{one['name']}")
        for one in plan["instances"]
        for change in one["changes"]
    ]


def notes(change: Json) -> dict[str, str]:
    return {field["name"]: field["note"] for field in change["fields"]}


def edited(repo: Repo, instance: str, name: str, **fields: Any) -> None:
    """Somebody edits a bot on the server."""
    [found] = [one for one in repo.world.bots(instance) if f":{name}]" in one["description"]]
    repo.world.change(instance, found, **fields)


def test_drift_elsewhere_is_not_of_this_change_and_is_not_repaired(repo: Repo, server: Sandbox) -> None:
    edited(repo, "filial", "um", expire=99)
    repo.write(declared(expire=6))
    done = len(server.writes)
    assert verbs(repo.plan(code=2)) == [("update", "um@filial"), ("update", "um@loja")]
    plan = repo.merge()
    assert verbs(plan) == [("before", "um@filial"), ("update", "um@loja")]
    assert (plan["summary"]["update"], plan["summary"]["before"], plan["summary"]["problems"]) == (1, 1, 0)
    assert len(server.writes) == done + 1
    # A change that does nothing to the server has nothing to apply, whatever drifted.
    assert repo.plan("--base", "HEAD", code=0)["writes"] is False


def test_drift_that_came_after_the_review_is_not_repaired_either(repo: Repo, server: Sandbox) -> None:
    repo.write(declared(expire=6))
    saved = repo.root / "plan.json"
    repo.plan("--base", "HEAD~1", "--out", saved)
    edited(repo, "filial", "um", expire=99)
    done = len(server.writes)
    repo.run("apply", "--reviewed", saved, "--yes", code=0)
    assert len(server.writes) == done + 1


def test_what_is_overwritten_is_said(repo: Repo) -> None:
    edited(repo, "loja", "um", expire=99)
    repo.write(declared(expire=6, delayMessage=7))
    [_, loja] = repo.plan("--base", "HEAD~1", code=2)["instances"]
    [change] = loja["changes"]
    assert change["cause"] == "both"
    assert {field["name"]: field["note"] for field in change["fields"]} == {
        "expire": "edited",
        "delayMessage": "",
    }


def test_an_edit_of_a_drifted_bot_restores_the_whole_bot(repo: Repo, server: Sandbox) -> None:
    """There is one write of it, and the reviewer sees all that it does."""
    edited(repo, "loja", "um", expire=99)
    repo.write(declared(delayMessage=7))
    plan = repo.merge()
    [change] = plan["instances"][1]["changes"]
    assert {field["name"]: field["note"] for field in change["fields"]} == {
        "expire": "edited",
        "delayMessage": "",
    }
    assert repo.plan(code=0)["pending"] is False


def test_what_the_base_asks_for_and_this_takes_back(repo: Repo) -> None:
    more = declared()
    more["loja"]["bots"]["tres"] = bot("a-tres")
    repo.write(more)  # merged, and not applied
    repo.write(declared())
    plan = repo.plan("--base", "HEAD~1", code=0)
    assert verbs(plan) == [("withdrawn", "tres@loja")]
    assert plan["instances"][-1]["changes"][0]["reason"].startswith(
        "create: it is missing on the server. The base"
    )


def test_a_conflict_that_was_there_before_stops_nothing(repo: Repo) -> None:
    more = declared()
    more["filial"]["bots"]["tres"] = bot("a-tres", openaiCreds="nobody")
    repo.write(more)
    more["loja"]["bots"]["um"]["expire"] = 6
    repo.write(more)
    plan = repo.plan("--base", "HEAD~1", code=2)
    assert verbs(plan) == [("before", "tres@filial"), ("update", "um@loja")]


def test_an_instance_that_cannot_be_read_is_no_problem_of_another_change(repo: Repo) -> None:
    more = declared()
    more["gone"] = {"bots": {"um": bot("x", openaiCreds="x")}}
    repo.write(more)
    more["loja"]["bots"]["um"]["expire"] = 6
    repo.write(more)
    plan = repo.plan("--base", "HEAD~1", code=2)
    assert verbs(plan) == [("update", "um@loja")]
    [note] = plan["notes"]
    assert note.startswith("1 instance that this does not change could not be read (gone): ")
    more["gone"]["bots"]["um"]["expire"] = 6
    repo.write(more)
    assert repo.plan("--base", "HEAD~1", code=1)["summary"]["problems"] == 1


@pytest.mark.parametrize(
    "broken", [{"loja": "{"}, {"loja": {"bots": {"um": {"nope": 1}}}}, {"loja.yaml": "bots: !file ../../x\n"}]
)
def test_with_an_invalid_base_everything_is_this_change(repo: Repo, broken: Json) -> None:
    edited(repo, "filial", "um", expire=99)
    repo.write(broken)
    repo.write(declared(expire=6))
    plan = repo.plan("--base", "HEAD~1", code=2)
    assert verbs(plan) == [("update", "um@filial"), ("update", "um@loja")]
    [note] = plan["notes"]
    assert "are invalid, so every change counts as this one's: " in note


def test_a_base_without_manifests(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "empty")
    repo.git("rm", "-rfq", "--cached", ".")
    repo.git("commit", "-q", "--allow-empty", "-m", "nothing")
    repo.write(declared(expire=6))
    assert verbs(repo.plan("--base", "HEAD~1", code=2)) == [("update", "um@loja")]


def test_a_base_with_links_out_of_its_directory_is_not_followed(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("canary-of-the-disk")
    (repo.root / "bots" / "out.md").symlink_to(tmp_path / "secret.md")
    text = repo.root / "bots" / "um.yaml"
    text.write_text(
        "bots: {um: {botType: assistant, assistantId: !file out.md, triggerType: none, openaiCreds: x}}"
    )
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "hostile")
    repo.write(declared())
    result = repo.run("plan", "--base", "HEAD~1", "--format", "json", code=0)
    assert "leads out of" in result.output
    assert "canary" not in result.output


def _unrelated(repo: Repo) -> str:
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("commit", "-q", "-m", "other")
    return "main"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda repo: "nope", "has no branch, tag or commit 'nope'"),
        (lambda repo: "--all", "a branch, a tag or a commit is needed"),
        (_unrelated, "the two have no common commit"),
    ],
)
def test_a_base_that_git_does_not_have(repo: Repo, spoil: Callable[[Repo], str], message: str) -> None:
    result = repo.run("plan", f"--base={spoil(repo)}", code=1)
    assert "--base: git cannot tell what changed: " in result.stderr
    assert message in result.stderr


def test_a_shallow_clone_says_what_to_fetch(repo: Repo, tmp_path: Path, run: Run) -> None:
    repo.write(declared(expire=6))
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.root}", str(tmp_path / "shallow"))
    result = run("plan", "--bots", tmp_path / "shallow" / "bots", "--base", "HEAD~1")
    assert result.exit_code == 1
    assert "fetch-depth: 0" in result.stderr
    repo.git("clone", "-q", "--depth", "2", f"file://{repo.root}", str(tmp_path / "enough"))
    assert run("plan", "--bots", tmp_path / "enough" / "bots", "--base", "HEAD~1").exit_code == 0


@pytest.mark.parametrize(
    "setting", ["diff.relative=true", "core.quotepath=true", "diff.noprefix=true", "color.ui=always"]
)
def test_settings_of_a_persons_git(repo: Repo, setting: str) -> None:
    repo.git("config", *setting.split("="))
    repo.write({**declared(expire=6), "ação": {"instance": "filial2", "bots": {}}})
    repo.world.instance("filial2")
    assert verbs(repo.plan("--base", "HEAD~1", code=2)) == [("update", "um@loja")]


def test_together_with_changed_since_only_those_are_read(repo: Repo, server: Sandbox) -> None:
    repo.world.instance("alheia")
    repo.write(declared(expire=6))
    server.calls.clear() if hasattr(server, "calls") else None
    assert verbs(repo.plan("--base", "HEAD~1", "--changed-since", "HEAD~1", code=2)) == [
        ("update", "um@loja")
    ]


# -- what is not declared any more ------------------------------------------------------------


def test_a_field_goes_back_to_what_a_create_gives(repo: Repo) -> None:
    repo.write(declared(delayMessage=7, unknownMessage="?", description="Front desk"))
    repo.merge()
    repo.write(declared())
    [change] = repo.plan("--base", "HEAD~1")["instances"][1]["changes"]
    assert {f["name"]: (f["after"], f["note"]) for f in change["fields"]} == {
        "description": ("[gitops:um]", "undeclared"),
        "delayMessage": (1000, "undeclared"),
        "unknownMessage": ("Sorry, I dont understand", "undeclared"),
    }
    assert repo.plan(code=0)["pending"] is False  # without a base nobody knows that it was declared
    repo.merge()
    [row] = [row for row in repo.world.bots("loja") if "[gitops:um]" in row["description"]]
    assert row["delayMessage"] == 1000


def test_what_no_update_can_clear_is_said(repo: Repo) -> None:
    chat = {
        "botType": "chatCompletion",
        "model": "gpt-4o",
        "maxTokens": 77,
        "triggerType": "none",
        "openaiCreds": "loja",
    }
    both = declared()
    both["loja"]["bots"]["um"] = chat
    repo.write(both)
    repo.merge()
    repo.write(declared())
    [change] = repo.plan("--base", "HEAD~1")["instances"][1]["changes"]
    assert "; maxTokens cannot be cleared by an update: --replace clears it" in change["reason"]


def test_settings_that_are_not_declared_any_more(repo: Repo) -> None:
    some = declared()
    some["loja"]["settings"] = {"expire": 9, "delayMessage": 9, "fallback": "um"}
    repo.write(some)
    repo.merge()
    some["loja"]["settings"] = {"expire": 9}
    repo.write(some)
    [change] = repo.merge()["instances"][1]["changes"]
    assert {f["name"]: (f["after"], f["note"]) for f in change["fields"]} == {
        "delayMessage": (1000, "undeclared"),
        "fallbackId": ("", "undeclared"),
    }
    repo.write(declared())
    plan = repo.plan("--base", "HEAD~1", code=0)
    assert verbs(plan) == [("forget", "settings@loja")]
    assert repo.world.settings("loja")["expire"] == 9


def test_a_credential_that_is_not_declared_any_more(repo: Repo, server: Sandbox) -> None:
    repo.env = {"SPARE": "sk-spare-0123456789abcdef"}
    more = {name: manifest for name, manifest in declared().items() if name != "loja"}
    loja = """\
credentials: {{spare: {{apiKey: !env SPARE}}}}
defaults: {{openaiCreds: {creds}, botType: assistant, triggerType: keyword, triggerOperator: equals}}
bots:
  um: {{assistantId: a-um, triggerValue: a-um}}
  dois: {{assistantId: a-dois, triggerValue: a-dois}}
"""
    repo.write({**more, "loja.yaml": loja.format(creds="spare")})
    repo.merge()
    repo.write({**more, "loja.yaml": loja.format(creds="spare").partition("\n")[2]})
    [_, one] = repo.plan("--base", "HEAD~1", code=2)["instances"]
    [change] = one["changes"]
    assert (change["verb"], change["of"]) == ("orphan", "credential")
    assert "um (bot " in change["reason"]
    repo.write({**more, "loja.yaml": loja.format(creds="loja").partition("\n")[2]})
    repo.merge()
    names = {one["name"] for one in repo.world.done("GET", "/openai/creds/loja")}
    assert names == {"loja", "spare"}  # declared by neither of the two commits: nobody knows that it was ours
    assert repo.plan(code=0)["pending"] is False


def test_a_credential_goes_with_its_last_user(repo: Repo) -> None:
    repo.env = {"SPARE": "sk-spare-0123456789abcdef"}
    more = {name: manifest for name, manifest in declared().items() if name != "loja"}
    bots = "bots: {um: {assistantId: a-um, botType: assistant, triggerType: none, openaiCreds: %s}}\n"
    creds = "credentials: {spare: {apiKey: !env SPARE}}\n"
    repo.write({**more, "loja.yaml": creds + bots % "spare"})
    repo.merge("--max-delete-share", "100")
    repo.write({**more, "loja.yaml": bots % "loja"})
    assert ("delete", "spare@loja") in verbs(repo.merge())
    assert {one["name"] for one in repo.world.done("GET", "/openai/creds/loja")} == {"loja"}
    assert repo.plan(code=0)["pending"] is False
