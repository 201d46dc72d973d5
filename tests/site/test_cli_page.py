"""docs/reference/cli.md names every command and every option, and nothing else."""

from __future__ import annotations

import re

import click
import pytest

from reconciler.cli.commands import main
from tests.site.session import ROOT

_PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
_OPTIONS = [
    (name, parameter)
    for name, command in main.commands.items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
]


@pytest.mark.parametrize(("command", "option"), _OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_every_option_is_named(command: str, option: click.Option) -> None:
    rows = [line for line in _PAGE.splitlines() if re.match(rf"\| `{option.opts[0]}[ `]", line)]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    [(named, about)] = [
        (named, about) for named, of, about in cells if {command, "every"} & set(of.strip().split(", "))
    ]
    assert named.strip() == " ".join(filter(None, [f"`{option.opts[0]}", _metavar(option)])) + "`"
    if option.show_envvar:  # configuration.md has the others
        assert f"`{option.envvar}`" in about
    if (
        not option.is_flag
        and option.default
        and isinstance(option.default, str | int)
        and command != "sandbox"
    ):
        assert str(option.default) in about


def _metavar(option: click.Option) -> str | None:
    if isinstance(option.type, click.Choice):
        return "\\|".join(option.type.choices)
    return option.metavar


def test_no_option_is_named_that_is_not_there() -> None:
    named = set(re.findall(r"--[a-z][a-z-]*", _PAGE))
    known = {name for _, option in _OPTIONS for name in option.opts}
    assert named - known == {"--version", "--help"}


@pytest.mark.parametrize("command", main.commands)
def test_every_command_has_help(command: str) -> None:
    shown = main.commands[command]
    assert shown.help
    assert f"`reconciler {command}`" in _PAGE
    assert all(option.help for name, option in _OPTIONS if name == command)
