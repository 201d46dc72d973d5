"""The commands by name, the module of each, and how a command ends.

A command's module is imported when the command is run. It declares the options; its function imports what it
needs. Exit codes: 0 done, 1 an error or a change that was not applied, 2 changes (plan --detailed-exitcode),
128 plus the signal's number after a signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli import streams
from reconciler.cli.config import command
from reconciler.domain import signals

_COMMANDS: Mapping[str, str] = {
    "validate": "checking.validate",
    "explain": "checking.explain",
    "schema": "checking.schema",
    "plan": "planning.plan",
    "apply": "applying.apply",
    "restore": "applying.restore",
    "show": "planning.show",
    "sandbox": "serving.sandbox",
    "doctor": "serving.doctor",
    "config": "about.config",
    "completion": "about.completion",
    "help": "about.help_",
    "version": "about.version",
    "init": "making.init",
    "import": "making.import_",
    "list": "listing.list_",
    "get": "listing.get",
    "route": "route.route",
    "test": "testing.test",
    "disable": "switch.disable",
    "enable": "switch.enable",
    "fmt": "fmt.fmt",
    "merge": "merge.merge",
}
"""The module and function of each command."""


class _Commands(MutableMapping[str, click.Command]):
    """The commands, each imported when it is asked for."""

    def __init__(self) -> None:
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._imported:
            module, _, function = _COMMANDS[name].partition(".")
            self._imported[name] = getattr(import_module(f"reconciler.cli.{module}"), function)
        return self._imported[name]

    def __setitem__(self, name: str, value: click.Command) -> None:
        self._imported[name] = value

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __contains__(self, name: object) -> bool:
        return name in _COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _Main(click.Group):
    """Ends every command with one of the exit codes above, and every error with a message on stderr."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.commands = _Commands()
        self.params += command.main_options()

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        streams.prepare()
        interrupts = signals.Interrupts()
        try:
            with interrupts.caught():
                code = self._run(interrupts, *args, **extra)
        except KeyboardInterrupt:  # a signal just before the end
            code = 128 + interrupts.number
        sys.exit(code)

    def _run(self, interrupts: signals.Interrupts, *args: Any, **extra: Any) -> int:
        """Run a command. Returns its exit code."""
        try:
            if "_RECONCILER_COMPLETE" in os.environ:
                from reconciler.cli import completion  # noqa: F401  registers our bash completion
            code: int = super().main(*args, **{**extra, "standalone_mode": False})
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            code = _failed(error, interrupts)
        return code


def _failed(error: BaseException, interrupts: signals.Interrupts) -> int:
    """Print the error that ended a command to stderr. Returns the exit code; raises nothing."""
    try:
        from reconciler.cli import failure

        return failure.tell(error, interrupts.number)
    except BaseException:  # there is no way left to print it
        return 1


# The most columns that click uses. With a given width click does not import shutil to ask the terminal.
_SETTINGS = {"help_option_names": ["-h", "--help"], "terminal_width": 78}


@click.group(cls=_Main, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="reconciler")
def main() -> None:
    """Keep the bots of an Evolution API server as the files under bots/ declare them.

    Every option can be set in reconciler.toml or by an environment variable: docs/reference/configuration.md.
    """
