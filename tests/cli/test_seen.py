"""What a command says, and how it ends, where a server does not do what it answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from reconciler.cli.commands import main
from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import World
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import Proxy, Request

_FORMATTED = [
    name for name, command in main.commands.items() if any("--format" in each.opts for each in command.params)
]


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_a_bot_that_was_never_made(run: Run, server: Sandbox, world: World, bots: Path, format: str) -> None:
    """The second create is answered and not done: the table says so, and the command ends in 1."""
    world.instance("loja", "main")
    lied = 0

    def edit(request: Request) -> bytes:
        nonlocal lied
        raw = request.raw
        if b"/openai/create/" in raw and body_of(raw)["maxTokens"] == 200:
            lied += 1
            return b""
        return raw

    def tell(request: Request, raw: bytes) -> bytes:
        body = body_of(request.raw)
        row = {**dict.fromkeys(("assistantId", "functionUrl")), **body, "id": "made-up"}
        return raw or answer(201, json.dumps(row).encode())

    with Proxy(lambda: int(server.url.rpartition(":")[2]), edit=edit, tell=tell) as proxy:
        args = ["apply", "--bots", bots, "--yes", "--format", format]
        result = run(*args, env={"EVOLUTION_API_URL": proxy.url})
    assert (result.exit_code, lied > 0) == (1, True)
    assert len(world.bots("loja")) == 1
    said = " ".join(result.stdout.split())
    assert "failed" in said
    assert "applied" in said
    assert run("plan", "--bots", bots, "--detailed-exitcode").exit_code == 2


def test_a_field_that_the_server_lost(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    """As after a downgrade that dropped the column and an update that made it again."""
    world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0

    def tell(request: Request, raw: bytes) -> bytes:
        if b"/openai/find/" not in request.raw:
            return raw
        return answer(200, json.dumps([{**row, "model": None} for row in body_of(raw)]).encode())

    with Proxy(lambda: int(server.url.rpartition(":")[2]), tell=tell) as proxy:
        planned = run("plan", "--bots", bots, env={"EVOLUTION_API_URL": proxy.url})
    assert "2 to update" in planned.stdout
    assert "update: the server has no value for model any more" in planned.stdout
    assert "edited" not in planned.stdout
    assert run("plan", "--bots", bots).stdout.startswith("No changes.")


def test_verbose_shows_each_call_and_no_secret(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    server.calls.clear()
    result = run("apply", "--bots", bots, "--yes", "--verbose")
    assert result.exit_code == 0
    calls = [line for line in result.stderr.splitlines() if re.fullmatch(r"[A-Z]+ /\S+ \d+ \d+ ms", line)]
    assert len(calls) == len(server.calls)
    assert any(line.startswith("POST /openai/create/loja 201 ") for line in calls)
    assert server.api_key not in result.output
    assert not [line for line in run("plan", "--bots", bots).stderr.splitlines() if " ms" in line]


def test_quiet_shows_errors_alone(run: Run, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    world.instance("sem-nada")
    said = [run("import", "--into", f"to-{flag}", *flag.split()) for flag in ("--quiet", "")]
    assert [result.exit_code for result in said] == [0, 0]
    assert [bool(result.stderr) for result in said] == [False, True]
    assert said[0].stdout.replace("to---quiet", "to-") == said[1].stdout
    wrong = run("plan", "--bots", bots, "--quiet", env={"EVOLUTION_API_KEY": "x"})
    assert (wrong.exit_code, wrong.stderr.startswith("Error: ")) == (1, True)
    both = run("plan", "--bots", bots, "--quiet", "--verbose")
    assert both.exit_code == 1
    assert "--verbose and --quiet cannot be combined." in both.stderr


def test_help_as_people_type_it(run: Run) -> None:
    assert run("help").stdout == run("--help").stdout
    for name in main.commands:
        result = run("help", name)
        assert (result.exit_code, result.stdout) == (0, run(name, "--help").stdout)
    wrong = run("help", "plann")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "No such command 'plann'" in wrong.stderr


@pytest.mark.parametrize("name", _FORMATTED)
def test_output_is_an_alias_of_format(run: Run, name: str) -> None:
    command = main.commands[name]
    needed = ["x"] * sum(isinstance(each, click.Argument) and each.required for each in command.params)
    parent = click.Context(main, **main.context_settings)
    for spelled in (["-o", "json"], ["--output", "json"], ["--format", "json"], ["-ojson"]):
        with command.make_context(name, [*spelled, *needed], parent=parent) as context:
            assert context.params["format"] == "json"
