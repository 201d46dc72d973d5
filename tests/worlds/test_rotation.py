"""A key changes, and the run that brings it round is ended anywhere: at no moment is anything without a key.

After every single call somebody looks at the whole database. Whatever was left undone, one more apply does,
without a refused call; and then there is nothing to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis import strategies as st

from reconciler import saved
from reconciler.apply import applier
from reconciler.domain import files
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Call
from reconciler.domain.results import Outcome, Results
from reconciler.evolution.client import Client
from reconciler.manifests import secrets
from tests.support import often
from tests.worlds import oracle
from tests.worlds.city import FEIRA, KEYS, City, Watch
from tests.worlds.conftest import SEED
from tests.worlds.faults import TIMEOUT, Schedule, schedules
from tests.worlds.proxy import PASS, Fault, Proxy
from tests.worlds.shop import LOJA
from tests.worlds.stage import Stage

DEAD = Fault("dead", forward=False, answer=b"", cut=True)
LAST = {
    "before it was sent": DEAD,
    "before the answer": Fault("lost", answer=b"", cut=True),
}
CITIES = {
    "rotates": City(),
    "rotates, a stranger stays": City(unmanaged=(LOJA,)),
    "rotates, a stranger elsewhere stays": City(unmanaged=(FEIRA,)),
    "settles": City(rotates=False, settles=True),
    "both": City(settles=True),
}


@pytest.fixture(scope="module", params=["2.3.6", "2.2.3"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sandbox of each version that is served."""
    with Stage(tmp_path_factory.mktemp("rotation"), version=request.param) as stage:
        yield stage


def _some(*names: str) -> pytest.MarkDecorator:
    """Of all cities, those that take no long run."""
    marks = {name: [] if name in names else [pytest.mark.slow] for name in CITIES}
    return pytest.mark.parametrize(
        "city", [pytest.param(name, marks=marks[name], id=name) for name in CITIES], indirect=True
    )


@pytest.fixture(params=CITIES)
def city(request: pytest.FixtureRequest) -> City:
    return CITIES[request.param]


@contextmanager
def _watched(stage: Stage) -> Iterator[Watch]:
    """After every call within, nothing is gone and nothing without a key."""
    watch = Watch(stage)
    try:
        yield watch
        assert watch.wrong == []
    finally:
        stage.sandbox.calls = []
        watch.close()


def _secret(*said: object) -> None:
    """No key in what is said."""
    for text in map(str, said):
        assert not [key for key in KEYS if key in text]


def _finish(stage: Stage, city: City, desired: Desired) -> None:
    """One more apply does the rest; then there is nothing to do, and nothing is done."""
    plan = stage.plan(desired)
    stage.sandbox.calls.clear()
    results = stage.apply(plan)
    oracle.done(results)
    refused = [call for call in stage.sandbox.writes if call.status not in (200, 201)]
    assert not refused or _is_older(stage), refused
    city.settled(stage)
    last = stage.plan(desired)
    assert not last.writes, last
    stage.sandbox.calls.clear()
    stage.apply(last)
    assert not stage.sandbox.writes
    _secret(plan, results, last)


def _is_older(stage: Stage) -> bool:
    return stage.sandbox.options.version.startswith("2.2")


def _length(stage: Stage, city: City) -> tuple[int, int]:
    """How many reads and writes the whole takes, from plan to the end."""
    desired = city.put(stage)
    stage.sandbox.calls.clear()
    with Proxy(lambda: stage.port) as proxy:
        oracle.done(stage.apply(stage.plan(desired), stage.server(proxy.url)))
        writes = sum(request.writes for request, _ in proxy.seen)
        return len(proxy.seen) - writes, writes


