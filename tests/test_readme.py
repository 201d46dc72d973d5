"""The README is true: its examples run, its manifest is valid, and it names every option of every command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.cli.commands import main
from reconciler.manifests.load import load

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text()
_OPTIONS = [
    (name, parameter)
    for name, command in main.commands.items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("command", "option"), _OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_every_option_is_named(command: str, option: click.Option) -> None:
    rows = [line for line in _README.splitlines() if re.match(rf"\| `{option.opts[0]}[ `]", line)]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    [(named, about)] = [
        (named, about) for named, of, about in cells if {command, "every"} & set(of.strip().split(", "))
    ]
    assert named.strip() == " ".join(filter(None, [f"`{option.opts[0]}", _metavar(option)])) + "`"
    if option.show_envvar:  # docs/reference/configuration.md has the others
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
    named = set(re.findall(r"--[a-z][a-z-]*", _README))
    known = {name for _, option in _OPTIONS for name in option.opts}
    others = {"--editable", "--numprocesses", "--version", "--help"}
    assert named - known == others


@pytest.mark.parametrize("command", main.commands)
def test_every_command_has_help(command: str) -> None:
    shown = main.commands[command]
    assert shown.help
    assert f"`reconciler {command}`" in _README
    assert all(option.help for name, option in _OPTIONS if name == command)


def test_the_manifest_is_valid(tmp_path: Path) -> None:
    [block] = _blocks("yaml")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "loja.md").write_text("Você é a loja.")
    (tmp_path / "loja-centro.yaml").write_text(block)
    [instance] = load(tmp_path).instances
    assert [bot.name for bot in instance.bots] == ["atendimento", "pedidos"]
    assert instance.bots[1].previously == ("vendas",)
    assert instance.bots[1].on_drift == "replace"


def test_the_session_is_what_happens(tmp_path: Path) -> None:
    """Each line after a `$` is run in a copy of the sample; what follows it is what it shows."""
    [block] = _blocks("console")
    shutil.copytree(_ROOT / "bots", tmp_path / "bots")
    program = tmp_path / "bin" / "reconciler"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(_ROOT)}
    session = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    assert len(session) >= 8
    for line, shown in zip(session[::2], session[1::2], strict=True):
        ended = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        assert (ended.stdout, ended.stderr) == (shown, ""), line
