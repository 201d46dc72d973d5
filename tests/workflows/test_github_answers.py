"""github.py and answers that GitHub's documentation does not have: a sentence, never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.workflows.project import ROOT

SCRIPT = ROOT / ".github" / "actions" / "reconciler" / "github.py"

ANSWERS = {
    "a page": (b"<html>Unicorn</html>", "did not answer with complete JSON"),
    "null": (b"null", "did not answer as documented"),
    "an object": (b'{"message": "x"}', "did not answer as documented"),
    "rows of null": (b"[null, 1]", "did not answer as documented"),
    "cut off": (b"[", "did not answer with complete JSON"),
    "very deep": (b"[" * 100_000, "did not answer with complete JSON"),
    "not HTTP": (None, "did not answer (BadStatusLine)"),
}

COMMANDS = {
    "comment": ("comment", "--pull", "1", "--marker", "plan", "--text"),
    "issue": ("issue", "--marker", "drift", "--label", "drift", "--title", "t", "--text"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("body", "said"), ANSWERS.values(), ids=ANSWERS)
def test_it_ends_in_a_sentence(tmp_path: Path, command: str, body: bytes | None, said: str) -> None:
    raw = b"nonsense\r\n\r\n"
    if body is not None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    text = tmp_path / "text.md"
    text.write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, raw), daemon=True).start()
        env = {
            "PATH": os.environ["PATH"],
            "GITHUB_API_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "GITHUB_REPOSITORY": "a/b",
            "GITHUB_TOKEN": "token-canary",
        }
        argv = [sys.executable, "-I", str(SCRIPT), *COMMANDS[command], str(text)]
        ended = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("::error::GitHub's API")
    assert said in ended.stdout
    assert "canary" not in ended.stdout


def _serve(server: socket.socket, raw: bytes) -> None:
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        with peer:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += peer.recv(65536)
            peer.sendall(raw)
