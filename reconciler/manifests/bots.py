"""The bots of one instance, from all of its layers, and what each of them lacks.

A bot's field comes from the first of these that has it: the manifest's bot, the bot of the nearest folder's
file, of the next one above it, and so on; then the manifest's defaults of the bot's kind, its defaults of all
kinds, the nearest folder's, the next one's. What the bot's kind does not have is left out of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, reduce
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import DEFAULT, Kind
from reconciler.domain.markers import claimed
from reconciler.domain.records import dataclass
from reconciler.domain.text import near, quoted
from reconciler.manifests.layer import EMPTY, Part, of_kind, over
from reconciler.manifests.scope import Scope
from reconciler.manifests.source import Origin, Source
from reconciler.manifests.tables import CREDENTIAL
from reconciler.manifests.traces import traces
from reconciler.yaml import Node

Error = tuple[Source, Node, str]
"""A message and its place."""


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot with all layers below it. source, key: the nearest place of its name."""

    source: Source
    key: Node
    kind: Kind
    origins: Mapping[str, Origin]
    values: Mapping[str, Any]


def kinds(scope: Scope) -> dict[str, Kind]:
    """The kind of each bot of the instance, by its name, the manifest's own first."""
    found = ((name, next(_layers(scope, name), None)) for name in _listed(scope))
    return {name: layer[2].kind or DEFAULT for name, layer in found if layer}


def bots(scope: Scope) -> dict[str, Bot]:
    """Every bot that could be read, by its name; reports a bot that is left out and does not exist."""

    @cache
    def defaults(kind: Kind) -> Part:
        parts = [layer.defaults.get(of) for layer in scope.layers for of in (kind.path, "")]
        return reduce(over, (of_kind(part, kind) for part in parts if part), EMPTY)

    made: dict[str, Bot] = {}
    for name in _listed(scope):
        found = list(_layers(scope, name))
        if not found:
            continue
        source, key, part = found[0]
        kind = part.kind or DEFAULT
        whole = reduce(over, [*(of_kind(part, kind) for _, _, part in found), defaults(kind)])
        if whole.whole:
            filled = scope.filled(whole, kind.fields)
            made[name] = Bot(source, key, kind, filled.origins, filled.values)
    return made


def _listed(scope: Scope) -> Iterable[str]:
    return dict.fromkeys(name for layer in scope.layers for name in layer.bots or {})


def _layers(scope: Scope, name: str) -> Iterator[tuple[Source, Node, Part]]:
    """A bot's own layers, from the nearest on; `false` hides those behind it."""
    for layer in scope.layers:
        if not layer.bots or name not in layer.bots:
            continue
        key, part = layer.bots[name]
        if part is None:
            return
        yield layer.source, key, part


def left_out(scope: Scope) -> Iterator[Error]:
    """Bots that are `false`, and that no folder's file above declares."""
    for number, layer in enumerate(scope.layers):
        above = {other for farther in scope.layers[number + 1 :] for other in farther.bots or {}}
        for name, (key, part) in (layer.bots or {}).items():
            if part is None and name not in above:
                message = f"no folder's file above has a bot {quoted(name)}{near(name, above)} to leave out"
                yield layer.source, key, f"{message}: remove this line"


def desired(name: str, bot: Bot, ignored: frozenset[str], *, origins: bool) -> DesiredBot:
    """The bot as a value. ignored: the lint rules that its instance ignores. origins: whether it has them."""
    values, table = bot.values, bot.kind.fields
    creds = values.get("openaiCreds")
    creds_owner, creds = (creds["instance"], creds["name"]) if isinstance(creds, dict) else (None, creds)
    at = bot.source.at(bot.key)
    return DesiredBot(
        name=name,
        fields=hidden.fields(table, {name: values[name] for name in table if name in values}),
        creds=creds,
        at=at,
        previously=values.get("previously", ()),
        on_drift=values.get("onDrift", "update"),
        creds_owner=creds_owner,
        ignored=ignored.union(silence) if (silence := values.get("silence")) else ignored,
        kind=bot.kind,
        creds_at=None if creds is None else bot.origins["openaiCreds"].at,
        origins=bot.origins if origins else {},
        traces=traces(bot.origins, at.file),
    )


