"""What a manifest may say: its keys, the fields of a bot, and what must stand together.

The pydantic model is made from the field table, once; it knows keys, types, limits and choices, and gives
the JSON Schema. What ties fields to each other are plain functions. Works on nodes, touches no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, create_model
from pydantic import Field as Constrained
from pydantic_core import ErrorDetails

from reconciler.clashes import clashes
from reconciler.errors import Position
from reconciler.kinds import INT32_MAX, OPENAI, Field, Type
from reconciler.model import DesiredBot, DesiredInstance
from reconciler.nodes import Entries, Origin, Source, near, quoted
from reconciler.yaml import Node

_MARKER = re.compile(r"\[\s*[a-z0-9_.-]+\s*:\s*[a-z0-9][a-z0-9-]*\s*\]", re.IGNORECASE)  # of any owner
_NAME = StringConstraints(strict=True, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
_NAME_RULE = "lower-case letters, digits and hyphens, a letter or digit first, 64 at most"
_TOP = ("instance", "defaults", "bots")
_KEYS = (*OPENAI.fields, "openaiCreds", "onDrift", "previously")
_CREDENTIAL = ("openaiCreds", "openaiCredsId")
_ON_DRIFT = ("update", "replace")


# -- the model --------------------------------------------------------------------------------


@cache
def model() -> type[BaseModel]:
    """A whole manifest; bots and defaults are what stands in it, before they are merged."""
    common: dict[str, Any] = {
        "openaiCreds": (
            Annotated[str, StringConstraints(min_length=1)],
            Constrained(None, description="The name of an OpenAI credential of the instance."),
        ),
        "onDrift": (
            Literal[_ON_DRIFT],
            Constrained(None, description="What is done when the bot on the server differs."),
        ),
    }
    common |= {
        name: (_annotation(field), Constrained(None, description=field.about))
        for name, field in OPENAI.fields.items()
    }
    previously = (
        tuple[Annotated[str, _NAME], ...],
        Constrained((), description="Names that the bot had before: it is kept through a rename."),
    )
    config = ConfigDict(extra="forbid", strict=True)
    defaults = create_model("Defaults", __config__=config, **common)
    bot = create_model("Bot", __config__=config, **common, previously=previously)
    return create_model(
        "Manifest",
        __config__=config,
        instance=(Annotated[str, StringConstraints(min_length=1, max_length=255)], None),
        defaults=(defaults, None),
        bots=(dict[Annotated[str, _NAME], bot], ...),  # type: ignore[valid-type]  # made at run time
    )


def _annotation(field: Field) -> Any:
    match field.type:
        case Type.BOOL:
            return bool
        case Type.INT:
            return Annotated[int, Constrained(ge=field.minimum, le=INT32_MAX)]
        case Type.TEXT:
            return Annotated[str, StringConstraints(max_length=field.limit)]
        case Type.ENUM:
            return Literal[field.choices]
        case Type.TEXTS:
            return tuple[Annotated[str, StringConstraints(max_length=field.limit)], ...]


def _wrong(error: ErrorDetails, name: str) -> str:
    """A sentence for what the model refuses."""
    limits = error.get("ctx", {})
    given = error["input"]
    match error["type"]:
        case "extra_forbidden" if len(error["loc"]) == 1:
            said = (
                f"{quoted(name)} is no key of a manifest{near(name, _TOP)}: write instance, defaults or bots"
            )
        case "extra_forbidden" if name == "previously":
            said = "previously is about one bot: move it there"
        case "extra_forbidden":
            said = f"{quoted(name)} is no field of a bot{near(name, _KEYS)}: correct it or leave it out"
        case "string_too_long":
            most = limits["max_length"]
            said = f"{name} has {len(given)} characters, and {most} is the most that is stored: shorten it"
        case "string_too_short":
            said = f"{name} is empty: write a name"
        case "greater_than_equal":
            said = f"{name} is {given}: write at least {limits['ge']}"
        case "less_than_equal":
            said = f"{name} is too large to be stored: write at most {limits['le']}"
        case "literal_error":
            choices = OPENAI.fields[name].choices if name in OPENAI.fields else _ON_DRIFT
            said = f"{name} cannot be {quoted(given)}{near(given, choices)}: write {' or '.join(choices)}"
        case "string_pattern_mismatch":
            said = f"{quoted(given)} cannot be a bot's name: use {_NAME_RULE}"
        case _:  # string_unicode is left, and only the name of a file can be no Unicode
            said = "the file's name is not UTF-8: rename it, or give `instance:` in it"
    return said


# -- one manifest -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """A bot or the defaults: the nodes of what stands there, and the values of what is right of it.

    whole: whether it could be read at all, so that what it lacks is really missing.
    """

    nodes: Entries
    values: dict[str, Any]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Bot:
    """A bot with the defaults under it. own: the nodes that stand under its own name."""

    key: Node
    own: Entries
    nodes: Entries
    values: Mapping[str, Any]


def read(root: Node, source: Source, stem: str) -> DesiredInstance | None:
    """The instance that a manifest declares; errors go to the source. stem: its name if it gives none.

    What is returned when there are errors is for nothing but finding more of them in other files.
    """
    top = source.entries(root, "a manifest")
    if top is None:
        return None
    raw: dict[str, Any] = {name: "" for name in top if name not in _TOP and not name.startswith("x-")}
    raw["instance"] = source.text(top["instance"][1], "instance") if "instance" in top else stem
    defaults = _part(top["defaults"][1], source, "defaults") if "defaults" in top else _Part({}, {})
    bots: dict[str, tuple[Node, _Part]] = {}
    if "bots" not in top:
        source.report(root, "the manifest has no bots: add `bots:` (`bots: {}` for an instance without any)")
    elif listed := source.entries(top["bots"][1], "bots"):
        bots = {
            name: (key, _part(node, source, f"bot {quoted(name)}")) for name, (key, node) in listed.items()
        }
    _check_model(raw, top, defaults, bots, source)
    merged = {
        name: _merged(key, defaults, part)
        for name, (key, part) in bots.items()
        if defaults.whole and part.whole
    }
    for name, bot in merged.items():
        for node, message in _incomplete(name, bot):
            source.report(node, message)
    for node, message in _renames(merged):
        source.report(node, message)
    desired = tuple(_desired(name, bot, source) for name, bot in merged.items())
    for clash in clashes(desired):
        bot = merged[clash.bot.name]
        source.report(bot.own.get(clash.field, (bot.key,))[0], clash.message)
    if raw["instance"] is None:
        return None
    at = source.at(top["instance"][1]) if "instance" in top else Position(source.file, 1, 1)
    return DesiredInstance(raw["instance"], desired, at)


def _part(node: Node, source: Source, what: str) -> _Part:
    """Reads what stands under a bot's name or under defaults."""
    nodes = source.entries(node, what)
    if nodes is None:
        return _Part({}, {}, whole=False)
    values: dict[str, Any] = {}
    for name, (_, value_node) in nodes.items():
        value: object
        if field := OPENAI.fields.get(name):
            value = source.value(value_node, name, field.type)
        elif name == "previously":
            value = source.texts(value_node, name)
        elif name in ("openaiCreds", "onDrift"):
            value = source.text(value_node, name)
        else:
            value = ""  # for the model to refuse
        if value is not None:
            values[name] = value
    return _Part(nodes, values)


