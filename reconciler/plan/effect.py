"""What a pull request does, apart from what is to be done without it: two plans on one observation. Pure.

The plan of the base says what the server lacks already: hand edits, and what was merged and not applied yet.
A change that both plans have was there before, and is none of the pull request's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings, Former
from reconciler.domain.plan import NEW_CREDENTIAL, Call, Change, FieldChange, InstancePlan, Of, Plan, Verb
from reconciler.domain.records import replace
from reconciler.plan.limits import deletes
from reconciler.plan.notes import unchanged_unread
from reconciler.plan.options import Effect, Review

Place = tuple[str, str]
"""What a change is about: the instance, and the label."""

_BY_NAME = "openaiCredsId"
"""Not among the fields that go back to a default: a bot always has a credential."""


def former(base: Desired, work: Desired) -> dict[str, Former]:
    """What the base declares and the work tree does not any more, by the instance's name."""
    now = {one.name: one for one in work.instances}
    found = {one.name: _former(one, now.get(one.name)) for one in base.instances}
    return {name: one for name, one in found.items() if one != Former()}


def _former(base: DesiredInstance, work: DesiredInstance | None) -> Former:
    credentials = {one.name for one in base.credentials}
    if work is None:
        return Former(credentials=frozenset(credentials))
    now = {bot.name: bot for bot in work.bots}
    bots: dict[str, frozenset[str]] = {}
    for bot in base.bots:
        if bot.name in now and now[bot.name].kind is bot.kind and (gone := _gone(bot, now[bot.name])):
            bots[bot.name] = gone
    settings = {
        path: gone
        for path, one in base.settings.items()
        if path in work.settings and (gone := _gone_of_settings(one, work.settings[path]))
    }
    return Former(
        bots,
        settings,
        frozenset(base.settings.keys() - work.settings.keys()),
        frozenset(credentials - {one.name for one in work.credentials}),
    )


def _gone(base: DesiredBot, work: DesiredBot) -> frozenset[str]:
    return frozenset(base.fields.keys() - work.fields.keys() - {_BY_NAME})


def _gone_of_settings(base: DesiredSettings, work: DesiredSettings) -> frozenset[str]:
    gone = base.fields.keys() - work.fields.keys()
    return frozenset(gone | {"fallbackId"} if base.fallback and work.fallback is None else gone)


def alike(base: Desired, work: Desired) -> frozenset[str]:
    """The instances that both declare in the same way, wherever it is written."""
    theirs = {one.name: _bare(one) for one in base.instances}
    return frozenset(one.name for one in work.instances if theirs.get(one.name) == _bare(one))


def _bare(one: DesiredInstance) -> tuple[object, ...]:
    """What an instance declares, without the places."""
    return (
        [(b.name, b.kind, b.fields, b.creds, b.previously, b.on_drift, b.creds_owner) for b in one.bots],
        [(credential.name, credential.key) for credential in one.credentials],
        {
            path: (settings.fields, settings.creds, settings.fallback, settings.merge_jids)
            for path, settings in one.settings.items()
        },
    )


def of_reviewed(plans: Sequence[Plan], work: Desired) -> dict[str, Former]:
    """What reviewed plans take back because it is not declared any more, and still is not declared."""
    now = {one.name: one for one in work.instances}
    found: dict[str, Former] = {}
    for change in (change for plan in plans for change in plan.changes()):
        one, before = now.get(change.instance), found.get(change.instance, Former())
        gone = {field.name for field in change.fields if field.note == "undeclared"}
        if change.of is Of.CREDENTIAL and change.verb is Verb.DELETE:
            declared = {each.name for each in one.credentials} if one else set()
            before = replace(before, credentials=before.credentials | ({change.bot} - declared))
        elif change.of is Of.SETTINGS and gone:
            path = change.kind.path
            gone |= before.settings.get(path, frozenset())
            before = replace(before, settings={**before.settings, path: frozenset(gone)})
        elif gone:
            known = before.bots.get(change.bot, frozenset())
            before = replace(before, bots={**before.bots, change.bot: known | gone})
        if before != Former():
            found[change.instance] = before
    return found


def of_plans(base: Plan, work: Plan) -> Effect:
    """The changes that the work tree's plan has and the base's has not."""
    before = {change.digest for change in base.changes()}
    added = {change.digest for change in work.changes() if change.digest not in before}
    return Effect(frozenset(added))


def needed(made: Plan, work: Plan, added: Effect) -> Effect:
    """The effect with what it cannot do without, although there is that without it too.

    made: the plan of the effect alone. Where a change of it became a conflict, something that it needs was
    left out: a credential to be created, or the place that another bot still holds.
    """
    wanted = {_place(c) for c in work.changes() if c.verb.writes and c.digest in added.digests}
    stuck = {c.instance for c in made.changes() if c.verb is Verb.CONFLICT and _place(c) in wanted}
    if not stuck:
        return added
    more = {
        change.digest
        for change in work.changes()
        if change.instance in stuck or (change.of is Of.CREDENTIAL and change.verb is Verb.CREATE)
    }
    return Effect(added.digests | more)