# -- errors -----------------------------------------------------------------------------------


def incomplete(name: str, bot: Bot) -> Iterator[Error]:
    """What a bot lacks for its types, and the marker in its description, which only the tool writes."""
    yield from _missing(name, bot)
    if bot.kind.credential:
        yield from _credential(name, bot)
    if found := claimed(bot.values.get("description", "")):
        message = f"the description contains {quoted(found)}, which looks like an ownership marker"
        yield *_value(bot, "description"), f"{message}: remove it, the tool writes its own"


def _missing(name: str, bot: Bot) -> Iterator[Error]:
    bot_type, trigger_type = bot.values.get("botType", ""), bot.values.get("triggerType", "")
    for field, whose in _needed(bot.kind, bot_type, trigger_type).items():
        if field not in bot.origins:
            yield bot.source, bot.key, f"{quoted(name)} has no {field}, which {whose} needs: add it"
        elif bot.values.get(field) == "":
            yield *_value(bot, field), f"{field} is empty, and {whose} needs it: write a value"


@cache
def _needed(kind: Kind, bot_type: str, trigger_type: str) -> Mapping[str, str]:
    """The fields that a bot of these types needs, and which bot it is that needs each."""
    whose = "a bot" if kind is DEFAULT else f"a bot of kind {kind.path}"
    needed = {field.name: whose for field in kind.fields.values() if field.required}
    if kind.omitted_key == "refused":
        needed |= dict.fromkeys(kind.keys.get(bot_type, ()), f"a bot of botType {bot_type}")
    return needed | dict.fromkeys(
        kind.trigger_parts.get(trigger_type, ()), f"a bot of triggerType {trigger_type}"
    )


def _credential(name: str, bot: Bot) -> Iterator[Error]:
    named = [field for field in CREDENTIAL if field in bot.origins]
    if not named:
        message = f"{quoted(name)} has no credential: add openaiCreds with its name (or openaiCredsId)"
        yield bot.source, bot.key, message
    elif len(named) > 1:
        origin = bot.origins[named[1]]
        yield origin.source, origin.key, "openaiCreds and openaiCredsId both name the credential: keep one"
    elif bot.values.get(named[0]) == "":
        yield *_value(bot, named[0]), f"{named[0]} is empty: write the credential's id"


def renames(bots: Mapping[str, Bot]) -> Iterator[Error]:
    """Old names that do not belong to one bot alone."""
    claimed: dict[str, str] = {}
    for name, bot in bots.items():
        for old, (source, node) in zip(bot.values.get("previously", ()), _old_names(bot), strict=False):
            message = f"previously lists {quoted(old)}"
            if old == name:
                yield source, node, f"{message}, the bot's own name: remove it"
            elif old in bots:
                yield source, node, f"{message}, which is another bot of this manifest: remove one"
            elif old in claimed:
                yield source, node, f"{message}, and so does {quoted(claimed[old])}: remove one of them"
            claimed.setdefault(old, name)


def _old_names(bot: Bot) -> list[tuple[Source, Node]]:
    if "previously" not in bot.values:
        return []
    origin = bot.origins["previously"]
    return [(origin.source, node) for node in origin.value.value]


def shared_with_itself(instance: str, bots: Mapping[str, Bot]) -> Iterator[Error]:
    """Credentials that a bot names as another instance's, and that are its own instance's."""
    for bot in bots.values():
        creds = bot.values.get("openaiCreds")
        if isinstance(creds, dict) and creds["instance"] == instance:
            message = "the credential belongs to the bot's own instance: write only its name in openaiCreds"
            yield *_value(bot, "openaiCreds"), message


def _value(bot: Bot, field: str) -> tuple[Source, Node]:
    origin = bot.origins[field]
    return origin.source, origin.value
