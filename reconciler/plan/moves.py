"""Bots that leave one instance and appear on another: which create and which delete are one move. Pure.

A bot moves when exactly one instance lacks it, and exactly one other has it though nothing declares it there
any more. It is created first and deleted afterwards, so that there is always one. Its sessions are lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import RemoteBot
from reconciler.domain.uniqueness import holds, takes
from reconciler.plan.matching import Matches


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves of one instance. arriving: where a bot comes from, leaving: where one goes, by its name.

    waiting: where bots should go that stay, as they are not created there.
    """

    arriving: Mapping[str, str] = field(default_factory=dict)
    leaving: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)

    def without(self, bots: Collection[str]) -> Moves:
        """The same, but for bots that are not created where they should go."""
        return Moves(
            self.arriving,
            {bot: there for bot, there in self.leaving.items() if bot not in bots},
            {bot: there for bot, there in self.leaving.items() if bot in bots},
        )


def find(
    instances: Mapping[str, tuple[DesiredInstance, Matches]], kept: Mapping[str, str], kind: Kind
) -> dict[str, Moves]:
    """The moves of each instance that has any. kept: why an instance's orphans are not deleted, if so."""
    gone: dict[str, list[tuple[str, RemoteBot]]] = {}
    for name, (_, matches) in instances.items():
        for bot, remote in matches.orphans:
            gone.setdefault(bot, []).append((name, remote))
    if not gone:
        return {}
    missing: dict[str, list[str]] = {}
    for name, (desired, matches) in instances.items():
        for each in desired.bots:
            if each.name in gone and each.name not in matches.found and each.name not in matches.conflicts:
                missing.setdefault(each.name, []).append(name)
    arriving: dict[str, dict[str, str]] = {}
    leaving: dict[str, dict[str, str]] = {}
    for bot, there in missing.items():
        [(old, remote), *others] = gone[bot]
        if (
            len(there) == 1
            and not others
            and not kept.get(old)
            and _can_wait(instances[old][0], remote, kind)
        ):
            arriving.setdefault(there[0], {})[bot] = old
            leaving.setdefault(old, {})[bot] = there[0]
    return {
        name: Moves(arriving.get(name, {}), leaving.get(name, {}))
        for name in arriving.keys() | leaving.keys()
    }


def _can_wait(desired: DesiredInstance, remote: RemoteBot, kind: Kind) -> bool:
    """Whether a bot can be deleted last: no bot that its instance declares needs what it holds."""
    held = holds(kind, remote.fields)
    return not any(held & takes(kind, bot.fields) for bot in desired.bots)
