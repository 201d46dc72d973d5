"""reconciler.toml, environment variables and env files: what a command gets, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.commands import main
from reconciler.cli.config import keys, values
from reconciler.cli.config.keys import NOT_IN_FILE, Setting
from reconciler.cli.config.places import places
from reconciler.domain.shards import Shard
from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, ROOT, Run
from tests.support import World

_SETTINGS = list(keys.settings(main))
_IN_FILE = [each for each in _SETTINGS if each.key not in NOT_IN_FILE]


def named(setting: Setting) -> str:
    """The id of a setting's test."""
    return f"{setting.command}-{setting.key}"


def wrote(directory: Path, text: str, name: str = "reconciler.toml") -> Path:
    """A file with this text."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def shown(run: Run, *args: str, **env: str) -> dict[str, Any]:
    """What `reconciler config` shows: each key's value, source and place."""
    result = run("config", "--format", "json", *args, env=env)
    assert result.exit_code == 0, result.stderr
    return {row.pop("key"): row for row in json.loads(result.stdout)["settings"]}


# -- every option ------------------------------------------------------------------------------


_EXAMPLES: dict[str, list[Any]] = {
    "url": ["https://a.example", "https://b.example", "https://c.example"],
    "shard": ["1/3", "2/3", "3/3"],
    "shards": [2, 3, 4],
}


def examples(option: click.Option) -> list[Any]:
    """Three values of an option, each unlike the next: of the file, the environment, the command line."""
    if option.is_flag:
        return [True, False, True]
    if isinstance(option.type, click.Choice):
        other, *rest = (each for each in option.type.choices if each != option.default)
        return [other, *(rest or [option.default])[:1], other]
    if isinstance(option.type, click.IntRange):
        return [(option.type.min or 0) + n for n in (1, 2, 3)]
    if isinstance(option.type, click.FloatRange):
        return [1.5, 2.5, 3.5]
    if option.name in _EXAMPLES:
        return _EXAMPLES[option.name]
    return [["a", "aa"], ["b"], ["c", "cc"]] if option.multiple else ["a", "b", "c"]


def typed(option: click.Option, value: Any) -> list[str]:
    """The option with a value as one types it."""
    if option.is_flag:
        return [option.opts[0]]
    return [word for each in (value if option.multiple else [value]) for word in (option.opts[0], str(each))]


