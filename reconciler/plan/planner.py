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
Each kind of bot is planned by itself, as the server compares triggers and keys within one kind only: a plan
is made of parts, an instance and a kind each.

Credentials come before all bots and go after them (credentials.py, rotations.py), settings come before, their
fallback after (settings.py). Bots are compared as if every rotation of a credential were done.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from functools import reduce

from reconciler.domain.desired import Desired, DesiredInstance, Former
from reconciler.domain.errors import Position
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import InstancePlan, Of, Plan, Verb
from reconciler.domain.records import replace
from reconciler.domain.servers import declared_on
from reconciler.plan import instance, moves, removal
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft
from reconciler.plan.inputs import Inputs
from reconciler.plan.limits import approval, exceeded
from reconciler.plan.located import located
from reconciler.plan.matching import Matches, match
from reconciler.plan.moves import Part
from reconciler.plan.notes import bare, recreated, renamed, undeclared_unread
from reconciler.plan.options import Crossings, Options
from reconciler.plan.removal import TOO_MUCH, with_former

Drafts = Mapping[Part, Draft]
"""By the instance's name and the kind of bot."""


def make(
    desired: Desired, observed: Observed, options: Options, settled: Mapping[str, Drafts] | None = None
) -> Plan:
    """The plan for all instances, by name. Above the limits it deletes nothing, unless that was approved.

    settled: the drafts of instances that are planned already (settled.py), by name.
    """
    settled = settled or {}
    made = _make(desired, observed, options, settled, options.keeps)
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
    return replace(_make(desired, observed, options, settled, TOO_MUCH), limits=limits, approval=approves)


def _make(
    desired: Desired, observed: Observed, options: Options, settled: Mapping[str, Drafts], kept: str
) -> Plan:
    """kept: why nothing is deleted."""
    # Ids, and what names and keys of credentials stand for, are one server's own.
    credentials = {
        server: CredentialIndex(declared_on(desired, server), observed.of(server), options)
        for server in {one.server for one in observed.instances.values()}
    }
    settled = {name: one for name, one in settled.items() if observed.instances[name].problem is None}
    inputs = inputs_of(desired, observed, options, credentials, kept, settled)
    drafts = {part: reviewed(given) for part, given in inputs.items()}
    while stuck := _not_created(inputs, drafts):  # a bot that stays may be in the way of another
        for part, bots in stuck.items():
            inputs[part] = replace(inputs[part], moves=inputs[part].moves.without(bots))
            drafts[part] = reviewed(inputs[part])
    for done in settled.values():
        drafts.update(done)
    # A credential is deleted only when it is known of all instances who leaves it.
    used = {server: _used(observed.of(server), server, drafts.values()) for server in credentials}
    declared = {one.name for one in desired.instances}
    of_instance: dict[str, list[Draft]] = {}
    for (name, _), draft in drafts.items():
        of_instance.setdefault(name, []).append(draft)
    plans = []
    for name, seen in sorted(observed.instances.items()):
        if name in of_instance:
            index, (left, taken) = credentials[seen.server], used[seen.server]
            parts = [draft.plan(index, left, taken, options) for draft in of_instance[name]]
            one = _of_server(reduce(_joined, parts), seen.server)
            one = replace(one, id=seen.id, steps=tuple(sorted(one.steps, key=lambda step: step.call.phase)))
            if name in declared or (one := _of_undeclared(one)).changes:
                plans.append(one)
        elif name in declared:
            plans.append(
                InstancePlan(
                    name, problem=_with_new_name(seen, desired, inputs, options.crossings), server=seen.server
                )
            )
    notes = (*_notes(observed, declared), *_recreated(plans, inputs, observed))
    made = Plan(observed.server, options.owner, tuple(plans), notes=notes)
    return located(made, desired, options.edited)


def _used(
    observed: Observed, server: str, drafts: Iterable[Draft]
) -> tuple[frozenset[str], Mapping[str, str]]:
    """The bots of a server that leave their credentials, and who else uses a credential: see Draft.plan."""
    own = [draft for draft in drafts if draft.desired.server == server]
    taken = {id: "a manifest names it by its id" for draft in own for id in draft.taken}
    for id_, name in observed.elsewhere.items():
        taken[id_] = f"the settings of the instance {name!r}, which is not planned, name it"
    return frozenset(id for draft in own for id in draft.left), taken


def _of_server(planned: InstancePlan, server: str) -> InstancePlan:
    """The plan of an instance, which says which of several servers has it."""
    if not server:
        return planned
    changes = tuple(replace(change, server=server) for change in planned.changes)
    return replace(planned, changes=changes, server=server)


def _joined(one: InstancePlan, other: InstancePlan) -> InstancePlan:
    """The plan of two parts of one instance."""
    return replace(
        one,
        changes=(*one.changes, *other.changes),
        steps=(*one.steps, *other.steps),
        in_sync=one.in_sync + other.in_sync,
        credentials={**one.credentials, **other.credentials},
        unverified={**one.unverified, **other.unverified},
    )


def _not_created(inputs: Mapping[Part, Inputs], drafts: Mapping[Part, Draft]) -> dict[Part, set[str]]:
    """The bots that stay, as what should be there instead is not created, by the part that they stay in."""
    if not any(given.moves.leaving or given.moves.replaced for given in inputs.values()):
        return {}
    made = {
        part: {change.bot for change in draft.changes if change.verb in _IN_PLACE_OF_ANOTHER}
        | inputs[part].matches.found.keys()
        for part, draft in drafts.items()
    }
    found: dict[Part, set[str]] = {}
    for (name, path), given in inputs.items():
        goes: dict[str, Part] = {bot: (there, path) for bot, there in given.moves.leaving.items()}
        goes |= {bot: (name, one.kind.path) for bot, one in given.moves.replaced.items()}
        if stuck := {bot for bot, part in goes.items() if bot not in made[part]}:
            found[name, path] = stuck
    return found


