"""init: what it lays out works as it is, and what was there before stays."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from io import BytesIO
from pathlib import Path

import pytest

from reconciler import init
from reconciler.load import load
from tests.cli.conftest import ROOT, Run

_ACTION = ".github/actions/reconciler"
_OFFLINE = [
    ".gitignore",
    ".vscode/settings.json",
    "README.md",
    "bots/.manifest.schema.json",
    "bots/minha-loja.yaml",
    "bots/prompts/atendimento.md",
]
_GITHUB = [
    *(f"{_ACTION}/{name}" for name in ("action.yml", "github.py", "requirements.txt")),
    *(f".github/workflows/{name}.yml" for name in ("apply", "drift", "plan")),
]


def _files(directory: Path) -> dict[str, bytes]:
    """Every file below the directory, but for the wheel, whose name has a version."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".whl"
    }


# -- what is laid out --------------------------------------------------------------------------


def test_what_is_laid_out(run: Run, tmp_path: Path) -> None:
    result = run("init", "new")
    assert (result.exit_code, result.stderr) == (0, "")
    files = _files(tmp_path / "new")
    assert sorted(files) == sorted([*_OFFLINE, *_GITHUB])
    written, _, told = result.stdout.partition("\n\nNext, in new:\n")
    [wheel] = (tmp_path / "new" / _ACTION).glob("*.whl")
    assert sorted(written.splitlines()) == sorted(f"+ {name}" for name in [*files, f"{_ACTION}/{wheel.name}"])
    assert told.startswith("1. Edit bots/minha-loja.yaml.")
    assert "README.md" in told


