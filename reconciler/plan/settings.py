"""What a plan does about an instance's settings: what differs from what is declared, and the fallback. Pure.

Declared means managed, as for bots. Without a row the whole row is written, with the API's documented
defaults for what is not declared, and with a credential of the instance's own, which the server requires.
Bots that are created later copy from the settings, so the settings come first; the fallback names a bot, so
it comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from reconciler.domain import shared_credentials
from reconciler.domain.credential_versions import CredentialVersions, split
from reconciler.domain.desired import DesiredInstance, DesiredSettings, Fields
from reconciler.domain.kinds import Kind, Value
from reconciler.domain.observed import RemoteBot, RemoteCredential, RemoteSettings, not_understood
from reconciler.domain.plan import Change, FieldChange, Of, Verb
from reconciler.domain.records import dataclass, field, replace
from reconciler.plan.differ import same

NO_ROW = RemoteSettings(exists=False, fields={})

Own = Callable[[str], CredentialVersions | str]
"""What a credential's name stands for in the instance, or why for nothing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be done, but for the fallback.

    after: the settings as they will be. fields: what differs. body: what is written, empty for nothing.
    merge: ignoreJids are added to those that are there. problem: why nothing can be done, a sentence.
    """

    after: RemoteSettings
    fields: tuple[FieldChange, ...] = ()
    body: Fields = field(default_factory=dict)
    merge: bool = False
    problem: str = ""


def draft(
    desired: DesiredInstance,
    row: RemoteSettings,
    credentials: Mapping[str, RemoteCredential],
    own: Own,
    kind: Kind,
) -> Draft:
    """What the manifest's settings need. credentials: of the instance, as they are on the server."""
    declared = desired.settings_of(kind)
    if declared is None or not (row.exists or declared.fields or declared.creds or declared.fallback):
        return Draft(row)
    if row.unread:
        return Draft(row, problem=not_understood(row.unread))
    if kind.credential is None or (row.exists and declared.creds is None):
        return _update(declared, row, None, kind) if row.exists else _create(declared, None, kind)
    creds = _only_creds(desired, credentials, own) if declared.creds is None else own(declared.creds)
    if isinstance(creds, str):
        return Draft(row, problem=creds)
    return _update(declared, row, creds, kind) if row.exists else _create(declared, creds, kind)


def _create(declared: DesiredSettings, creds: CredentialVersions | None, kind: Kind) -> Draft:
    """The whole row."""
    defaults = {name: field.default for name, field in kind.settings.items() if field.default is not None}
    credential = {} if creds is None else {"openaiCredsId": creds.current}
    whole: dict[str, Value] = {**credential, **defaults, **declared.fields}
    shown = whole if creds is None else {**whole, "openaiCredsId": creds.shown}
    fields = tuple(FieldChange(name, None, value) for name, value in shown.items())
    return Draft(RemoteSettings(True, whole), fields, whole, declared.merge_jids)


def _update(
    declared: DesiredSettings, row: RemoteSettings, creds: CredentialVersions | None, kind: Kind
) -> Draft:
    """What differs, and with it what this version of the server does not show and would otherwise lose."""
    fields: list[FieldChange] = []
    body: dict[str, Value] = {}
    if creds is not None:
        before = str(row.fields.get("openaiCredsId", ""))
        if creds.seen(before) != (wanted := creds.wanted(before)):
            fields.append(FieldChange("openaiCredsId", before or None, creds.shown))
            body["openaiCredsId"] = wanted
    for name in kind.settings:
        if name not in declared.fields or name in row.unseen:
            continue
        before_, after = row.fields.get(name), declared.fields[name]
        if name == "ignoreJids" and declared.merge_jids:
            # The server adds JIDs at run time; those that are not declared are not compared.
            before_ = tuple(jid for jid in _texts(after) if jid in _texts(before_))
        if not same(before_, after):
            fields.append(FieldChange(name, before_, after))
            body[name] = after
    if body:
        body |= {name: declared.fields[name] for name in declared.fields if name in row.unseen}
    after_all = dict(row.fields) | body
    if declared.merge_jids and "ignoreJids" in body:
        there = _texts(row.fields.get("ignoreJids"))
        after_all["ignoreJids"] = tuple(dict.fromkeys((*there, *_texts(body["ignoreJids"]))))
    after_row = replace(row, fields=after_all)
    return Draft(after_row, tuple(fields), body, declared.merge_jids and "ignoreJids" in body)


