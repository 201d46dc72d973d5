"""One instance while its writes are made: how each bot is now, and what is still to be done."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Kind
from reconciler.domain.records import dataclass
from reconciler.domain.uniqueness import Claim, holds, takes
from reconciler.plan.claims import ClaimIndex
from reconciler.plan.components import Components, Mark


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
    held: what the bots hold now. wanted, coming: what the targets of the pending ones take, and will hold.

    A pending bot waits for those that hold what it takes, and for those that take what it will hold.
    Finishing one that waits for nobody makes no other one wait, so only those that waited for it are looked
    at again.
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
        self.held, self.wanted, self.coming = ClaimIndex(), ClaimIndex(), ClaimIndex()
        self._components = Components()
        self._names: list[str] = []  # a heap with every pending label
        self._ready: list[tuple[bool, str]] = []  # a heap with every pending bot that waits for nobody
        for label, fields in {**fixed, **in_place}.items():
            self.place(label, fields)
        for transition in transitions.values():
            self.place(transition.label, transition.start)
            self.expect(transition)
        self._look_at(self.pending)

    def place(self, label: str, fields: Fields | None) -> None:
        """Make the bot be like this now. None: it does not exist."""
        if fields is None:
            self.now.pop(label, None)
        else:
            self.now[label] = fields
        lost = self.held.put(label, frozenset() if fields is None else holds(self.kind, fields))
        self._components.join(self._claims(label))
        self._free(lost, self.held, self.wanted)

    def expect(self, transition: Transition) -> None:
        """Add a pending transition, in the place of the bot's own one if it has one."""
        label, target = transition.label, transition.target
        self.pending[label] = transition
        heapq.heappush(self._names, label)
        self._want(label, target)
        self._components.join(self._claims(label))

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
        self._want(label, None)
        return writes

    def withdraw(self, label: str) -> None:
        """Leave a pending bot as it is."""
        del self.pending[label]
        self._want(label, None)

    def mark(self, label: str, mark: Mark) -> None:
        """Mark the bots that can wait for this one, or it for them, by way of whomever."""
        self._components.mark(self._claims(label), mark)

    def is_marked(self, label: str, mark: Mark) -> bool:
        """Whether a bot was marked."""
        return self._components.is_marked(self._claims(label), mark)

    def first_pending(self) -> str:
        """The first pending bot by name. There must be one."""
        while self._names[0] not in self.pending:
            heapq.heappop(self._names)
        return self._names[0]

    def next_ready(self) -> str | None:
        """The bot that goes next; None when each one waits for another."""
        while self._ready:
            _, label = self._ready[0]
            if label in self.pending and not self._waits(label):
                return label
            heapq.heappop(self._ready)
        return None

    def blockers(self, label: str) -> Iterator[str]:
        """The bots that must be written before this pending one can be finished; some more than once."""
        yield from self.holders(label)
        yield from self.takers(label)

    def holders(self, label: str) -> Iterator[str]:
        """The bots that hold now what the target of this pending one takes."""
        return _others(self.held, self.wanted.claims(label), label)

    def takers(self, label: str) -> Iterator[str]:
        """The bots whose targets take what this pending one will hold."""
        return _others(self.wanted, self.coming.claims(label), label)

    def at_issue(self, label: str, blocker: str) -> frozenset[Claim]:
        """The claims for which a pending bot waits for another one."""
        held = self.wanted.claims(label) & self.held.claims(blocker)
        return held | (self.coming.claims(label) & self.wanted.claims(blocker))

    def _claims(self, label: str) -> frozenset[Claim]:
        return self.held.claims(label) | self.wanted.claims(label) | self.coming.claims(label)

    def _want(self, label: str, target: Fields | None) -> None:
        """Make the target of a pending bot be this one. None: nothing is wanted of it."""
        lost = self.wanted.put(label, frozenset() if target is None else takes(self.kind, target))
        self.coming.put(label, frozenset() if target is None else holds(self.kind, target))
        self._free(lost, self.wanted, self.coming)

    def _free(self, claims: Iterable[Claim], blocking: ClaimIndex, waiting: ClaimIndex) -> None:
        """Look at the bots that may have waited for one that had these claims.

        A bot does not wait for itself, so one that is left may be the one that waited.
        """
        for claim in claims:
            left = blocking.labels(claim)
            if len(left) <= 1:
                self._look_at(left or waiting.labels(claim))

    def _look_at(self, labels: Iterable[str]) -> None:
        for label in labels:
            if label in self.pending and not self._waits(label):
                heapq.heappush(self._ready, (not self.pending[label].first, label))

    def _waits(self, label: str) -> bool:
        return any(self.held.has_other(claim, label) for claim in self.wanted.claims(label)) or any(
            self.wanted.has_other(claim, label) for claim in self.coming.claims(label)
        )


def _others(index: ClaimIndex, claims: Iterable[Claim], label: str) -> Iterator[str]:
    """The other bots that have one of these claims."""
    return (other for claim in claims for other in index.labels(claim) if other != label)
