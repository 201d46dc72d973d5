"""Who answers after a plan is applied, compared with who answers now. Pure.

What there will be is what was observed, with the plan's changes: what is blocked or in conflict stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING

from reconciler.domain import markers, versions
from reconciler.domain.desired import Desired, Fields
from reconciler.domain.kinds import KINDS, Value
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.records import replace
from reconciler.domain.rerouted import Answered, Rerouted
from reconciler.domain.versions import Version
from reconciler.routing.sides import called
from reconciler.routing.sides import observed as now
from reconciler.routing.values import Bot, Instance, Settings

if TYPE_CHECKING:
    from reconciler.routing.difference import Difference, Outcome

_DECIDE = frozenset(
    {
        *("enabled", "triggerType", "triggerOperator", "triggerValue", "ignoreJids", "fallbackId"),
        *("listeningFromMe", "stopBotFromMe", "keywordFinish"),
    }
)
"""The fields that decide who answers."""

_FALLBACK = "fallbackId"

_HIDES_SETTINGS: Version = (2, 2, 3)
"""The version that hides fields of the settings."""


def decides(declared: Fields, there: Fields) -> bool:
    """Whether what is declared of a bot changes who answers."""
    return any(name in declared and declared[name] != there.get(name) for name in _DECIDE)


MOST = 200
"""Messages that a plan holds."""


def with_routing(plan: Plan, observed: Observed, desired: Desired) -> Plan:
    """The plan with the messages that are answered differently once it is applied, as many as it may hold."""
    return with_most(plan, compared(plan, observed, desired))


def with_most(plan: Plan, found: tuple[Rerouted, ...]) -> Plan:
    """The plan with these messages, as many as it may hold."""
    more = len(found) - MOST
    if more <= 0:
        return replace(plan, routing=found)
    note = f"{more} more messages are answered differently: `reconciler route` says who answers one"
    return replace(plan, routing=found[:MOST], notes=(*plan.notes, note))


def compared(plan: Plan, observed: Observed, desired: Desired) -> tuple[Rerouted, ...]:
    """The messages that are answered differently. The same ones are together, the worst come first.

    The messages of an instance's tests are among those that are looked at.
    """
    return ranked(discovered(plan, observed, desired))


def discovered(plan: Plan, observed: Observed, desired: Desired) -> tuple[Rerouted, ...]:
    """The same in the order of the first instance of each."""
    if not (changed := sides(plan, observed)):
        return ()
    from reconciler.routing.difference import compare  # noqa: PLC0415  slow to import
    from reconciler.routing.testing import messages  # noqa: PLC0415  slow to import

    given = {one.name: messages(one.tests) for one in desired.instances if one.tests}
    found: dict[Rerouted, list[str]] = {}
    for name, differences in compare(changed, given).items():
        for difference in differences:
            found.setdefault(_rerouted(difference), []).append(name)
    return tuple(replace(one, instances=tuple(names)) for one, names in found.items())


def ranked(found: Iterable[Rerouted]) -> tuple[Rerouted, ...]:
    """The worst first; else in their order."""
    return tuple(sorted(found, key=lambda one: (not one.silenced, not one.doubled, len(one.instances))))


def joined(parts: Iterable[Iterable[Rerouted]]) -> tuple[Rerouted, ...]:
    """What was discovered in the parts of a plan, as it would be in the whole; an instance is in one."""
    names: dict[Rerouted, list[str]] = {}
    places: dict[Rerouted, tuple[str, int]] = {}
    for part in parts:
        for number, one in enumerate(part):
            if one.instances:
                message = replace(one, instances=())
                names.setdefault(message, []).extend(one.instances)
                place = min(one.instances), number
                places[message] = min(place, places.get(message, place))
    found = sorted(names, key=lambda one: places[one])
    return tuple(replace(one, instances=tuple(sorted(names[one]))) for one in found)


def sides(plan: Plan, observed: Observed) -> dict[str, tuple[Instance, Instance]]:
    """What decides who answers, now and after the plan, of the instances where the plan changes that."""
    found = {}
    for one in plan.instances:
        writes = [change for change in one.changes if change.verb.writes and change.of is not Of.CREDENTIAL]
        if any(change.is_whole or _DECIDE & {field.name for field in change.fields} for change in writes):
            seen = observed.instances[one.name]
            names = _names(one, seen, plan.owner)
            before = now(seen, names, _version(observed.of(one.server).version, seen))
            merged = {step.bot for step in one.steps if step.merge}
            after = _after(before, names, writes, merged)
            found[one.name] = before, replace(after, settings={**_made(one.steps, seen), **after.settings})
    return found


def _made(steps: Iterable[Step], seen: ObservedInstance) -> dict[str, Settings]:
    """The settings that creates make where there are none: the first one of a kind gives its own values.

    The server makes them when something in its body is false, 0 or empty text, and OpenAI's always.
    """
    found: dict[str, Settings] = {}
    for step in steps:
        row = seen.settings_of(step.kind)
        if step.call is Call.CREATE and row is not None and not row.exists and step.kind.path not in found:
            copied = {
                name: value for name, value in step.body.items() if step.kind.fields[name].from_settings
            }
            if step.kind.credential or any(value in (False, 0, "") for value in copied.values()):
                found[step.kind.path] = Settings(copied)
    return found


def _version(text: str, seen: ObservedInstance) -> Version:
    """The server's; where it was not asked for, 2.2's is known by the settings that it does not show."""
    if versions.recognized(text):
        return versions.version(text)
    return _HIDES_SETTINGS if any(row.unseen for row in seen.settings.values()) else versions.NEWEST


def _names(plan: InstancePlan, seen: ObservedInstance, owner: str) -> dict[str, str]:
    """What each bot is called, by its id: its manifest's name, else that in its marker."""
    names = {bot.id: markers.name_of(str(bot.fields.get("description", "")), owner) for bot in seen.bots}
    ours = (change for change in plan.changes if change.of is Of.BOT and change.verb.writes)
    return called(seen, names | {id: change.bot for change in ours for id in change.ids})


