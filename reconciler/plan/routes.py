"""Who answers after a plan is applied, compared with who answers now. Pure.

What there will be is what was observed, with the plan's changes: what is blocked or in conflict stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import KINDS, Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Verb
from reconciler.domain.rerouted import Answered, Rerouted
from reconciler.domain.versions import NEWEST, Version, recognized, version
from reconciler.routing.difference import Difference, Outcome, compare
from reconciler.routing.values import Bot, Instance, Settings

_DECIDE = frozenset(
    {
        *("enabled", "triggerType", "triggerOperator", "triggerValue", "ignoreJids", "fallbackId"),
        *("listeningFromMe", "stopBotFromMe", "keywordFinish"),
    }
)
"""The fields that decide who answers."""

_FALLBACK = "fallbackId"


def decides(declared: Fields, there: Fields) -> bool:
    """Whether what is declared of a bot changes who answers."""
    return any(name in declared and declared[name] != there.get(name) for name in _DECIDE)


def compared(plan: Plan, observed: Observed) -> tuple[Rerouted, ...]:
    """The messages that are answered differently. The same ones are together, the worst come first."""
    newest = _version(observed.version)
    worlds = {}
    for one in plan.instances:
        writes = [change for change in one.changes if change.verb.writes and change.of is not Of.CREDENTIAL]
        if any(change.is_whole or _DECIDE & {field.name for field in change.fields} for change in writes):
            seen = observed.instances[one.name]
            names = _names(one, seen, plan.owner)
            before = _instance(seen, names, newest)
            merged = {step.bot for step in one.steps if step.merge}
            worlds[one.name] = before, _after(before, names, writes, merged)
    found: dict[Rerouted, list[str]] = {}
    for name, differences in compare(worlds, {}).items():
        for difference in differences:
            found.setdefault(_rerouted(difference), []).append(name)
    grouped = [_of(one, names) for one, names in found.items()]
    return tuple(sorted(grouped, key=lambda one: (not one.silenced, not one.doubled, len(one.instances))))


def _version(text: str) -> Version:
    return version(text) if recognized(text) else NEWEST


def _names(plan: InstancePlan, seen: ObservedInstance, owner: str) -> dict[str, str]:
    """What each bot is called, by its id: its manifest's name, else that in its marker, else its id."""
    names = {bot.id: _name(bot, owner) for bot in seen.bots}
    ours = (change for change in plan.changes if change.of is Of.BOT and change.bot)
    names |= {id: change.bot for change in ours for id in change.ids}
    number = Counter((bot.kind.path, names[bot.id]) for bot in seen.bots)
    return names | {bot.id: bot.id for bot in seen.bots if number[bot.kind.path, names[bot.id]] > 1}


def _name(bot: RemoteBot, owner: str) -> str:
    return markers.name_of(str(bot.fields.get("description", "")), owner) or bot.id


def _instance(seen: ObservedInstance, names: Mapping[str, str], version: Version) -> Instance:
    """What was observed."""
    settings = {
        path: Settings(row.fields, names.get(row.fallback or "", row.fallback or ""))
        for path, row in seen.settings.items()
        if row.exists
    }
    bots = tuple(Bot(names[bot.id], bot.kind, bot.fields) for bot in seen.bots if not bot.unread)
    return Instance(bots, settings, version)


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


def _of(one: Rerouted, names: Iterable[str]) -> Rerouted:
    return replace(one, instances=tuple(names))
