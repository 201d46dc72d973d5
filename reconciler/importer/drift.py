"""What the manifests would have to say so that nothing differs from the server. Pure.

The other way round than a plan: of every declared bot that is there, each declared field that differs, with
the server's value in the manifest's words: names for ids, a description without our marker. What a manifest
cannot say, or is not the place for, is told in a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.domain import credential_versions, hidden, markers
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, Fields
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import OPENAI, Kind, Type, Value
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.reports import SETTINGS, Note
from reconciler.plan import differ, matching, settings
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.matching import Found, Matches
from reconciler.plan.options import Options

Credentials = Mapping[str, Mapping[str, str]]
"""The ids of credentials by instance and name."""


_SHOWN = 5
"""Ids that are named, at most."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What one bot of a manifest, or its settings, would have to say.

    about: the bot's name, or SETTINGS. fields: new values by the API's names. creds: the credential's name
    and the instance that lends it, None where it stays. fallback: of settings, None where it stays.
    """

    instance: str
    about: str
    fields: Fields = field(default_factory=dict)
    creds: tuple[str, str | None] | None = None
    fallback: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What it changes, in the manifest's words."""
        creds = ("openaiCreds",) if self.creds else ()
        return (*creds, *self.fields, *(() if self.fallback is None else ("fallback",)))

    def parts(self, kind: Kind = OPENAI) -> list[Drift]:
        """The drift in pieces that can do without each other."""
        tied = {"enabled", "botType", "triggerType"}.union(*kind.keys.values(), *kind.trigger_parts.values())
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

    unread: instances that could not be compared. strange: ids of credentials that no known instance has.
    """

    found: list[Drift] = field(default_factory=list)
    unread: list[Note] = field(default_factory=list)
    said: list[Note] = field(default_factory=list)
    strange: set[str] = field(default_factory=set)


def drifts(
    desired: Desired, observed: Observed, owner: str, elsewhere: Credentials, kind: Kind = OPENAI
) -> Drifts:
    """What differs in the desired instances. elsewhere: credentials that were read beside the observed."""
    result = Drifts()
    book = CredentialIndex(desired, observed, Options(owner))
    for instance in desired.instances:
        seen = observed.instances[instance.name]
        if seen.problem is not None:
            result.unread.append(Note(instance.name, "", seen.problem))
            continue
        matches = matching.match(instance, seen.bots, owner, kind)
        result.said += _unmatched(instance, matches)
        compared = _Compared(instance, seen, matches, book, elsewhere, owner, kind, result)
        for bot in instance.bots:
            if (found := matches.found.get(bot.name)) is not None:
                compared.bot(bot, found)
        compared.settings()
    return result


def _unmatched(instance: DesiredInstance, matches: Matches) -> Iterator[Note]:
    for bot in instance.bots:
        if bot.name not in matches.found and bot.name not in matches.conflicts:
            yield Note(instance.name, bot.name, "it is missing on the server, and stays in its manifest")
    for name, conflict in matches.conflicts.items():
        yield Note(instance.name, name, conflict.reason)
    others = [bot.id for _, bot in (*matches.orphans, *matches.unmanaged)]
    if others:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        yield Note(
            instance.name, "", f"of its bots on the server {len(others)} are declared nowhere: {shown}"
        )


@dataclass(frozen=True, slots=True)
class _Compared:
    """One instance, what it should be beside what it is."""

    desired: DesiredInstance
    seen: ObservedInstance
    matches: Matches
    book: CredentialIndex
    elsewhere: Credentials
    owner: str
    kind: Kind
    result: Drifts

    def say(self, about: str, text: str) -> None:
        self.result.said.append(Note(self.desired.name, about, text))

    def bot(self, bot: DesiredBot, found: Found) -> None:
        """What differs of a bot."""
        there = found.remote.fields
        used = str(there.get("openaiCredsId", ""))
        target = differ.update_target(bot, used, self.owner, found.remote, self.kind)
        fields: dict[str, Value] = {}
        for change in differ.changes(there, target, self.kind):
            if hidden.has_key(change.before) and change.name in bot.fields:
                self.say(bot.name, f"a key stands in the {change.name} on the server, which is not written")
            elif change.name == "description" and change.name in bot.fields:
                if (text := self._description(bot, str(change.before or ""))) is not None:
                    fields[change.name] = text
            elif change.name in bot.fields:
                self._field(bot.name, change.name, change.before, self.kind.fields[change.name].type, fields)
        fields |= self._needed({**bot.fields, **fields}, there)
        creds = None if bot.creds is None else self._creds(bot.name, bot.creds, bot.creds_owner, used)
        if fields or creds:
            self.result.found.append(Drift(self.desired.name, bot.name, fields, creds))
            if differ.cause(bot, found.remote, self.owner, self.kind) in ("pending", "both"):
                said = "its manifest was edited since the last apply; what the server has takes that place"
                self.say(bot.name, said)

    def settings(self) -> None:
        """What differs of the settings."""
        declared, row = self.desired.settings, self.seen.settings
        if declared is None or row is None:
            return
        if not row.exists:
            self.say(SETTINGS, "they are not there on the server yet, and stay in their manifest")
            return

        def own(name: str) -> CredentialVersions | str:
            return self.book.versions(self.desired.name, name)

        draft = settings.draft(self.desired, row, self.seen.credentials or {}, own, self.kind)
        fields: dict[str, Value] = {}
        creds = None
        for change in draft.fields:
            if change.name != "openaiCredsId":
                self._field(
                    SETTINGS, change.name, change.before, self.kind.settings[change.name].type, fields
                )
            elif declared.creds is not None:
                used = str(row.fields.get("openaiCredsId", ""))
                creds = self._creds(SETTINGS, declared.creds, None, used)
        if creds and creds[1] is not None:
            self.say(SETTINGS, "they use a credential of another instance, which no manifest can say")
            creds = None
        fallback = self._fallback(declared.fallback, row.fallback)
        if fields or creds or fallback is not None:
            self.result.found.append(Drift(self.desired.name, SETTINGS, fields, creds, fallback))

    def _field(
        self, about: str, name: str, before: Value | None, type: Type, fields: dict[str, Value]
    ) -> None:
        if hidden.has_key(before):
            self.say(about, f"a key stands in the {name} on the server, which is not written")
        elif isinstance(before, Hidden):
            self.say(
                about, f"{name} has a secret in it and is not written: put it into a variable, as !env NAME"
            )
        elif before is not None:
            fields[name] = before
        elif type in (Type.TEXT, Type.TEXTS):
            fields[name] = "" if type is Type.TEXT else ()
        else:
            self.say(about, f"{name} is not set on the server, and stays in its manifest")

    def _description(self, bot: DesiredBot, stored: str) -> str | None:
        """The human's text on the server; None where it is the one that is declared."""
        stored = markers.unstamped(stored, self.owner)
        text = markers.human_text(stored, self.owner)
        described = markers.describe(str(bot.fields["description"]), self.owner, bot.name)
        if text == markers.human_text(described, self.owner):
            return None
        exact = stored.removesuffix(f" [{self.owner}:{bot.name}]")
        return exact if markers.describe(exact, self.owner, bot.name) == stored else text

    def _needed(self, declared: Fields, there: Fields) -> dict[str, Value]:
        """What a manifest must say of a bot that was turned into another type on the server."""
        needed = (
            *self.kind.keys[str(declared["botType"])],
            *self.kind.trigger_parts[str(declared["triggerType"])],
        )
        return {name: there[name] for name in needed if name not in declared and name in there}

    def _creds(
        self, about: str, name: str, creds_owner: str | None, used: str
    ) -> tuple[str, str | None] | None:
        """The name of the credential that is used and whose it is; None where it is the declared one."""
        family = self.book.versions(self.desired.name, name, creds_owner)
        if isinstance(family, CredentialVersions) and family.seen(used) == family.wanted(used):
            return None
        for whose, there in self._known().items():
            for full, id in there.items():
                if id == used:
                    return credential_versions.split(full)[0], None if whose == self.desired.name else whose
        self.result.strange.add(used)
        self.say(about, "its credential on the server is of no instance that the manifests name")
        return None

    def _known(self) -> Credentials:
        """The ids of all credentials that were read, the instance's own first."""
        own = self.desired.name
        found: dict[str, dict[str, str]] = {}
        for whose, there in ((own, self.seen.credentials or {}), *self.seen.shared_creds.items()):
            found.setdefault(whose, {}).update({name: one.id for name, one in there.items()})
        for whose, ids in self.elsewhere.items():
            found.setdefault(whose, {}).update(ids)
        return found

    def _fallback(self, declared: str | None, there: str | None) -> str | None:
        if declared is None:
            return None
        names = {found.remote.id: name for name, found in self.matches.found.items()}
        if there is not None and there not in names:
            self.say(SETTINGS, f"the fallback on the server is the bot {there}, which no manifest declares")
            return None
        name = "" if there is None else names[there]
        return None if name == declared else name
