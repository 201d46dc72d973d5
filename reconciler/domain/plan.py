"""What is to be done: changes for a person, and the steps (writing calls) that make them. Frozen values."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal

from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.kinds import DEFAULT, OPENAI, Kind, Value
from reconciler.domain.observed import RemoteBot
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.rerouted import Rerouted
from reconciler.domain.servers import local

Cause = Literal["drift", "pending", "both", ""]
"""Who moved since the last apply: the bot on the server, its manifest, both; or it cannot be known."""


class Of(StrEnum):
    """What a change is about."""

    BOT = "bot"
    CREDENTIAL = "credential"
    SETTINGS = "settings"


class Verb(StrEnum):
    """What a plan does with a bot. From `held` on they are reports: no call is made."""

    CREATE = "create"
    MOVE = "move"  # created here, and then deleted on the instance that it leaves
    UPDATE = "update"
    ADOPT = "adopt"
    REPLACE = "replace"
    ROTATE = "rotate"  # a credential: a new version is created, and its users are moved to it
    DELETE = "delete"
    BLOCKED = "held"  # not made, as nobody reviewed it
    CONFLICT = "conflict"
    ORPHAN = "orphan"  # no longer declared, and kept
    FORGET = "forget"  # no longer declared, and not managed from now on
    SWITCHED_OFF = "off"  # switched off by hand, and left so
    BEFORE = "before"  # also planned without this pull request, and not made
    WITHDRAWN = "withdrawn"  # planned without this pull request, and not any more with it
    UNMANAGED = "unmanaged"

    @property
    def writes(self) -> bool:
        """Whether calls are made for it."""
        return self not in _REPORTS

    @property
    def creates(self) -> bool:
        """Whether what it is about is missing on its instance, and is created there."""
        return self in {Verb.CREATE, Verb.MOVE}


_REPORTS = frozenset(
    {
        Verb.BLOCKED,
        Verb.CONFLICT,
        Verb.ORPHAN,
        Verb.FORGET,
        Verb.SWITCHED_OFF,
        Verb.BEFORE,
        Verb.WITHDRAWN,
        Verb.UNMANAGED,
    }
)


class Prune(StrEnum):
    """When bots and credentials that nothing declares any more are deleted."""

    NEVER = "never"
    REVIEWED = "reviewed"  # by a saved or a reviewed plan that shows it
    ALWAYS = "always"  # by a plain apply too


Note = Literal["", "undeclared", "edited"]
"""Of a field that changes. undeclared: its manifest declared it before, so it goes back to what a create
gives it. edited: somebody changed it on the server since the last apply, which is overwritten."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, before and after. None: not there (before a create, after a delete, or null)."""

    name: str
    before: Value | None
    after: Value | None
    note: Note = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one bot, one credential or an instance's settings, and why.

    bot: the manifest's name, or for a bot that nothing declares the name in its marker, else ""; of a
    credential its name as the manifest has it. of: what it is about.
    ids: the bots on the server that it is about: none for a create, several for some conflicts; of a rotated
    credential those of the old ones. Of settings, before has the row, and fallbackId among its fields.
    reason: a sentence. fields: the differences, in the order of the kind's table; of a create its whole body.
    before: the bot as the plan saw it. at: where the manifest declares it. cause: who moved since the last
    apply, the bot on the server (drift), its manifest (pending) or both; "" where that cannot be known.
    kind: of the bot, or of the bots whose settings they are; before may have another, which it replaces.
    other: of a move the instance that the bot leaves, of the delete that belongs to it the one to which it
    moves; else "".
    unkept: the fields that the server did not keep when they were last applied; a saved plan has them in
    nothing but the reason. server: as of its InstancePlan.
    origins: where the declared values come from that differ: `bots/_defaults.yaml:14`, or a file of
    `!file`. Of a create, and where that is not known, none. vars: the values of the variables that are used
    in them, so that texts that differ in nothing else are the same to a reader.
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
    of: Of = Of.BOT
    other: str = ""
    kind: Kind = OPENAI
    unkept: tuple[str, ...] = field(default=(), compare=False)
    origins: tuple[str, ...] = field(default=(), compare=False)
    vars: Mapping[str, str] = field(default_factory=dict, compare=False)
    server: str = field(default="", compare=False)

    @property
    def local(self) -> str:
        """What its server calls its instance."""
        return local(self.server, self.instance)

    @property
    def digest(self) -> str:
        """32 hex digits over what it would do and what that was computed against, and nothing else.

        Not over what moves without meaning anything for it: the credential that a bot was seen to use, which
        a rotation changes, and the fields of the settings that it leaves alone.
        """
        fields = [(field.name, field.before, field.after) for field in self.fields]
        before = self.before and (
            self.before.id,
            sorted(item for item in self.before.fields.items() if item[0] != "openaiCredsId")
            if self.of is Of.BOT
            else [],
        )
        parts = (self.instance, self.of, self.bot, self.verb, self.ids, fields, before, self.other)
        return _digest(*parts, *_other_kind(self.kind))

    @property
    def changes_kind(self) -> bool:
        """Whether a bot of another kind is replaced."""
        return self.of is Of.BOT and self.before is not None and self.before.kind is not self.kind

    @property
    def is_whole(self) -> bool:
        """Whether its fields are a whole bot, credential or row: one that is created or deleted."""
        return self.verb.creates or self.verb is Verb.DELETE or self.changes_kind

    @property
    def name(self) -> str:
        """The bot's name, else its id."""
        return self.bot or (self.ids[0] if self.ids else "?")

    @property
    def label(self) -> str:
        """What the change is called where space is short: the bot's name, else its id.

        No bot can be named as credentials and settings are labelled here: no bot's name has a space. While a
        bot changes its kind there are two of one name.
        """
        if self.of is Of.CREDENTIAL:
            return f"credential {self.bot}"
        if self.of is Of.SETTINGS:
            return settings_label(self.kind)
        return bot_label(self.name, self.kind)


