"""The example of CONTRIBUTING: a kind of bot is a file of data and a line, from manifests to the import."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

MANIFEST = """\
kinds:
  echo: {defaults: {debounceTime: 3}, settings: {expire: 7, fallback: eco}}
bots:
  eco: {kind: echo, echoUrl: "https://e.example/a", apiKey: !env ECHO_KEY, triggerType: all}
"""


def test_an_eighth_kind(tmp_path: Path) -> None:
    package = tmp_path / "reconciler"
    shutil.copytree(ROOT / "reconciler", package, ignore=shutil.ignore_patterns("__pycache__"))
    [source] = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    (package / "domain/kinds/echo.py").write_text(source)
    kinds = package / "domain/kinds/__init__.py"
    text = kinds.read_text().replace("EVOLUTION_BOT)", "EVOLUTION_BOT, ECHO)")
    kinds.write_text(
        text.replace("\n\n__all__", "\nfrom reconciler.domain.kinds.echo import ECHO\n\n__all__", 1)
    )
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots/loja.yaml").write_text(MANIFEST)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "ECHO_KEY": "key-of-the-echo-1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "reconciler", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        assert "key-of-the-echo-1" not in done.stdout + done.stderr
        return done.stdout

    assert run("validate") == "Valid: 1 bot on 1 instance.\n"
    assert run("apply", "--sandbox", "--yes").endswith("2 changes: 2 applied.\n")
    assert run("plan", "--sandbox") == "No changes. 1 bot in sync on 1 instance.\n"
    assert "Echo: eco answers" in run("route", "loja", "oi")
    assert '"echo"' in run("schema")
    run("import", "--sandbox", "--into", "imported")
    imported = (tmp_path / "imported/loja.yaml").read_text()
    assert "kind: echo" in imported
    assert "apiKey: !env ECHO_KEY_LOJA_ECO" in imported
