"""Shards: parts that are planned and applied apart, and what they come to together."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from jsonschema import Draft202012Validator, FormatChecker

from reconciler import saved
from reconciler.domain import files, shards
from reconciler.domain.shards import PlanShard, Shard
from reconciler.saved import encode
from tests.cli.servers import BOT, Fleet, fleet
from tests.support import unpacked

SHOPS = ("aa", "bo", "ca", "do")
OTHER = BOT.replace("100", "200")
TWO = f"{BOT}  night: {{maxTokens: 300, triggerValue: night}}\n"


@pytest.fixture
def eu(tmp_path: Path) -> Iterator[Fleet]:
    """One server with four shops, which are applied."""
    with fleet(tmp_path, "eu-1") as found:
        found.declare(*(f"eu-1/{name}" for name in SHOPS))
        found.done("apply", "--yes")
        yield found


def plan(fleet: Fleet, n: int, *options: str, name: str = "s") -> list[str]:
    """Plan all shards. Returns the files."""
    names = [f"{name}{number}.json" for number in range(1, n + 1)]
    for number, file in enumerate(names, 1):
        fleet.run("plan", "--shard", f"{number}/{n}", "--out", file, *options)
    return names


def merged(fleet: Fleet, n: int, *options: str) -> dict[str, Any]:
    """Plan all shards and merge them into whole.json; the JSON."""
    result = fleet.run("merge", *plan(fleet, n, *options), "--out", "whole.json", "--format", "json")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def number(name: str, of: int, server: str = "") -> int:
    return shards.number(server, name, of)


def writes(fleet: Fleet, server: str = "eu-1") -> list[tuple[str, str]]:
    return [(call.method, call.path) for call in fleet.running[server].writes]


# -- which instance is which shard's -----------------------------------------------------------


def test_the_shard_of_an_instance_never_changes() -> None:
    found = [number(name, 4) for name in ("loja", "loja-centro", "café/2", "", "\udc80")]
    assert found == [4, 2, 1, 1, 2]
    assert number("loja", 4, "eu-1") != number("loja", 4, "us-1")


def test_every_instance_is_in_exactly_one_shard() -> None:
    for name in map(str, range(200)):
        for of in (1, 2, 7):
            assert sum(Shard(each, of).has("eu", name) for each in range(1, of + 1)) == 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/1001", "01/4", "-1/4", "1/4/2", ""])
def test_what_is_no_shard_is_an_error(eu: Fleet, text: str) -> None:
    for command in ("plan", "apply", "test"):
        result = eu.run(command, "--shard", text)
        assert result.exit_code == 1
        assert "is not a shard: write I/N, such as 2/4 for the second of four" in result.stderr


def test_a_shard_reads_its_own_instances_alone(eu: Fleet) -> None:
    for each in range(1, 4):
        eu.running["eu-1"].calls.clear()
        eu.done("plan", "--shard", f"{each}/3")
        read = {call.path.rpartition("/")[2] for call in eu.running["eu-1"].calls if "/find/" in call.path}
        assert read == {name for name in SHOPS if number(name, 3) == each}


def test_all_manifests_have_to_be_valid(eu: Fleet) -> None:
    eu.write("eu-1/do.yaml", f"{BOT}  again: {{maxTokens: 100, triggerValue: x}}\n")
    for each in (1, 2):
        result = eu.run("plan", "--shard", f"{each}/2")
        assert result.exit_code == 1
        assert "bots/eu-1/do.yaml:5" in result.stderr


def test_tests_of_a_shard(eu: Fleet) -> None:
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", f"{BOT}tests:\n- {{message: menu, bot: menu}}\n")
    found = []
    for each in (1, 2):
        document = json.loads(eu.done("test", "--shard", f"{each}/2", "--format", "json"))
        found += [one["name"] for one in document["instances"]]
    assert sorted(found) == ["aa", "bo", "ca", "do"]


# -- what is across shards ---------------------------------------------------------------------


def test_a_move_is_one_although_its_ends_are_in_two_shards(eu: Fleet) -> None:
    assert number("aa", 2) != number("ca", 2)
    eu.write("eu-1/aa.yaml", TWO)
    eu.done("apply", "--yes")
    eu.write("eu-1/aa.yaml", BOT)
    eu.write("eu-1/ca.yaml", TWO)
    [one, other] = [json.loads((eu.home / file).read_text()) for file in plan(eu, 2)]
    assert sorted((one["summary"]["create"], other["summary"]["create"])) == [0, 1]
    assert sorted((one["summary"]["delete"], other["summary"]["delete"])) == [0, 1]
    whole = merged(eu, 2)
    assert (whole["summary"]["move"], whole["summary"]["delete"], whole["summary"]["create"]) == (1, 0, 0)
    assert whole == json.loads(eu.done("plan", "--format", "json"))
    own = [
        each
        for each in (1, 2)
        if "2 changes" in eu.done("apply", "whole.json", "--shard", f"{each}/2", "--yes")
    ]
    assert own == [number("aa", 2)], "both ends are one shard's, that of the first"
    [create, delete] = writes(eu)[-2:]
    assert (create[0], create[1].rpartition("/")[2]) == ("POST", "ca")
    assert (delete[0], delete[1].rpartition("/")[2]) == ("DELETE", "aa")


def test_a_bot_that_is_not_created_where_it_goes_stays(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", TWO)
    eu.done("apply", "--yes")
    eu.write("eu-1/aa.yaml", BOT)
    eu.write("eu-1/ca.yaml", TWO.replace("night: {", "night: {openaiCreds: nobody, "))
    whole = merged(eu, 2)
    assert (whole["summary"]["conflict"], whole["summary"]["orphan"], whole["summary"]["delete"]) == (1, 1, 0)
    assert whole == json.loads(eu.run("plan", "--format", "json").stdout)
    before = writes(eu)
    for each in (1, 2):
        eu.run("apply", "whole.json", "--shard", f"{each}/2", "--yes")
    assert writes(eu) == before
    assert eu.names("eu-1", "aa") == ["menu", "night"]


def test_an_instance_that_nobody_declares_any_more_is_one_shards(eu: Fleet) -> None:
    (eu.bots / "eu-1/do.yaml").unlink()
    options = ("--known-instance", "*")
    deletes = [
        json.loads((eu.home / file).read_text())["summary"]["delete"] for file in plan(eu, 3, *options)
    ]
    assert sorted(deletes) == [0, 0, 1]
    assert merged(eu, 3, *options)["summary"]["delete"] == 1


SHARED = BOT.replace("openaiCreds: main", "openaiCreds: {instance: aa, name: key}")
OWN = f"credentials: {{key: {{apiKey: !env KEY}}}}\n{BOT.replace('openaiCreds: main', 'openaiCreds: key')}"
KEYS = [{"KEY": f"sk-proj-{'aB3dE5gH7j' * 4}{each}"} for each in "xy"]


def test_a_shared_credential_is_rotated_with_its_users_in_all_shards(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", OWN)
    for name in SHOPS[1:]:
        eu.write(f"eu-1/{name}.yaml", f"settings: {{openaiCreds: main}}\n{SHARED}")
    eu.env |= KEYS[0]
    created = merged(eu, 4)
    assert created == json.loads(eu.done("plan", "--format", "json"))
    for each in (3, 1, 4, 2):
        eu.done("apply", "whole.json", "--shard", f"{each}/4", "--yes")
    eu.env |= KEYS[1]
    rotated = merged(eu, 4)
    assert rotated == json.loads(eu.done("plan", "--format", "json"))
    calls = [step["call"] for one in rotated["instances"] for step in one["steps"]]
    assert sorted(calls) == ["move"] * 4 + ["new credential", "old credential"]
    said = [eu.done("apply", "whole.json", "--shard", f"{each}/4", "--yes") for each in (4, 3, 2, 1)]
    assert [text.splitlines()[-1] for text in said].count("4 changes: 4 applied.") == 1
    assert eu.done("plan").startswith("No changes.")


def test_an_instance_moves_to_another_server_from_shard_to_shard(tmp_path: Path) -> None:
    with fleet(tmp_path, "eu-1", "us-1") as two:
        two.declare("eu-1/loja", "us-1/other")
        two.running["us-1"].seed({"loja": {"main"}})
        two.done("apply", "--yes")
        two.folders("us-1")
        (two.bots / "eu-1/loja.yaml").rename(two.bots / "us-1/loja.yaml")
        options = ("--known-instance", "*")
        of = next(n for n in range(2, 9) if number("loja", n, "eu-1") != number("loja", n, "us-1"))
        whole = merged(two, of, *options)
        assert whole == json.loads(two.done("plan", "--format", "json", *options))
        assert whole["summary"]["move"] == 1


# -- limits ------------------------------------------------------------------------------------


def test_limits_hold_over_the_merged_plan(eu: Fleet) -> None:
    for name in SHOPS[:3]:
        eu.write(f"eu-1/{name}.yaml", "bots: {}\n")
    options = ("--max-deletes", "2", "--max-delete-share", "100")
    for file in plan(eu, 4, *options):
        document = json.loads((eu.home / file).read_text())
        assert document["limits"] == []
        assert document["summary"]["delete"] <= 2
    result = eu.run("merge", *plan(eu, 4, *options), "--out", "whole.json", "--format", "json")
    whole = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (whole["summary"]["delete"], whole["summary"]["orphan"]) == (0, 3)
    assert whole["limits"] == [
        "3 bots would be deleted, more than 2 (max-deletes): menu@aa, menu@bo, menu@ca"
    ]
    assert whole == json.loads(eu.run("plan", "--format", "json", *options).stdout)
    approved = merged(eu, 4, *options, "--allow-deletes", whole["approval"])
    assert (approved["approved"], approved["summary"]["delete"]) == (True, 3)
    for each in (1, 2):
        eu.done("apply", "whole.json", "--shard", f"{each}/2", "--yes", *options)
    assert [eu.names("eu-1", name) for name in SHOPS] == [[], [], [], ["menu"]]


def test_the_limits_of_an_apply_are_those_of_the_whole_plan(eu: Fleet) -> None:
    for name in SHOPS[:3]:
        eu.write(f"eu-1/{name}.yaml", "bots: {}\n")
    merged(eu, 4, "--max-deletes", "9", "--max-delete-share", "100")
    for each in (1, 2, 3, 4):
        result = eu.run("apply", "whole.json", "--shard", f"{each}/4", "--yes", "--max-deletes", "2")
        assert result.exit_code == 1
        assert "nothing was done: " in result.stderr
        assert "3 bots would be deleted, more than 2" in result.stderr


# -- what merge refuses ------------------------------------------------------------------------


def _resave(path: Path, change: Callable[[PlanShard], PlanShard]) -> None:
    """Save the plan of a shard as one that says something else of itself."""
    found = saved.read(path)
    assert isinstance(found.shard, PlanShard)
    with files.Replacement(path) as file:
        saved.write(file, found.plan, commit=found.commit, shard=change(found.shard))


def _edited(eu: Fleet) -> list[str]:
    first = plan(eu, 2)[:1]
    eu.write("eu-1/aa.yaml", OTHER)
    return [*first, plan(eu, 2, name="t")[1]]


def _at_two_commits(eu: Fleet) -> list[str]:
    def git(*args: str) -> None:
        own = ("-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *own, *args], cwd=eu.home, check=True)

    git("init", "-q")
    git("add", "bots")
    git("commit", "-qm", "one")
    first = plan(eu, 2)[:1]
    git("commit", "-qm", "two", "--allow-empty")
    return [*first, plan(eu, 2, name="t")[1]]


def _with(*options: str) -> Callable[[Fleet], list[str]]:
    return lambda eu: [plan(eu, 2)[0], plan(eu, 2, *options, name="t")[1]]


def _of_another_server(eu: Fleet) -> list[str]:
    first = plan(eu, 2)[:1]
    eu.urls["eu-1"] = eu.urls["eu-1"].replace("127.0.0.1", "localhost")
    eu.configure()
    return [*first, plan(eu, 2, name="t")[1]]


def _of_another_version(eu: Fleet) -> list[str]:
    names = plan(eu, 2)
    _resave(eu.home / names[1], lambda shard: replace(shard, tool="0.0.9"))
    return names


def _of_another_version_all(eu: Fleet) -> list[str]:
    names = plan(eu, 2)
    for name in names:
        _resave(eu.home / name, lambda shard: replace(shard, tool="0.0.9"))
    return names


def _whole(eu: Fleet) -> list[str]:
    eu.run("plan", "--out", "w.json")
    return [*plan(eu, 2), "w.json"]


def _results(eu: Fleet) -> list[str]:
    eu.write("eu-1/aa.yaml", OTHER)
    merged(eu, 2)
    for each in (1, 2):
        eu.done("apply", "whole.json", "--shard", f"{each}/2", "--yes", "--out", f"r{each}.json")
    return ["r1.json", "r2.json"]


def _results_of_two(eu: Fleet) -> list[str]:
    [one, _] = _results(eu)
    eu.write("eu-1/aa.yaml", BOT)
    merged(eu, 2)
    eu.done("apply", "whole.json", "--shard", "2/2", "--yes", "--out", "q2.json")
    return [one, "q2.json"]


def _no_json(eu: Fleet) -> list[str]:
    (eu.home / "x.json").write_text("Plan: 1 to create")
    return ["x.json", *plan(eu, 2)]


REFUSED: dict[str, tuple[Callable[[Fleet], list[str]], str]] = {
    "one is missing": (lambda eu: plan(eu, 2)[:1], "the shard 2/2 is missing: give the files of all 2."),
    "many are missing": (lambda eu: plan(eu, 4)[1:2], "the shards 1/4, 3/4 and 4/4 are missing"),
    "a file twice": (lambda eu: [*plan(eu, 2), "s1.json"], "s1.json is given twice: give the file of each"),
    "a shard twice": (
        lambda eu: [*plan(eu, 2), plan(eu, 2, name="t")[0]],
        "s1.json and t1.json are both of the shard 1/2: give the file of each shard once.",
    ),
    "of another number": (
        lambda eu: [plan(eu, 2)[0], plan(eu, 3, name="t")[1]],
        "s1.json is one of 2 shards, and t2.json one of 3. Plan all shards again",
    ),
    "other manifests": (_edited, "do not belong together: the manifests have the digests "),
    "another commit": (_at_two_commits, "do not belong together: they are of the commits "),
    "another limit": (_with("--max-deletes", "9"), "--max-deletes is 5 and 9. Plan all shards again"),
    "another share": (_with("--max-delete-share", "9"), "--max-delete-share is 50 and 9."),
    "another policy": (_with("--prune", "never"), "--prune is reviewed and never."),
    "another scope": (_with("--scope", "declared"), "--scope is all and declared."),
    "a selection": (_with("--instance", "??"), "--instance is not given and ??."),
    "replace": (_with("--replace"), "--replace is not given and given."),
    "known": (_with("--known-instance", "x"), "--known-instance is not given and x."),
    "allowed": (_with("--allow-deletes", "123456789abc"), "--allow-deletes is not given and 123456789abc."),
    "another owner": (_with("--owner", "other"), "they are for the owners gitops and other."),
    "another name": (_with("--server-name", "prod"), "the servers are named none and prod."),
    "another server": (_of_another_server, "they are for the servers http://127.0.0.1:"),
    "another version": (_of_another_version, "they are of the versions "),
    "all of another version": (
        _of_another_version_all,
        "s1.json is of version 0.0.9 of this tool, and this is ",
    ),
    "a whole plan": (_whole, "w.json is a whole plan, and of no shard: merge takes what "),
    "a result": (
        lambda eu: [*_results(eu), "s1.json"],
        "s1.json is the plan of a shard, and r1.json the results",
    ),
    "results of two reviews": (
        lambda eu: [_results(eu)[0], _apart(eu)[1]],
        "they are of applies of different plans",
    ),
    "results of two plans": (_results_of_two, "they are of applies of different plans"),
    "a result is missing": (lambda eu: _results(eu)[:1], "the shard 2/2 is missing"),
    "a result twice": (lambda eu: ["r1.json", *_results(eu)], "r1.json is given twice"),
    "no file": (lambda eu: ["no.json"], "no.json"),
    "no JSON": (_no_json, "x.json is a plan as text, which cannot be read back"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_belong_together_is_refused(eu: Fleet, case: str) -> None:
    make, said = REFUSED[case]
    names = make(eu)
    (eu.home / "whole.json").write_text("kept")
    result = eu.run("merge", *names, "--out", "whole.json")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""
    assert (eu.home / "whole.json").read_text() == "kept"


def test_a_shard_alone_is_shown_and_not_applied(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", OTHER)
    names = plan(eu, 2)
    for each, name in enumerate(names, 1):
        assert f"Of the shard {each}/2 alone." in eu.done("show", name)
        for args in (["apply", name, "--yes"], ["apply", "--reviewed", name, "--yes"]):
            result = eu.run(*args)
            assert result.exit_code == 1
            assert f"{name} is the plan of the shard {each}/2 alone, which is not applied" in result.stderr


@pytest.mark.parametrize("option", [["--target", "menu@aa"], ["--rotate-keys"]], ids=lambda each: each[0])
def test_what_cannot_be_combined(eu: Fleet, option: list[str]) -> None:
    result = eu.run("plan", "--shard", "1/2", *option)
    assert result.exit_code == 1
    assert "--shard cannot be combined with --target and --rotate-keys." in result.stderr


# -- what is written and shown -----------------------------------------------------------------


def test_the_merged_plan_is_a_plan_as_any_other(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", OTHER)
    eu.write("eu-1/ca.yaml", OTHER)
    merged(eu, 3)
    for format in ("text", "markdown", "json"):
        eu.done("plan", "--out", "direct.json", "--format", format)
        shown = [eu.done("show", name, "--format", format) for name in ("whole.json", "direct.json")]
        assert shown[0].split("\nSaved ")[0] == shown[1].split("\nSaved ")[0]
    assert eu.done("show", "whole.json", "--format", "json") == eu.done("plan", "--format", "json")
    eu.write("eu-1/bo.yaml", OTHER)
    result = eu.run("apply", "--reviewed", "whole.json", "--yes", "--format", "json")
    applied = {one["instance"] for one in json.loads(result.stdout)["results"]}
    assert applied == {"aa", "ca"}


def test_the_files_of_a_fleet_have_each_text_once(eu: Fleet) -> None:
    prompt = "Você atende a loja. " * 500
    text = f"{BOT}  long: {{maxTokens: 400, triggerValue: long, systemMessages: [{prompt!r}]}}\n"
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", text)
    merged(eu, 2)
    for file in ("s1.json", "s2.json", "whole.json"):
        assert (eu.home / file).read_text().count("Voc\\u00ea atende a loja. " * 500) == 1


# -- applying ----------------------------------------------------------------------------------


def _applied(eu: Fleet, shard: str, *options: str) -> Result:
    return eu.run("apply", "whole.json", "--shard", shard, "--yes", *options)


def test_all_shards_applied_are_the_whole_applied(eu: Fleet) -> None:
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", OTHER)
    merged(eu, 2)
    for each in (3, 1, 2):  # in another number than it was planned in
        _applied(eu, f"{each}/3", "--out", f"r{each}.json")
    result = eu.run("merge", "r2.json", "r3.json", "r1.json", "--out", "all.json", "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert [(one["instance"], one["outcome"]) for one in document["results"]] == [
        (name, "applied") for name in SHOPS
    ]
    whole = json.loads(eu.done("show", "whole.json", "--format", "json"))
    assert document["plan"] == {name: whole[name] for name in document["plan"]}
    assert "4 changes: 4 applied." in eu.done("show", "all.json")
    assert eu.done("plan").startswith("No changes.")


def test_a_shard_applied_again_does_no_harm(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", TWO)
    eu.write("eu-1/ca.yaml", OTHER)
    merged(eu, 2)
    for shard in ("1/2", "2/2"):
        assert _applied(eu, shard).exit_code == 0
    before = [eu.names("eu-1", name) for name in SHOPS]
    made = len([1 for method, _ in writes(eu) if method == "POST"])
    for shard in ("2/2", "1/2"):
        assert _applied(eu, shard).exit_code == 0
    assert [eu.names("eu-1", name) for name in SHOPS] == before
    assert len([1 for method, _ in writes(eu) if method == "POST"]) == made


def test_one_shard_that_fails_is_the_exit_code_of_all(eu: Fleet) -> None:
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", OTHER)
    merged(eu, 2)
    with eu.world("eu-1") as world:  # somebody edits one of the bots
        [bot] = world.bots("bo")
        world.change("bo", bot, expire=7)
    codes = [_applied(eu, f"{each}/2", "--out", f"r{each}.json").exit_code for each in (1, 2)]
    assert sorted(codes) == [0, 1]
    result = eu.run("merge", "r1.json", "r2.json", "--format", "markdown")
    assert result.exit_code == 1
    assert "stale" in result.stdout


def test_an_apply_that_plans_a_shard_deletes_nothing(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", "bots: {}\n")
    eu.write("eu-1/bo.yaml", OTHER)
    for each in (1, 2):
        eu.run("apply", "--shard", f"{each}/2", "--yes", "--prune", "always", "--max-delete-share", "100")
    assert eu.names("eu-1", "aa") == ["menu"]
    assert "1 to delete" in eu.done("plan", "--max-delete-share", "100")
    said = eu.done("apply", "--shard", f"{number('a', 2)}/2", "--yes", "--prune", "always")
    assert "it is kept, as a shard alone does not know what the others delete" in said


def test_a_reviewed_plan_is_applied_in_shards(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", TWO)
    eu.done("apply", "--yes")
    eu.write("eu-1/aa.yaml", BOT)
    eu.write("eu-1/ca.yaml", TWO)
    eu.write("eu-1/do.yaml", "bots: {}\n")
    merged(eu, 2, "--max-delete-share", "100")
    for each in (2, 1):
        eu.done(
            "apply", "--reviewed", "whole.json", "--shard", f"{each}/2", "--yes", "--max-delete-share", "100"
        )
    assert [eu.names("eu-1", name) for name in SHOPS] == [["menu"], ["menu"], ["menu", "night"], []]
    assert eu.done("plan").startswith("No changes.")


def _apart(eu: Fleet, *options: str) -> list[str]:
    """Apply both shards without a file; what they did."""
    names = ["a1.json", "a2.json"]
    for number, file in enumerate(names, 1):
        eu.run("apply", "--shard", f"{number}/2", "--yes", "--out", file, *options)
    return names


@pytest.mark.parametrize("reviews", [True, False])
def test_results_of_shards_that_were_planned_apart(eu: Fleet, *, reviews: bool) -> None:
    """They are those of the whole, but for what the plan says of the shards: which messages, and where."""
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", TWO)
    merged(eu, 2)
    results = _apart(eu, *(["--reviewed", "whole.json"] if reviews else []))
    document = json.loads(eu.done("merge", *results, "--out", "r.json", "--format", "json"))
    assert document["summary"]["applied"] == len(SHOPS)
    assert [one["name"] for one in document["plan"]["instances"]] == list(SHOPS)
    assert [one["instances"] for one in document["plan"]["routing"]] == [list(SHOPS)]
    assert "4 changes: 4 applied." in eu.done("show", "r.json")


def test_results_of_which_some_are_missing(eu: Fleet) -> None:
    for name in SHOPS:
        eu.write(f"eu-1/{name}.yaml", TWO)
    merged(eu, 2)
    one, two = _apart(eu, "--reviewed", "whole.json")
    result = eu.run("merge", "--partial", two, "--out", "r.json")
    assert result.exit_code == 1
    assert "The results of the shard 1/2 are missing: what was done there is not known." in result.stdout
    assert "The results of the shard 1/2 are missing" in eu.done("show", "r.json", "--format", "markdown")
    assert eu.done("merge", "--partial", one, two)
    assert eu.run("merge", "--partial", plan(eu, 2)[0]).exit_code == 1  # of a plan nothing may be missing


def test_the_exit_code_says_whether_there_are_changes(eu: Fleet) -> None:
    assert eu.run("merge", "--detailed-exitcode", *plan(eu, 2)).exit_code == 0
    eu.write("eu-1/aa.yaml", TWO)
    assert eu.run("merge", "--detailed-exitcode", *plan(eu, 2)).exit_code == 2


# -- the documents -----------------------------------------------------------------------------

_SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "plan.schema.json").read_text())


def test_the_documents_follow_the_schema(eu: Fleet) -> None:
    eu.write("eu-1/aa.yaml", "bots: {}\n")
    eu.write("eu-1/ca.yaml", OTHER)
    merged(eu, 2)
    _applied(eu, "1/2", "--out", "r1.json", "--max-delete-share", "100")
    printed = eu.done("plan", "--shard", "1/2", "--format", "json")
    files = (json.loads((eu.home / f"{name}.json").read_text()) for name in ("s1", "s2", "whole", "r1"))
    for document in (json.loads(printed), *map(unpacked, files)):
        Draft202012Validator(_SCHEMA, format_checker=FormatChecker()).validate(document)
    assert "shard" not in json.loads((eu.home / "whole.json").read_text())


@pytest.mark.parametrize(
    "change",
    [
        lambda shard: shard.update(number=0),
        lambda shard: shard.update(number=3),
        lambda shard: shard.update(number="1"),
        lambda shard: shard.update(of=True, number=True),
        lambda shard: shard.update(more=1),
        lambda shard: shard.update(notes="x"),
        lambda shard: shard.pop("tool"),
        lambda shard: shard["options"].update({"--prune": 1}),
        lambda shard: shard["limits"].update(most="5"),
        lambda shard: shard["limits"].pop("share"),
        lambda shard: shard["crossing"].pop("order"),
        lambda shard: shard["crossing"].update(order=[0.5]),
        lambda shard: shard["crossing"].update(orphans=[{"instance": "aa", "kind": "openai", "bot": "x"}]),
        lambda shard: shard["crossing"]["kept"].pop("routing"),
        lambda shard: shard["crossing"].update(waiting=None),
        lambda shard: shard["crossing"].update(oneWaiting=[[]]),
    ],
)
def test_what_a_shard_says_of_itself_is_read_strictly(
    eu: Fleet, change: Callable[[dict[str, Any]], object]
) -> None:
    for file in plan(eu, 2):
        path = eu.home / file
        document = json.loads(path.read_text())
        change(document["shard"])
        path.write_text(json.dumps(document | {"sha256": encode.sha256(document)}))
        for command in (["show", file], ["merge", "s1.json", "s2.json"]):
            result = eu.run(*command)
            assert result.exit_code == 1
            assert "is not a saved plan" in result.stderr or "contradicts itself" in result.stderr


@pytest.mark.parametrize("order", [[7], [-1], [0, 0], []])
def test_messages_that_are_not_there_are_refused(eu: Fleet, order: list[int]) -> None:
    eu.write("eu-1/aa.yaml", BOT.replace("menu}", "other}"))
    [file, _] = plan(eu, 2)
    path = eu.home / file
    document = json.loads(path.read_text())
    assert document["shard"]["crossing"]["order"]
    document["shard"]["crossing"]["order"] = order
    path.write_text(json.dumps(document | {"sha256": encode.sha256(document)}))
    result = eu.run("merge", "s1.json", "s2.json")
    assert result.exit_code == 1
    assert "is not a saved plan" in result.stderr
