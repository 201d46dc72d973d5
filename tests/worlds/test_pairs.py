"""A plan that always applies: for any pair of worlds no call is refused, and the second plan is empty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis import strategies as st

from reconciler.domain.plan import Plan
from reconciler.domain.results import Outcome
from tests.support import often
from tests.worlds import oracle
from tests.worlds.conftest import SEED
from tests.worlds.generators import Pair, pairs
from tests.worlds.stage import Stage

_RUN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)


def _applies(stage: Stage, pair: Pair, calls_before: int) -> None:
    desired = stage.put(pair)
    original = stage.rows()
    if calls_before:
        # A run that ended early: what is there now is what it left behind.
        ended = stage.apply(_cut(stage.plan(desired, pair), calls_before))
        tried = [result for result in ended.results if result.outcome is not Outcome.NOT_ATTEMPTED]
        oracle.done(replace(ended, results=tuple(tried)))
        stage.sandbox.calls.clear()
    before, settings_before = stage.rows(), stage.rows("settings")

    plan = stage.plan(desired, pair)
    assert not stage.sandbox.writes, "a plan writes nothing"
    assert [instance.problem for instance in plan.instances] == [None] * len(pair.worlds)
    results = stage.apply(plan)
    oracle.frugal(plan, results, stage.sandbox.calls)
    oracle.fallback_kept(plan, results, settings_before, stage.rows("settings"))
    written = {id for change in plan.changes() if change.verb.writes for id in change.ids}
    after = stage.rows()
    assert oracle.changed(before, after) <= written
    oracle.untouched(pair, original, before)
    oracle.untouched(pair, original, after, oracle.changed(original, before))

    stage.sandbox.calls.clear()
    second = stage.plan(desired, pair)
    assert not second.writes, second
    for world in pair.worlds:
        given_up = oracle.conflicts(second, world.instance)
        assert given_up == oracle.conflicts(plan, world.instance)
        assert not given_up or oracle.obstacles(world, pair)
        oracle.settled(world, stage.rows(instance=world.instance).values(), given_up)
    assert stage.apply(second).results == ()
    assert not stage.sandbox.writes
    assert stage.rows() == after
    for verb, count in plan.counts().items():
        event(f"{verb}: {min(count, 3)}{'+' * (count > 2)}")
    for instance in plan.instances:
        for step in instance.steps:
            event(f"call: {step.call}")


def _cut(plan: Plan, calls: int) -> Plan:
    """The plan, ended after so many calls in each instance."""
    return replace(plan, instances=tuple(replace(one, steps=one.steps[:calls]) for one in plan.instances))


_CALLS_BEFORE = st.sampled_from((0, 0, 0, 1, 2, 3))


@settings(_RUN, max_examples=often(100))
@given(pair=pairs(), calls_before=_CALLS_BEFORE)
def test_any_pair_of_worlds(stage: Stage, pair: Pair, calls_before: int) -> None:
    _applies(stage, pair, calls_before)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=2000)
@given(pair=pairs(), calls_before=_CALLS_BEFORE)
def test_any_pair_of_worlds_at_length(stage: Stage, pair: Pair, calls_before: int) -> None:
    _applies(stage, pair, calls_before)
