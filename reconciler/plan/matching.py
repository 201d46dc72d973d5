"""Which remote bot is which manifest's. Pure.

A bot on the server has no name, only a description of at most 255 characters, so ownership is a marker
in it: `Front desk [gitops:atendimento]`, with a stamp of the last apply behind it. A bot is matched by the
first that fits:

    our marker with its name           it is ours
    our marker with a previous name    it is ours and was renamed
    no marker, the server's own key    an adoption (assistantId, or model and maxTokens)
    no marker, the same trigger        an adoption

Two candidates are a conflict, never a guess. A bot with another owner's marker is nobody's to touch, nor is
one whose row is not understood; and what such a one may be is not made.
The order in which the server lists its bots does not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.domain import markers
from reconciler.domain.desired import DesiredBot, DesiredInstance, Fields
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.markers import NO_MARKER, owners
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.uniqueness import key_claim


class How(StrEnum):
    """What a match rests on."""

    MARKER = "marker"
    RENAME = "rename"
    KEY = "key"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Found:
    """The remote bot that a declared one is, and how that is known."""

    remote: RemoteBot
    how: How
    old_name: str = ""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Why a declared bot cannot be matched, and the ids that it is about."""

    reason: str
    ids: tuple[str, ...]


@dataclass(slots=True)
class Matches:
    """Every remote bot of an instance is in exactly one of found, orphans and strangers.

    found: by the declared bot's name. conflicts: by the name in the marker, declared or not; a declared
    bot in neither is missing on the server. orphans: our marker, but nothing declares it: (name, bot).
    strangers: everything else, with the reason why it is left alone.
    """

    found: dict[str, Found] = field(default_factory=dict)
    conflicts: dict[str, Ambiguous] = field(default_factory=dict)
    orphans: list[tuple[str, RemoteBot]] = field(default_factory=list)
    unmanaged: list[tuple[str, RemoteBot]] = field(default_factory=list)


def match(
    desired: DesiredInstance, remote: Collection[RemoteBot], owner: str, kind: Kind = OPENAI
) -> Matches:
    """Match an instance's declared bots with the bots on the server."""
    result = Matches()
    ours: dict[str, list[RemoteBot]] = {}
    unmarked: list[RemoteBot] = []
    unread = sorted((bot for bot in remote if bot.unread), key=lambda bot: (not bot.id, bot.id, bot.unread))
    ours_re = markers.pattern(owner)
    declared = {bot.name: bot.name for bot in desired.bots}
    for bot_ in desired.bots:
        declared |= {name: bot_.name for name in bot_.previously if name not in declared}
    for bot in sorted((bot for bot in remote if not bot.unread), key=lambda bot: bot.id):
        description = str(bot.fields.get("description", ""))
        if "[" not in description:
            unmarked.append(bot)
            continue
        names = {name.lower() for name, *_ in ours_re.findall(description)}
        foreign = {other for other in owners(description) if other.lower() != owner.lower()}
        if foreign:
            whose = f"the marker of the owner {', '.join(sorted(foreign))}"
            result.unmanaged.append((f"it carries {whose}", bot))
        elif len(names) > 1:
            whose = f"the markers of {' and '.join(sorted(names))}"
            result.unmanaged.append((f"it carries {whose}", bot))
        elif names:
            ours.setdefault(names.pop(), []).append(bot)
        else:
            unmarked.append(bot)
        if foreign or len(names) > 1:
            for name in names & declared.keys():
                result.conflicts[declared[name]] = Ambiguous(
                    f"bot {bot.id} carries its marker, but also {whose}: "
                    "leave the right one in its description",
                    (bot.id,),
                )

    _unread(unread, declared, owner, result)
    _by_marker(desired, ours, result)
    _not_shown(desired, unread, result)
    _by_key(desired, unmarked, result, kind)
    for name in sorted(ours):
        if len(ours[name]) == 1:
            result.orphans.append((name, ours[name][0]))
        else:
            _duplicates(name, [(name, bot) for bot in ours[name]], result)
    result.unmanaged.extend((NO_MARKER, bot) for bot in unmarked)
    return result


def _unread(unread: list[RemoteBot], declared: Mapping[str, str], owner: str, result: Matches) -> None:
    """Bots whose rows are not understood are nobody's to touch; the one that has its marker is in conflict.

    declared: the bots' names, by their own and their previous ones.
    """
    for bot in unread:
        why = not_understood(bot.unread)
        result.unmanaged.append((why, bot))
        found = markers.pattern(owner).findall(str(bot.fields.get("description", "")))
        for name in {name.lower() for name, *_ in found} & declared.keys():
            reason = f"{called(bot)} carries its marker, and {why}"
            result.conflicts[declared[name]] = Ambiguous(reason, (bot.id,) if bot.id else ())


def _not_shown(desired: DesiredInstance, unread: list[RemoteBot], result: Matches) -> None:
    """A bot that is not found may be one whose marker the server does not show: then it is not made."""
    if hidden := [bot for bot in unread if not {"description", "it"}.isdisjoint(dict(bot.unread))]:
        ids = tuple(bot.id for bot in hidden if bot.id)
        for bot in desired.bots:
            if bot.name not in result.found and bot.name not in result.conflicts:
                reason = f"{called(hidden[0])} may be it: {not_understood(hidden[0].unread)}"
                result.conflicts[bot.name] = Ambiguous(reason, ids)


