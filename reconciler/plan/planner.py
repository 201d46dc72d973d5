"""From what the manifests declare and what the server has to a Plan. Pure.

Every bot of an instance meets exactly one of these:

    declared  on the server        then
    ────────  ───────────────────  ─────────────────────────────────────────────────
    yes       no                   create
    yes       ours, the same       in sync
    yes       ours, differs        update, or replace with --replace
    yes       unmarked             adopt
    yes       two, or in the way   conflict
    no        ours                 delete, or orphan where it is kept (removal.py)
    no        not ours             unmanaged, never touched

An instance that no manifest declares is one that declares nothing: only what is ours is reported there.

A change that is not among the reviewed ones, where there was a review, is blocked: reported and not made.

The order of bots' calls is found in order.py; what has no order becomes a conflict here, before any call.
Credentials come before all bots and go after them (credentials.py, rotations.py), settings come before, their
fallback after (settings.py). Bots are compared as if every rotation of a credential were done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from reconciler.domain.desired import Desired, DesiredInstance, Former
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import InstancePlan, Plan, Verb
from reconciler.plan import instance, moves, removal
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft
from reconciler.plan.inputs import Inputs
from reconciler.plan.limits import approval, exceeded
from reconciler.plan.located import located
from reconciler.plan.matching import Matches, match
from reconciler.plan.options import Options
from reconciler.plan.removal import TOO_MUCH, with_former


def make(desired: Desired, observed: Observed, options: Options, kind: Kind = OPENAI) -> Plan:
    """The plan for all instances, by name. Above the limits it deletes nothing, unless that was approved."""
    made = _make(desired, observed, options, kind)
    if options.max_deletes is None:
        return made
    limits = exceeded(
        made.instances,
        {one.name for one in desired.instances},
        sum(len(one.bots) for one in desired.instances) if options.fleet is None else options.fleet,
        options.max_deletes,
        options.max_delete_share,
        frozenset() if options.review is None else options.review.approved,
    )
    if not limits:
        return made
    if (approves := approval(made)) in options.allowed:
        return replace(made, approval=approves, approved=True)
    return replace(_make(desired, observed, options, kind, TOO_MUCH), limits=limits, approval=approves)


def _make(desired: Desired, observed: Observed, options: Options, kind: Kind, kept: str = "") -> Plan:
    """kept: why nothing is deleted."""
    credentials = CredentialIndex(desired, observed, options)
    inputs = _inputs(desired, observed, options, credentials, kind, kept)
    drafts = {name: _reviewed(given) for name, given in inputs.items()}
    for name, stuck in _not_created(inputs, drafts).items():
        given = replace(inputs[name], moves=inputs[name].moves.without(stuck))
        drafts[name] = _reviewed(given)
    # A credential is deleted only when it is known of all instances who leaves it.
    left = frozenset(id for draft in drafts.values() for id in draft.left)
    taken = {id: "a manifest names it by its id" for draft in drafts.values() for id in draft.taken}
    for id_, name in observed.elsewhere.items():
        taken[id_] = f"the settings of the instance {name!r}, which is not planned, name it"
    declared = {one.name for one in desired.instances}
    plans = []
    for name, seen in sorted(observed.instances.items()):
        if name in drafts:
            one = replace(drafts[name].plan(credentials, left, taken, options), id=seen.id)
            if name in declared or (one := _of_undeclared(one)).changes:
                plans.append(one)
        elif name in declared:
            plans.append(InstancePlan(name, problem=_with_new_name(seen, desired, inputs)))
    notes = (*_notes(observed, declared), *_recreated(plans, inputs, observed))
    made = Plan(observed.server, options.owner, tuple(plans), notes=notes)
    return located(made, desired, options.edited)


def _not_created(inputs: Mapping[str, Inputs], drafts: Mapping[str, Draft]) -> dict[str, set[str]]:
    """The bots that should move and are not created where they go, by the instance that they stay on."""
    found: dict[str, set[str]] = {}
    for name, given in inputs.items():
        made = {change.bot for change in drafts[name].changes if change.verb is Verb.MOVE}
        for bot, old in given.moves.arriving.items():
            if bot not in made:
                found.setdefault(old, set()).add(bot)
    return found


def _inputs(
    desired: Desired,
    observed: Observed,
    options: Options,
    credentials: CredentialIndex,
    kind: Kind,
    kept: str,
) -> dict[str, Inputs]:
    """What the plan of each instance that could be read is made from, by its name."""
    declared = {one.name: one for one in desired.instances}
    matched: dict[str, tuple[DesiredInstance, Matches]] = {}
    for name, seen in sorted(observed.instances.items()):
        if seen.problem is None:
            one = declared.get(name) or DesiredInstance(name, (), Position("", 1, 1))
            one = with_former(one, desired.former.get(name, _NOTHING), kind)
            matched[name] = one, match(one, seen.bots, options.owner, kind)
    why = {name: kept or removal.kept(options, name, declared=name in declared) for name in matched}
    moving = moves.find(matched, why, kind)
    return {
        name: Inputs(
            one,
            observed.instances[name],
            matches,
            credentials,
            options,
            kind,
            version=observed.version,
            former=desired.former.get(name, _NOTHING),
            kept=why[name],
            moves=moving.get(name, _NO_MOVES),
        )
        for name, (one, matches) in matched.items()
    }


_NOTHING = Former()
_NO_MOVES = moves.Moves()


def _of_undeclared(made: InstancePlan) -> InstancePlan:
    """Of an instance that no manifest declares, what is ours; all else there is somebody else's."""
    return replace(made, changes=tuple(c for c in made.changes if c.verb is not Verb.UNMANAGED))


