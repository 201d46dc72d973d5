"""A bot as its layers make it, field by field, and where each value comes from: as text and as JSON. Pure.

No server is asked: what no file declares is left to it.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from textwrap import wrap
from typing import NamedTuple

from reconciler.domain import safe
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position, ReconcilerError
from reconciler.domain.kinds import Value
from reconciler.domain.origins import Origin
from reconciler.domain.servers import local
from reconciler.domain.text import near, quoted
from reconciler.render import values
from reconciler.saved.encode import printed
from reconciler.yaml import Node, SequenceNode, tag

_ROOM = 60  # columns of a value
_BELOW = " " * 6  # where places begin that stand below their value
_ITS_KEY = "  its key"  # the row below that of a credential
_BESIDE = ("previously", "onDrift", "silence")

FORMAT, VERSION = "evolution-reconciler/explain", 1


class Row(NamedTuple):
    """A value of the bot. shown, about: it and where it comes from, safe to show.

    value: all of it; a text with a secret is what may be shown. at: its place, None where no file has it.
    """

    name: str
    value: object
    shown: str
    about: str
    at: Position | None = None


def explain(desired: Desired, address: str, width: int | None = None) -> str:
    """The bot of an address, BOT@INSTANCE: a line for each value. Raises ReconcilerError.

    width: of a terminal; what does not fit stands on lines of its own. None: a line is as long as it is.
    """
    bot, instance = _find(desired, address)
    rows = list(_rows(bot, instance, desired))
    names = max(len(row.name) for row in rows)
    room = max(safe.cells(row.shown) for row in rows)
    lines = [f"{bot.name}@{safe.line(instance.name)}  {_line(bot.at)}"]
    for name, _, value, at, _ in rows:
        shown = f"  {name:<{names}}  {value}"
        whole = f"{shown}{' ' * (room - safe.cells(value))}  {at}"
        if width is None or safe.cells(whole) <= width:
            lines.append(whole)
        else:
            lines += [
                shown,
                *wrap(at, width, initial_indent=_BELOW, subsequent_indent=_BELOW, break_on_hyphens=False),
            ]
    if left := _left(bot):
        said = f"left to the server: {', '.join(left)}"
        lines += [said] if width is None else wrap(said, width, subsequent_indent="  ")
    return safe.inert("\n".join(map(safe.line, lines)) + "\n")


def json(desired: Desired, address: str) -> str:
    """The same as a JSON document, ending with a newline, with all of each value. Raises ReconcilerError."""
    bot, instance = _find(desired, address)
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "instance": instance.name,
            "bot": bot.name,
            "file": bot.at.file,
            "line": bot.at.line,
            "values": [
                {
                    "name": "apiKey" if row.name == _ITS_KEY else row.name,
                    "value": row.value,
                    "file": None if row.at is None else row.at.file,
                    "line": None if row.at is None else row.at.line,
                    "origin": row.about,
                }
                for row in _rows(bot, instance, desired)
            ],
            "leftToServer": _left(bot),
        }
    )


def _left(bot: DesiredBot) -> list[str]:
    """The fields that no file declares."""
    types = bot.fields.get("botType"), bot.fields.get("triggerType")
    return [
        field.name
        for field in bot.kind.fields.values()
        if field.name not in {*bot.fields, bot.kind.credential} and field.applies(*types)
    ]


def _find(desired: Desired, address: str) -> tuple[DesiredBot, DesiredInstance]:
    name, _, where = address.partition("@")  # an instance's name may hold another @, a bot's cannot
    if not (name and where):
        raise ReconcilerError(f"{quoted(address)} is not a bot: write BOT@INSTANCE.")
    instances = {instance.name: instance for instance in desired.instances}
    if where not in instances:
        raise ReconcilerError(f"no manifest declares instance {quoted(where)}{near(where, instances)}.")
    bots = {bot.name: bot for bot in instances[where].bots}
    if name not in bots:
        said = f"instance {quoted(where)} has no bot {quoted(name)}{near(name, bots)}"
        others = [one.name for one in desired.instances if any(bot.name == name for bot in one.bots)]
        raise ReconcilerError(f"{said}; {quoted(others[0])} has one." if others else f"{said}.")
    return bots[name], instances[where]


def _rows(bot: DesiredBot, instance: DesiredInstance, desired: Desired) -> Iterator[Row]:
    extra = {"previously": bot.previously, "silence": tuple(sorted(bot.ignored))}
    if origin := bot.origins.get("kind"):
        yield _row("kind", bot.kind.path, bot.kind.path, origin, origin.value)
    else:
        yield Row("kind", bot.kind.path, bot.kind.path, "the default")
    for name in (*bot.kind.fields, *_BESIDE):
        if name == bot.kind.credential and bot.creds is not None:
            yield from _credential(bot, bot.creds, instance, desired)
        elif name in bot.fields:
            yield from _field(name, bot.fields[name], bot.origins[name])
        elif name == "onDrift":
            if origin := bot.origins.get(name):
                yield _row(name, bot.on_drift, bot.on_drift, origin, origin.value)
            else:
                yield Row(name, bot.on_drift, bot.on_drift, "the default")
        elif name in bot.origins:
            yield from _field(name, extra[name], bot.origins[name])
        elif extra.get(name):  # silenced for the whole instance
            yield Row(name, extra[name], values.inline(name, extra[name]), "the instance's silence")


def _credential(bot: DesiredBot, creds: str, instance: DesiredInstance, desired: Desired) -> Iterator[Row]:
    """The credential's name, and where its key is found."""
    value: object = creds
    shown = values.inline("openaiCreds", creds)
    if bot.creds_owner is not None:
        value = {"instance": local(instance.server, bot.creds_owner), "name": creds}
        shown += f" of {values.inline('', bot.creds_owner)}"
    origin = bot.origins["openaiCreds"]
    yield _row("openaiCreds", value, shown, origin, origin.value)
    owner = bot.creds_owner or instance.name
    declared = [
        one
        for each in desired.instances
        if each.name == owner
        for one in each.credentials
        if one.name == creds
    ]
    if declared:
        key, at = str(declared[0].key), declared[0].at
        yield Row(_ITS_KEY, key, safe.line(key), _line(at), at)
    else:
        yield Row(_ITS_KEY, None, "as the server has it", "no manifest declares it")


