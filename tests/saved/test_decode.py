"""Every plan that the tool makes can be saved, read back as it was, and passes the check of its calls."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import Desired, DesiredBot
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Plan
from reconciler.plan.planner import make
from reconciler.saved import decode, encode
from tests.plan.builders import options_of, plan
from tests.plan.house import House, in_order
from tests.plan.test_house import KEYS, worlds
from tests.plan.test_order import desired_bots, remote_bots
from tests.support import often


def _is_read_as_it_was(made: Plan) -> None:
    text = encode.plan(made)
    again, *_ = decode.read(decode.parse(text))
    assert again.instances == made.instances
    assert encode.plan(again) == text


@settings(max_examples=often(100), deadline=None)
@given(desired=desired_bots(), there=remote_bots(), replace=st.booleans(), prune=st.booleans())
def test_plans_of_bots(desired: list[DesiredBot], there: list[RemoteBot], replace: bool, prune: bool) -> None:
    """Adopted, parked, replaced, pruned, in conflict."""
    _is_read_as_it_was(
        plan(desired, there, replace=replace, prune=prune, max_deletes=100, max_delete_share=100)
    )


@settings(max_examples=often(100), deadline=None)
@given(world=worlds(), stop=st.integers(0, 12), replace=st.booleans(), needs_keys=st.booleans())
def test_plans_of_credentials_and_settings(
    world: tuple[Desired, House], stop: int, replace: bool, needs_keys: bool
) -> None:
    """Of two instances of which one lends to the other, also after a run that was interrupted."""
    desired, house = world
    options = options_of(
        replace=replace, prune=True, max_deletes=99, max_delete_share=100, needs_keys=needs_keys
    )
    first = make(desired, house.observed(desired, KEYS), options)
    _is_read_as_it_was(first)
    house.run(in_order(first)[:stop])
    _is_read_as_it_was(make(desired, house.observed(desired, KEYS), options))
    without_keys = make(desired, house.observed(desired, {}), options)
    _is_read_as_it_was(without_keys)
