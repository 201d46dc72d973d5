"""What a declared bot is and is to become. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.domain import markers
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import DesiredBot, Fields
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.plan import Cause
from reconciler.domain.records import dataclass
from reconciler.plan import differ
from reconciler.plan.matching import Found, How


@dataclass(frozen=True, slots=True)
class Target:
    """What one declared bot is and is to become.

    versions: of the credential that it names. start: the bot as it is, {} for nothing: without the stamp,
    which no manifest declares, and with the credential to which a rotation moves it. fields: the bot as it is
    to become. recreate: it is deleted and created. late: a rotation cannot move it as it is, since the server
    refuses any change to it; its own update moves it, where that is possible. undeclared: fields that the
    manifest does not declare any more, which go back to what a create gives them. stuck: those of them that
    stay, as a create gives them nothing and no update clears them.
    """

    bot: DesiredBot
    owner: str
    found: Found | None
    versions: CredentialVersions | None
    start: Fields
    fields: Mapping[str, Value]
    recreate: bool = False
    late: bool = False
    undeclared: frozenset[str] = frozenset()
    stuck: tuple[str, ...] = ()

    @property
    def remote(self) -> RemoteBot | None:
        """The bot on the server."""
        return self.found.remote if self.found else None

    @property
    def differs(self) -> bool:
        """Whether the bot is to be written."""
        return not differ.equal(self.start, self.fields)

    @property
    def off(self) -> str:
        """The day on which `reconciler disable` switched the bot off, which it stays; "" for none."""
        return "" if self.remote is None else differ.switched_off(self.bot, self.remote.fields, self.owner)

    @property
    def moved(self) -> tuple[Cause, Sequence[str]]:
        """Who moved since the last apply, and the fields that it wrote and the server did not keep.

        "" where the bot was not applied before, or is as it is to become.
        """
        if self.remote is None:
            return "", ()
        cause, unkept = differ.moved(self.bot, self.remote, self.fields, self.owner)
        start = {**self.start, **self._credential} if self.late else self.start
        return "" if differ.equal(start, self.fields) else cause, unkept

    @property
    def lost(self) -> list[str]:
        """The fields that the server has no value for any more, although they were applied."""
        stored = "" if self.remote is None else str(self.remote.fields.get("description", ""))
        if self.remote is None or not markers.stamped(stored, self.owner):
            return []
        return differ.lost(self.bot, self.remote)

    @property
    def stamped(self) -> str:
        """The description to be written when the bot reaches its target."""
        stamp = differ.stamp(self.bot, self.fields, self.owner)
        return markers.with_stamp(str(self.fields["description"]), self.owner, self.bot.name, stamp)

    @property
    def shown(self) -> Mapping[str, Value]:
        """The fields for a person, and for a digest that is the same for every version of its credential."""
        if self.versions is None or self._credential.items() <= self.start.items():
            return self.fields
        return {**self.fields, **dict.fromkeys(self._credential, self.versions.shown)}

    @property
    def leaves_credential(self) -> bool:
        """Whether the bot is to use another credential than it does now, by whatever step."""
        return self.remote is not None and not self._credential.items() <= self.remote.fields.items()

    @property
    def credential_ids(self) -> tuple[str, ...]:
        """The id of the credential that the bot is to use, if it uses one."""
        return tuple(map(str, self._credential.values()))

    @property
    def _credential(self) -> Mapping[str, Value]:
        """The credential that the bot is to use, by its field; nothing for a kind that has none."""
        field = self.bot.kind.credential
        return {} if field is None else {field: self.fields[field]}


def target_of(
    bot: DesiredBot,
    found: Found | None,
    versions: CredentialVersions | None,
    settings: RemoteSettings,
    owner: str,
    *,
    recreate: bool,
    late: bool,
    former: frozenset[str] = frozenset(),
) -> Target:
    """The target of a bot.

    settings: those that a create copies. recreate: instead of an update. former: fields that were declared.
    """
    kind = bot.kind
    start = _start(found.remote, None if late else versions, owner) if found else {}
    creds_id = versions.wanted(str(start.get("openaiCredsId", ""))) if versions else ""
    there = None
    if found is not None:
        there = found.remote.fields
        undeclared = former - bot.fields.keys()
        fresh = differ.create_target(bot, creds_id, owner, settings) if undeclared else {}
        fields = differ.update_target(bot, creds_id, owner, found.remote, undeclared, fresh)
        stuck = tuple(n for n in kind.fields if n in undeclared - fresh.keys() and fields.get(n))
        target = Target(bot, owner, found, versions, start, fields, False, late, undeclared, stuck)
        # Only a bot with our marker is ever deleted to be replaced.
        if not (recreate and found.how is How.MARKER and target.differs):
            return target
    fields = differ.create_target(bot, creds_id, owner, settings, there)
    return Target(bot, owner, found, versions, start, fields, found is not None, late)


def _start(remote: RemoteBot, versions: CredentialVersions | None, owner: str) -> Fields:
    """A bot as it is compared."""
    fields = differ.bare(remote.fields, owner)
    if versions is not None and versions.old:
        fields = {**fields, "openaiCredsId": versions.seen(str(fields.get("openaiCredsId", "")))}
    return fields
