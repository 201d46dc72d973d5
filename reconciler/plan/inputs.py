"""What the plan of one instance is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.domain.desired import DesiredInstance, Fields, Former
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteSettings
from reconciler.domain.plan import Change, Of
from reconciler.plan import settings
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.matching import Matches
from reconciler.plan.moves import Moves
from reconciler.plan.options import Options


@dataclass(frozen=True, slots=True)
class Inputs:
    """One instance, declared and on the server, and what may be done.

    blocked: the changes that nobody reviewed, by label; they are not made. version: the server's, "" where it
    is not known. former: what is not declared any more, as far as it is known. kept: why bots that nothing
    declares are kept, "" where they are deleted. moves: the bots that come from another instance or go to
    one.
    """

    desired: DesiredInstance
    observed: ObservedInstance
    matches: Matches
    credentials: CredentialIndex
    options: Options
    kind: Kind
    blocked: Mapping[str, Change] = field(default_factory=dict)
    version: str = ""
    former: Former = field(default_factory=Former)
    kept: str = ""
    moves: Moves = field(default_factory=Moves)

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.desired.name

    @property
    def row(self) -> RemoteSettings:
        """The settings as they are on the server."""
        return self.observed.settings or settings.NO_ROW

    @property
    def unshown(self) -> Fields:
        """What is declared of the settings and not shown by the server: a write without it would lose it."""
        declared = {} if self.desired.settings is None else self.desired.settings.fields
        return {name: declared[name] for name in self.row.unseen if name in declared}

    @property
    def deletes(self) -> dict[str, RemoteBot]:
        """The orphans to be deleted, by the name in their marker, but for those that move."""
        return {name: bot for name, bot in self._orphans.items() if name not in self.moves.leaving}

    @property
    def leaving(self) -> dict[str, RemoteBot]:
        """The bots that are deleted after they were created on another instance, by name."""
        return {name: bot for name, bot in self._orphans.items() if name in self.moves.leaving}

    @property
    def _orphans(self) -> dict[str, RemoteBot]:
        if self.kept:
            return {}
        stay = self.blocked.keys() | self.moves.waiting.keys()
        return {name: bot for name, bot in self.matches.orphans if name not in stay}

    @property
    def settings_blocked(self) -> bool:
        """Whether nobody reviewed the change of the settings."""
        return any(change.of is Of.SETTINGS for change in self.blocked.values())

    def blocked_changes(self) -> list[Change]:
        """The reports of what is not made because nobody reviewed it, or it was left out."""
        return [self.options.not_made(change) for change in self.blocked.values()]

    def settings_draft(self) -> settings.Draft:
        """What is to become of the settings, apart from their fallback."""
        if self.settings_blocked:
            return settings.Draft(self.row)
        return settings.draft(
            self.desired,
            self.row,
            self.observed.credentials or {},
            lambda name: self.credentials.versions(self.name, name),
            self.kind,
        )
