"""Layers → the instance that they make together: the nearest word wins, variables are put in, and what must
stand together is checked.

A bot's field is taken from the first of these that has it: the manifest's bot, the bot of the nearest
folder's file, of the next one above it, and so on; then the manifest's defaults, the nearest folder's, the
next one's. Works on values and their places, touches no file. Errors go to the sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.desired import DesiredBot, DesiredCredential, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI, Field
from reconciler.domain.markers import claimed
from reconciler.domain.text import near, quoted
from reconciler.manifests.clashes import clashes
from reconciler.manifests.layer import EMPTY, VARIABLE, Layer, Part
from reconciler.manifests.model import IDENTIFIER, misnamed, too_long
from reconciler.manifests.nodes import Origin, Source
from reconciler.yaml import MappingNode, Node, SequenceNode

_CREDENTIAL = ("openaiCreds", "openaiCredsId")
_VARIABLE = re.compile(rf"\$(?:\$\{{|\{{({IDENTIFIER})\}})", re.ASCII)
_NEEDS_ESCAPE = re.compile(rf"(?<=\$)\$\{{|\$\{{(?={IDENTIFIER}\}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Bot:
    """A bot with all layers below it. source, key: where its name stands nearest."""

    source: Source
    key: Node
    origins: Mapping[str, Origin]
    values: Mapping[str, Any]


def instance(manifest: Layer, folders: Sequence[Layer]) -> DesiredInstance | None:
    """What a manifest declares, with the files of its folders under it, the nearest first.

    What is returned when there are errors is for nothing but finding more of them in other files.
    """
    if manifest.instance is None:
        return None
    if not all(layer.whole for layer in (manifest, *folders)):
        return DesiredInstance(manifest.instance, (), manifest.at)
    return _Instance(manifest.instance, manifest, folders).desired()


def literal(text: str) -> str:
    """How a text is written where variables have a meaning, so that nothing in it is one."""
    return _NEEDS_ESCAPE.sub("$${", text)


def over(nearer: Part, farther: Part) -> Part:
    """What two layers say together. Either way of naming a credential replaces the other; silence adds up."""
    if not farther.origins and farther.whole:
        return nearer
    hidden = set(nearer.origins)
    if not hidden.isdisjoint(_CREDENTIAL):
        hidden.update(_CREDENTIAL)
    values = {name: value for name, value in farther.values.items() if name not in hidden} | nearer.values
    if "silence" in nearer.values:
        values["silence"] += farther.values.get("silence", ())
    origins = {name: origin for name, origin in farther.origins.items() if name not in hidden}
    return Part(origins | dict(nearer.origins), values, nearer.whole and farther.whole)


class _Instance:
    """One instance while it is put together."""

    def __init__(self, name: str, manifest: Layer, folders: Sequence[Layer]) -> None:
        self.name = name
        self.manifest = manifest
        self.layers = (manifest, *folders)
        self.names: list[str] = []
        self.variables: dict[str, tuple[str, Position | None]] | None = None
        for layer in reversed(self.layers):
            if layer.vars is not None:
                self.variables = (self.variables or {"instance": (name, None)}) | dict(layer.vars)

    def desired(self) -> DesiredInstance:
        bots = self._bots()
        for name, bot in bots.items():
            for origin, message in _incomplete(name, bot):
                self._report(*(origin or (bot.source, bot.key)), message)
        for source, node, message in _renames(bots):
            self._report(source, node, message)
        ignored = frozenset[str]().union(*(layer.silence for layer in self.layers))
        desired = tuple(_desired(name, bot, ignored) for name, bot in bots.items())
        sources = [layer.source for layer in self.layers]
        far_first = sorted(desired, key=lambda bot: -sources.index(bots[bot.name].source))
        for clash in clashes(far_first):  # so that it is told at the nearer one
            bot = bots[clash.bot.name]
            said = bot.origins[clash.field]  # a claim is made by what is declared
            own = said if said.layer.endswith("bot") else bot
            self._report(own.source, own.key, clash.message)
        self._lent_to_itself(bots)
        return DesiredInstance(
            self.name,
            desired,
            self.manifest.at,
            self._credentials(),
            self._settings(),
            ignored,
            vars=None if self.variables is None else {n: text for n, (text, _) in self.variables.items()},
        )

    def _report(self, source: Source, node: Node, message: str) -> None:
        if source is self.manifest.source:
            source.report(node, message)
        else:
            source.report_of(self.name, node, message)

    # -- bots ---------------------------------------------------------------------------------

    def _bots(self) -> dict[str, _Bot]:
        """Every bot that could be read, the manifest's own first."""
        defaults = reduce(over, (layer.defaults for layer in self.layers))
        names = dict.fromkeys(name for layer in self.layers for name in layer.bots or {})
        bots: dict[str, _Bot] = {}
        for name in names:
            found = list(self._layers_of(name))
            if not found:
                continue
            self.names.append(name)
            source, key, _ = found[0]
            whole = reduce(over, [*(part for _, _, part in found), defaults])
            if whole.whole:
                filled = self._filled(whole, OPENAI.fields)
                bots[name] = _Bot(source, key, filled.origins, filled.values)
        return bots

    def _layers_of(self, name: str) -> Iterator[tuple[Source, Node, Part]]:
        """A bot's own layers, from the nearest on; `false` hides those behind it."""
        for number, layer in enumerate(self.layers):
            if not layer.bots or name not in layer.bots:
                continue
            key, part = layer.bots[name]
            if part is not None:
                yield layer.source, key, part
                continue
            behind = {other for farther in self.layers[number + 1 :] for other in farther.bots or {}}
            if name not in behind:
                said = f"no folder's file above has a bot {quoted(name)}{near(name, behind)} to leave out"
                self._report(layer.source, key, f"{said}: remove this line")
            return

    # -- variables ----------------------------------------------------------------------------

    def _filled(self, part: Part, table: Mapping[str, Field]) -> Part:
        """The part with its variables put in, and the limits checked of texts that hold any."""
        if len(self.layers) == 1 and self.variables is None:
            return part
        origins, values = dict(part.origins), dict(part.values)
        for name, value in part.values.items():
            if not (name in table or name == "openaiCreds") or not _holds_variable(value):
                continue
            limit = table[name].limit if name in table else None
            filler = _Filler(self, origins[name], misnamed if name == "openaiCreds" else _within(limit))
            filled = filler.value(name, value)
            if filled is None:
                del values[name]
            else:
                values[name] = filled
            if filler.used:
                origins[name] = origins[name]._replace(variables=filler.used)
        return Part(origins, values, part.whole)

    # -- credentials and settings -------------------------------------------------------------

    def _credentials(self) -> tuple[DesiredCredential, ...]:
        found: dict[str, DesiredCredential] = {}
        for written, (key, ref) in self.manifest.credentials.items():
            origin = Origin(self.manifest.source, key, key, "credentials")
            name = written
            if VARIABLE in written:
                filler = _Filler(self, origin, partial(misnamed, declared=True))
                filled = filler.value("a credential's name", written)
                if filled is None:
                    continue
                name = str(filled)
            if name in found:
                said = f"the credential {quoted(name)} stands at {found[name].at} already: remove one of them"
                self._report(origin.source, key, said)
            else:
                found[name] = DesiredCredential(name, ref, origin.source.at(key))
        return tuple(found.values())

    def _settings(self) -> DesiredSettings | None:
        declared = [(layer.source, *layer.settings) for layer in self.layers if layer.settings]
        part = self._filled(reduce(over, (part for _, _, part in declared), EMPTY), OPENAI.settings)
        if not part.origins:
            return None
        source, key, _ = declared[0]
        values = part.values
        fallback = values.get("fallback")
        if fallback and fallback not in self.names:
            origin = part.origins["fallback"]
            said = f"the instance has no bot {quoted(fallback)}{near(fallback, self.names)} to fall back to"
            self._report(origin.source, origin.value, f'{said}: write the name of one, or "" for none')
        jids = part.origins.get("ignoreJids")
        return DesiredSettings(
            fields=hidden.fields(OPENAI.settings, {n: values[n] for n in OPENAI.settings if n in values}),
            at=source.at(key),
            creds=values.get("openaiCreds"),
            fallback=fallback,
            merge_jids=jids is not None and isinstance(jids.value, MappingNode),
            origins=part.origins,
        )

    def _lent_to_itself(self, bots: Mapping[str, _Bot]) -> None:
        for bot in bots.values():
            creds = bot.values.get("openaiCreds")
            if isinstance(creds, dict) and creds["instance"] == self.name:
                origin = bot.origins["openaiCreds"]
                said = "the credential is one of its own instance: write openaiCreds with the name alone"
                self._report(origin.source, origin.value, said)


