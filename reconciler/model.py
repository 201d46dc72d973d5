"""The values that flow through the house: Desired and Observed in, a Plan in the middle, Results out.

Frozen, comparable, without behaviour beyond reading themselves. No stage hands another anything else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Position
from reconciler.kinds import Value

if TYPE_CHECKING:
    from reconciler.nodes import Origin

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
    lender: the instance whose credential creds is, None for the bot's own.
    silenced: ids of lint rules that are not to speak of this bot.
    origins: where each declared key comes from, by the manifest's name of it.
    """

    name: str
    fields: Fields
    creds: str | None
    at: Position
    previously: tuple[str, ...] = ()
    on_drift: Literal["update", "replace"] = "update"
    lender: str | None = None
    silenced: frozenset[str] = frozenset()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where an api key is found, never the key itself.

    tag: env, a variable of the environment; secret-file, a file. name: the variable's name, or the path from
    the current directory.
    """

    tag: Literal["env", "secret-file"]
    name: str

    def __str__(self) -> str:
        return f"!{self.tag} {self.name}"


@dataclass(frozen=True, slots=True)
class UrlRef(SecretRef):
    """Where a URL is found that has a secret in it."""


@dataclass(frozen=True, slots=True)
class DesiredCredential:
    """An OpenAI credential that an instance should have.

    name: as the bots name it. On the server a rotated one is called NAME@2, NAME@3 and so on.
    """

    name: str
    key: SecretRef
    at: Position


@dataclass(frozen=True, slots=True)
class DesiredSettings:
    """The settings that an instance should have. What is None, or not in fields, belongs to the server.

    fields: of the kind's table of settings. creds: the name of a credential of the instance's own.
    fallback: the name of the bot that answers when no other does, "" for none.
    merge_jids: ignoreJids are added to those that the server has, instead of replacing them.
    origins: where each declared key comes from.
    """

    fields: Fields
    at: Position
    creds: str | None = None
    fallback: str | None = None
    merge_jids: bool = False
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DesiredInstance:
    """The bots that one instance should have, in the order of the manifest; its credentials and settings.

    settings: None when nothing is declared of them. silenced: ids of lint rules that are not to speak of it.
    files: the paths of every file that this was read from, the manifest first.
    vars: what ${name} stood for in its texts; None when it had no meaning there.
    """

    name: str
    bots: tuple[DesiredBot, ...]
    at: Position
    credentials: tuple[DesiredCredential, ...] = ()
    settings: DesiredSettings | None = None
    silenced: frozenset[str] = frozenset()
    files: tuple[str, ...] = field(default=(), compare=False)
    vars: Mapping[str, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Desired:
    """All manifests, one instance each, by the instance's name.

    lenders: instances that were not selected, but lend a credential to one that was; nothing of them is
    planned.
    """

    instances: tuple[DesiredInstance, ...]
    lenders: tuple[DesiredInstance, ...] = ()


# -- what the server says ---------------------------------------------------------------------

Unread = tuple[tuple[str, str], ...]
"""What of a row is not understood: the field, and why: ("expire", "is not of type int")."""


def not_understood(unread: Unread) -> str:
    """Completes a sentence about a row."""
    return "its row is not understood: " + ", ".join(f"{name} {why}" for name, why in unread)


@dataclass(frozen=True, slots=True)
class RemoteBot:
    """A bot as the server has it.

    id: "" where the server's cannot be used. fields: every field of the kind's table that is not null.
    description is the raw text, marker included. created: the server's createdAt, which orders twins; times
    do not take part in comparisons. instance_id: the server's id of its instance, "" where the row does not
    say it. unread: what of its row is not understood, and why; such a bot is never written. unseen: fields
    that the server does not show.
    """

    id: str
    fields: Fields
    created: str = field(default="", compare=False)
    instance_id: str = field(default="", compare=False)
    unread: Unread = ()
    unseen: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """An instance's settings, which a create copies into what it leaves out.

    exists: whether the server has a row for it; without one it answers with defaults of its own.
    fields: those of the kind's table of settings that are not null, and openaiCredsId.
    fallback: the id of the bot that answers when no other does.
    unseen: fields that this version of the server has, and does not show.
    instance_id: as of a bot. unread: what of the row is not understood; then the settings are not written.
    """

    exists: bool
    fields: Fields
    fallback: str | None = None
    unseen: frozenset[str] = frozenset()
    instance_id: str = field(default="", compare=False)
    unread: Unread = ()


@dataclass(frozen=True, slots=True)
class RemoteCredential:
    """A credential as the server has it, without its key.

    same: whether its key is the one that is declared for it; None where that is not known.
    users: the ids of the bots that use it, of whatever instance; None where the server does not say.
    instance_id: as of a bot.
    """

    id: str
    same: bool | None = None
    users: frozenset[str] | None = None
    instance_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ObservedInstance:
    """One instance of the server. What was not asked is None: credentials by name, settings.

    lent: the credentials of the instances that lend to this one, by instance and name.
    unlent: of those that cannot be read why, a sentence.
    clashes: for declared credentials that the server would refuse to make, why, a sentence.
    keyless: for declared credentials whose key is not at hand, why: "OPENAI_KEY is not set".
    unread: of rows of credentials that are not understood what they are called, and why.
    problem: why it could not be read, a sentence; then nothing else is known.
    """

    name: str
    bots: tuple[RemoteBot, ...] = ()
    credentials: Mapping[str, RemoteCredential] | None = None
    settings: RemoteSettings | None = None
    lent: Mapping[str, Mapping[str, RemoteCredential]] = field(default_factory=dict)
    unlent: Mapping[str, str] = field(default_factory=dict)
    clashes: Mapping[str, str] = field(default_factory=dict)
    keyless: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[tuple[str, str], ...] = ()
    problem: str | None = None

    @property
    def id(self) -> str:
        """The server's id of the instance; "" where it has no row that says it."""
        settings = () if self.settings is None else (self.settings,)
        rows = (*self.bots, *settings, *(self.credentials or {}).values())
        return next((row.instance_id for row in rows if row.instance_id), "")


