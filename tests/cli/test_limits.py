"""A system that says no: a full disk, few open files, no directory to work in. All end in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Shell
from tests.support import World, at_night

SMALL = "ulimit -f 1"
"""A file may have 512 bytes; more are refused as on a full disk."""


def _left(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}


@pytest.fixture
def long_prompt(world: World) -> str:
    """What the instance `loja` has: a bot whose prompt is longer than a file may be."""
    prompt = "Responda em uma frase.\n" * 100
    creds = world.instance("loja", "main")["main"]
    world.bot("loja", creds, systemMessages=[prompt], description="Front desk [gitops:um]", maxTokens=7)
    return prompt


@pytest.mark.usefixtures("long_prompt")
def test_an_import_that_finds_no_space_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    before = _left(tmp_path)
    done = shell("import", "--into", "new", first=SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: nothing was imported: new cannot be written: File too large.\n"
    assert _left(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_an_update_that_finds_no_space_leaves_the_manifest(
    shell: Shell, world: World, bots: Path, long_prompt: str
) -> None:
    text = f"""\
bots:
  um:
    {{openaiCreds: main, botType: chatCompletion, model: gpt-4o, maxTokens: 7, triggerType: all,
     systemMessages: ["{"x" * 600}"]}}
"""
    (bots / "loja.yaml").write_text(text)
    done = shell("import", "--update", "--into", bots, first=SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{bots}/loja.yaml cannot be written: File too large." in done.stderr
    assert done.stderr.endswith("Written before: nothing.\n")
    assert (bots / "loja.yaml").read_text() == text
    assert _left(bots) == {"loja.yaml"}


def test_an_init_that_finds_no_space_says_what_was_written(shell: Shell, tmp_path: Path) -> None:
    done = shell("init", "laid", first=SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first.endswith(" cannot be written: File too large.")
    said = second.removeprefix("Written before: ").removesuffix(".")
    left = _left(tmp_path / "laid") if (tmp_path / "laid").exists() else set()
    assert left == (set() if said == "nothing" else set(said.split(", ")))
    again = shell("init", "laid")
    assert again.returncode == 0
    assert (tmp_path / "laid" / "README.md").stat().st_size > 512


@pytest.mark.parametrize(
    ("command", "blocks"), [("plan", 0), ("plan", 40), ("apply", 8), ("apply", 40), ("apply", 100)]
)
def test_an_embedded_server_that_finds_no_space(shell: Shell, bots: Path, blocks: int, command: str) -> None:
    options = ["--yes"] if command == "apply" else []
    done = shell(command, "--sandbox", "--bots", bots, *options, first=f"ulimit -f {blocks}")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") or "failed" in done.stdout


@pytest.mark.parametrize("files", [5, at_night(9), at_night(16), 24, 64])
def test_few_open_files(shell: Shell, bots: Path, files: int) -> None:
    """Each of them ends: an embedded server that cannot start says so, and nobody waits for it."""
    done = shell("apply", "--sandbox", "--bots", bots, "--yes", first=f"ulimit -n {files}")
    if files <= 24:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: ")
    else:
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("command", "files"),
    [("plan", 6), at_night("plan", 8), at_night("plan", 10), ("doctor", 8), ("import", 10)],
)
def test_few_open_files_with_a_server(
    shell: Shell, world: World, bots: Path, files: int, command: str
) -> None:
    world.instance("loja", "main")
    options = ["--into", "new"] if command == "import" else ["--bots", bots]
    shell(command, *options, first=f"ulimit -n {files}")


GONE = 'mkdir gone && cd gone && rmdir "$PWD"'


@pytest.mark.parametrize(
    "args",
    [
        ["validate"],
        at_night(["plan"]),
        at_night(["plan", "--sandbox", "--bots", "{bots}"]),
        at_night(["apply", "--yes"]),
        ["apply", "--yes", "--sandbox", "--bots", "{bots}"],
        at_night(["apply", "--yes", "--bots", "{bots}", "--out", "r.json"]),
        ["apply", "--yes", "plan.json"],
        at_night(["show", "plan.json"]),
        ["import"],
        at_night(["import", "--into", "{bots}", "--sandbox"]),
        at_night(["import", "--update"]),
        ["init"],
        at_night(["init", "laid"]),
        ["doctor"],
        at_night(["explain", "um@loja"]),
        ["sandbox", "--port", "0", "--db", "s.db"],
    ],
    ids=" ".join,
)
def test_a_directory_that_was_deleted(
    shell: Shell, server: Sandbox, world: World, bots: Path, args: list[str]
) -> None:
    world.instance("loja", "main")
    server.calls.clear()
    done = shell(*(word.format(bots=bots) for word in args), first=GONE)
    assert done.returncode == 1
    assert server.writes == []


def test_in_a_directory_that_was_deleted_whole_paths_will_do(shell: Shell, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    done = shell("apply", "--yes", "--bots", bots, "--out", bots.parent / "r.json", first=GONE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 changes: 2 applied." in done.stdout


@pytest.mark.parametrize(
    "first",
    [
        "unset HOME",
        at_night("export TMPDIR=/nowhere"),
        at_night("unset TERM"),
        at_night("export TERM=unheard-of"),
        at_night("export COLUMNS=0"),
        at_night("export COLUMNS=1"),
        "export COLUMNS=-3",
        at_night("export COLUMNS=wide"),
        at_night("export COLUMNS=99999999999999999999"),
        at_night("export LINES=x"),
        "unset PATH",
        at_night("export LANG=C LC_ALL=C"),
        "export LC_ALL=unheard_of.UTF-8",
        at_night("export PYTHONUTF8=0 LC_ALL=C"),
        "export PYTHONIOENCODING=ascii",
        at_night("export NO_COLOR="),
        at_night("umask 0"),
        "umask 777",
        at_night("export PYTHONUNBUFFERED="),
        "export PYTHONWARNINGS=error",
    ],
)
def test_an_odd_environment_changes_nothing(shell: Shell, world: World, bots: Path, first: str) -> None:
    world.instance("loja", "main")
    done = shell("apply", "--yes", "--bots", bots, "--out", "r.json", first=first)
    assert done.returncode == 0
    assert (bots.parent / "r.json").is_file()
