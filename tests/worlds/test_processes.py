"""Real processes that are killed, stopped, or run at the same time; one more apply puts everything right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.worlds import oracle
from tests.worlds.conftest import SEED
from tests.worlds.proxy import Fault, Proxy
from tests.worlds.shop import STRANGERS, busy
from tests.worlds.stage import Stage

_ROUNDS = [pytest.param(n, marks=[pytest.mark.slow] if n >= 3 else []) for n in range(50)]


def _start(stage: Stage, url: str | None = None) -> subprocess.Popen[str]:
    """An apply as a person starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--yes", "--format", "json", "--bots", str(stage.bots)],
        env={
            **os.environ,
            "EVOLUTION_API_URL": url or stage.sandbox.url,
            "EVOLUTION_API_KEY": stage.sandbox.api_key,
        },
        cwd=stage.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.parametrize("number", _ROUNDS)
def test_kill_9_at_any_moment(stage: Stage, number: int) -> None:
    pair = busy()
    chance = random.Random(f"{SEED}-{number}")  # noqa: S311 - to be repeated, not to be secret
    stage.apply(stage.plan(stage.put(pair)))
    whole = len(stage.sandbox.calls)

    desired = stage.put(pair)
    before = stage.rows()
    stage.sandbox.options.latency, stage.sandbox.options.pause = 0.002, 0.001
    process = _start(stage)
    calls = chance.randint(1, whole)
    oracle.until(lambda: len(stage.sandbox.calls) >= calls or process.poll() is not None)
    time.sleep(chance.uniform(0, 0.01))
    process.kill()
    process.communicate()
    print(f"seed {SEED}-{number}: killed at {calls} of {whole} calls, {len(stage.sandbox.writes)} writes")
    time.sleep(0.1)  # for the call that was in flight
    stage.sandbox.options.latency = stage.sandbox.options.pause = 0.0
    oracle.converges(stage, pair, desired)
    assert all(stage.rows()[id] == before[id] for id in STRANGERS)


@pytest.mark.parametrize("number", _ROUNDS)
def test_two_applies_at_once(stage: Stage, number: int) -> None:
    pair = busy(settings=number % 2 == 0)
    desired = stage.put(pair)
    before = stage.rows()
    stage.sandbox.options.pause = 0.01  # what lets both pass the checks before either has inserted
    processes = [_start(stage) for _ in range(2)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    stage.sandbox.options.pause = 0.0
    made = sum("/openai/create/" in call.path and call.status == 201 for call in stage.sandbox.calls)
    print(f"{number}: {[code for *_, code in ended]}, {made - 7} bots too many made and removed again")
    for out, err, code in ended:
        assert code in (0, 1), err
        assert code == (0 if all(r["outcome"] == "applied" for r in json.loads(out)["results"]) else 1)
    oracle.converges(stage, pair, desired)
    assert all(stage.rows()[id] == before[id] for id in STRANGERS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_after_the_call_in_flight(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    pair = busy()
    desired = stage.put(pair)
    slow = Fault(before=1.0)
    with Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [Fault()] * 5 + [slow] * 2)
        process = _start(stage, proxy.url)
        oracle.until(lambda: any(fault is slow for _, fault in proxy.seen))
        writes = sum(request.writes for request, _ in proxy.seen)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    answered = [call for call in stage.sandbox.writes if call.status in (200, 201)]
    assert writes <= len(answered) <= writes + 1  # two instances have a call in flight at the most
    results: list[dict[str, Any]] = json.loads(out)["results"]
    assert {result["outcome"] for result in results} == {"applied", "not attempted"}
    assert all("the run ended before" in r["detail"] for r in results if r["outcome"] != "applied")
    oracle.converges(stage, pair, desired)
