"""Keys of credentials on the command line: what is said where one is missing, and what the sandbox keeps."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from jsonschema import validate

from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run
from tests.support import World

_SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
_FIELDS = "botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals"
_BOTS = f"bots:\n  um: {{{{openaiCreds: {{creds}}, maxTokens: 100, triggerValue: 1, {_FIELDS}}}}}\n"
_LOJA = "credentials: {main: {apiKey: !env OPENAI_KEY_LOJA}}\nsettings: {expire: 60}\n"
_CAFE = "credentials: {cafe: {apiKey: !env OPENAI_KEY_CAFE}}\n"
_BORROWS = _BOTS.format(creds="{instance: loja, name: main}")


@pytest.fixture
def loja(bots: Path) -> Path:
    """A manifest that declares its credential, and a second one, of an instance `cafe`."""
    (bots / "loja.yaml").write_text(_LOJA + _BOTS.format(creds="main"))
    (bots / "cafe.yaml").write_text(_CAFE + _BOTS.format(creds="cafe"))
    return bots


# -- a key that is not at hand ------------------------------------------------------------------


def test_a_plan_says_which_keys_are_not_at_hand(run: Run, world: World, loja: Path) -> None:
    world.instance("loja")
    world.instance("cafe", "cafe")
    bare = run("plan", "--bots", loja, "--format", "json")
    document = json.loads(bare.stdout)
    validate(document, _SCHEMA)
    assert {one["name"]: one["keyless"] for one in document["instances"]} == {
        "cafe": {"cafe": "OPENAI_KEY_CAFE is not set"},
        "loja": {"main": "OPENAI_KEY_LOJA is not set"},
    }
    assert run("plan", "--bots", loja).stdout.splitlines()[1:4] == [
        "Credentials: 1 missing, 1 not compared.",
        "  ! credential main of loja: it is missing, and an apply needs its key: OPENAI_KEY_LOJA is not set",
        "  ! credential cafe of cafe: its key is not compared: OPENAI_KEY_CAFE is not set",
    ]
    shown = run("plan", "--bots", loja, "--format", "markdown", "--out", "plan.json").stdout
    assert "<code>credential cafe</code> of <code>cafe</code>: <code>its key is not compared" in shown
    assert "OPENAI_KEY_CAFE is not set" in run("show", "plan.json").stdout

    keys = {"OPENAI_KEY_LOJA": "sk-1", "OPENAI_KEY_CAFE": "sk-cafe-cafe"}
    whole = json.loads(run("plan", "--bots", loja, "--format", "json", env=keys).stdout)
    assert [one["keyless"] for one in whole["instances"]] == [{}, {}]
    assert whole["digest"] == document["digest"], "a review needs no key"


def test_an_apply_knows_before_any_call_and_other_instances_go_on(
    run: Run, server: Sandbox, world: World, loja: Path
) -> None:
    world.instance("loja")
    world.instance("cafe")
    server.calls.clear()
    applied = run("apply", "--bots", loja, "--yes", env={"OPENAI_KEY_CAFE": "sk-1"})
    assert applied.exit_code == 1
    first, _, third, *_ = applied.stdout.splitlines()
    assert first == "Plan: 1 to create, 1 credential to create, 0 in sync; 3 conflicts"
    assert third.endswith("it is missing, and an apply needs its key: OPENAI_KEY_LOJA is not set")
    assert (
        "! credential main  conflict: it is missing, and it cannot be created: OPENAI_KEY_LOJA"
        in applied.stdout
    )
    assert "! um  conflict: its credential 'main' cannot be created: OPENAI_KEY_LOJA is not" in applied.stdout
    assert applied.stdout.endswith("2 changes: 2 applied.\n")
    assert applied.stderr == "Error: 3 problems; see the plan.\n"
    assert {call.path.rpartition("/")[2] for call in server.writes} == {"cafe"}
    assert len(world.bots("cafe")) == 1

    key = {"OPENAI_KEY_CAFE": "sk-1", "OPENAI_KEY_LOJA": "sk-2"}
    assert run("apply", "--bots", loja, "--yes", env=key).exit_code == 0
    assert run("apply", "--bots", loja, "--yes").exit_code == 0, "what is there needs no key"


# -- what is there and is no key ------------------------------------------------------------------

_NO_KEYS = {
    '"sk-new-1"': "it has quotes around it",
    "OPENAI_KEY=sk-new-1": "it has a name and = or : before the key",
    "$OPENAI_KEY": "it is the name of a variable",
    "sk-ne****w1": "it is masked",
    "Bearer sk-new-1": 'it has "Bearer"',
    "sk-new\u200b1": "it holds U+200B (ZERO WIDTH SPACE)",
}


@pytest.mark.parametrize("text", _NO_KEYS)
@pytest.mark.parametrize(
    "command", [("plan",), ("apply", "--yes"), ("plan", "--sandbox"), ("apply", "--sandbox")]
)
def test_what_is_no_key_ends_a_run_before_any_call(
    run: Run, server: Sandbox, world: World, loja: Path, command: tuple[str, ...], text: str
) -> None:
    world.instance("loja", "main")
    world.instance("cafe", "cafe")
    server.calls.clear()
    ended = run(*command, "--bots", loja, env={"OPENAI_KEY_LOJA": text})
    assert ended.exit_code == 1
    assert ended.stdout == ""
    said = f"the key of the credential 'main': OPENAI_KEY_LOJA does not look like a key: {_NO_KEYS[text]}"
    assert f"loja.yaml:1:15: {said}" in ended.stderr
    assert "sk-ne" not in ended.stderr
    assert server.calls == []
    assert (
        "OPENAI_KEY_LOJA does not look like a key"
        in run("doctor", "--bots", loja, env={"OPENAI_KEY_LOJA": text}).stdout
    )


def test_a_saved_plan_is_not_begun_with_what_is_no_key(
    run: Run, server: Sandbox, world: World, loja: Path
) -> None:
    world.instance("loja")
    world.instance("cafe")
    keys = {"OPENAI_KEY_LOJA": "sk-1", "OPENAI_KEY_CAFE": "sk-2"}
    assert run("plan", "--bots", loja, "--out", "p.json", env=keys).exit_code == 0
    server.calls.clear()
    ended = run("apply", "p.json", "--yes", env=keys | {"OPENAI_KEY_CAFE": "'sk-2'"})
    assert (ended.exit_code, server.calls) == (1, [])
    assert ended.stderr.startswith("Error: OPENAI_KEY_CAFE does not look like a key: it has quotes around it")
    assert run("apply", "p.json", "--yes", env=keys).exit_code == 0


# -- one key for two instances ------------------------------------------------------------------


def _written(said: str) -> str:
    """The lines that a sentence says to write."""
    return "".join(f"{line}\n" for line in re.findall(r"`((?:credentials|settings): .*?)`", said))


def test_who_does_as_the_messages_say_gets_there(run: Run, world: World, loja: Path) -> None:
    """One key for two instances of which the second is new: each message is followed to the letter."""
    for name in ("loja", "cafe"):
        world.instance(name)
    keys = {"OPENAI_KEY_LOJA": "sk-1", "OPENAI_KEY_CAFE": "sk-1"}
    refused = run("plan", "--bots", loja, env=keys)
    assert refused.exit_code == 1
    assert "`openaiCreds: {instance: cafe, name: cafe}`" in refused.stderr
    assert "a second key of the same OpenAI project costs nothing" in refused.stderr

    borrows = _BOTS.format(creds="{instance: cafe, name: cafe}")
    (loja / "loja.yaml").write_text(borrows)
    planned = run("plan", "--bots", loja, "--format", "json", env=keys)
    [stuck] = [c for i in json.loads(planned.stdout)["instances"] for c in i["changes"] if c["of"] == "bot"][
        1:
    ]
    assert (stuck["verb"], "create a second key at OpenAI" in stuck["reason"]) == ("conflict", True)

    (loja / "loja.yaml").write_text(_written(stuck["reason"]) + borrows)
    keys["OPENAI_KEY_LOJA"] = "sk-2"
    applied = run("apply", "--bots", loja, "--yes", env=keys)
    assert (applied.exit_code, applied.stderr) == (0, "")
    assert run("plan", "--bots", loja, env=keys).stdout.startswith("No changes. 2 bots in sync")
    [bot] = world.bots("loja")
    assert bot["openaiCredsId"] == world.done("GET", "/openai/creds/cafe")[0]["id"]


def test_who_borrows_of_nobody_hears_why_and_of_whom(run: Run, world: World, bots: Path) -> None:
    world.instance("loja1")
    world.instance("cafe")
    (bots / "loja.yaml").unlink()
    (bots / "cafe.yaml").write_text(_BORROWS)
    planned = run("plan", "--bots", bots, "--format", "json")
    [[change]] = [one["changes"] for one in json.loads(planned.stdout)["instances"]]
    assert change["verb"] == "conflict"
    assert change["reason"].startswith(
        "the instance 'loja', which owns the credential 'main', cannot be read: "
        'The instance "loja" does not exist on http://127.0.0.1:'
    )
    assert change["reason"].endswith('. The nearest names that exist: "loja1"')


# -- the sandbox --------------------------------------------------------------------------------


def _sandbox(run: Run, bots: Path, command: str = "plan", **keys: str) -> str:
    yes = ["--yes"] if command == "apply" else []
    return run(
        command, "--sandbox", "--bots", bots, *yes, env={f"OPENAI_KEY_{n}": k for n, k in keys.items()}
    ).stdout


def test_no_file_of_the_sandbox_holds_a_real_key(run: Run, loja: Path, tmp_path: Path) -> None:
    real = {"LOJA": "sk-real-loja-0123456789", "CAFE": "sk-real-cafe-0123456789"}
    assert _sandbox(run, loja, "apply", **real).endswith("5 changes: 5 applied.\n")
    home = tmp_path / ".reconciler"
    salt = home / "sandbox.salt"
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600
    before = salt.read_bytes()
    assert _sandbox(run, loja, **real).startswith("No changes.")

    turned = _sandbox(run, loja, LOJA="sk-real-other-0123456789", CAFE=real["CAFE"])
    assert "1 credential to rotate" in turned
    shown = " ".join(turned.split())
    assert "main@2 is created, um and the settings are moved to it, main is deleted" in shown
    assert "1 applied" in _sandbox(run, loja, "apply", LOJA="sk-real-other-0123456789", CAFE=real["CAFE"])
    assert salt.read_bytes() == before
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {"sandbox.db", "sandbox.salt", ".gitignore"} <= {path.name for path in files}
    for path in files:
        assert b"sk-real" not in path.read_bytes(), path
    assert any(b"sk-sandbox-" in path.read_bytes() for path in files), "the test looks where keys are kept"


def test_two_variables_of_one_value_are_found_in_the_sandbox_too(run: Run, loja: Path) -> None:
    env = {"OPENAI_KEY_LOJA": "sk-real-1", "OPENAI_KEY_CAFE": "sk-real-1"}
    refused = run("plan", "--sandbox", "--bots", loja, env=env)
    assert refused.exit_code == 1
    assert "has the same key as 'cafe' of the instance 'cafe'" in refused.stderr


def test_a_salt_that_cannot_be_used_is_said(run: Run, loja: Path, tmp_path: Path) -> None:
    (tmp_path / ".reconciler" / "sandbox.salt").mkdir(parents=True)
    refused = run("plan", "--sandbox", "--bots", loja)
    assert (
        refused.stderr
        == "Error: .reconciler/sandbox.salt cannot be written: it is a directory, not a file.\n"
    )
    (tmp_path / ".reconciler" / "sandbox.salt").rmdir()
    (tmp_path / ".reconciler" / "sandbox.salt").write_bytes(b"short")
    refused = run("plan", "--sandbox", "--bots", loja)
    assert refused.stderr == "Error: .reconciler/sandbox.salt is damaged: delete it, and run this again.\n"


# -- an old key that is still needed ------------------------------------------------------------


def test_an_old_key_that_other_settings_name_is_kept_and_said(
    run: Run, server: Sandbox, world: World, loja: Path
) -> None:
    """The server would refuse to delete it, and no manifest is about the instance that names it."""
    (loja / "cafe.yaml").unlink()
    world.instance("far")
    old = world.instance("loja", "main", "own")
    row = {"expire": 1, "keywordFinish": "x", "delayMessage": 1, "unknownMessage": "x", "debounceTime": 1}
    row |= {"listeningFromMe": False, "stopBotFromMe": False, "keepOpen": False, "ignoreJids": []}
    world.done("POST", "/openai/settings/far", {**row, "openaiCredsId": old["main"]})
    world.done("POST", "/openai/settings/loja", {**row, "openaiCredsId": old["own"]})

    key = {"OPENAI_KEY_LOJA": "sk-2"}
    applied = run("apply", "--bots", loja, "--yes", env=key)
    assert applied.exit_code == 0, applied.output
    assert "credential main  rotate: its key is different: main@2 is created (" in applied.stdout
    server.calls.clear()
    planned = run("plan", "--bots", loja, env=key)
    assert planned.stdout.splitlines()[0] == "No changes. 1 bot in sync on 1 instance; 1 old credential kept."
    assert "the old key is kept: the settings of the instance 'far', which is not planned, name it" in (
        " ".join(planned.stdout.split())
    )
    assert run("apply", "--bots", loja, env=key).exit_code == 0
    assert server.writes == []
