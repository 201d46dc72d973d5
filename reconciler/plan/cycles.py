"""Bots that wait for each other in a cycle, and which of them to park. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from graphlib import CycleError, TopologicalSorter
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
    path = [min(now.pending)]
    while True:
        waiting = path[-1]
        blocker = min((name not in now.pending, name) for name, _ in now.waits_for(waiting))[1]
        if blocker not in now.pending:
            return [Edge(waiting, blocker)]
        if blocker in path:
            cycle = path[path.index(blocker) :]
            return [Edge(*pair) for pair in zip(cycle, [*cycle[1:], blocker], strict=True)]
        path.append(blocker)


def bot_to_park(now: Simulation, cycle: Sequence[Edge], parked: Set[str]) -> str | None:
    """The bot of the cycle that it costs least to park; None where parking any of them is of no use.

    parked: the bots that were parked already; none is parked twice.
    """
    candidates = [
        edge.blocker
        for edge in cycle
        if any(blocker == edge.blocker for blocker, _ in now.holders(edge.waiting))
        and edge.blocker not in parked
        and _can_return(now, edge.blocker)
    ]
    candidates.sort(key=lambda label: _cost(now, label))
    return next((label for label in candidates if _breaks_cycle(now, label)), next(iter(candidates), None))


def exclusion(now: Simulation, cycle: Sequence[Edge]) -> str:
    """Why the bots of a cycle cannot be written in any order."""
    names = " and ".join(sorted({name for edge in cycle for name in edge}))
    claims = {
        claim for edge in cycle for blocker, claim in now.waits_for(edge.waiting) if blocker == edge.blocker
    }
    return f"{names} exclude each other: {listed(claims)}"


def _can_return(now: Simulation, label: str) -> bool:
    """Whether a parked bot can be brought to its target, or back to its place, later.

    The server refuses to bring one back beside a bot that holds what it takes and will not be written.
    """
    if label in now.pending:
        return True
    others = now.held.others(takes(now.kind, now.now[label]), label)
    return label in now.in_place and all(name in now.pending or name in now.in_place for name, _ in others)


def _cost(now: Simulation, label: str) -> tuple[bool, bool, bool, str]:
    """What speaks against parking a bot, the strongest reason first; the label decides between equals.

    A bot that is recreated needs no extra call, one that is written anyway needs one. A disabled bot answers
    nobody, so nobody notices that it is parked.
    """
    transition = now.pending.get(label)
    recreate = transition is not None and transition.recreate
    return not recreate, bool(now.now[label].get("enabled")), transition is None, label


def _breaks_cycle(now: Simulation, parked: str) -> bool:
    """Whether nobody on the way waits in a cycle once this bot is parked."""
    graph: dict[str, set[str]] = {}
    labels = [min(now.pending)]
    while labels:
        label = labels.pop()
        if label not in graph:
            holders = {name for name, _ in now.holders(label)} - {parked}
            graph[label] = holders | {name for name, _ in now.takers(label)}
            labels += graph[label] & now.pending.keys()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return False
    return True
