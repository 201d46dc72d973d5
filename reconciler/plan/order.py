"""An order of calls that the server accepts at every step. Pure.

A move brings one bot from its start to its target (None: it is not there). The server refuses a write
that takes a claim which another bot holds (rules.py), so between two moves X and Y there are two reasons
to wait:

    X holds now what Y takes         X goes before Y      what frees a key goes first
    X will hold what Y takes         Y goes before X      a disabled `all` before the enabled one

Where the waiting goes round in a circle (two bots swap their triggers), one bot is parked: moved aside to
a trigger that matches no message, or to a number of tokens that nobody uses, and brought to its target
later; one that is made anew is deleted first. A bot in its place can be moved aside too and comes back.
Nothing is parked twice, so it ends; what still waits then excludes each other, and is reported before any
call.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import INT32_MAX, OPENAI, Kind, Value
from reconciler.domain.uniqueness import Claim, describe, holds, takes

_PARKED = "(?!)parked"


def is_parked(fields: Fields) -> bool:
    """Whether a bot was left where parking put it."""
    return str(fields.get("triggerValue", "")).startswith(_PARKED)


def parked_trigger(owner: str, label: str) -> str:
    """The value of a trigger that matches nothing, where parking puts a bot."""
    return f"{_PARKED} by {owner}: {label}"


@dataclass(frozen=True, slots=True)
class Move:
    """One bot's way from start to target; None where it does not exist.

    anew: it is deleted and created, rather than updated. early: it goes before others that could go too.
    """

    label: str
    start: Fields | None
    target: Fields | None
    anew: bool = False
    early: bool = False


class Leg(NamedTuple):
    """One call: the bot goes from before to after. park: after is not its target yet. why: a sentence."""

    label: str
    before: Fields | None
    after: Fields | None
    park: bool = False
    why: str = ""


class Blocked(NamedTuple):
    """Why a move cannot be made, and the labels or ids of the bots that stand in its way."""

    reason: str
    by: tuple[str, ...]


@dataclass(slots=True)
class Order:
    """The legs in order, and the moves that are impossible, by label."""

    legs: list[Leg] = field(default_factory=list)
    blocked: dict[str, Blocked] = field(default_factory=dict)


def order(
    moves: Mapping[str, Move],
    still: Mapping[str, Fields],
    fixed: Mapping[str, Fields],
    owner: str,
    kind: Kind = OPENAI,
) -> Order:
    """Order the moves of one instance.

    moves: by label. still: our bots that are in their place, by label; they can be moved aside and back.
    fixed: bots that must not be touched, by id.
    """
    result = Order()
    blocked = _impossible(moves, fixed, kind)
    while True:
        run = _Run(moves, still, fixed, blocked, owner, kind)
        stuck = run.play()
        if not stuck:
            break
        everyone = dict.fromkeys(moves.keys() - blocked.keys(), next(iter(stuck.values())))
        blocked |= {label: why for label, why in stuck.items() if label in moves} or everyone
        blocked |= _impossible(
            {label: move for label, move in moves.items() if label not in blocked},
            {**fixed, **_left(moves, blocked)},
            kind,
        )
    result.legs, result.blocked = run.legs, blocked
    return result


def _left(moves: Mapping[str, Move], blocked: Mapping[str, Blocked]) -> dict[str, Fields]:
    """Where the bots stay whose moves are impossible."""
    return {label: start for label in blocked if (start := moves[label].start) is not None}


def _impossible(moves: Mapping[str, Move], fixed: Mapping[str, Fields], kind: Kind) -> dict[str, Blocked]:
    """Moves whose target takes what a bot holds that will not move; and, in turn, what those stand in."""
    blocked: dict[str, Blocked] = {}
    while True:
        obstacles = {**fixed, **_left(moves, blocked)}
        held = [(name, holds(kind, fields)) for name, fields in sorted(obstacles.items())]
        found: dict[str, Blocked] = {}
        for label, move in sorted(moves.items()):
            if label in blocked or move.target is None:
                continue
            wanted = takes(kind, move.target)
            by = {name: claims & wanted for name, claims in held if claims & wanted and name != label}
            if by:
                words = " and ".join(f"{name} holds {_list(claims)}" for name, claims in by.items())
                found[label] = Blocked(words, tuple(by))
        if not found:
            return blocked
        blocked |= found


def _list(claims: frozenset[Claim]) -> str:
    return " and ".join(describe(claim) for claim in sorted(claims))


class _Claims:
    """Who has which claim, both ways round."""

    def __init__(self) -> None:
        self.by: dict[Claim, set[str]] = {}
        self.of: dict[str, frozenset[Claim]] = {}

    def put(self, name: str, claims: frozenset[Claim]) -> None:
        """Replace the claims of one bot."""
        for claim in self.of.pop(name, ()):
            self.by[claim].discard(name)
        if claims:
            self.of[name] = claims
            for claim in claims:
                self.by.setdefault(claim, set()).add(name)

    def others(self, claims: frozenset[Claim], name: str) -> set[tuple[str, Claim]]:
        """The other bots that have one of these claims, and which."""
        return {(other, claim) for claim in claims for other in self.by.get(claim, ()) if other != name}


class _Run:
    """One simulation of the server: which bot is where, and which moves are still to be made."""

    def __init__(
        self,
        moves: Mapping[str, Move],
        still: Mapping[str, Fields],
        fixed: Mapping[str, Fields],
        blocked: Mapping[str, Blocked],
        owner: str,
        kind: Kind,
    ) -> None:
        self.kind, self.owner, self.still = kind, owner, still
        self.legs: list[Leg] = []
        self.now: dict[str, Fields] = {}
        self.pending: dict[str, Move] = {}
        self.parked: set[str] = set()
        self.held, self.wanted = _Claims(), _Claims()
        for name, fields in {**fixed, **still, **_left(moves, blocked)}.items():
            self._place(name, fields)
        for label, move in moves.items():
            if label not in blocked:
                self._place(label, move.start)
                self._expect(move)

    def _place(self, label: str, fields: Fields | None) -> None:
        """The bot is like this now."""
        if fields is None:
            self.now.pop(label, None)
        else:
            self.now[label] = fields
        self.held.put(label, frozenset() if fields is None else holds(self.kind, fields))

    def _expect(self, move: Move) -> None:
        """The bot is to become like this."""
        self.pending[move.label] = move
        self.wanted.put(move.label, frozenset() if move.target is None else takes(self.kind, move.target))

    def play(self) -> dict[str, Blocked]:
        """Make every pending move; what cannot be made is returned, and then the legs mean nothing."""
        while self.pending:
            queue = sorted(self.pending, key=lambda label: (not self.pending[label].early, label))
            ready = next((label for label in queue if not self._waits_for(label)), None)
            if ready is not None:
                self._finish(ready)
            elif stuck := self._park_one():
                return stuck
        return {}

    def _waits_for(self, label: str) -> set[tuple[str, Claim]]:
        """Who must move before this one can be finished, and about which claim."""
        target = self.pending[label].target
        if target is None:
            return set()
        return self.held.others(takes(self.kind, target), label) | self.wanted.others(
            holds(self.kind, target), label
        )

    def _finish(self, label: str) -> None:
        move = self.pending.pop(label)
        before = self.now.get(label)
        if move.anew and before is not None:
            self.legs.append(Leg(label, before, None))
            before = None
        why = "back to its place" if label in self.still else ""
        self.legs.append(Leg(label, before, move.target, why=why))
        self._place(label, move.target)
        self.wanted.put(label, frozenset())

    def _park_one(self) -> dict[str, Blocked]:
        """Break a circle of waiting by parking the bot on it that costs least; else who excludes whom."""
        circle = self._circle()
        candidates = [
            blocker
            for waiting, blocker in circle
            if takes(self.kind, self._target(waiting)) & self.held.of.get(blocker, frozenset())
            and blocker not in self.parked
            and self._movable(blocker)
        ]
        if candidates:
            candidates.sort(key=self._cost)
            self._park(next((one for one in candidates if not self._in_vain(one)), candidates[0]))
            return {}
        names = " and ".join(sorted({name for pair in circle for name in pair}))
        claims = frozenset(
            c for waiting, blocker in circle for n, c in self._waits_for(waiting) if n == blocker
        )
        reason = f"{names} exclude each other: {_list(claims)}"
        return {waiting: Blocked(reason, (blocker,)) for waiting, blocker in circle}

    def _cost(self, label: str) -> tuple[bool, bool, bool, str]:
        """What speaks against parking this one, the strongest first; the last tells equals apart.

        One that is made anew costs no call more, one that moves anyway a single call. A disabled bot answers
        nobody: parking it goes unnoticed.
        """
        move = self.pending.get(label)
        anew = move is not None and move.anew
        return not anew, bool(self.now[label].get("enabled")), move is None, label

    def _in_vain(self, parked: str) -> bool:
        """Whether those on the circle would wait in another one if this one were parked."""
        graph: dict[str, set[str]] = {}
        labels = [min(self.pending)]
        while labels:
            label = labels.pop()
            if label not in graph:
                target = self._target(label)
                held = {name for name, _ in self.held.others(takes(self.kind, target), label)} - {parked}
                wanted = {name for name, _ in self.wanted.others(holds(self.kind, target), label)}
                graph[label] = held | wanted
                labels += graph[label] & self.pending.keys()
        try:
            TopologicalSorter(graph).prepare()
        except CycleError:
            return True
        return False

    def _target(self, label: str) -> Fields:
        """What a pending bot that has to wait becomes; one that goes waits for nobody."""
        return self.pending[label].target or {}

    def _circle(self) -> list[tuple[str, str]]:
        """Follow the waiting until it comes round, or to a bot in its place: pairs (who waits, for whom)."""
        path = [min(self.pending)]
        while True:
            waiting = path[-1]
            blocker = min((name not in self.pending, name) for name, _ in self._waits_for(waiting))[1]
            if blocker not in self.pending:
                return [(waiting, blocker)]
            if blocker in path:
                circle = path[path.index(blocker) :]
                return list(zip(circle, [*circle[1:], blocker], strict=True))
            path.append(blocker)

    def _movable(self, label: str) -> bool:
        if label in self.pending:
            return True
        # It must be able to come back: the server refuses it beside a bot that will not move.
        back = self.held.others(takes(self.kind, self.now[label]), label)
        return label in self.still and all(name in self.pending or name in self.still for name, _ in back)

    def _park(self, label: str) -> None:
        """Move a bot to where nobody needs anything of it, to come to its target, or back, later.

        One that is made anew is out of the way once it is deleted.
        """
        before = self.now[label]
        claims = frozenset(c for c in self.held.of[label] if self.wanted.by.get(c, set()) - {label})
        self.parked.add(label)
        if label in self.pending and self.pending[label].anew:
            self.legs.append(Leg(label, before, None, why=f"deleted first to free {_list(claims)}"))
            self._place(label, None)
            return
        after = self._aside(label, before, claims)
        target = dict(self.pending[label].target or {}) if label in self.pending else dict(before)
        if label in self.pending and "description" in target:
            # From here on it must be known by its marker, even if the run ends before it is at its target.
            after["description"] = target["description"]
        # What the server cannot clear is left behind without a meaning.
        target = {**{name: after[name] for name in ("triggerOperator",) if name in after}, **target}
        target.setdefault("triggerValue", "")
        self._expect(Move(label, before, target))
        self.legs.append(Leg(label, before, after, park=True, why=f"moved aside to free {_list(claims)}"))
        self._place(label, after)

    def _aside(self, label: str, before: Fields, claims: frozenset[Claim]) -> dict[str, Value]:
        """The bot, parked so that it gives up these claims and the server takes it.

        Its trigger becomes a regular expression that can't match: an empty negative look-ahead. A
        chatCompletion bot that must give up its key alone goes on answering, with a token more; an
        assistant's assistantId can't be replaced by one that works, so it must not be started either.
        """
        after = dict(before)
        while claims:
            if any(claim[0] == "chatCompletion" for claim in claims):
                after["maxTokens"] = self._unused_tokens(before)
            if any(claim[0] == "assistant" for claim in claims):
                after["assistantId"] = self._unheld("assistant", text=f"parked-{self.owner}-{label}")
            if any(claim[0] != "chatCompletion" for claim in claims):
                after["triggerType"] = "keyword"
                after["triggerOperator"] = "regex"
                after["triggerValue"] = self._unheld(
                    "trigger", "regex", text=parked_trigger(self.owner, label)
                )
            # What it keeps must not be another's already, or the server refuses this very call.
            claims = frozenset(claim for _, claim in self.held.others(takes(self.kind, after), label))
        return after

    def _unheld(self, *claim: str, text: str) -> str:
        """The text, numbered where a bot has it already: one that was parked and then lost its marker."""
        texts = itertools.chain([text], (f"{text} {number}" for number in itertools.count(2)))
        return next(each for each in texts if not self.held.by.get((*claim, each)))

    def _unused_tokens(self, before: Fields) -> int:
        """The nearest number of tokens that no bot has or will have with this model."""
        model, tokens = str(before.get("model")), int(before["maxTokens"])  # type: ignore[arg-type]  # a claim's int
        near = (
            n for step in range(1, INT32_MAX) for n in (tokens + step, tokens - step) if 1 <= n <= INT32_MAX
        )
        claims = ((n, ("chatCompletion", model, str(n))) for n in near)
        return next(n for n, claim in claims if not self.held.by.get(claim) and not self.wanted.by.get(claim))
