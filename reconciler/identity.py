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

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from reconciler.kinds import OPENAI, Kind
from reconciler.model import DesiredBot, DesiredInstance, Fields, RemoteBot, not_understood
from reconciler.rules import key_claim

OWNER = re.compile(r"(?=[0-9_.-]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
"""What an owner may be called: not digits alone, so that `[8:18]` is a time of day."""

_ANY = re.compile(
    r"\[\s*([a-z0-9][a-z0-9_.-]{0,31})\s*:\s*([a-z0-9][a-z0-9-]*)\s*\](~[0-9a-f]{8}\b)?", re.IGNORECASE
)
_AT_THE_END = re.compile(r"(?:~\w*)?[\s.,;:!?)…]*")
NO_MARKER = "it carries no marker"
"""Why most strangers are left alone."""

LIMIT = 255
"""Characters of a description."""

STAMP_LENGTH = len("~") + 8
_STAMP = r"(?:~([0-9a-f]{4})([0-9a-f]{4})\b)?"


@cache
def _ours(owner: str) -> re.Pattern[str]:
    """Our own marker is found even where a person has changed its case or spacing."""
    return re.compile(rf"\[\s*{re.escape(owner)}\s*:\s*([a-z0-9][a-z0-9-]*)\s*\]{_STAMP}", re.IGNORECASE)


def owners(description: str) -> set[str]:
    """Whose markers a description carries, of any owner: what an apply writes, and what a person left of it.

    An apply always leaves a stamp, so a marker with a stamp is one wherever it stands. One without was put
    there by hand, to bind a bot: it is one at the end, if its owner begins with a letter. `[8:18]` and
    `[tel:4002] Front desk` are a person's words.
    """
    found: set[str] = set()
    last: set[str] = set()  # those of the markers with which the text may end
    at = 0
    for each in _ANY.finditer(description):
        if not _AT_THE_END.fullmatch(description, at, each.start()):
            last.clear()
        at = each.end()
        if each[3]:
            found.add(each[1])
        elif each[1][0].isalpha() and each[0] == f"[{each[1]}:{each[2].lower()}]":
            last.add(each[1])
    return found | last if _AT_THE_END.fullmatch(description, at) else found


def claimed(text: str) -> str:
    """The first of what an owner could take for its marker in a text; "" where there is none."""
    for each in _ANY.finditer(text):
        if each[3] or each[1][0].isalpha():
            return each[0]
    return ""


def describe(text: str, owner: str, name: str) -> str:
    """The description to be stored: the human's text, then the marker. What is too long costs the text.

    There is always room left for a stamp, which comes with the next write.
    """
    marker = f"[{owner}:{name}]"
    text = text.rstrip()
    if not text:
        return marker
    room = LIMIT - STAMP_LENGTH - len(marker) - 1
    if len(text) > room:
        text = text[: room - 1].rstrip() + "…"
    return f"{text} {marker}"


def with_stamp(description: str, owner: str, name: str, stamp: str) -> str:
    """The description with a stamp behind our marker, in the place of the one that may be there."""
    stamped = _ours(owner).sub(lambda _: f"[{owner}:{name}]{stamp}", description)
    if len(stamped) <= LIMIT:
        return stamped
    return describe(human_text(description, owner), owner, name) + stamp


def human_text(description: str, owner: str) -> str:
    """The description without our marker."""
    if not _ours(owner).search(description):
        return description.strip()
    return re.sub(r"[ \t]{2,}", " ", _ours(owner).sub(" ", description)).strip()


def name_of(description: str, owner: str) -> str:
    """The name in our marker; "" where it is not ours."""
    found = _ours(owner).search(description)
    return found[1].lower() if found else ""


def marked(description: str, owner: str, name: str) -> bool:
    """Whether the description carries exactly our marker for this name, in the form that we write."""
    return len(_ours(owner).findall(description)) == 1 and f"[{owner}:{name}]" in description


def unstamped(description: str, owner: str) -> str:
    """The description without the stamp after our marker."""
    return _ours(owner).sub(lambda found: found[0].partition("~")[0], description)


def stamp(declared: object, state: object) -> str:
    """What is noted after the marker when a bot is written: what was declared, and what it became.

    Four hex digits each: enough to tell who moved since, too few to be taken for more.
    """
    return "~" + "".join(
        hashlib.sha256(json.dumps(each).encode()).hexdigest()[:4] for each in (declared, state)
    )


def stamped(description: str, owner: str) -> str:
    """The stamp that a description carries; "" for none."""
    found = _ours(owner).search(description)
    return f"~{found[2]}{found[3]}".lower() if found and found[2] else ""


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
    strangers: list[tuple[str, RemoteBot]] = field(default_factory=list)


def match(
    desired: DesiredInstance, remote: Collection[RemoteBot], owner: str, kind: Kind = OPENAI
) -> Matches:
    """Match an instance's declared bots with the bots on the server."""
    result = Matches()
    ours: dict[str, list[RemoteBot]] = {}
    unmarked: list[RemoteBot] = []
    unread = sorted((bot for bot in remote if bot.unread), key=lambda bot: (not bot.id, bot.id, bot.unread))
    pattern = _ours(owner)
    declared = {bot.name: bot.name for bot in desired.bots}
    for bot_ in desired.bots:
        declared |= {name: bot_.name for name in bot_.previously if name not in declared}
    for bot in sorted((bot for bot in remote if not bot.unread), key=lambda bot: bot.id):
        description = str(bot.fields.get("description", ""))
        if "[" not in description:
            unmarked.append(bot)
            continue
        names = {name.lower() for name, *_ in pattern.findall(description)}
        foreign = {other for other in owners(description) if other.lower() != owner.lower()}
        if foreign:
            whose = f"the marker of the owner {', '.join(sorted(foreign))}"
            result.strangers.append((f"it carries {whose}", bot))
        elif len(names) > 1:
            whose = f"the markers of {' and '.join(sorted(names))}"
            result.strangers.append((f"it carries {whose}", bot))
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
            _twins(name, [(name, bot) for bot in ours[name]], result)
    result.strangers.extend((NO_MARKER, bot) for bot in unmarked)
    return result


def _unread(unread: list[RemoteBot], declared: Mapping[str, str], owner: str, result: Matches) -> None:
    """Bots whose rows are not understood are nobody's to touch; the one that has its marker is in conflict.

    declared: the bots' names, by their own and their previous ones.
    """
    for bot in unread:
        why = not_understood(bot.unread)
        result.strangers.append((why, bot))
        found = _ours(owner).findall(str(bot.fields.get("description", "")))
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
                result.strangers.append(
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
            _twins(bot.name, candidates, result)
        elif candidates:
            [(name, candidate)] = candidates
            how = How.MARKER if name == bot.name else How.RENAME
            result.found[bot.name] = Found(candidate, how, name if how is How.RENAME else "")
        for name in names:
            del ours[name]


def _twins(name: str, candidates: list[tuple[str, RemoteBot]], result: Matches) -> None:
    """Several bots that carry one bot's marker: a conflict, and none of them is touched."""
    ids = tuple(candidate.id for _, candidate in candidates)
    result.conflicts[name] = Ambiguous(
        f"bots {' and '.join(ids)} carry its marker: delete all but one, or take the marker out of the "
        "others' descriptions",
        ids,
    )
    for marker, candidate in candidates:
        result.strangers.append((f"it carries the marker of {marker}, as another bot does", candidate))


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
