"""The key in reconciler.toml and the environment variable of each option, derived from the options.

An option that several commands share is `Shared`, and has one key at the top of the file. Any other has its
key in the table of its command. Imports click alone: it is used at every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import click

PREFIX = "EVOLUTION_RECONCILER_"

LINT = "lint"
"""The table that is of no command: the rules that `validate` ignores or makes errors."""

NOT_IN_FILE = frozenset({"api-key", "config", "no-config"})
"""Options that a file cannot set: a secret, and which file is read."""


class Shared(click.Option):
    """An option of several commands, which has one key for all of them."""


class Setting(NamedTuple):
    """One option of one command. table: of its key, "" for the top of the file."""

    command: str
    table: str
    key: str
    option: click.Option

    @property
    def name(self) -> str:
        """The key as one writes it with dots: `max-deletes`, `validate.strict`."""
        return f"{self.table}.{self.key}" if self.table else self.key

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return str(self.option.envvar)


def bind(command: str, options: Iterable[click.Parameter]) -> None:
    """Give every option of a command that has no environment variable its own, named after its key."""
    for setting in _settings(command, options):
        if setting.option.envvar is None:
            parts = filter(None, (setting.table, setting.key))
            setting.option.envvar = PREFIX + "_".join(parts).replace("-", "_").upper()


def settings(main: click.Group) -> Iterator[Setting]:
    """The options of all commands, in the order in which they are declared."""
    for name, about in main.commands.items():
        yield from _settings(name, about.params)


def _settings(command: str, options: Iterable[click.Parameter]) -> Iterator[Setting]:
    for option in options:
        if isinstance(option, click.Option):
            yield Setting(command, "" if isinstance(option, Shared) else command, key(option), option)


def shared(main: click.Group) -> Mapping[str, Setting]:
    """A setting for each key at the top of the file."""
    return {setting.key: setting for setting in settings(main) if not setting.table}


def of(main: click.Group, command: str) -> Mapping[str, Setting]:
    """The settings of one command, shared ones too, by their keys."""
    return {setting.key: setting for setting in _settings(command, main.commands[command].params)}


def key(option: click.Option) -> str:
    """The option's first long name without its dashes: `max-deletes`."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")
