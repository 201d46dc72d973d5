"""Which remote bot is which manifest's. Pure.

A bot on the server has no name, only a description of at most 255 characters, so ownership is a marker
in it: `Front desk [gitops:atendimento]`, followed by a stamp of the last apply. A bot is matched by the first
of these that fits:

    our marker with its name           it is ours
    our marker with a previous name    it is ours and was renamed
    no marker, the server's own key    an adoption (assistantId, or model and maxTokens; apiUrl and apiKey)
    no marker, the same trigger        an adoption

Two candidates are a conflict, never a guess. A bot with another owner's marker is never touched, nor is one
whose row is not understood; and a declared bot that may be such a one is not created. The order in which the
server lists its bots does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from reconciler.domain import hidden, markers
from reconciler.domain.desired import DesiredBot, DesiredInstance, Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.markers import NO_MARKER, owners
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.records import dataclass, field
from reconciler.domain.uniqueness import key_claim
from reconciler.plan import routes
from reconciler.plan.differ import same


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
    """Every remote bot of an instance is in exactly one of found, orphans and unmanaged.

    found: by the declared bot's name. conflicts: by the name in the marker, declared or not; a declared bot
    in neither is missing on the server. orphans: our marker, but nothing declares it: (name, bot). unmanaged:
    all others, with the reason why they are left alone: (reason, bot).
    """

    found: dict[str, Found] = field(default_factory=dict)
    conflicts: dict[str, Ambiguous] = field(default_factory=dict)
    orphans: list[tuple[str, RemoteBot]] = field(default_factory=list)
    unmanaged: list[tuple[str, RemoteBot]] = field(default_factory=list)


def match(desired: DesiredInstance, remote: Collection[RemoteBot], owner: str, kind: Kind) -> Matches:
    """Match an instance's declared bots of a kind with the bots on the server."""
    result = Matches()
    declared = {bot.name: bot.name for bot in desired.bots}
    for bot in desired.bots:
        declared |= {name: bot.name for name in bot.previously if name not in declared}
    unread = sorted((bot for bot in remote if bot.unread), key=lambda bot: (not bot.id, bot.id, bot.unread))
    readable = sorted((bot for bot in remote if not bot.unread), key=lambda bot: bot.id)
    ours, unmarked = _by_owner(readable, declared, owner, result)
    _unread(unread, declared, owner, result)
    _by_marker(desired, ours, result)
    _not_shown(desired, unread, result)
    _adopt(desired, unmarked, result, kind)
    for name, bots in sorted(ours.items()):
        if len(bots) == 1:
            result.orphans.append((name, bots[0]))
        else:
            _duplicates(name, [(name, each) for each in bots], result)
    adopted = {found.remote.id for found in result.found.values()}
    result.unmanaged.extend((NO_MARKER, each) for each in unmarked if each.id not in adopted)
    return result


def _by_owner(
    bots: Iterable[RemoteBot], declared: Mapping[str, str], owner: str, result: Matches
) -> tuple[dict[str, list[RemoteBot]], list[RemoteBot]]:
    """Our bots by the name in their marker, and the bots without a marker.

    A bot with another owner's marker, or with several of ours, is unmanaged; a declared bot whose marker it
    carries is in conflict. declared: the declared bots' names, by these and by their previous ones.
    """
    ours: dict[str, list[RemoteBot]] = {}
    unmarked: list[RemoteBot] = []
    for bot in bots:
        description = str(bot.fields.get("description", ""))
        if "[" not in description:
            unmarked.append(bot)
            continue
        names = {name.lower() for name, *_ in markers.pattern(owner).findall(description)}
        foreign = {other for other in owners(description) if other.lower() != owner.lower()}
        if foreign:
            whose = f"the marker of the owner {', '.join(sorted(foreign))}"
        elif len(names) > 1:
            whose = f"the markers of {' and '.join(sorted(names))}"
        elif names:
            ours.setdefault(names.pop(), []).append(bot)
            continue
        else:
            unmarked.append(bot)
            continue
        result.unmanaged.append((f"it carries {whose}", bot))
        for name in names & declared.keys():
            result.conflicts[declared[name]] = Ambiguous(
                f"bot {bot.id} carries its marker, but also {whose}: leave the right one in its description",
                (bot.id,),
            )
    return ours, unmarked


def _unread(unread: Iterable[RemoteBot], declared: Mapping[str, str], owner: str, result: Matches) -> None:
    """Report bots whose rows are not understood, and declared bots whose markers they carry as conflicts."""
    for bot in unread:
        why = not_understood(bot.unread)
        result.unmanaged.append((why, bot))
        found = markers.pattern(owner).findall(str(bot.fields.get("description", "")))
        for name in {name.lower() for name, *_ in found} & declared.keys():
            reason = f"{called(bot)} carries its marker, and {why}"
            result.conflicts[declared[name]] = Ambiguous(reason, (bot.id,) if bot.id else ())


def _not_shown(desired: DesiredInstance, unread: Iterable[RemoteBot], result: Matches) -> None:
    """A missing bot may be one whose marker the server does not show: then it is not created."""
    if hidden := [bot for bot in unread if not {"description", "it"}.isdisjoint(dict(bot.unread))]:
        ids = tuple(bot.id for bot in hidden if bot.id)
        for bot in _missing(desired, result):
            reason = f"{called(hidden[0])} may be it: {not_understood(hidden[0].unread)}"
            result.conflicts[bot.name] = Ambiguous(reason, ids)


