"""Moving a bot aside, to where no other bot needs anything of it, so that it can be written later. Pure.

Its trigger becomes a regular expression that can't match: an empty negative look-ahead. A bot that must give
up only its key goes on answering if there is a number in that: with a token more. An assistant's id or a URL
can't be replaced by one that works, so the bot must not be started either.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import INT32_MAX, Field, Kind, Type, Value
from reconciler.domain.uniqueness import Claim, is_of_key, key_claim, takes
from reconciler.plan.claims import listed
from reconciler.plan.numbers import Numbers
from reconciler.plan.simulation import Simulation, Transition, Write

_PARKED = "(?!)parked"


def is_parked(fields: Fields) -> bool:
    """Whether a bot was left where parking put it."""
    return str(fields.get("triggerValue", "")).startswith(_PARKED)


def parked_trigger(owner: str, label: str) -> str:
    """The value of a trigger that matches nothing, where parking puts a bot."""
    return f"{_PARKED} by {owner}: {label}"


def parked_field(kind: Kind, fields: Fields) -> Field | None:
    """The field of a bot's key that changes when it must give up its key: a number if there is one."""
    parts = [kind.fields[name] for name in kind.key(fields) if not kind.fields[name].choices]
    numbers = [field for field in parts if field.type is Type.INT]
    return next(iter((*numbers, *parts)), None)


def parked_key(field: Field, owner: str, label: str) -> str:
    """The text in that field, if it is no number."""
    return f"https://parked.invalid/{owner}/{label}" if field.hides == "url" else f"parked-{owner}-{label}"


class Parking:
    """The places to which the bots of an instance are moved aside."""

    def __init__(self, now: Simulation, owner: str) -> None:
        self._now, self._owner = now, owner
        self._numbers: dict[Claim | None, Numbers] = {}  # by all of a key but its number

    def park(self, label: str) -> Write:
        """Move a bot aside. It is then pending: it comes to its target, or back to its place, later.

        A bot that is recreated is deleted first instead.
        """
        now = self._now
        before = now.now[label]
        needed = frozenset(claim for claim in now.held.claims(label) if now.wanted.has_other(claim, label))
        transition = now.pending.get(label)
        if transition is not None and transition.recreate:
            now.place(label, None)
            return Write(label, before, None, why=f"deleted first to free {listed(needed)}")
        after = self._aside(label, before, needed)
        target = dict(before) if transition is None else dict(transition.target or {})
        if transition is not None and "description" in target:
            # From here on its marker must identify it, even if the run ends before it is at its target.
            after["description"] = target["description"]
        # The server cannot clear an operator. Without a value it has no meaning.
        target = {**{name: after[name] for name in ("triggerOperator",) if name in after}, **target}
        target.setdefault("triggerValue", "")
        now.expect(Transition(label, before, target))
        now.place(label, after)
        return Write(label, before, after, park=True, why=f"moved aside to free {listed(needed)}")

    def _aside(self, label: str, before: Fields, claims: frozenset[Claim]) -> dict[str, Value]:
        """The bot without these claims, as the server accepts it."""
        now = self._now
        after = dict(before)
        while claims:
            key = [claim for claim in claims if is_of_key(claim)]
            field = parked_field(now.kind, before)
            if key and field is not None:
                after[field.name] = self._unused_key(before, field, label)
            if len(key) < len(claims) or (field is not None and field.type is not Type.INT):
                trigger = parked_trigger(self._owner, label)
                texts = (
                    text for text in _numbered(trigger) if not now.held.labels(("trigger", "regex", text))
                )
                after["triggerType"] = "keyword"
                after["triggerOperator"] = "regex"
                after["triggerValue"] = next(texts)
            # Another bot may hold what it keeps, and then the server refuses this very call.
            claims = frozenset(claim for _, claim in now.held.others(takes(now.kind, after), label))
        return after

    def _unused_key(self, before: Fields, field: Field, label: str) -> Value:
        """A value of a field with which no bot has or will have the key: a number near, or a text."""
        now, value = self._now, before.get(field.name)

        def key(one: Value) -> Claim | None:
            return key_claim(now.kind, {**before, field.name: one})

        def is_taken(one: Value) -> bool:
            claim = key(one)
            return claim is not None and bool(now.held.labels(claim) or now.wanted.labels(claim))

        if isinstance(value, int):
            numbers = self._numbers.setdefault(key(0), Numbers(field.minimum, INT32_MAX))
            return numbers.nearest(value, is_taken)
        return next(text for text in _numbered(parked_key(field, self._owner, label)) if not is_taken(text))


def _numbered(text: str) -> Iterator[str]:
    """The text, then with a number: a bot that was parked and then lost its marker has it already."""
    return itertools.chain([text], (f"{text} {number}" for number in itertools.count(2)))
