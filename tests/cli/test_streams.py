"""Streams that are closed, full or without a reader, and files that cannot be written with --out.

Each command ends in a sentence. An apply makes no call then, or shows its results all the same and exits
with 1.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run, Shell, Start
from tests.support import World, at_night, unpacked

_UNCHANGED = "\n# as it was\n"


@pytest.fixture
def loja(world: World) -> None:
    """The instance of the manifests, without bots: so there are two changes to be made."""
    world.instance("loja", "main")


def _creates(server: Sandbox) -> int:
    return sum("/openai/create" in call.path for call in server.writes)


COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "validate": ["validate", "--bots", "{bots}"],
    "explain": ["explain", "um@loja", "--bots", "{bots}"],
    "schema": ["schema"],
    "plan": ["plan", "--bots", "{bots}"],
    "plan-json": ["plan", "--bots", "{bots}", "--format", "json"],
    "show": ["show", "saved.json"],
    "doctor": ["doctor", "--bots", "{bots}"],
    "import": ["import", "--into", "new"],
    "update": ["import", "--update", "--into", "{bots}"],
    "init": ["init", "laid"],
    "completion": ["completion", "bash"],
    "sandbox": ["sandbox", "--port", "0"],
    "apply": ["apply", "--bots", "{bots}", "--yes"],
    "apply-json": ["apply", "--bots", "{bots}", "--yes", "--format", "json"],
    "apply-file": ["apply", "saved.json", "--yes", "--format", "markdown"],
}


@pytest.fixture
def command(request: pytest.FixtureRequest, bots: Path, run: Run) -> list[str]:
    """A command's words. It has what it needs: a saved plan, or a row to import."""
    words = COMMANDS[request.param]
    if "saved.json" in words:
        assert run("plan", "--bots", bots, "--out", "saved.json").exit_code == 0
    return [word.format(bots=bots) for word in words]


EVERYDAY = {"help", "plan", "import", "init", "sandbox", "apply", "apply-file"}
"""Each way of printing once: click's, a plan, a report, after files, before a long run, results."""

EVERY_APPLY = [name for name in COMMANDS if name.startswith("apply")]


@pytest.mark.parametrize(
    ("command", "how"),
    [
        *(at_night(name, ">/dev/full", everyday=name in EVERYDAY) for name in COMMANDS),
        *(
            at_night(name, ">&-", everyday=name in {"help", "sandbox", "apply"})
            for name in ("help", "plan-json", "show", "sandbox", *EVERY_APPLY)
        ),
    ],
    indirect=["command"],
)
@pytest.mark.usefixtures("loja")
def test_output_that_cannot_be_written_is_an_error(
    shell: Shell, server: Sandbox, command: list[str], how: str
) -> None:
    done = shell(*command, how=how)
    assert done.returncode == 1
    assert "Error: cannot write the output: " in done.stderr
    assert _creates(server) == 0