def _missing(desired: DesiredInstance, result: Matches) -> list[DesiredBot]:
    """The declared bots that are not found so far."""
    return [bot for bot in desired.bots if bot.name not in result.found and bot.name not in result.conflicts]


def called(bot: RemoteBot) -> str:
    """A bot of the server for a sentence."""
    return f"bot {bot.id}" if bot.id else "a bot without a usable id"


def _by_marker(desired: DesiredInstance, ours: dict[str, list[RemoteBot]], result: Matches) -> None:
    """Find bots by their name, or a previous one, in our marker. Those that are found leave ours."""
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


# -- adoption ---------------------------------------------------------------------------------


def _adopt(desired: DesiredInstance, unmarked: Iterable[RemoteBot], result: Matches, kind: Kind) -> None:
    """Find missing bots among those without a marker: by the server's unique key, then by the trigger."""
    missing = _missing(desired, result)
    if not missing:
        return
    by_key = _grouped(unmarked, lambda fields: _key(kind, fields))
    by_trigger = _grouped(unmarked, _trigger)
    taken: set[str] = set()
    for bot in missing:
        candidates = by_key.get(_key(kind, bot.fields)) or _with_parts(bot, unmarked)
        _adopt_one(bot, candidates, How.KEY, taken, result)
    for bot in missing:
        if bot.name in result.conflicts:
            continue
        trigger = _trigger({"enabled": True, **bot.fields})
        candidates = [each for each in by_trigger.get(trigger, []) if each.id not in taken]
        if bot.name not in result.found:
            _adopt_one(bot, candidates, How.TRIGGER, taken, result)
        elif candidates:
            taken.update(each.id for each in candidates)
            ids = (result.found.pop(bot.name).remote.id, *(each.id for each in candidates))
            result.conflicts[bot.name] = Ambiguous(
                f"bot {ids[0]} has its key and bot {' and '.join(ids[1:])} its trigger, both without a "
                "marker: delete one, or change what is declared",
                ids,
            )


def _with_parts(bot: DesiredBot, unmarked: Iterable[RemoteBot]) -> list[RemoteBot]:
    """The bots that may have the key of a declared one, of which a part is a secret that is not at hand.

    That part may be whatever is there. So the bots must start alike too; and of several, or where no part is
    known, nothing that is declared may differ.
    """
    key = [name for name in bot.kind.key(bot.fields) if name in bot.fields]
    if not any(hidden.unknown(bot.fields[name]) for name in key):
        return []
    names = (*key, "triggerType", *bot.kind.trigger_parts[str(bot.fields["triggerType"])])
    alike = [each for each in unmarked if _same(bot, each, names)]
    equal = [each for each in alike if _same(bot, each, bot.fields)]
    is_known = any(not hidden.unknown(bot.fields[name]) for name in key if name != "botType")
    return equal if len(equal) == 1 or not is_known else alike


def _same(bot: DesiredBot, remote: RemoteBot, names: Iterable[str]) -> bool:
    return all(same(remote.fields.get(name), bot.fields.get(name)) for name in names)


def _grouped(
    bots: Iterable[RemoteBot], key: Callable[[Fields], tuple[object, ...] | None]
) -> dict[tuple[object, ...] | None, list[RemoteBot]]:
    """The bots by a key of their fields, without those that have none."""
    found: dict[tuple[object, ...] | None, list[RemoteBot]] = {}
    for bot in bots:
        if (value := key(bot.fields)) is not None:
            found.setdefault(value, []).append(bot)
    return found


def _adopt_one(
    bot: DesiredBot, candidates: Sequence[RemoteBot], how: How, taken: set[str], result: Matches
) -> None:
    """Take the one candidate for the bot; several are a conflict.

    The candidates of a conflict are taken too, or another bot's adoption would settle it by chance.
    """
    ids = tuple(candidate.id for candidate in candidates)
    taken.update(ids)
    if len(candidates) == 1:
        result.found[bot.name] = Found(candidates[0], how)
    elif candidates:
        what = "key" if how is How.KEY else "trigger"
        result.conflicts[bot.name] = Ambiguous(
            f"bots {' and '.join(ids)} both have its {what} and no marker: put the marker into the "
            "description of the right one, or delete the other",
            ids,
        )


def _key(kind: Kind, fields: Fields) -> tuple[object, ...] | None:
    """What identifies a bot; an empty part is none, as everywhere where bots are compared."""
    return key_claim(kind, {name: value for name, value in fields.items() if value != ""})


def _trigger(fields: Fields) -> tuple[object, ...] | None:
    """What starts a bot, where that identifies it: none and a disabled all do not."""
    match fields.get("triggerType"):
        case "keyword":
            return ("keyword", fields.get("triggerOperator"), fields.get("triggerValue"))
        case "advanced":
            return ("advanced", fields.get("triggerValue"))
        case "all" if fields.get("enabled"):
            return ("all",)
    return None


def needs_settings(
    desired: DesiredInstance,
    remote: Collection[RemoteBot],
    owner: str,
    kind: Kind,
    *,
    replace: bool = False,
) -> bool:
    """Whether the settings of this kind matter for a plan. desired, remote: of this kind.

    A create is completed from them, and they say who answers where no trigger matches.
    """
    if replace or any(bot.on_drift == "replace" for bot in desired.bots):
        return True
    matches = match(desired, remote, owner, kind)
    if matches.orphans or any(bot.name not in matches.found for bot in desired.bots):
        return True
    return any(routes.decides(bot.fields, matches.found[bot.name].remote.fields) for bot in desired.bots)
