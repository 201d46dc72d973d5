"""What each declared bot is and should be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from reconciler.domain import markers
from reconciler.domain.desired import DesiredBot, Fields
from reconciler.domain.kinds import OPENAI, Kind, Value
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.plan import Cause
from reconciler.domain.rotation import CredentialVersions
from reconciler.plan import differ
from reconciler.plan.matching import Found, How


@dataclass(slots=True)
class Wanted:
    """One declared bot on its way through the plan.

    start: what is there, {} for nothing, without the stamp, which is nobody's to declare, and with the
    credential to which a rotation moves it. family: of the credential that it names. late: no rotation can
    move it as it is, since the server refuses any change of it; its own update does, where that is possible.
    """

    bot: DesiredBot
    owner: str
    found: Found | None
    family: CredentialVersions | None
    start: Fields
    target: dict[str, Value]
    anew: bool = False
    late: bool = False

    @classmethod
    def of(
        cls,
        bot: DesiredBot,
        found: Found | None,
        family: CredentialVersions | None,
        settings: RemoteSettings,
        owner: str,
        *,
        anew: bool,
        late: bool,
        kind: Kind = OPENAI,
    ) -> Self:
        """What a bot should be. settings: those that a create copies. anew: replaced where it differs."""
        remote = found.remote if found else None
        start = _start(remote, None if late else family, owner) if remote else {}
        creds_id = family.wanted(str(start.get("openaiCredsId", ""))) if family else ""
        if found is not None and remote is not None:
            target = differ.update_target(bot, creds_id, owner, remote, kind)
            wanted = cls(bot, owner, found, family, start, target, late=late)
            # Only what is known to be ours is ever deleted for a replacement.
            if not (anew and found.how is How.MARKER and wanted.drifted):
                return wanted
        target = differ.create_target(bot, creds_id, owner, settings, remote.fields if remote else None, kind)
        return cls(bot, owner, found, family, start, target, found is not None, late)

    @property
    def remote(self) -> RemoteBot | None:
        return self.found.remote if self.found else None

    @property
    def cause(self) -> Cause:
        """Who moved since the last apply, where the bot was applied before."""
        start = {**self.start, "openaiCredsId": self.target["openaiCredsId"]} if self.late else self.start
        if self.remote is None or differ.equal(start, self.target):
            return ""
        return "" if self.unkept else differ.cause(self.bot, self.remote, self.owner)

    @property
    def unkept(self) -> list[str]:
        """The fields that the last apply wrote, and that the server did not keep."""
        return [] if self.remote is None else differ.unkept(self.bot, self.remote, self.target, self.owner)

    @property
    def stamped(self) -> str:
        """The description that is written when the bot is at its target."""
        stamp = differ.stamp(self.bot, self.target, self.owner)
        return markers.with_stamp(str(self.target["description"]), self.owner, self.bot.name, stamp)

    @property
    def drifted(self) -> bool:
        return self.found is None or self.anew or not differ.equal(self.start, self.target)

    @property
    def shown(self) -> Mapping[str, Value]:
        """The target for a person, and for a digest that every generation of its credential has in common."""
        if self.family is None or self.start.get("openaiCredsId") == self.target["openaiCredsId"]:
            return self.target
        return {**self.target, "openaiCredsId": self.family.shown}

    @property
    def leaves(self) -> bool:
        """Whether the bot is to use another credential than it does, however that comes about."""
        now = self.remote and self.remote.fields.get("openaiCredsId")
        return now is not None and now != self.target["openaiCredsId"]


def _start(remote: RemoteBot, family: CredentialVersions | None, owner: str) -> Fields:
    """A bot as it is compared."""
    fields = remote.fields
    if "description" in fields:
        fields = {**fields, "description": markers.unstamped(str(fields["description"]), owner)}
    if family is not None and family.old:
        fields = {**fields, "openaiCredsId": family.seen(str(fields.get("openaiCredsId", "")))}
    return fields
