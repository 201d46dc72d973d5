"""One instance while its writes are made: how each bot is now, and what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.uniqueness import Claim, holds, takes
from reconciler.plan.claims import ClaimIndex


@dataclass(frozen=True, slots=True)
class Transition:
    """What is to become of one bot. start, target: its fields; None where it does not exist.

    recreate: it is deleted and created instead of updated. first: it goes before others that could go too.
    """

    label: str
    start: Fields | None
    target: Fields | None
    recreate: bool = False
    first: bool = False


class Write(NamedTuple):
    """One writing call: the bot goes from before to after; None where it does not exist.

    park: after is a parking place and not the bot's target. why: a sentence.
    """

    label: str
    before: Fields | None
    after: Fields | None
    park: bool = False
    why: str = ""


class Simulation:
    """The bots of an instance, and the transitions that are pending.

    in_place: the bots that are at their target from the start. They can be moved aside and back.
    """

    def __init__(
        self,
        transitions: Mapping[str, Transition],
        in_place: Mapping[str, Fields],
        fixed: Mapping[str, Fields],
        kind: Kind,
    ) -> None:
        self.kind, self.in_place = kind, in_place
        self.now: dict[str, Fields] = {}
        self.pending: dict[str, Transition] = {}
        self.held, self.wanted = ClaimIndex(), ClaimIndex()
        for label, fields in {**fixed, **in_place}.items():
            self.place(label, fields)
        for transition in transitions.values():
            self.place(transition.label, transition.start)
            self.expect(transition)

    def place(self, label: str, fields: Fields | None) -> None:
        """Make the bot be like this now. None: it does not exist."""
        if fields is None:
            self.now.pop(label, None)
        else:
            self.now[label] = fields
        self.held.put(label, frozenset() if fields is None else holds(self.kind, fields))

    def expect(self, transition: Transition) -> None:
        """Add a pending transition, in the place of the bot's own one if it has one."""
        self.pending[transition.label] = transition
        target = transition.target
        self.wanted.put(transition.label, frozenset() if target is None else takes(self.kind, target))

    def finish(self, label: str) -> list[Write]:
        """Bring a bot to its target. Returns the writes for it."""
        transition = self.pending.pop(label)
        before = self.now.get(label)
        writes = []
        if transition.recreate and before is not None:
            writes.append(Write(label, before, None))
            before = None
        why = "back to its place" if label in self.in_place else ""
        writes.append(Write(label, before, transition.target, why=why))
        self.place(label, transition.target)
        self.wanted.put(label, frozenset())
        return writes

    def next_ready(self) -> str | None:
        """The bot that goes next; None when each one waits for another."""
        queue = sorted(self.pending, key=lambda label: (not self.pending[label].first, label))
        return next((label for label in queue if not self.waits_for(label)), None)

    def waits_for(self, label: str) -> set[tuple[str, Claim]]:
        """The bots that must be written before this pending one can be finished, and the claims at issue."""
        return self.holders(label) | self.takers(label)

    def holders(self, label: str) -> set[tuple[str, Claim]]:
        """The bots that hold now what the target of this pending one takes."""
        return self.held.others(takes(self.kind, self.pending[label].target or {}), label)

    def takers(self, label: str) -> set[tuple[str, Claim]]:
        """The bots whose targets take what this pending one will hold."""
        return self.wanted.others(holds(self.kind, self.pending[label].target or {}), label)
