"""Which bots `reconciler disable` and `enable` name, and the plan that switches them. Pure.

Knows no manifest. A bot is ours by its marker, as in every plan, and is named by the name in that. A bot
without a marker can be named by its id; one with another owner's marker cannot be switched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from reconciler.domain import markers
from reconciler.domain.desired import DesiredInstance
from reconciler.domain.errors import Position, ReconcilerError
from reconciler.domain.kinds import DEFAULT, Value
from reconciler.domain.observed import ObservedInstance, RemoteBot, not_understood
from reconciler.domain.plan import Call, Change, InstancePlan, Step, Verb, bot_label
from reconciler.domain.records import dataclass, replace
from reconciler.domain.text import quoted
from reconciler.domain.uniqueness import describe, holds, takes
from reconciler.plan import differ
from reconciler.plan.matching import Matches, called, match

_ID = "id:"
_NOWHERE = Position("", 1, 1)


@dataclass(frozen=True, slots=True)
class Address:
    """What names bots. bot: a name or a glob of names; with is_id, a bot's id. instance: a name or a glob."""

    bot: str
    instance: str
    is_id: bool = False

    @property
    def exact(self) -> bool:
        """Whether it names one bot of one instance."""
        return self.names_bot and not is_glob(self.instance)

    @property
    def names_bot(self) -> bool:
        """Whether it names the bot itself, rather than some that a glob matches."""
        return self.is_id or not is_glob(self.bot)

    def __str__(self) -> str:
        return f"{_ID if self.is_id else ''}{self.bot}@{self.instance}"


def address(text: str) -> Address:
    """The address in BOT@INSTANCE or id:ID@INSTANCE. Raises ReconcilerError."""
    bot, at, instance = text.partition("@")  # an instance's name may hold another @, a bot's cannot
    is_id = bot.startswith(_ID)
    bot = bot.removeprefix(_ID)
    if not (at and bot and instance):
        raise ReconcilerError(f"{quoted(text)} names no bot: write BOT@INSTANCE, such as menu@loja.")
    return Address(bot, instance, is_id)


def on_server(addresses: Sequence[Address], server: str) -> list[Address]:
    """What is named on one of several servers, where an instance is SERVER/INSTANCE; all on the only one."""
    if not server:
        return list(addresses)
    parts = [(each, *each.instance.partition("/")) for each in addresses]
    return [replace(each, instance=name) for each, named, _, name in parts if matches(server, named)]


def is_glob(text: str) -> bool:
    """Whether a text has a character that matches others."""
    return any(char in text for char in "*?[")


def matches(name: str, glob: str) -> bool:
    """Whether a glob, which may be a name that holds such a character, matches a name."""
    return name == glob or fnmatchcase(name, glob)


