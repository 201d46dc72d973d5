"""Two runs at the same time, on a server that checks and then inserts: nothing is there twice in the end."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, assume, event, given, seed, settings
from hypothesis import strategies as st

from reconciler.apply import applier
from reconciler.domain.desired import Desired
from reconciler.domain.results import Results
from reconciler.evolution.client import Client
from reconciler.manifests import secrets
from tests.support import often
from tests.worlds import oracle
from tests.worlds.conftest import SEED
from tests.worlds.generators import Pair, pairs
from tests.worlds.stage import Stage

_RUN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)


async def _run(stage: Stage, pair: Pair, desired: Desired, delay: float) -> Results:
    await asyncio.sleep(delay)
    async with Client(stage.server()) as client:
        return await applier.apply(client, await stage.planned(client, desired, pair), secrets.read)


def _settle(stage: Stage, pair: Pair, pause: float, delay: float) -> None:
    desired = stage.put(pair)
    before = stage.rows()
    planned = stage.plan(desired, pair)
    assume(planned.writes)
    stage.sandbox.options.pause = pause

    async def both() -> list[Results]:
        return await asyncio.gather(*(_run(stage, pair, desired, after) for after in (0.0, delay)))

    for results in asyncio.run(both()):
        for result in results.results:
            event(f"two at once: {result.outcome}")
            if "at the same time" in result.detail:
                event("twins were made, and one removed")
    stage.sandbox.options.pause = 0.0
    midway = stage.rows()
    oracle.untouched(pair, before, midway)
    oracle.converges(stage, pair, desired)
    oracle.untouched(pair, before, stage.rows(), oracle.changed(before, midway))
    last = stage.plan(desired, pair)
    for world in pair.worlds:
        oracle.same_conflicts(world, planned, last)


_PAUSES = st.sampled_from((0.001, 0.0, 0.003))
_DELAYS = st.sampled_from((0.0, 0.002, 0.005, 0.02))


@settings(_RUN, max_examples=often(50))
@given(pair=pairs(), pause=_PAUSES, delay=_DELAYS)
def test_two_runs_at_once(stage: Stage, pair: Pair, pause: float, delay: float) -> None:
    _settle(stage, pair, pause, delay)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=1000)
@given(pair=pairs(), pause=_PAUSES, delay=_DELAYS)
def test_two_runs_at_once_at_length(stage: Stage, pair: Pair, pause: float, delay: float) -> None:
    _settle(stage, pair, pause, delay)
