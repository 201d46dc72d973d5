"""Bots that appear where another goes: which create and which delete are one change. Pure.

On another instance: a bot moves when exactly one instance lacks it, and exactly one other has it though
nothing declares it there any more. Instances of one name on two servers are looked at first, so a whole
instance can move to another server. Of another kind, on the same instance: a bot is replaced when its
manifest gives it another kind.

The new bot is created first and the old one deleted afterwards, so that there is always one. Sessions are
lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from typing import TypeVar

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import RemoteBot
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.uniqueness import holds, takes
from reconciler.plan.matching import Matches
from reconciler.plan.options import Crossings

Part = tuple[str, str]
"""An instance, and a kind of bot by its path."""

Parts = Mapping[Part, tuple[DesiredInstance, Matches]]
"""What each part declares and what it has."""


def arrives(old: str) -> str:
    """Why a bot is created that comes from another instance."""
    return f"it moves here from {old}: its open sessions there are lost"


def leaves(new: str) -> str:
    """Why a bot is deleted that goes to another instance."""
    return f"it moves to {new}, and goes when it was created there"


def not_created(new: str) -> str:
    """Why a bot stays that was to go to another instance; completes "it is kept, as …"."""
    return f"it is to move to {new}, and is not created there"


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a bot is replaced by.

    apart: its delete is a change of its own, as the new bot exists already, or replaces yet another one.
    last: it can go after the new one was created.
    """

    kind: Kind
    apart: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves of one part. arriving: the instance that a bot comes from, by name. leaving: where it goes.

    replaces: the bots of other kinds that missing ones replace. replaced: what replaces a bot of this kind.
    waiting: why bots stay that should go, by name: what should be there instead is not created.
    """

    arriving: Mapping[str, str] = field(default_factory=dict)
    leaving: Mapping[str, str] = field(default_factory=dict)
    replaces: Mapping[str, RemoteBot] = field(default_factory=dict)
    replaced: Mapping[str, Replaced] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)

    def without(self, bots: Collection[str]) -> Moves:
        """The same, but for bots that stay because what should be there instead is not created."""
        waiting = {bot: not_created(there) for bot, there in self.leaving.items() if bot in bots}
        waiting |= {
            bot: f"{one.kind.article} {one.kind.label} bot is to replace it, and is not created"
            for bot, one in self.replaced.items()
            if bot in bots
        }
        return replace(
            self,
            waiting={**self.waiting, **waiting},
            leaving={bot: there for bot, there in self.leaving.items() if bot not in bots},
            replaced={bot: one for bot, one in self.replaced.items() if bot not in bots},
        )


def find(
    parts: Parts,
    kept: Mapping[str, str],
    unread: Sequence[DesiredInstance] = (),
    crossings: Crossings | None = None,
) -> dict[Part, Moves]:
    """The moves of each part that has any. kept: why an instance's orphans are not deleted, if so.

    unread: declared instances that could not be read. A bot that one of them declares stays where it is on
    another server, as nobody knows whether it is there. crossings: where these are not all parts; what moves
    is then decided elsewhere.
    """
    if not any(matches.orphans for _, matches in parts.values()):
        return {}
    found = _kind_changes(parts)
    stay = _unknown(parts, found, unread) if crossings is None else _waiting(parts, kept, crossings)
    for part, waiting in stay:
        found[part] = replace(found.get(part, _NONE), waiting=waiting)
    for path in {path for _, path in parts}:
        of_kind = {part: one for part, one in parts.items() if part[1] == path}
        for part, moves in _between_instances(of_kind, found, kept, KINDS[path], crossings).items():
            own = found.get(part, _NONE)
            found[part] = replace(own, arriving=moves.arriving, leaving=moves.leaving)
    return found


_NONE = Moves()


def orphans(
    parts: Parts, kept: Mapping[str, str], declared: Container[tuple[str, str]]
) -> Iterator[tuple[Part, str, bool, bool]]:
    """The bots that no manifest declares where they are: whether they may move, or have to stay.

    They stay for the sake of another instance, which lacks them, or of another server, which could not be
    read. Without those that are replaced. declared: the bots that any manifest declares, by name and kind.
    """
    changed = _kind_changes(parts)
    for part, (desired, matches) in parts.items():
        for bot, remote in matches.orphans:
            if bot not in changed.get(part, _NONE).replaced:
                goes = not kept.get(part[0]) and (bot, part[1]) in declared
                moves = goes and _can_wait(desired, remote, KINDS[part[1]])
                yield part, bot, moves, moves or (goes and bool(desired.server))


def missing(parts: Parts) -> Iterator[tuple[Part, str]]:
    """The declared bots that are not there, and are no other kind of bot there."""
    changed = _kind_changes(parts)
    for part, (desired, matches) in parts.items():
        there = {*matches.found, *matches.conflicts, *changed.get(part, _NONE).replaces}
        yield from ((part, bot.name) for bot in desired.bots if bot.name not in there)


def _waiting(
    parts: Parts, kept: Mapping[str, str], crossings: Crossings
) -> Iterator[tuple[Part, dict[str, str]]]:
    """The bots of each part that may move, where those stay."""
    found: dict[Part, dict[str, str]] = {}
    places: Counter[str] = Counter()
    if crossings.waits == frozenset():
        return
    for part, bot, _, stays in orphans(parts, kept, crossings.declared):
        if stays:
            if crossings.waits is None or places[part[0]] in crossings.waits:
                found.setdefault(part, {})[bot] = "it is to move"
            places[part[0]] += 1
    yield from found.items()


def _kind_changes(parts: Parts) -> dict[Part, Moves]:
    """The bots that are declared as another kind than they are."""
    replaces: dict[Part, dict[str, RemoteBot]] = {}
    replaced: dict[Part, dict[str, Replaced]] = {}
    for part, (desired, matches) in parts.items():
        for name, remote in matches.orphans:
            for other in ((part[0], path) for path in KINDS if path != part[1]):
                there = parts.get(other)
                if there is None or all(bot.name != name for bot in there[0].bots):
                    continue
                if name in there[1].conflicts:
                    continue
                apart = name in there[1].found or name in replaces.get(other, {})
                last = _can_wait(desired, remote, KINDS[part[1]])
                replaced.setdefault(part, {})[name] = Replaced(KINDS[other[1]], apart, last)
                if not apart:
                    replaces.setdefault(other, {})[name] = remote
    return {
        part: Moves(replaces=replaces.get(part, {}), replaced=replaced.get(part, {}))
        for part in replaces.keys() | replaced.keys()
    }


def _between_instances(
    parts: Parts,
    changed: Mapping[Part, Moves],
    kept: Mapping[str, str],
    kind: Kind,
    crossings: Crossings | None,
) -> dict[Part, Moves]:
    """The moves of bots of one kind. changed: those that change their kind instead, or wait."""
    gone: dict[str, list[tuple[Part, RemoteBot]]] = {}
    for part, (_, matches) in parts.items():
        for bot, remote in matches.orphans:
            own = changed.get(part, _NONE)
            if bot not in own.replaced and bot not in own.waiting:
                gone.setdefault(bot, []).append((part, remote))
    missing: dict[str, list[Part]] = {}
    for part, (desired, matches) in parts.items():
        for each in desired.bots:
            there = {*matches.found, *matches.conflicts, *changed.get(part, _NONE).replaces}
            if each.name in gone and each.name not in there:
                missing.setdefault(each.name, []).append(part)
    arriving: dict[Part, dict[str, str]] = {}
    leaving: dict[Part, dict[str, str]] = {}
    for bot, places in missing.items():
        remotes = dict(gone[bot])
        pairs = (
            pairs_of([*remotes], places, lambda part: parts[part][0].local)
            if crossings is None
            else _known(crossings, bot, remotes, places)
        )
        for old, new in pairs:
            if not kept.get(old[0]) and _can_wait(parts[old][0], remotes[old], kind):
                arriving.setdefault(new, {})[bot] = old[0]
                leaving.setdefault(old, {})[bot] = new[0]
    return {
        part: Moves(arriving.get(part, {}), leaving.get(part, {}))
        for part in arriving.keys() | leaving.keys()
    }


T = TypeVar("T")


def pairs_of(gone: list[T], missing: list[T], local: Callable[[T], str]) -> Iterator[tuple[T, T]]:
    """Where a bot goes from which part to which other one. local: what its server calls a part's instance."""
    for new in [*missing]:
        name = local(new)
        twins = [old for old in gone if local(old) == name]
        if len(twins) == 1 and sum(local(each) == name for each in missing) == 1:
            gone.remove(twins[0])
            missing.remove(new)
            yield twins[0], new
    if len(gone) == len(missing) == 1:
        yield gone[0], missing[0]


