"""Bots that wait for each other in a cycle, and which of them to park. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reconciler.domain.uniqueness import takes
from reconciler.plan.claims import listed
from reconciler.plan.simulation import Simulation

MOST_LOOKS = 10
"""How often a pending bot is looked at, on average, to find whom to park."""


class Edge(NamedTuple):
    """One bot waits for another, the blocker."""

    waiting: str
    blocker: str


class Cycles:
    """The search for cycles while the bots of an instance are written.

    The way to a cycle is kept as long as it is true, and a search begins where the one before ended. So many
    cycles on one way cost no more than the way.
    """

    def __init__(self, now: Simulation) -> None:
        self._now = now
        self._way: dict[str, None] = {}  # in order; each one waits for the next
        self._parked: set[str] = set()
        self._looks = MOST_LOOKS * len(now.pending)

    def forget(self, label: str) -> None:
        """Note that a bot was written, or will not be: it and those to which it leads are looked at anew."""
        while label in self._way:
            self._way.popitem()

    def restart(self) -> None:
        """Look at all of them anew."""
        self._way.clear()

    def find(self) -> list[Edge]:
        """A cycle of pending bots that wait for each other, or the one edge to a bot that is not pending.

        To be called when every pending bot waits.
        """
        now, way = self._now, self._way
        if not way:
            way[now.first_pending()] = None
        while True:
            waiting = next(reversed(way))
            blocker = min((name not in now.pending, name) for name in _first_blockers(now, waiting))[1]
            if blocker not in now.pending:
                return [Edge(waiting, blocker)]
            if blocker in way:
                return _back_to(blocker, reversed(way))
            way[blocker] = None

    def to_park(self, cycle: Sequence[Edge]) -> str | None:
        """The bot of a cycle that it costs least to park; None where parking any of them is of no use.

        None is parked twice.
        """
        now = self._now
        candidates = [
            edge.blocker
            for edge in cycle
            if now.wanted.claims(edge.waiting) & now.held.claims(edge.blocker)
            and edge.blocker not in self._parked
            and _can_return(now, edge.blocker)
        ]
        candidates.sort(key=lambda label: _cost(now, label))
        found = self._cutting(candidates, cycle[0].waiting)
        if found is not None:
            self._parked.add(found)
        return found

    def _cutting(self, candidates: Sequence[str], start: str) -> str | None:
        """The first candidate without which no cycle is left; the first one if each leaves a cycle.

        start: a bot of the cycle that they are of; only cycles to which it leads count. In a tangle of many
        cycles this is given up in time, and one may be parked that need not be.
        """
        cutting = set(candidates)
        for label in candidates:
            if label in cutting and self._looks > 0:
                left = self._way_to_cycle(label, start)
                if not left:
                    return label
                cutting &= left  # one beside this way would not cut it either
        return next(iter(candidates), None)

    def _way_to_cycle(self, parked: str, start: str) -> set[str]:
        """The bots from one to a cycle that is left once another is parked; empty if none is."""
        now = self._now
        path = {start: _blockers_without(now, start, parked)}
        done: set[str] = set()
        while path:
            self._looks -= 1
            waiting, blockers = next(reversed(path.items()))
            blocker = next((name for name in blockers if name in now.pending and name not in done), None)
            if blocker is None:
                done.add(waiting)
                del path[waiting]
            elif blocker in path:
                return set(path)
            else:
                path[blocker] = _blockers_without(now, blocker, parked)
        return set()


def exclusion(now: Simulation, cycle: Sequence[Edge]) -> str:
    """Why the bots of a cycle cannot be written in any order."""
    names = " and ".join(sorted({name for edge in cycle for name in edge}))
    claims = {claim for edge in cycle for claim in now.at_issue(edge.waiting, edge.blocker)}
    return f"{names} exclude each other: {listed(claims)}"


def _can_return(now: Simulation, label: str) -> bool:
    """Whether a parked bot can be brought to its target, or back to its place, later.

    The server refuses to bring one back beside a bot that holds what it takes and will not be written.
    """
    if label in now.pending:
        return True
    others = now.held.others(takes(now.kind, now.now[label]), label)
    return label in now.in_place and all(name in now.pending or name in now.in_place for name, _ in others)


def _cost(now: Simulation, label: str) -> tuple[bool, bool, str]:
    """What speaks against parking a bot, the strongest reason first; the label decides between equals.

    A bot that is recreated needs no extra call. A disabled bot answers nobody, so nobody notices that it is
    parked. A bot in its place is never one of several: see find.
    """
    transition = now.pending.get(label)
    recreate = transition is not None and transition.recreate
    return not recreate, bool(now.now[label].get("enabled")), label


def _first_blockers(now: Simulation, label: str) -> Iterator[str]:
    """Those for which a bot waits, but of the many that take one claim only the first by name."""
    yield from now.holders(label)
    for claim in now.coming.claims(label):
        if (taker := now.wanted.first_other(claim, label)) is not None:
            yield taker


def _back_to(first: str, way: Iterable[str]) -> list[Edge]:
    """The cycle that a way ends in. way: from its end."""
    cycle, blocker = [], first
    for waiting in way:
        cycle.append(Edge(waiting, blocker))
        blocker = waiting
        if waiting == first:
            break
    return cycle[::-1]


def _blockers_without(now: Simulation, label: str, parked: str) -> Iterator[str]:
    """Those for which a bot still waits once one is parked, which then holds nothing that is wanted."""
    yield from (name for name in now.holders(label) if name != parked)
    yield from now.takers(label)
