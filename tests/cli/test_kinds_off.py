"""A kind that the server has switched off: its bots are conflicts, and the others are planned as usual."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import World

_N8N = "kind: n8n, webhookUrl: 'https://n8n/1', triggerType: keyword, triggerOperator: equals"
_DIFY = "kind: dify, botType: agent, apiUrl: 'https://dify/v1', triggerType: keyword, triggerOperator: equals"

MIXED = f"""\
settings: {{debounceTime: 4}}
kinds:
  dify: {{settings: {{debounceTime: 9}}}}
credentials:
  nova: {{apiKey: !env NOVA}}
bots:
  um: {{openaiCreds: nova, botType: chatCompletion, model: gpt-4o, maxTokens: 1, triggerType: all}}
  dois: {{{_DIFY}, triggerValue: 1}}
  tres: {{{_N8N}, triggerValue: 1}}
"""

SENTENCE = "The {} integration of {} is disabled: set {}=true in the server's environment and restart it."


@pytest.fixture
def mixed(bots: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOVA", "sk-proj-Zk3vQ8mN2pR7tW9xYbC4dF6h")
    (bots / "loja.yaml").write_text(MIXED)
    world.instance("loja")
    return bots


def _changes(run: Run, bots: Path, *args: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Verb and reason, by what is changed and the bot's name."""
    result = run("plan", "--bots", bots, "--format", "json", *args)
    assert result.stderr == ""
    document: dict[str, Any] = json.loads(result.stdout)
    [instance] = document["instances"]
    assert not instance.get("problem")
    return {(one["of"], one["bot"]): (one["verb"], one["reason"]) for one in instance["changes"]}


def test_the_others_are_planned_and_applied(run: Run, server: Sandbox, mixed: Path) -> None:
    server.options.disabled = frozenset({"dify"})
    why = SENTENCE.format("Dify", server.url, "DIFY_ENABLED")
    result = run("plan", "--bots", mixed)
    assert "3 in conflict" not in result.stdout
    assert "2 conflicts" in result.stdout
    assert result.stdout.count("DIFY_ENABLED=true") >= 1
    found = json.loads(run("plan", "--bots", mixed, "--format", "json").stdout)["instances"][0]["changes"]
    conflicts = [(one["of"], one["bot"], one["reason"]) for one in found if one["verb"] == "conflict"]
    assert conflicts == [("settings", "", why), ("bot", "dois", why)]
    applied = run("apply", "--bots", mixed, "--yes")
    assert applied.exit_code == 1
    assert not [call for call in server.writes if call.path.startswith("/dify/")]
    server.options.disabled = frozenset()
    assert run("apply", "--bots", mixed, "--yes").exit_code == 0
    assert run("plan", "--bots", mixed).stdout.startswith("No changes.")


def test_the_kind_that_has_the_credentials(run: Run, server: Sandbox, mixed: Path) -> None:
    server.options.disabled = frozenset({"openai"})
    found = json.loads(run("plan", "--bots", mixed, "--format", "json").stdout)["instances"][0]["changes"]
    verbs = {(one["of"], one["bot"], one["verb"]) for one in found}
    assert verbs == {
        ("credential", "nova", "conflict"),
        ("settings", "", "conflict"),
        ("bot", "um", "conflict"),
        ("settings", "", "create"),
        ("bot", "dois", "create"),
        ("bot", "tres", "create"),
    }
    run("apply", "--bots", mixed, "--yes")
    assert not [call for call in server.writes if call.path.startswith("/openai/")]
    assert [
        call.path for call in server.writes if "/create/" in call.path and "instance" not in call.path
    ] == [
        "/dify/create/loja",
        "/n8n/create/loja",
    ]


def test_all_declared_kinds_are_off(run: Run, server: Sandbox, mixed: Path) -> None:
    server.options.disabled = frozenset({"openai", "dify", "n8n"})
    result = run("plan", "--bots", mixed)
    assert (result.exit_code, result.stdout) == (1, "")
    for switch in ("OPENAI_ENABLED", "DIFY_ENABLED", "N8N_ENABLED"):
        assert f"set {switch}=true" in result.stderr


def test_a_bot_that_cannot_become_another_kind_stays(run: Run, server: Sandbox, mixed: Path) -> None:
    only = f"bots:\n  tres: {{{_N8N}, triggerValue: 1}}\n"
    (mixed / "loja.yaml").write_text(only)
    assert run("apply", "--bots", mixed, "--yes").exit_code == 0
    (mixed / "loja.yaml").write_text(
        f"bots:\n  tres: {{{_DIFY}, triggerValue: 1}}\n  dois: {{{_N8N}, triggerValue: 2}}\n".replace(
            "n8n/1", "n8n/2"
        )
    )
    server.options.disabled = frozenset({"dify"})
    server.calls.clear()
    run("apply", "--bots", mixed, "--yes", "--prune", "always")
    assert [call.path for call in server.writes] == ["/n8n/create/loja"]


def test_list_says_that_it_does_not_know(run: Run, server: Sandbox, mixed: Path) -> None:
    server.options.disabled = frozenset({"dify"})
    shown = run("list", "--bots", mixed, "--format", "json").stdout
    [instance] = json.loads(shown)["instances"]
    assert {bot["name"]: bot["state"] for bot in instance["bots"]} == {
        "um": "missing",
        "dois": "unknown",
        "tres": "missing",
    }


@pytest.mark.parametrize("off", [{"dify"}, {"openai"}, {"flowise", "evoai"}, {"openai", "dify", "n8n"}])
def test_doctor_says_what_is_on_and_what_to_set(
    run: Run, server: Sandbox, mixed: Path, off: set[str]
) -> None:
    server.options.disabled = frozenset(off)
    document = json.loads(run("doctor", "--bots", mixed, "--format", "json").stdout)
    said = [(one["mark"], one["message"]) for one in document["findings"] if one["about"] == "integration"]
    bad = [message for mark, message in said if mark == "bad"]
    assert len(bad) == len(off & {"openai", "dify", "n8n"})
    assert all("_ENABLED=true" in message for message in bad)
    [good] = [message for mark, message in said if mark == "good"]
    on = good.split(" are enabled.")[0]
    assert ("Dify" in on, "OpenAI" in on, "Flowise" in on) == tuple(
        path not in off for path in ("dify", "openai", "flowise")
    )
    assert ("no manifest needs them" in good) == ("flowise" in off)
    about = {one["about"] for one in document["findings"] if one["mark"] == "bad"}
    assert about <= {"integration"}


def test_doctor_matches_the_bots_of_all_kinds(run: Run, server: Sandbox, mixed: Path) -> None:
    assert run("apply", "--bots", mixed, "--yes").exit_code == 0
    document = json.loads(run("doctor", "--bots", mixed, "--format", "json").stdout)
    said = {one["about"]: one["message"] for one in document["findings"]}
    assert said["bots"] == "3 declared for the owner gitops: 3 found."
    server.options.disabled = frozenset({"dify"})
    document = json.loads(run("doctor", "--bots", mixed, "--format", "json").stdout)
    said = {one["about"]: one["message"] for one in document["findings"]}
    assert said["bots"] == "2 declared for the owner gitops: 2 found."