def got(setting: Setting, *args: str) -> Any:
    """What the command gets for the option, by the command's own parsing."""
    command = main.commands[setting.command]
    needed = [
        "bash" if isinstance(each.type, click.Choice) else "x"
        for each in command.params
        if isinstance(each, click.Argument) and each.required
    ]
    port = ["--port", "1"] if setting.command == "sandbox" and setting.key != "port" else []
    parent = click.Context(main, **main.context_settings)
    with command.make_context(setting.command, [*args, *port, *needed], parent=parent) as context:
        option = next(each for each in command.params if each.name == setting.option.name)
        if option.expose_value:
            value = context.params[str(option.name)]
        else:  # --env-file, whose effect is tested below
            value, _ = option.consume_value(context, {str(option.name): args[1::2]} if args else {})
    if isinstance(value, Shard):
        return str(value)
    return list(value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("setting", _IN_FILE, ids=named)
def test_option_over_environment_over_file_over_default(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("EVOLUTION_")]:
        monkeypatch.delenv(name)
    for name in ("a", "aa", "b", "c", "cc"):
        wrote(tmp_path, "", name)
    in_file, in_environment, on_command_line = examples(setting.option)
    if setting.option.required:
        with pytest.raises(click.MissingParameter):
            got(setting)
    else:
        assert got(setting) != in_file
    table = f"[{setting.table}]\n" if setting.table else ""
    wrote(tmp_path, f"{table}{setting.key} = {json.dumps(in_file)}\n")
    assert got(setting) == in_file
    wrote(tmp_path, f"[{setting.command}]\n{setting.key} = {json.dumps(in_file)}\n")
    assert got(setting) == in_file
    separator = os.pathsep if isinstance(setting.option.type, click.Path) else " "
    text = separator.join(in_environment) if setting.option.multiple else str(in_environment)
    monkeypatch.setenv(setting.variable, text)
    assert got(setting) == in_environment
    assert got(setting, *typed(setting.option, on_command_line)) == on_command_line


def test_each_key_has_one_variable_and_each_variable_one_key() -> None:
    variables: dict[str, str] = {}
    for setting in _SETTINGS:
        assert variables.setdefault(setting.variable, setting.name) == setting.name
        assert re.fullmatch("EVOLUTION_[A-Z_]+", setting.variable)
    assert {name for name in variables if not name.startswith("EVOLUTION_RECONCILER_")} == {
        "EVOLUTION_API_URL",
        "EVOLUTION_API_KEY",
        "EVOLUTION_SERVER_NAME",
    }
    assert "EVOLUTION_RECONCILER_PLAN_KEY" not in variables


@pytest.mark.parametrize("setting", _IN_FILE, ids=named)
def test_a_value_of_another_type_is_an_error(setting: Setting, run: Run, tmp_path: Path) -> None:
    table = f"[{setting.table}]\n" if setting.table else ""
    line = 2 if table else 1
    for wrong in ("1979-05-27", "{a = 1}", '"text"' if values.kind(setting.option) != "a string" else "1"):
        wrote(tmp_path, f"{table}{setting.key} = {wrong}\n")
        result = run("config")
        if setting.key == "sandbox" and wrong == "{a = 1}":  # which is the table of the command
            assert "unknown key 'a' in [sandbox]" in result.stderr
            continue
        assert result.exit_code == 1
        wanted = "an array" if setting.option.multiple else values.kind(setting.option)
        assert result.stderr.startswith(f"reconciler.toml:{line}:1: '{setting.key}' must be {wanted}, ")


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-delete = 1", "1:1: unknown key 'max-delete' (did you mean 'max-deletes'?)"),
        ("\n\n  max-delete = 1", "3:3: unknown key 'max-delete' (did you mean 'max-deletes'?)"),
        ("[plan]\nyess = true", "2:1: unknown key 'yess' in [plan]"),
        ("[apply]\nyess = true", "2:1: unknown key 'yess' (did you mean 'yes'?) in [apply]"),
        ("[aply]\n", "1:2: unknown key 'aply' (did you mean 'apply'?)"),
        ("[completion]\nshell = 'bash'", "2:1: unknown key 'shell' in [completion]"),
        ("strict = true", "1:1: 'strict' belongs to a command: write it below [validate]"),
        ("plan = 3", "1:1: 'plan' is a command: write a table [plan]"),
        ("max_deletes = 3", "1:1: unknown key 'max_deletes' (did you mean 'max-deletes'?)"),
        ("concurrency = 101", "1:1: 'concurrency' is not valid: 101 is not in the range 1<=x<=100"),
        ("timeout = 0", "1:1: 'timeout' is not valid: 0.0 is not in the range x>0"),
        ("timeout = nan", "1:1: 'timeout' must be a finite number"),
        ("concurrency = true", "1:1: 'concurrency' must be a whole number, not a boolean"),
        ("concurrency = 1.0", "1:1: 'concurrency' must be a whole number, not a number"),
        ("format = 'yml'", "1:1: 'format' is not valid: 'yml' is not one of 'text', 'json', 'markdown'"),
        (
            "[validate]\nformat = 'xml'",
            "2:1: 'format' is not valid: 'xml' is not one of 'text', 'github', 'json', 'sarif'",
        ),
        ("instance = 'a'", "1:1: 'instance' must be an array, as the option may be repeated"),
        ("instance = ['a',\n  3]", "2:3: an item of 'instance' must be a string, not a whole number"),
        ("bots = ''", "1:1: 'bots' is empty: name a path"),
        ('bots = "a\\u0000"', "1:1: 'bots' contains a control character: remove it"),
        ('owner = "\\u001b[31m"', "1:1: 'owner' contains a control character: remove it"),
        ("url = 'ftp://x.example'", "1:1: 'url' is not valid: The server's URL"),
        ("url = 'https://x.example?key=1'", "1:1: 'url' is not valid: The server's URL"),
        ("config = 'x'", "1:1: 'config' cannot be set in a file: it says which file is read"),
        ("no-config = true", "1:1: 'no-config' cannot be set in a file"),
        ("lint = 1", "1:1: 'lint' must be a table: write [lint]"),
        ("[lint]\nignor = []", "2:1: unknown key 'ignor' (did you mean 'ignore'?) in [lint]"),
        ("[lint]\nignore = 'catch-all'", "2:1: 'ignore' must be an array of rules"),
        ("[lint]\nignore = ['catch-al']", "2:11: there is no rule 'catch-al' (did you mean 'catch-all'?)"),
        ("lint.error = ['nonsense']", "1:15: there is no rule 'nonsense'"),
        (
            "[lint]\nignore = ['catch-all']\nerror = ['catch-all']",
            "3:10: 'catch-all' is also ignored: remove one of them",
        ),
        ("a = ", "1:5: not valid TOML: invalid value"),
        ("owner = 'a'\nowner = 'b'", "2:12: not valid TOML: cannot overwrite a value"),
        ("owner = 'a", '2:1: not valid TOML: expected "\'"'),
        ("a = " + "[" * 5000, "2:1: not valid TOML: it is nested too deeply"),
        ("a = " + "9" * 5000, "2:1: not valid TOML: a number is too long"),
    ],
)
def test_an_error_has_its_place(run: Run, tmp_path: Path, text: str, said: str) -> None:
    wrote(tmp_path, f"{text}\n")
    result = run("config")
    assert (result.exit_code, result.stdout) == (1, "")
    [first, count] = result.stderr.splitlines()
    assert first.startswith(f"reconciler.toml:{said}")
    assert count == "1 error in the configuration."
    # The ids of rules are read by `validate` alone: to import the rules takes a while.
    of_rules = "no rule" in said or "also ignored" in said
    assert run("validate" if of_rules else "plan").stderr == result.stderr


def test_all_errors_at_once(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, "[plan]\nx = 1\n[lint]\ny = 1\n[validate]\nstrict = 1\n")
    result = run("plan")
    assert [line.split(": ")[0] for line in result.stderr.splitlines()[:-1]] == [
        "reconciler.toml:2:1",
        "reconciler.toml:4:1",
        "reconciler.toml:6:1",
    ]
    assert result.stderr.endswith("\n3 errors in the configuration.\n")