@dataclass(frozen=True, slots=True)
class Switch:
    """What is to be done: on or off. today: the day of the mark, as in 2026-11-28."""

    on: bool
    owner: str
    today: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A bot that was named. label: its name, or the id of one that is not ours.

    why: why nothing is to be done with it; "" for a bot that is to be switched.
    """

    instance: str
    label: str
    bot: RemoteBot
    ours: bool
    why: str = ""


def choose(
    addresses: Iterable[Address], observed: ObservedInstance, switch: Switch
) -> tuple[list[Choice], list[str]]:
    """The bots of one instance that are named, and a sentence about each that cannot be switched."""
    found: dict[str, Choice] = {}
    problems: dict[str, None] = {}
    matched = match(DesiredInstance(observed.name, (), _NOWHERE), observed.bots, switch.owner, DEFAULT)
    for each in addresses:
        if not matches(observed.name, each.instance):
            continue
        chosen, wrong = _named(each, observed.name, matched, switch)
        problems |= dict.fromkeys(wrong)
        for choice in chosen:
            known = found.get(choice.bot.id)
            if known is None or known.why:
                found[choice.bot.id] = choice
    refused = {id: why for id, one in found.items() if (why := _refused(one, observed.bots, switch))}
    possible = [one for id, one in found.items() if id not in refused]
    return sorted(possible, key=lambda choice: choice.label), [*problems, *refused.values()]


def _refused(choice: Choice, bots: Iterable[RemoteBot], switch: Switch) -> str:
    """Why the server would refuse to switch a bot, a sentence; "" where it would not."""
    if choice.why:
        return ""
    wanted = takes(choice.bot.kind, _target(choice, switch))
    for bot in bots:
        if bot.id == choice.bot.id or bot.kind is not choice.bot.kind:
            continue
        if claims := holds(bot.kind, bot.fields) & wanted:
            return (
                f"{choice.label}@{choice.instance} cannot be switched {'on' if switch.on else 'off'}: "
                f"{called(bot)} has {' and '.join(describe(claim) for claim in sorted(claims))} too, and the "
                "server refuses a change of either; delete one of them, or change it in the manager"
            )
    return ""


def unmatched(
    addresses: Iterable[Address], instances: Iterable[str], chosen: Sequence[Choice], switch: Switch
) -> list[str]:
    """A sentence for each address with a glob that matches none of the bots of these instances."""
    names = list(instances)
    return [
        f"no bot with the marker of {switch.owner} matches {quoted(str(each))}"
        for each in addresses
        if not each.exact
        and any(matches(name, each.instance) for name in names)
        and not any(_matches(each, choice) for choice in chosen)
    ]


def _matches(each: Address, choice: Choice) -> bool:
    same = choice.bot.id == each.bot if each.is_id else matches(choice.label, each.bot)
    return same and matches(choice.instance, each.instance)


def _named(each: Address, instance: str, matched: Matches, switch: Switch) -> tuple[list[Choice], list[str]]:
    """What one address names on one instance."""
    if each.is_id:
        return _by_id(each, instance, matched, switch)
    chosen = [
        _choice(instance, name, bot, switch, exact=each.names_bot)
        for name, bot in matched.orphans
        if matches(name, each.bot)
    ]
    wrong = [
        f"{name}@{instance} cannot be switched, as several bots have its marker: name one by its id, "
        + " or ".join(f"{_ID}{id}@{instance}" for id in several.ids)
        for name, several in matched.conflicts.items()
        if matches(name, each.bot)
    ]
    if not chosen and not wrong and each.exact:
        names = ", ".join(sorted({name for name, _ in matched.orphans} | matched.conflicts.keys()))
        there = f"its bots are {names}" if names else "it has no bot of ours"
        wrong = [f"{instance} has no bot {each.bot} with the marker of {switch.owner}: {there}"]
    return chosen, wrong


def _by_id(each: Address, instance: str, matched: Matches, switch: Switch) -> tuple[list[Choice], list[str]]:
    for name, bot in matched.orphans:
        if bot.id == each.bot:
            return [_choice(instance, name, bot, switch, exact=True)], []
    several = {id: name for name, conflict in matched.conflicts.items() for id in conflict.ids}
    for why, bot in matched.unmanaged:
        if bot.id != each.bot:
            continue
        if bot.unread:
            return [], [f"bot {bot.id} of {instance} cannot be switched: {not_understood(bot.unread)}"]
        if bot.id in several:
            return [_choice(instance, bot.id, bot, switch, exact=True, name=several[bot.id])], []
        if why != markers.NO_MARKER:
            return [], [f"bot {bot.id} of {instance} is not switched: {why}"]
        return [_choice(instance, bot.id, bot, switch, exact=True, name="")], []
    return [], [f"{instance} has no bot with the id {each.bot}"]


def _choice(
    instance: str, label: str, bot: RemoteBot, switch: Switch, *, exact: bool, name: str | None = None
) -> Choice:
    """exact: whether the bot itself was named. name: in its marker, where that is not its label."""
    text = str(bot.fields.get("description", ""))
    day = markers.switched_off(text, switch.owner)
    ours = name != ""
    why = ""
    if switch.on:
        if bot.fields.get("enabled") is True:
            why = "it is on already"
        elif not day and not exact:
            why = "it was not switched off by `reconciler disable`; to switch it on, name it without a glob"
    elif bot.fields.get("enabled") is False:
        why = "it is off already"
        why += f", by `reconciler disable` on {day}" if day else ", and not by `reconciler disable`"
        if not day and ours:
            why += ": if its manifest has it on, an apply switches it on again"
    return Choice(instance, label, bot, ours, why)


def plan(observed: ObservedInstance, chosen: Sequence[Choice], switch: Switch) -> InstancePlan:
    """The plan that switches the bots of one instance that are not as they should be."""
    writes = [choice for choice in chosen if not choice.why]
    return InstancePlan(
        observed.name,
        tuple(_change(choice, switch) for choice in writes),
        tuple(_steps(writes, switch)),
        id=observed.id,
    )


def _change(choice: Choice, switch: Switch) -> Change:
    fields = differ.changes(choice.bot.fields, _target(choice, switch), choice.bot.kind)
    name = choice.label if choice.label != choice.bot.id else ""
    reason = f"it is switched {'on' if switch.on else 'off'} by hand"
    ids, kind = (choice.bot.id,), choice.bot.kind
    return Change(choice.instance, name, Verb.UPDATE, reason, ids, fields, before=choice.bot, kind=kind)


def _steps(chosen: Iterable[Choice], switch: Switch) -> Iterator[Step]:
    for choice in chosen:
        body = differ.update_body(choice.bot.fields, _target(choice, switch), choice.bot.kind)
        label = bot_label(choice.label, choice.bot.kind)
        yield Step(Call.UPDATE, label, choice.bot.id, body, kind=choice.bot.kind)


def _target(choice: Choice, switch: Switch) -> dict[str, Value]:
    """The bot as it is to become. Only a bot of ours has a description in which a mark can be left."""
    target = {**choice.bot.fields, "enabled": switch.on}
    if choice.ours:
        text = str(choice.bot.fields["description"])
        name = markers.name_of(text, switch.owner)
        target["description"] = markers.with_mark(text, switch.owner, name, "" if switch.on else switch.today)
    return target