def _after(
    before: Instance, names: Mapping[str, str], changes: Iterable[Change], merged: Set[str]
) -> Instance:
    """What there will be. merged: the labels of settings whose ignoreJids are added."""
    bots: dict[tuple[str, str], Bot] = {(bot.kind.path, bot.name): bot for bot in before.bots}
    settings = dict(before.settings)
    for change in changes:
        place = change.kind.path, change.bot
        if change.of is Of.SETTINGS:
            settings[place[0]] = _saved(settings.get(place[0]), change, merges=change.label in merged)
            continue
        old = None
        if change.before is not None:
            old = bots.pop((change.before.kind.path, names.get(change.before.id, change.bot)), None)
        if change.verb is Verb.DELETE:
            continue
        fields = {} if old is None or change.changes_kind else dict(old.fields)
        bots[place] = Bot(change.bot, change.kind, _changed(fields, change))
    for path, row in settings.items():  # deleting a bot clears the fallback that points to it
        if row.fallback and (path, row.fallback) not in bots:
            settings[path] = replace(row, fallback="")
    return Instance(tuple(bots.values()), settings, before.version)


def _changed(fields: dict[str, Value], change: Change) -> Fields:
    for field in change.fields:
        if field.after is None:
            fields.pop(field.name, None)
        else:
            fields[field.name] = field.after
    return fields


def _saved(row: Settings | None, change: Change, *, merges: bool) -> Settings:
    """The settings as they are to be. merges: JIDs are added to those that are there."""
    row = row or Settings()
    fields, fallback = dict(row.fields), row.fallback
    for field in change.fields:
        if field.name == _FALLBACK:
            fallback = str(field.after or "")
        elif field.after is not None:
            there = fields.get(field.name)
            more = merges and isinstance(there, tuple) and isinstance(field.after, tuple)
            fields[field.name] = (*there, *field.after) if more else field.after  # type: ignore[misc]  # a tuple
    return Settings(fields, fallback)


def _rerouted(difference: Difference) -> Rerouted:
    message = difference.message
    before, after = (_answered(each) for each in (difference.before, difference.after))
    return Rerouted((), message.text, message.jid, message.from_me, difference.other, before, after)


def _answered(outcomes: Mapping[str, Outcome]) -> tuple[Answered, ...]:
    return tuple(
        Answered(path, tuple(sorted(one.bots)), one.certain, one.undecided)
        for path in KINDS
        if (one := outcomes.get(path)) is not None
    )