def bot_label(name: str, kind: Kind) -> str:
    """What a bot's change is called, by the bot's name."""
    return name if kind is DEFAULT else f"{name} ({kind.label})"


def settings_label(kind: Kind) -> str:
    """What a change of the settings of a kind is called."""
    return "the settings" if kind is DEFAULT else f"the {kind.label} settings"


class Call(StrEnum):
    """What writing calls do."""

    CREATE = "create"
    UPDATE = "update"
    PARK = "park"  # an update that moves a bot out of another's way; a later update brings it to its place
    DELETE = "delete"
    NEW_CREDENTIAL = "new credential"
    OLD_CREDENTIAL = "old credential"  # deletes it, when nothing uses it any more
    MOVE = "move"  # an update of nothing but the credential that a bot uses
    SETTINGS = "settings"
    FALLBACK = "fallback"  # points the settings' fallback to a bot, or to none
    LEAVE = "leave"  # deletes a bot that was created on another instance

    @property
    def phase(self) -> int:
        """Every instance's steps of one phase are done before any instance begins with the next.

        Credentials are made before anybody uses them, and go after everybody has left them: bots of other
        instances may use them too, and deleting a credential deletes its bots. A bot that moves is deleted
        after it was created on the other instance.
        """
        return {Call.NEW_CREDENTIAL: 0, Call.LEAVE: 2, Call.OLD_CREDENTIAL: 3}.get(self, 1)

    @property
    def deletes(self) -> bool:
        """Whether it deletes a bot."""
        return self in {Call.DELETE, Call.LEAVE}


NEW_CREDENTIAL = "new credential "
"""Stands with its name in the place of the id of a credential that the plan makes."""

NEW_BOT = "new bot "
"""Stands with its name in the place of the id of a bot that the plan makes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One writing call, in the order in which the server accepts them.

    bot: the label of the change that it belongs to (Change.label). id: the bot or the credential that is
    written, None for what is made, for settings, and for what follows a create of the same bot.
    why: a sentence, for steps that are not plain.

    body: what is sent. Of a new credential only its name: the key is read where `secret` says when the step
    is made. Of an old credential its name. Of settings only what changes: the server insists on the whole
    row, which is completed with what is there then. Of a fallback `fallbackId`, "" for none. Both also have
    what is declared of the settings and the server does not show. Ids that are not known yet are
    NEW_CREDENTIAL or NEW_BOT with a name.
    merge: ignoreJids are added to those that are there then. kind: of the bots whose route it takes.
    """

    call: Call
    bot: str
    id: str | None
    body: Fields
    why: str = ""
    secret: SecretRef | None = None
    merge: bool = False
    kind: Kind = OPENAI


