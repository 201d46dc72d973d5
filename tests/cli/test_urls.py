"""Secrets in bots' URLs on the command line: in no output and no file, and sent as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import validate

from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run
from tests.support import World

_SECRET, _OTHER = "h7Gk29sLq0aa", "zz0qLs92kG7h"
_URL = f"https://exemplo.com.br/f?code={_SECRET}"
_NEW = f"https://exemplo.com.br/f?code={_OTHER}"
_SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())


def _write(bots: Path, url: str, more: str = "") -> None:
    for file in bots.glob("*.yaml"):
        file.unlink()
    (bots / "loja.yaml").write_text(
        "bots:\n  um:\n    openaiCreds: main\n    botType: assistant\n    assistantId: a1\n"
        f"    triggerType: keyword\n    triggerOperator: equals\n    triggerValue: oi\n"
        f"    functionUrl: {url}\n{more}"
    )


def _urls(world: World) -> list[object]:
    return [bot["functionUrl"] for bot in world.bots("loja")]


@pytest.fixture
def shop(world: World) -> World:
    world.instance("loja", "main")
    return world


def test_a_url_in_a_variable(run: Run, server: Sandbox, shop: World, bots: Path) -> None:
    _write(bots, "!env URL_LOJA")
    env = {"URL_LOJA": _URL}
    said = [run("plan", "--bots", bots, "--out", "p.json").output]
    assert "functionUrl of um of loja: it is not compared: URL_LOJA is not set" in said[0]
    server.calls.clear()
    refused = run("apply", "--bots", bots, "--yes")
    assert refused.exit_code == 1
    assert "its functionUrl cannot be sent: URL_LOJA is not set" in " ".join(refused.stdout.split())
    assert server.writes == []
    refused = run("apply", "p.json", "--yes")
    assert (refused.exit_code, server.writes) == (1, [])
    assert "URL_LOJA is not set" in refused.stderr
    refused = run("plan", "--bots", bots, env={"URL_LOJA": f"'{_URL}'"})
    assert refused.exit_code == 1
    assert "URL_LOJA does not look like a URL: it has quotes" in refused.stderr
    applied = run("apply", "p.json", "--yes", env=env)
    assert applied.exit_code == 0, applied.output
    assert _urls(shop) == [_URL]
    said += [applied.output, refused.output, Path("p.json").read_text() if Path("p.json").exists() else ""]
    for form in ("text", "markdown", "json"):
        same = run("plan", "--bots", bots, "--format", form, env=env)
        turned = run("plan", "--bots", bots, "--format", form, env={"URL_LOJA": _NEW})
        said += [same.output, turned.output]
    assert same.exit_code == 0
    validate(json.loads(same.stdout), _SCHEMA)
    assert json.loads(same.stdout)["writes"] is False
    assert json.loads(turned.stdout)["summary"]["update"] == 1
    [change] = json.loads(turned.stdout)["instances"][0]["changes"]
    assert (change["cause"], change["reason"]) == ("", "it differs"), "nobody edited the bot on the server"
    assert run("apply", "--bots", bots, "--yes", env={"URL_LOJA": _NEW}).exit_code == 0
    assert _urls(shop) == [_NEW]
    assert run("plan", "--bots", bots, env={"URL_LOJA": _NEW}).stdout.startswith("No changes.")
    said.append(run("explain", "um@loja", "--bots", bots, env=env).output)
    assert not any(secret in text for text in said for secret in (_SECRET, _OTHER))


def test_a_url_in_the_manifest(run: Run, server: Sandbox, shop: World, bots: Path) -> None:
    _write(bots, _URL)
    said = [run("validate", "--bots", bots).output, run("explain", "um", "--bots", bots).output]
    assert "[secret-in-url]" in said[0]
    said.append(run("plan", "--bots", bots, "--out", "p.json").output)
    server.calls.clear()
    refused = run("apply", "p.json", "--yes")
    assert (refused.exit_code, server.writes) == (1, [])
    assert "functionUrl contains a secret, which no plan file does" in refused.stderr
    said += [refused.output, run("show", "p.json").output, run("show", "p.json", "--format", "json").output]
    applied = run("apply", "--bots", bots, "--yes", "--reviewed", "p.json")
    assert applied.exit_code == 0, applied.output
    assert _urls(shop) == [_URL]
    _write(bots, _NEW)
    turned = run("plan", "--bots", bots)
    assert (
        '"https://exemplo.com.br/f?code=***" → "https://exemplo.com.br/f?code=*** (another secret)"'
        in turned.stdout
    )
    assert "did not keep" not in turned.stdout, "the manifest was edited"
    said += [turned.output, run("plan", "--bots", bots, "--format", "markdown").output]
    said.append(run("import", "--update", "--bots", bots).output)
    assert _SECRET not in (bots / "loja.yaml").read_text(), "what the server has is not written"
    assert not any(secret in text for text in said for secret in (_SECRET, _OTHER))


def test_an_import_names_a_variable(run: Run, shop: World, bots: Path) -> None:
    _write(bots, _URL)
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    imported = run("import", "--into", "new")
    assert imported.exit_code == 0, imported.output
    assert "  export FUNCTION_URL_LOJA_UM=..." in imported.stdout
    written = "".join(file.read_text() for file in Path("new").rglob("*.yaml"))
    assert "functionUrl: !env FUNCTION_URL_LOJA_UM" in written
    assert _SECRET not in written + imported.output
    planned = run("plan", "--bots", "new", env={"FUNCTION_URL_LOJA_UM": _URL})
    assert planned.stdout.startswith("No changes.")


def test_a_reference_in_quotes_is_an_error(run: Run, shop: World, bots: Path) -> None:
    _write(bots, '"!env HOME"')
    refused = run("validate", "--bots", bots)
    assert refused.exit_code == 1
    assert "functionUrl starts like a tag: write !env without quotes" in refused.stderr
