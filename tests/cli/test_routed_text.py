"""Messages and triggers are foreign text: in every form of `route`, `test` and a plan's routing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.commands import main
from tests.cli.conftest import Run
from tests.support import World

HOSTILE = "oi\r::error::pwn\x1b[2J##[group]x\u202e\x7f</testcase>|<script>"

MANIFEST = {
    "tests": [{"message": HOSTILE, "bot": "um"}],
    "defaults": {"openaiCreds": "main", "botType": "chatCompletion", "model": "m", "triggerType": "keyword"},
    "bots": {
        "um": {"maxTokens": 1, "triggerOperator": "equals", "triggerValue": "1"},
        "dois": {"maxTokens": 2, "triggerOperator": "equals", "triggerValue": HOSTILE},
    },
}


@pytest.fixture
def shop(bots: Path, world: World) -> Path:
    world.instance("loja", "main")
    (bots / "loja.yaml").unlink()
    (bots / "loja.json").write_text(json.dumps(MANIFEST))
    return bots


@pytest.mark.parametrize(
    "command",
    [
        ["route", "loja", HOSTILE],
        ["route", "loja", HOSTILE, "--jid", HOSTILE],
        ["route", "loja", HOSTILE, "--format", "json"],
        ["test"],
        *(["test", "--format", form] for form in ("json", "junit", "github")),
        ["test", "--coverage"],
        ["validate"],
        *(["plan", "--format", form] for form in ("text", "json", "markdown")),
    ],
)
def test_no_form_passes_on_what_a_terminal_or_a_runner_obeys(
    run: Run, shop: Path, command: list[str]
) -> None:
    result = run(*command, "--bots", shop)
    said = result.stdout + result.stderr
    assert "oi" in said
    assert not {"\r", "\x1b", "\x7f", "\u202e"} & set(said)
    assert "##[" not in said
    ours = ("::error file=", "::warning file=") if "github" in command else ("\0",)
    assert [
        line for line in said.splitlines() if line.lstrip().startswith("::") and not line.startswith(ours)
    ] == []
    if command[-1] in {"junit", "markdown"}:
        assert "<script>" not in said


def test_a_line_of_json_is_inert(run: Run, shop: Path) -> None:
    arguments = ["route", "loja", "-", "--jsonl", "--bots", str(shop)]
    result = CliRunner().invoke(main, arguments, input=json.dumps({"message": HOSTILE}) + "\n")
    assert json.loads(result.stdout)["message"] == HOSTILE
    assert "##[" not in result.stdout
    assert "\x7f" not in result.stdout