def marked(made: Plan, base: Plan, work: Plan, same: frozenset[str]) -> Plan:
    """The plan of the effect: what it overwrites, what it takes back, and what was so before.

    base, work: the plans of all that differs. same: the instances that both declare alike.
    """
    both = {change.digest for change in work.changes()}
    there = {_place(change): change for change in base.changes()}
    alike = {place for place, change in there.items() if change.digest in both}
    instances = [
        _instance(one, there, alike)
        for one in made.instances
        if not (one.problem is not None and one.name in same)
    ]
    unread = {one.name: one.problem for one in made.instances if one.problem is not None and one.name in same}
    notes = (*made.notes, *unchanged_unread(unread))
    withdrawn = _withdrawn(made, base)
    instances = [replace(one, changes=(*one.changes, *withdrawn.pop(one.name, ()))) for one in instances] + [
        InstancePlan(name, tuple(changes)) for name, changes in withdrawn.items()
    ]
    return replace(made, instances=tuple(sorted(instances, key=lambda one: one.name)), notes=notes)


def _place(change: Change) -> Place:
    return change.instance, change.label


def _instance(made: InstancePlan, before: Mapping[Place, Change], alike: set[Place]) -> InstancePlan:
    """The instance with what was so before as a report, and notes at what is overwritten.

    alike: what both plans change in the same way.
    """
    changes = []
    dropped: set[str] = set()
    for change in made.changes:
        old = before.get(_place(change))
        if old is not None and change.verb is Verb.CONFLICT and _place(change) in alike:
            changes.append(replace(Effect(frozenset()).not_made(old), at=change.at))
        elif old is not None and old.digest == change.digest and _is_theirs(change, made):
            if change.verb.writes:
                dropped.add(change.label)
            changes.append(Effect(frozenset()).not_made(change))
        elif old is not None and change.verb.writes and old.cause in {"drift", "both"}:
            edited = {field.name for field in old.fields}
            changes.append(replace(change, fields=tuple(_noted(each, edited) for each in change.fields)))
        else:
            changes.append(change)
    steps = tuple(step for step in made.steps if step.bot not in dropped)
    return replace(made, changes=tuple(changes), steps=steps)


def _is_theirs(change: Change, made: InstancePlan) -> bool:
    """Whether a change that the base has too can be left out: conflicts, rotations nothing needs."""
    if change.verb is Verb.ORPHAN:
        return True
    if change.verb not in {Verb.ROTATE, Verb.DELETE, Verb.CREATE} or change.of is not Of.CREDENTIAL:
        return False
    own = [step for step in made.steps if step.bot == change.label]
    new = {f"{NEW_CREDENTIAL}{step.body['name']}" for step in own if step.call is Call.NEW_CREDENTIAL}
    return not any(step.body.get(_BY_NAME) in new for step in made.steps if step.bot != change.label)


def _noted(field: FieldChange, edited: set[str]) -> FieldChange:
    return replace(field, note="edited") if field.name in edited and not field.note else field


def _withdrawn(made: Plan, base: Plan) -> dict[str, list[Change]]:
    """What the base asks for and the work tree does not any more, by instance."""
    kept = {_place(change) for change in made.changes()}
    found: dict[str, list[Change]] = {}
    for change in base.changes():
        if change.verb.writes and _place(change) not in kept:
            found.setdefault(change.instance, []).append(_taken_back(change))
    return found


def _taken_back(change: Change) -> Change:
    reason = f"{change.verb}: {change.reason}. The base asks for it, and these manifests do not any more"
    return replace(change, verb=Verb.WITHDRAWN, reason=reason, at=None, other="")


def review(plans: Sequence[Plan], ids: Mapping[str, str]) -> Review:
    """What reviewed plans allow. ids: of the instances as they are now, by name; a review does not count for
    an instance that was recreated since.
    """
    again = [recreated(each, ids) for each in plans]
    allowed, approved = set[str](), set[str]()
    changed, before = set[Place](), set[Place]()
    for each, names in zip(plans, again, strict=True):
        for change in each.changes():
            if change.verb.writes:
                changed.add(_place(change))
            elif change.verb is Verb.BEFORE or (change.verb is Verb.ORPHAN and not each.limits):
                before.add(_place(change))
            if change.instance not in names:
                allowed.add(change.digest)
        if each.approved:
            approved |= {change.digest for change in deletes(each)}
    everywhere = frozenset.intersection(*again) if again else frozenset[str]()
    return Review(
        frozenset(allowed),
        frozenset(changed),
        frozenset(before - changed),
        everywhere,
        frozenset(approved & allowed),
    )


def recreated(reviewed: Plan, ids: Mapping[str, str]) -> frozenset[str]:
    """The instances of a reviewed plan that have another id now, so that none of its changes is about them.

    ids: of the instances as they are now, by name.
    """
    return frozenset(
        one.name for one in reviewed.instances if one.id and ids.get(one.name, "") not in {"", one.id}
    )
