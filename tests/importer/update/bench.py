"""A server and a directory of manifests, and the real stages between the two."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from pathlib import Path

from reconciler.apply import applier
from reconciler.domain.desired import Desired
from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.plan import Plan
from reconciler.domain.reports import UpdateReport
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import fetch
from reconciler.importer.updater import update
from reconciler.manifests import secrets
from reconciler.manifests.load import load
from reconciler.manifests.selection import matches
from reconciler.plan import matching
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.sandbox import Sandbox
from tests.support import Json, World, segment

OWNER = "gitops"


class Bench:
    """The manifests below a directory, applied to a sandbox."""

    def __init__(self, directory: Path, sandbox: Sandbox, world: World) -> None:
        self.bots, self.sandbox, self.world = directory / "bots", sandbox, world
        self.bots.mkdir()
        self.before: dict[str, bytes] = {}

    def put(self, files: Mapping[str, str | bytes], creds: Mapping[str, tuple[str, ...]]) -> None:
        """Makes the instances with their credentials, writes the files, and applies what they say."""
        for instance, names in creds.items():
            self.world.instance(instance, *names)
        for name, content in files.items():
            path = self.bots / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        made = self.plan()
        assert not made.problems, list(made.changes())
        asyncio.run(self._apply(made))
        assert not self.plan().writes
        self.before = self.contents()
        self.sandbox.calls.clear()

    def contents(self) -> dict[str, bytes]:
        """What every file holds, by its path below the directory."""
        paths = (path for path in self.bots.rglob("*") if path.is_file())
        return {path.relative_to(self.bots).as_posix(): path.read_bytes() for path in paths}

    def plan(self) -> Plan:
        """What the command would plan now."""

        async def run() -> Plan:
            desired = load(self.bots)
            async with Client(self._server) as client:
                seen = await fetch(
                    client, desired, lambda one, bots, kind: matching.needs_settings(one, bots, OWNER, kind)
                )
            return make(desired, seen, Options(OWNER))

        return asyncio.run(run())

    def update(self, *globs: str, for_all: bool = False) -> UpdateReport:
        """What `import --update` would do."""

        async def run() -> UpdateReport:
            async with Client(self._server) as client:
                every = load(self.bots).instances
                chosen = Desired(tuple(one for one in every if matches(one.name, globs)))
                return await update(client, chosen, self.bots, OWNER, for_all=for_all)

        return asyncio.run(run())

    def bot(self, instance: str, name: str, kind: Kind = OPENAI) -> Json:
        """A bot of ours as the server has it."""
        marker = f"[{OWNER}:{name}]"
        [found] = [bot for bot in self.world.bots(instance, kind) if marker in (bot["description"] or "")]
        return found

    def drift(self, instance: str, name: str, kind: Kind = OPENAI, **fields: Json) -> None:
        """Changes a bot on the server by hand; its description keeps its marker."""
        bot = self.bot(instance, name, kind)
        if "description" in fields:
            marker = bot["description"][bot["description"].index("[gitops:") :]
            fields["description"] = f"{fields['description']} {marker}".strip()
        self.world.change(instance, bot, kind, **fields)

    def drift_settings(self, instance: str, kind: Kind = OPENAI, **fields: Json) -> None:
        """Changes the settings of an instance on the server by hand."""
        row = self.world.settings(instance, kind)
        kept = {name: row[name] for name in (*kind.settings, *filter(None, [kind.credential]))}
        self.world.done("POST", f"/{kind.path}/settings/{segment(instance)}", {**kept, **fields})

    def diff(self) -> list[str]:
        """The lines that went and came, as git shows them; of files whose last byte changed, too."""
        found: list[str] = []
        after = self.contents()
        assert after.keys() >= self.before.keys()
        for name in sorted(after):
            both = (self.before.get(name, b""), after[name])
            old, new = (text.decode().splitlines(keepends=True) for text in both)
            found += [line for line in difflib.unified_diff(old, new, n=0) if line[:3] not in ("---", "+++")]
        return [line for line in found if not line.startswith("@@")]

    async def _apply(self, made: Plan) -> None:
        async with Client(self._server) as client:
            results = await applier.apply(client, made, secrets.read)
        assert results.ok, results

    @property
    def _server(self) -> Server:
        return Server(self.sandbox.url, self.sandbox.api_key, concurrency=4, retry_delay=0.005)
