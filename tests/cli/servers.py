"""Several servers at once, each a sandbox with a key of its own that is a canary for the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from reconciler.cli.commands import main
from reconciler.sandbox import Sandbox
from tests.support import World

BOT = """\
defaults:
  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals}
bots:
  menu: {maxTokens: 100, triggerValue: menu}
"""
"""A manifest of one bot."""


def key(name: str) -> str:
    """The key of a server."""
    return f"canary-of-{name}"


class Fleet:
    """Servers by name, a directory with a reconciler.toml that names them, and the manifests in it."""

    def __init__(self, home: Path, running: Mapping[str, Sandbox]) -> None:
        self.home, self.running = home, running
        self.bots = home / "bots"
        self.urls = {name: server.url for name, server in running.items()}
        self.env: dict[str, str] = {"COLUMNS": "100", "EVOLUTION_API_URL": "", "EVOLUTION_API_KEY": ""}
        for name in running:
            self.env[variable(name)] = key(name)
        self.configure()

    def configure(self, top: str = "", **tables: str) -> None:
        """Write the configuration. top: lines before the tables; tables: lines in those of servers."""
        every = (
            f'[servers.{name}]\nurl = "{url}"\n{tables.get(name.replace("-", "_"), "")}\n'
            for name, url in self.urls.items()
        )
        (self.home / "reconciler.toml").write_text(f"{top}\n{''.join(every)}")

    def write(self, path: str, text: str = BOT) -> Path:
        """A manifest, or a folder's file."""
        file = self.bots / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def folders(self, *names: str) -> None:
        """A folder for each server, whose file names it."""
        for name in names:
            self.write(f"{name}/_defaults.yaml", f"server: {name}\n")

    def declare(self, *instances: str, text: str = BOT) -> None:
        """A manifest for each SERVER/INSTANCE, and the instance on its server."""
        for each in instances:
            name, _, instance = each.partition("/")
            self.folders(name)
            self.running[name].seed({instance: {"main"}})
            self.write(f"{each}.yaml", text)

    def world(self, name: str) -> World:
        """A server, to be set up and read by hand."""
        return World(self.running[name].url, key(name))

    def names(self, name: str, instance: str) -> list[str]:
        """The names in the markers of the bots of an instance of a server."""
        with self.world(name) as world:
            texts = [str(bot["description"]) for bot in world.bots(instance)]
        return sorted(text.partition(":")[2].partition("]")[0] for text in texts)

    def run(self, *args: str | Path, env: Mapping[str, str | None] | None = None) -> Result:
        """Runs a command in the directory; no key may stand in what it says."""
        before = Path.cwd()
        os.chdir(self.home)
        try:
            result = CliRunner().invoke(main, [str(arg) for arg in args], env={**self.env, **(env or {})})
        finally:
            os.chdir(before)
        for name in self.running:
            assert key(name) not in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    def done(self, *args: str | Path, env: Mapping[str, str | None] | None = None) -> str:
        """The output of a command that has to succeed."""
        result = self.run(*args, env=env)
        assert result.exit_code == 0, result.output
        return result.stdout


def variable(name: str) -> str:
    """The variable that has the key of a server."""
    return f"EVOLUTION_API_KEY_{name.upper().replace('-', '_')}"


@contextmanager
def fleet(home: Path, *names: str) -> Iterator[Fleet]:
    """Servers of these names, empty."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(Sandbox(api_key=key(name))) for name in names}
        yield Fleet(home, running)
