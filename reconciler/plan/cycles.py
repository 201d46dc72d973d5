"""Bots that wait for each other in a cycle, and which of them to park. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from reconciler.domain.uniqueness import takes
from reconciler.plan.claims import listed
from reconciler.plan.simulation import Simulation


class Edge(NamedTuple):
    """One bot waits for another, the blocker."""

    waiting: str
    blocker: str


def find(now: Simulation) -> list[Edge]:
    """A cycle of pending bots that wait for each other, or the one edge to a bot that is not pending.

    To be called when every pending bot waits.
    """
    path = {now.first_pending(): 0}
    while True:
        waiting = next(reversed(path))
        blocker = min((name not in now.pending, name) for name in _first_blockers(now, waiting))[1]
        if blocker not in now.pending:
            return [Edge(waiting, blocker)]
        if blocker in path:
            cycle = list(path)[path[blocker] :]
            return [Edge(*pair) for pair in zip(cycle, [*cycle[1:], blocker], strict=True)]
        path[blocker] = len(path)


def bot_to_park(now: Simulation, cycle: Sequence[Edge], parked: Set[str]) -> str | None:
    """The bot of the cycle that it costs least to park; None where parking any of them is of no use.

    parked: the bots that were parked already; none is parked twice.
    """
    candidates = [
        edge.blocker
        for edge in cycle
        if now.wanted.claims(edge.waiting) & now.held.claims(edge.blocker)
        and edge.blocker not in parked
        and _can_return(now, edge.blocker)
    ]
    candidates.sort(key=lambda label: _cost(now, label))
    cutting = set(candidates)
    for label in candidates:
        if label in cutting:
            left = _way_to_cycle(now, label)
            if not left:
                return label
            cutting &= left  # one beside this way would not cut it either
    return next(iter(candidates), None)


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


def _way_to_cycle(now: Simulation, parked: str) -> set[str]:
    """The bots from the first one to a cycle that is left once this bot is parked; empty if none is."""
    first = now.first_pending()
    path = {first: _blockers_without(now, first, parked)}
    done: set[str] = set()
    while path:
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


def _blockers_without(now: Simulation, label: str, parked: str) -> Iterator[str]:
    """Those for which a bot still waits once one is parked, which then holds nothing that is wanted."""
    yield from (name for name in now.holders(label) if name != parked)
    yield from now.takers(label)