def _texts(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _only_creds(
    desired: DesiredInstance, credentials: Mapping[str, RemoteCredential], own: Own
) -> CredentialVersions | str:
    """The credential of settings that declare none: the instance's only one, else that of its first bot."""
    names = own_names(desired, credentials)
    if len(names) == 1:
        return own(names[0])
    ids = {credential.id: name for name, credential in credentials.items()}
    for bot in desired.bots:
        raw = ids.get(str(bot.fields.get("openaiCredsId")))
        if bot.creds_owner is None and (name := bot.creds or raw):
            return own(name)
    if names:
        which = f"its settings need one of the instance's own credentials ({', '.join(names)})"
        return f"{which}: name it, {shared_credentials.named(names[0])}"
    return (
        "its settings need a credential of the instance's own, as no two instances' settings can use the "
        "same one: " + shared_credentials.own(desired.local)
    )


def own_names(desired: DesiredInstance, credentials: Mapping[str, RemoteCredential]) -> list[str]:
    """The instance's own credentials as a manifest names them, those that it declares first."""
    declared = [one.name for one in desired.credentials]
    return list(dict.fromkeys([*declared, *sorted(split(name)[0] for name in credentials)]))


# -- the fallback -----------------------------------------------------------------------------

_NO_WAY_TO_NONE = (
    "a server of 2.2.x clears it only when its bot is deleted: declare another bot as the fallback, "
    "or leave `fallback` out of the settings, or delete the bot"
)
"""Only that version hides fields of the settings, which is how it is known."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """How the fallback changes.

    id: of the bot, NEW_BOT with a name, "" for none. before, after: what a person is shown.
    """

    id: str
    before: str | None
    after: str


def fallback(
    declared: DesiredSettings | None,
    row: RemoteSettings,
    ids: Mapping[str, str],
    names: Mapping[str, str],
    going: Set[str],
) -> Fallback | str | None:
    """What becomes of the fallback; None for nothing, a sentence where it cannot be what is declared.

    ids: of the bots as they will be, by name, but for those that are not written though they should be.
    names: of the bots as they are, by id. going: the ids of those that are deleted.
    """
    if declared is None or declared.fallback is None:
        return None
    before = row.fallback and names.get(row.fallback, row.fallback)
    if declared.fallback == "":
        return _no_fallback(row, before, going)
    id = ids.get(declared.fallback)
    if id == row.fallback or (id is None and before == declared.fallback):
        return None
    if id is None:
        return f"its fallback stays as it is, as {declared.fallback} is not written"
    if before == declared.fallback:
        return None  # it is recreated, which has a step of its own
    return Fallback(id, before, declared.fallback)


def _no_fallback(row: RemoteSettings, before: str | None, going: Set[str]) -> Fallback | str | None:
    if not row.fallback:
        return None
    if row.unseen and row.fallback not in going:
        return f"its fallback stays {before}, as {_NO_WAY_TO_NONE}"
    return Fallback("", before, "")


def changes(
    desired: DesiredInstance,
    row: RemoteSettings,
    draft: Draft,
    fallback: Fallback | str | None,
    kind: Kind,
) -> list[Change]:
    """What is written of the settings, and what is in conflict; nothing when they are as they should be."""
    declared = desired.settings_of(kind)
    if declared is None:
        return []
    shown = row.fields if row.fallback is None else {**row.fields, "fallbackId": row.fallback}
    blank = Change(
        desired.name,
        "",
        Verb.CONFLICT,
        "",
        before=RemoteBot("", shown, kind=kind) if row.exists else None,
        at=declared.at,
        of=Of.SETTINGS,
        kind=kind,
    )
    if draft.problem:
        return [replace(blank, reason=draft.problem)]
    fields = draft.fields
    if isinstance(fallback, Fallback):
        fields = (*fields, FieldChange("fallbackId", fallback.before, fallback.after))
    found = [replace(blank, reason=fallback)] if isinstance(fallback, str) else []
    if fields:
        verb = Verb.UPDATE if row.exists else Verb.CREATE
        reason = "they differ" if row.exists else "they do not exist yet"
        found.insert(0, replace(blank, verb=verb, reason=reason, fields=fields))
    return found
