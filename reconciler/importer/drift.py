"""What the manifests would have to say so that nothing differs from the server. Pure.

The reverse of a plan: for every declared bot that is on the server, each declared field that differs, with
the server's value as a manifest writes it: names instead of ids, a description without our marker. Notes say
what a manifest cannot declare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.domain import credential_versions, hidden, markers
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, Fields
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import DEFAULT, KINDS, Field, Kind, Type, Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.domain.plan import settings_label
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.reports import Note
from reconciler.importer import layout
from reconciler.importer.layout import CREDENTIAL
from reconciler.plan import differ, matching, settings
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.matching import Matches
from reconciler.plan.options import Options

Credentials = Mapping[str, Mapping[str, str]]
"""The ids of credentials by instance and name."""

Creds = tuple[str, str | None]
"""A credential as a manifest names it: its name and, for a shared one, the owning instance."""

_SHOWN = 5
"""The most ids in one message."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What changes in a manifest, for one bot or the settings of a kind.

    about: the bot's name, or what the settings are called. fields: new values by the API's names. creds: the
    credential's name and, for a shared one, the owning instance; None where it stays. fallback: of settings;
    None where it stays.
    """

    instance: str
    about: str
    fields: Fields = field(default_factory=dict)
    creds: Creds | None = None
    fallback: str | None = None
    kind: Kind = DEFAULT

    @property
    def is_settings(self) -> bool:
        """Whether it is about settings. No bot's name has a space."""
        return self.about == settings_label(self.kind)

    @property
    def keys(self) -> tuple[str, ...]:
        """The manifest's keys that change."""
        creds = (CREDENTIAL,) if self.creds else ()
        return (*creds, *self.fields, *(() if self.fallback is None else ("fallback",)))

    def parts(self) -> list[Drift]:
        """The drift in parts that do not depend on each other."""
        names = (*self.kind.keys.values(), *self.kind.trigger_parts.values())
        tied = {"enabled", "botType", "triggerType"}.union(*names)
        empty = replace(self, fields={}, creds=None, fallback=None)
        together = {name: value for name, value in self.fields.items() if name in tied}
        pieces = [replace(empty, fields={n: v}) for n, v in self.fields.items() if n not in tied]
        if together:
            pieces.append(replace(empty, fields=together))
        if self.creds:
            pieces.append(replace(empty, creds=self.creds))
        if self.fallback is not None:
            pieces.append(replace(empty, fallback=self.fallback))
        return pieces


@dataclass(slots=True)
class Drifts:
    """All that differs.

    unread: instances that could not be compared. unknown: whether a bot or settings use a credential that is
    none of those that were read.
    """

    found: list[Drift] = field(default_factory=list)
    unread: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unknown: bool = False

    def add(self, instance: str, about: str, kind: Kind, compared: _Compared) -> None:
        """Add what differs of a bot or of the settings."""
        drift = Drift(instance, about, compared.fields, compared.creds, compared.fallback, kind)
        if drift.keys:
            self.found.append(drift)
        self.notes += [Note(instance, about, text) for text in compared.notes]
        self.unknown = self.unknown or compared.unknown


@dataclass(slots=True)
class _Compared:
    """What differs of one bot or of the settings. fields, creds, fallback: as in Drift. notes: sentences."""

    fields: dict[str, Value] = field(default_factory=dict)
    creds: Creds | None = None
    fallback: str | None = None
    notes: list[str] = field(default_factory=list)
    unknown: bool = False


def drifts(desired: Desired, observed: Observed, owner: str, elsewhere: Credentials) -> Drifts:
    """What differs in the desired instances. elsewhere: credentials that are not in observed."""
    result = Drifts()
    index = CredentialIndex(desired, observed, Options(owner))
    for instance in desired.instances:
        seen = observed.instances[instance.name]
        if seen.problem is not None:
            result.unread.append(Note(instance.name, "", seen.problem))
            continue
        result.unread += [
            Note(instance.name, "", why) for path, why in seen.off.items() if instance.has(KINDS[path])
        ]
        matched = {
            kind: matching.match(instance.of_kind(kind), seen.of_kind(kind).bots, owner, kind)
            for path, kind in KINDS.items()
            if path not in seen.off
        }
        result.notes += _unmatched(instance, matched)
        names = _names(instance.name, seen, elsewhere)
        for bot in instance.bots:
            if bot.kind in matched and (found := matched[bot.kind].found.get(bot.name)) is not None:
                creds = bot.creds and index.versions(instance.name, bot.creds, bot.creds_owner)
                result.add(instance.name, bot.name, bot.kind, _bot(bot, found.remote, creds, names, owner))
        for kind, matches in matched.items():
            compared = _settings(instance, seen, matches, index, names, kind)
            result.add(instance.name, settings_label(kind), kind, compared)
    return result


def _unmatched(instance: DesiredInstance, matched: Mapping[Kind, Matches]) -> Iterator[Note]:
    for bot in instance.bots:
        matches = matched.get(bot.kind)
        if matches and bot.name not in matches.found and bot.name not in matches.conflicts:
            yield Note(instance.name, bot.name, "it is missing on the server, and stays in its manifest")
    for matches in matched.values():
        for name, conflict in matches.conflicts.items():
            yield Note(instance.name, name, conflict.reason)
    others = [bot.id for its in matched.values() for _, bot in (*its.orphans, *its.unmanaged)]
    if others:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        text = f"no manifest declares {len(others)} of its bots on the server: {shown}"
        yield Note(instance.name, "", text)


# -- a bot -------------------------------------------------------------------------------------


