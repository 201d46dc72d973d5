"""Shards: parts of a fleet that are planned and applied apart. Frozen values.

An instance belongs to the shard that a hash of its server and its name gives, whatever manifests there are.
What depends on the instances of several shards is not decided in one: a shard's plan says what it knows of it
(PlanShard), and the plans of all shards are merged. In an apply the instances that wait for each other are in
one shard (ApplyShard).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from reconciler.domain.plan import InstancePlan
from reconciler.domain.records import dataclass, field
from reconciler.domain.rerouted import Rerouted

MOST = 1000
"""Shards, at most."""

_SHARD = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of several parts, by its number from 1 on."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, server: str, instance: str) -> bool:
        """Whether an instance belongs to it. server: its name, "" for the only one, which calls it so."""
        return self.number == number(server, instance, self.of)


def number(server: str, instance: str, of: int) -> int:
    """The shard, of so many, to which an instance belongs."""
    text = f"{server}\0{instance}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") % of + 1


def parse(text: str) -> Shard:
    """The shard that is written as I/N. Raises ValueError."""
    found = _SHARD.fullmatch(text)
    shard = Shard(*map(int, found.groups())) if found else None
    if shard is None or shard.number > shard.of or shard.of > MOST:
        raise ValueError(
            f"{text[:20]!r} is not a shard: write I/N, such as 2/4 for the second of four, N up to {MOST}"
        )
    return shard


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which instances are one shard's. bound: the shards of those that wait for others, by their names."""

    shard: Shard
    bound: Mapping[str, int] = field(default_factory=dict)

    def has(self, name: str, server: str, local: str) -> bool:
        """Whether an instance is. name: what it is called. local: what its server calls it."""
        own = self.bound.get(name)
        return self.shard.has(server, local) if own is None else own == self.shard.number


# -- what a shard's plan says to the others ---------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A bot of an instance. kind: the path."""

    instance: str
    kind: str
    bot: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """A bot with our marker that its instance does not declare.

    moves: it may move to an instance that lacks it. stays: it may have to stay here for another's sake.
    """

    place: Place
    moves: bool
    stays: bool


@dataclass(frozen=True, slots=True)
class Bare:
    """A declared instance that has none of its bots. created: when, as far as the server says it."""

    instance: str
    bots: int
    created: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """The plans of those instances that are others on a condition, and what they change for messages."""

    instances: tuple[InstancePlan, ...] = ()
    routing: tuple[Rerouted, ...] = ()


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a plan of a part knows of what depends on other parts.

    orphans: all of them. missing: the declared bots that are not there, and that the plan does not create.
    unread: the bots of declared instances that could not be read. undeclared: why instances that no manifest
    declares were not read, by name. unchanged: the same of those that a pull request does not change.
    unlisted: why the servers' other instances were not read. bare: instances that have none of their bots.
    order: the places of the plan's messages, in the order of the first instance of each.
    kept: if nothing is deleted because it would be too much. waiting: if all that may move stay where they
    are. one_waiting: if only the first, the second and so on of an instance does.
    """

    orphans: tuple[Orphan, ...] = ()
    missing: tuple[Place, ...] = ()
    unread: tuple[Place, ...] = ()
    undeclared: Mapping[str, str] = field(default_factory=dict)
    unchanged: Mapping[str, str] = field(default_factory=dict)
    unlisted: str = ""
    bare: tuple[Bare, ...] = ()
    order: tuple[int, ...] = ()
    kept: Variant = field(default_factory=Variant)
    waiting: Variant = field(default_factory=Variant)
    one_waiting: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much all shards together may delete. fleet: how many bots all manifests declare."""

    most: int
    share: int
    fleet: int
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanShard:
    """Which part a plan is of, what it is made from, and what it says to the others.

    tool: the version. commit: of the manifests, None outside of git. manifests: a digest of what all of them
    contain. options: of the command, as they are written. notes: those that all shards have.
    """

    shard: Shard
    tool: str
    commit: str | None
    manifests: str
    options: Mapping[str, str]
    limits: Limits
    notes: tuple[str, ...]
    crossing: Crossing


# -- what is applied apart --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplyShard:
    """Which part of a plan is applied. plan: the whole one's digest. routing: the places of its messages.

    apart: whether each shard was planned by itself. Then plan is a digest of what all are planned from, and
    the messages have no places.
    """

    shard: Shard
    plan: str
    routing: tuple[int, ...] = ()
    apart: bool = False


def listed(numbers: Iterable[int], of: int) -> str:
    """Shards for a sentence: `2/4`, `2/4 and 3/4`, or as many as are read well."""
    names = [f"{each}/{of}" for each in sorted(numbers)]
    if len(names) > 10:
        return f"{', '.join(names[:10])} and {len(names) - 10} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
