"""One instance of the server → the draft of its manifest. Pure.

A draft leaves out values that a create copies from the settings anyway, fields that no code reads, and fields
without a meaning for a bot's types. It may still declare what the manifest cannot: check.py loads and plans
it, and removes that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from reconciler.domain import hidden
from reconciler.domain.credential_versions import split
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.markers import NO_MARKER, describe, human_text, marked, unstamped
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.reports import LeftOut
from reconciler.domain.text import looks_like_key, quoted
from reconciler.importer import naming
from reconciler.plan import matching
from reconciler.plan.differ import same
from reconciler.plan.matching import match
from reconciler.plan.parking import is_parked
from reconciler.yaml.emit import Flow, Tagged, Tree

_MARKED = re.compile(r":\s*([a-z0-9][a-z0-9-]*)\s*\]")  # the name in a marker of any owner
_KEY_FOR_NAME = (
    "looks like an API key and is not shown: revoke the key, and create a credential with another name"
)
MESSAGES = ("systemMessages", "assistantMessages", "userMessages")
TIMING = tuple(field.name for field in OPENAI.fields.values() if field.from_settings)
ORDER = (
    *("description", "enabled", "openaiCreds", "openaiCredsId", "botType", "triggerType", "triggerOperator"),
    *("triggerValue", "assistantId", "functionUrl", "model", "maxTokens", *TIMING, *MESSAGES),
)


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


@dataclass(slots=True)
class Draft:
    """The content of a manifest.

    stem: the file's name without its extension. credentials: the variable for the key of each. others: bots
    from a folder's defaults that the server does not have. settled: settings that were corrected once.
    """

    instance: str
    stem: str
    bots: dict[str, Entry] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Tree] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    left_out: list[LeftOut] = field(default_factory=list)

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
        return not (self.bots or self.credentials or self.settings)

    def leave_out(self, what: str, reason: str) -> None:
        """Note that something is left out, and why."""
        note = LeftOut(self.instance, what, reason)
        self.left_out += [] if note in self.left_out else [note]


@dataclass(frozen=True, slots=True)
class Extent:
    """Which values to write. full: all. unread: fields that no code of the server reads."""

    full: bool = False
    unread: frozenset[str] = frozenset()

    def has(self, key: str, value: Value, otherwise: Value | None) -> bool:
        """Whether to write a value. otherwise: the value of a bot or settings that do not declare it."""
        return self.full or (key not in self.unread and not same(otherwise, value))


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
) -> dict[str, Draft]:
    """The drafts, by the instance's name.

    others: the credentials of instances that are not imported. existing: the manifests that exist. stems: the
    names of the new files.
    """
    known = {name: seen.credentials or {} for name, seen in instances.items()}
    everybodys = {
        one.id: (instance, name)
        for instance, credentials in {**others, **known}.items()
        for name, one in credentials.items()
    }
    last = _last(everybodys)
    made = {
        name: _drafted(seen, stems[name], owner, Names(name, everybodys, last), extent)
        for name, seen in instances.items()
    }
    declared = [one for instance in existing.instances for one in instance.credentials]
    names, variables = {one.name for one in declared}, {one.key.name for one in declared}
    for instance, its in made.items():
        for base, id in {split(name)[0]: one.id for name, one in known[instance].items()}.items():
            if looks_like_key(base):
                its.leave_out(f"the credential {id}", f"its name {_KEY_FOR_NAME}")
            elif base in names:
                its.leave_out(f"the credential {base}", "another manifest has one of this name")
            else:
                its.credentials[base] = naming.variable(base, instance, variables)
                names.add(base)
                variables.add(its.credentials[base])
        _hide(its, variables)
    return made


def _hide(made: Draft, variables: set[str]) -> None:
    """Replace every value that holds a secret by a variable, equal values by the same one."""
    found: dict[Value, str] = {}
    for name, entry in made.bots.items():
        for key, value in entry.remote.fields.items():
            if hidden.has_key(value):
                made.leave_out(f"the {key} of {name}", "it holds a key")
                entry.declared.pop(key, None)
            elif isinstance(value, Hidden):
                if value not in found:
                    found[value] = naming.secret(key, made.instance, variables)
                    variables.add(found[value])
                entry.secrets[key] = found[value]
                if key in entry.declared:
                    entry.declared[key] = Tagged("env", found[value])


def _is_env(tree: Tree) -> TypeGuard[Tagged]:
    return isinstance(tree, Tagged) and tree.tag == "env"


def _last(known: Mapping[str, Whose]) -> dict[Whose, str]:
    """The id of the newest version of each credential, without those whose name is an API key."""
    named = ((id, whose) for id, whose in known.items() if not looks_like_key(whose[1]))
    versions = sorted((*split(name), instance, id) for id, (instance, name) in named)
    return {(instance, credential): id for credential, _, instance, id in versions}


def _drafted(seen: ObservedInstance, stem: str, owner: str, credentials: Names, extent: Extent) -> Draft:
    made = Draft(seen.name, stem)
    settings = seen.settings_of(OPENAI) or RemoteSettings(exists=False, fields={})
    for name, bot in _named(seen, owner, made):
        made.bots[name] = Entry(bot, _declared(name, bot, settings, owner, credentials, extent))
    for what, why in seen.unread:
        made.leave_out(f"the credential {what}", why)
    for name, why in settings.unread:
        made.leave_out(f"{name} of the settings", f"it {why}")
    if settings.exists:
        _settings(made, settings, seen.bots, credentials, extent)
    return made


def _named(seen: ObservedInstance, owner: str, made: Draft) -> Iterable[tuple[str, RemoteBot]]:
    """The bots that a manifest can declare, with their names, in the order of creation."""
    matches = match(DesiredInstance(seen.name, (), Position("", 1, 1)), seen.bots, owner, OPENAI)
    names = {bot.id: name for name, bot in matches.orphans}
    refused = {bot.id: why for why, bot in matches.unmanaged if why != NO_MARKER}
    bots = sorted(seen.bots, key=lambda bot: (bot.created, bot.id))
    found: dict[str, RemoteBot] = {}
    taken = {name for bot in bots for name in _MARKED.findall(str(bot.fields.get("description", "")).lower())}
    for bot in bots:
        if bot.id not in names and bot.id not in refused:
            text = human_text(str(bot.fields.get("description", "")), owner)
            names[bot.id] = naming.unique(naming.bot(text, bot.fields), taken)
            taken.add(names[bot.id])
    for bot in bots:
        if why := refused.get(bot.id) or _unusable(bot):
            made.leave_out(called(bot), why)
        else:
            found[names[bot.id]] = bot
    return found.items()


def _unusable(bot: RemoteBot) -> str:
    """Why no manifest can declare the bot; "" where one can."""
    fields = bot.fields
    if is_parked(fields):
        return "an interrupted apply left it parked: apply first, then import"
    needed = ["botType", "triggerType", "openaiCredsId"]
    needed += OPENAI.keys.get(str(fields.get("botType")), ())
    needed += OPENAI.trigger_parts.get(str(fields.get("triggerType")), ())
    lacks = [name for name in needed if fields.get(name) in (None, "")]
    return f"it has no {' and no '.join(lacks)}" if lacks else ""


def called(bot: RemoteBot) -> str:
    """A bot in a sentence: its id and its description."""
    text = " ".join(str(bot.fields.get("description", "")).split())
    return matching.called(bot) + (f" ({text[:60]})" if text else "")


# -- what is declared -------------------------------------------------------------------------


def _declared(
    name: str, bot: RemoteBot, settings: RemoteSettings, owner: str, credentials: Names, extent: Extent
) -> dict[str, Tree]:
    values = bot.fields
    said: dict[str, Tree] = {}
    for key, of in OPENAI.fields.items():
        value = values.get(key)
        if key == "description":
            value = _description(name, str(value or ""), owner)
        if value is None or not of.applies(values["botType"], values["triggerType"]):
            continue
        if key == "openaiCredsId":
            said |= _credential(str(value), credentials)
        elif of.from_settings:
            if extent.has(key, value, _copied(key, settings)):
                said[key] = tree(key, value)
        elif value not in ("", ()):
            said[key] = tree(key, value)
    return {key: said[key] for key in ORDER if key in said}


def _description(name: str, stored: str, owner: str) -> str | None:
    """The human's text; None where a manifest that declares it would change the stored description."""
    text = human_text(stored, owner)
    if not marked(stored, owner, name):
        return text
    now = unstamped(stored, owner)
    text = now.removesuffix(f"[{owner}:{name}]").rstrip()
    return text if describe(text, owner, name) == now else None


