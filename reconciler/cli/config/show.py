"""`reconciler config`: every setting with its value and where it comes from. No secret is shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.config import command, keys
from reconciler.cli.config.command import State
from reconciler.cli.config.keys import LINT, NOT_IN_FILE, Setting
from reconciler.cli.config.servers import KEY_FILE, TABLE
from reconciler.domain import safe
from reconciler.domain.records import dataclass
from reconciler.domain.text import near, quoted
from reconciler.evolution import address


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. source: option, environment, file or default. place: the variable, or the file's line."""

    key: str
    value: object
    source: str
    place: str | None = None

    @property
    def origin(self) -> str:
        """Where the value comes from, for people."""
        return (
            self.place or "" if self.source == "file" else " ".join(filter(None, (self.source, self.place)))
        )


def shown(ctx: click.Context, name: str | None, args: Sequence[str], format: str) -> str:
    """The settings of a command with these arguments; without one, the shared ones and all that are set.

    format: text or json.
    """
    main = ctx.find_root().command
    assert isinstance(main, click.Group)  # noqa: S101  for mypy
    if name is not None and not isinstance(main.commands.get(name), command.Command):
        known = [each for each in main.commands if each != name]
        raise click.UsageError(f"There is no command {quoted(name)} that has settings{near(name, known)}.")
    command.rules(ctx)  # the names of rules are checked too
    rows = _of_command(ctx, main, name, args) if name else _overview(ctx, main)
    state = command.of(ctx)
    if format == "json":
        file = state.config.source.path if state.config else None
        return json.dumps({"file": file, "settings": [asdict(row) for row in rows]}, indent=2) + "\n"
    return _table(rows)


def _of_command(ctx: click.Context, main: click.Group, name: str, args: Sequence[str]) -> list[Row]:
    settings = list(keys.of(main, name).values())
    probe = _probe(main.commands[name], settings)
    with _parsed(probe, name, args, ctx) as made:
        rows = list(_rows(made, settings, command.of(ctx)))
    return rows + (_rules(command.of(ctx)) if name == "validate" else [])


def _overview(ctx: click.Context, main: click.Group) -> list[Row]:
    state = command.of(ctx)
    shared = keys.shared(main)
    top = {
        str(shared[key].option.name): value
        for key, value in (state.config.top if state.config else {}).items()
    }
    probe = _probe(click.Command("top"), list(shared.values()))
    with _parsed(probe, "top", (), ctx, default_map=top) as made:
        rows = list(_rows(made, list(shared.values()), state, top=True))
    for name, each in main.commands.items():
        if not isinstance(each, command.Command):
            continue
        settings = [
            setting
            for setting in keys.of(main, name).values()
            if setting.table or (state.config and setting.key in state.config.tables.get(name, {}))
        ]
        with _parsed(_probe(each, settings), name, (), ctx) as made:
            rows += [row for row in _rows(made, settings, state) if row.source != "default"]
    return rows + list(_servers(state)) + _rules(state)


def _probe(of: click.Command, settings: Sequence[Setting]) -> click.Command:
    """A command with the same options and nothing else: it runs nothing, and needs nothing."""
    probe = copy.copy(of)
    probe.params = [copy.copy(setting.option) for setting in settings]
    for option in probe.params:
        option.required, option.expose_value = False, True
    return probe


@contextmanager
def _parsed(
    probe: click.Command, name: str, args: Sequence[str], ctx: click.Context, **given: Any
) -> Iterator[click.Context]:
    """The context that the command would have."""
    try:
        made = probe.make_context(name, list(args), parent=ctx.parent, **given)
    except click.UsageError as error:
        if isinstance(error, click.BadParameter) and error.ctx is not None:
            command.name_variable(error.ctx, error)
        error.ctx = ctx
        raise
    with made:
        yield made


def _rows(
    made: click.Context, settings: Sequence[Setting], state: State, *, top: bool = False
) -> Iterator[Row]:
    """The settings as the context has them. top: of the top of the file alone."""
    for setting in settings:
        if setting.key in NOT_IN_FILE - {"api-key"}:
            continue
        name = str(setting.option.name)
        tables = state.config.tables if state.config and not top else {}
        table = setting.command if setting.key in tables.get(setting.command, {}) else setting.table
        source, place = _origin(made.get_parameter_source(name), setting, table, state)
        key = f"{table}.{setting.key}" if table else setting.key
        yield Row(key, _value(setting.key, made.params.get(name)), source, place)


def _origin(
    found: ParameterSource | None, setting: Setting, table: str, state: State
) -> tuple[str, str | None]:
    """The source and the place of a value."""
    if found is ParameterSource.COMMANDLINE:
        return "option", None
    if found is ParameterSource.ENVIRONMENT:
        variable = state.variables.get(setting.variable)
        where = f" ({variable.at.file}:{variable.at.line})" if variable else ""
        return "environment", setting.variable + where
    if found is ParameterSource.DEFAULT_MAP and state.config is not None:
        at = state.config.source.at(*filter(None, (table, setting.key)))
        return "file", f"{at.file}:{at.line}"
    return "default", None


def _servers(state: State) -> Iterator[Row]:
    """Where each server of [servers] is, and whether its key is known."""
    config = state.config
    for one in config.servers if config is not None else ():
        assert config is not None  # noqa: S101  for mypy
        url, key = f"{TABLE}.{one.name}.url", f"{TABLE}.{one.name}.api-key"
        if one.address != one.url:
            yield Row(url, _value("url", one.address), "environment", one.url_variable)
        elif one.url:
            at = config.source.at(TABLE, one.name, "url")
            yield Row(url, _value("url", one.url), "file", f"{at.file}:{at.line}")
        else:
            yield Row(url, None, "default")
        if one.key:
            yield Row(key, "set", "environment", one.key_variable)
        elif one.key_file:
            at = config.source.at(TABLE, one.name, KEY_FILE)
            yield Row(key, f"in {one.key_file}", "file", f"{at.file}:{at.line}")
        else:
            yield Row(key, "not set", "default")


def _rules(state: State) -> list[Row]:
    config = state.config
    if config is None:
        return []
    rows = []
    for table, rules in config.rules.items():
        at = config.source.at(LINT, table)
        rows.append(Row(f"{LINT}.{table}", list(rules), "file", f"{at.file}:{at.line}"))
    return rows


def _value(key: str, value: object) -> object:
    """A value that may be shown and written as JSON."""
    if key == "api-key":
        return "set" if value else "not set"
    if key == "url" and isinstance(value, str):
        return address.shown(value.strip()) or "…"
    return list(value) if isinstance(value, tuple) else value


def _table(rows: Sequence[Row]) -> str:
    cells = [("key", "value", "from"), *((row.key, _text(row.value), row.origin) for row in rows)]
    first, second = (max(safe.cells(line[column]) for line in cells) for column in (0, 1))
    lines = (f"{_padded(key, first)}  {_padded(value, second)}  {origin}" for key, value, origin in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - safe.cells(text))


def _text(value: object) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return safe.inert(safe.line(str(value)))
