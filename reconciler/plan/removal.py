"""Why what nothing declares any more is kept, if it is; and the credentials of which that is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from reconciler.domain import credential_versions
from reconciler.domain.desired import DesiredInstance, Former
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import Call, Change, Of, Prune, Step, Verb
from reconciler.domain.records import dataclass, replace
from reconciler.plan import rotations
from reconciler.plan.inputs import Inputs
from reconciler.plan.options import Options

UNDECLARED = "nothing declares it any more"


def undeclared(options: Options, instance: str) -> str:
    """Why a bot is deleted, or kept, with the commit that is behind it."""
    commit = options.commit(instance)
    return f"{UNDECLARED} (commit {commit})" if commit else UNDECLARED


TOO_MUCH = "the plan would delete too much"
"""Why all is kept when a limit is exceeded."""


def kept(options: Options, instance: str, *, declared: bool) -> str:
    """Completes "it is kept, as …"; "" where it is deleted. declared: whether a manifest has the instance."""
    if options.prune is Prune.NEVER:
        return "prune is `never`"
    if not declared and (why := options.foreign(instance)):
        return why
    if options.prune is Prune.REVIEWED and options.unseen:
        return "prune is `reviewed`: save a plan with --out and apply that, or pass --prune always"
    return ""


def with_former(desired: DesiredInstance, former: Former, kind: Kind) -> DesiredInstance:
    """The instance with what its settings do not declare any more set back to the documented defaults."""
    settings, gone = desired.settings_of(kind), former.settings.get(kind.path, frozenset())
    if settings is None:
        return desired
    back = {
        name: field.default
        for name, field in kind.settings.items()
        if name in gone and name not in settings.fields and field.default is not None
    }
    fallback = settings.fallback
    if "fallbackId" in gone and fallback is None:
        fallback = ""
    whole = replace(settings, fields={**settings.fields, **back}, fallback=fallback)
    return replace(desired, settings={**desired.settings, kind.path: whole})


@dataclass(frozen=True, slots=True)
class OldCredential:
    """A credential that the manifest does not declare any more.

    versions: those that the server has, by name. settings: the id that the instance's settings name.
    kept: why it is kept, whoever uses it; "" for no such reason.
    """

    instance: str
    name: str
    versions: Mapping[str, RemoteCredential]
    settings: object
    kept: str

    def change(
        self, left: Set[str], taken: Mapping[str, str], names: Callable[[Iterable[str], str], list[str]]
    ) -> Change:
        """Its delete, or the report that it is kept. left, taken, names: see rotations.Rotation.changes."""
        why = self.kept
        for one in self.versions.values():
            if one.id == self.settings:
                why = why or "the instance's settings use it"
            why = why or rotations.who_stays(one, left, taken, lambda ids: names(ids, self.instance))
        reason = UNDECLARED + (f"; it is kept, as {why}" if why else "")
        ids = tuple(one.id for one in self.versions.values())
        verb = Verb.ORPHAN if why else Verb.DELETE
        return Change(self.instance, self.name, verb, reason, ids, of=Of.CREDENTIAL)

    def steps(self) -> Iterator[Step]:
        """The calls that delete it."""
        for name, one in self.versions.items():
            yield Step(Call.OLD_CREDENTIAL, f"credential {self.name}", one.id, {"name": name})


def old_credentials(given: Inputs) -> Iterator[OldCredential]:
    """The credentials that are not declared any more and that the server has."""
    there = given.observed.credentials or {}
    declared = {one.name for one in given.desired.credentials}
    for name in sorted(given.former.credentials - declared):
        versions = {each: one for each, one in there.items() if credential_versions.split(each)[0] == name}
        if versions:
            settings = given.row.fields.get("openaiCredsId")
            yield OldCredential(given.name, name, versions, settings, given.kept)
