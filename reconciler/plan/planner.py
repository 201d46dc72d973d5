"""From what the manifests declare and what the server has to a Plan. Pure.

Every bot of an instance meets exactly one of these:

    declared  on the server        then
    ────────  ───────────────────  ─────────────────────────────────────────────────
    yes       no                   create
    yes       ours, the same       in sync
    yes       ours, differs        update, or replace with --replace
    yes       unmarked             adopt
    yes       two, or in the way   conflict
    no        ours                 orphan; delete with --prune, within the limits
    no        not ours             unmanaged, never touched

A change that is not among the reviewed ones, where there was a review, is blocked: reported and not made.

The order of bots' calls is found in order.py; what has no order becomes a conflict here, before any call.
Credentials come before all bots and go after them (credentials.py, rotations.py), settings come before, their
fallback after (settings.py). Bots are compared as if every rotation of a credential were done.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.domain.desired import Desired
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.observed import Observed
from reconciler.domain.plan import InstancePlan, Plan
from reconciler.plan import instance
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft
from reconciler.plan.inputs import Inputs
from reconciler.plan.limits import check_deletes
from reconciler.plan.located import located
from reconciler.plan.matching import match
from reconciler.plan.options import Options


def make(desired: Desired, observed: Observed, options: Options, kind: Kind = OPENAI) -> Plan:
    """The plan for all instances, by name. Raises LimitError."""
    credentials = CredentialIndex(desired, observed, options)
    drafts: dict[str, Draft | None] = {}
    for one in sorted(desired.instances, key=lambda one: one.name):
        seen, drafts[one.name] = observed.instances[one.name], None
        if seen.problem is None:
            matches = match(one, seen.bots, options.owner, kind)
            given = Inputs(one, seen, matches, credentials, options, kind, version=observed.version)
            drafts[one.name] = _reviewed(given)
    # A credential is deleted only when it is known of all instances who leaves it.
    planned = [draft for draft in drafts.values() if draft is not None]
    left = frozenset(id for draft in planned for id in draft.left)
    taken = {id: "a manifest names it by its id" for draft in planned for id in draft.taken}
    for id_, name in observed.elsewhere.items():
        taken[id_] = f"the settings of the instance {name!r}, which is not planned, name it"
    plans = [
        InstancePlan(name, problem=observed.instances[name].problem)
        if draft is None
        else replace(draft.plan(credentials, left, taken), id=observed.instances[name].id)
        for name, draft in drafts.items()
    ]
    check_deletes(plans, options.max_deletes, options.max_delete_share)
    return located(Plan(observed.server, options.owner, tuple(plans)), desired)


def _reviewed(given: Inputs) -> Draft:
    """The draft of one instance, without the changes that nobody reviewed.

    Drafted again without these, as other bots may wait for them, or need other calls without them.
    """
    reviewed = given.options.reviewed
    while True:
        draft = instance.draft(given)
        if reviewed is None:
            return draft
        unseen = {
            change.label: change
            for change in draft.changes
            if change.verb.writes and change.digest not in reviewed
        }
        if not unseen:
            return draft
        given = replace(given, blocked={**given.blocked, **unseen})
