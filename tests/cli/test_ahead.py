"""The server is read by another process: that of a large fleet while its manifests are loaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.pipeline.process import LEAST
from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run, Start
from tests.support import World

MENU = "{openaiCreds: %s, botType: chatCompletion, triggerType: none, model: gpt-4o, maxTokens: 100}"
HALF = LEAST // 2 + 1


@pytest.fixture
def fleet(tmp_path: Path, world: World) -> Path:
    """Instances a-N and b-N, more than LEAST, each half fewer. Of every tenth the bot exists."""
    directory = tmp_path / "bots"
    directory.mkdir()
    for name in [f"{half}-{number}" for half in "ab" for number in range(HALF)]:
        creds = world.instance(name, name)[name]
        (directory / f"{name}.yaml").write_text(f"bots: {{menu: {MENU % name}}}\n")
        if name.endswith("0"):
            world.bot(name, creds, description="[gitops:menu]")
    return directory


def _plan(run: Run, fleet: Path, *args: str) -> tuple[list[Any], list[str]]:
    """The instances of a plan, and the calls that were made for it, in any order."""
    result = run("plan", "--bots", fleet, "--format", "json", "--verbose", *args)
    assert result.exit_code == 0, result.stderr
    calls = re.findall(r"(GET \S+ \d+) \d+ ms", result.stderr)
    return json.loads(result.stdout)["instances"], sorted(calls)


def test_plan_and_calls_are_the_same_as_without(run: Run, fleet: Path) -> None:
    plan, calls = _plan(run, fleet)
    one, its = _plan(run, fleet, "--instance", "a-*")
    other, others = _plan(run, fleet, "--instance", "b-*")
    assert plan == [*one, *other]
    assert len({instance["name"] for instance in plan}) == 2 * HALF
    assert set(calls) == {*its, *others}
    assert [call for call in calls if "openai" in call] == sorted(
        call for call in (*its, *others) if "openai" in call
    )


def test_a_server_that_is_gone_is_told_once(run: Run, fleet: Path) -> None:
    result = run("plan", "--bots", fleet, env={"EVOLUTION_API_URL": "http://127.0.0.1:1"})
    assert result.exit_code == 1
    assert result.stderr.count("Cannot reach the server at http://127.0.0.1:1") == 1


def test_broken_manifests_are_told_as_ever(run: Run, fleet: Path) -> None:
    (fleet / "a-1.yaml").write_text("bots: {menu: {modle: x}}\n")
    result = run("plan", "--bots", fleet)
    assert result.exit_code == 1
    assert "bots/a-1.yaml:1:" in result.stderr
    assert "modle" in result.stderr


@pytest.fixture
def few(world: World, server: Sandbox, tmp_path: Path) -> Path:
    """A manifest, fewer than LEAST, of an instance that is as it is declared; no call was made so far."""
    world.bot("loja", world.instance("loja", "main")["main"], description="[gitops:menu]")
    path = tmp_path / "bots" / "loja.yaml"
    path.parent.mkdir()
    path.write_text(f"bots: {{menu: {MENU % 'main'}}}\n")
    server.calls.clear()
    return path


def _libraries(command: str) -> str:
    """A command in a process of its own, which says at the end whether it imported what reads elsewhere."""
    return (
        "import sys, atexit; atexit.register(lambda: print('aiohttp' in sys.modules, file=sys.stderr));"
        f"sys.argv = ['reconciler', *{command.split()!r}]; from reconciler.__main__ import run; run()"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is copied")
@pytest.mark.parametrize("command", ["plan", "apply --yes"])
def test_few_are_read_by_the_other_process(
    environment: dict[str, str], few: Path, server: Sandbox, command: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _libraries(command)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=few.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 bot in sync" in done.stdout
    assert done.stderr.splitlines()[-1] == "False"
    paths = [call.path for call in server.calls]
    assert len(paths) == len({*paths}), "each is asked for once"


_WAITING = """
import sys, time
from reconciler.pipeline import ahead
from reconciler.pipeline.request import Request
url, key = sys.argv[1:]
given = dict(sandbox=False, allow_http=False, owner="gitops", concurrency=4, timeout=5.0)
with ahead.waiting(Request("bots", (), url, key, **given)) as reader:
    time.sleep(1)
    print("waited", flush=True)
    sys.stdin.readline()
    reader.answers()
    print("read", sum(not frame.last for frame in reader.come()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is copied")
def test_the_other_process_asks_for_nothing_until_an_answer_is_asked_for(
    environment: dict[str, str], few: Path, server: Sandbox
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WAITING, environment["EVOLUTION_API_URL"], environment["EVOLUTION_API_KEY"]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=few.parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waited\n"
        assert server.calls == []
        out, _ = process.communicate("\n", timeout=60)
    assert out == f"read {len(server.calls)}\n"
    assert server.calls


WRONG = {
    "a manifest": ("bots: {menu: {modle: x}}\n", "modle"),
    "a key": ("credentials: {main: {apiKey: !env OPENAI}}\nbots: {}\n", "OPENAI"),
}


@pytest.mark.parametrize("what", WRONG)
def test_no_call_is_made_before_what_is_wrong_with_few_is_told(
    start: Start, few: Path, server: Sandbox, what: str
) -> None:
    text, told = WRONG[what]
    few.write_text(text)
    process = start("plan", env={"OPENAI": "$OPENAI"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert told in err
    assert server.calls == []
