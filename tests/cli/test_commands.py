"""The table of the commands, and what each command's import costs the others."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

from reconciler.__main__ import HELP
from reconciler.cli.commands import main
from reconciler.cli.config import keys


def test_the_help_of_the_package_is_the_one_that_click_makes() -> None:
    """After a change: `reconciler help > reconciler/cli/help.txt`."""
    context = click.Context(main, info_name="reconciler", **main.context_settings)

    assert Path(HELP).read_text(encoding="ascii") == main.get_help(context) + "\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", ["reconciler", "evolution-reconciler", "python -m reconciler"])
def test_help_is_printed_without_click(name: str, option: str) -> None:
    program = "/some/__main__.py" if " " in name else f"/some/{name}"
    code = (
        "import sys; from reconciler.__main__ import run\n"
        f"sys.argv = [{program!r}, {option!r}]; run(); print('click' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-u", "-c", code], capture_output=True, text=True, check=True)
    context = click.Context(main, info_name=name, **main.context_settings)

    assert ran.stdout == f"{main.get_help(context)}\nFalse\n"


def test_help_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "reconciler", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert (ran.returncode, ran.stderr) == (
        1,
        b"Error: cannot write the output: No space left on device.\n",
    )


@pytest.mark.parametrize("name", main.commands)
def test_a_command_has_the_name_that_the_table_says(name: str) -> None:
    assert main.commands[name].name == name


def test_an_unknown_command_is_none() -> None:
    assert "nothing" not in main.commands
    assert main.commands.get("nothing") is None


@pytest.mark.parametrize(
    ("args", "loaded"),
    [
        (["--version"], set()),
        (["version"], {"about"}),
        (["validate", "--help"], {"checking"}),
        (["plan", "--help"], {"planning"}),
    ],
    ids=" ".join,
)
def test_no_other_command_is_imported(args: list[str], loaded: set[str]) -> None:
    modules = {"about", "applying", "checking", "fmt", "listing", "making", "merge", "planning"} | {
        "route",
        "serving",
        "switch",
        "testing",
    }
    code = (
        "import sys; from reconciler.cli.commands import main\n"
        f"try: main({args!r})\n"
        "finally: print(*(one for one in sys.modules if 'reconciler.cli.' in one), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {each.rpartition(".")[2] for each in ran.stderr.split()} & modules == loaded


def test_an_option_is_shared_exactly_if_several_commands_declare_it() -> None:
    """One that is declared alike in two commands has one key in reconciler.toml, and a class that says so."""
    settings = list(keys.settings(main))
    uses = Counter((one.key, one.option.metavar, one.option.help) for one in settings)

    for one in settings:
        several = uses[one.key, one.option.metavar, one.option.help] > 1
        assert isinstance(one.option, keys.Shared) == several, f"{one.command} --{one.key}"
