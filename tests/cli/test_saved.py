"""Plans as files: saved, shown, applied as they are, and used as the review of a fresh plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from reconciler.domain.plan import Plan
from reconciler.sandbox import Sandbox
from reconciler.saved import encode
from tests.cli.conftest import ROOT, Run
from tests.support import World, unpacked
from tests.workflows.runner import obeyed

_SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())


@pytest.fixture
def loja(world: World) -> World:
    world.instance("loja", "main")
    return world


def _by_value(world: World, value: str) -> Any:
    [bot] = [bot for bot in world.bots("loja") if bot["triggerValue"] == value]
    return bot


def test_a_plan_is_saved_shown_and_applied_as_it_is(
    run: Run, server: Sandbox, loja: World, bots: Path, tmp_path: Path
) -> None:
    printed = run("plan", "--bots", bots, "--out", "plan.json")
    document = unpacked(json.loads((tmp_path / "plan.json").read_text()))
    validate(document, _SCHEMA)
    assert document["tool"]
    assert document["commit"] is None
    assert document["server"] == server.url

    shown = run("show", "plan.json")
    assert shown.stdout.startswith(printed.stdout)
    assert re.search(r"\nSaved 20\d\d-.* by version .*, for http://127\.0\.0\.1:\d+\.\n$", shown.stdout)
    for form in ("json", "markdown"):
        assert (
            run("show", "plan.json", "--format", form).stdout
            == run("plan", "--bots", bots, "--format", form).stdout
        )

    (bots / "loja.yaml").write_text("not even read")
    applied = run("apply", "plan.json", "--yes", "--out", "results.json")
    assert (applied.exit_code, applied.stdout.endswith("2 changes: 2 applied.\n")) == (0, True)
    assert [bot["maxTokens"] for bot in loja.bots("loja")] in ([100, 200], [200, 100])
    validate(unpacked(json.loads((tmp_path / "results.json").read_text())), _SCHEMA)
    assert "2 changes: 2 applied." in run("show", "results.json").stdout
    assert "**2 changes: 2 applied.**" in run("show", "results.json", "--format", "markdown").stdout


def test_where_a_plan_comes_from_is_no_workflow_command(run: Run, tmp_path: Path) -> None:
    origin = {"tool": "##[error]x\n::error::y", "created": "2026-01-01T00:00:00+00:00", "commit": None}
    (tmp_path / "plan.json").write_text(encode.plan(Plan("https://api.example", "default", ()), origin))
    for form in ("text", "json", "markdown"):
        shown = run("show", "plan.json", "--format", form)
        assert (shown.exit_code, obeyed(shown.stdout)) == (0, [])


def test_a_saved_change_whose_bot_moved_is_stale_and_the_others_go_on(
    run: Run, loja: World, bots: Path
) -> None:
    run("apply", "--bots", bots, "--yes")
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text(
        text.replace('"Sim."', '"Sim!"').replace("triggerValue: 2", "triggerValue: 9")
    )
    run("plan", "--bots", bots, "--out", "plan.json")
    loja.change("loja", _by_value(loja, "1"), keywordFinish="by hand")
    applied = run("apply", "plan.json", "--yes")
    assert applied.exit_code == 1
    assert "stale    it changed since the plan was made: keywordFinish" in applied.stdout
    assert "2 changes: 1 applied, 1 stale." in applied.stdout
    assert _by_value(loja, "1")["systemMessages"] == ["Sim."]
    assert _by_value(loja, "9")


def test_only_reviewed_changes_are_applied(run: Run, server: Sandbox, loja: World, bots: Path) -> None:
    """Reviewed: a changes, b changes. Since then a moved, and c was added; b alone is as it was."""
    run("apply", "--bots", bots, "--yes")
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text(
        text.replace('"Sim."', '"Sim!"').replace("triggerValue: 2", "triggerValue: 9")
    )
    run("plan", "--bots", bots, "--out", "plan.json")

    loja.change("loja", _by_value(loja, "1"), keywordFinish="by hand")
    with (bots / "loja.yaml").open("a") as manifest:
        manifest.write("  tres: {maxTokens: 300, triggerValue: 3}\n")
    server.calls.clear()
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes")
    assert applied.exit_code == 1
    assert applied.stdout.startswith("Plan: 1 to update, 0 in sync; 2 changes blocked\n")
    assert "um  blocked: nobody reviewed this update: its manifest was edited" in applied.stdout
    assert "tres  blocked: nobody reviewed this create: it is missing on the server" in applied.stdout
    assert applied.stdout.endswith("1 change: 1 applied.\n")
    assert applied.stderr == "Error: 2 problems; see the plan.\n"
    assert [call.method for call in server.writes] == ["PUT"]
    assert _by_value(loja, "9")
    assert _by_value(loja, "1")["systemMessages"] == ["Sim."]


def test_a_reviewed_change_that_is_done_already_is_no_error(run: Run, loja: World, bots: Path) -> None:
    run("plan", "--bots", bots, "--out", "plan.json")
    assert run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes").exit_code == 0
    again = run("apply", "--bots", bots, "--reviewed", "plan.json")
    assert (again.exit_code, again.stdout) == (0, "No changes. 2 bots in sync on 1 instance.\n")


def test_an_unrelated_drift_does_not_block(run: Run, loja: World, bots: Path) -> None:
    run("apply", "--bots", bots, "--yes")
    (bots / "loja.yaml").write_text((bots / "loja.yaml").read_text().replace('"Sim."', '"Sim!"'))
    run("plan", "--bots", bots, "--out", "plan.json")
    loja.change("loja", _by_value(loja, "2"), maxTokens=250)
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes")
    assert applied.exit_code == 0
    assert "1 change is not part of this plan" in applied.stdout
    assert _by_value(loja, "2")["maxTokens"] == 250
    assert _by_value(loja, "1")["systemMessages"] == ["Sim!"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 1}, "version 1 of the format"),
        ({"format": "other"}, "it is JSON of another kind"),
        ({"owner": "eve"}, "was altered after it was written"),
        ({"server": "https://other.example.com"}, "was altered after it was written"),
        ({"version": True}, "version true of the format"),
        ({"instances": [{"name": "loja"}]}, "was altered after it was written"),
        ({"instances": 7}, "was altered after it was written"),
        ({"instances": []}, "was altered after it was written"),
        ({"digest": None}, "was altered after it was written"),
    ],
)
def test_what_is_no_plan_of_ours_is_not_applied(
    run: Run, server: Sandbox, loja: World, bots: Path, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    run("plan", "--bots", bots, "--out", "plan.json")
    document = json.loads((tmp_path / "plan.json").read_text()) | change
    (tmp_path / "plan.json").write_text(json.dumps(document))
    server.calls.clear()
    for command in (["show", "plan.json"], ["apply", "plan.json", "--yes"]):
        result = run(*command)
        assert result.exit_code == 1
        assert sentence in result.stderr
    assert server.writes == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "plan.json is empty"),
        (b" \r\n", "plan.json is empty"),
        (b"[]", "it is JSON of another kind"),
        (b"\xff", "not ASCII"),
        (b"[" * 9999, "nested too deeply"),
        (b'{"a":' * 99999, "nested too deeply"),
        (b"<!DOCTYPE html><title>Sign in</title>", "it is a web page or XML"),
        (b"Plan: 1 to create, 0 in sync\n", "is a plan as text"),
        (b"No changes. 2 bots in sync on 1 instance.\n", "is a plan as text"),
        (b"**Plan: 1 to create, 0 in sync**\n", "is a plan as markdown"),
        (b'{"format": "evolution-reconciler/plan",\n "version', "is incomplete"),
        (b"{]", "is not a saved plan: it is not JSON (line 1, column 2)"),
        (b'{"format": 1, "format": 2}', '"format" occurs twice'),
        (
            b'{"format": "evolution-reconciler/plan", "version": 1.0}',
            "a number with a fraction or an exponent",
        ),
        (b'{"version": NaN}', "NaN or Infinity"),
        (b'{"version": 1' + b"0" * 9999 + b"}", "a number that is too large"),
        (b'{"version": "\\ud800"}', "a lone surrogate"),
    ],
)
def test_other_files(run: Run, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    result = run("show", "plan.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


def test_files_that_cannot_be_read_or_written(run: Run, loja: World, bots: Path) -> None:
    assert "cannot be read: No such file" in run("show", "nowhere.json").stderr
    assert "cannot be read" in run("apply", "nowhere.json", "--yes").stderr
    assert "cannot be written" in run("plan", "--bots", bots, "--out", "no/where.json").stderr


def test_a_plan_is_for_one_server_and_one_owner(run: Run, loja: World, bots: Path) -> None:
    run("plan", "--bots", bots, "--out", "plan.json")
    other = run("apply", "--sandbox", "plan.json", "--yes")
    assert "the plan is for http://127.0.0.1:" in other.stderr
    assert "not for sandbox" in other.stderr
    assert "not for sandbox" in run("apply", "--bots", bots, "--sandbox", "--reviewed", "plan.json").stderr
    owner = run("apply", "--bots", bots, "--owner", "team-b", "--reviewed", "plan.json", "--yes")
    assert (owner.exit_code, loja.bots("loja")) == (1, [])
    assert "the plan is for the owner gitops, not team-b: pass --owner gitops to apply it." in owner.stderr
    as_it_is = run("apply", "--owner", "team-b", "plan.json", "--yes")
    assert (as_it_is.exit_code, loja.bots("loja")) == (1, [])
    assert "the plan is for the owner gitops, not team-b" in as_it_is.stderr
    both = run("apply", "plan.json", "--replace", "--yes")
    assert "remove --reviewed, --instance, --target, --replace" in both.stderr


_OWN = """\
credentials: {main: {apiKey: !env OPENAI_KEY_LOJA}}
settings: {openaiCreds: main, fallback: um, ignoreJids: {merge: ["@g.us"]}}
"""


def _declared(bots: Path) -> None:
    (bots / "loja.yaml").write_text(_OWN + (bots / "loja.yaml").read_text())


def test_a_saved_plan_says_where_the_key_is_and_apply_reads_it(
    run: Run, world: World, bots: Path, tmp_path: Path
) -> None:
    """The plan needs no key, nor does its review; the apply does."""
    world.instance("loja")
    _declared(bots)
    run("plan", "--bots", bots, "--out", "plan.json")
    document = unpacked(json.loads((tmp_path / "plan.json").read_text()))
    validate(document, _SCHEMA)
    secrets = [step["secret"] for step in document["instances"][0]["steps"] if step["secret"]]
    assert secrets == [{"tag": "env", "name": "OPENAI_KEY_LOJA"}]

    unverified = run("apply", "plan.json", "--yes")
    assert unverified.exit_code == 1
    assert "credential main  create  failed   OPENAI_KEY_LOJA is not set" in unverified.stdout
    assert "it needs the credential main, which was not created" in unverified.stdout
    assert world.bots("loja") == []

    applied = run("apply", "plan.json", "--yes", "--out", "done.json", env={"OPENAI_KEY_LOJA": "sk-first"})
    assert (applied.exit_code, applied.stdout.endswith("4 changes: 4 applied.\n")) == (0, True)
    assert "4 changes: 4 applied." in run("show", "done.json").stdout
    [creds] = world.done("GET", "/openai/creds/loja")
    assert (creds["name"], creds["apiKey"]) == ("main", "sk-first")
    row = world.settings("loja")
    assert (row["openaiCredsId"], row["ignoreJids"]) == (creds["id"], ["@g.us"])
    assert row["fallbackId"] in {bot["id"] for bot in world.bots("loja")}


def test_a_rotation_is_done_on_merge_whoever_reviewed_what(
    run: Run, world: World, bots: Path, tmp_path: Path
) -> None:
    """Reviewed without a key at hand: the manifest says where it is, and that was reviewed."""
    world.instance("loja")
    _declared(bots)
    assert run("apply", "--bots", bots, "--yes", env={"OPENAI_KEY_LOJA": "sk-first"}).exit_code == 0
    (bots / "loja.yaml").write_text((bots / "loja.yaml").read_text().replace('"Sim."', '"Sim!"'))
    reviewed = run("plan", "--bots", bots, "--out", "plan.json")
    assert "rotate" not in reviewed.stdout
    key = {"OPENAI_KEY_LOJA": "sk-second"}
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes", "--out", "done.json", env=key)
    assert (applied.exit_code, applied.stdout.endswith("2 changes: 2 applied.\n")) == (0, True)
    [creds] = world.done("GET", "/openai/creds/loja")
    assert (creds["name"], creds["apiKey"]) == ("main@2", "sk-second")
    assert {bot["openaiCredsId"] for bot in world.bots("loja")} == {creds["id"]}
    assert _by_value(world, "1")["systemMessages"] == ["Sim!"]
    assert run("plan", "--bots", bots, env=key).stdout.startswith("No changes.")
    assert "sk-" not in (tmp_path / "plan.json").read_text() + (tmp_path / "done.json").read_text()


def test_a_saved_plan_deletes_no_more_than_is_allowed(
    run: Run, server: Sandbox, loja: World, bots: Path
) -> None:
    run("apply", "--bots", bots, "--yes")
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text("".join(line for line in text.splitlines(True) if "dois" not in line))
    run("plan", "--bots", bots, "--prune", "--out", "plan.json")
    server.calls.clear()
    for most in (["--max-deletes", "0"], ["--max-delete-share", "49"]):
        refused = run("apply", "plan.json", *most, "--yes")
        assert (refused.exit_code, refused.stdout, server.calls) == (1, "", [])
        assert "nothing was done: 1 " in refused.stderr
        assert " would be deleted, more than " in refused.stderr
    assert run("apply", "plan.json", "--max-deletes", "1", "--yes").exit_code == 0
    assert [bot["triggerValue"] for bot in loja.bots("loja")] == ["1"]


def test_a_delete_of_a_bot_that_was_made_again_is_stale(
    run: Run, loja: World, bots: Path, tmp_path: Path
) -> None:
    run("apply", "--bots", bots, "--yes")
    gone = _by_value(loja, "2")
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text("".join(line for line in text.splitlines(True) if "dois" not in line))
    run("plan", "--bots", bots, "--prune", "--out", "plan.json")
    loja.remove("loja", gone)
    new = loja.bot("loja", gone["openaiCredsId"], maxTokens=200, description=gone["description"])
    applied = run("apply", "plan.json", "--yes")
    assert applied.exit_code == 1
    assert f"stale    it was recreated since the plan was made: {new['id']}" in applied.stdout
    assert len(loja.bots("loja")) == 2


def test_a_fallback_that_was_cleared_by_hand_is_left_alone(run: Run, world: World, bots: Path) -> None:
    world.instance("loja")
    _declared(bots)
    key = {"OPENAI_KEY_LOJA": "sk-first"}
    run("apply", "--bots", bots, "--yes", env=key)
    (bots / "loja.yaml").write_text(
        (bots / "loja.yaml").read_text().replace("fallback: um", "fallback: dois")
    )
    run("plan", "--bots", bots, "--out", "plan.json", env=key)
    row = {name: value for name, value in world.settings("loja").items() if value is not None}
    world.done("POST", "/openai/settings/loja", {**row, "openaiCredsId": "", "fallbackId": None})
    assert world.settings("loja")["fallbackId"] is None
    applied = run("apply", "plan.json", "--yes", env=key)
    assert (applied.exit_code, world.settings("loja")["fallbackId"]) == (1, None)
    assert "stale    the fallback was cleared since the plan was made" in applied.stdout


# -- as another program writes it anew -----------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_plan_that_powershell_wrote_is_applied(
    run: Run, loja: World, bots: Path, tmp_path: Path, encoding: str, mark: str
) -> None:
    """`plan --format json > plan.json` there, by any of its versions."""
    printed = run("plan", "--bots", bots, "--format", "json").stdout
    (tmp_path / "plan.json").write_bytes((mark + printed.replace("\n", "\r\n")).encode(encoding))
    applied = run("apply", "plan.json", "--yes")
    assert (applied.exit_code, len(loja.bots("loja"))) == (0, 2)


# -- signed --------------------------------------------------------------------------------------

_SIGNS = {"EVOLUTION_RECONCILER_PLAN_KEY": "a-key-of-the-tests-that-nobody-guesses"}
_WRONG = {"EVOLUTION_RECONCILER_PLAN_KEY": "another-key-of-the-tests-that-is-not-it"}
_SHORT = {"EVOLUTION_RECONCILER_PLAN_KEY": "short-key-of-31-characters-here"}


@pytest.mark.parametrize("results", [False, True])
@pytest.mark.parametrize(
    ("made", "altered", "read", "sentence"),
    [
        (_SIGNS, {}, _SIGNS, ""),
        (_SIGNS, {}, {}, ""),
        ({}, {}, {}, ""),
        ({}, {}, _SIGNS, "is not signed, and EVOLUTION_RECONCILER_PLAN_KEY is set"),
        (_SIGNS, {"signature": None}, _SIGNS, "is not signed, and"),
        (_WRONG, {}, _SIGNS, "is not signed with the key in EVOLUTION_RECONCILER_PLAN_KEY"),
        (_SIGNS, {"signature": "0" * 64}, _SIGNS, "is not signed with the key in"),
        (_SIGNS, {"signature": "0"}, _SIGNS, "has a malformed signature"),
        (_SIGNS, {"signature": 7}, {}, "has a malformed signature"),
        (_SIGNS, {"created": "2026-01-01T00:00:00+00:00"}, _SIGNS, "is not signed with the key in"),
        (_SIGNS, {"commit": "0" * 40}, _SIGNS, "is not signed with the key in"),
        (_SIGNS, {}, _SHORT, "has 31 characters"),
    ],
)
def test_a_file_is_signed_where_there_is_a_key(
    run: Run,
    server: Sandbox,
    loja: World,
    bots: Path,
    tmp_path: Path,
    made: dict[str, str],
    altered: dict[str, Any],
    read: dict[str, str],
    sentence: str,
    results: bool,
) -> None:
    """altered: what is written in the file afterwards, with the sum over it made again; None: taken out."""
    command = ("apply", "--yes") if results else ("plan",)
    env = {name: made.get(name) for name in _SIGNS}
    assert run(*command, "--bots", bots, "--out", "file.json", env=env).exit_code == 0
    document = json.loads((tmp_path / "file.json").read_text())
    assert ("signature" in document) == bool(made)
    document = {
        name: value
        for name, value in {**document, **altered}.items()
        if value is not None or name not in altered
    }
    document["sha256"] = encode.sha256(document)
    text = json.dumps(document)
    (tmp_path / "file.json").write_text(text)

    server.calls.clear()
    commands = [["show", "file.json"]] + ([] if results else [["apply", "file.json", "--yes"]])
    for words in commands:
        shown = run(*words, env={name: read.get(name) for name in _SIGNS})
        assert (shown.exit_code, sentence in shown.stderr) == (1 if sentence else 0, True)
        for key in (*made.values(), *read.values()):
            assert key not in shown.output + text
    if sentence:
        assert server.calls == []


@pytest.mark.parametrize("command", [["plan"], ["plan", "--out", "p.json"], ["apply", "--yes"]])
def test_a_weak_key_is_refused_before_anything_is_done(
    run: Run, server: Sandbox, loja: World, bots: Path, command: list[str]
) -> None:
    server.calls.clear()
    made = run(*command, "--bots", bots, env=_SHORT)
    assert (made.exit_code, made.stdout, server.calls) == (1, "", [])
    assert "generate a key with `openssl rand -hex 32`" in made.stderr
    assert _SHORT["EVOLUTION_RECONCILER_PLAN_KEY"] not in made.output
