"""Check a whole plan: its instances, which changes it has, and each change with its calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.domain import markers
from reconciler.domain.kinds import KINDS
from reconciler.domain.plan import NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.servers import NAME, full
from reconciler.plan.limits import approval, deletes
from reconciler.saved.consistency import bots, credentials, fields, order, settings
from reconciler.saved.consistency.contradiction import refuse, refuse_change, refuse_duplicates
from reconciler.saved.consistency.fields import CREDS

_SECRET_FIELDS = {name for kind in KINDS.values() for name, field in kind.fields.items() if field.hides}
"""Fields whose values a manifest may take from a variable."""


_APPROVAL = re.compile(r"[0-9a-f]{12}")


def check(plan: Plan, *, part: bool = False) -> None:
    """Raises ContradictionError, with the place, for a plan whose calls are not those of its changes.

    part: whether it is the plan of a shard, where a credential may be created by another shard.
    """
    if not markers.OWNER.fullmatch(plan.owner):
        refuse("the plan", "its owner is not a valid name")
    _check_servers(plan)
    refuse_duplicates("the plan", "the instance", [instance.name for instance in plan.instances])
    for each in _parts(plan):
        refuse_duplicates("the plan", "the id", [instance.id for instance in each.instances if instance.id])
        if not part:
            _check_credentials_made(each)
        written = [
            id for change in each.changes() if change.of is Of.BOT and change.verb.writes for id in change.ids
        ]
        refuse_duplicates("the plan", "the bot", written)
    for instance in plan.instances:
        _check_instance(instance)
        _check_places(instance)
        writes = _checked_writes(instance)
        steps: dict[str, list[Step]] = {label: [] for label in writes}
        for step in instance.steps:
            steps[step.bot].append(step)
        for label, change in writes.items():
            _check_change(change, steps[label], writes, plan.owner)
        order.check(instance)
    _check_routing(plan)
    _check_moves(plan)
    _check_approval(plan)


def _parts(plan: Plan) -> list[Plan]:
    """The plan of each server: ids, and the names of credentials, are one server's own."""
    return [plan.of(server) for server in plan.servers] or [plan]


def _check_servers(plan: Plan) -> None:
    """An instance of several servers says which has it, and is called so."""
    if plan.servers and plan.server:
        refuse("the plan", "it is for one server, and for several")
    for name in plan.servers:
        if not NAME.fullmatch(name):
            refuse("the plan", f"{name!r} is not a valid name of a server")
    for instance in plan.instances:
        is_there = instance.server in plan.servers if plan.servers else not instance.server
        if not is_there or instance.name != full(instance.server, instance.local) or not instance.local:
            refuse(f"the instance {instance.name!r}", "it is of another server than it says")


def _check_routing(plan: Plan) -> None:
    """What is said of messages is about instances of the plan, each kind once, and about a difference.

    That it is true cannot be checked: bots that are in sync are not in a plan.
    """
    names = {instance.name for instance in plan.instances}
    for one in plan.routing or ():
        where = "the routing of a message"
        for answers in (one.before, one.after):
            kinds = [each.kind for each in answers]
            if not KINDS.keys() >= set(kinds):
                refuse(where, "it is about a kind of bot that does not exist")
            refuse_duplicates(where, "the kind", kinds)
        if one.before == one.after or not one.instances or not names >= set(one.instances):
            refuse(where, "it is no difference, or about an instance that is not in the plan")


def _check_moves(plan: Plan) -> None:
    """A bot that moves is created on one instance and deleted on the other, and both say so."""
    ends = {
        (change.instance, change.other, change.bot): change
        for change in plan.changes()
        if change.other and change.of is Of.BOT
    }
    for (here, there, bot), change in ends.items():
        verb = {Verb.MOVE: Verb.DELETE, Verb.DELETE: Verb.MOVE}.get(change.verb)
        other = ends.get((there, here, bot))
        if verb is not None and (other is None or other.verb is not verb):
            refuse_change(change, f"it moves, and {there!r} has no {verb.value} of it")
    for change in plan.changes():
        if change.verb is Verb.MOVE and not change.other:
            refuse_change(change, "it does not say from where it moves")


def _check_approval(plan: Plan) -> None:
    """What exceeds a limit is deleted only when exactly this was approved."""
    if plan.approval and not _APPROVAL.fullmatch(plan.approval):
        refuse("the plan", "its approval is not valid")
    if plan.approved and plan.approval != approval(plan):
        refuse("the plan", "what was approved is not what it does")
    if plan.limits and (plan.approved or any(True for _ in deletes(plan))):
        refuse("the plan", "it exceeds a limit, and deletes")