def called(bot: RemoteBot) -> str:
    """A bot of the server for a sentence."""
    return f"bot {bot.id}" if bot.id else "a bot without a usable id"


def _by_marker(desired: DesiredInstance, ours: dict[str, list[RemoteBot]], result: Matches) -> None:
    """Take what carries the name of a declared bot, or a previous one, out of ours."""
    declared = {bot.name for bot in desired.bots}
    for bot in desired.bots:
        if bot.name in result.conflicts:
            for candidate in ours.pop(bot.name, ()):
                result.unmanaged.append(
                    (f"it carries the marker of {bot.name} as another bot does", candidate)
                )
            continue
        names = (
            (bot.name,)
            if bot.name in ours
            else tuple(p for p in bot.previously if p in ours and p not in declared)
        )
        candidates = [(name, candidate) for name in names for candidate in ours[name]]
        if len(candidates) > 1:
            _duplicates(bot.name, candidates, result)
        elif candidates:
            [(name, candidate)] = candidates
            how = How.MARKER if name == bot.name else How.RENAME
            result.found[bot.name] = Found(candidate, how, name if how is How.RENAME else "")
        for name in names:
            del ours[name]


def _duplicates(name: str, candidates: list[tuple[str, RemoteBot]], result: Matches) -> None:
    """Several bots that carry one bot's marker: a conflict, and none of them is touched."""
    ids = tuple(candidate.id for _, candidate in candidates)
    result.conflicts[name] = Ambiguous(
        f"bots {' and '.join(ids)} carry its marker: delete all but one, or take the marker out of the "
        "others' descriptions",
        ids,
    )
    for marker, candidate in candidates:
        result.unmanaged.append((f"it carries the marker of {marker}, as another bot does", candidate))


def _by_key(desired: DesiredInstance, unmarked: list[RemoteBot], result: Matches, kind: Kind) -> None:
    """Adopt by the server's unique key, then by the trigger; what is adopted leaves unmarked."""
    missing = [
        bot for bot in desired.bots if bot.name not in result.found and bot.name not in result.conflicts
    ]
    triggers: dict[tuple[object, ...], list[RemoteBot]] = {}
    keys: dict[tuple[object, ...], list[RemoteBot]] = {}
    if missing and unmarked:
        for stranger in unmarked:
            if (trigger := _trigger(stranger.fields)) is not None:
                triggers.setdefault(trigger, []).append(stranger)
            if (key := key_claim(kind, stranger.fields)) is not None:
                keys.setdefault(key, []).append(stranger)
    taken: set[str] = set()

    def adopt(bot: DesiredBot, candidates: list[RemoteBot], how: How) -> None:
        # Candidates of a conflict are taken too: one fewer by another's adoption would settle it by chance.
        taken.update(candidate.id for candidate in candidates)
        if len(candidates) == 1:
            result.found[bot.name] = Found(candidates[0], how)
        elif candidates:
            ids = tuple(candidate.id for candidate in candidates)
            what = "key" if how is How.KEY else "trigger"
            result.conflicts[bot.name] = Ambiguous(
                f"bots {' and '.join(ids)} both have its {what} and no marker: put the marker into the "
                "description of the right one, or delete the other",
                ids,
            )

    for bot in missing:
        key = key_claim(kind, bot.fields)
        adopt(bot, keys.get(key, []) if key else [], How.KEY)
    for bot in missing:
        if bot.name in result.conflicts or (trigger := _trigger({"enabled": True, **bot.fields})) is None:
            continue
        candidates = [candidate for candidate in triggers.get(trigger, []) if candidate.id not in taken]
        if bot.name not in result.found:
            adopt(bot, candidates, How.TRIGGER)
        elif candidates:
            taken.update(candidate.id for candidate in candidates)
            ids = (result.found.pop(bot.name).remote.id, *(candidate.id for candidate in candidates))
            result.conflicts[bot.name] = Ambiguous(
                f"bot {ids[0]} has its key and bot {' and '.join(ids[1:])} its trigger, both without a "
                "marker: delete one, or change what is declared",
                ids,
            )
    adopted = {found.remote.id for found in result.found.values()}
    unmarked[:] = [stranger for stranger in unmarked if stranger.id not in adopted]


def _trigger(fields: Fields) -> tuple[object, ...] | None:
    """What makes a bot start, where that identifies it: none and a disabled all do not."""
    match fields.get("triggerType"):
        case "keyword":
            return ("keyword", fields.get("triggerOperator"), fields.get("triggerValue"))
        case "advanced":
            return ("advanced", fields.get("triggerValue"))
        case "all" if fields.get("enabled"):
            return ("all",)
    return None


def needs_settings(
    desired: DesiredInstance, remote: Collection[RemoteBot], owner: str, *, replace: bool = False
) -> bool:
    """Whether a create may come, which is completed from the instance's settings."""
    if replace or any(bot.on_drift == "replace" for bot in desired.bots):
        return True
    found: Mapping[str, Found] = match(desired, remote, owner).found
    return any(bot.name not in found for bot in desired.bots)
