"""Which server a plan is for: one that is applied as it is, and one that is the review of a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, Run
from tests.support import World
from tests.worlds.proxy import Fault, Proxy

_ONLY_GET = Fault("403", forward=False, answer=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(server: Sandbox) -> Iterator[Proxy]:
    """An address of the server that lets GET through and nothing else."""
    with Proxy(lambda: int(server.url.rpartition(":")[2])) as proxy:
        proxy.meet(reads=[], writes=[_ONLY_GET] * 100)
        yield proxy


@pytest.fixture
def other() -> Iterator[World]:
    """Another server, with an instance of the same name."""
    with Sandbox(api_key=KEY) as server, World(server.url, KEY) as world:
        yield world


def _url(world: World) -> dict[str, str]:
    return {"EVOLUTION_API_URL": str(world.http.base_url)}


def test_a_plan_through_a_proxy_that_only_reads_is_the_review_of_an_apply(
    run: Run, server: Sandbox, world: World, bots: Path, proxy: Proxy
) -> None:
    """As docs/guides/github.md says: the plan goes by the proxy's address, the apply by the server's own."""
    world.instance("loja", "main")
    planned = run("plan", "--bots", bots, "--out", "plan.json", env={"EVOLUTION_API_URL": proxy.url})
    assert planned.exit_code == 0
    refused = run("apply", "--bots", bots, "--yes", env={"EVOLUTION_API_URL": proxy.url})
    assert (refused.exit_code, world.bots("loja")) == (1, []), "through the proxy nothing is written"
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes")
    assert (applied.exit_code, applied.stdout.endswith("2 changes: 2 applied.\n")) == (0, True)
    # What is applied as it is stays bound to the address.
    as_it_is = run("apply", "plan.json", "--yes")
    assert as_it_is.exit_code == 1
    assert f"the plan is for {proxy.url}, not for {server.url}." in as_it_is.stderr


_NAMED = {"EVOLUTION_SERVER_NAME": "production"}
_OTHER = {"EVOLUTION_SERVER_NAME": "staging"}


@pytest.mark.parametrize(
    ("has_row", "then", "now", "error"),
    [
        pytest.param(True, {}, {}, "", id="an instance's id tells"),
        pytest.param(True, _NAMED, {}, "", id="its id, where the name is given once"),
        pytest.param(False, _NAMED, _NAMED, "", id="its name tells"),
        pytest.param(False, {}, {}, "EVOLUTION_SERVER_NAME", id="nothing tells"),
        pytest.param(False, {}, _NAMED, "EVOLUTION_SERVER_NAME", id="a name now"),
        pytest.param(False, _NAMED, {}, "EVOLUTION_SERVER_NAME", id="a name then"),
        pytest.param(True, _OTHER, _NAMED, "the server named staging, not for production", id="another name"),
        pytest.param(
            True, {}, {"EVOLUTION_SERVER_NAME": "a b"}, "the name of the server is invalid", id="no name"
        ),
    ],
)
def test_two_addresses(
    run: Run,
    world: World,
    bots: Path,
    proxy: Proxy,
    has_row: bool,
    then: dict[str, str],
    now: dict[str, str],
    error: str,
) -> None:
    key = {"OPENAI_KEY_LOJA": "sk-first"}
    world.instance("loja")
    if has_row:
        world.creds("loja", "other")
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text("credentials: {main: {apiKey: !env OPENAI_KEY_LOJA}}\n" + text)
    env = {"EVOLUTION_API_URL": proxy.url, **then}
    assert run("plan", "--bots", bots, "--out", "plan.json", env=env).exit_code == 0
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes", env={**now, **key})
    assert error in applied.stderr
    assert (applied.exit_code, len(world.bots("loja"))) == ((1, 0) if error else (0, 2))


def test_another_server_with_an_instance_of_the_same_name(
    run: Run, world: World, other: World, bots: Path
) -> None:
    for each in (world, other):
        each.instance("loja", "main")
    run("plan", "--bots", bots, "--out", "plan.json")
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes", env=_url(other))
    assert (applied.exit_code, other.bots("loja")) == (1, [])
    assert "the reviewed plan is for another server, or the instance 'loja' was recreated" in applied.stderr
    as_it_is = run("apply", "plan.json", "--yes", env=_url(other))
    assert (as_it_is.exit_code, other.bots("loja")) == (1, [])


def test_an_instance_that_was_made_again_under_its_name(run: Run, world: World, bots: Path) -> None:
    """Nothing that was reviewed is about it; the changes of other instances are made."""
    world.instance("loja", "main")
    world.instance("matriz", "central")
    text = (bots / "loja.yaml").read_text()
    (bots / "matriz.yaml").write_text(text.replace("openaiCreds: main", "openaiCreds: central"))
    run("plan", "--bots", bots, "--out", "plan.json")
    world.done("DELETE", "/instance/delete/loja")
    world.instance("loja", "main")
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes")
    assert (applied.exit_code, world.bots("loja")) == (1, [])
    assert len(world.bots("matriz")) == 2
    assert (
        "um  blocked: nobody reviewed this create since the instance was recreated: it is" in applied.stdout
    )
    run("plan", "--bots", bots, "--out", "again.json")
    both = ("--reviewed", "plan.json", "--reviewed", "again.json")
    applied = run("apply", "--bots", bots, *both, "--yes")
    assert (applied.exit_code, len(world.bots("loja"))) == (0, 2)


def test_a_saved_plan_is_not_applied_to_an_instance_that_was_made_again(
    run: Run, server: Sandbox, world: World, bots: Path
) -> None:
    world.instance("loja", "main")
    run("plan", "--bots", bots, "--out", "plan.json")
    world.done("DELETE", "/instance/delete/loja")
    world.bot("loja", world.instance("loja", "main")["main"])
    server.calls.clear()
    applied = run("apply", "plan.json", "--yes")
    assert (applied.exit_code, server.writes) == (1, [])
    assert applied.stdout.count("it has rows of another instance") == 2


def test_a_name_binds_a_plan_that_is_applied_as_it_is_too(run: Run, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    run("plan", "--bots", bots, "--server-name", "production", "--out", "plan.json")
    wrong = run("apply", "plan.json", "--server-name", "staging", "--yes")
    assert (wrong.exit_code, world.bots("loja")) == (1, [])
    assert "the plan is for the server named production, not for staging." in wrong.stderr
    assert run("apply", "plan.json", "--yes").exit_code == 0


def test_the_embedded_server_has_no_name(run: Run, world: World, bots: Path) -> None:
    """A plan of it is no review of a real one, though the environment names that."""
    run("plan", "--bots", bots, "--sandbox", "--out", "plan.json", env=_NAMED)
    world.instance("loja", "main")
    applied = run("apply", "--bots", bots, "--reviewed", "plan.json", "--yes", env=_NAMED)
    assert (applied.exit_code, world.bots("loja")) == (1, [])
    assert "the plan is for sandbox, not for http" in applied.stderr
