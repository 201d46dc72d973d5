"""What an import prints with --format json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli.commands import main
from reconciler.sandbox import Sandbox
from tests.support import World


def imported(server: Sandbox, *args: str) -> Any:
    env = {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": server.api_key}
    result = CliRunner().invoke(main, ["import", "--format", "json", *args], env=env)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_an_import_and_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Sandbox() as server, World(server.url, server.api_key) as world:
        creds = world.instance("loja", "main")
        world.instance("vazia")
        bot = world.bot("loja", creds["main"], description="Front desk")
        first = imported(server)
        [written] = first["written"]
        assert (first["format"], first["version"]) == ("evolution-reconciler/import", 1)
        assert (written["instance"], written["path"], written["bots"]) == ("loja", "bots/loja.yaml", 1)
        assert (first["empty"], first["failed"]) == (1, False)
        [skipped] = imported(server)["skipped"]
        assert skipped["instance"] == "loja"
        world.change("loja", bot, description="Recepção")
        update = imported(server, "--update")
        assert update["format"] == "evolution-reconciler/import-update"
        assert update["edited"] == [{"instance": "loja", "about": "front-desk", "keys": ["description"]}]
        assert update["files"] == ["bots/loja.yaml"]
        assert (update["failed"], update["notes"]) == ([], [])
