"""Settling the instances of a world one by one, as a fetch does, and planning what is left."""

from __future__ import annotations

from dataclasses import replace

from reconciler.domain.desired import Desired
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Plan
from reconciler.plan.options import Options
from reconciler.plan.planner import Drafts, make
from reconciler.plan.settled import at_a_glance, settle


def settled(desired: Desired, observed: Observed, options: Options) -> tuple[Observed, dict[str, Drafts]]:
    """What is left of the instances, and the drafts of those that are as they are declared."""
    declared = {one.name: one for one in (*desired.creds_owners, *desired.instances)}
    instances, drafts = dict(observed.instances), {}
    for one in desired.instances:
        names = dict.fromkeys(bot.creds_owner or one.name for bot in one.bots)
        owners = [declared[name] for name in names if name in declared and name != one.name]
        seen = observed.instances[one.name]
        if one.name in desired.former:
            continue
        glanced, found = at_a_glance(one, owners, seen, options), settle(one, owners, seen, options)
        assert glanced in (None, found), one.name
        if found is None:
            continue
        drafts[one.name] = found.drafts
        instances[one.name] = replace(seen, bots=found.bots)
    return replace(observed, instances=instances), drafts


def check(desired: Desired, observed: Observed, options: Options, made: Plan) -> int:
    """Check that the plan is the same where instances are settled, and say how many are."""
    left, drafts = settled(desired, observed, options)
    assert make(desired, left, options, drafts) == made
    return len(drafts)