def _check_credentials_made(plan: Plan) -> None:
    """A credential that a call uses and that has no id yet must be made by a call of the plan."""
    calls = [(instance, step) for instance in plan.instances for step in instance.steps]
    made = {
        NEW_CREDENTIAL + str(step.body.get("name")) for _, step in calls if step.call is Call.NEW_CREDENTIAL
    }
    for instance, step in calls:
        if str(name := step.body.get(CREDS, "")).startswith(NEW_CREDENTIAL) and name not in made:
            refuse(f"{step.bot} on {instance.name!r}", "no call creates the credential that it uses")


def _check_instance(instance: InstancePlan) -> None:
    where = f"the instance {instance.name!r}"
    if not instance.name or instance.in_sync < 0:
        refuse(where, "it has no name, or a negative number of bots in sync")
    if instance.problem is not None and (instance.changes or instance.steps or instance.in_sync):
        refuse(where, "it could not be read, and has changes")
    others = instance.unverified.keys() - instance.credentials.keys()
    if {name.partition(" of ")[0] for name in others} - _SECRET_FIELDS:
        refuse(where, "an unverified key belongs to no credential")


def _check_places(instance: InstancePlan) -> None:
    for change in instance.changes:
        if change.at is not None and min(change.at.line, change.at.column) < 1:
            refuse_change(change, "its line or column is less than 1")


def _checked_writes(instance: InstancePlan) -> Mapping[str, Change]:
    """The changes that write, by label. Each bot, credential and row of settings has one at most.

    What is written is not reported as well, but for a bot that is switched off and stays so; and each call
    belongs to a change that writes.
    """
    where = f"the instance {instance.name!r}"
    writes = {change.label: change for change in instance.changes if change.verb.writes}
    refuse_duplicates(where, "the change of", [c.label for c in instance.changes if c.verb.writes])
    ids = {id for change in writes.values() if change.of is Of.BOT for id in change.ids}
    for change in instance.changes:
        if change.verb.writes or change.of is not Of.BOT:
            continue
        if change.verb is Verb.SWITCHED_OFF:
            _check_switched_off(change, writes.get(change.label))
            continue
        if change.label in writes and writes[change.label].of is Of.BOT:
            refuse_change(change, f"it is written, and reported as {change.verb.value}")
        if change.verb is not Verb.CONFLICT and ids & set(change.ids):
            refuse_change(change, f"it is reported as {change.verb.value}, and written")
    for step in instance.steps:
        if step.bot not in writes:
            refuse(f"{step.bot} on {instance.name!r}", f"no change needs the call {step.call.value!r}")
    return writes


def _check_switched_off(change: Change, write: Change | None) -> None:
    """It is off, and what else is written to it leaves it off."""
    if change.before is None or change.ids != (change.before.id,):
        refuse_change(change, "it does not say which bot is switched off")
    if change.before.fields.get("enabled") is not False:
        refuse_change(change, "it is reported as switched off, and is on")
    if write is None:
        return
    if write.ids != change.ids or write.verb is Verb.DELETE:
        refuse_change(
            change, f"it is reported as switched off, and another bot or its {write.verb.value} is written"
        )
    if any(field.name == "enabled" and field.after is not False for field in write.fields):
        refuse_change(change, "it is reported as switched off, and switched on")


def _check_kinds(change: Change, steps: Sequence[Step]) -> None:
    """Each call takes the route of the bot that it is about."""
    if change.of is Of.CREDENTIAL and not change.kind.credential:
        refuse_change(change, f"{change.kind.label} bots have no credentials")
    if change.changes_kind and change.verb is not Verb.REPLACE:
        refuse_change(change, f"it is of another kind before, and its {change.verb.value} is no replace")
    for step in steps:
        bot = change.before if step.call.deletes and change.of is Of.BOT else None
        if step.kind is not (change.kind if bot is None else bot.kind):
            refuse_change(change, f"the call {step.call.value!r} is one of another kind of bot")


def _check_change(change: Change, steps: Sequence[Step], writes: Mapping[str, Change], owner: str) -> None:
    _check_kinds(change, steps)
    fields.check(change, steps, owner)
    for step in steps:
        if (step.secret is not None) != (step.call is Call.NEW_CREDENTIAL):
            refuse_change(change, f"the call {step.call.value!r} has a key, or lacks one")
        if step.merge and not (step.call is Call.SETTINGS and "ignoreJids" in step.body):
            refuse_change(change, f"the call {step.call.value!r} merges nothing")
    match change.of:
        case Of.BOT:
            bots.check(change, steps, owner)
        case Of.CREDENTIAL:
            credentials.check(change, steps)
        case Of.SETTINGS:
            settings.check(change, steps, writes)
