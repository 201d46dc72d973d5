"""What --sandbox writes in the working directory: never through a link, and for its owner alone."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run, Shell
from tests.support import World

_MINE = "mine\n"


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file and a directory in it, which nothing may touch."""
    directory = tmp_path_factory.mktemp("elsewhere")
    (directory / "file").write_text(_MINE)
    (directory / "directory").mkdir()
    return directory


@pytest.fixture
def loja(bots: Path) -> Path:
    """Manifests with a credential, whose stand-in needs the salt."""
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text("credentials: {main: {apiKey: !env OPENAI_KEY}}\n" + text)
    return bots


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket may be no longer than 107 bytes
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


KINDS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "link to a file": (lambda path, there: path.symlink_to(there / "file"), "it is a link"),
    "link to a directory": (lambda path, there: path.symlink_to(there / "directory"), "it is a link"),
    "link to nothing": (lambda path, there: path.symlink_to(there / "new"), "it is a link"),
    "link to a device": (lambda path, there: path.symlink_to("/dev/zero"), "it is a link"),
    "link to itself": (lambda path, there: path.symlink_to(path), "it is a link"),
    "pipe": (lambda path, there: os.mkfifo(path), "it is a pipe"),
    "socket": (lambda path, there: _socket(path), "it is a socket"),
}

FILES = [".gitignore", "sandbox.db", "sandbox.db-wal", "sandbox.db-shm", "sandbox.db-journal", "sandbox.salt"]

PAIRS = [
    *((name, "link to a file") for name in FILES),
    *((FILES[place % len(FILES)], kind) for place, kind in enumerate(KINDS)),
    ("sandbox.salt", "pipe"),
    ("sandbox.db", "link to nothing"),
]
"""Each file, each kind of what stands in its place, and those that once were waited for or followed."""


def _unchanged(elsewhere: Path) -> None:
    assert sorted(path.name for path in elsewhere.iterdir()) == ["directory", "file"]
    assert (elsewhere / "file").read_text() == _MINE
    assert list((elsewhere / "directory").iterdir()) == []


@pytest.mark.parametrize(("name", "kind"), dict.fromkeys(PAIRS))
def test_a_file_of_ours_is_no_file(
    shell: Shell, loja: Path, elsewhere: Path, tmp_path: Path, name: str, kind: str
) -> None:
    make, words = KINDS[kind]
    (tmp_path / ".reconciler").mkdir()
    make(tmp_path / ".reconciler" / name, elsewhere)
    done = shell("apply", "--yes", "--sandbox", "--bots", loja, first="export OPENAI_KEY=sk-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: .reconciler/{name} cannot be written: {words}, not a file.\n"
    _unchanged(elsewhere)


@pytest.mark.parametrize("name", FILES)
def test_a_directory_in_its_place(shell: Shell, loja: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / ".reconciler" / name).mkdir(parents=True)
    done = shell("plan", "--sandbox", "--bots", loja, first="export OPENAI_KEY=sk-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: .reconciler/{name} cannot be written: it is a directory, not a file.\n"


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        *((kind, "plan") for kind in [*KINDS, "file"]),
        *((kind, command) for kind in ("link to a directory", "pipe") for command in ("doctor", "import")),
    ],
)
def test_the_directory_of_ours_is_none(
    shell: Shell, bots: Path, elsewhere: Path, tmp_path: Path, kind: str, command: str
) -> None:
    make, words = KINDS.get(kind, (lambda path, there: path.write_text(_MINE), "it is a file"))
    make(tmp_path / ".reconciler", elsewhere)
    options = ["--into", "new"] if command == "import" else ["--bots", bots]
    done = shell(command, "--sandbox", *options)
    assert done.returncode == 1
    shown = done.stdout if command == "doctor" else done.stderr
    assert f" .reconciler cannot be written: {words}, not a directory.\n" in shown
    _unchanged(elsewhere)


@pytest.mark.parametrize(
    ("kind", "end"), [*((kind, "") for kind in KINDS), ("link to a file", "-wal"), ("pipe", "-wal")]
)
def test_a_named_database_is_no_file(
    shell: Shell, elsewhere: Path, tmp_path: Path, kind: str, end: str
) -> None:
    make, words = KINDS[kind]
    make(tmp_path / f"s.db{end}", elsewhere)
    done = shell("sandbox", "--port", "0", "--db", "s.db")
    assert (done.returncode, done.stdout) == (1, "")
    known = kind == "link to a directory" and not end  # click looks first
    assert (
        "is a directory" if known else f"s.db{end} cannot be written: {words}, not a file."
    ) in done.stderr
    _unchanged(elsewhere)


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_nobody_else_may_read_the_state(shell: Shell, loja: Path, tmp_path: Path) -> None:
    done = shell(
        "apply",
        "--yes",
        "--sandbox",
        "--bots",
        loja,
        first="umask 0; export OPENAI_KEY=sk-" + "0a1b2c3d4e" * 4,
    )
    assert done.returncode == 0
    assert stat.S_IMODE((tmp_path / ".reconciler").stat().st_mode) == 0o700
    modes = _modes(tmp_path / ".reconciler")
    assert modes == {".gitignore": 0o666, "sandbox.db": 0o600, "sandbox.salt": 0o600}


