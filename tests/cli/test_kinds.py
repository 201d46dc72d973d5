"""Bots of every kind on the command line: planned, saved and applied, their secrets in no output or file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import validate

from reconciler.domain.kinds import KINDS, Kind
from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run
from tests.manifests.writing import whole
from tests.support import World

_KEY, _OTHER = "canario-h7Gk29sLq0aa", "canario-zz0qLs92kG7h"
_TOKEN, _TURNED = "ficha-9f8e7d6c5b4a", "ficha-1a2b3c4d5e6f"
_ENV = {"A_SECRET": _KEY, "A_TOKEN": _TOKEN}
_SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
_SECRET = [kind for kind in KINDS.values() if "whole" in {field.hides for field in kind.fields.values()}]


def _url(kind: Kind) -> str:
    [name] = [field.name for field in kind.fields.values() if field.hides == "url"]
    return name


def _write(bots: Path, *kinds: Kind) -> None:
    for file in bots.glob("*.yaml"):
        file.unlink()
    lines = [
        whole(kind, kind.path.lower(), **{_url(kind): "'https://x.example/v1?token=${env:A_TOKEN}'"})
        for kind in kinds
    ]
    (bots / "loja.yaml").write_text("bots:\n" + "".join(f"  {line}\n" for line in lines))


@pytest.fixture
def shop(world: World) -> World:
    world.instance("loja", "main")
    return world


@pytest.mark.parametrize("kind", _SECRET, ids=str)
def test_secrets_that_are_found_elsewhere(
    run: Run, server: Sandbox, shop: World, bots: Path, kind: Kind
) -> None:
    _write(bots, kind)
    name = kind.path.lower()
    [secret] = [field.name for field in kind.fields.values() if field.hides == "whole"]
    said = [run("plan", "--bots", bots, "--out", "p.json").output]
    assert json.loads(Path("p.json").read_text())["instances"][0]["keyless"] == {
        f"{secret} of {name}": "A_SECRET is not set",
        f"{_url(kind)} of {name}": "A_TOKEN is not set",
    }
    server.calls.clear()
    assert run("apply", "p.json", "--yes").exit_code == 1
    assert server.writes == []
    said.append(Path("p.json").read_text())
    assert "!env A_SECRET" in said[-1]
    assert "https://x.example/v1?token=${env:A_TOKEN}" in said[-1]
    applied = run("apply", "p.json", "--yes", env=_ENV)
    assert applied.exit_code == 0, applied.output
    said.append(applied.output)
    for form in ("text", "markdown", "json"):
        same = run("plan", "--bots", bots, "--format", form, env=_ENV)
        key = run("plan", "--bots", bots, "--format", form, env=_ENV | {"A_SECRET": _OTHER})
        url = run("plan", "--bots", bots, "--format", form, env=_ENV | {"A_TOKEN": _TURNED})
        said += [same.output, key.output, url.output]
    validate(json.loads(same.stdout), _SCHEMA)
    assert json.loads(same.stdout)["writes"] is False
    for changed, field in ((key, secret), (url, _url(kind))):
        [change] = json.loads(changed.stdout)["instances"][0]["changes"]
        assert (change["verb"], [each["name"] for each in change["fields"]]) == ("update", [field])
    turned = {"A_SECRET": _OTHER, "A_TOKEN": _TURNED}
    said.append(run("apply", "--bots", bots, "--yes", env=turned).output)
    assert run("plan", "--bots", bots, env=turned).stdout.startswith("No changes.")
    said.append(run("explain", f"{name}@loja", "--bots", bots, env=turned).output)
    said.append(run("list", "--bots", bots, env=turned).output)
    assert not any(each in text for text in said for each in (_KEY, _OTHER, _TOKEN, _TURNED))


def test_all_kinds_in_one_instance(run: Run, shop: World, bots: Path) -> None:
    _write(bots, *KINDS.values())
    applied = run("apply", "--bots", bots, "--yes", env=_ENV)
    assert applied.exit_code == 0, applied.output
    assert run("plan", "--bots", bots, env=_ENV).stdout.startswith("No changes.")
    listed = run("list", "--bots", bots, "--offline").output
    assert all(kind.path.lower() in listed for kind in KINDS.values())
    assert run("fmt", "--bots", bots).exit_code == 0
    assert run("plan", "--bots", bots, env=_ENV).stdout.startswith("No changes.")