def test_a_pyproject_s_places_are_its_own(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, "[project]\nname = 'x'\n\n[tool.reconciler]\nownr = 'a'\n", "pyproject.toml")
    assert run("plan").stderr.startswith("pyproject.toml:5:1: unknown key 'ownr' (did you mean 'owner'?)\n")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _linked(path: Path) -> None:
    path.with_name("other").write_text("owner = 'x'\n")
    path.symlink_to("other")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_fifo, "reconciler.toml cannot be read: it is a pipe, not a file."),
        (_linked, "reconciler.toml cannot be read: it is a link, not a file."),
        (lambda path: path.mkdir(), "reconciler.toml cannot be read: it is a directory, not a file."),
        (
            lambda path: path.symlink_to("/dev/zero"),
            "reconciler.toml cannot be read: it is a link, not a file.",
        ),
        (
            lambda path: path.write_bytes(b"# " + b"x" * 2**20),
            "reconciler.toml is not read: it has more than",
        ),
        (lambda path: path.write_bytes(b"a = 1\nb = '\xff'\n"), "reconciler.toml:2:6: it is not UTF-8"),
        (
            lambda path: path.write_bytes("owner = 'é'".encode("utf-16")),
            "reconciler.toml:1:1: it is not UTF-8",
        ),
        (
            lambda path: path.write_bytes(b"owner = 'a\0'\n"),
            "reconciler.toml:1:11: not valid TOML: found invalid",
        ),
    ],
)
def test_a_hostile_file(run: Run, tmp_path: Path, make: Any, said: str) -> None:
    make(tmp_path / "reconciler.toml")
    result = run("plan")
    assert result.exit_code == 1
    assert result.stderr.removeprefix("Error: ").startswith(said)


def test_a_large_file_is_read_in_no_time(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, "".join(f"k{number} = 1\n" for number in range(30_000)))
    assert run("plan").stderr.endswith("\n30000 errors in the configuration.\n")


def test_a_byte_order_mark_and_line_ends_of_windows_are_fine(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reconciler.toml").write_bytes(b"\xef\xbb\xbfowner = 'a'\r\n[plan]\r\nmax-deletes = 3\r\n")
    assert shown(run, "plan")["plan.max-deletes"]["place"] == "reconciler.toml:3"


def test_help_needs_no_configuration(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, "nonsense")
    for args in (["--help"], ["plan", "--help"], ["--version"], ["completion", "bash"], ["plan", "-h"]):
        assert run(*args).exit_code == 0


# -- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"api-key = '{KEY}'", "'api-key': no secret may stand in this file: set EVOLUTION_API_KEY, or use"),
        (f"[plan]\napi-key = '{KEY}'", "'api-key': no secret may stand in this file"),
        (f"openai-token = '{KEY}'", "'openai-token': no secret may stand in this file: set an environment"),
        (f"passwrod = '{KEY}'", "'passwrod': no secret"),
        (f"url = 'https://{KEY}@x.example'", "'url' contains a name or a password before an @"),
        (f"url = 'https://x.example/?apikey={KEY}'", "'url' is not valid"),
        (f"out = 'https://user:{KEY}@x.example'", "'out' contains a name or a password before an @"),
        ("owner = 'sk-proj-abcdefghijklmnop1234'", "'owner' contains what looks like a key"),
        (
            "instance = ['sk-proj-abcdefghijklmnop1234']",
            "an item of 'instance' contains what looks like a key",
        ),
        ("AIzaabcdefghijklmnop1234 = 1", "unknown key 'AIza…'"),
        (f"api-key = '{KEY}", 'not valid TOML: expected "\'"'),
        (f"api-key = {KEY}", "not valid TOML: invalid value"),
        (f"replace = '{KEY}'", "'replace' must be true or false, not a string"),
    ],
)
def test_no_secret_may_stand_in_it(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """What is shown is looked through by `run`."""
    wrote(tmp_path, f"{text}\n")
    result = run("plan")
    assert result.exit_code == 1
    assert result.stderr.partition(": ")[2].startswith(said)


# -- which file --------------------------------------------------------------------------------


def owners(run: Run, directory: Path, *args: str, **env: str) -> tuple[str, str | None]:
    """The owner that counts in a directory, and where it is from."""
    os.chdir(directory)
    row = shown(run, *args, **env)["owner"]
    return row["value"], row["place"]


@pytest.fixture
def tree(run: Run, tmp_path: Path) -> Path:
    """A work tree with files for a search; what is outside of it, and in bots/, would be wrong."""
    wrote(tmp_path, "owner = 'outside'\n")
    top = tmp_path / "top"
    (top / ".git").mkdir(parents=True)
    wrote(top, "owner = 'top'\n")
    wrote(top, "owner = 'pwned'\n", "bots/reconciler.toml")
    wrote(top, "owner = 'pwned'\n", "bots/deep/er/reconciler.toml")
    wrote(top, "[tool.reconciler]\nowner = 'shop'\n", "shop/pyproject.toml")
    wrote(top, "[tool.other]\nowner = 'other'\n", "shop/inner/pyproject.toml")
    wrote(top, "owner = 'both'\n", "both/reconciler.toml")
    wrote(top, "[tool.reconciler]\nowner = 'py'\n", "both/pyproject.toml")
    wrote(top, "owner = 'pwned'\n", "both/bots/reconciler.toml")
    return top


@pytest.mark.parametrize(
    ("directory", "owner", "place"),
    [
        (".", "top", "reconciler.toml:1"),
        ("bots", "top", "../reconciler.toml:1"),
        ("bots/deep/er", "top", "../../../reconciler.toml:1"),
        ("shop", "shop", "pyproject.toml:2"),
        ("shop/inner", "shop", "../pyproject.toml:2"),
        ("both", "both", "reconciler.toml:1"),
        ("both/bots", "both", "../reconciler.toml:1"),
    ],
)
def test_the_nearest_one_counts(run: Run, tree: Path, directory: str, owner: str, place: str) -> None:
    assert owners(run, tree / directory) == (owner, place)


def test_without_one_above_bots_is_data_too(run: Run, tree: Path) -> None:
    (tree / "reconciler.toml").unlink()
    assert owners(run, tree / "bots" / "deep" / "er") == ("gitops", None)


def test_bots_that_the_configuration_names_are_data(run: Run, tree: Path) -> None:
    wrote(tree, "owner = 'top'\nbots = 'zap'\n")
    wrote(tree, "owner = 'pwned'\nbots = '../..'\n", "zap/inner/reconciler.toml")
    assert owners(run, tree / "zap" / "inner") == ("top", "../../reconciler.toml:1")
    wrote(tree, "owner = 'top'\n[sandbox]\nbots = 'zap'\n")
    assert owners(run, tree / "zap" / "inner") == ("top", "../../reconciler.toml:1")


def test_nothing_is_looked_for_above_where_there_is_no_work_tree(run: Run, tree: Path) -> None:
    (tree / ".git").rmdir()
    assert owners(run, tree) == ("top", "reconciler.toml:1")
    assert owners(run, tree / "shop" / "inner") == ("gitops", None)


def test_a_file_that_is_named(run: Run, tree: Path) -> None:
    wrote(tree, "owner = 'named'\n", "conf/prod.toml")
    prod = "../conf/prod.toml"
    assert owners(run, tree / "shop", "--config", prod) == ("named", f"{prod}:1")
    assert owners(run, tree / "shop", "plan", "--config", prod) == ("named", f"{prod}:1")
    assert owners(run, tree / "shop", EVOLUTION_RECONCILER_CONFIG=prod) == ("named", f"{prod}:1")
    assert owners(run, tree / "shop", "--config", "..", EVOLUTION_RECONCILER_CONFIG=prod)[0] == "top"
    assert owners(run, tree / "shop", "--no-config", EVOLUTION_RECONCILER_CONFIG=prod) == ("gitops", None)
    assert owners(run, tree / "shop", EVOLUTION_RECONCILER_NO_CONFIG="1") == ("gitops", None)
    assert owners(run, tree / "shop", "--config", "../conf") == ("gitops", None)  # it has none
    before = run("--config", prod, "config", "--format", "json").stdout
    assert '"named"' in before
    assert '"named"' not in run("--no-config", "config", "--format", "json").stdout
    os.chdir(tree)
    (tree / "link.toml").symlink_to("conf/prod.toml")
    assert owners(run, tree, "--config", "link.toml")[0] == "named"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["plan", "--config", "nowhere.toml"],
            "Error: nowhere.toml cannot be read: No such file or directory.",
        ),
        (
            ["--config", "nowhere.toml", "plan"],
            "Error: nowhere.toml cannot be read: No such file or directory.",
        ),
        (["plan", "--config", "shop/inner/pyproject.toml"], "Error: shop/inner/pyproject.toml has no"),
        (["plan", "--config", "x", "--no-config"], "Usage: "),
        (["--config", "x", "--no-config", "plan"], "Usage: "),
        (
            ["plan", "--config", "bots/reconciler.toml"],
            "Error: bots/reconciler.toml is not read: it is in the",
        ),
        (["plan", "--config", "bots/deep/er"], "Error: bots/deep/er/reconciler.toml is not read: it is in"),
        (["config", "--config", "bots"], "Error: bots/reconciler.toml is not read: it is in the directory"),
        (
            ["plan", "--bots", "."],
            "Error: reconciler.toml is not read: it is in the directory of the manifests",
        ),
        (["import", "--into", "."], "Error: reconciler.toml is not read: it is in the directory of the"),
        (["config", "pan"], "Usage: "),
        (["config", "completion"], "Usage: "),
    ],
)
def test_files_that_cannot_be_named(run: Run, tree: Path, args: list[str], said: str) -> None:
    os.chdir(tree)
    result = run(*args)
    assert result.exit_code == 1
    assert result.stderr.startswith(said)