_IN_PLACE_OF_ANOTHER = frozenset({Verb.MOVE, Verb.REPLACE})


def inputs_of(
    desired: Desired,
    observed: Observed,
    options: Options,
    credentials: Mapping[str, CredentialIndex],
    kept: str,
    settled: Container[str] = (),
) -> dict[Part, Inputs]:
    """What the plan of each instance that could be read is made from, by its name and the kind of bot."""
    matched, there = parts(desired, observed, options, settled)
    why = kept_on(desired, {name for name, _ in matched}, options, kept)
    moving = moves.find(matched, why, _unread(desired, observed), options.crossings)
    return {
        part: Inputs(
            one,
            there[part],
            matches,
            credentials[one.server],
            options,
            KINDS[part[1]],
            version=observed.of(one.server).version,
            former=desired.former.get(part[0], _NOTHING),
            kept=why[part[0]],
            moves=moving.get(part, _NO_MOVES),
        )
        for part, (one, matches) in matched.items()
    }


def parts(
    desired: Desired, observed: Observed, options: Options, settled: Container[str] = ()
) -> tuple[dict[Part, tuple[DesiredInstance, Matches]], dict[Part, ObservedInstance]]:
    """What is declared and matched, and what there is, of each instance that could be read and each kind.

    settled: instances that are left out.
    """
    declared = {one.name: one for one in desired.instances}
    matched: dict[Part, tuple[DesiredInstance, Matches]] = {}
    there: dict[Part, ObservedInstance] = {}
    for name, seen in sorted(observed.instances.items()):
        if seen.problem is not None or name in settled:
            continue
        former = desired.former.get(name, _NOTHING)
        whole = declared.get(name) or DesiredInstance(name, (), Position("", 1, 1), server=seen.server)
        for kind in _kinds(whole, seen, former):
            part = name, kind.path
            one, there[part] = whole.of_kind(kind), seen.of_kind(kind)
            one = with_former(one, former, kind)
            matched[part] = one, match(one, there[part].bots, options.owner, kind)
    return matched, there


def kept_on(desired: Desired, names: Iterable[str], options: Options, kept: str = "") -> dict[str, str]:
    """Why each of these instances keeps what nothing declares; "" where it is deleted. kept: on all."""
    declared = {one.name for one in desired.instances}
    return {name: kept or removal.kept(options, name, declared=name in declared) for name in names}


def _kinds(desired: DesiredInstance, seen: ObservedInstance, former: Former) -> Iterator[Kind]:
    """The kinds of bot that an instance declares or has, and the one that has the credentials."""
    there = {bot.kind.path for bot in seen.bots} | former.blocks
    return (kind for kind in KINDS.values() if kind.credential or kind.path in there or desired.has(kind))


def _unread(desired: Desired, observed: Observed) -> list[DesiredInstance]:
    """The declared instances of several servers that could not be read."""
    seen = observed.instances
    return [one for one in desired.instances if one.server and seen[one.name].problem is not None]


_NOTHING = Former()
_NO_MOVES = moves.Moves()


def _of_undeclared(made: InstancePlan) -> InstancePlan:
    """Of an instance that no manifest declares, what is ours; all else there is somebody else's."""
    return replace(made, changes=tuple(c for c in made.changes if c.verb is not Verb.UNMANAGED))


def _with_new_name(
    seen: ObservedInstance, desired: Desired, inputs: Mapping[Part, Inputs], crossings: Crossings | None
) -> str:
    """Why an instance cannot be planned; with the instance that it became if it was renamed on the server."""
    if crossings is not None:
        return seen.problem or ""
    names = {bot.name for one in desired.instances if one.name == seen.name for bot in one.bots}
    declared = {one.name for one in desired.instances}
    there: dict[str, set[str]] = {}
    for (name, _), given in inputs.items():
        if given.desired.server == seen.server and name not in declared:
            there.setdefault(name, set()).update(bot for bot, _ in given.matches.orphans)
    return renamed(seen.problem or "", names, there, seen.server)


def _recreated(
    plans: Sequence[InstancePlan], inputs: Mapping[Part, Inputs], observed: Observed
) -> Iterator[str]:
    """What is said of instances that lack all of their bots."""
    matched = {part: (given.desired, given.matches) for part, given in inputs.items()}
    yield from recreated(bare(matched, observed), any(one.in_sync for one in plans))


def _notes(observed: Observed, declared: Set[str]) -> tuple[str, ...]:
    """What was not looked at."""
    unread = {
        name: one.problem for name, one in observed.instances.items() if one.problem and name not in declared
    }
    return (*([observed.unlisted] if observed.unlisted else []), *undeclared_unread(unread))


def reviewed(given: Inputs) -> Draft:
    """The draft of one instance, without the changes that nobody reviewed.

    Drafted again without these, as other bots may wait for them, or need other calls without them.
    """
    while True:
        draft = instance.draft(given)
        unseen = {
            change.bot if change.of is Of.BOT else change.label: change
            for change in draft.changes
            if change.verb.writes and not given.options.may_make(change)
        }
        if not unseen:
            return draft
        given = replace(given, blocked={**given.blocked, **unseen})
