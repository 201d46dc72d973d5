"""What is left of a rotation, for one instance: the settings and bots to move, the old credentials to delete.

A rotation is one change for each instance that has a part in it: a new credential is created, what uses an
old one is moved to it, and an old one that nobody uses any more is deleted. All of it is read off the
server's state, so the next run finishes one that was interrupted, wherever that was:

    new is created     no version of the credential has the key
    settings move      their row has an old one
    a bot moves        it is declared, can be written, and uses an old one
    old is deleted     every bot that uses it leaves it in this plan, on whatever instance
    old is kept        another bot uses it, and the plan says which

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import Fields
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import Call, Change, Of, Step, Verb
from reconciler.domain.records import dataclass, replace
from reconciler.plan import settings
from reconciler.plan.credentials import key_change
from reconciler.plan.inputs import Inputs
from reconciler.plan.target import Target
from reconciler.plan.targets import Targets

MOST_USERS = 10
"""Bots, at most, that are named as users of an old credential."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One instance's part in the rotation of a credential.

    creds_owner: the instance that owns the credential, None for this one. blank: its change, still without a
    reason. settings: whether the instance's settings move. late: they do so after the bots, as one of the
    bots makes them, with an old credential. unshown: what is declared of them and the server does not show.
    moves: its bots that move, name to id.
    """

    versions: CredentialVersions
    creds_owner: str | None
    blank: Change
    settings: bool
    unshown: Fields
    moves: Mapping[str, str]
    late: bool = False

    @property
    def creates(self) -> bool:
        """Whether this instance gets a new version of the credential."""
        return bool(self.versions.new) and self.creds_owner is None

    def settings_step(self) -> Iterator[Step]:
        """The call that moves the settings, if they move."""
        if self.settings:
            body = {**self.unshown, "openaiCredsId": self.versions.current}
            yield Step(Call.SETTINGS, self.blank.label, None, body)

    def bot_steps(self) -> Iterator[Step]:
        """The calls that move the bots."""
        for name, id in self.moves.items():
            body = {"openaiCredsId": self.versions.current}
            yield Step(Call.MOVE, self.blank.label, id, body, why=f"the bot {name}")

    def deletes(self, left: Set[str], taken: Mapping[str, str]) -> Iterator[Step]:
        """The calls that delete the old versions that nobody uses any more.

        left: the bots that leave an old credential. taken: who else uses a credential, by its id, a sentence.
        """
        if self.creds_owner is None and self.versions.leaving:
            for name, old in self.versions.old.items():
                if old.users is not None and not old.users - left and old.id not in taken:
                    yield Step(Call.OLD_CREDENTIAL, self.blank.label, old.id, {"name": name})

    def changes(
        self, left: Set[str], taken: Mapping[str, str], names: Callable[[Iterable[str], str], list[str]]
    ) -> Iterator[Change]:
        """The rotation, if anything is left of it, and a report for each old credential that stays.

        names: the names of bots by their ids, as seen from an instance.
        """
        deleted = {step.id for step in self.deletes(left, taken)}
        if self.settings or self.moves or deleted or self.creates:
            yield replace(self.blank, reason=self._reason(deleted), ids=self.versions.old_ids)
        if self.creds_owner is not None:
            return
        for name, old in self.versions.old.items():
            if why := who_stays(old, left, taken, lambda ids: names(ids, self.blank.instance)):
                yield replace(
                    self.blank,
                    fields=(),
                    bot=name,
                    verb=Verb.UNMANAGED,
                    ids=(old.id,),
                    reason=f"the old key is kept: {why}",
                )

    def _reason(self, deleted: Set[str | None]) -> str:
        name = self.versions.new or self.versions.name
        parts = []
        if self.creates:
            parts.append(f"{name} is created")
        if moved := [*self.moves, *(["the settings"] if self.settings else [])]:
            be = "is" if len(moved) == 1 and not self.settings else "are"
            parts.append(f"{_listed(moved)} {be} moved to it")
        if gone := [name for name, old in self.versions.old.items() if old.id in deleted]:
            parts.append(f"{_listed(gone)} {'is' if len(gone) == 1 else 'are'} deleted")
        if self.creds_owner is not None:
            why = f"the instance {self.creds_owner!r}, which owns it, has a different key for it"
        elif self.versions.new:
            why = "its key is different"
        else:
            why = "a rotation is not finished"
        return f"{why}: {', '.join(parts)}"


def find(given: Inputs, draft: settings.Draft, targets: Targets) -> Iterator[Rotation]:
    """The rotations in which the instance has a part, of those credentials that have an old version.

    draft: of the settings. targets: the bots that can be written.
    """
    desired = given.desired
    declared = {one.name: one for one in desired.credentials}
    shared = {bot.creds: bot for bot in desired.bots if bot.creds is not None and bot.creds_owner is not None}
    users: dict[int, list[Target]] = {}
    for target in targets.values():
        users.setdefault(id(target.versions), []).append(target)
    for name, creds_owner, at in (
        *((one.name, None, one.at) for one in desired.credentials),
        *((name, bot.creds_owner, bot.at) for name, bot in shared.items()),
    ):
        versions = given.credentials.versions(given.name, name, creds_owner)
        if isinstance(versions, CredentialVersions) and versions.old:
            key = () if creds_owner is not None or not versions.new else key_change(declared[name])
            blank = Change(given.name, name, Verb.ROTATE, "", fields=key, of=Of.CREDENTIAL, at=at)
            yield Rotation(
                versions,
                creds_owner,
                blank,
                settings=_moves_settings(given, draft, versions),
                unshown=given.unshown,
                moves=_moves(users.get(id(versions), ()), versions),
            )


def with_created_settings(rotation: Rotation, steps: Sequence[Step]) -> Rotation:
    """The rotation where there are no settings: the first create makes them, with its bot's credential."""
    creds = next((step.body["openaiCredsId"] for step in steps if step.call is Call.CREATE), None)
    return replace(rotation, settings=True, late=True) if rotation.versions.leaves(creds) else rotation


def _moves_settings(given: Inputs, draft: settings.Draft, versions: CredentialVersions) -> bool:
    """Whether the settings use an old version, and their own step does not change that."""
    uses_old = versions.leaves(given.row.fields.get("openaiCredsId"))
    return uses_old and "openaiCredsId" not in draft.body and not given.row.unread


def _moves(targets: Iterable[Target], versions: CredentialVersions) -> dict[str, str]:
    """The bots that use an old version and can be moved as they are, name to id."""
    return {
        target.bot.name: target.remote.id
        for target in targets
        if target.remote is not None
        and versions.leaves(target.remote.fields.get("openaiCredsId"))
        and not target.late
    }


def who_stays(
    old: RemoteCredential,
    left: Set[str],
    taken: Mapping[str, str],
    names: Callable[[Iterable[str]], list[str]],
) -> str:
    """Who goes on using an old credential, a sentence; "" for nobody."""
    if old.users is None:
        return "the server does not say reliably which bots use it"
    stay = sorted(old.users - left)
    if not stay:
        return taken.get(old.id, "")
    more = [f"{len(stay) - MOST_USERS} more"] if len(stay) > MOST_USERS else []
    return f"{_listed([*names(stay[:MOST_USERS]), *more])} {'uses' if len(stay) == 1 else 'use'} it"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