def test_a_configuration_that_says_it_is_among_the_manifests(run: Run, tree: Path) -> None:
    wrote(tree, "bots = '.'\n")
    os.chdir(tree)
    assert "it is in the directory of the manifests" in run("plan").stderr


def test_a_link_to_data_is_data(run: Run, tree: Path) -> None:
    (tree / "conf.toml").symlink_to("bots/reconciler.toml")
    os.chdir(tree)
    assert "conf.toml is not read" in run("plan", "--config", "conf.toml").stderr


# -- what the commands do with it --------------------------------------------------------------


def test_paths_are_relative_to_the_file(run: Run, bots: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    bots.rename(tmp_path / "zap")
    wrote(tmp_path, "bots = 'zap'\n[plan]\nout = 'saved.plan.json'\n[sandbox]\ndb = '/abs'\n")
    assert run("validate").stdout == "Valid: 2 bots on 1 instance.\n"
    assert run("explain", "um@loja").stdout.count("zap/loja.yaml") > 1
    (tmp_path / "deep").mkdir()
    os.chdir(tmp_path / "deep")
    assert run("validate").stdout == "Valid: 2 bots on 1 instance.\n"
    assert run("plan", "--sandbox").exit_code == 0
    assert (tmp_path / "saved.plan.json").exists()
    assert shown(run)["sandbox.db"]["value"] == "/abs"
    assert run("validate", "--bots", "zap").exit_code == 1  # an option is relative to the current directory


def test_the_server_and_the_owner(
    run: Run, bots: Path, world: World, server: Sandbox, tmp_path: Path
) -> None:
    world.instance("loja", "main")
    wrote(
        tmp_path,
        f"url = '{server.url}'\nowner = 'shop'\n[apply]\nyes = true\n[plan]\ndetailed-exitcode = true\n",
    )
    unset = {"EVOLUTION_API_URL": None}
    assert run("plan", env=unset).exit_code == 2
    assert run("apply", env=unset).exit_code == 0
    assert {re.findall(r"\[(\w+):", bot["description"])[0] for bot in world.bots("loja")} == {"shop"}
    assert run("plan", env=unset).exit_code == 0


def test_a_saved_plan_is_applied_as_it_is(run: Run, bots: Path, world: World, tmp_path: Path) -> None:
    """What the file says about planning was for the plan; what a person types is still an error."""
    world.instance("loja", "main")
    assert run("plan", "--out", "p.json").exit_code == 0
    wrote(
        tmp_path,
        "prune = 'always'\nscope = 'declared'\nreplace = true\ninstance = ['x']\n"
        "[apply]\nreviewed = ['y.json']\nyes = true\n",
    )
    assert run("apply", "p.json", "--replace").exit_code == 1
    assert run("apply", "p.json").exit_code == 0
    assert len(world.bots("loja")) == 2


_WARNED = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, expire: 60}
bots:
  um: {maxTokens: 100, triggerOperator: regex, triggerValue: '(?i)oi'}
