"""A server to import from, and the commands that are run against it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.commands import main
from reconciler.domain.plan import Change, Of, Plan, Verb
from reconciler.manifests import schema
from reconciler.pipeline import planning, selecting, stages
from reconciler.pipeline.request import Request
from tests.importer.new.servers import CANARY, OPENAI_KEY, Server, serving

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(_server: Server) -> Server:
    """An empty server."""
    _server.clear()
    return _server


@dataclass(frozen=True, slots=True)
class Here:
    """An empty directory with nothing but what the commands write."""

    server: Server
    directory: Path

    def run(self, *args: str, key: str | None = None) -> Result:
        """Runs a command; no key may stand in what it says, and no writing call may be made."""
        served = self.server.sandbox
        env = {"EVOLUTION_API_URL": served.url, "EVOLUTION_API_KEY": key or served.api_key}
        before = len(served.writes)
        result = CliRunner().invoke(main, args, env=env)
        said = result.stdout + result.stderr
        assert OPENAI_KEY not in said
        assert CANARY not in said
        assert "Traceback" not in said
        assert len(served.writes) == before, "reads never write"
        return result

    def plan(self) -> Plan:
        """What plan says of all manifests."""
        url, key = self.server.sandbox.url, self.server.sandbox.api_key
        request = Request("bots", (), url, key, False, False, "gitops", 8, 30)
        with stages.servers(request, (wanted := selecting.wanted(request)).desired) as running:
            return planning.plan(request, running, wanted)

    def adopt(self) -> None:
        """Applies what plan says."""
        served = self.server.sandbox
        env = {"EVOLUTION_API_URL": served.url, "EVOLUTION_API_KEY": served.api_key}
        result = CliRunner().invoke(main, ["apply", "--yes"], env=env)
        assert result.exit_code == 0, result.output

    def forget(self) -> None:
        """Removes what was written."""
        shutil.rmtree("bots")

    def files(self) -> dict[str, str]:
        """All that was written below bots, by path, but for the schemas."""
        found = {
            path: path.read_bytes().decode()
            for path in Path("bots").rglob("*")
            if path.is_file() and path.name not in (schema.FILE, schema.FOLDER_FILE)
        }
        return {path.relative_to("bots").as_posix(): text for path, text in sorted(found.items())}


@pytest.fixture
def here(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """The server, seen from an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Here(server, tmp_path)


def unexpected(plan: Plan) -> list[Change]:
    """What an import must not leave to be done: all but adoptions, and a marker that a person changed.

    Two bots with one marker are a conflict whatever is declared.
    """
    return [change for change in plan.changes() if not _expected(change)]


def _expected(change: Change) -> bool:
    if change.of is Of.BOT and change.verb in (Verb.ADOPT, Verb.UPDATE):
        return [field.name for field in change.fields] == ["description"]
    if change.verb is Verb.CONFLICT:
        return change.at is None
    return not change.verb.writes