def test_while_it_runs_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Sandbox(tmp_path / "s.db") as server:
            server.seed({"loja": ["main"]})
            assert _modes(tmp_path) == dict.fromkeys(["s.db", "s.db-wal", "s.db-shm"], 0o600)
    finally:
        os.umask(before)


def test_the_state_of_an_earlier_version_becomes_private(run: Run, loja: Path, tmp_path: Path) -> None:
    env = {"OPENAI_KEY": "sk-" + "0a1b2c3d4e" * 4}
    assert run("plan", "--sandbox", "--bots", loja, env=env).exit_code == 0
    for name in ("sandbox.db", "sandbox.salt"):
        (tmp_path / ".reconciler" / name).chmod(0o644)
    (tmp_path / ".reconciler" / ".gitignore").write_text("*\n!README\n")
    assert run("plan", "--sandbox", "--bots", loja, env=env).exit_code == 0
    modes = _modes(tmp_path / ".reconciler")
    assert (modes["sandbox.db"], modes["sandbox.salt"]) == (0o600, 0o600)
    assert (tmp_path / ".reconciler" / ".gitignore").read_text() == "*\n!README\n"


def test_a_file_that_is_no_database_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text(_MINE * 500)
    notes.chmod(0o644)
    assert run("sandbox", "--port", "0", "--db", notes).exit_code == 1
    assert (notes.read_text(), stat.S_IMODE(notes.stat().st_mode)) == (_MINE * 500, 0o644)


# -- its key, and who may speak with it ----------------------------------------------------------


def test_each_database_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = []
    for name in ("a.db", "b.db", "a.db", ":memory:", ":memory:"):
        db = tmp_path / name if name.endswith("db") else name
        with Sandbox(db) as server:
            keys.append(server.api_key)
            with World(server.url, server.api_key) as world:
                assert world.done("GET", "/instance/fetchInstances") == []
            for wrong in ("sandbox", "", server.api_key[:-1]):
                with World(server.url, wrong) as world:
                    assert world.call("GET", "/instance/fetchInstances")[0] == 401
            server.clear()
    assert keys[0] == keys[2]
    assert len(set(keys)) == 4
    assert min(map(len, keys)) >= 32


HOSTS = {
    "127.0.0.1": 200,
    "127.0.0.1:{port}": 200,
    "127.0.0.1:1": 200,
    "localhost": 200,
    "LOCALHOST:{port}": 200,
    "[::1]:{port}": 200,
    "evil.example": 421,
    "evil.example:{port}": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example:{port}": 421,
    "evil.localhost.example": 421,
    "127.0.0.1@evil.example": 421,
    "evil.example/127.0.0.1": 421,
    "127.0.0.1:{port}.evil.example": 421,
    "127.0.0.2": 421,
    "127.1": 421,
    "2130706433": 421,
    "0.0.0.0:{port}": 421,
    "[::]": 421,
    "": 421,
}


@pytest.mark.parametrize(
    ("host", "status", "method"),
    [
        *((host, status, "GET") for host, status in HOSTS.items()),
        *(("evil.example", 421, method) for method in ("POST", "OPTIONS", "DELETE")),
    ],
)
def test_a_foreign_host_is_refused(sandbox: Sandbox, host: str, status: int, method: str) -> None:
    """A page whose name was pointed at this machine sends its own name."""
    with World(sandbox.url, sandbox.api_key) as world:
        named = host.format(port=sandbox.url.rpartition(":")[2])
        answer = world.http.request(method, "/instance/fetchInstances", headers={"Host": named})
    assert (answer.status_code == 421) == (status == 421)
    if status == 421:
        assert answer.json()["error"] == "Misdirected Request"


@pytest.mark.parametrize(
    "head",
    [
        "GET /instance/fetchInstances HTTP/1.0\r\n",
        "OPTIONS /openai/create/loja HTTP/1.0\r\n",
        "OPTIONS /openai/create/loja HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: apikey\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nAccess-Control-Request-Method: GET\r\n",
    ],
)
def test_no_host_and_a_browser_that_asks_are_refused(sandbox: Sandbox, head: str) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{head}apikey: {sandbox.api_key}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 421 ")