class _Filler:
    """Puts an instance's variables into one value.

    wrong: what is wrong with a text, by its name. used: the variables that stood in it, and where each is
    declared.
    """

    def __init__(self, of: _Instance, origin: Origin, wrong: Callable[[str, str], str | None]) -> None:
        self.of = of
        self.origin = origin
        self.wrong = wrong
        self.used: dict[str, Position | None] = {}

    def value(self, name: str, value: Any) -> Any:
        """The value with its texts filled in, None when that is wrong."""
        node = self.origin.value
        if isinstance(value, tuple):
            items = node.value if isinstance(node, SequenceNode) else [node] * len(value)
            texts = [self._text(name, text, item) for text, item in zip(value, items, strict=False)]
            return None if None in texts else tuple(texts)
        if isinstance(value, dict):
            parts = {key: self._text(f"the {key} of {name}", text, node) for key, text in value.items()}
            return None if None in parts.values() else parts
        return self._text(name, value, node)

    def _text(self, name: str, text: str, node: Node) -> str | None:
        filled = self._put_in(text, node)
        if filled is None:
            return None
        if said := self.wrong(filled, name):
            self._report(node, said)
            return None
        return filled

    def _put_in(self, text: str, node: Node) -> str | None:
        variables = self.of.variables
        if variables is None:
            return text
        unknown: list[str] = []

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return VARIABLE
            if name not in variables:
                unknown.append(name)
                return ""
            said, self.used[name] = variables[name]
            return said

        filled = _VARIABLE.sub(put, text)
        for name in dict.fromkeys(unknown):
            hint = near(name, variables)
            said = f"${{{quoted(name)[1:-1]}}} is no variable{hint}"
            self._report(node, f"{said}: declare it in `vars:`, or write $${{ for the text itself")
        return None if unknown else filled

    def _report(self, node: Node, message: str) -> None:
        self.of._report(self.origin.source, node, message)