Standing = Literal["missing", "present", "different", "not compared"]
"""Of a declared credential. Its key is compared in memory, and not compared where it is not available."""


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One instance's changes, and the calls for them in order.

    in_sync: how many declared bots need nothing. problem: why the instance cannot be planned.
    id: the server's id of the instance, "" where it has no row that says it.
    credentials: the standing of each declared credential, by name. unverified: why the key of one is not
    available, by name; no digest is over that, as it is not about the server.
    manifest: the file that declares it, "" where that is not known. answering: how many of the bots that are
    in sync, or not planned, may answer: those that are not declared `enabled: false`. server: which of
    several has it, which the name begins with; else "".
    """

    name: str
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    in_sync: int = 0
    problem: str | None = None
    credentials: Mapping[str, Standing] = field(default_factory=dict)
    unverified: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    manifest: str = field(default="", compare=False)
    answering: int = field(default=0, compare=False)
    server: str = ""

    @property
    def local(self) -> str:
        """What its server calls it."""
        return local(self.server, self.name)


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the manifests and the server, and what apply would do about it.

    server: its address. server_name: what its users call it, "" where they gave it no name; one server may be
    reached by several addresses. base: the commit whose manifests were planned too; then the changes are
    those that it does not need. "" for a plan of everything. limits: why the deletes are not made, a sentence
    for each limit that they exceed. approval: what approves them, of a plan that exceeds a limit; approved:
    whether somebody did. notes: sentences about what was not looked at. routing: the messages that are
    answered differently once the plan is applied; None where that was not looked at. servers: of several
    servers the addresses by their names; then server is "".
    """

    server: str
    owner: str
    instances: tuple[InstancePlan, ...]
    server_name: str = ""
    base: str = ""
    limits: tuple[str, ...] = ()
    approval: str = ""
    approved: bool = False
    notes: tuple[str, ...] = ()
    routing: tuple[Rerouted, ...] | None = None
    servers: Mapping[str, str] = field(default_factory=dict)

    def of(self, server: str) -> Plan:
        """The plan of one server, whose instances keep their names."""
        if not server:
            return self
        instances = tuple(one for one in self.instances if one.server == server)
        return replace(self, server=self.servers[server], server_name=server, instances=instances, servers={})

    @property
    def where(self) -> str:
        """The address of its server, or the names and the addresses of several."""
        named = (f"{name} ({address})" for name, address in self.servers.items())
        return ", ".join(named) or self.server

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
        """How many instances have no plan, changes are in conflict or blocked, and limits exceeded."""
        stuck = sum(change.verb in {Verb.CONFLICT, Verb.BLOCKED} for change in self.changes())
        return stuck + sum(instance.problem is not None for instance in self.instances) + len(self.limits)

    @property
    def pending(self) -> bool:
        """Whether the server is not as the manifests say: something is to be written, or was kept."""
        kept = {Verb.ORPHAN, Verb.SWITCHED_OFF}
        return self.writes or any(change.verb in kept for change in self.changes())

    @property
    def digest(self) -> str:
        """32 hex digits over everything that the plan says."""
        head = (
            *(self.server, self.server_name, self.owner, self.base),
            *(self.limits, self.approved, self.notes),
            *([dict(self.servers)] if self.servers else []),
        )
        # The JSON of all of it would be as large as the plan, so an instance at a time.
        digest = hashlib.sha256(json.dumps(head)[:-1].encode() + b", [")
        for number, i in enumerate(self.instances):
            part = (
                [i.name, i.id, i.problem, i.in_sync],
                [(c.digest, c.reason, c.cause) for c in i.changes],
                [
                    (
                        *(s.call, s.bot, s.id, sorted(s.body.items()), s.why, str(s.secret), s.merge),
                        *_other_kind(s.kind),
                    )
                    for s in i.steps
                ],
            )
            digest.update((", " if number else "").encode() + json.dumps(part).encode())
        from dataclasses import asdict  # noqa: PLC0415  slow to import

        routing = [[asdict(one) for one in self.routing]] if self.routing else []
        digest.update("".join(["]", *(f", {json.dumps(part)}" for part in routing), "]"]).encode())
        return digest.hexdigest()[:32]

    def counts(self, of: Of = Of.BOT) -> Mapping[Verb, int]:
        """How many changes of bots there are of each verb, or of what else. A move is one change."""
        return Counter(
            change.verb
            for change in self.changes()
            if change.of is of and not (change.verb is Verb.DELETE and change.other)
        )


def _other_kind(kind: Kind) -> tuple[str, ...]:
    """What a kind adds to a digest: nothing where it is the one that is meant when none is named."""
    return () if kind is DEFAULT else (kind.path,)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