def _check_model(
    raw: dict[str, Any], top: Entries, defaults: _Part, bots: dict[str, tuple[Node, _Part]], source: Source
) -> None:
    """Lets the model judge, reports with places, and takes the wrong values away."""
    raw["defaults"] = defaults.values
    raw["bots"] = {name: part.values for name, (_, part) in bots.items()}
    try:
        model().model_validate({key: value for key, value in raw.items() if value is not None})
        return
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for detail in errors:
        match detail["loc"]:
            case ("instance",) if "instance" not in top:
                source.report(None, _wrong(detail, "instance"))
            case ("bots", str(bot), "[key]") if detail["type"] != "extra_forbidden":
                source.report(bots[bot][0], _wrong(detail, f"the name {quoted(bot)}"))
            case ("bots", str(bot), str(name), *rest):
                _report_field(detail, bots[bot][1], name, rest, source)
            case ("defaults", str(name), *rest):
                _report_field(detail, defaults, name, rest, source)
            case (name, *_):
                key, node = top[str(name)]
                place = key if detail["type"] == "extra_forbidden" else node
                source.report(place, _wrong(detail, str(name)))


def _report_field(detail: ErrorDetails, part: _Part, name: str, rest: list[Any], source: Source) -> None:
    key, node = part.nodes[name]
    part.values.pop(name, None)
    if detail["type"] == "extra_forbidden":
        node = key
    elif rest:
        node = node.value[rest[0]]
    source.report(node, _wrong(detail, name))


