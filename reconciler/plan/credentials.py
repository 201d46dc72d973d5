"""What a plan does about credentials: what each name stands for, and what is created. Pure.

Rotations come later (rotations.py), when it is known which bots move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from reconciler.domain import credential_versions, markers
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import Desired, DesiredCredential, DesiredInstance
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Call, Change, FieldChange, Of, Standing, Step, Verb
from reconciler.domain.records import replace
from reconciler.domain.text import quoted

if TYPE_CHECKING:
    from reconciler.plan.options import Options


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
        self._stored: dict[tuple[str, str | None], credential_versions.Versions] = {}
        self._found: dict[tuple[str, str, str | None], CredentialVersions | str] = {}

    def versions(self, instance: str, name: str, creds_owner: str | None = None) -> CredentialVersions | str:
        """What a credential's name stands for in an instance; else why for nothing, a sentence.

        creds_owner: the instance that owns it, None for the instance itself.
        """
        key = (instance, name, creds_owner)
        if key not in self._found:
            self._found[key] = self._versions(*key)
        return self._found[key]

    def _versions(self, instance: str, name: str, creds_owner: str | None) -> CredentialVersions | str:
        seen, owner = self._observed[instance], creds_owner or instance
        there = seen.credentials or {} if creds_owner is None else seen.shared_creds.get(creds_owner)
        if there is None:
            problem = f"the instance {creds_owner!r}, which owns the credential {name!r}, cannot be read"
            why = seen.unreadable_creds.get(creds_owner or "", "").removesuffix(".")
            return f"{problem}: {why}" if why else problem
        credential = self._declared.get(owner, {}).get(name)
        if (instance, creds_owner) not in self._stored:
            self._stored[instance, creds_owner] = credential_versions.by_name(there)
        stored = self._stored[instance, creds_owner]
        if credential is None:
            found = credential_versions.undeclared(name, stored)
        else:
            found = credential_versions.declared(name, stored, makes=True)
            if (
                found is not None
                and found.new
                and (why := self._obstacle(owner, credential, found, creds_owner))
            ):
                found = credential_versions.declared(name, stored, makes=False)
                if found is None:
                    return f"its credential {name!r} cannot be created: {why}"
        if found is None:
            whose = "the instance" if creds_owner is None else f"the instance {creds_owner!r}"
            names = ", ".join(sorted(there)) or "none"
            return f"{whose} has no credential named {name!r}; it has: {names}"
        return found

    def _obstacle(
        self, owner: str, credential: DesiredCredential, found: CredentialVersions, creds_owner: str | None
    ) -> str:
        """Why this plan does not create a new version; "" when it does."""
        if owner not in self._planned or self._observed[owner].problem is not None:
            return f"the instance {owner!r}, which declares it, is not in this plan; plan it too"
        if credential.name in self._observed[owner].clashes:
            return f"see its conflict{'' if creds_owner is None else f' in the instance {owner!r}'}"
        if why := self._refused(owner, credential.name, found.standing):
            return why
        if found.standing == "missing" and self._is_blocked(_create(owner, credential)):
            return "nobody reviewed it"
        return ""

    def _refused(self, owner: str, name: str, standing: Standing | None) -> str:
        """Why it cannot be created: the server would refuse it, or its key is needed now. "" when it can."""
        seen = self._observed[owner]
        if (clash := seen.clashes.get(name)) is not None:
            return clash
        return seen.unverified.get(name, "") if standing == "missing" and self._options.needs_keys else ""

    def _is_blocked(self, change: Change) -> bool:
        return not self._options.may_make(change)

    def users(self, ids: Iterable[str], instance: str) -> list[str]:
        """The bots of these ids for a sentence about an instance; those that were not read come last."""
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
                f"{'bot' if len(unknown) == 1 else 'bots'} {', '.join(unknown)} outside the planned instances"
            )
        return known

    # -- of one instance ----------------------------------------------------------------------

    def standings(self, instance: DesiredInstance) -> dict[str, Standing]:
        """The standing of each declared credential, by name."""
        there = credential_versions.by_name(self._observed[instance.name].credentials or {})
        found = {
            one.name: credential_versions.declared(one.name, there, makes=True)
            for one in instance.credentials
        }
        return {name: one.standing for name, one in found.items() if one and one.standing}

    def unverified(self, instance: DesiredInstance) -> Mapping[str, str]:
        """Why the key of a declared credential is not available, by the credential's name."""
        return self._observed[instance.name].unverified

    def changes(self, instance: DesiredInstance) -> Iterator[Change]:
        """The credentials that are missing, and those that cannot be created."""
        standings = self.standings(instance)
        for one in instance.credentials:
            create = _create(instance.name, one)
            if refused := self._refused(instance.name, one.name, standings[one.name]):
                why = "it is missing" if standings[one.name] == "missing" else "its key is different"
                yield replace(
                    create, verb=Verb.CONFLICT, reason=f"{why}, and it cannot be created: {refused}"
                )
            elif standings[one.name] == "missing":
                yield self._options.made(create)

    def creates(self, instance: DesiredInstance) -> Iterator[Step]:
        """The calls that create new ones."""
        for one in instance.credentials:
            versions = self.versions(instance.name, one.name)
            if isinstance(versions, CredentialVersions) and versions.new:
                body = {"name": versions.new}
                yield Step(Call.NEW_CREDENTIAL, f"credential {one.name}", None, body, secret=one.key)


def _create(instance: str, credential: DesiredCredential) -> Change:
    return Change(
        instance,
        credential.name,
        Verb.CREATE,
        "it is missing on the server",
        fields=key_change(credential),
        at=credential.at,
        of=Of.CREDENTIAL,
    )


def key_change(credential: DesiredCredential) -> tuple[FieldChange, ...]:
    """Where the key of a new credential comes from, never the key itself."""
    return (FieldChange("apiKey", None, str(credential.key)),)
