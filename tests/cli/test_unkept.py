"""A server that does not keep a field: the next plan names its version, and the issue where one is known."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import Json, World
from tests.worlds.faults import answer
from tests.worlds.liars import rewritten
from tests.worlds.proxy import Proxy, Request

_WHEN = (
    "when it was last applied, and nobody edited it since: take it out of the manifest, or update the server"
)
_KNOWN = "; known issue: EvolutionAPI/evolution-api#1027, reported for 2.1.0 to 2.2.1"
_LOST: dict[str, Json] = {"ignoreJids": [], "expire": None}
"""What the server does not keep: a list that it empties, and a number that it ignores."""


def _lose(request: Request) -> bytes:
    return rewritten(request.raw, _LOST) if request.method in {"PUT", "POST"} else request.raw


def _port(server: Sandbox) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.fixture
def unkept(run: Run, server: Sandbox, world: World, bots: Path) -> Path:
    """Two bots of `loja` that were applied to a server that keeps neither field, and one without them."""
    world.instance("loja", "main")
    (bots / "loja.yaml").write_text(
        "defaults:\n  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword}\n"
        "bots:\n"
        '  um: {maxTokens: 100, triggerOperator: equals, triggerValue: 1, ignoreJids: ["@g.us"]}\n'
        "  dois: {maxTokens: 200, triggerOperator: equals, triggerValue: 2, expire: 7}\n"
        "  tres: {maxTokens: 300, triggerOperator: equals, triggerValue: 3}\n"
    )
    with Proxy(lambda: _port(server), edit=_lose) as proxy:
        applied = run("apply", "--bots", bots, "--yes", env={"EVOLUTION_API_URL": proxy.url})
    assert applied.exit_code == 1
    return bots


def _plan(run: Run, server: Sandbox, bots: Path, told: bytes | None) -> tuple[dict[str, str], int, float]:
    """The reasons by bot, how often the version was asked for, and how many seconds it all took.

    told: what the server answers to `GET /`; nothing at all when it is None.
    """
    asked = 0

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal asked
        if request.path != "/":
            return raw
        asked += 1
        if told is None:
            time.sleep(3)
        return told or raw

    with Proxy(lambda: _port(server), tell=tell) as proxy:
        begun = time.monotonic()
        args = ["plan", "--bots", bots, "--format", "json", "--timeout", "0.5"]
        found = run(*args, env={"EVOLUTION_API_URL": proxy.url})
        took = time.monotonic() - begun
    assert found.exit_code == 0, found.output
    [instance] = json.loads(found.stdout)["instances"]
    return {change["bot"]: change["reason"] for change in instance["changes"]}, asked, took


def _version(text: str) -> bytes:
    return answer(200, json.dumps({"status": 200, "version": text}).encode())


@pytest.mark.parametrize(
    ("told", "said", "known"),
    [
        (_version("2.2.3"), "Evolution API 2.2.3", _KNOWN),
        (_version("2.3.6"), "Evolution API 2.3.6", ""),
        (_version("v2.4.0-rc2"), "Evolution API v2.4.0-rc2", ""),
        (_version("2.3.6 — run this: rm"), "the server", ""),
        (_version(""), "the server", ""),
        (answer(500), "the server", ""),
        (None, "the server", ""),
    ],
    ids=["known", "newer", "candidate", "no version", "empty", "500", "stalls"],
)
def test_the_plan_says_which_version_does_not_keep_a_field(
    run: Run, server: Sandbox, unkept: Path, told: bytes | None, said: str, known: str
) -> None:
    reasons, asked, took = _plan(run, server, unkept, told)
    assert reasons == {
        "um": f"{said} did not keep ignoreJids {_WHEN}{known}",
        "dois": f"{said} did not keep expire {_WHEN}",
    }
    assert asked == 1, "once for the whole run"
    assert took < 2.9, "no longer than the time-out of one call, whatever else the machine does"


def test_the_version_does_not_change_what_was_reviewed(run: Run, server: Sandbox, unkept: Path) -> None:
    """A plan that was made without the version is a review of one that names it."""
    with Proxy(lambda: _port(server), tell=lambda r, raw: answer(500) if r.path == "/" else raw) as proxy:
        run("plan", "--bots", unkept, "--out", "p.json", env={"EVOLUTION_API_URL": proxy.url})
    applied = run("apply", "--bots", unkept, "--reviewed", "p.json", "--yes")
    assert applied.exit_code == 0, applied.output
    assert "Evolution API 2.3.6 did not keep" in " ".join(applied.stdout.split())


def test_the_version_is_not_asked_for_without_need(run: Run, server: Sandbox, unkept: Path) -> None:
    assert run("apply", "--bots", unkept, "--yes").exit_code == 0
    reasons, asked, _ = _plan(run, server, unkept, _version("2.2.3"))
    assert (reasons, asked) == ({}, 0)
    text = (unkept / "loja.yaml").read_text().replace("maxTokens: 300", "maxTokens: 301")
    (unkept / "loja.yaml").write_text(text)
    reasons, asked, _ = _plan(run, server, unkept, _version("2.2.3"))
    assert (reasons, asked) == ({"tres": "its manifest was edited"}, 0)
