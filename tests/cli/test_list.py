"""`list`: which bots there are, and what each is to the manifests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain import safe
from reconciler.domain.kinds import KINDS
from reconciler.domain.listing import ListedBot, ListedInstance, Listing, Standing
from reconciler.render import listing
from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run
from tests.support import World

_KEYWORD = {"triggerType": "keyword", "triggerOperator": "equals"}
_CHAT: dict[str, Any] = {"botType": "chatCompletion", "model": "gpt-4o", "enabled": True}


def _found(run: Run, bots: Path, *args: str) -> dict[str, Any]:
    """What `list` says, by the instance: its problem, and its bots by their names or descriptions."""
    result = run("list", "--bots", bots, "--format", "json", *args)
    document = json.loads(result.stdout)
    assert result.exit_code == any(one["problem"] for one in document["instances"])
    return {
        one["name"]: {bot["name"] or bot["description"]: bot for bot in one["bots"]}
        for one in document["instances"]
    }


@pytest.fixture
def there(world: World, server: Sandbox, run: Run, bots: Path) -> World:
    """A server with a bot in each state that a listing tells apart."""
    ids = world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    creds = ids["main"]
    world.bot(
        "loja", creds, **_CHAT, maxTokens=31, description="Velho [gitops:velho]", triggerValue="v", **_KEYWORD
    )
    world.bot(
        "loja",
        creds,
        **_CHAT,
        maxTokens=32,
        description="De outro [rh:ferias]~01234567",
        triggerValue="f",
        **_KEYWORD,
    )
    world.bot("loja", creds, **_CHAT, maxTokens=33, description="Feito à mão", triggerValue="3", **_KEYWORD)
    (bots / "loja.yaml").write_text(
        (bots / "loja.yaml").read_text()
        + "  tres: {maxTokens: 34, triggerValue: 3}\n  quatro: {maxTokens: 35, triggerValue: 4}\n"
    )
    other = world.instance("outra", "other")
    world.bot("outra", other["other"], **_CHAT, maxTokens=9, description="", triggerType="all")
    server.calls.clear()
    return world


def test_each_state(run: Run, there: World, bots: Path) -> None:
    found = _found(run, bots)
    assert {name: bot["state"] for name, bot in found["loja"].items()} == {
        "um": "managed",
        "dois": "managed",
        "tres": "adoptable",
        "quatro": "missing",
        "velho": "undeclared",
        "De outro [rh:ferias]~01234567": "unmanaged",
    }
    [(_, unmanaged)] = found["outra"].items()
    assert (unmanaged["state"], unmanaged["name"], unmanaged["why"]) == ("unmanaged", None, None)
    assert found["loja"]["De outro [rh:ferias]~01234567"]["why"] == "it carries the marker of the owner rh"
    um = found["loja"]["um"]
    [row] = [bot for bot in there.bots("loja") if ":um]" in bot["description"]]
    assert um["id"] == row["id"]
    assert (um["enabled"], um["kind"], um["model"], um["assistantId"]) == (True, "openai", "gpt-4o", None)
    assert (um["triggerType"], um["triggerOperator"], um["triggerValue"]) == ("keyword", "equals", "1")


def test_text_shows_what_a_bot_to_adopt_is_known_by(run: Run, there: World, bots: Path) -> None:
    assert '  "Feito à mão", keyword equals "3", openai gpt-4o' in run("list", "--bots", bots).stdout


def test_nothing_is_written_and_only_what_is_asked_for_is_read(
    run: Run, server: Sandbox, there: World, bots: Path
) -> None:
    assert list(_found(run, bots)) == ["loja", "outra"]
    assert {call.path for call in server.calls} == {
        "/instance/fetchInstances",
        *(f"/{kind}/find/{name}" for kind in KINDS for name in ("loja", "outra")),
    }
    assert not server.writes
    server.calls.clear()
    assert list(_found(run, bots, "--instance", "ou*")) == ["outra"]
    assert not [call for call in server.calls if "loja" in call.path]
    missed = run("list", "--bots", bots, "--instance", "nada-*")
    assert (missed.exit_code, "'nada-*'" in missed.stderr) == (1, True)


def test_switched_off_by_hand_is_not_the_same_as_off(run: Run, there: World, bots: Path) -> None:
    assert run("disable", "um@loja").exit_code == 0
    [row] = [bot for bot in there.bots("loja") if ":dois]" in bot["description"]]
    there.change("loja", row, enabled=False)
    found = _found(run, bots)["loja"]
    assert [found[name]["enabled"] for name in ("um", "dois", "quatro")] == [False, False, None]
    assert [bool(found[name]["switchedOff"]) for name in ("um", "dois", "quatro")] == [True, False, False]
    shown = run("list", "--bots", bots).stdout
    assert "  um                            managed       switched off  keyword" in shown
    assert "  dois                          managed       off           keyword" in shown


def test_two_bots_with_one_marker_are_a_conflict(run: Run, there: World, bots: Path) -> None:
    [row] = [bot for bot in there.bots("loja") if ":um]" in bot["description"]]
    there.bot(
        "loja",
        row["openaiCredsId"],
        **_CHAT,
        maxTokens=77,
        triggerValue="77",
        description="[gitops:um]",
        **_KEYWORD,
    )
    um = _found(run, bots)["loja"]["um"]
    assert (um["state"], um["id"]) == ("conflict", None)
    assert row["id"] in um["why"]
    assert row["id"] in run("list", "--bots", bots).stdout


def test_a_key_in_a_text_is_not_shown(run: Run, world: World, bots: Path) -> None:
    """`run` looks for it in the output."""
    creds = world.instance("loja", "main")["main"]
    key = "sk-proj-" + "a1B2c3D4" * 5
    bot = world.bot("loja", creds, maxTokens=7, description=f"Chave: {key}", triggerValue=key, **_KEYWORD)
    for format in ("text", "json"):
        result = run("list", "--bots", bots, "--format", format)
        assert result.exit_code == 0
        assert bot["id"] in result.stdout
    shown = run("get", f"id:{bot['id']}@loja", "--format", "json")
    assert shown.exit_code == 0
    run("get", f"id:{bot['id']}@loja")


def test_an_instance_that_the_server_does_not_have(run: Run, world: World, bots: Path) -> None:
    world.instance("outra")
    result = run("list", "--bots", bots)
    assert result.exit_code == 1
    assert "2 instances, 2 bots: 2 unknown; 1 instance could not be read." in result.stdout
    assert "! problem: " in result.stdout
    assert result.stderr == "Error: 1 instance could not be read; see the list.\n"
    assert "outra  (no manifest)\n  no bots" in result.stdout


def test_offline_no_call_is_made(run: Run, server: Sandbox, bots: Path) -> None:
    server.calls.clear()
    offline = {"EVOLUTION_API_URL": None, "EVOLUTION_API_KEY": None}
    result = run("list", "--bots", bots, "--offline", env=offline)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "1 instance, 2 bots: 2 declared.\n\nloja\n"
        '  um    declared  -  keyword equals "1", openai gpt-4o\n'
        '  dois  declared  -  keyword equals "2", openai gpt-4o\n'
    )
    assert not server.calls
    assert "no server is given" in run("list", "--bots", bots, env=offline).stderr


def test_a_thousand_alike_are_one(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "fleet"
    home.mkdir()
    (home / "_defaults.yaml").write_text(
        "defaults: {openaiCredsId: c, botType: assistant, triggerType: keyword, triggerOperator: equals}\n"
        'vars: {rede: x}\nbots:\n  menu: {triggerValue: "oi ${instance}"}\n'
    )
    for number in range(1000):
        extra = ", extra: {assistantId: a, triggerValue: x}" if number in {7, 500} else ""
        manifest = f"bots: {{menu: {{assistantId: asst_{number}}}{extra}}}\n"
        (home / f"loja-{number:03}.yaml").write_text(manifest)
    shown = run("list", "--bots", home, "--offline").stdout.splitlines()
    assert shown[0] == "1000 instances, 1002 bots: 1002 declared."
    assert shown[2].startswith("loja-007, loja-500  (2 of 1000 instances)")  # the outliers first
    assert shown[6].endswith("(998 of 1000 instances)")
    assert shown[7] == '  menu  declared  -  keyword equals "oi ${instance}", openai 998 assistants'
    assert len(shown) == 8
    rows = json.loads(run("list", "--bots", home, "--offline", "--format", "json").stdout)["instances"]
    assert [len(rows), rows[7]["name"], rows[7]["bots"][0]["triggerValue"]] == [
        1000,
        "loja-007",
        "oi loja-007",
    ]


def test_eighty_columns_are_enough() -> None:
    bots = [
        ListedBot(
            name="um-nome-bastante-comprido" if state is not Standing.UNMANAGED else "",
            id="cmkg2p3qz0001l508h2v7a1b2",
            standing=state,
            off="2026-11-28",
            why="bot cmkg2p3qz0001l508h2v7a1b2 carries its marker, but also the marker of the owner rh",
            fields={
                **_CHAT,
                "triggerType": "advanced",
                "triggerValue": "contains:pedido " * 20,
                "description": "Um texto\n\x1b[31m para pessoas " * 9,
                "enabled": False,
            },
        )
        for state in Standing
    ]
    some = [
        ListedInstance(f"loja-{number}-do-centro-da-cidade", "", tuple(bots)) for number in range(0, 99, 2)
    ]
    broken = ListedInstance(
        "x", "bots/x.yaml", (), problem="the server is not reachable, as nobody answers " * 3
    )
    shown = listing.text(Listing("https://s.example", (*some, broken), "only some were read"), width=80)
    assert max(safe.cells(line) for line in shown.splitlines()) <= 80
    assert "\x1b" not in shown
    assert len(shown.splitlines()) < 60


def test_the_documentation_has_every_state() -> None:
    page = (ROOT / "docs" / "reference" / "plan.md").read_text()
    table = page.partition("| state | |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == {state.value for state in Standing}
