"""One instance of the server → the draft of its manifest. Pure.

A draft leaves out values that a create copies from the settings anyway, fields that no code reads, and fields
without a meaning for a bot's types. It may still declare what the manifest cannot: check.py loads and plans
it, and removes that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TypeGuard

from reconciler.domain import hidden
from reconciler.domain.credential_versions import split
from reconciler.domain.desired import Desired, DesiredInstance, SecretRef, UrlTemplate
from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import DEFAULT, KINDS, Field, Kind, Value
from reconciler.domain.markers import NO_MARKER, describe, human_text, marked, unstamped
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import settings_label
from reconciler.domain.records import dataclass, field
from reconciler.domain.reports import LeftOut
from reconciler.domain.servers import declared_on
from reconciler.domain.text import looks_like_key, quoted
from reconciler.importer import groups, layout, naming
from reconciler.importer.layout import CREDENTIAL
from reconciler.manifests import secrets
from reconciler.plan import matching
from reconciler.plan.differ import same
from reconciler.plan.matching import match
from reconciler.plan.parking import is_parked
from reconciler.plan.settings import NO_ROW
from reconciler.yaml.emit import Flow, Tagged, Tree

_MARKED = re.compile(r":\s*([a-z0-9][a-z0-9-]*)\s*\]")  # the name in a marker of any owner
_KEY_FOR_NAME = (
    "looks like an API key and is not shown: revoke the key, and create a credential with another name"
)


# -- what to do about what is left out ----------------------------------------------------------

GET = "`reconciler get id:ID@INSTANCE` prints it for its manifest"
BOT = f"Mend the bot in the manager; then {GET}."
DOUBLE = f"Delete the bot that is not needed in the manager; {GET} if the other one is missing there."
OTHER = "Leave it to the repository of that owner, or import with its --owner."
FIELD = "It stays on the server as it is; to declare it, set a value that a manifest can have."
KEY = "Take the key out of the text in the manager, and revoke it; then declare the field."
_PARKED = f"Finish the apply that was interrupted; then {GET}."
_UNFIT = "Set another value in the manager, and declare it with !env NAME."
_TWICE_NAMED = "Remove it from the manifest that does not own it, then declare it here."


@dataclass(slots=True)
class Entry:
    """A bot of a draft. declared: its values, by the manifest's keys.

    own: keys that never become defaults. secrets: the variables for fields that hold a secret.
    unsayable: keys that it cannot declare.
    """

    remote: RemoteBot
    declared: dict[str, Tree]
    own: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    unsayable: set[str] = field(default_factory=set)

    @property
    def kind(self) -> Kind:
        """Whose fields it has."""
        return self.remote.kind


@dataclass(slots=True)
class Draft:
    """The content of a manifest.

    stem: the file's name without its extension. credentials: the variable for the key of each. settings: by
    kind. others: bots from a folder's defaults that the server does not have. settled: settings that were
    corrected once, and their kind. home: the file's folder, below that of all manifests. server: which of
    several has the instance, else "".
    """

    instance: str
    stem: str
    bots: dict[str, Entry] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Tree]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    settled: set[tuple[str, str]] = field(default_factory=set)
    left_out: list[LeftOut] = field(default_factory=list)
    home: PurePosixPath = field(default_factory=PurePosixPath)
    server: str = ""

    @property
    def path(self) -> str:
        """The manifest's path, from the directory of all manifests."""
        return (self.home / f"{self.stem}.yaml").as_posix()

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that the manifest needs."""
        said = [
            str(tree.text) for one in self.bots.values() for tree in one.declared.values() if _is_env(tree)
        ]
        return tuple(dict.fromkeys([*self.credentials.values(), *said]))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.bots or self.credentials or any(self.settings.values()))

    def leave_out(self, what: str, reason: str, step: str = "") -> None:
        """Note that something is left out, and why. step: what to do about it, a sentence."""
        note = LeftOut(self.instance, what, reason, step)
        self.left_out += [] if note in self.left_out else [note]


@dataclass(frozen=True, slots=True)
class Extent:
    """Which values to write. full: all. unread: fields that no code of the server reads, by kind."""

    full: bool = False
    unread: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has(self, kind: Kind, key: str, value: Value, otherwise: Value | None) -> bool:
        """Whether to write a value. otherwise: the value of a bot or settings that do not declare it."""
        return self.full or not (key in self.unread.get(kind.path, ()) or same(otherwise, value))


Credentials = Mapping[str, RemoteCredential]
Whose = tuple[str, str]
"""An instance, and the name of a credential, with or without its version."""


@dataclass(frozen=True, slots=True)
class Names:
    """How an instance names credentials. known: all, by id. last: the ids of the newest versions."""

    instance: str
    known: Mapping[str, Whose]
    last: Mapping[Whose, str]

    def bots(self, id: str) -> Tree | None:
        """How a bot names it; None where it needs the id, as the name means another version."""
        whose, name = self.known.get(id, ("", ""))
        base = split(name)[0]
        if self.last.get((whose, base)) != id:
            return None
        return base if whose == self.instance else Flow({"instance": whose, "name": base})

    def no_setting(self, id: str) -> str:
        """Why the settings cannot name it; "" where they can."""
        whose, name = self.known.get(id, ("", ""))
        if not name:
            return f"their credential {id} belongs to no instance that was read"
        if looks_like_key(name):
            return f"the name of their credential {id} {_KEY_FOR_NAME}"
        if whose != self.instance:
            owner = quoted(whose)
            return f"they use {quoted(name)} of the instance {owner}, and a manifest can name only their own"
        base = split(name)[0]
        last = self.known[self.last[whose, base]][1]
        if last == name:
            return ""
        return f"they use {quoted(name)}, an older version: a manifest means the newest, {quoted(last)}"


def drafts(
    instances: Mapping[str, ObservedInstance],
    others: Mapping[str, Credentials],
    existing: Desired,
    stems: Mapping[str, str],
    owner: str,
    extent: Extent,
    homes: Mapping[str, PurePosixPath] = MappingProxyType({}),
    server: str = "",
) -> dict[str, Draft]:
    """The drafts, by the instance's name.

    others: the credentials of instances that are not imported. existing: the manifests that exist. stems: the
    names of the new files. homes: the folders of instances that are in a group. server: which of several has
    the instances.
    """
    known = {name: seen.credentials or {} for name, seen in instances.items()}
    everybodys = {
        one.id: (instance, name)
        for instance, credentials in {**others, **known}.items()
        for name, one in credentials.items()
    }
    last = _last(everybodys)
    alike = _alike(instances, homes, owner)
    made = {
        name: _drafted(seen, stems[name], owner, Names(name, everybodys, last), extent, alike.get(name, {}))
        for name, seen in instances.items()
    }
    for name, home in homes.items():
        if name in made:
            made[name].home = home
    variables = {one.key.name for instance in existing.instances for one in instance.credentials}
    own = declared_on(existing, server)
    names = {one.name for instance in own.instances for one in instance.credentials}
    variables |= set(_variables(existing))
    for instance, its in made.items():
        its.server = server
        for base, id in {split(name)[0]: one.id for name, one in known[instance].items()}.items():
            if looks_like_key(base):
                its.leave_out(f"the credential {id}", f"its name {_KEY_FOR_NAME}")
            elif base in names:
                its.leave_out(f"the credential {base}", "another manifest has one of this name", _TWICE_NAMED)
            else:
                its.credentials[base] = naming.variable(base, instance, variables)
                names.add(base)
                variables.add(its.credentials[base])
    _hide(made.values(), variables)
    return made


def _variables(existing: Desired) -> Iterator[str]:
    """The variables for secrets of bots that existing manifests name."""
    for instance in existing.instances:
        for bot in instance.bots:
            for value in bot.fields.values():
                match value:
                    case Hidden(ref=UrlTemplate() as ref):
                        yield from hidden.variables_of(ref.name)
                    case Hidden(ref=SecretRef() as ref):
                        yield ref.name


def _hide(drafts: Iterable[Draft], variables: set[str]) -> None:
    """Replace every value that holds a secret by a variable, equal values by the same one."""
    found: dict[Value, list[tuple[Draft, str, str]]] = {}
    for made in drafts:
        for name, entry in made.bots.items():
            for key, value in entry.remote.fields.items():
                if hidden.has_key(value):
                    made.leave_out(f"the {key} of {name}", "it holds a key", KEY)
                    entry.declared.pop(key, None)
                elif why := _unfit(entry.kind.fields[key], entry.remote):
                    made.leave_out(f"the {key} of {name}", f"no variable can hold it: {why}", _UNFIT)
                    entry.declared.pop(key, None)
                elif isinstance(value, Hidden):
                    found.setdefault(value, []).append((made, name, key))
    for users in found.values():
        made, name, key = users[0]
        kind = made.bots[name].kind
        shared = {(draft.instance, bot) for draft, bot, _ in users}
        instances = {instance for instance, _ in shared}
        whose = (*instances, *([name] if len(shared) == 1 else [])) if len(instances) == 1 else ()
        variable = naming.secret(kind, key, whose, variables)
        variables.add(variable)
        for draft, bot, its in users:
            entry = draft.bots[bot]
            entry.secrets[its] = variable
            if its in entry.declared:
                entry.declared[its] = Tagged("env", variable)


def _is_env(tree: Tree) -> TypeGuard[Tagged]:
    return isinstance(tree, Tagged) and tree.tag == "env"


def _last(known: Mapping[str, Whose]) -> dict[Whose, str]:
    """The id of the newest version of each credential, without those whose name is an API key."""
    named = ((id, whose) for id, whose in known.items() if not looks_like_key(whose[1]))
    versions = sorted((*split(name), instance, id) for id, (instance, name) in named)
    return {(instance, credential): id for credential, _, instance, id in versions}


def _alike(
    instances: Mapping[str, ObservedInstance], homes: Mapping[str, PurePosixPath], owner: str
) -> dict[str, dict[str, str]]:
    """Names for bots that are alike in one group, by instance and id."""
    found: dict[str, dict[str, str]] = {}
    for home in dict.fromkeys(homes.values()):
        its = {name: seen for name, seen in instances.items() if homes.get(name) == home}
        found |= groups.names(its, {name: _free(seen, owner) for name, seen in its.items()})
    return found


def _free(seen: ObservedInstance, owner: str) -> dict[str, str]:
    """The names that bots without a marker would have, by id."""
    matches = match(DesiredInstance(seen.name, (), Position("", 1, 1)), seen.bots, owner, DEFAULT)
    return {
        bot.id: naming.bot(human_text(str(bot.fields.get("description", "")), owner), bot)
        for why, bot in matches.unmanaged
        if why == NO_MARKER
    }


def _drafted(
    seen: ObservedInstance,
    stem: str,
    owner: str,
    credentials: Names,
    extent: Extent,
    alike: Mapping[str, str],
) -> Draft:
    made = Draft(seen.name, stem)
    for name, bot in _named(seen, owner, made, alike):
        settings = seen.settings_of(bot.kind) or NO_ROW
        made.bots[name] = Entry(bot, _declared(name, bot, settings, owner, credentials, extent))
    for what, why in seen.unread:
        made.leave_out(f"the credential {what}", why)
    for path, row in seen.settings.items():
        kind = KINDS[path]
        for name, why in row.unread:
            made.leave_out(f"{name} of {settings_label(kind)}", f"it {why}")
        if row.exists:
            made.settings[path] = _settings(made, row, seen.bots, credentials, extent, kind)
    return made


def _named(
    seen: ObservedInstance, owner: str, made: Draft, alike: Mapping[str, str]
) -> Iterable[tuple[str, RemoteBot]]:
    """The bots that a manifest can declare, with their names, in the order of creation.

    alike: the names, by id, of those that other instances of the group have too. Names are unique among all
    kinds: bots of two kinds with one marker are as two of one kind.
    """
    matches = match(DesiredInstance(seen.name, (), Position("", 1, 1)), seen.bots, owner, DEFAULT)
    names = {bot.id: name for name, bot in matches.orphans}
    refused = {bot.id: why for why, bot in matches.unmanaged if why != NO_MARKER}
    bots = sorted(seen.bots, key=lambda bot: (bot.created, bot.id))
    found: dict[str, RemoteBot] = {}
    taken = {name for bot in bots for name in _MARKED.findall(str(bot.fields.get("description", "")).lower())}
    for bot in bots:
        if bot.id not in names and bot.id not in refused:
            text = human_text(str(bot.fields.get("description", "")), owner)
            names[bot.id] = naming.unique(alike.get(bot.id) or naming.bot(text, bot), taken)
            taken.add(names[bot.id])
    for bot in bots:
        if why := refused.get(bot.id) or _unusable(bot):
            step = DOUBLE if "as another bot does" in why else _PARKED if is_parked(bot.fields) else BOT
            made.leave_out(called(bot), why, OTHER if "the owner" in why else step)
        else:
            found[names[bot.id]] = bot
    return found.items()


def _unusable(bot: RemoteBot) -> str:
    """Why no manifest can declare the bot; "" where one can."""
    if is_parked(bot.fields):
        return "an interrupted apply left it parked"
    if lacks := layout.lacks(bot.kind, bot.fields):
        return f"it has no {' and no '.join(lacks)}"
    unfit = {key: _unfit(field, bot) for key, field in bot.kind.fields.items() if field.required}
    return next((f"no variable can hold its {key}: {why}" for key, why in unfit.items() if why), "")


def _unfit(field: Field, bot: RemoteBot) -> str:
    """Why the value of a field, which is a secret, cannot be found in a variable."""
    value = bot.fields.get(field.name)
    if not isinstance(value, Hidden) or value.real is None:
        return ""
    return secrets.unfit(hidden.reference(field, "env", ""), value.real)


def called(bot: RemoteBot) -> str:
    """A bot in a sentence: its id and its description."""
    text = " ".join(str(bot.fields.get("description", "")).split())
    return matching.called(bot) + (f" ({text[:60]})" if text else "")


# -- what is declared -------------------------------------------------------------------------


def _declared(
    name: str, bot: RemoteBot, settings: RemoteSettings, owner: str, credentials: Names, extent: Extent
) -> dict[str, Tree]:
    kind, values = bot.kind, bot.fields
    said: dict[str, Tree] = {} if kind is DEFAULT else {"kind": kind.path}
    for key, of in kind.fields.items():
        value = values.get(key)
        if key == "description":
            value = _description(name, str(value or ""), owner)
        if value is None or not of.applies(values.get("botType"), values["triggerType"]):
            continue
        if key == kind.credential:
            said |= _credential(key, str(value), credentials)
        elif of.from_settings:
            if extent.has(kind, key, value, _copied(of, settings)):
                said[key] = tree(key, value)
        elif value not in ("", ()):
            said[key] = tree(key, value)
    return {key: said[key] for key in layout.order(kind) if key in said}


def _description(name: str, stored: str, owner: str) -> str | None:
    """The human's text; None where a manifest that declares it would change the stored description."""
    text = human_text(stored, owner)
    if not marked(stored, owner, name):
        return text
    now = unstamped(stored, owner)
    text = now.removesuffix(f"[{owner}:{name}]").rstrip()
    return text if describe(text, owner, name) == now else None


