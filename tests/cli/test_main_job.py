"""The main job over HTTP: plan, apply, and a second plan that is empty; calls are counted on the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run, sample
from tests.support import World

_SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "plan.schema.json").read_text())


def _methods(server: Sandbox) -> list[str]:
    return [call.method for call in server.writes]


def test_the_sample_is_applied_once(run: Run, server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    bots = sample(server)
    for name in ("LOJA_CENTRO", "LOJA_SHOPPING", "SUPORTE"):
        monkeypatch.setenv(f"OPENAI_KEY_{name}", f"sk-{name}")
    for name in ("DIFY_KEY", "N8N_PASSWORD"):
        monkeypatch.setenv(f"{name}_LOJA_CENTRO", "canary-1a2b3c4d")
    first = run("plan", "--bots", bots)
    assert (first.exit_code, _methods(server)) == (0, [])
    assert first.stdout.startswith(
        "Plan: 11 to create, 3 credentials to create, settings of 3 instances to write, 0 in sync\n"
        "Credentials: 3 missing.\n"
    )
    applied = run("apply", "--bots", bots, "--yes")
    assert applied.exit_code == 0, applied.output
    assert applied.stdout.startswith(first.stdout)
    assert applied.stdout.endswith("\n17 changes: 17 applied.\n")
    assert applied.stderr == ""
    assert _methods(server) == ["POST"] * 17
    server.calls.clear()
    second = run("plan", "--bots", bots)
    assert (second.exit_code, second.stdout) == (
        0,
        "No changes. 11 bots in sync on 3 instances.\nCredentials: 3 present.\n",
    )
    again = run("apply", "--bots", bots)
    assert (again.exit_code, again.stdout) == (0, second.stdout)
    assert _methods(server) == []


def test_what_changed_by_hand_is_one_put(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    [um] = [bot for bot in world.bots("loja") if bot["triggerValue"] == "1"]
    world.change("loja", um, systemMessages=["Não\x1b[2J."], keywordFinish="theirs")
    server.calls.clear()
    planned = run("plan", "--bots", bots, "--detailed-exitcode")
    assert planned.exit_code == 2
    assert "".join(planned.stdout.split()) == "".join(
        (
            "Plan: 1 to update, 1 in sync\n"
            "Routing unchanged: every message is answered as before.\n\n"
            "loja  (1 in sync)\n"
            f"  ~ um  update: it was edited on the server ({bots}/loja.yaml:4)\n"
            '      systemMessages  ["Não␛[2J."] → ["Sim."]\n'
        ).split()
    )
    applied = run("apply", "--bots", bots, "--yes")
    assert applied.stdout.endswith(
        "\ninstance  bot  verb    outcome  detail\nloja      um   update  applied\n\n1 change: 1 applied.\n"
    )
    assert _methods(server) == ["PUT"]
    assert run("plan", "--bots", bots, "--detailed-exitcode").exit_code == 0
    [um] = [bot for bot in world.bots("loja") if bot["triggerValue"] == "1"]
    assert um["keywordFinish"] == "theirs"  # what the manifest leaves out is the server's


def test_what_was_deleted_by_hand_is_one_post(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    run("apply", "--bots", bots, "--yes")
    world.remove("loja", world.bots("loja")[0])
    server.calls.clear()
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    assert _methods(server) == ["POST"]


def test_what_nothing_declares_is_left_alone(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    creds = world.instance("loja", "main")
    world.instance("other")
    theirs = [
        world.bot("loja", creds["main"], maxTokens=7, description="by hand"),
        world.bot("loja", creds["main"], maxTokens=8, description="theirs [other-team:bot]"),
    ]
    planned = run("plan", "--bots", bots)
    assert "2 unmanaged bots" in planned.stdout
    assert '? loja: "by hand"' in planned.stdout
    assert run("apply", "--bots", bots, "--yes", "--prune").exit_code == 0
    assert [bot for bot in world.bots("loja") if bot["id"] in {theirs[0]["id"], theirs[1]["id"]}] == sorted(
        theirs, key=lambda bot: str(bot["id"])
    )


def test_an_orphan_is_deleted_only_when_asked(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    run("apply", "--bots", bots, "--yes")
    lines = (bots / "loja.yaml").read_text().splitlines()
    (bots / "loja.yaml").write_text("\n".join(line for line in lines if "dois" not in line))
    reported = run("plan", "--bots", bots, "--detailed-exitcode")
    assert reported.exit_code == 2
    assert "1 to delete" in reported.stdout.splitlines()[0]
    kept = run("apply", "--bots", bots, "--yes")
    assert (kept.exit_code, len(world.bots("loja"))) == (0, 2)
    refused = run("apply", "--bots", bots, "--prune", "--max-delete-share", "10", "--yes")
    assert (refused.exit_code, len(world.bots("loja"))) == (1, 2)
    assert "more than 10 percent (max-delete-share): dois" in refused.stdout
    assert run("apply", "--bots", bots, "--prune", "--max-deletes", "0", "--yes").exit_code == 1
    pruned = run("apply", "--bots", bots, "--prune", "--yes")
    assert (pruned.exit_code, len(world.bots("loja"))) == (0, 1), pruned.output
    assert "- dois  delete" in pruned.stdout


def test_replace_makes_it_anew(run: Run, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    run("apply", "--bots", bots, "--yes")
    before = world.bots("loja")
    [um] = [bot for bot in before if bot["triggerValue"] == "1"]
    world.change("loja", um, systemMessages=["drifted"])
    replaced = run("apply", "--bots", bots, "--yes", "--replace")
    assert replaced.exit_code == 0
    assert "sessions are lost" in replaced.stdout
    assert len({bot["id"] for bot in before + world.bots("loja")}) == 3


@pytest.mark.parametrize(
    ("globs", "in_sync"), [(["lo*"], "1 bot in sync on 1"), (["lo*", "o?tra"], "2 bots in sync on 2")]
)
def test_instances_are_selected(
    run: Run, world: World, tmp_path: Path, globs: list[str], in_sync: str
) -> None:
    directory = tmp_path / "many"
    directory.mkdir()
    bot = "{openaiCreds: %s, botType: chatCompletion, model: m, maxTokens: 1, triggerType: none}"
    for name in ("loja", "outra", "terceira"):
        (directory / f"{name}.yaml").write_text(f"bots: {{um: {bot % name}}}")
        world.instance(name, name)
    options = [part for glob in globs for part in ("--instance", glob)]
    run("apply", "--bots", directory, "--yes", *options)
    assert in_sync in run("plan", "--bots", directory, *options).stdout
    assert world.bots("terceira") == []


def test_two_owners_share_a_server(run: Run, world: World, bots: Path, tmp_path: Path) -> None:
    creds = world.instance("loja", "main")
    run("apply", "--bots", bots, "--yes", env={"EVOLUTION_RECONCILER_OWNER": "team-a"})
    assert all("[team-a:" in bot["description"] for bot in world.bots("loja"))
    clash = run("plan", "--bots", bots, "--owner", "team-b")
    assert clash.exit_code == 1
    assert "team-a" in clash.stdout
    assert clash.stdout.startswith("Nothing to apply. 0 bots in sync on 1 instance; 2 conflicts; ")
    assert creds


class TestJson:
    """--format json: one document on stdout that keeps its schema."""

    def _document(self, stdout: str) -> Any:
        document = json.loads(stdout)
        validate(document, _SCHEMA)
        return document

    def test_plan(self, run: Run, server: Sandbox, world: World, bots: Path) -> None:
        world.instance("loja", "main")
        document = self._document(run("plan", "--bots", bots, "--format", "json").stdout)
        assert document["format"] == "evolution-reconciler/plan"
        assert document["server"] == server.url
        assert document["summary"]["create"] == 2
        assert [step["call"] for step in document["instances"][0]["steps"]] == ["create", "create"]

    def test_apply(self, run: Run, world: World, bots: Path) -> None:
        world.instance("loja", "main")
        refused = run("apply", "--bots", bots, "--format", "json")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "--yes" in refused.stderr
        document = self._document(run("apply", "--bots", bots, "--format", "json", "--yes").stdout)
        assert document["format"] == "evolution-reconciler/results"
        assert document["plan"]["summary"]["create"] == 2
        assert document["summary"]["applied"] == 2
        assert {result["id"] for result in document["results"]} == {bot["id"] for bot in world.bots("loja")}
        nothing = self._document(run("apply", "--bots", bots, "--format", "json").stdout)
        assert (nothing["results"], nothing["plan"]["writes"]) == ([], False)


def test_one_refused_bot_does_not_stop_the_others(run: Run, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    broken = "{openaiCreds: nobody, botType: chatCompletion, model: m, maxTokens: 1, triggerType: none}"
    with (bots / "loja.yaml").open("a") as file:
        file.write(f"  tres: {broken}\n")
    with (bots / "gone.yaml").open("w") as file:
        file.write(f"bots: {{um: {broken}}}")
    applied = run("apply", "--bots", bots, "--yes")
    assert applied.exit_code == 1
    assert len(world.bots("loja")) == 2
    assert "2 changes: 2 applied." in applied.stdout
    assert applied.stderr == "Error: 2 problems; see the plan.\n"
    assert "1 conflict; 1 instance with a problem" in applied.stdout
    assert "it has: main" in applied.stdout
    nothing = run("apply", "--bots", bots)
    assert nothing.exit_code == 1
    assert nothing.stdout.startswith("Nothing to apply. 2 bots in sync on 1 instance; 1 conflict; ")


def test_validate_is_offline(run: Run, bots: Path, server: Sandbox) -> None:
    result = run("validate", "--bots", bots)
    assert (result.exit_code, result.stdout) == (0, "Valid: 2 bots on 1 instance.\n")
    assert server.calls == []
