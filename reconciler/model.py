"""The values that flow through the house: Desired and Observed in, a Plan in the middle, Results out.

Frozen, comparable, without behaviour beyond reading themselves. No stage hands another anything else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from reconciler.errors import Position
from reconciler.kinds import Value

Fields = Mapping[str, Value]
"""Fields of a bot by the API's names, in the order of the kind's table."""


# -- what the manifests say -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DesiredBot:
    """A bot as its manifest declares it, defaults merged, files read.

    fields: only what is declared. description is the human's text, without a marker.
    creds: the credential's name, or None when fields has openaiCredsId.
    previously: names that this bot had before, for a rename.
    on_drift: what is done when the bot on the server differs.
    """

    name: str
    fields: Fields
    creds: str | None
    at: Position
    previously: tuple[str, ...] = ()
    on_drift: Literal["update", "replace"] = "update"


@dataclass(frozen=True, slots=True)
class DesiredInstance:
    """The bots that one instance should have, in the order of the manifest.

    files: the paths of every file that this was read from, the manifest first.
    """

    name: str
    bots: tuple[DesiredBot, ...]
    at: Position
    files: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Desired:
    """All manifests, one instance each, by the instance's name."""

    instances: tuple[DesiredInstance, ...]


# -- what the server says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteBot:
    """A bot as the server has it.

    fields: every field of the kind's table that is not null. description is the raw text, marker included.
    created: the server's createdAt, which orders twins; times do not take part in comparisons.
    """

    id: str
    fields: Fields
    created: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """An instance's settings, which a create copies into what it leaves out.

    exists: whether the server has a row for it; without one it answers with defaults of its own.
    fields: those of the kind's table that are not null, openaiCredsId among them.
    fallback: the id of the bot that answers when no other does.
    """

    exists: bool
    fields: Fields
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedInstance:
    """One instance of the server. What was not asked is None: credentials (name to id), settings.

    problem: why it could not be read, a sentence; then nothing else is known.
    """

    name: str
    bots: tuple[RemoteBot, ...] = ()
    credentials: Mapping[str, str] | None = None
    settings: RemoteSettings | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """The instances that were asked for, by name. server: its URL, without credentials."""

    server: str
    instances: Mapping[str, ObservedInstance]


# -- what is to be done -----------------------------------------------------------------------


Cause = Literal["drift", "pending", "both", ""]
"""Who moved since the last apply: the bot on the server, its manifest, both; or it cannot be known."""


class Verb(StrEnum):
    """What a plan does with a bot. The last four are reports: no call is made."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    REPLACE = "replace"
    DELETE = "delete"
    HELD = "held"  # it would be written, but nobody reviewed it
    CONFLICT = "conflict"
    ORPHAN = "orphan"
    UNMANAGED = "unmanaged"

    @property
    def writes(self) -> bool:
        """Whether calls are made for it."""
        return self not in _REPORTS


_REPORTS = frozenset({Verb.HELD, Verb.CONFLICT, Verb.ORPHAN, Verb.UNMANAGED})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, before and after. None: not there (before a create, after a delete, or null)."""

    name: str
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one bot, and why.

    bot: the manifest's name, or for a bot that nothing declares the name in its marker, else "".
    ids: the bots on the server that it is about: none for a create, several for some conflicts.
    reason: a sentence. fields: the differences, in the order of the kind's table; of a create its whole body.
    before: the bot as the plan saw it. at: where the manifest declares it. cause: who moved since the last
    apply, the bot on the server (drift), its manifest (pending) or both; "" where that cannot be known.
    """

    instance: str
    bot: str
    verb: Verb
    reason: str
    ids: tuple[str, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    before: RemoteBot | None = None
    at: Position | None = None
    cause: Cause = ""

    @property
    def digest(self) -> str:
        """32 hex digits over what it would do and what that was computed against, and nothing else."""
        fields = [(field.name, field.before, field.after) for field in self.fields]
        before = self.before and (self.before.id, sorted(self.before.fields.items()))
        return _digest(self.instance, self.bot, self.verb, self.ids, fields, before)

    @property
    def label(self) -> str:
        """What the change is called where space is short: the bot's name, else its id."""
        return self.bot or (self.ids[0] if self.ids else "?")


class Call(StrEnum):
    """The kinds of writing calls."""

    CREATE = "create"
    UPDATE = "update"
    PARK = "park"  # an update that moves a bot out of another's way; a later update brings it to its place
    DELETE = "delete"
    FALLBACK = "fallback"  # points the settings' fallback to a bot that was made anew


@dataclass(frozen=True, slots=True)
class Step:
    """One writing call, in the order in which the server accepts them.

    bot: the name of the change that it belongs to (Change.label). id: the bot that is written, None for a
    create and for what follows a create of the same bot. body: what is sent. why: a sentence, for steps
    that are not plain.
    """

    call: Call
    bot: str
    id: str | None
    body: Fields
    why: str = ""


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One instance's changes, and the calls for them in order.

    in_sync: how many declared bots need nothing. problem: why the instance cannot be planned.
    """

    name: str
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    in_sync: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the manifests and the server, and what apply would do about it."""

    server: str
    owner: str
    instances: tuple[InstancePlan, ...]

    def changes(self) -> Iterator[Change]:
        """Every change of every instance, reports included."""
        for instance in self.instances:
            yield from instance.changes

    @property
    def writes(self) -> bool:
        """Whether apply would make a writing call."""
        return any(instance.steps for instance in self.instances)

    @property
    def in_sync(self) -> int:
        """How many declared bots are as they should be."""
        return sum(instance.in_sync for instance in self.instances)

    @property
    def problems(self) -> int:
        """How many instances could not be planned, and how many bots are in conflict or held."""
        stuck = sum(change.verb in {Verb.CONFLICT, Verb.HELD} for change in self.changes())
        return stuck + sum(instance.problem is not None for instance in self.instances)

    @property
    def digest(self) -> str:
        """32 hex digits over everything that the plan says."""
        return _digest(
            self.server,
            self.owner,
            [
                (
                    [i.name, i.problem, i.in_sync],
                    [(c.digest, c.reason, c.cause) for c in i.changes],
                    [(s.call, s.bot, s.id, sorted(s.body.items()), s.why) for s in i.steps],
                )
                for i in self.instances
            ],
        )

    def counts(self) -> Mapping[Verb, int]:
        """How many changes of each verb there are."""
        return Counter(change.verb for change in self.changes())


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


# -- what was done ----------------------------------------------------------------------------


class Outcome(StrEnum):
    """How a change ended."""

    APPLIED = "applied"
    FAILED = "failed"
    STALE = "stale"  # the bot moved since the plan was made
    SKIPPED = "skipped"  # it needs another change that was not applied
    NOT_ATTEMPTED = "not attempted"  # the run ended before its turn


@dataclass(frozen=True, slots=True)
class Result:
    """How one change ended. detail: a sentence with the server's own words where there are any."""

    change: Change
    outcome: Outcome
    detail: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """How an apply ended: every writing change of the plan, in the plan's order.

    signal: the number of the signal that ended it early.
    """

    results: tuple[Result, ...]
    signal: int | None = None

    @property
    def ok(self) -> bool:
        """Whether every change was applied."""
        return self.signal is None and all(r.outcome is Outcome.APPLIED for r in self.results)