def _credential(key: str, id: str, credentials: Names) -> dict[str, Tree]:
    known = credentials.bots(id)
    return {key: id} if known is None else {CREDENTIAL: known}


def _copied(field: Field, settings: RemoteSettings) -> Value | None:
    """The value that a create would copy."""
    stored = settings.fields.get(field.name) if settings.exists else None
    return field.default if stored is None else stored


def tree(key: str, value: Value) -> Tree:
    """A field's value as it is written."""
    return Flow(value) if key == "ignoreJids" and isinstance(value, tuple) else value


def _settings(
    made: Draft,
    row: RemoteSettings,
    bots: Iterable[RemoteBot],
    credentials: Names,
    extent: Extent,
    kind: Kind,
) -> dict[str, Tree]:
    """Settings that differ from the API's documented defaults; the credential and the fallback by name."""
    found: dict[str, Tree] = {}
    whose = settings_label(kind)
    if kind.credential and (id := str(row.fields.get(kind.credential) or "")):
        if why := credentials.no_setting(id):
            made.leave_out(f"{CREDENTIAL} of {whose}", why)
        else:
            found[CREDENTIAL] = split(credentials.known[id][1])[0]
    for key, of in kind.settings.items():
        value = row.fields.get(key)
        if hidden.has_key(value):
            made.leave_out(f"{key} of {whose}", "it holds a key", KEY)
        elif value is not None and extent.has(kind, key, value, of.default):
            found[key] = tree(key, value)
    names = {entry.remote.id: name for name, entry in made.bots.items() if entry.kind is kind}
    if not extent.has(kind, "fallbackId", row.fallback or "", ""):
        return found
    if not row.fallback or row.fallback in names:
        found["fallback"] = names.get(row.fallback or "", "")
    else:
        bot = next((called(bot) for bot in bots if bot.id == row.fallback), None)
        why = f"{bot} is left out" if bot else f"the instance has no bot {row.fallback}"
        made.leave_out(f"fallback of {whose}", why)
    return found
