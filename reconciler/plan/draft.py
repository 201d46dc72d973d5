"""One instance's plan, but for the old credentials: what becomes of those is known when all have a draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.hidden import Hidden
from reconciler.domain.plan import Change, InstancePlan, Step
from reconciler.domain.records import dataclass
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.options import Options
from reconciler.plan.removal import OldCredential
from reconciler.plan.rotations import Rotation


@dataclass(frozen=True, slots=True)
class Draft:
    """One instance's changes and steps.

    before, after: its steps before and after those that move bots to new credentials. leaves: those that
    delete bots which move to another instance. old: credentials that nothing declares any more. left: the
    bots that leave the credential that they use. taken: the ids of the credentials that its bots are to use.
    """

    desired: DesiredInstance
    changes: tuple[Change, ...]
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    leaves: tuple[Step, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    old: tuple[OldCredential, ...] = ()
    left: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    in_sync: int = 0

    def plan(
        self, credentials: CredentialIndex, left: Set[str], taken: Mapping[str, str], options: Options
    ) -> InstancePlan:
        """The whole plan.

        left: the bots of all instances that leave their credential. taken: who else uses a credential, by its
        id, a sentence.
        """
        removed = [(one, options.made(one.change(left, taken, credentials.users))) for one in self.old]
        rotated = [
            change
            for rotation in self.rotations
            for change in rotation.changes(left, taken, credentials.users)
        ]
        steps = (
            *credentials.creates(self.desired),
            *self._moves(),
            *self.leaves,
            *(step for rotation in self.rotations for step in rotation.deletes(left, taken)),
            *(step for one, change in removed if change.verb.writes for step in one.steps()),
        )
        return InstancePlan(
            self.desired.name,
            (*credentials.changes(self.desired), *rotated, *(change for _, change in removed), *self.changes),
            steps,
            self.in_sync,
            credentials=credentials.standings(self.desired),
            unverified={**credentials.unverified(self.desired), **self._unavailable()},
        )

    def _moves(self) -> Iterator[Step]:
        """The steps of settings and bots, with those that move them to new credentials in between."""
        settings = [step for rotation in self.rotations for step in rotation.settings_step()]
        late = any(rotation.late for rotation in self.rotations)
        yield from () if late else settings
        yield from self.before
        yield from (step for rotation in self.rotations for step in rotation.bot_steps())
        yield from self.after
        yield from settings if late else ()

    def _unavailable(self) -> dict[str, str]:
        """Declared values that were not compared as they are not available here, and why."""
        return {
            f"{name} of {bot.name}": value.why
            for bot in self.desired.bots
            for name, value in bot.fields.items()
            if isinstance(value, Hidden) and value.real is None
        }