def _merged(key: Node, defaults: _Part, part: _Part) -> _Bot:
    """The bot over the defaults, where either way of naming a credential replaces the other."""
    hidden = set(part.nodes)
    if not hidden.isdisjoint(_CREDENTIAL):
        hidden.update(_CREDENTIAL)
    nodes = {name: pair for name, pair in defaults.nodes.items() if name not in hidden}
    values = {name: value for name, value in defaults.values.items() if name not in hidden}
    return _Bot(key, part.nodes, nodes | part.nodes, values | part.values)


def _desired(name: str, bot: _Bot, source: Source) -> DesiredBot:
    values = bot.values
    return DesiredBot(
        name=name,
        fields={field: values[field] for field in OPENAI.fields if field in values},
        creds=values.get("openaiCreds"),
        at=source.at(bot.key),
        previously=values.get("previously", ()),
        on_drift=values.get("onDrift", "update"),
        origins={
            key: Origin(source, *pair, "bot" if key in bot.own else "defaults")
            for key, pair in bot.nodes.items()
        },
    )


# -- what must stand together -----------------------------------------------------------------


def _incomplete(name: str, bot: _Bot) -> Iterator[tuple[Node, str]]:
    """What a bot lacks for its types, and what it says that only the tool may."""
    nodes, values = bot.nodes, bot.values
    needed = {field.name: "a bot" for field in OPENAI.fields.values() if field.required}
    bot_type, trigger_type = values.get("botType", ""), values.get("triggerType", "")
    needed |= dict.fromkeys(OPENAI.keys.get(bot_type, ()), f"a bot of botType {bot_type}")
    needed |= dict.fromkeys(
        OPENAI.trigger_parts.get(trigger_type, ()), f"a bot of triggerType {trigger_type}"
    )
    for field, whose in needed.items():
        if field not in nodes:
            yield bot.key, f"{quoted(name)} has no {field}, which {whose} needs: add it"
        elif values.get(field) == "":
            yield nodes[field][1], f"{field} is empty, and {whose} needs it: write a value"
    named = [field for field in _CREDENTIAL if field in nodes]
    if not named:
        yield bot.key, f"{quoted(name)} has no credential: add openaiCreds with its name (or openaiCredsId)"
    elif len(named) > 1:
        yield nodes[named[1]][0], "openaiCreds and openaiCredsId both name the credential: keep one"
    elif values.get(named[0]) == "":
        yield nodes[named[0]][1], f"{named[0]} is empty: write the credential's id"
    if found := _MARKER.search(values.get("description", "")):
        yield (
            nodes["description"][1],
            f"the description holds {quoted(found[0])}, which looks like the marker of an owner: remove it, "
            "the tool writes its own",
        )


def _renames(bots: Mapping[str, _Bot]) -> Iterator[tuple[Node, str]]:
    """Old names that do not belong to one bot alone."""
    claimed: dict[str, str] = {}
    for name, bot in bots.items():
        for old, node in zip(bot.values.get("previously", ()), _items(bot), strict=False):
            if old == name:
                yield node, f"previously lists {quoted(old)}, the bot's own name: remove it"
            elif old in bots:
                yield (
                    node,
                    f"previously lists {quoted(old)}, which is another bot of this manifest: remove one",
                )
            elif old in claimed:
                yield (
                    node,
                    f"previously lists {quoted(old)}, and so does {quoted(claimed[old])}: remove one of them",
                )
            claimed.setdefault(old, name)


def _items(bot: _Bot) -> list[Node]:
    return list(bot.nodes["previously"][1].value) if "previously" in bot.values else []
