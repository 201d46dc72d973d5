"""A large fleet, whose server is read by another process while the manifests are loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.pipeline.process import LEAST
from tests.cli.conftest import Run
from tests.support import World

MENU = "{openaiCreds: %s, botType: chatCompletion, triggerType: none, model: gpt-4o, maxTokens: 100}"
HALF = LEAST // 2 + 1


@pytest.fixture
def fleet(tmp_path: Path, world: World) -> Path:
    """Instances a-N and b-N, more than LEAST, each half fewer. Of every tenth the bot exists."""
    directory = tmp_path / "bots"
    directory.mkdir()
    for name in [f"{half}-{number}" for half in "ab" for number in range(HALF)]:
        creds = world.instance(name, name)[name]
        (directory / f"{name}.yaml").write_text(f"bots: {{menu: {MENU % name}}}\n")
        if name.endswith("0"):
            world.bot(name, creds, description="[gitops:menu]")
    return directory


def _plan(run: Run, fleet: Path, *args: str) -> tuple[list[Any], list[str]]:
    """The instances of a plan, and the calls that were made for it, in any order."""
    result = run("plan", "--bots", fleet, "--format", "json", "--verbose", *args)
    assert result.exit_code == 0, result.stderr
    calls = re.findall(r"(GET \S+ \d+) \d+ ms", result.stderr)
    return json.loads(result.stdout)["instances"], sorted(calls)


def test_plan_and_calls_are_the_same_as_without(run: Run, fleet: Path) -> None:
    plan, calls = _plan(run, fleet)
    one, its = _plan(run, fleet, "--instance", "a-*")
    other, others = _plan(run, fleet, "--instance", "b-*")
    assert plan == [*one, *other]
    assert len({instance["name"] for instance in plan}) == 2 * HALF
    assert set(calls) == {*its, *others}
    assert [call for call in calls if "openai" in call] == sorted(
        call for call in (*its, *others) if "openai" in call
    )


def test_a_server_that_is_gone_is_told_once(run: Run, fleet: Path) -> None:
    result = run("plan", "--bots", fleet, env={"EVOLUTION_API_URL": "http://127.0.0.1:1"})
    assert result.exit_code == 1
    assert result.stderr.count("Cannot reach the server at http://127.0.0.1:1") == 1


def test_broken_manifests_are_told_as_ever(run: Run, fleet: Path) -> None:
    (fleet / "a-1.yaml").write_text("bots: {menu: {modle: x}}\n")
    result = run("plan", "--bots", fleet)
    assert result.exit_code == 1
    assert "bots/a-1.yaml:1:" in result.stderr
    assert "modle" in result.stderr