def _field(name: str, value: Value, origin: Origin) -> Iterator[Row]:
    node = origin.value
    items = node.value if isinstance(node, SequenceNode) else []
    if (
        isinstance(value, tuple)
        and len(items) == len(value)
        and (values.is_long(value, _ROOM) or any(tag(item) for item in items))
    ):
        for number, (text, item) in enumerate(zip(value, items, strict=True)):
            yield _row(f"{name}[{number}]", text, _short("", text), origin, item)
    else:
        yield _row(name, value, _short(name, value), origin, node)


def _row(name: str, value: object, shown: str, origin: Origin, node: Node) -> Row:
    return Row(name, value, shown, _place(origin, node), origin.source.at(node))


def _short(name: str, value: Value) -> str:
    """A value on one line; of a text of several lines the first, and how many there are."""
    if not isinstance(value, str) or "\n" not in value:
        return values.clip(values.inline(name, value), _ROOM)
    count = f" ({len(value.splitlines())} lines)"
    return values.clip(values.inline("", value.partition("\n")[0]), _ROOM - len(count)) + count


def _place(origin: Origin, node: Node) -> str:
    """Where a value comes from: its line, in whose words, the file and the variables in it."""
    parts = [_line(origin.source.at(node))]
    if origin.layer != "bot":
        parts.append(origin.layer)
    written = str(node.value)
    if tag(node) == "!file":
        parts.append(f"!file {safe.line(os.path.normpath(origin.source.folder / written))}")
        written = origin.source.include(written)
    parts += [
        f"${{{name}}} {'the name of the instance' if at is None else _line(at)}"
        for name, at in origin.variables.items()
        if f"${{{name}}}" in written
    ]
    return ", ".join(parts)


def _line(at: Position) -> str:
    return f"{at.file}:{at.line}"
