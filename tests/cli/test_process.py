"""What only a process of its own shows: signals, pipes, terminals, encodings, and what is imported."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, ROOT, Start, assert_clean, sample
from tests.support import World, at_night


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- signals -----------------------------------------------------------------------------------


def _applied_of_three(out: str) -> int:
    """How many of three changes were applied: the next call goes out at once, so the signal may follow it."""
    found = re.search(r"3 changes: ([12]) applied, ([12]) not attempted\.", out)
    assert found, out
    assert int(found[1]) + int(found[2]) == 3
    return int(found[1])


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_finishes_the_call_in_flight(
    start: Start, server: Sandbox, bots: Path, world: World, number: signal.Signals, code: int, name: str
) -> None:
    world.instance("loja", "main")
    with (bots / "loja.yaml").open("a") as file:
        file.write("  tres: {maxTokens: 300, triggerValue: 3}\n")
    server.calls.clear()
    server.options.latency = 1.0
    process = start("apply", "--bots", bots, "--yes")
    _until(lambda: server.writes)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"Stopped by {name}." in out
    assert "Finishing the call in flight" in err
    assert len(server.writes) == _applied_of_three(out)
    assert_clean(out + err)
    server.options.latency = 0
    again = start("apply", "--bots", bots, "--yes")
    left = 3 - _applied_of_three(out)
    whole = "1 change: 1 applied." if left == 1 else f"{left} changes: {left} applied."
    assert whole in again.communicate(timeout=30)[0]


def test_a_second_signal_ends_at_once(start: Start, server: Sandbox, bots: Path, world: World) -> None:
    world.instance("loja", "main")
    server.calls.clear()
    server.options.latency = 0.2
    process = start("apply", "--bots", bots, "--yes")
    _until(lambda: server.writes)
    server.options.latency = 20
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert process.stderr.readline() == "\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == -signal.SIGTERM
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        at_night(command, number, 128 + number, everyday=number == signal.SIGINT or command == "apply")
        for command in ("plan", "apply", "import", "update", "doctor")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ],
)
def test_a_signal_while_reading(
    start: Start, bots: Path, tmp_path: Path, command: str, number: signal.Signals, code: int
) -> None:
    words: dict[str, list[str | Path]] = {
        "plan": ["plan", "--bots", bots, "--out", "p.json"],
        "apply": ["apply", "--bots", bots, "--yes", "--out", "r.json"],
        "import": ["import", "--into", "new"],
        "update": ["import", "--update", "--into", bots],
        "doctor": ["doctor", "--bots", bots],
    }
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = start(*words[command], env={"EVOLUTION_API_URL": url})
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(3) == b"GET"
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert_clean(err)
    assert [path.name for path in tmp_path.iterdir()] == ["bots"], "nothing half made is left"


def _before_our_first_line(err: str) -> bool:
    """Ctrl-C met Python as it starts, or what measures coverage: they show it, and may end with 1."""
    lines = err.rstrip().splitlines()
    return "KeyboardInterrupt" in lines and f'File "{ROOT / "reconciler"}{os.sep}' not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_moment_of_a_run(start: Start, bots: Path, number: signal.Signals) -> None:
    """Also while modules are imported, or the embedded server starts or stops."""
    for step in range(8):
        process = start("plan", "--bots", bots, "--sandbox")
        time.sleep(step / 5)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if number == signal.SIGINT and _before_our_first_line(err):
            continue
        assert process.returncode in {0, 128 + number, -number}, err
        assert_clean(out + err)
        assert "Exception ignored" not in err


def test_a_hangup_that_is_ignored_stays_so(start: Start, server: Sandbox, bots: Path, world: World) -> None:
    """As with nohup."""
    world.instance("loja", "main")
    server.options.latency = 0.2
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start("apply", "--bots", bots, "--yes")
    finally:
        signal.signal(signal.SIGHUP, before)
    _until(lambda: any("/openai/create" in call.path for call in server.writes))
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "2 changes: 2 applied." in out


def test_a_second_hangup_does_no_more(start: Start, server: Sandbox, bots: Path, world: World) -> None:
    """A terminal that is closed sends one from the shell, and one from the system."""
    world.instance("loja", "main")
    with (bots / "loja.yaml").open("a") as file:
        file.write("  tres: {maxTokens: 300, triggerValue: 3}\n")
    server.calls.clear()
    server.options.latency = 0.5
    process = start("apply", "--bots", bots, "--yes")
    _until(lambda: any("/openai/create" in call.path for call in server.writes))
    for _ in range(3):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 129
    assert _applied_of_three(out) == len(server.writes)


def test_a_pause_changes_nothing(start: Start, server: Sandbox, bots: Path, world: World) -> None:
    world.instance("loja", "main")
    server.options.latency = 0.2
    process = start("apply", "--bots", bots, "--yes")
    _until(lambda: server.calls)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "2 changes: 2 applied." in out


def test_the_server_goes_half_way(start: Start, bots: Path, tmp_path: Path) -> None:
    """What was done is reported, what was not too; the next apply finishes the job."""
    database = tmp_path / "world.db"
    with Sandbox(database, api_key=KEY) as server:
        server.seed({"loja": ["main"]})
        server.options.latency = 0.2
        url, env = server.url, {"EVOLUTION_API_URL": server.url}
        process = start("apply", "--bots", bots, "--yes", env=env)
        _until(lambda: server.writes)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    ended = dict(re.findall(r"^loja +(\w+) +create +(applied|failed|not attempted)", out, re.MULTILINE))
    assert ended.keys() == {"um", "dois"}
    assert set(ended.values()) & {"failed", "not attempted"}
    assert_clean(out + err)
    gone = start("plan", "--bots", bots, env=env)
    out, err = gone.communicate(timeout=60)
    assert (gone.returncode, out) == (1, "")
    assert err.startswith(f"Error: Cannot reach the server at {url}")
    with Sandbox(database, int(url.rpartition(":")[2]), KEY):
        assert start("apply", "--bots", bots, "--yes", env=env).communicate(timeout=60)[1] == ""
        assert start("plan", "--bots", bots, "--detailed-exitcode", env=env).wait(timeout=60) == 0


# -- the embedded server -----------------------------------------------------------------------


def _announced(process: subprocess.Popen[str]) -> dict[str, str]:
    """What a sandbox says first: lines for a shell."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    return dict(line.removeprefix("export ").rstrip().split("=", 1) for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_sandbox_runs_until_a_signal(start: Start, bots: Path, number: signal.Signals) -> None:
    process = start("sandbox", "--port", "0", "--bots", bots)
    said = _announced(process)
    with World(said["EVOLUTION_API_URL"], said["EVOLUTION_API_KEY"]) as world:
        assert [creds["name"] for creds in world.done("GET", "/openai/creds/loja")] == ["main"]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_embedded_server_keeps_its_state(start: Start, bots: Path, tmp_path: Path) -> None:
    """It is used even where a real server is named."""
    env = {"EVOLUTION_API_URL": "https://evolution.example.com"}
    applied = start("apply", "--bots", bots, "--sandbox", "--yes", env=env)
    assert "2 changes: 2 applied." in applied.communicate(timeout=60)[0]
    planned = start("plan", "--bots", bots, "--sandbox", env=env)
    assert planned.communicate(timeout=60) == ("No changes. 2 bots in sync on 1 instance.\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".reconciler", "bots"]
    assert (tmp_path / ".reconciler" / ".gitignore").read_text() == "*\n"


# -- pipes, terminals, encodings ---------------------------------------------------------------


@pytest.mark.parametrize("command", [["plan"], ["apply", "--yes"], ["plan", "--format", "json"], ["--help"]])
def test_a_reader_that_goes_away(start: Start, server: Sandbox, command: list[str]) -> None:
    bots = sample(server)
    read, write = os.pipe()
    os.close(read)
    options = [] if command == ["--help"] else ["--bots", bots]
    process = start(*command, *options, stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert server.writes == []


@pytest.mark.parametrize(
    "env",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_terminals_without_unicode(
    start: Start, server: Sandbox, world: World, bots: Path, env: dict[str, str], form: str
) -> None:
    creds = world.instance("loja", "main")
    world.bot("loja", creds["main"], triggerType="keyword", triggerOperator="equals", triggerValue="1")
    process = start("plan", "--bots", bots, "--format", form, env=env)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "um" in out


class Terminal:
    """A pseudo-terminal with a process at its other end."""

    def __init__(self, start: Start, *args: str | Path, env: dict[str, str] | None = None) -> None:
        self.shown = ""
        self._ours, theirs = pty.openpty()
        terminal = {"TERM": "xterm", "NO_COLOR": "", **(env or {})}
        self.process = start(*args, env=terminal, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def read(self, until: str | None = None) -> str:
        """What is shown, until a text is there or the process ends."""
        while until is None or until not in self.shown:
            assert select.select([self._ours], [], [], 60)[0], self.shown
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            self.shown += chunk.decode().replace("\r\n", "\n")
        return self.shown

    def type(self, keys: str) -> None:
        """Types the keys; Ctrl-C is the signal that a real terminal makes of it.

        One that comes in the moment before the program waits is heard with the next: a person presses again.
        """
        if keys != "\x03":
            os.write(self._ours, keys.encode())
            return
        for _ in range(3):
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=20)  # one that comes while it ends would end it in another way
                return

    def end(self) -> int:
        self.read()
        os.close(self._ours)
        return self.process.wait(timeout=30)


@pytest.mark.parametrize(
    ("keys", "code", "bots_after"),
    [
        ("y\n", 0, 2),
        ("YES\n", 0, 2),
        ("\n", 1, 0),
        ("n\n", 1, 0),
        ("maybe\nno\n", 1, 0),
        ("\x04", 1, 0),
        ("\x03", 130, 0),
    ],
)
def test_apply_asks(
    start: Start, server: Sandbox, world: World, bots: Path, keys: str, code: int, bots_after: int
) -> None:
    world.instance("loja", "main")
    terminal = Terminal(start, "apply", "--bots", bots)
    shown = terminal.read(until="[y/N]: ")
    assert f"Apply 2 changes to 1 instance of {server.url}? [y/N]: " in shown
    assert "\x1b[32m  + um  create\x1b[0m" in shown
    terminal.type(keys)
    assert terminal.end() == code
    assert len(world.bots("loja")) == bots_after
    assert "Traceback" not in terminal.shown
    assert ("2 changes: 2 applied." in terminal.shown) == (code == 0)
    assert (re.search(r"Applying .*100%", terminal.shown) is not None) == (code == 0)


def test_a_silent_server_is_not_a_silent_terminal(start: Start, bots: Path) -> None:
    """After a second a live line says how far the reading is; it is gone when the command ends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        terminal = Terminal(start, "plan", "--bots", bots, env={"EVOLUTION_API_URL": url})
        terminal.read(until="\x1b[KReading the server: 0 of 1 instances read.")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Reading" not in terminal.shown.rpartition("\x1b[K")[2]


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_shows_no_progress(
    start: Start, server: Sandbox, world: World, bots: Path, *, quiet: bool
) -> None:
    world.instance("loja", "main")
    server.options.latency = 0.7
    flags = ["--quiet"] if quiet else []
    terminal = Terminal(start, "apply", "--bots", bots, "--yes", *flags)
    assert terminal.end() == 0
    assert "2 changes: 2 applied." in terminal.shown
    assert [word in terminal.shown for word in ("Reading", "Applying")] == [not quiet, not quiet]


@pytest.mark.slow
def test_a_log_says_every_ten_seconds_that_it_goes_on(start: Start, bots: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = start("plan", "--bots", bots, env={"EVOLUTION_API_URL": url}, stderr=subprocess.PIPE)
        assert process.stderr is not None
        line = process.stderr.readline()
        process.kill()
    assert line == "Reading the server: 0 of 1 instances read.\n"


def test_a_terminal_that_is_closed(
    start: Start, server: Sandbox, world: World, bots: Path, tmp_path: Path
) -> None:
    """The call in flight is finished, and the results are in the file that was asked for."""
    world.instance("loja", "main")
    with (bots / "loja.yaml").open("a") as file:
        file.write("  tres: {maxTokens: 300, triggerValue: 3}\n")
    server.options.latency = 0.5
    terminal = Terminal(start, "apply", "--bots", bots, "--yes", "--out", "r.json")
    _until(lambda: any("/openai/create" in call.path for call in server.writes))
    os.close(terminal._ours)
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(timeout=60) == 129
    assert '"applied"' in (tmp_path / "r.json").read_text()
    assert len(world.bots("loja")) in {1, 2}


@pytest.mark.parametrize(
    "env", [{"COLUMNS": "1"}, {"COLUMNS": "9" * 20}, {"COLUMNS": "x"}, {"COLUMNS": "-1"}]
)
@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_odd_widths(start: Start, world: World, bots: Path, env: dict[str, str], command: str) -> None:
    world.instance("loja", "main")
    terminal = Terminal(start, command, "--bots", bots, env=env)
    assert terminal.end() == 0
    assert "bug" not in terminal.shown


@pytest.mark.parametrize(
    ("before", "after", "env"),
    [
        ([], [], {"NO_COLOR": "1"}),
        ([], [], {"TERM": "dumb"}),
        ([], [], {"EVOLUTION_RECONCILER_NO_COLOR": "1"}),
        ([], ["--no-color"], {}),
        (["--no-color"], [], {}),
    ],
)
def test_no_colours(
    start: Start, world: World, bots: Path, before: list[str], after: list[str], env: dict[str, str]
) -> None:
    world.instance("loja", "main")
    terminal = Terminal(start, *before, "plan", "--bots", bots, *after, env=env)
    assert terminal.end() == 0
    assert "+ um  create" in terminal.shown
    assert "\x1b" not in terminal.shown


# -- what it costs, what it says of itself -----------------------------------------------------


def test_help_is_cheap() -> None:
    """Nothing but click is imported for it."""
    code = (
        "import sys; before = set(sys.modules)\n"  # what measures coverage imports a lot
        "from reconciler.cli.commands import main\n"
        "try: main(['--help'])\n"
        "finally: print(*(set(sys.modules) - before))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    modules = set(shown.stdout.splitlines()[-1].split())
    heavy = {"asyncio", "dataclasses", "httpx", "aiohttp", "pydantic", "ruamel", "deepdiff", "uvicorn"}
    assert "click" in modules
    assert modules & heavy == set()


def test_version_and_debug(start: Start, bots: Path) -> None:
    assert start("--version").communicate(timeout=30)[0] == f"reconciler, version {__version__}\n"
    assert start("version").communicate(timeout=30)[0] == f"reconciler, version {__version__}\n"
    assert start("plan", "-h").communicate(timeout=30)[0].startswith("Usage: ")


def test_an_unexpected_error_shows_places_and_no_values(start: Start, bots: Path, tmp_path: Path) -> None:
    """Here a library breaks, with a secret in its error."""
    library = tmp_path / "broken" / "ruamel"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(
        "import os\nkey = os.environ['EVOLUTION_API_KEY']\n"
        "try: {}[key]\nexcept KeyError as error: raise ValueError(key) from error\n"
    )
    path = os.pathsep.join([str(library.parent), str(ROOT)])
    for debug in ("", "1"):
        env = {"PYTHONPATH": path, "RECONCILER_DEBUG": debug}
        process = start("validate", "--bots", bots, env=env)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (1, "")
        assert err.startswith("Error: unexpected ValueError. This is a bug: please report it")
        assert_clean(err)
        assert ("in validate" in err) == bool(debug)
        assert ("KeyError" in err) == bool(debug)
