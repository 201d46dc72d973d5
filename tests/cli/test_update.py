"""`import --update` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import Json, World


@pytest.fixture
def applied(run: Run, world: World, server: Sandbox, bots: Path) -> Path:
    """The manifests, applied."""
    world.instance("loja", "main")
    assert run("apply", "--yes", "--bots", bots).exit_code == 0
    server.calls.clear()
    return bots


def drift(world: World, instance: str, **fields: Json) -> None:
    """Changes the first bot by hand."""
    [first] = [bot for bot in world.bots(instance) if bot["maxTokens"] == 100]
    world.change(instance, first, **fields)


def test_drift_comes_back(run: Run, world: World, server: Sandbox, applied: Path) -> None:
    before = (applied / "loja.yaml").read_text()
    drift(world, "loja", systemMessages=["Não."])
    server.calls.clear()
    result = run("import", "--update", "--into", applied)
    assert result.exit_code == 0
    assert result.stdout.startswith("loja: um: systemMessages\n\nChanged 1 file:\n")
    assert result.stderr == ""
    assert not server.writes
    assert (applied / "loja.yaml").read_text() == before.replace('"Sim."', '"Não."')
    assert run("plan", "--bots", applied, "--detailed-exitcode").exit_code == 0

    again = run("import", "--update", "--into", applied)
    assert (again.exit_code, again.stdout) == (0, "No manifest was changed.\n")


def test_what_cannot_be_brought_back_is_an_error(run: Run, world: World, applied: Path) -> None:
    (applied / "loja.yaml").write_text((applied / "loja.yaml").read_text().replace("100,", "100, expire: 1,"))
    assert run("apply", "--yes", "--bots", applied).exit_code == 0
    before = (applied / "loja.yaml").read_text()
    drift(world, "loja", expire=-1)
    result = run("import", "--update", "--into", applied)
    assert result.exit_code == 1
    assert (
        "Not written:\n  loja: um: expire cannot be written: expire is -1: write at least 0" in result.stderr
    )
    assert (applied / "loja.yaml").read_text() == before


def test_signs_of_a_terminal_in_names_are_not_shown_as_such(run: Run, world: World, bots: Path) -> None:
    name = "a\x1b[31m\n::error::x"
    world.instance(name)
    (bots / "loja.yaml").write_text(
        f'instance: "{name}"\nbots: {{}}\n'.replace("\x1b", "\\e").replace("\n:", "\\n:")
    )
    stranger = world.bot(name, world.creds(name, "main"))
    result = run("import", "--update", "--into", bots)
    assert result.exit_code == 0
    assert stranger["id"] in result.stderr
    assert not any(line.lstrip().startswith("::") for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--full"], "--full"),
        (["--instance", "lija"], "did you mean"),
        (["--into", "nowhere"], "does not exist"),
        (["--owner", "no spaces"], "the name of the owner is invalid"),
    ],
)
def test_what_is_asked_in_vain(run: Run, world: World, applied: Path, args: list[str], sentence: str) -> None:
    result = run("import", "--update", "--into", applied, *args)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr


def test_broken_manifests_stay_as_they_are(run: Run, applied: Path) -> None:
    (applied / "z.yaml").write_text("bots: [\n")
    result = run("import", "--update", "--into", applied)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "z.yaml:1:8: not valid YAML" in result.stderr