def _desired(name: str, bot: _Bot, ignored: frozenset[str]) -> DesiredBot:
    values = bot.values
    creds = values.get("openaiCreds")
    creds_owner, creds = (creds["instance"], creds["name"]) if isinstance(creds, dict) else (None, creds)
    return DesiredBot(
        name=name,
        fields=hidden.fields(OPENAI.fields, {name: values[name] for name in OPENAI.fields if name in values}),
        creds=creds,
        at=bot.source.at(bot.key),
        previously=values.get("previously", ()),
        on_drift=values.get("onDrift", "update"),
        creds_owner=creds_owner,
        ignored=ignored.union(values.get("silence", ())),
        origins=bot.origins,
    )


def _holds_variable(value: object) -> bool:
    if isinstance(value, hidden.Hidden):
        return False
    if isinstance(value, str):
        return VARIABLE in value
    texts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return any(VARIABLE in text for text in texts)


def _within(limit: int | None) -> Callable[[str, str], str | None]:
    return lambda text, name: too_long(name, text, limit) if limit is not None and len(text) > limit else None


# -- what must stand together -----------------------------------------------------------------


def _incomplete(name: str, bot: _Bot) -> Iterator[tuple[tuple[Source, Node] | None, str]]:
    """What a bot lacks for its types, and what it says that only the tool may; where, None for its name."""
    origins, values = bot.origins, bot.values

    def at(field: str) -> tuple[Source, Node]:
        return origins[field].source, origins[field].value

    needed = {field.name: "a bot" for field in OPENAI.fields.values() if field.required}
    bot_type, trigger_type = values.get("botType", ""), values.get("triggerType", "")
    needed |= dict.fromkeys(OPENAI.keys.get(bot_type, ()), f"a bot of botType {bot_type}")
    needed |= dict.fromkeys(
        OPENAI.trigger_parts.get(trigger_type, ()), f"a bot of triggerType {trigger_type}"
    )
    for field, whose in needed.items():
        if field not in origins:
            yield None, f"{quoted(name)} has no {field}, which {whose} needs: add it"
        elif values.get(field) == "":
            yield at(field), f"{field} is empty, and {whose} needs it: write a value"
    named = [field for field in _CREDENTIAL if field in origins]
    if not named:
        yield None, f"{quoted(name)} has no credential: add openaiCreds with its name (or openaiCredsId)"
    elif len(named) > 1:
        source, key = origins[named[1]].source, origins[named[1]].key
        yield (source, key), "openaiCreds and openaiCredsId both name the credential: keep one"
    elif values.get(named[0]) == "":
        yield at(named[0]), f"{named[0]} is empty: write the credential's id"
    if found := claimed(values.get("description", "")):
        said = f"the description holds {quoted(found)}, which looks like the marker of an owner"
        yield at("description"), f"{said}: remove it, the tool writes its own"


def _renames(bots: Mapping[str, _Bot]) -> Iterator[tuple[Source, Node, str]]:
    """Old names that do not belong to one bot alone."""
    claimed: dict[str, str] = {}
    for name, bot in bots.items():
        for old, (source, node) in zip(bot.values.get("previously", ()), _items(bot), strict=False):
            said = f"previously lists {quoted(old)}"
            if old == name:
                yield source, node, f"{said}, the bot's own name: remove it"
            elif old in bots:
                yield source, node, f"{said}, which is another bot of this manifest: remove one"
            elif old in claimed:
                yield source, node, f"{said}, and so does {quoted(claimed[old])}: remove one of them"
            claimed.setdefault(old, name)


def _items(bot: _Bot) -> list[tuple[Source, Node]]:
    if "previously" not in bot.values:
        return []
    origin = bot.origins["previously"]
    return [(origin.source, node) for node in origin.value.value]