def _with_new_name(seen: ObservedInstance, desired: Desired, inputs: Mapping[str, Inputs]) -> str:
    """Why an instance cannot be planned; with the instance that it became if it was renamed on the server."""
    names = {bot.name for one in desired.instances if one.name == seen.name for bot in one.bots}
    declared = {one.name for one in desired.instances}
    for name, given in inputs.items():
        orphans = {bot for bot, _ in given.matches.orphans}
        if name not in declared and orphans and orphans <= names:
            return (
                f"{seen.problem} The instance {name!r} has its bots ({', '.join(sorted(orphans)[:3])}): if "
                f"it was renamed, write `instance: {name}` in its manifest."
            )
    return seen.problem or ""


def _recreated(
    plans: Sequence[InstancePlan], inputs: Mapping[str, Inputs], observed: Observed
) -> Iterator[str]:
    """Instances that lack all of their bots, beside others that do not: they may have been recreated."""
    empty = [name for name, given in inputs.items() if given.desired.bots and not given.matches.found]
    if not empty or not any(one.in_sync for one in plans):
        return
    first = sorted(empty)[0]
    created = f", created on {at[:10]}," if (at := observed.created.get(first, "")) else ""
    bots = len(inputs[first].desired.bots)
    more = f", and so {'does' if len(empty) == 2 else 'do'} {len(empty) - 1} more" if len(empty) > 1 else ""
    yield (
        f"{first}{created} has none of its {bots} bots{more}: if an instance was recreated, "
        "`reconciler restore INSTANCE` puts all back"
    )


def _notes(observed: Observed, declared: Set[str]) -> tuple[str, ...]:
    """What was not looked at."""
    unread = [name for name, one in observed.instances.items() if one.problem and name not in declared]
    notes = [observed.unlisted] if observed.unlisted else []
    if unread:
        names = ", ".join(sorted(unread)[:3]) + (", …" if len(unread) > 3 else "")
        one = observed.instances[min(unread)].problem
        be = (
            "instance that no manifest declares was"
            if len(unread) == 1
            else ("instances that no manifest declares were")
        )
        notes.append(f"{len(unread)} {be} not read ({names}): {one}")
    return tuple(notes)


def _reviewed(given: Inputs) -> Draft:
    """The draft of one instance, without the changes that nobody reviewed.

    Drafted again without these, as other bots may wait for them, or need other calls without them.
    """
    while True:
        draft = instance.draft(given)
        unseen = {
            change.label: change
            for change in draft.changes
            if change.verb.writes and not given.options.may_make(change)
        }
        if not unseen:
            return draft
        given = replace(given, blocked={**given.blocked, **unseen})