"""


@pytest.mark.parametrize(
    ("lint", "code", "levels", "counted"),
    [
        ("", 0, ["warning", "warning"], "2 warnings"),
        ("ignore = ['never-read']", 0, ["warning"], "1 warning"),
        ("ignore = ['never-read', 'regex-invalid']", 0, [], ""),
        ("error = ['regex-invalid']", 1, ["warning", "error"], "1 error and 1 warning"),
        ("error = ['regex-invalid']\nignore = ['never-read']", 1, ["error"], "1 error"),
        ("error = ['catch-all']", 0, ["warning", "warning"], "2 warnings"),
    ],
)
def test_rules(run: Run, tmp_path: Path, lint: str, code: int, levels: list[str], counted: str) -> None:
    wrote(tmp_path, _WARNED, "bots/loja.yaml")
    wrote(tmp_path, f"[lint]\n{lint}\n")
    result = run("validate")
    *found, last = [*result.stderr.splitlines(), ""] if not levels else result.stderr.splitlines()
    assert (result.exit_code, [line.split(": ")[1] for line in found]) == (code, levels)
    assert last == (f"{counted} in the manifests." if counted else "")
    result = run("validate", "--format", "github")
    commands = [line for line in result.stdout.splitlines() if line.startswith("::")]
    assert (result.exit_code, sorted(re.findall("^::([a-z]+) ", "\n".join(commands), re.MULTILINE))) == (
        code,
        sorted(levels),
    )


def test_an_ignored_unknown_rule(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, _WARNED + "silence: [never-read, regex-invalid, nonsense]\n", "bots/loja.yaml")
    assert "[unknown-rule]" in run("validate").stderr
    wrote(tmp_path, "[lint]\nignore = ['unknown-rule']\n")
    assert run("validate", "--strict").stderr == ""


def test_completion_reads_it(run: Run, bots: Path, tmp_path: Path) -> None:
    bots.rename(tmp_path / "zap")
    wrote(tmp_path, "bots = 'zap'\n")
    words = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_LINE": "reconciler explain u"}
    assert "um@loja" in CliRunner().invoke(main, [], prog_name="reconciler", env=words).stdout
    wrote(tmp_path, "nonsense")
    assert CliRunner().invoke(main, [], prog_name="reconciler", env=words).stderr == ""


# -- env files ---------------------------------------------------------------------------------


def test_an_env_file_sets_what_is_not_set(run: Run, tmp_path: Path) -> None:
    text = "# ours\nexport EVOLUTION_API_KEY='a b'\nEVOLUTION_API_URL = \"https://a.example\" # c\n"
    wrote(tmp_path, f"{text}EVOLUTION_RECONCILER_MAX_DELETES=9\r\nEMPTY=\nD=${{HOME}}\n", ".env")
    wrote(tmp_path, "\ufeffEVOLUTION_RECONCILER_MAX_DELETES=8\n", "b.env")
    before = dict(os.environ)
    unset = {"EVOLUTION_API_URL": None, "EVOLUTION_API_KEY": None}
    result = run("config", "--format", "json", "--env-file", ".env", "--env-file", "b.env", env=unset)
    rows = {row["key"]: row for row in json.loads(result.stdout)["settings"]}
    assert rows["url"]["value"] == "https://a.example"
    assert rows["url"]["place"] == "EVOLUTION_API_URL (.env:3)"
    assert rows["api-key"]["value"] == "set"
    assert (rows["max-deletes"]["value"], rows["max-deletes"]["place"]) == (
        8,
        "EVOLUTION_RECONCILER_MAX_DELETES (b.env:1)",
    )
    assert "a b" not in result.output
    assert dict(os.environ) == before
    env = {**unset, "EVOLUTION_RECONCILER_MAX_DELETES": "7"}
    result = run("config", "plan", "--env-file", ".env", env=env)
    assert re.search(r"max-deletes +7 +environment EVOLUTION_RECONCILER_MAX_DELETES\n", result.stdout)
    run("plan", "--env-file", ".env", "--max-deletes", "x")
    assert dict(os.environ) == before


def test_the_configuration_may_ask_for_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep").mkdir()
    wrote(tmp_path, "EVOLUTION_SERVER_NAME=prod\n", ".env")
    wrote(tmp_path, "EVOLUTION_SERVER_NAME=test\n", "test.env")
    wrote(tmp_path, "env-file = ['.env']\n")
    os.chdir(tmp_path / "deep")
    assert shown(run)["server-name"]["value"] == "prod"
    assert shown(run, "--env-file", "../test.env")["server-name"]["value"] == "test"
    assert shown(run, "plan", "--env-file", "../test.env")["server-name"]["value"] == "test"
    assert shown(run, EVOLUTION_RECONCILER_ENV_FILE="../test.env")["server-name"]["value"] == "test"
    wrote(tmp_path, "env-file = ['.env']\n[plan]\nenv-file = ['test.env']\n")
    assert shown(run)["server-name"]["value"] == "prod"
    assert shown(run, "plan")["server-name"]["value"] == "test"
    assert shown(run, "apply")["server-name"]["value"] == "prod"
    assert shown(run, "plan", "--env-file", "../.env")["server-name"]["value"] == "prod"
    assert "EVOLUTION_SERVER_NAME" not in os.environ
    assert shown(run, EVOLUTION_SERVER_NAME="real")["server-name"]["value"] == "real"


def test_keys_of_manifests_come_from_it(run: Run, world: World, server: Sandbox, tmp_path: Path) -> None:
    world.instance("loja")
    wrote(
        tmp_path,
        "credentials: {main: {apiKey: !env OPENAI_KEY_LOJA}}\n"
        "defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: all}\n"
        "bots: {um: {maxTokens: 9}}\n",
        "bots/loja.yaml",
    )
    key = "sk-proj-canary-of-loja-1234"
    lines = (f"EVOLUTION_API_URL={server.url}", f"EVOLUTION_API_KEY={KEY}", f"OPENAI_KEY_LOJA={key}")
    wrote(tmp_path, "\n".join(lines), ".env")
    unset = {"EVOLUTION_API_URL": None, "EVOLUTION_API_KEY": None}
    assert run("apply", "--yes", "--env-file", ".env", env=unset).exit_code == 0
    [creds] = world.done("GET", "/openai/creds/loja")
    assert creds["apiKey"] == key
    assert "OPENAI_KEY_LOJA" not in os.environ
    assert "not compared" not in run("plan", "--env-file", ".env", env=unset).stdout


_VARIABLES = "EVOLUTION_SERVER_NAME=prod\nexport OPENAI_KEY='sk-proj-canary-1234'  # of the shop\n"


@pytest.mark.parametrize("source", ["-", "descriptor", "directory", "mounted"])
def test_variables_from_elsewhere(run: Run, tmp_path: Path, source: str) -> None:
    given, files = {"input": _VARIABLES} if source == "-" else {}, tmp_path / "secrets"
    shown_at = {"-": "stdin:1", "directory": f"{files}/EVOLUTION_SERVER_NAME:1"}
    match source:
        case "descriptor":
            read, write = os.pipe()
            os.write(write, _VARIABLES.encode())
            os.close(write)
            source = f"/dev/fd/{read}"
        case "directory" | "mounted":  # as Kubernetes mounts a secret: links into a directory of a dot
            to = files / "..2026" if source == "mounted" else files
            to.mkdir(parents=True)
            (to / "EVOLUTION_SERVER_NAME").write_text("prod\n")
            (to / "OPENAI_KEY").write_bytes(b"sk-proj-canary-1234\r\n")
            (files / ".hidden").write_text("A=1")
            if source == "mounted":
                (files / "..data").symlink_to("..2026")
                for name in ("EVOLUTION_SERVER_NAME", "OPENAI_KEY"):
                    (files / name).symlink_to(f"..data/{name}")
            source = str(files)
    result = run("config", "--format", "json", "--env-file", source, **given)
    rows = {row["key"]: row for row in json.loads(result.stdout)["settings"]}
    assert rows["server-name"]["value"] == "prod"
    if (name := source if source == "-" else "directory" if source == str(files) else "") in shown_at:
        assert rows["server-name"]["place"] == f"EVOLUTION_SERVER_NAME ({shown_at[name]})"
    assert "canary" not in result.output
    assert "OPENAI_KEY" not in os.environ


@pytest.mark.parametrize("source", ["-", "/dev/fd/99", "/dev/fd/0x"])
def test_nothing_to_read_variables_from(run: Run, source: str) -> None:
    result = run("plan", "--env-file", source, input="A=“x”")
    assert result.exit_code == 1
    said = {"-": "stdin:1:1: the value of A cannot", "/dev/fd/99": "Error: /dev/fd/99 cannot be read"}
    assert result.stderr.startswith(said.get(source, f"Error: {source} cannot be read"))


def test_a_directory_of_variables_with_a_fault(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name, value in {"OPENAI-KEY": "x", "MY_KEY": "todo", "GOOD": "x", "B": "“x”"}.items():
        (tmp_path / "secrets" / name).write_text(value)
    told = run("plan", "--env-file", "secrets").stderr.splitlines()
    assert [line.partition(": ")[0] for line in told[:-1]] == [
        "secrets/B:1:1",
        "secrets/MY_KEY:1:1",
        "secrets/OPENAI-KEY:1:1",
    ]
    (tmp_path / "bots" / "secrets").mkdir(parents=True)
    assert "in the directory of the manifests" in run("plan", "--env-file", "bots/secrets").stderr


@pytest.mark.parametrize("place", ["stdin", "file"])
def test_what_it_has_is_masked_though_no_manifest_names_it(
    run: Run, world: World, server: Sandbox, tmp_path: Path, place: str
) -> None:
    """A server that shows a key of another use in an answer. What is no secret is shown."""
    wrote(tmp_path, "bots: {}\n", "bots/loja.yaml")
    secret, name = "a1b2c3d4e5f6g7h8", "loja-do-centro-2"
    creds = world.instance("loja", "main")
    world.bot("loja", creds["main"], description=f"{secret} {name}")
    lines = f"MY_TOKEN={secret}\n" + ("" if place == "stdin" else f"SHOP={name}\n")
    wrote(tmp_path, lines, ".env")
    source = "-" if place == "stdin" else ".env"
    shown = run("list", "--format", "json", "--env-file", source, input=lines).stdout
    assert secret not in shown
    assert name in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"A=“{KEY}”", "1:1: the value of A cannot be used: it has quotes around it"),
        (f"A={KEY}'", "1:1: the value of A cannot be used: it has quotes around it"),
        (f"A='{KEY}", "1:1: the quotes are not balanced, or the line is not KEY=value"),
        (f'A="{KEY}\nB=1\nC=x"\n', "1:1: the quotes around the value of A are not closed"),
        (f'A="{KEY}"{KEY}', "1:1: the quotes are not balanced, or the line is not KEY=value"),
        (f"{KEY}", "1:1: the line is not KEY=value"),
        (f"export {KEY}", "1:1: the line is not KEY=value"),
        (f"\n\n  {KEY}: x", "3:3: the quotes are not balanced, or the line is not KEY=value"),
        (f"{KEY}/a==", "1:1: what is before the = is no name"),
        ("1A=x", "1:1: what is before the = is no name"),
        (f"A=1\n\nA={KEY}", "3:1: A has another value in line 1: remove one of them"),
        ("A=<your key>", "1:1: the value of A cannot be used: it is a placeholder in brackets"),
        ("A=***", "1:1: the value of A cannot be used: it is masked"),
        (f"A={KEY[:4]}••••", "1:1: the value of A cannot be used: it is masked"),
        ("A=changeme", "1:1: the value of A cannot be used: it is a placeholder"),
        ("A=your-key-here", "1:1: the value of A cannot be used: it is a placeholder"),
        ("MY_KEY=todo", "1:1: the value of MY_KEY cannot be used: it is a placeholder"),
        ("EVOLUTION_RECONCILER_CONFIG=x", "1:1: EVOLUTION_RECONCILER_CONFIG cannot be set in this file"),
        ("A=a\0b", "1:1: the value of A has a NUL character"),
    ],
)
def test_a_fault_of_an_env_file(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """No value is shown: `run` looks for it."""
    wrote(tmp_path, f"{text}\n", ".env")
    for args in (["plan"], ["config"], ["doctor"], ["import"], ["show", "x"]):
        result = run(*args, "--env-file", ".env")
        assert result.exit_code == 1
        assert result.stderr.startswith(f".env:{said}")
        assert result.stderr.endswith("\n1 error in the configuration.\n")


@pytest.mark.parametrize(
    "text",
    [
        "A=true",
        "A=",
        "A=project",
        "A=1\nA=1",
        "A = 1",
        "A='x y'",
        "A=/etc/ssl/ca.pem",
        'A="a\nb c"',
        "A='{\"x\": 1}'",
    ],
)
def test_what_is_no_fault(run: Run, tmp_path: Path, text: str) -> None:
    wrote(tmp_path, f"{text}\n", ".env")
    assert run("config", "--env-file", ".env").exit_code == 0


def test_all_faults_of_all_env_files(run: Run, tmp_path: Path) -> None:
    wrote(tmp_path, "A\nB=<x>\n", "a.env")
    wrote(tmp_path, "C\n", "b.env")
    result = run("plan", "--env-file", "a.env", "--env-file", "b.env")
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()[:-1]] == [
        "a.env:1:1",
        "a.env:2:1",
        "b.env:1:1",
    ]


@pytest.mark.parametrize("file", ["bots/.env", "link.env", "bots/deep/x.env"])
def test_an_env_file_among_the_manifests(run: Run, bots: Path, tmp_path: Path, file: str) -> None:
    wrote(tmp_path, "EVOLUTION_API_URL=http://127.0.0.1:1\n", "bots/.env")
    wrote(tmp_path, "EVOLUTION_API_URL=http://127.0.0.1:1\n", "bots/deep/x.env")
    (tmp_path / "link.env").symlink_to("bots/.env")
    for args in (["plan"], ["config"], ["doctor"], ["show", "x"]):
        assert f"{file} is not read: it is in the directory" in run(*args, "--env-file", file).stderr
    wrote(tmp_path, f"env-file = ['{file}']\n")
    assert f"{file} is not read: it is in the directory" in run("plan").stderr


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_fifo, ".env cannot be read: it is a pipe, not a file."),
        (lambda path: None, ".env cannot be read: No such file or directory."),
        (lambda path: path.write_bytes(b"A=" + b"x" * 2**19), ".env is not read: it has more than"),
        (lambda path: path.write_bytes(b"A=\xff"), ".env:1:1: it is not UTF-8"),
    ],
)
def test_a_hostile_env_file(run: Run, tmp_path: Path, make: Any, said: str) -> None:
    make(tmp_path / ".env")
    assert run("plan", "--env-file", ".env").stderr.removeprefix("Error: ").startswith(said)


# -- reconciler config -------------------------------------------------------------------------


def test_what_is_shown(run: Run, tmp_path: Path) -> None:
    wrote(
        tmp_path,
        "owner = 'shop'\ninstance = ['a-*', 'b']\n[plan]\nowner = 'other'\n[lint]\nignore = ['catch-all']\n",
    )
    result = run("config", env={"EVOLUTION_API_URL": f"https://x.example/{KEY}-1"})
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert lines[0] == ["key", "value", "from"]
    assert ["owner", "shop", "reconciler.toml:1"] in lines
    assert ["plan.owner", "other", "reconciler.toml:4"] in lines
    assert ["lint.ignore", "catch-all", "reconciler.toml:6"] in lines
    assert ["max-deletes", "5", "default"] in lines
    assert ["api-key", "set", "environment EVOLUTION_API_KEY"] in lines
    assert ["url", "https://x.example/…", "environment EVOLUTION_API_URL"] in lines
    assert "instance          a-*, b" in result.stdout
    assert not [line for line in lines if line[0].startswith("validate")]
    result = run("config", "apply", "--owner", "typed", "--yes")
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert ["owner", "typed", "option"] in lines
    assert ["yes", "true", "option"] in lines


def test_values_are_safe_to_show(run: Run, tmp_path: Path) -> None:
    shown = run("config", env={"EVOLUTION_SERVER_NAME": "a\x1b[31m\n::error::x"}).stdout
    assert "\n::error" not in shown
    assert "a␛[31m⏎" in shown


def test_a_wrong_variable_is_named(run: Run) -> None:
    for args in (["config"], ["plan"], ["config", "plan"]):
        result = run(*args, env={"EVOLUTION_RECONCILER_CONCURRENCY": "many"})
        assert result.exit_code == 1
        assert "EVOLUTION_RECONCILER_CONCURRENCY" in result.stderr


# -- places ------------------------------------------------------------------------------------


def flat(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """The paths of all keys and items."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} - {()} | {each for key, item in inside for each in flat(item, (*path, key))}