@dataclass(frozen=True, slots=True)
class Observed:
    """The instances that were asked for, by name. server: its URL, without credentials.

    elsewhere: ids of credentials that the settings of another instance name, and that instance; looked for
    only when an old credential may go, and only among the instances that were not asked for.
    """

    server: str
    instances: Mapping[str, ObservedInstance]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def without(self, problems: Mapping[str, str]) -> Observed:
        """The same, but for instances with a problem: why each could not be read, a sentence."""
        found = {name: ObservedInstance(name, problem=why) for name, why in problems.items()}
        return replace(self, instances={**self.instances, **found})


# -- what is to be done -----------------------------------------------------------------------


Cause = Literal["drift", "pending", "both", ""]
"""Who moved since the last apply: the bot on the server, its manifest, both; or it cannot be known."""


class Of(StrEnum):
    """What a change is about."""

    BOT = "bot"
    CREDENTIAL = "credential"
    SETTINGS = "settings"


class Verb(StrEnum):
    """What a plan does with a bot. The last four are reports: no call is made."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    REPLACE = "replace"
    ROTATE = "rotate"  # a credential: its key is made anew under another name, and all is moved to it
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
    """What happens to one bot, one credential or an instance's settings, and why.

    bot: the manifest's name, or for a bot that nothing declares the name in its marker, else ""; of a
    credential its name as the manifest has it. of: what it is about.
    ids: the bots on the server that it is about: none for a create, several for some conflicts; of a rotated
    credential those of the old ones. Of settings, before has the row, and fallbackId among its fields.
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
    of: Of = Of.BOT

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
        return _digest(self.instance, self.of, self.bot, self.verb, self.ids, fields, before)

    @property
    def label(self) -> str:
        """What the change is called where space is short: the bot's name, else its id.

        No bot can be named as credentials and settings are labelled here: no bot's name has a space.
        """
        if self.of is Of.CREDENTIAL:
            return f"credential {self.bot}"
        if self.of is Of.SETTINGS:
            return "the settings"
        return self.bot or (self.ids[0] if self.ids else "?")


class Call(StrEnum):
    """The kinds of writing calls."""

    CREATE = "create"
    UPDATE = "update"
    PARK = "park"  # an update that moves a bot out of another's way; a later update brings it to its place
    DELETE = "delete"
    NEW_CREDENTIAL = "new credential"
    OLD_CREDENTIAL = "old credential"  # deletes it, when nothing uses it any more
    MOVE = "move"  # an update of nothing but the credential that a bot uses
    SETTINGS = "settings"
    FALLBACK = "fallback"  # points the settings' fallback to a bot, or to none

    @property
    def phase(self) -> int:
        """Every instance's steps of one phase are done before any instance begins with the next.

        Credentials are made before anybody uses them, and go after everybody has left them: bots of other
        instances may use them too, and deleting a credential deletes its bots.
        """
        return {Call.NEW_CREDENTIAL: 0, Call.OLD_CREDENTIAL: 2}.get(self, 1)


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
    merge: ignoreJids are added to those that are there then.
    """

    call: Call
    bot: str
    id: str | None
    body: Fields
    why: str = ""
    secret: SecretRef | None = None
    merge: bool = False


Standing = Literal["missing", "present", "different", "not compared"]
"""Of a declared credential; its key is compared in memory, and not compared where it is not at hand."""


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One instance's changes, and the calls for them in order.

    in_sync: how many declared bots need nothing. problem: why the instance cannot be planned.
    id: the server's id of the instance, "" where it has no row that says it.
    credentials: of each declared one how it stands, by name. keyless: of those whose key is not at hand why;
    no digest is over that, as it is not about the server.
    """

    name: str
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    in_sync: int = 0
    problem: str | None = None
    credentials: Mapping[str, Standing] = field(default_factory=dict)
    keyless: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the manifests and the server, and what apply would do about it.

    server: its address. server_name: what its users call it, "" where they gave it no name; one server may be
    reached by several addresses.
    """

    server: str
    owner: str
    instances: tuple[InstancePlan, ...]
    server_name: str = ""

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
        """How many instances could not be planned, and how many changes are in conflict or held."""
        stuck = sum(change.verb in {Verb.CONFLICT, Verb.HELD} for change in self.changes())
        return stuck + sum(instance.problem is not None for instance in self.instances)

    @property
    def digest(self) -> str:
        """32 hex digits over everything that the plan says."""
        return _digest(
            self.server,
            self.server_name,
            self.owner,
            [
                (
                    [i.name, i.id, i.problem, i.in_sync],
                    [(c.digest, c.reason, c.cause) for c in i.changes],
                    [
                        (s.call, s.bot, s.id, sorted(s.body.items()), s.why, str(s.secret), s.merge)
                        for s in i.steps
                    ],
                )
                for i in self.instances
            ],
        )

    def counts(self, of: Of = Of.BOT) -> Mapping[Verb, int]:
        """How many changes of bots there are of each verb, or of what else."""
        return Counter(change.verb for change in self.changes() if change.of is of)


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


# -- what doctor looked at --------------------------------------------------------------------


class Mark(StrEnum):
    """How something is: right, worth knowing, or in the way."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. said, todo: sentences, not yet made safe to show; todo may be ""."""

    mark: Mark
    about: str
    said: str
    todo: str = ""
