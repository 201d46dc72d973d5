"""`--rotate-keys`: keys that changed are renewed, of credentials and of bots, and nothing else is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import World

_OLD = "OPENAI_KEY=sk-canary-0000\nDIFY_KEY=app-canary-old-1\nOTHER_KEY=app-canary-old-2\n"
_NEW = "OPENAI_KEY=sk-canary-1111\nDIFY_KEY=app-canary-new-1\nOTHER_KEY=app-canary-new-2\n"
_LOJA = """\
credentials: {main: {apiKey: !env OPENAI_KEY}}
defaults: {triggerType: keyword, triggerOperator: equals, expire: 5}
bots:
  um: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, maxTokens: 100, triggerValue: 1}
  dois: {kind: dify, botType: chatBot, apiUrl: "https://dify.example", apiKey: !env DIFY_KEY, triggerValue: 2}
  tres: {kind: dify, botType: chatBot, apiUrl: "https://x.example", apiKey: !env OTHER_KEY, triggerValue: 3}
"""


@pytest.fixture
def drifted(run: Run, world: World, server: Sandbox, bots: Path) -> Path:
    """One instance, applied; then two of its three bots are edited by hand, and one more is declared."""
    world.instance("loja")
    (bots / "loja.yaml").write_text(_LOJA)
    assert run("apply", "--yes", "--env-file", "-", input=_OLD).exit_code == 0
    [um] = world.bots("loja")
    world.change("loja", um, expire=99)
    tres = next(bot for bot in world.bots("loja", KINDS["dify"]) if bot["triggerValue"] == "3")
    world.change("loja", tres, KINDS["dify"], expire=99)
    more = "  quatro: {kind: n8n, webhookUrl: 'https://n8n.example', triggerValue: 4}\n"
    (bots / "loja.yaml").write_text(_LOJA + more)
    server.calls.clear()
    return bots


def test_keys_are_renewed_and_nothing_else(run: Run, world: World, server: Sandbox, drifted: Path) -> None:
    plan = " ".join(run("plan", "--rotate-keys", "--env-file", "-", input=_NEW).stdout.split())
    assert plan.startswith("Plan: 1 to update, 1 credential to rotate, 0 in sync")
    assert "only keys are renewed: whatever else differs is left as it is" in plan
    assert "not renewed, as more than the key differs" in plan
    assert "changes: tres (Dify) of loja" in plan
    assert server.writes == []
    done = run("apply", "--rotate-keys", "--yes", "--env-file", "-", input=_NEW)
    assert done.exit_code == 0, done.output
    [main] = world.done("GET", "/openai/creds/loja")
    assert main["apiKey"] == "sk-canary-1111"
    [um] = world.bots("loja")
    assert (um["expire"], um["openaiCredsId"]) == (99, main["id"])
    assert main["name"] != "main"  # and the old one is gone
    keys = {bot["triggerValue"]: (bot["apiKey"], bot["expire"]) for bot in world.bots("loja", KINDS["dify"])}
    # The bot that was edited too would have to be written as a whole: it waits for a review.
    assert keys == {"2": ("app-canary-new-1", 5), "3": ("app-canary-old-2", 99)}
    assert world.bots("loja", KINDS["n8n"]) == []
    again = run("plan", "--rotate-keys", "--detailed-exitcode", "--env-file", "-", input=_NEW)
    assert again.exit_code == 0


def test_the_same_keys_are_left_alone(run: Run, server: Sandbox, drifted: Path) -> None:
    done = run("apply", "--rotate-keys", "--yes", "--env-file", "-", input=_OLD)
    assert (done.exit_code, server.writes) == (0, [])


@pytest.mark.parametrize(
    "options",
    [
        ["plan", "--target", "um@loja"],
        ["apply", "--reviewed", "plan.json"],
        ["apply", "plan.json"],
    ],
)
def test_it_is_a_plan_of_its_own(run: Run, server: Sandbox, drifted: Path, options: list[str]) -> None:
    assert run("plan", "--out", "plan.json").exit_code == 0
    result = run(*options, "--rotate-keys")
    assert result.exit_code == 1
    assert "--rotate-keys" in result.stderr
    assert server.writes == []