def _bot(
    bot: DesiredBot,
    remote: RemoteBot,
    creds: CredentialVersions | str | None,
    names: Mapping[str, Creds],
    owner: str,
) -> _Compared:
    """creds: the declared credential, or why it is not known; None where none is declared by name."""
    result, kind = _Compared(), bot.kind
    used = _used(remote.fields, kind)
    target = differ.update_target(bot, used, owner, remote)
    if "enabled" in bot.fields:  # a plan leaves off what was switched off by hand, and here that is a value
        target["enabled"] = bot.fields["enabled"]
    for change in differ.changes(remote.fields, target, kind):
        if change.name not in bot.fields:
            continue
        if change.name == "description" and not hidden.has_key(change.before):
            text = _description(bot, str(change.before or ""), owner)
            if text is not None:
                result.fields[change.name] = text
        else:
            _field(result, kind.fields[change.name], change.before)
    result.fields |= _needed({**bot.fields, **result.fields}, remote.fields, kind)
    if creds is not None:
        _creds(result, creds, used, names)
    edited = differ.cause(bot, remote, owner) in ("pending", "both")
    if edited and (result.fields or result.creds):
        result.notes.append(
            "its manifest was edited since the last apply; the server's values replace the edit"
        )
    return result


def _description(bot: DesiredBot, stored: str, owner: str) -> str | None:
    """The human's text on the server; None where the manifest declares it already."""
    off = markers.switched_off(stored, owner)  # its mark may have cost some of the text
    stored = markers.unstamped(stored, owner)
    text = markers.human_text(stored, owner)
    described = markers.describe(str(bot.fields["description"]), owner, bot.name, off)
    if text == markers.human_text(described, owner):
        return None
    exact = stored.removesuffix(f" [{owner}:{bot.name}]")
    return exact if markers.describe(exact, owner, bot.name) == stored else text


def _needed(declared: Fields, there: Fields, kind: Kind) -> dict[str, Value]:
    """Fields that a manifest must declare for a bot whose type was changed on the server."""
    needed = (*layout.identity(kind, declared), *kind.trigger_parts[str(declared["triggerType"])])
    return {name: there[name] for name in needed if name not in declared and name in there}


# -- the settings ------------------------------------------------------------------------------


def _settings(
    instance: DesiredInstance,
    seen: ObservedInstance,
    matches: Matches,
    index: CredentialIndex,
    names: Mapping[str, Creds],
    kind: Kind,
) -> _Compared:
    result = _Compared()
    declared, row = instance.settings_of(kind), seen.settings_of(kind)
    if declared is None or row is None:
        return result
    if not row.exists:
        result.notes.append("they are not on the server yet, and stay in their manifest")
        return result

    def own(name: str) -> CredentialVersions | str:
        return index.versions(instance.name, name)

    draft = settings.draft(instance, row, {}, own, kind)
    for change in draft.fields:
        if change.name != kind.credential:
            _field(result, kind.settings[change.name], change.before)
        elif declared.creds is not None:
            _creds(result, own(declared.creds), _used(row.fields, kind), names)
    if result.creds and result.creds[1] is not None:
        result.notes.append("they use a credential of another instance, which a manifest cannot declare")
        result.creds = None
    if declared.fallback is not None:
        _fallback(result, declared.fallback, row.fallback, matches)
    return result


def _fallback(result: _Compared, declared: str, there: str | None, matches: Matches) -> None:
    names = {found.remote.id: name for name, found in matches.found.items()}
    if there is not None and there not in names:
        result.notes.append(f"the fallback on the server is the bot {there}, which no manifest declares")
        return
    name = "" if there is None else names[there]
    if name != declared:
        result.fallback = name


# -- a field, a credential ---------------------------------------------------------------------


def _field(result: _Compared, field: Field, before: Value | None) -> None:
    """Add the server's value of a field, or a note where a manifest cannot have it."""
    name = field.name
    if hidden.has_key(before):
        result.notes.append(f"{name} holds a key on the server, and was not written")
    elif isinstance(before, Hidden):
        result.notes.append(
            f"{name} holds a secret on the server, and was not written: put it into a variable, as !env NAME"
        )
    elif not (before is None or (before == "" and field.hides == "whole")):
        result.fields[name] = before
    elif field.type in (Type.TEXT, Type.TEXTS) and field.hides != "whole":
        result.fields[name] = "" if field.type is Type.TEXT else ()
    else:
        result.notes.append(f"{name} is not set on the server, and stays in its manifest")


def _used(fields: Fields, kind: Kind) -> str:
    """The id of the credential that a bot or settings use; "" for none."""
    return str(fields.get(kind.credential, "")) if kind.credential else ""


def _creds(
    result: _Compared, declared: CredentialVersions | str, used: str, names: Mapping[str, Creds]
) -> None:
    """Add the credential that is used, where it is not the declared one. used: its id."""
    if isinstance(declared, CredentialVersions) and declared.seen(used) == declared.wanted(used):
        return
    result.creds = names.get(used)
    if result.creds is None:
        result.unknown = True
        result.notes.append("its credential on the server belongs to no instance that the manifests name")


def _names(own: str, seen: ObservedInstance, elsewhere: Credentials) -> dict[str, Creds]:
    """What an instance's manifest calls each credential that was read, by its id; its own come first."""
    ids = [(own, {name: one.id for name, one in (seen.credentials or {}).items()})]
    ids += [(whose, {name: one.id for name, one in its.items()}) for whose, its in seen.shared_creds.items()]
    found: dict[str, Creds] = {}
    for whose, its in (*ids, *elsewhere.items()):
        for name, id in its.items():
            found.setdefault(id, (credential_versions.split(name)[0], None if whose == own else whose))
    return found
