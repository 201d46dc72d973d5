"""What a plan does about credentials: what each bot uses, and what is left of a rotation. Pure.

A rotation is one change for each instance that has a part in it: a new credential is made, what uses an old
one is moved, and an old one that nobody uses any more goes. All of it is read off the server's state, so
that a run which was interrupted anywhere is finished by the next one:

    new is made        the key is nowhere in the family
    settings move      their row has an old one
    a bot moves        it is declared, can be written, and uses an old one
    old is deleted     every bot that uses it leaves it in this very plan, on whatever instance
    old is kept        somebody else uses it, and it is said who
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.domain import markers, rotation
from reconciler.domain.desired import Desired, DesiredCredential, DesiredInstance, Fields
from reconciler.domain.observed import Observed, RemoteCredential
from reconciler.domain.plan import Call, Change, FieldChange, Of, Standing, Step, Verb
from reconciler.domain.rotation import CredentialVersions
from reconciler.domain.text import quoted

if TYPE_CHECKING:
    from reconciler.plan.options import Options

MOST_USERS = 10
"""Bots, at most, that are named as users of an old credential."""


class CredentialIndex:
    """The declared credentials of all instances of one plan."""

    def __init__(self, desired: Desired, observed: Observed, options: Options) -> None:
        self._observed, self._options = observed.instances, options
        self._homes = {bot.id: (name, bot) for name, one in self._observed.items() for bot in one.bots}
        self._planned = {instance.name for instance in desired.instances}
        self._declared = {
            instance.name: {credential.name: credential for credential in instance.credentials}
            for instance in (*desired.instances, *desired.creds_owners)
        }
        self._found: dict[tuple[str, str, str | None], CredentialVersions | str] = {}

    def family(self, instance: str, name: str, creds_owner: str | None = None) -> CredentialVersions | str:
        """What a name stands for in an instance that owns or borrows it; else why for nothing, a sentence."""
        key = (instance, name, creds_owner)
        if key not in self._found:
            self._found[key] = self._family(*key)
        return self._found[key]

    def _family(self, instance: str, name: str, creds_owner: str | None) -> CredentialVersions | str:
        seen, owner = self._observed[instance], creds_owner or instance
        there = seen.credentials or {} if creds_owner is None else seen.shared_creds.get(creds_owner)
        if there is None:
            said = f"the instance {creds_owner!r}, which lends it the credential {name!r}, cannot be read"
            why = seen.unreadable_creds.get(creds_owner or "", "").removesuffix(".")
            return f"{said}: {why}" if why else said
        credential = self._declared.get(owner, {}).get(name)
        if credential is None:
            found = rotation.undeclared(name, there)
        else:
            found = rotation.declared(name, there, makes=True)
            if (
                found is not None
                and found.new
                and (why := self._obstacle(owner, credential, found, creds_owner))
            ):
                found = rotation.declared(name, there, makes=False)
                if found is None:
                    return f"its credential {name!r} cannot be made: {why}"
        if found is None:
            whose = "the instance" if creds_owner is None else f"the instance {creds_owner!r}"
            names = ", ".join(sorted(there)) or "none"
            return f"{whose} has no credential named {name!r}; it has: {names}"
        return found

    def _obstacle(
        self, owner: str, credential: DesiredCredential, found: CredentialVersions, creds_owner: str | None
    ) -> str:
        """Why this plan does not make a new one; "" when it does."""
        if owner not in self._planned or self._observed[owner].problem is not None:
            return f"the instance {owner!r}, which declares it, is not planned; plan that one too"
        if credential.name in self._observed[owner].clashes:
            return f"its conflict{'' if creds_owner is None else f' in the instance {owner!r}'} says why"
        if why := self._refused(owner, credential.name, found.standing):
            return why
        if found.standing == "missing" and self._is_held(_create(owner, credential)):
            return "nobody reviewed that"
        return ""

    def _refused(self, owner: str, name: str, standing: Standing | None) -> str:
        """Why it cannot be made, "" when it can: the server would refuse it, or its key is needed now."""
        seen = self._observed[owner]
        if (clash := seen.clashes.get(name)) is not None:
            return clash
        return seen.unverified.get(name, "") if standing == "missing" and self._options.needs_keys else ""

    def _is_held(self, change: Change) -> bool:
        return self._options.reviewed is not None and change.digest not in self._options.reviewed

    def users(self, ids: Iterable[str], instance: str) -> list[str]:
        """What the bots are called that use a credential of this instance; those of no plan come last."""
        known, unknown = [], []
        for id in ids:
            if id not in self._homes:
                unknown.append(id)
                continue
            home, bot = self._homes[id]
            words = " ".join(str(bot.fields.get("description", "")).split())
            name = markers.name_of(words, self._options.owner) or (words and quoted(words))
            where = "" if home == instance else f" of the instance {home!r}"
            known.append(f"{name}{where} (bot {id})" if name else f"bot {id}{where}")
        if unknown:
            known.append(
                f"{'bot' if len(unknown) == 1 else 'bots'} {', '.join(unknown)} of no planned instance"
            )
        return known

    # -- of one instance ----------------------------------------------------------------------

    def standings(self, instance: DesiredInstance) -> dict[str, Standing]:
        """How the declared credentials stand."""
        there = self._observed[instance.name].credentials or {}
        found = {one.name: rotation.declared(one.name, there, makes=True) for one in instance.credentials}
        return {name: family.standing for name, family in found.items() if family and family.standing}

    def unverified(self, instance: DesiredInstance) -> Mapping[str, str]:
        """Of the declared credentials whose key is not at hand, why."""
        return self._observed[instance.name].unverified

    def changes(self, instance: DesiredInstance) -> Iterator[Change]:
        """What is missing, and what cannot be made. Rotations come later, when it is known who moves."""
        standings = self.standings(instance)
        for one in instance.credentials:
            create = _create(instance.name, one)
            if refused := self._refused(instance.name, one.name, standings[one.name]):
                why = "it is missing" if standings[one.name] == "missing" else "its key is another"
                yield replace(create, verb=Verb.CONFLICT, reason=f"{why}, and cannot be made: {refused}")
            elif standings[one.name] == "missing":
                held = self._options.unreviewed(create)
                yield replace(create, verb=Verb.BLOCKED, reason=held) if self._is_held(create) else create

    def makes(self, instance: DesiredInstance) -> Iterator[Step]:
        """The calls that make new ones."""
        for one in instance.credentials:
            family = self.family(instance.name, one.name)
            if isinstance(family, CredentialVersions) and family.new:
                body = {"name": family.new}
                yield Step(Call.NEW_CREDENTIAL, f"credential {one.name}", None, body, secret=one.key)

    def rotations(self, instance: DesiredInstance) -> Iterator[Rotation]:
        """The families that this instance has a part in and of which an old generation is there."""
        borrowed = {
            bot.creds: bot for bot in instance.bots if bot.creds is not None and bot.creds_owner is not None
        }
        declared = {one.name: one for one in instance.credentials}
        parts = [(one.name, None, one.at) for one in instance.credentials]
        for name, creds_owner, at in (
            *parts,
            *((name, bot.creds_owner, bot.at) for name, bot in borrowed.items()),
        ):
            family = self.family(instance.name, name, creds_owner)
            if isinstance(family, CredentialVersions) and family.old:
                key = () if creds_owner is not None or not family.new else _key(declared[name])
                blank = Change(instance.name, name, Verb.ROTATE, "", fields=key, of=Of.CREDENTIAL, at=at)
                yield Rotation(family, creds_owner, blank)


def _create(instance: str, credential: DesiredCredential) -> Change:
    return Change(
        instance,
        credential.name,
        Verb.CREATE,
        "it is missing on the server",
        fields=_key(credential),
        at=credential.at,
        of=Of.CREDENTIAL,
    )


def _key(credential: DesiredCredential) -> tuple[FieldChange, ...]:
    """Where the key of a credential that is made comes from, never the key itself."""
    return (FieldChange("apiKey", None, str(credential.key)),)


@dataclass(frozen=True, slots=True)
class Rotation:
    """One instance's part in the rotation of a family.

    lender: who owns the credential, None for the instance itself. blank: its change, still without a reason.
    settings: whether the instance's settings move. late: they do so after the bots, as it is one of those
    that makes them, with an old one. hidden: what is declared of them and the server does not show.
    moves: its bots that move, name to id.
    """

    family: CredentialVersions
    creds_owner: str | None
    blank: Change
    settings: bool = False
    late: bool = False
    hidden: Fields = field(default_factory=dict)
    moves: Mapping[str, str] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        """The calls that move the settings and the bots."""
        body = {"openaiCredsId": self.family.current}
        if self.settings:
            yield Step(Call.SETTINGS, self.blank.label, None, {**self.hidden, **body})
        for name, id in self.moves.items():
            yield Step(Call.MOVE, self.blank.label, id, body, why=f"the bot {name}")

    def deletes(self, left: Set[str], taken: Mapping[str, str]) -> Iterator[Step]:
        """The calls that delete what nobody uses any more.

        left: the bots that leave an old credential. taken: who else uses a credential, by its id, a sentence.
        """
        if self.creds_owner is None and self.family.leaving:
            for name, old in self.family.old.items():
                if old.users is not None and not old.users - left and old.id not in taken:
                    yield Step(Call.OLD_CREDENTIAL, self.blank.label, old.id, {"name": name})

    def changes(
        self, left: Set[str], taken: Mapping[str, str], called: Callable[[Iterable[str], str], list[str]]
    ) -> Iterator[Change]:
        """The rotation, if anything is left of it, and a report for each old credential that stays.

        called: names the bots of these ids that use a credential of an instance.
        """
        deleted = {step.id for step in self.deletes(left, taken)}
        if self.settings or self.moves or deleted or (self.family.new and self.creds_owner is None):
            yield replace(self.blank, reason=self._reason(deleted), ids=self.family.old_ids)
        if self.creds_owner is not None:
            return
        for name, old in self.family.old.items():
            if why := _who_stays(old, left, taken, lambda ids: called(ids, self.blank.instance)):
                yield replace(
                    self.blank,
                    fields=(),
                    bot=name,
                    verb=Verb.UNMANAGED,
                    ids=(old.id,),
                    reason=f"the old key is kept: {why}",
                )

    def _reason(self, deleted: Set[str | None]) -> str:
        name = self.family.new or self.family.name
        parts = []
        if self.family.new and self.creds_owner is None:
            parts.append(f"{name} is made")
        moved = [*self.moves, *(["the settings"] if self.settings else [])]
        if moved:
            be = "is" if len(moved) == 1 and not self.settings else "are"
            parts.append(f"{_listed(moved)} {be} moved to it")
        if gone := [name for name, old in self.family.old.items() if old.id in deleted]:
            parts.append(f"{_listed(gone)} {'is' if len(gone) == 1 else 'are'} deleted")
        if self.creds_owner is not None:
            why = f"the instance {self.creds_owner!r}, which lends it, has another key for it"
        elif self.family.new:
            why = "its key is another"
        else:
            why = "a rotation is not finished"
        return f"{why}: {', '.join(parts)}"


def _who_stays(
    old: RemoteCredential,
    left: Set[str],
    taken: Mapping[str, str],
    called: Callable[[Iterable[str]], list[str]],
) -> str:
    if old.users is None:
        return "the server does not say, or not reliably, which bots use it"
    stay = sorted(old.users - left)
    if not stay:
        return taken.get(old.id, "")
    more = [f"{len(stay) - MOST_USERS} more"] if len(stay) > MOST_USERS else []
    return f"{_listed([*called(stay[:MOST_USERS]), *more])} {'uses' if len(stay) == 1 else 'use'} it"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