def _credential(id: str, credentials: Names) -> dict[str, Tree]:
    known = credentials.bots(id)
    return {"openaiCredsId": id} if known is None else {"openaiCreds": known}


def _copied(key: str, settings: RemoteSettings) -> Value | None:
    """The value that a create would copy."""
    stored = settings.fields.get(key) if settings.exists else None
    return OPENAI.fields[key].default if stored is None else stored


def tree(key: str, value: Value) -> Tree:
    """A field's value as it is written."""
    return Flow(value) if key == "ignoreJids" and isinstance(value, tuple) else value


def _settings(
    made: Draft, settings: RemoteSettings, bots: Iterable[RemoteBot], credentials: Names, extent: Extent
) -> None:
    """Settings that differ from the API's documented defaults; the credential and the fallback by name."""
    if id := str(settings.fields.get("openaiCredsId") or ""):
        if why := credentials.no_setting(id):
            made.leave_out("openaiCreds of the settings", why)
        else:
            made.settings["openaiCreds"] = split(credentials.known[id][1])[0]
    for key, of in OPENAI.settings.items():
        value = settings.fields.get(key)
        if hidden.has_key(value):
            made.leave_out(f"{key} of the settings", "it holds a key")
            continue
        if value is not None and extent.has(key, value, of.default):
            made.settings[key] = tree(key, value)
    names = {entry.remote.id: name for name, entry in made.bots.items()}
    if settings.fallback in names:
        made.settings["fallback"] = names[settings.fallback]
    elif settings.fallback:
        bot = next((called(bot) for bot in bots if bot.id == settings.fallback), None)
        why = f"{bot} is left out" if bot else f"the instance has no bot {settings.fallback}"
        made.leave_out("fallback of the settings", why)
    elif extent.full:
        made.settings["fallback"] = ""