def test_the_whole(stage: Stage, city: City) -> None:
    desired = city.put(stage)
    plan = stage.plan(desired)
    calls = [step.call for instance in plan.instances for step in instance.steps]
    assert (Call.NEW_CREDENTIAL in calls) == city.rotates
    assert (Call.OLD_CREDENTIAL in calls) == (city.rotates and not city.unmanaged)
    assert (Call.FALLBACK in calls) == city.settles
    with _watched(stage) as watch:
        oracle.done(stage.apply(plan))
    assert watch.looks > len(calls)
    city.settled(stage)
    assert not stage.plan(desired).writes


@_some("both", "rotates, a stranger stays")
@pytest.mark.parametrize("last", LAST)
def test_a_run_that_ends_at_any_writing_call(stage: Stage, city: City, last: str) -> None:
    _, writes = _length(stage, city)
    assert writes > 4
    for number in range(writes):
        desired = city.put(stage)
        with _watched(stage), Proxy(lambda: stage.port) as proxy:
            proxy.meet([], [*[PASS] * number, LAST[last], *[DEAD] * 1000])
            results = stage.apply(stage.plan(desired), stage.server(proxy.url))
            if results.ok:  # it was the last call, and it was seen to be done
                assert (number, last) == (writes - 1, "before the answer")
            assert all(r.detail for r in results.results if r.outcome is not Outcome.APPLIED)
            _secret(results)
            _finish(stage, city, desired)


@_some("both")
def test_a_run_that_ends_at_any_reading_call(stage: Stage, city: City) -> None:
    """The server cannot be reached from then on; calls that are under way elsewhere may still arrive."""
    reads, _ = _length(stage, city)
    for number in range(reads):
        desired = city.put(stage)
        plan = stage.plan(desired)
        with _watched(stage), Proxy(lambda: stage.port) as proxy:
            proxy.meet([*[PASS] * number, *[DEAD] * 1000], [])
            results = stage.apply(plan, stage.server(proxy.url))
            assert not results.ok
            _secret(results)
            _finish(stage, city, desired)


@_some("both")
@pytest.mark.parametrize("once", LAST)
def test_trouble_at_any_writing_call_is_mended_in_the_same_run(stage: Stage, city: City, once: str) -> None:
    _, writes = _length(stage, city)
    for number in range(writes):
        desired = city.put(stage)
        with _watched(stage), Proxy(lambda: stage.port) as proxy:
            proxy.meet([], [*[PASS] * number, LAST[once]])
            oracle.done(stage.apply(stage.plan(desired), stage.server(proxy.url)))
            city.settled(stage)
            assert not stage.plan(desired).writes


@_some("both")
def test_a_saved_plan_of_before_does_no_harm_at_any_time(stage: Stage, city: City) -> None:
    """Applied again on every state that an interrupted run of it can leave, it finishes what is its own."""
    _, writes = _length(stage, city)
    for number in range(writes):
        desired = city.put(stage)
        file = stage.directory / "plan.json"
        with files.Replacement(file) as out:
            saved.write(out, stage.plan(desired))
        _secret(file.read_text())
        plan = saved.read(file).plan
        assert plan == stage.plan(desired)
        with _watched(stage), Proxy(lambda: stage.port) as proxy:
            proxy.meet([], [*[PASS] * number, *[DEAD] * 1000])
            stage.apply(plan, stage.server(proxy.url))
            proxy.drain()
            results = stage.apply(plan)
            _secret(results)
            assert {r.outcome for r in results.results} <= {Outcome.APPLIED, Outcome.STALE}
            _finish(stage, city, desired)


# -- any trouble, and several at once -------------------------------------------------------------

_RUN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)
_CITIES = st.sampled_from(sorted(CITIES))


def _survives(stage: Stage, city: City, schedule: Schedule) -> None:
    desired = city.put(stage)
    with _watched(stage), Proxy(lambda: stage.port, stage.restart) as proxy:
        proxy.meet(schedule.reads, schedule.writes)
        server = stage.server(proxy.url, TIMEOUT)
        try:
            results = stage.apply(stage.plan(desired, server=server), server)
            for result in results.results:
                event(f"{result.change.of}: {result.outcome}")
            _secret(results)
        except ReconcilerError as error:
            event("the server could not be read")
            _secret(error)
        proxy.drain()
        _finish(stage, city, desired)