def test_without_what_is_for_github(run: Run, tmp_path: Path) -> None:
    told = run("init", "--no-workflows").stdout
    assert sorted(_files(tmp_path)) == _OFFLINE
    assert "GitHub" not in told + (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("name", _GITHUB)
def test_what_is_for_github_is_this_repository_s_own(tmp_path: Path, name: str) -> None:
    init.lay_out(tmp_path)
    assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_it_works_as_it_is(run: Run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    assert run("validate", "--strict").stdout == "Valid: 2 bots on 1 instance.\n"
    assert run("apply", "--sandbox", "--yes").exit_code == 0
    assert run("plan", "--sandbox", "--detailed-exitcode").exit_code == 0
    assert run("doctor", "--sandbox").exit_code == 0


def test_editors_find_the_schema(tmp_path: Path) -> None:
    init.lay_out(tmp_path)
    first = (tmp_path / "bots/minha-loja.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / "bots" / named).read_text())["type"] == "object"


def test_the_readme_names_commands_and_files_that_are_there(run: Run, tmp_path: Path) -> None:
    init.lay_out(tmp_path)
    text = (tmp_path / "README.md").read_text()
    for command in set(re.findall(r"reconciler ([a-z]+)\b", text)) - {"that"}:
        assert run(command, "--help").exit_code == 0
    for name in re.findall(r"`([a-z]+\.yml)`", text):
        assert (tmp_path / ".github/workflows" / name).exists()
    variables = set(re.findall(r"EVOLUTION_API_\w+", text))
    assert variables == {"EVOLUTION_API_URL", "EVOLUTION_API_KEY"}
    for workflow in ("plan", "apply", "drift"):
        used = (tmp_path / f".github/workflows/{workflow}.yml").read_text()
        assert f"`{re.findall(r'environment: (.*)', used)[0]}`" in text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("minha-loja", "minha-loja"),
        ("Loja_1.sp", "Loja_1.sp"),
        ("loja do centro", "loja-do-centro"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b", "a-b"),
        (".", "instance"),
        ("店", "instance"),
        ("São Paulo 🛒", "s-o-paulo"),
        ("no", "no"),
        ("007", "007"),
        ("null", "null"),
        ('it\'s "x": # [1] \\ ${x} {y} %z', "it-s-x-1-x-y-z"),
        ("minha-loja-openai", "minha-loja-openai"),
        ("x" * 200, "x" * 100),
    ],
)
def test_names_of_instances(tmp_path: Path, name: str, file: str) -> None:
    done = init.lay_out(tmp_path, name, workflows=False)
    assert done.sample == f"bots/{file}.yaml"
    [instance] = load(tmp_path / "bots").instances
    assert instance.name == name
    assert {bot.creds for bot in instance.bots} == {f"{name}-openai"}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[31m", "x" * 201])
def test_names_that_no_instance_has(run: Run, tmp_path: Path, name: str) -> None:
    result = run("init", "--instance", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: no instance can be laid out by this name")
    assert _files(tmp_path) == {}


# -- what was there before ---------------------------------------------------------------------


def test_a_second_time_nothing_is_written(run: Run, tmp_path: Path) -> None:
    run("init")
    before = _files(tmp_path)
    told = run("init").stdout.partition("\n\n")[0].splitlines()
    assert {line[:2] for line in told} == {"= "}
    assert _files(tmp_path) == before


@pytest.mark.parametrize("name", [*_OFFLINE, *_GITHUB])
def test_no_file_is_overwritten(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    result = run("init")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"= {name} (kept as it is)" in result.stdout.splitlines()
    assert (tmp_path / name).read_text() == "mine"


def test_no_sample_beside_other_manifests(tmp_path: Path) -> None:
    (tmp_path / "bots" / "sul").mkdir(parents=True)
    (tmp_path / "bots" / "sul" / "loja.json").write_text('{"bots": {}}')
    assert init.lay_out(tmp_path).sample is None
    assert [instance.name for instance in load(tmp_path / "bots").instances] == ["loja"]


def test_another_version_s_wheel_stays_alone(tmp_path: Path) -> None:
    """Two of them could not be installed at once."""
    (tmp_path / _ACTION).mkdir(parents=True)
    (tmp_path / _ACTION / "evolution_reconciler-0.0.1-py3-none-any.whl").touch()
    init.lay_out(tmp_path)
    assert len(list((tmp_path / _ACTION).glob("*.whl"))) == 1


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("bots/minha-loja.yaml", "outside/x.yaml"),  # which is not there
        ("README.md", "outside/secret"),
        ("bots", "outside"),
        (".github", "outside"),
        (".github/workflows", "outside"),
        ("bots/prompts", "new"),  # itself
    ],
)
def test_no_link_is_followed(run: Run, tmp_path: Path, link: str, target: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("mine")
    (tmp_path / "new" / link).parent.mkdir(parents=True)
    (tmp_path / "new" / link).symlink_to(tmp_path / target)
    result = run("init", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{link} is a link" in result.stderr
    assert _files(tmp_path / "outside") == {"secret": b"mine"}
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file() and not path.is_symlink()] == []


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("new", "the directory to lay out is no directory"),
        ("new/bots", "bots is no directory"),
        ("new/.github/workflows", ".github/workflows is no directory"),
    ],
)
def test_a_file_in_a_directory_s_place(run: Run, tmp_path: Path, there: str, said: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("mine")
    result = run("init", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert _files(tmp_path) == {there: b"mine"}


def test_a_directory_in_a_file_s_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    result = run("init")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "README.md is no file" in result.stderr


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        ("x" * 300, "File name too long"),
        ("/dev/null/new", "Not a directory"),
        ("loop", "Error: "),
    ],
)
def test_a_directory_that_cannot_be_made(run: Run, tmp_path: Path, directory: str, said: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    result = run("init", directory)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


# -- the wheel ---------------------------------------------------------------------------------


def test_the_wheel_is_one(tmp_path: Path) -> None:
    name, content = init.wheel()
    assert (name, content) == init.wheel()
    assert re.fullmatch(r"evolution_reconciler-[\d.]+-py3-none-any\.whl", name)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [record] = [name for name in files if name.endswith(".dist-info/RECORD")]
    listed = {line.rsplit(",", 2)[0]: line.rsplit(",", 2)[1:] for line in files[record].decode().splitlines()}
    assert listed.keys() == files.keys()
    for name, (digest, size) in listed.items():
        if name != record:
            hashed = urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={hashed}", str(len(files[name])))
    assert not [name for name in files if "__pycache__" in name]


def test_the_wheel_holds_all_of_the_tool(tmp_path: Path) -> None:
    """From the wheel alone, init lays out the same again, the wheel among it."""
    name, content = init.wheel()
    (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / name) as archive:
        archive.extractall(tmp_path / "installed")
    init.lay_out(tmp_path / "here")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-P", "-m", "reconciler", "init", "there"]
    subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    assert _files(tmp_path / "there") == _files(tmp_path / "here")
    assert (tmp_path / "there" / _ACTION / name).read_bytes() == content
