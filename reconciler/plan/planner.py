"""From what is desired and what is there to a Plan. Pure.

Every bot of an instance meets exactly one of these:

    declared  on the server        then
    ────────  ───────────────────  ─────────────────────────────────────────────────
    yes       no                   create
    yes       ours, the same       in sync
    yes       ours, differs        update, or replace where that is asked for
    yes       unmarked             adopt
    yes       two, or in the way   conflict
    no        ours                 orphan; delete when pruning, within the limits
    no        not ours             unmanaged, never touched

A change that is not among the reviewed ones, where there was a review, is held instead of made.

The order of bots' calls is found in order.py; what has no order becomes a conflict here, before any call.
Credentials come before all bots and go after them (credentials.py), settings come before, their fallback
after (settings.py). Bots are compared as if every rotation of a credential were done.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import Change, InstancePlan, Plan
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft, Drafting
from reconciler.plan.limits import check_deletes
from reconciler.plan.matching import match
from reconciler.plan.options import Options


def make(desired: Desired, observed: Observed, options: Options, kind: Kind = OPENAI) -> Plan:
    """The plan for all instances, by name. Raises LimitError."""
    book = CredentialIndex(desired, observed, options)
    instances = sorted(desired.instances, key=lambda instance: instance.name)
    drafts = {}
    for instance in instances:
        seen = observed.instances[instance.name]
        if seen.problem is None:
            drafts[instance.name] = _reviewed(instance, seen, book, options, kind)
    # Nobody's credential goes before it is known, of all instances, who leaves it.
    left = frozenset(id for draft in drafts.values() for id in draft.left)
    taken = {id: "a manifest names it by its id" for draft in drafts.values() for id in draft.taken}
    for id_, name in observed.elsewhere.items():
        taken[id_] = f"the settings of the instance {name!r}, which is not planned, name it"
    plans = [
        replace(drafts[instance.name].plan(book, left, taken), id=observed.instances[instance.name].id)
        if instance.name in drafts
        else InstancePlan(instance.name, problem=observed.instances[instance.name].problem)
        for instance in instances
    ]
    check_deletes(plans, options.max_deletes, options.max_delete_share)
    return Plan(observed.server, options.owner, tuple(plans))


def _reviewed(
    instance: DesiredInstance, seen: ObservedInstance, book: CredentialIndex, options: Options, kind: Kind
) -> Draft:
    """What is to be done on one instance, without the changes that nobody reviewed.

    Drafted again for each that is held, as it stands in the way of others, and they may need other calls.
    """
    matches = match(instance, seen.bots, options.owner, kind)
    held: dict[str, Change] = {}
    while True:
        draft = Drafting(instance, seen, matches, book, options, kind, held).draft()
        if options.reviewed is None:
            return draft
        writes = [change for change in draft.changes if change.verb.writes]
        unseen = {change.label: change for change in writes if change.digest not in options.reviewed}
        if not unseen:
            return draft
        held |= unseen
