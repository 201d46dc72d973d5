"""`get`: one bot of the server, as a manifest or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import Json, World

_TOKEN = "t0psecretf4c5b6a7d8e9f0a1b2c3"
_FUNCTION: dict[str, Any] = {
    "botType": "assistant",
    "assistantId": "asst_1",
    "functionUrl": f"https://hooks.example/{_TOKEN}?key={_TOKEN}",
    "description": "Por fora: [x]",
    "triggerType": "keyword",
    "triggerOperator": "startsWith",
    "triggerValue": "0010",
}


@pytest.fixture
def ids(world: World, server: Sandbox, run: Run, bots: Path) -> dict[str, str]:
    """A server with two bots of ours and one that is not; the ids of all, by name."""
    creds = world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    mine = {bot["description"].partition(":")[2].partition("]")[0]: bot["id"] for bot in world.bots("loja")}
    other = world.bot("loja", creds["main"], **_FUNCTION)
    server.calls.clear()
    return {**mine, "other": other["id"]}


def test_a_manifest_that_declares_all_of_it(
    run: Run, server: Sandbox, ids: dict[str, str], bots: Path
) -> None:
    result = run("get", "um@loja")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(
        "instance: loja\nbots:\n  um:\n    enabled: true\n    openaiCreds: main\n    botType: "
    )
    assert "      - Sim.\n" in result.stdout
    assert not server.writes
    (bots / "loja.yaml").write_text(result.stdout)
    planned = json.loads(run("plan", "--bots", bots, "--format", "json").stdout)
    assert (planned["summary"]["inSync"], planned["summary"]["update"]) == (1, 0)
    (bots / "loja.yaml").write_text(result.stdout.replace("Sim.", "Não."))
    planned = json.loads(run("plan", "--bots", bots, "--format", "json").stdout)
    assert planned["summary"]["update"] == 1


def test_one_that_is_not_ours_and_its_secret(
    run: Run, ids: dict[str, str], bots: Path, tmp_path: Path
) -> None:
    shown = run("get", f"id:{ids['other']}@loja").stdout
    assert "functionUrl: !env " in shown
    assert 'description: "Por fora: [x]"' in shown
    assert _TOKEN not in shown
    variable = shown.partition("!env ")[2].partition("\n")[0]
    (bots / "loja.yaml").write_text(shown)
    planned = run("plan", "--bots", bots, "--format", "json", env={variable: _FUNCTION["functionUrl"]}).stdout
    [adopted] = [
        change for change in json.loads(planned)["instances"][0]["changes"] if change["verb"] == "adopt"
    ]
    assert [field["name"] for field in adopted["fields"]] == ["description"]


def test_json_has_the_fields_of_the_api(run: Run, world: World, ids: dict[str, str]) -> None:
    document = json.loads(run("get", "um@loja", "--format", "json").stdout)
    [row] = [bot for bot in world.bots("loja") if bot["id"] == ids["um"]]
    stored: Json = document.pop("fields")
    assert document == {
        "format": "evolution-reconciler/bot",
        "version": 1,
        "instance": "loja",
        "name": "um",
        "id": ids["um"],
        "created": row["createdAt"],
        "kind": "openai",
    }
    assert stored == {name: row[name] for name in stored}
    assert stored["systemMessages"] == ["Sim."]
    other = run("get", f"id:{ids['other']}@loja", "--format", "json")
    assert json.loads(other.stdout)["name"] is None
    assert json.loads(other.stdout)["fields"]["functionUrl"].startswith("https://hooks.example/")
    assert _TOKEN not in other.output


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("um", "Error: 'um' names no bot: write BOT@INSTANCE, such as menu@loja.\n"),
        ("um@loja2", "Error: the server lists no instance for this key that matches 'loja2'"),
        ("*@loja", "Error: '*@loja' must name one bot: write its name without a glob.\n"),
        (
            "umm@loja",
            "Error: 'loja' has no bot 'umm' with the marker of gitops (did you mean 'um'?): "
            "`reconciler list` shows its bots.\n",
        ),
        ("id:nada@loja", "Error: 'loja' has no bot with the id 'nada'.\n"),
    ],
)
def test_what_is_not_there(run: Run, ids: dict[str, str], named: str, said: str) -> None:
    result = run("get", named)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)


def test_two_with_one_marker_are_named_by_their_ids(run: Run, world: World, ids: dict[str, str]) -> None:
    [row] = [bot for bot in world.bots("loja") if bot["id"] == ids["um"]]
    again = world.bot("loja", row["openaiCredsId"], description="[gitops:um]", maxTokens=5)
    result = run("get", "um@loja")
    assert result.exit_code == 1
    for id_ in (ids["um"], again["id"]):
        assert f"id:{id_}@loja" in result.stderr
    refused = run("get", f"id:{again['id']}@loja")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"no manifest can declare the bot {again['id']} of 'loja'" in refused.stderr
    shown = json.loads(run("get", f"id:{again['id']}@loja", "--format", "json").stdout)
    assert (shown["name"], shown["fields"]["maxTokens"]) == (None, 5)