@settings(_RUN, max_examples=often(30))
@given(name=_CITIES, schedule=schedules())
def test_any_schedule_of_faults(stage: Stage, name: str, schedule: Schedule) -> None:
    _survives(stage, CITIES[name], schedule)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=1000)
@given(name=_CITIES, schedule=schedules())
def test_any_schedule_of_faults_at_length(stage: Stage, name: str, schedule: Schedule) -> None:
    _survives(stage, CITIES[name], schedule)


def _settle(stage: Stage, city: City, pause: float, delay: float) -> None:
    desired = city.put(stage)

    async def one(after: float) -> Results:
        await asyncio.sleep(after)
        async with Client(stage.server()) as client:
            return await applier.apply(client, await stage.planned(client, desired), secrets.read)

    async def both() -> tuple[Results, Results]:
        return await asyncio.gather(one(0.0), one(delay))

    with _watched(stage):
        stage.sandbox.options.pause = pause
        for results in asyncio.run(both()):
            for result in results.results:
                event(f"{result.change.of}: {result.outcome}")
        stage.sandbox.options.pause = 0.0
        _finish(stage, city, desired)


_PAUSES = st.sampled_from((0.001, 0.0, 0.003))
_DELAYS = st.sampled_from((0.0, 0.002, 0.005, 0.02, 0.05))


@settings(_RUN, max_examples=often(20))
@given(name=_CITIES, pause=_PAUSES, delay=_DELAYS)
def test_two_runs_at_once(stage: Stage, name: str, pause: float, delay: float) -> None:
    _settle(stage, CITIES[name], pause, delay)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=400)
@given(name=_CITIES, pause=_PAUSES, delay=_DELAYS)
def test_two_runs_at_once_at_length(stage: Stage, name: str, pause: float, delay: float) -> None:
    _settle(stage, CITIES[name], pause, delay)


# -- as real processes ----------------------------------------------------------------------------


def _start(stage: Stage, url: str) -> subprocess.Popen[str]:
    options = ["--yes", "--format", "json", "--out", "results.json", "--bots", "bots"]
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-m", "reconciler", "apply", *options],
        env={**os.environ, "EVOLUTION_API_URL": url, "EVOLUTION_API_KEY": stage.sandbox.api_key},
        cwd=stage.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.parametrize("forward", [False, True], ids=LAST)
@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=[pytest.mark.slow] if n % 4 else []) for n in range(13)]
)
def test_kill_9_at_a_writing_call(stage: Stage, number: int, forward: bool) -> None:
    city = CITIES["both"]
    desired = city.put(stage)
    hangs = Fault("hangs", forward=forward, after=1.0)
    with _watched(stage), Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [*[PASS] * number, hangs, *[hangs] * 100])
        process = _start(stage, proxy.url)
        oracle.until(lambda: process.poll() is not None or any(fault is hangs for _, fault in proxy.seen))
        process.kill()
        said = process.communicate()
        proxy.drain()
        _secret(*said)
        _finish(stage, city, desired)


def test_nothing_that_a_run_writes_holds_a_key(stage: Stage) -> None:
    city = CITIES["both"]
    city.put(stage)
    process = _start(stage, stage.sandbox.url)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert all(result["outcome"] == "applied" for result in json.loads(out)["results"])
    _secret(out, err)
    keys = {stage.directory / "keys" / "loja", *stage.directory.glob("sandbox.db*")}
    files = [path for path in stage.directory.rglob("*") if path.is_file() and path not in keys]
    assert stage.directory / "results.json" in files
    for path in files:
        _secret(path.read_bytes().decode(errors="replace"))
