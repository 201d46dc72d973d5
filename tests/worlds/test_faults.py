"""Whatever goes wrong on the way, one more apply brings what is declared, once, and touches nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, event, given, seed, settings

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.results import Results
from tests.support import often
from tests.worlds import oracle
from tests.worlds.conftest import SEED
from tests.worlds.faults import TIMEOUT, Schedule, schedules
from tests.worlds.generators import Pair, pairs
from tests.worlds.proxy import Proxy
from tests.worlds.stage import Stage

_RUN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)


@pytest.fixture(scope="module")
def proxy(stage: Stage) -> Iterator[Proxy]:
    """In front of the stage's sandbox."""
    with Proxy(lambda: stage.port, stage.restart) as proxy:
        yield proxy


def _survives(stage: Stage, proxy: Proxy, pair: Pair, schedule: Schedule) -> None:
    desired = stage.put(pair)
    before, settings_before = stage.rows(), stage.rows("settings")
    planned = stage.plan(desired, pair)
    assume(planned.writes)

    proxy.meet(schedule.reads, schedule.writes)
    server = stage.server(proxy.url, TIMEOUT)
    results = Results(())
    try:
        results = stage.apply(stage.plan(desired, pair, server), server)
    except ReconcilerError:
        event("the server could not be read")
    for result in results.results:
        event(f"under faults: {result.outcome}")
    proxy.drain()
    for fault in {fault for request, fault in proxy.seen if fault.name and request.writes}:
        event(f"a writing call met: {fault}")
    midway = stage.rows()
    oracle.untouched(pair, before, midway)
    if not any(fault.before for _, fault in proxy.seen):
        oracle.honest(results, midway, settings_before, stage.rows("settings"))

    oracle.converges(stage, pair, desired)
    oracle.untouched(pair, before, stage.rows(), oracle.changed(before, midway))
    for world in pair.worlds:
        oracle.same_conflicts(world, planned, stage.plan(desired, pair))


@settings(_RUN, max_examples=often(100))
@given(pair=pairs(), schedule=schedules())
def test_any_schedule_of_faults(stage: Stage, proxy: Proxy, pair: Pair, schedule: Schedule) -> None:
    _survives(stage, proxy, pair, schedule)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=2500)
@given(pair=pairs(), schedule=schedules())
def test_any_schedule_of_faults_at_length(stage: Stage, proxy: Proxy, pair: Pair, schedule: Schedule) -> None:
    _survives(stage, proxy, pair, schedule)