def _known(
    crossings: Crossings, bot: str, gone: Collection[Part], missing: Collection[Part]
) -> Iterator[tuple[Part, Part]]:
    """The same, as it was decided."""
    for new in missing:
        old = crossings.moves.get((new[1], bot, new[0])), new[1]
        if old in gone:
            yield old, new  # type: ignore[misc]  # it is a part


def _unknown(
    parts: Parts, found: Mapping[Part, Moves], unread: Sequence[DesiredInstance]
) -> Iterator[tuple[Part, dict[str, str]]]:
    """The bots of each part that an instance of another server declares which could not be read."""
    declared: dict[tuple[str, str], list[DesiredInstance]] = {}
    for one in unread:
        for bot in one.bots:
            declared.setdefault((bot.name, bot.kind.path), []).append(one)
    for part, (desired, matches) in parts.items() if declared else ():
        moves = found.get(part, _NONE)
        waiting: dict[str, str] = {}
        for name, _ in matches.orphans:
            there = [one for one in declared.get((name, part[1]), ()) if one.server != desired.server]
            if there and name not in moves.replaced:
                waiting[name] = f"{there[0].name} declares it, and could not be read"
        if waiting:
            yield part, waiting


def _can_wait(desired: DesiredInstance, remote: RemoteBot, kind: Kind) -> bool:
    """Whether a bot can be deleted last: no declared bot of its instance and kind needs what it holds."""
    held = holds(kind, remote.fields)
    return not any(held & takes(kind, bot.fields) for bot in desired.bots)
