"""The command line against a sandbox whose keys are canaries: wherever they show up, a test fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.commands import main
from reconciler.manifests.load import load
from reconciler.pipeline.embedded import seeds
from reconciler.sandbox import Sandbox
from tests.support import World

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "bots"
KEY = "canary-of-the-server"

Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

_LOJA = """\
defaults:
  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals}
bots:
  um: {maxTokens: 100, triggerValue: 1, systemMessages: ["Sim."]}
  dois: {maxTokens: 200, triggerValue: 2}
"""


@pytest.fixture(scope="session")
def _canary() -> Iterator[Sandbox]:
    with Sandbox(api_key=KEY) as server:
        yield server


@pytest.fixture
def server(_canary: Sandbox) -> Sandbox:
    """An empty sandbox; its writes are the writing calls that it answered."""
    _canary.options.disabled, _canary.options.latency = frozenset(), 0.0
    _canary.clear()
    return _canary


@pytest.fixture
def world(server: Sandbox) -> Iterator[World]:
    """The same server, to be set up and read by hand."""
    with World(server.url, KEY) as world:
        yield world


@pytest.fixture
def environment(server: Sandbox) -> dict[str, str]:
    """What the commands read from the environment: the server and its key."""
    return {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": KEY, "COLUMNS": "100"}


@pytest.fixture
def bots(tmp_path: Path) -> Path:
    """A directory for manifests, with one instance `loja` of two bots, which the server does not have."""
    directory = tmp_path / "bots"
    directory.mkdir()
    (directory / "loja.yaml").write_text(_LOJA)
    return directory


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, in an empty directory; no secret may stand in what it says."""
    monkeypatch.chdir(tmp_path)

    def run(
        *args: str | Path, env: Mapping[str, str | None] | None = None, input: str | None = None
    ) -> Result:
        given = {**environment, **(env or {})}
        result = CliRunner().invoke(main, [str(arg) for arg in args], env=given, input=input)
        assert_clean(result.stdout + result.stderr)
        return result

    return run


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a command as a process of its own, in an empty directory, with pipes unless said otherwise."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.PIPE,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", *map(str, args)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment, **(env or {})},
            cwd=tmp_path,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Shell:
    """Runs a command below `sh`, which can close and redirect as a person does."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._directory = directory

    def __call__(self, *args: str | Path, how: str = "", first: str = "") -> subprocess.CompletedProcess[str]:
        """how: redirections. first: commands of the shell before ours. No bug and no key may be shown."""
        done = subprocess.run(
            [
                "sh",
                "-c",
                f'{first}\nexec "$@" {how}',
                "sh",
                sys.executable,
                "-m",
                "reconciler",
                *map(str, args),
            ],
            env=self._env,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert_clean(shown)
        assert "This is a bug" not in shown
        assert "Exception ignored" not in shown
        assert done.returncode in {0, 1}, shown
        return done


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Shell:
    return Shell(environment, tmp_path)


def sample(server: Sandbox) -> Path:
    """The repository's own manifests, and on the server the instances and credentials that they name."""
    server.seed(seeds(load(SAMPLE)))
    return SAMPLE


def assert_clean(shown: str) -> None:
    """No key, no traceback and no control character."""
    assert KEY not in shown
    assert "sk-" not in shown
    assert "Traceback" not in shown
    assert "\x1b" not in shown
