"""What the plan of one part is made from: an instance, and one kind of bot."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.domain.desired import DesiredInstance, DesiredSettings, Fields, Former
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteSettings
from reconciler.domain.plan import Change, Of, bot_label
from reconciler.domain.records import dataclass, field
from reconciler.plan import settings
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.matching import Matches
from reconciler.plan.moves import Moves
from reconciler.plan.options import Options


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an instance declares and has of one kind, and what may be done.

    blocked: the changes that nobody reviewed, by the bot's name, or the label of what else they are about;
    they are not made. version: the server's, "" where it
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
    def off(self) -> str:
        """Why bots of this kind were not read, a sentence; "" when they were."""
        return self.observed.off.get(self.kind.path, "")

    @property
    def row(self) -> RemoteSettings:
        """The settings as they are on the server."""
        return self.observed.settings_of(self.kind) or settings.NO_ROW

    @property
    def declared_settings(self) -> DesiredSettings | None:
        """The settings that are declared."""
        return self.desired.settings_of(self.kind)

    @property
    def former_settings(self) -> frozenset[str]:
        """The fields of the settings that are not declared any more."""
        return self.former.settings.get(self.kind.path, frozenset())

    def label(self, name: str) -> str:
        """The label of the change that a bot of this name belongs to."""
        replaced = self.moves.replaced.get(name)
        return bot_label(name, self.kind if replaced is None or replaced.apart else replaced.kind)

    @property
    def unshown(self) -> Fields:
        """What is declared of the settings and not shown by the server: a write without it would lose it."""
        declared = {} if self.declared_settings is None else self.declared_settings.fields
        return {name: declared[name] for name in self.row.unseen if name in declared}

    @property
    def deletes(self) -> dict[str, RemoteBot]:
        """The orphans to be deleted, by the name in their marker, but for those that go last."""
        return {name: bot for name, bot in self._orphans.items() if name not in self._last}

    @property
    def leaving(self) -> dict[str, RemoteBot]:
        """The bots that go when they were created on another instance, or as another kind, by name."""
        return {name: bot for name, bot in self._orphans.items() if name in self._last}

    @property
    def _last(self) -> Collection[str]:
        replaced = (name for name, one in self.moves.replaced.items() if one.last and not one.apart)
        return {*self.moves.leaving, *replaced}

    @property
    def _orphans(self) -> dict[str, RemoteBot]:
        """Those that are deleted. What replaces a bot is declared, so it goes whatever is kept."""
        stay = self.blocked.keys() | self.moves.waiting.keys()
        return {
            name: bot
            for name, bot in self.matches.orphans
            if name not in stay and (not self.kept or name in self.moves.replaced)
        }

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