_SCALARS = st.sampled_from(
    (
        *("1", "-1.5e3", "true", "inf", "0xff", "1979-05-27 07:32:00Z", "07:32:00"),
        *('""', "''", '"a = [1] # x"', "'b\"'", '"\\"\\\\"', "'é # 🛒'"),
        *('"""m\n[x]\ny = 1"""', "'''q''\n'''", '""""x"""""'),
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inside: st.one_of(
        st.lists(inside, max_size=3).map(lambda items: "[ # c ]\n" + ",\n ".join(items) + " ]"),
        st.lists(inside, max_size=3).map(
            lambda items: "{ " + ", ".join(f"'k{n}'.x = {item}" for n, item in enumerate(items)) + " }"
        ),
    ),
    max_leaves=6,
)
_NAMES = st.sampled_from(["a", "b-c", '"d.e"', "'f g'", "a.b", 'h . "i\\"" . j', "0"])
_LINES = st.one_of(
    st.tuples(_NAMES, _VALUES).map(lambda pair: f"  {pair[0]} = {pair[1]} # x = 1"),
    _NAMES.map(lambda name: f"[ {name} ] # [y]"),
    _NAMES.map(lambda name: f"[[{name}]]"),
    st.just(""),
)


@given(st.lists(_LINES, max_size=8).map("\n".join))
def test_every_key_has_a_place(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = places(text)
    lines = text.split("\n")
    # A table that headers only imply, `[a.b]` for `a`, has no place of its own.
    implied = {path for path in flat(data) if any(other[: len(path)] == path != other for other in found)}
    assert flat(data) - implied <= set(found)
    for path, (line, column) in found.items():
        if isinstance(path[-1], str):
            written = lines[line - 1][column - 1 :]
            assert re.match(r"[\"']|" + re.escape(path[-1]), written), (path, written)


# -- the documentation -------------------------------------------------------------------------


def documented(run: Run) -> str:
    """The tables of docs/reference/configuration.md."""
    unset = dict.fromkeys(["EVOLUTION_API_URL", "EVOLUTION_API_KEY"])
    rows: dict[str, list[str]] = {}
    commands: dict[str, list[str]] = {}
    for setting in _SETTINGS:
        commands.setdefault(setting.name, []).append(setting.command)
    every = dict.fromkeys(each.command for each in _SETTINGS)
    for command in every:
        result = run("config", "--format", "json", command, env=unset)
        defaults = {row["key"]: row["value"] for row in json.loads(result.stdout)["settings"]}
        for setting in (each for each in _SETTINGS if each.command == command):
            kind = values.kind(setting.option).removeprefix("a ")
            if isinstance(setting.option.type, click.Choice):
                kind = ", ".join(f"`{each}`" for each in setting.option.type.choices)
            if setting.option.multiple:
                kind = "array of strings"
            default = defaults.get(setting.name)
            key = "not in the file" if setting.key in NOT_IN_FILE else f"`{setting.key}`"
            shown = "" if default in (None, [], "", "not set") else f"`{json.dumps(default)}`"
            row = f"| {key} | {kind} | {shown} | `{setting.variable}` |"
            users = ", ".join(commands[setting.name])
            users = "every" if len(commands[setting.name]) == len(every) else users
            rows.setdefault(setting.table, [])
            line = f"{row} `{setting.option.opts[0]}` |" + ("" if setting.table else f" {users} |")
            if line not in rows[setting.table]:
                rows[setting.table].append(line)
    text = ""
    for table, lines in rows.items():
        more = "" if table else " commands |"
        text += f"### {f'`[{table}]`' if table else 'Keys that commands share'}\n\n"
        text += (
            f"| key | value | default | variable | option |{more}\n|---|---|---|---|---|{more and '---|'}\n"
        )
        text += "\n".join(lines) + "\n\n"
    return text


def test_the_documentation_has_every_key(run: Run) -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    assert page.partition("<!-- every key -->\n\n")[2].partition("<!-- end -->")[0] == documented(run)


def test_the_documentation_s_example_is_valid(run: Run, tmp_path: Path) -> None:
    for page in ("docs/reference/cli.md", "docs/reference/configuration.md"):
        [text, *_] = re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
        wrote(tmp_path, text)
        wrote(tmp_path, "", ".env")
        assert run("config").exit_code == 0, page


def test_a_work_tree_of_git(run: Run, tmp_path: Path) -> None:
    """Not only one that is made by hand."""
    subprocess.run(["git", "init", "--quiet", "here"], cwd=tmp_path, check=True)
    wrote(tmp_path, "owner = 'here'\n", "here/reconciler.toml")
    (tmp_path / "here" / "a" / "b").mkdir(parents=True)
    assert owners(run, tmp_path / "here" / "a" / "b") == ("here", "../../reconciler.toml:1")
