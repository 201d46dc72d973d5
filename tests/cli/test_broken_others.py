"""One broken manifest of several: the others are planned by name, and nothing is taken to be undeclared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.cli.repo import Repo
from tests.cli.test_effect import bot, verbs
from tests.support import World

Json = dict[str, Any]

NAMES = ("loja", "filial", "matriz")
MALFORMED = "bots: {"
INVALID = '{"bots": {"um": {"botType": "assistant"}}, "wrong": 1}'


def manifest(name: str, **more: Any) -> Json:
    bots = {each: bot(f"a-{each}") for each in ("um", "dois")}
    return {"defaults": {"openaiCreds": name}, "bots": bots, **more}


@pytest.fixture
def repo(tmp_path: Path, run: Run, world: World) -> Repo:
    """Three instances of two bots each, applied."""
    for name in NAMES:
        world.instance(name)
        world.creds(name, name)
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo", run, world)
    repo.write(three())
    repo.run("apply", "--yes", code=0)
    return repo


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_the_others_are_listed_by_name(repo: Repo, options: tuple[str, ...]) -> None:
    repo.write(three(filial=MALFORMED))
    for named in ("loja", "loj[a]"):
        result = repo.run("list", "--instance", named, *options, code=0)
        assert ("in other manifests (" in result.stderr) is ("[" in named)  # by its name nothing else is read
        assert "um" in result.stdout
        assert "filial" not in result.stdout.replace("filial.json", "")
        unlooked = "instances that no manifest declares were not looked at" in " ".join(result.stdout.split())
        assert unlooked is ("[" in named and not options)
    result = repo.run("list", *options, code=1)
    assert "filial.json:" in result.stderr


def three(**texts: Any) -> dict[str, Any]:
    return {**{name: manifest(name) for name in NAMES}, **texts}


@pytest.mark.parametrize("broken", [MALFORMED, INVALID, "instance: [filial]\nbots: {}", "- a list", "\t"])
def test_the_others_are_planned_by_name(repo: Repo, server: Sandbox, broken: str) -> None:
    repo.write(three(filial=broken))
    result = repo.run("plan", "--instance", "loj[a]", code=0)
    assert "in other manifests (" in result.stderr
    assert "filial" in result.stderr
    assert "`reconciler validate` shows them" in result.stderr
    repo.run("plan", "--instance", "loja", code=0)
    done = len(server.writes)
    repo.run("apply", "--instance", "loja", "--instance", "matriz", "--yes", code=0)
    assert len(server.writes) == done
    repo.run("explain", "um@loja", code=0)
    for options in ((), ("--instance", "filial"), ("--instance", "*l*"), ("--instance", "nobody")):
        result = repo.run("plan", *options, code=1)
        assert "in other manifests" not in result.stderr
        assert "filial.json:" in result.stderr
    assert "filial.json:" in repo.run("explain", "um@filial", code=1).stderr
    assert "filial.json:" in repo.run("restore", "filial", "--yes", code=1).stderr


def test_the_plan_says_what_was_not_checked(repo: Repo) -> None:
    repo.write(three(filial=MALFORMED, matriz=MALFORMED))
    [note] = repo.plan("--instance", "l*", code=0)["notes"]
    assert note.startswith("2 errors in other manifests (")
    assert "it was not checked whether these declare the same instances, credentials or keys" in note


def test_a_valid_repository_is_not_spoken_of(repo: Repo) -> None:
    assert "other manifests" not in repo.run("plan", "--instance", "l*", code=0).stderr
    assert repo.plan("--instance", "l*", code=0)["notes"] == []


def test_of_those_that_are_named_nothing_is_left_unchecked(repo: Repo) -> None:
    repo.write(three(filial=MALFORMED, matriz=MALFORMED))
    assert "other manifests" not in repo.run("plan", "--instance", "loja", code=0).stderr
    assert repo.plan("--instance", "loja", code=0)["notes"] == []


@pytest.mark.parametrize(("glob", "lists"), [("loja", False), ("l*", True)])
def test_the_server_is_asked_for_no_more_either(repo: Repo, server: Sandbox, glob: str, lists: bool) -> None:
    done = len(server.calls)
    repo.plan("--instance", glob, code=0)
    paths = [call.path for call in server.calls[done:]]
    assert ("/instance/fetchInstances" in paths) == lists
    assert not [path for path in paths if path.endswith(("/filial", "/matriz"))]


def test_restore_needs_its_instances_alone(repo: Repo) -> None:
    for row in repo.world.bots("loja"):
        repo.world.remove("loja", row)
    repo.write(three(filial=MALFORMED))
    repo.run("restore", "loja", "--yes", code=0)
    assert len(repo.world.bots("loja")) == 2


# -- nothing is undeclared ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "instance"),
    [("filial.json", "loja"), ("filial.json", "[lm]*"), ("another.json", "loja"), ("another.json", "*i*")],
)
def test_no_bot_of_a_broken_manifest_is_deleted(
    repo: Repo, server: Sandbox, name: str, instance: str
) -> None:
    """Whatever the file is called, and although all of its instance's bots seem to be undeclared."""
    manifests = {key: one for key, one in three().items() if key != "filial"}
    repo.write({**manifests, name: MALFORMED})
    plan = repo.root / "plan.json"
    everything = ("--prune", "always", "--max-delete-share", "100", "--known-instance", "*")
    assert verbs(repo.plan("--instance", instance, *everything, "--out", plan, code=0)) == []
    done = len(server.writes)
    repo.run("apply", "--instance", instance, *everything, "--yes", code=0)
    repo.run("apply", "--instance", instance, *everything, "--reviewed", plan, "--yes", code=0)
    repo.run("apply", *everything[:2], plan, "--yes", code=0)
    assert len(server.writes) == done
    for glob in ("f*", "filial"):
        repo.run("plan", "--instance", glob, *everything, code=1)
    assert len(repo.world.bots("filial")) == 2


