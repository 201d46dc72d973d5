"""The workflows that `init` lays out where reconciler.toml names several servers: each gets its own key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.commands import main
from tests.cli.servers import BOT, Fleet, fleet, key, variable
from tests.workflows.hub import Hub
from tests.workflows.project import Project, commit, git
from tests.workflows.runner import Environment

_SERVERS = ("eu-1", "us-1")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Fleet]:
    """The repository, with an instance on each server, before `init`."""
    home = tmp_path / "git"
    home.mkdir()
    with fleet(home, *_SERVERS) as made:
        made.declare("eu-1/loja", "us-1/loja")
        yield made


def _project(servers: Fleet, hub: Hub, directory: Path) -> Project:
    project = Project(servers.home, hub, servers.running["eu-1"], directory)
    given = {variable(name): key(name) for name in _SERVERS}
    kept = project.runner.environments.items()
    project.runner.environments = {name: Environment(one.refs, given) for name, one in kept}
    return project


@pytest.mark.parametrize("options", [(), ("--shards", "2")])
def test_a_change_on_two_servers(servers: Fleet, tmp_path: Path, options: tuple[str, ...]) -> None:
    home = servers.home
    done = CliRunner().invoke(main, ["init", "--github", *options, str(home)])
    assert done.exit_code == 0, done.output
    git(home, "init", "--quiet", "--initial-branch=main")
    git(home, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(home, "first")
    with Hub(home) as hub:
        project = _project(servers, hub, tmp_path / "runs")
        first = project.dispatch(apply_unreviewed=True)
        assert first is not None
        assert first.result == "success", first.log

        def one_more(home: Path) -> None:
            more = "  horario: {maxTokens: 200, triggerValue: horario}\n"
            (home / "bots/us-1/loja.yaml").write_text(f"{BOT}{more}")

        pull = project.open("edit", one_more)
        assert pull.runs[-1].conclusion == "success"
        assert "us-1/loja" in project.comments(pull)[0]
        applied = project.merge(pull)
        assert applied is not None
        assert applied.result == "success", applied.log
        found = {name: servers.names(name, "loja") for name in _SERVERS}
        assert found == {"eu-1": ["menu"], "us-1": ["horario", "menu"]}
        assert project.drift().result == "success"
        for name in _SERVERS:
            assert key(name) not in project.everything()
            jobs = r"plan|apply|drift|shard \([12]\)|rotate"
            keyed = rf"({jobs}): (Plan|Apply|Rotate keys)"
            assert project.steps_with(key(name))
            assert all(re.fullmatch(keyed, step) for step in project.steps_with(key(name)))


def test_a_server_without_an_address_in_the_file(servers: Fleet) -> None:
    """Its address is a secret too; that of the others is in the file."""
    config = servers.home / "reconciler.toml"
    config.write_text('[servers.eu-1]\nurl = "https://eu-1.example.com"\n[servers.us-1]\n')
    done = CliRunner().invoke(main, ["init", "--github", str(servers.home)])
    names = [variable("eu-1"), variable("us-1").replace("KEY", "URL"), variable("us-1")]
    text = (servers.home / ".github/workflows/plan.yml").read_text()
    assert re.findall(r"(EVOLUTION_API_\w+): \$\{\{ secrets\.\1 \}\}", text) == names
    assert re.findall(r"gh secret set (\S+) --env plan", done.stdout) == names
    assert f"2. Set {names[0]}, {names[1]} and {names[2]}, then run: reconciler doctor" in done.stdout
    about = (servers.home / "README.md").read_text()
    assert f"    export {names[0]}=…" in about
    assert "EVOLUTION_API_URL=" not in about
    assert f"secrets `{names[0]}`, `{names[1]}` and `{names[2]}` come from" in about


@pytest.mark.parametrize("kept", [True, False])
def test_of_fifty_servers_two_are_named(tmp_path: Path, kept: bool) -> None:
    tables = "".join(f'[servers.br-{n}]\nurl = "https://br-{n}.example.com"\n' for n in range(50))
    (tmp_path / "reconciler.toml").write_text(tables)
    options = [] if kept else ["--no-config"]
    done = CliRunner().invoke(main, ["init", "--gitlab", *options, str(tmp_path)])
    few = "EVOLUTION_API_KEY_BR_0, EVOLUTION_API_KEY_BR_1 and 48 more"
    assert (f"Set {few}, then run" in done.stdout) is kept
    about = (tmp_path / "README.md").read_text()
    assert ("`EVOLUTION_API_KEY_BR_1` and 48 more | `plan`" in about) is kept
    assert ("`EVOLUTION_API_URL` and `EVOLUTION_API_KEY` | `plan`" in about) is not kept


def test_a_directory_of_manifests_names_no_server(tmp_path: Path) -> None:
    """What lies there may come from a pull request."""
    bots = tmp_path / "bots"
    (tmp_path / ".git").mkdir()
    bots.mkdir()
    (bots / "reconciler.toml").write_text('[servers.eu-1]\nurl = "https://eu-1.example.com"\n')
    done = CliRunner().invoke(main, ["init", str(bots)])
    assert done.exit_code == 0, done.output
    assert "Set EVOLUTION_API_URL and EVOLUTION_API_KEY, then run" in done.stdout
