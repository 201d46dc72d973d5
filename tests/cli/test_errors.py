"""What a person meets when something is wrong: a sentence on stderr, exit code 1, nothing on stdout."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, Run
from tests.support import World


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("args", "env", "sentence"),
    [
        ([], {"EVOLUTION_API_URL": None}, "set EVOLUTION_API_URL or --url, or try --sandbox"),
        ([], {"EVOLUTION_API_KEY": None}, "set EVOLUTION_API_KEY"),
        ([], {"EVOLUTION_API_KEY": "wrong"}, "Check EVOLUTION_API_KEY"),
        (["--api-key", "wrong"], {}, "Check EVOLUTION_API_KEY"),
        (["--url", f"http://127.0.0.1:{_unused_port()}"], {}, "Cannot reach the server"),
        (["--url", "http://evolution.example.com"], {}, "--allow-http"),
        (["--url", "evolution.example.com"], {}, "looks like https://"),
        (["--url", f"https://me:{KEY}@example.com"], {}, "must not carry a name or a password"),
        (["--owner", "no spaces"], {}, "the name of the owner is invalid"),
        (["--instance", "lija"], {}, "did you mean"),
        (["--bots", "nowhere"], {}, "nowhere"),
        (["--timeout", "0"], {}, "--timeout"),
        (["--concurrency", "0"], {}, "--concurrency"),
        (["--max-delete-share", "101"], {}, "--max-delete-share"),
        (["--format", "xml"], {}, "'xml' is not one of"),
        (["--bot", "x"], {}, "No such option"),
        (["more", "and", "more"], {}, "unexpected extra argument"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_options_and_servers(
    run: Run,
    world: World,
    bots: Path,
    command: str,
    args: list[str],
    env: dict[str, str | None],
    sentence: str,
) -> None:
    world.instance("loja", "main")
    result = run(command, "--bots", bots, *args, env=env)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [([], "Usage:"), (["plam"], "No such command"), (["sandbox"], "Missing option '--port'")],
)
def test_usage_ends_in_1(run: Run, args: list[str], sentence: str) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


def test_every_error_of_the_manifests_is_shown_with_its_place(run: Run, bots: Path, server: Sandbox) -> None:
    (bots / "a\x1b[2Jb.yaml").write_text("bots: {um: {enabled: perhaps}}")
    (bots / "loja.yaml").write_text("bots: [")
    for command in ("validate", "plan", "apply"):
        result = run(command, "--bots", bots)
        assert (result.exit_code, result.stdout) == (1, "")
        *problems, last = result.stderr.splitlines()
        assert last == f"{len(problems)} errors in the manifests."
        assert any("2Jb.yaml:1:22: " in line for line in problems)
        assert any(line.startswith(f"{bots}/loja.yaml:1:") for line in problems)
    assert server.calls == []


def test_an_instance_that_does_not_exist(run: Run, world: World, bots: Path) -> None:
    world.instance("lojas")
    world.instance("zebra")
    result = run("plan", "--bots", bots)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "Nothing to apply. 0 bots in sync on 0 instances; 1 instance with a problem."
    )
    assert '"lojas"' in result.stdout
    assert "zebra" not in result.stdout


def test_a_disabled_integration(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    server.options.disabled = frozenset({"openai"})
    result = run("plan", "--bots", bots)
    assert result.exit_code == 1
    assert "OPENAI_ENABLED=true" in result.stderr


def test_nobody_to_ask(run: Run, server: Sandbox, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    result = run("apply", "--bots", bots)
    assert result.exit_code == 1
    assert result.stdout.startswith("Plan: 2 to create")
    assert result.stderr == ("Error: nothing was applied: pass --yes to apply changes without a terminal.\n")
    assert [call.method for call in server.writes if "/openai/create" in call.path] == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--db", "."], "is a directory"),
        (["--bots", "nowhere"], "nowhere"),
        (["--db", "no/such/directory.db"], "no/such/directory.db"),
    ],
)
def test_a_sandbox_that_cannot_start(run: Run, args: list[str], sentence: str) -> None:
    result = run("sandbox", "--port", "0", *args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


def test_a_port_that_is_taken(run: Run, server: Sandbox) -> None:
    result = run("sandbox", "--port", server.url.rpartition(":")[2])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")


def test_no_error_is_a_workflow_command(run: Run, world: World, bots: Path) -> None:
    """A job's log obeys lines that begin with ::, also after spaces, as an instance in this list would."""
    name = "::error::x"
    ids = world.instance(name, "main")
    for tokens in (1, 2, 3):
        world.bot(name, ids["main"], maxTokens=tokens, description=f"[gitops:b{tokens}]")
    (bots / "loja.yaml").write_text(f"instance: '{name}'\nbots: {{}}\n")
    result = run("plan", "--bots", bots, "--prune")
    assert result.exit_code == 1
    assert "would be deleted, more than 50 percent" in result.stdout
    assert not [line for line in result.stderr.splitlines() if line.lstrip().startswith("::")]
