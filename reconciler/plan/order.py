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

from collections.abc import Mapping, Sequence

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass, field
from reconciler.plan.blocked import Blocked, Impossible
from reconciler.plan.components import Mark
from reconciler.plan.cycles import Cycles, Edge, exclusion
from reconciler.plan.parking import Parking
from reconciler.plan.simulation import Simulation, Transition, Write


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
    blocked = Blocked(transitions, fixed, kind)
    while True:
        possible = {label: one for label, one in transitions.items() if label not in blocked.why}
        now = Simulation(possible, in_place, {**fixed, **blocked.starts()}, kind)
        if (writes := _simulate(now, blocked, owner)) is not None:
            return Order(writes, blocked.why)


def _simulate(now: Simulation, blocked: Blocked, owner: str) -> list[Write] | None:
    """Make every pending transition. None where bots exclude each other: they are blocked then.

    Without them others go earlier, so it is to be done anew. But where nobody was parked among all that they
    have to do with, it is known already where that comes to a halt: what was written can be written, and then
    what waited for the bots that are blocked now. So all are found at once that exclude each other there.
    Where somebody was parked, all that they have to do with is left for the next time.
    """
    writes: list[Write] = []
    search, parking = Cycles(now), Parking(now, owner)
    known = len(blocked.why)
    while now.pending:
        ready = now.next_ready()
        label = now.first_pending() if ready is None else ready
        if now.is_marked(label, Mark.LEFT):
            now.withdraw(label)
        elif ready is not None:
            writes += now.finish(ready)
            search.forget(ready)
        else:
            cycle = search.find()
            if (parked := search.to_park(cycle)) is not None:
                now.mark(parked, Mark.PARKED)
                writes.append(parking.park(parked))
                search.forget(parked)
            else:
                _block(now, blocked, cycle)
                search.restart()
    return writes if len(blocked.why) == known else None


def _block(now: Simulation, blocked: Blocked, cycle: Sequence[Edge]) -> None:
    """Block the bots of a cycle, which exclude each other."""
    reason = exclusion(now, cycle)
    stuck = blocked.add({edge.waiting: Impossible(reason, (edge.blocker,)) for edge in cycle})
    if any(now.is_marked(edge.waiting, Mark.PARKED) for edge in cycle):
        now.mark(cycle[0].waiting, Mark.LEFT)
    else:
        for label in stuck:
            now.withdraw(label)
