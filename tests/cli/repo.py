"""A repository whose manifests are reviewed with `plan --base` and applied with `apply --reviewed`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run
from tests.support import World

NAMES = ("loja", "filial")
KEYS = {name: f"sk-{name}-0123456789abcdef" for name in NAMES}


class Repo:
    """A checkout and its server. env: variables of the commands that read keys."""

    def __init__(self, root: Path, run: Run, world: World) -> None:
        self.root, self.world = root, world
        self.env: dict[str, str] = {}
        self._run = run
        self.git("init", "-q", "-b", "main", ".")
        (root / "bots").mkdir()

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout

    def write(self, manifests: Mapping[str, Any]) -> None:
        """Commit these manifests and no others. A text is written as it is."""
        for path in (self.root / "bots").iterdir():
            path.unlink()
        for name, manifest in manifests.items():
            text = manifest if isinstance(manifest, str) else json.dumps(manifest)
            (self.root / "bots" / (name if "." in name else f"{name}.json")).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "next")

    def run(self, command: str, *options: str | Path, code: int | None = None) -> Any:
        """The result of a command. code: how it has to end."""
        result = self._run(command, "--bots", self.root / "bots", *options, env=self.env)
        if code is not None:
            assert result.exit_code == code, result.output
        return result

    def plan(self, *options: str | Path, code: int | None = None) -> Any:
        """The JSON of a plan; it ends in 0 or 2, if not said otherwise."""
        result = self.run("plan", "--format", "json", "--detailed-exitcode", *options, code=code)
        assert code is not None or result.exit_code in {0, 2}, result.output
        return json.loads(result.stdout)

    def merge(self, *options: str) -> Any:
        """Review the last commit, and apply it. Returns the plan."""
        plan = self.root / "plan.json"
        reviewed = self.plan("--base", "HEAD~1", "--out", plan, *options)
        self.run("apply", "--reviewed", plan, "--yes", *options, code=0)
        plan.unlink()
        return reviewed

    def state(self) -> dict[str, Any]:
        """What the server has, but for ids and times."""
        apart = {"id", "createdAt", "updatedAt", "instanceId", "openaiCredsId"}
        found: dict[str, Any] = {}
        for name in NAMES:
            rows = [{k: _plain(v) for k, v in row.items() if k not in apart} for row in self.world.bots(name)]
            rows = [{k: v for k, v in row.items() if k not in _left(row)} for row in rows]
            found[name] = sorted(rows, key=lambda row: str(row["description"]))
            ids = {row["id"]: row["description"] for row in self.world.bots(name)}
            row = self.world.settings(name)
            found[f"{name} settings"] = {k: _plain(v) for k, v in row.items() if k in _SETTINGS}
            found[f"{name} fallback"] = ids.get(row.get("fallbackId") or row.get("openaiIdFallback"))
        return found


_SETTINGS = ("expire", "keywordFinish", "delayMessage", "debounceTime", "ignoreJids", "keepOpen")


def _left(row: Mapping[str, Any]) -> set[str]:
    """What has no meaning for the bot's types and cannot be cleared by an update."""
    left = set() if row["triggerType"] == "keyword" else {"triggerOperator"}
    return left if row["botType"] == "chatCompletion" else {*left, "maxTokens"}


def _plain(value: Any) -> Any:
    """A value as a person sees it: null, "" and [] are all nothing."""
    return None if value in ("", []) else value