@pytest.mark.parametrize(
    "command", [at_night(name, everyday=name in EVERYDAY) for name in COMMANDS], indirect=True
)
@pytest.mark.usefixtures("loja")
def test_with_all_closed_the_exit_code_says_it(shell: Shell, server: Sandbox, command: list[str]) -> None:
    done = shell(*command, how="<&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert _creates(server) == 0


_HOWS = ("2>&-", "2>/dev/full", "<&-")


@pytest.mark.parametrize(
    ("command", "how"),
    [
        *(
            at_night(name, _HOWS[place % 3], everyday=name in EVERYDAY - {"apply"})
            for place, name in enumerate(sorted(COMMANDS.keys() - {"sandbox"}))
        ),
        *(("apply", how) for how in _HOWS),
    ],
    indirect=["command"],
)
@pytest.mark.usefixtures("loja")
def test_what_goes_well_needs_stdout_alone(shell: Shell, command: list[str], how: str) -> None:
    done = shell(*command, how=how)
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_be_shown_still_ends_in_1(shell: Shell, how: str) -> None:
    done = shell("plan", "--bots", "nowhere", how=how)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("command", EVERY_APPLY, indirect=True)
@pytest.mark.usefixtures("loja")
def test_an_apply_without_a_reader_makes_no_call(start: Start, server: Sandbox, command: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start(*command, stdout=write)
    os.close(write)
    assert process.communicate(timeout=60)[1] == ""
    assert (process.returncode, _creates(server)) == (1, 0)


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.usefixtures("loja")
def test_a_reader_that_goes_during_an_apply(
    start: Start, server: Sandbox, world: World, bots: Path, tmp_path: Path, form: str
) -> None:
    """The results stand in the file, and on stderr."""
    server.options.latency = 0.2
    process = start("apply", "--bots", bots, "--yes", "--format", form, "--out", "r.json")
    assert process.stdout is not None
    while not _creates(server):
        pass
    process.stdout.close()
    process.stdout = None
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "2 changes: 2 applied." in err
    assert err.endswith("Error: cannot write the output: Broken pipe.\n")
    assert len(unpacked(json.loads((tmp_path / "r.json").read_text()))["results"]) == 2


# -- where --out cannot be written --------------------------------------------------------------

OUT = {
    "a missing directory": ("missing/r.json", "", "No such file or directory"),
    "below a file": ("bots/loja.yaml/r.json", "", "Not a directory"),
    "a directory": ("there", "mkdir there", "directory"),
    "nothing": ("", "", "directory"),
    "a link": ("l.json", "ln -s bots/loja.yaml l.json", "it is a link, not a file"),
    "a link to nothing": ("l.json", "ln -s elsewhere.json l.json", "it is a link, not a file"),
    "a link in a circle": ("l.json", "ln -s l.json l.json", "it is a link, not a file"),
    "a pipe": ("p", "mkfifo p", "it is a pipe, not a file"),
    "a device": ("/dev/null", "", "it is a device, not a file"),
    "a full device": ("/dev/full", "", "it is a device, not a file"),
    "stdout": ("/dev/stdout", "", "--format json"),
    "a stream": ("/dev/fd/1", "", "it is a link, not a file"),
    "a dash": ("-", "", "--format json"),
    "too long a name": ("n" * 300, "", "File name too long"),
    "too long a path": ("d/" * 3000 + "r.json", "", "File name too long"),
    "a file system of the kernel": ("/proc/r.json", "", "No such file or directory"),
}


@pytest.mark.parametrize(
    ("command", "out", "first", "why"),
    [
        pytest.param(("plan", "apply-json")[place % 2], *case, id=name)
        for place, (name, case) in enumerate(OUT.items())
    ],
    indirect=["command"],
)
@pytest.mark.usefixtures("loja")
def test_an_out_that_cannot_be_written_is_known_first(
    shell: Shell, server: Sandbox, bots: Path, command: list[str], out: str, first: str, why: str
) -> None:
    before = (bots / "loja.yaml").read_text()
    server.calls.clear()
    done = shell(*command, "--out", out, first=first)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert server.calls == []
    assert (bots / "loja.yaml").read_text() == before
    assert not Path("elsewhere.json").exists()


@pytest.mark.parametrize("mode", [0o500, 0o000])
@pytest.mark.usefixtures("loja")
def test_a_directory_that_is_not_ours(
    shell: Shell, server: Sandbox, bots: Path, tmp_path: Path, mode: int
) -> None:
    """Whoever may do anything is not stopped by a mode, but by a directory of the kernel's."""
    there = tmp_path / "there"
    there.mkdir(mode=mode)
    out = there / "r.json" if os.geteuid() else Path("/proc/self/r.json")
    server.calls.clear()
    done = shell("apply", "--bots", bots, "--yes", "--out", out)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{out} cannot be written: " in done.stderr
    assert server.calls == []


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.usefixtures("loja")
def test_results_that_cannot_be_saved_are_shown(
    shell: Shell, world: World, bots: Path, tmp_path: Path, form: str
) -> None:
    """A file may have 512 bytes here, as on a disk that is full; what was there before stays."""
    (tmp_path / "r.json").write_text(_UNCHANGED)
    done = shell("apply", "--bots", bots, "--yes", "--format", form, "--out", "r.json", first="ulimit -f 1")
    assert done.returncode == 1
    assert done.stderr == "Error: r.json cannot be written: File too large.\n"
    assert "um" in done.stdout
    assert "applied" in done.stdout
    assert len(world.bots("loja")) == 2
    assert (tmp_path / "r.json").read_text() == _UNCHANGED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bots", "r.json"]


@pytest.mark.usefixtures("loja")
def test_a_plan_that_cannot_be_saved_is_shown(shell: Shell, bots: Path, tmp_path: Path) -> None:
    done = shell("plan", "--bots", bots, "--out", "p.json", first="ulimit -f 1")
    assert (done.returncode, done.stderr) == (1, "Error: p.json cannot be written: File too large.\n")
    assert done.stdout.startswith("Plan: 2 to create")
    assert [path.name for path in tmp_path.iterdir()] == ["bots"]


@pytest.mark.parametrize(("umask", "mode"), [("022", 0o644), ("077", 0o600), ("002", 0o664)])
def test_a_new_file_has_the_mode_of_any_other(
    shell: Shell, loja: None, bots: Path, tmp_path: Path, umask: str, mode: int
) -> None:
    assert shell("plan", "--bots", bots, "--out", "p.json", first=f"umask {umask}").returncode == 0
    assert (tmp_path / "p.json").stat().st_mode & 0o777 == mode


def test_a_file_that_is_replaced_keeps_its_mode_and_its_other_names(
    shell: Shell, loja: None, bots: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(_UNCHANGED)
    (tmp_path / "p.json").chmod(0o640)
    (tmp_path / "other.json").hardlink_to(tmp_path / "p.json")
    assert shell("plan", "--bots", bots, "--out", "p.json").returncode == 0
    assert (tmp_path / "p.json").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "other.json").read_text() == _UNCHANGED
    assert json.loads((tmp_path / "p.json").read_text())["summary"]


# -- a working directory that is gone ------------------------------------------------------------

GONE = {
    "validate": ("validate --bots {bots}", 0, ""),
    "plan": ("plan --bots {bots}", 0, ""),
    "version": ("version", 0, ""),
    "plan of what was there": ("plan", 1, "Error: bots does not exist"),
    "fmt": ("fmt", 1, "Error: bots does not exist"),
    "out": ("apply --yes --bots {bots} --out r.json", 1, "Error: r.json cannot be written"),
    "sandbox": ("apply --sandbox --yes --bots {bots}", 1, "Error: .reconciler cannot be written"),
    "import": ("import", 1, "Error: nothing was imported: bots cannot be written"),
    "init": ("init", 1, "Error: . cannot be written: No such file or directory."),
}


@pytest.mark.parametrize(("command", "code", "said"), GONE.values(), ids=GONE)
@pytest.mark.usefixtures("loja")
def test_a_directory_that_was_deleted(
    shell: Shell, server: Sandbox, bots: Path, command: str, code: int, said: str
) -> None:
    gone = bots.parent / "gone"
    first = f"mkdir {gone}; cd {gone}; rmdir {gone}"
    done = shell(*command.format(bots=bots).split(), first=first)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert (done.stderr == "") is (code == 0)
    assert _creates(server) == 0


# -- a plan that is no file ----------------------------------------------------------------------

PLANS = {
    "a pipe": ("mkfifo f", "it is a pipe, not a file"),
    "a link to a pipe": ("mkfifo p; ln -s p f", "it is a pipe, not a file"),
    "a device without an end": ("ln -s /dev/zero f", "it is a device, not a file"),
    "a directory, by a link": ("mkdir d; ln -s d f", "directory"),
    "a link in a circle": ("ln -s f f", "Too many levels of symbolic links"),
    "too large": ("truncate -s 300M f", "it has more than 268,435,456 bytes"),
}


_READERS = (["show", "f"], ["apply", "--yes", "f"], ["apply", "--yes", "--reviewed", "f"])


@pytest.mark.parametrize(
    ("args", "first", "why"),
    [pytest.param(_READERS[place % 3], *case, id=name) for place, (name, case) in enumerate(PLANS.items())],
)
def test_a_plan_that_is_no_file(
    shell: Shell, server: Sandbox, bots: Path, args: list[str], first: str, why: str
) -> None:
    """Nobody waits for its end, and no memory is filled."""
    done = shell(*args, first=first)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert server.calls == []