@pytest.mark.parametrize("option", ["--base", "--changed-since"])
def test_nor_is_one_that_was_declared_at_the_base(repo: Repo, option: str) -> None:
    repo.write({"loja": manifest("loja"), "matriz": manifest("matriz", silence=["x"]), "another": MALFORMED})
    assert verbs(repo.plan("--instance", "*i*", option, "HEAD~1", code=0)) == []


def test_no_bot_moves_away_from_a_broken_manifest(repo: Repo) -> None:
    """A bot that one instance lacks and the broken one has is created, and stays there too."""
    more = manifest("loja")
    more["bots"]["tres"] = bot("a-tres")
    repo.write(three(filial=more | {"defaults": {"openaiCreds": "filial"}}))
    repo.run("apply", "--yes", code=0)
    repo.write(three(loja=more, filial=MALFORMED))
    assert verbs(repo.plan("--instance", "loja", code=2)) == [("create", "tres@loja")]
    repo.run("apply", "--instance", "loja", "--prune", "always", "--yes", code=0)
    assert (len(repo.world.bots("loja")), len(repo.world.bots("filial"))) == (3, 3)


def test_an_undeclared_instance_is_not_looked_at(repo: Repo) -> None:
    """A manifest that was deleted may be the broken one under another name."""
    repo.write({"loja": manifest("loja"), "matriz": MALFORMED})
    for options in (("--changed-since", "HEAD~1"), ("--base", "HEAD~1")):
        plan = repo.plan("--instance", "loja", "--instance", "l*", *options, code=0)
        assert verbs(plan) == []
    assert "matriz.json:" in repo.run("plan", "--instance", "filial", "--instance", "loja", code=1).stderr


def test_a_bot_that_the_valid_manifest_removes_is_deleted(repo: Repo) -> None:
    one = manifest("loja")
    del one["bots"]["dois"]
    repo.write(three(loja=one, filial=MALFORMED))
    assert verbs(repo.plan("--instance", "loja", code=2)) == [("delete", "dois@loja")]


