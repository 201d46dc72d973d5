"""A configuration file checked against the options: values by command, or every error with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from reconciler.cli.config import keys, servers
from reconciler.cli.config.keys import LINT, NOT_IN_FILE, Setting
from reconciler.cli.config.source import Source
from reconciler.cli.config.values import SECRET, Unfit, fit
from reconciler.domain.errors import ConfigError, Problem
from reconciler.domain.records import dataclass
from reconciler.domain.servers import ServerSettings
from reconciler.domain.text import near, quoted

RULES = ("ignore", "error")
"""The keys of [lint]: arrays of rules."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says. top: values by key. tables: the same for each command. rules: of [lint].

    servers: of [servers]. default_server: the name of the default one, "" for none.
    """

    source: Source
    top: Mapping[str, object]
    tables: Mapping[str, Mapping[str, object]]
    rules: Mapping[str, Sequence[str]]
    servers: tuple[ServerSettings, ...] = ()
    default_server: str = ""

    def value(self, setting: Setting) -> object | None:
        """The value for the option of a command: of its table, or of the top of the file."""
        return self.tables.get(setting.command, {}).get(
            setting.key, None if setting.table else self.top.get(setting.key)
        )

    def defaults(self, settings: Mapping[str, Setting]) -> dict[str, object]:
        """A command's values by the names of click's parameters."""
        found = {str(each.option.name): self.value(each) for each in settings.values()}
        return {name: value for name, value in found.items() if value is not None}


def read(source: Source, main: click.Group) -> Config:
    """Check everything in a file. Raises ConfigError with all errors."""
    reader = _Reader(source, main)
    config = reader.config()
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


def check_rules(config: Config, known: Sequence[str]) -> None:
    """Raises ConfigError for rules that do not exist, or are both ignored and made errors."""
    problems = []
    for table in RULES:
        for index, rule in enumerate(config.rules.get(table, ())):
            at = config.source.at(LINT, table, index)
            if rule not in known:
                problems.append(Problem(at, f"there is no rule {quoted(rule)}{near(rule, known)}"))
            elif table == "error" and rule in config.rules.get("ignore", ()):
                problems.append(Problem(at, f"{quoted(rule)} is also ignored: remove one of them"))
    if problems:
        raise ConfigError(problems)


class _Reader:
    """Goes through a file once and collects the errors."""

    def __init__(self, source: Source, main: click.Group) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._shared = keys.shared(main)
        self._commands = {name: keys.of(main, name) for name in main.commands}

    def config(self) -> Config:
        data = self._source.data
        tables = {
            name: dict(self._values(value, self._commands[name], name))
            for name, value in data.items()
            if name in self._commands and isinstance(value, dict)
        }
        rules = self._rules(data.get(LINT, {}))
        named, default = servers.read(
            data.get(servers.TABLE, {}), self._shared, self._source.directory, self._problem
        )
        rest = {name: value for name, value in data.items() if name not in (*tables, LINT, servers.TABLE)}
        if named and "url" in rest:
            self._problem("[servers] gives the addresses: leave `url` out, or make it one of them", "url")
        return Config(self._source, dict(self._values(rest, self._shared)), tables, rules, named, default)

    def _values(
        self, table: Mapping[str, object], known: Mapping[str, Setting], command: str = ""
    ) -> Iterator[tuple[str, object]]:
        """The keys and values of a command's table, or of the top of the file."""
        path = (command,) if command else ()
        for key, value in table.items():
            if key not in known or key in NOT_IN_FILE:
                self._problem(self._unknown(key, known, command), *path, key)
                continue
            try:
                yield key, fit(known[key].option, value, self._source.directory)
            except Unfit as error:
                index = () if error.index is None else (error.index,)
                about = f"an item of {_named(key)}" if index else _named(key)
                self._problem(f"{about} {error}", *path, key, *index)

    def _rules(self, table: object) -> dict[str, Sequence[str]]:
        found: dict[str, Sequence[str]] = {}
        if not isinstance(table, dict):
            self._problem(f"{_named(LINT)} must be a table: write [lint]", LINT)
            return found
        for key, value in table.items():
            if key not in RULES:
                self._problem(f"unknown key {_named(key)}{near(key, RULES)} in [lint]", LINT, key)
            elif not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                self._problem(f'{_named(key)} must be an array of rules: ["catch-all"]', LINT, key)
            else:
                found[key] = tuple(value)
        return found

    def _unknown(self, key: str, known: Mapping[str, Setting], command: str) -> str:
        if SECRET.search(key):
            variable = "EVOLUTION_API_KEY" if key == "api-key" else "an environment variable"
            return f"{_named(key)}: no secret may stand in this file: set {variable}, or use --env-file"
        if key in NOT_IN_FILE:
            return f"{_named(key)} cannot be set in a file: it says which file is read"
        if command:
            return f"unknown key {_named(key)}{near(key, self._allowed(known))} in [{command}]"
        owners = [name for name, settings in self._commands.items() if key in settings]
        if owners:
            return f"{_named(key)} belongs to a command: write it below [{owners[0]}]"
        if key in self._commands:
            return f"{_named(key)} is a command: write a table [{key}]"
        others = (*self._commands, LINT, servers.TABLE)
        return f"unknown key {_named(key)}{near(key, [*self._allowed(known), *others])}"

    def _allowed(self, known: Mapping[str, Setting]) -> list[str]:
        return [key for key in known if key not in NOT_IN_FILE]

    def _problem(self, message: str, *path: str | int) -> None:
        self.problems.append(Problem(self._source.at(*path), message))


def _named(key: str) -> str:
    """A key as a message shows it: without what looks like a secret, and short."""
    return quoted(key)
