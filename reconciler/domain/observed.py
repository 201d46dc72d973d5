"""What the server has, as far as it was read. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.records import dataclass, field, replace

Unread = tuple[tuple[str, str], ...]
"""What of a row is not understood: the field, and why: ("expire", "is not of type int")."""


def not_understood(unread: Unread) -> str:
    """Completes a sentence about a row."""
    return "its row is not understood: " + ", ".join(f"{name} {why}" for name, why in unread)


@dataclass(frozen=True, slots=True)
class RemoteBot:
    """A bot as the server has it.

    id: "" where the server's cannot be used. fields: every field of the kind's table that is not null.
    description is the raw text, marker included. created: the server's createdAt, which orders duplicates; it
    is not compared. instance_id: the server's id of its instance, "" where the row does not say it. kind:
    whose fields it has.
    unread: what of its row is not understood, and why; such a bot is never written. unseen: fields that the
    server does not show.
    """

    id: str
    fields: Fields
    created: str = field(default="", compare=False)
    instance_id: str = field(default="", compare=False)
    unread: Unread = ()
    unseen: frozenset[str] = field(default=frozenset(), compare=False)
    kind: Kind = OPENAI


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
    """One instance of the server. credentials: by name, None where the server was not asked.

    bots: of all kinds that were read. settings: by kind, those that were read. off: why bots of a kind were
    not read, a sentence, by kind: the server has none, or has them switched off.
    shared_creds: the credentials of the instances that share one with this one, by instance and name.
    unreadable_creds: why those of such an instance cannot be read, a sentence, by instance.
    clashes: why the server would refuse to create a declared credential, a sentence, by name.
    unverified: why the key of a declared credential is not available: "OPENAI_KEY is not set", by name.
    unread: the credentials whose rows are not understood: their names, and why.
    problem: why the instance could not be read, a sentence; then nothing else is known. server: as of a
    DesiredInstance.
    """

    name: str
    bots: tuple[RemoteBot, ...] = ()
    credentials: Mapping[str, RemoteCredential] | None = None
    settings: Mapping[str, RemoteSettings] = field(default_factory=dict)
    shared_creds: Mapping[str, Mapping[str, RemoteCredential]] = field(default_factory=dict)
    unreadable_creds: Mapping[str, str] = field(default_factory=dict)
    clashes: Mapping[str, str] = field(default_factory=dict)
    unverified: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[tuple[str, str], ...] = ()
    problem: str | None = None
    off: Mapping[str, str] = field(default_factory=dict)
    server: str = ""

    @property
    def id(self) -> str:
        """The server's id of the instance; "" where it has no row that says it."""
        ids = (
            *(bot.instance_id for bot in self.bots),
            *(row.instance_id for row in self.settings.values()),
            *(one.instance_id for one in (self.credentials or {}).values()),
        )
        return next((id for id in ids if id), "")

    def settings_of(self, kind: Kind) -> RemoteSettings | None:
        """The settings of a kind, None where they were not read."""
        return self.settings.get(kind.path)

    def of_kind(self, kind: Kind) -> ObservedInstance:
        """What the instance has of one kind of bot."""
        return replace(
            self,
            bots=tuple(bot for bot in self.bots if bot.kind is kind),
            credentials=self.credentials if kind.credential else None,
            unread=self.unread if kind.credential else (),
            settings={path: one for path, one in self.settings.items() if path == kind.path},
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """The instances that were read, by name, declared or not. server: its URL, without credentials.

    elsewhere: ids of credentials that the settings of another instance name, and that instance; looked for
    only when an old credential may go, and only among the instances that were not asked for.
    version: the server's, "" where it was not asked for or is not known.
    created: when the server created an instance, by name, as far as its list of instances says it.
    unlisted: why the server's other instances were not read, a sentence; "" where they were, or need not be.
    parts: of several servers what each has, by its name; there are ids, elsewhere and a version of each.
    """

    server: str
    instances: Mapping[str, ObservedInstance]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    created: Mapping[str, str] = field(default_factory=dict)
    unlisted: str = ""
    parts: Mapping[str, Observed] = field(default_factory=dict)

    def of(self, server: str) -> Observed:
        """What one server has."""
        return self.parts[server] if server else self

    def without(self, problems: Mapping[str, str]) -> Observed:
        """The same, but for instances with a problem: why each could not be read, a sentence."""
        found = {
            name: ObservedInstance(name, problem=why, server=self.instances[name].server)
            for name, why in problems.items()
        }
        parts = {
            server: part.without({name: why for name, why in problems.items() if name in part.instances})
            for server, part in self.parts.items()
        }
        return replace(self, instances={**self.instances, **found}, parts=parts)