# -- what an instance needs --------------------------------------------------------------------


def test_what_an_instance_inherits_must_be_valid(repo: Repo) -> None:
    repo.write(three(**{"_defaults.yaml": "defaults: {wrong: 1}"}))
    assert "_defaults.yaml:" in repo.run("plan", "--instance", "loja", code=1).stderr
    repo.write(three(**{"_default.yaml": "defaults: {expire: 1}"}))
    assert "_default.yaml:" in repo.run("plan", "--instance", "loja", code=1).stderr


def test_a_folder_beside_it_need_not_be_valid(repo: Repo) -> None:
    folder = repo.root / "bots" / "filiais"
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("defaults: {wrong: 1}")
    (repo.root / "bots" / "filial.json").rename(folder / "filial.json")
    repo.run("plan", "--instance", "loja", code=0)
    assert "_defaults.yaml:" in repo.run("plan", "--instance", "filial", code=1).stderr


@pytest.mark.parametrize("owner", ["filial", "another"])
def test_the_owner_of_a_shared_credential_must_be_valid(repo: Repo, owner: str) -> None:
    loja = manifest("loja", defaults={"openaiCreds": {"instance": "filial", "name": "filial"}})
    manifests = {"loja": loja, "matriz": manifest("matriz"), owner: MALFORMED}
    repo.write(manifests)
    assert f"{owner}.json:" in repo.run("plan", "--instance", "loja", code=1).stderr
    repo.run("plan", "--instance", "matriz", code=0)


def test_uniqueness_is_checked_as_far_as_it_is_read(repo: Repo) -> None:
    """Whichever of the two is planned; a third one is not concerned."""
    text = "credentials: {{same: {{apiKey: !env {}}}}}\nbots: {{}}"
    repo.write({"loja.yaml": text.format("A"), "filial.yaml": text.format("B"), "matriz": manifest("matriz")})
    for name in ("loja", "filial"):
        assert "already declared by" in repo.run("plan", "--instance", name, code=1).stderr
    for name in ("matriz", "m*"):
        said = repo.run("plan", "--instance", name, code=0).stderr
        assert ("1 error in other manifests" in said) == (name == "m*")


def test_an_instance_that_is_declared_twice(repo: Repo) -> None:
    repo.write(three(other=manifest("filial", instance="filial")))
    assert "is already declared at" in repo.run("plan", "--instance", "filial", code=1).stderr
    for name in ("loja", "l*"):
        said = repo.run("plan", "--instance", name, code=0).stderr
        assert ("1 error in other manifests" in said) == (name == "l*")


@pytest.mark.parametrize("now", [MALFORMED, "credentials: {extra: {apiKey: !env EXTRA}}\nbots: {}"])
def test_a_reviewed_delete_of_a_credential_elsewhere_is_not_made(repo: Repo, now: str) -> None:
    """Neither where the manifest is broken now, nor where it declares the credential again."""
    repo.env = {"EXTRA": "sk-extra-0123456789abcdef"}
    loja, plan = manifest("loja"), repo.root / "plan.json"
    repo.write({"loja": loja, "filial.yaml": "credentials: {extra: {apiKey: !env EXTRA}}\nbots: {}"})
    repo.run("apply", "--instance", "filial", "--yes", code=0)
    repo.write({"loja": loja, "filial.yaml": "bots: {}"})
    found = repo.plan("--base", "HEAD~1", "--instance", "filial", "--out", plan, code=2)
    assert ("delete", "extra@filial") in verbs(found)
    repo.write({"loja": loja, "filial.yaml": now})
    repo.run("apply", "--instance", "loja", "--reviewed", plan, "--yes", code=0)
    assert "extra" in {one["name"] for one in repo.world.done("GET", "/openai/creds/filial")}
