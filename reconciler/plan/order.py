"""An order of writes that the server accepts at every step. Pure.

A transition brings one bot from its start to its target (None: it does not exist). The server refuses a write
that takes a claim which another bot holds (domain.uniqueness), so there are two reasons why one transition
waits for another, X and Y:

    X holds now what Y takes         X goes before Y      what frees a key goes first
    X will hold what Y takes         Y goes before X      a disabled `all` before the enabled one

Where bots wait for each other in a cycle (two bots swap their triggers), one of them is parked: moved aside
to a trigger that matches no message, or to a number of tokens that no bot uses, and brought to its target
later. One that is recreated is deleted first. A bot in its place can be moved aside too and comes back. No
bot is parked twice, so this ends. Bots that still wait then exclude each other, which is reported before any
call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.uniqueness import holds, takes
from reconciler.plan import cycles
from reconciler.plan.claims import listed
from reconciler.plan.parking import park
from reconciler.plan.simulation import Simulation, Transition, Write


class Impossible(NamedTuple):
    """Why a transition cannot be made, and the labels or ids of the bots that stand in its way."""

    reason: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The writes in order, and the transitions that are impossible, by label."""

    writes: list[Write] = field(default_factory=list)
    impossible: dict[str, Impossible] = field(default_factory=dict)


def order(
    transitions: Mapping[str, Transition],
    in_place: Mapping[str, Fields],
    fixed: Mapping[str, Fields],
    owner: str,
    kind: Kind,
) -> Order:
    """Order the transitions of one instance.

    transitions: by label. in_place: our bots that are at their target, by label; they can be moved aside and
    back. fixed: bots that must not be touched, by id.
    """
    impossible = _impossible(transitions, fixed, kind)
    while True:
        possible = {label: one for label, one in transitions.items() if label not in impossible}
        staying = {**fixed, **_starts(transitions, impossible)}
        writes, stuck = _simulate(Simulation(possible, in_place, staying, kind), owner)
        if not stuck:
            return Order(writes, impossible)
        everyone = dict.fromkeys(possible, next(iter(stuck.values())))
        impossible |= {label: why for label, why in stuck.items() if label in transitions} or everyone
        possible = {label: one for label, one in transitions.items() if label not in impossible}
        impossible |= _impossible(possible, {**fixed, **_starts(transitions, impossible)}, kind)


def _starts(transitions: Mapping[str, Transition], labels: Mapping[str, Impossible]) -> dict[str, Fields]:
    """Where the bots stay whose transitions are impossible."""
    return {label: start for label in labels if (start := transitions[label].start) is not None}


def _impossible(
    transitions: Mapping[str, Transition], fixed: Mapping[str, Fields], kind: Kind
) -> dict[str, Impossible]:
    """Transitions whose target takes what a bot that stays holds, and those that these block in turn."""
    impossible: dict[str, Impossible] = {}
    while True:
        staying = {**fixed, **_starts(transitions, impossible)}
        held = [(name, holds(kind, fields)) for name, fields in sorted(staying.items())]
        found: dict[str, Impossible] = {}
        for label, transition in sorted(transitions.items()):
            if label in impossible or transition.target is None:
                continue
            taken = takes(kind, transition.target)
            by = {name: claims & taken for name, claims in held if claims & taken and name != label}
            if by:
                reason = " and ".join(f"{name} holds {listed(claims)}" for name, claims in by.items())
                found[label] = Impossible(reason, tuple(by))
        if not found:
            return impossible
        impossible |= found


def _simulate(now: Simulation, owner: str) -> tuple[list[Write], dict[str, Impossible]]:
    """Make every pending transition. Returns the writes, and the bots that exclude each other, if any do."""
    writes: list[Write] = []
    parked: set[str] = set()
    while now.pending:
        if (ready := now.next_ready()) is not None:
            writes += now.finish(ready)
            continue
        cycle = cycles.find(now)
        if (label := cycles.bot_to_park(now, cycle, parked)) is None:
            reason = cycles.exclusion(now, cycle)
            return [], {edge.waiting: Impossible(reason, (edge.blocker,)) for edge in cycle}
        parked.add(label)
        writes.append(park(now, label, owner))
    return writes, {}
