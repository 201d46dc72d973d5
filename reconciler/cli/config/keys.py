"""The key in reconciler.toml and the environment variable of each option, derived from the options.

An option that several commands share, declared once in `cli/options.py`, has one key at the top of the file.
Any other has its key in the table of its command. Imports click alone: it is used at every start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import click

PREFIX = "EVOLUTION_RECONCILER_"

LINT = "lint"
"""The table that is of no command: the rules that `validate` ignores or makes errors."""

NOT_IN_FILE = frozenset({"api-key", "config", "no-config"})
"""Options that a file cannot set: a secret, and which file is read."""


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


def bind(main: click.Group) -> None:
    """Give every option that has no environment variable its own, named after its key."""
    for setting in settings(main):
        if setting.option.envvar is None:
            parts = filter(None, (setting.table, setting.key))
            setting.option.envvar = PREFIX + "_".join(parts).replace("-", "_").upper()


def settings(main: click.Group) -> Iterator[Setting]:
    """The options of all commands, in the order in which they are declared."""
    options = [
        (command, option)
        for command, about in main.commands.items()
        for option in about.params
        if isinstance(option, click.Option)
    ]
    uses = Counter(_declaration(option) for _, option in options)
    for command, option in options:
        shared = uses[_declaration(option)] > 1
        yield Setting(command, "" if shared else command, key(option), option)


def shared(main: click.Group) -> Mapping[str, Setting]:
    """A setting for each key at the top of the file."""
    return {setting.key: setting for setting in settings(main) if not setting.table}


def of(main: click.Group, command: str) -> Mapping[str, Setting]:
    """The settings of one command, shared ones too, by their keys."""
    return {setting.key: setting for setting in settings(main) if setting.command == command}


def key(option: click.Option) -> str:
    """The option's first long name without its dashes: `max-deletes`."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")


def _declaration(option: click.Option) -> tuple[str, str | None, str | None]:
    """Equal for options that come from one declaration, of which each command has its own copy."""
    return key(option), option.metavar, option.help
