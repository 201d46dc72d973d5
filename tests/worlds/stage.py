"""A sandbox that a whole world is put on, and the stages of a run against it, over real HTTP.

The world goes straight into the database: it may be one that no sequence of calls leads to.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from reconciler.apply import applier
from reconciler.domain.desired import Desired, DesiredInstance, DesiredSettings
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import Observed, RemoteBot
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import fetch
from reconciler.manifests import secrets
from reconciler.manifests.load import load
from reconciler.plan import matching
from reconciler.plan.planner import make
from reconciler.sandbox import Sandbox
from reconciler.sandbox.instances import new_instance
from reconciler.sandbox.store import Row, Store
from tests.plan import settling
from tests.plan.builders import options_of
from tests.support import Json
from tests.worlds.generators import CREDENTIALS, OWNER, Pair, World, creds_id

T = TypeVar("T")
_TAGGED = re.compile(r'"(!secret-file) ([^"]*)"')


class Stage:
    """A sandbox with its state in a file below the directory, which outlives a restart."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.directory = directory
        self.db = directory / "sandbox.db"
        self.sandbox = Sandbox(self.db, **options)
        self._restarting = threading.Lock()

    def __enter__(self) -> Self:
        self.sandbox.__enter__()
        self.store = Store(self.db)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        self.sandbox.__exit__(None, None, None)

    @property
    def port(self) -> int:
        """The server's port, another one after each restart."""
        return int(self.sandbox.url.rpartition(":")[2])

    def restart(self) -> None:
        """The server ends, its connections with it, and comes back."""
        with self._restarting:
            old = self.sandbox
            old.__exit__(None, None, None)
            options = old.options
            new = Sandbox(self.db, version=options.version, latency=options.latency, pause=options.pause)
            new.calls = old.calls
            self.sandbox = new.__enter__()

    # -- the world ----------------------------------------------------------------------------

    def put(self, pair: Pair) -> Desired:
        """Makes the server this world's and no other, and writes and loads the manifests."""
        self.sandbox.clear()
        self.sandbox.options.latency = self.sandbox.options.pause = 0.0
        _now(self._fill(pair.worlds))
        return self.declare({world.instance: world.manifest for world in pair.worlds})

    def declare(self, manifests: Mapping[str, Json]) -> Desired:
        """Writes manifests in the place of those that are there, and loads them."""
        shutil.rmtree(self.bots, ignore_errors=True)
        self.bots.mkdir()
        for number, manifest in enumerate(manifests.values()):
            # JSON is YAML: each reader takes its turn, but where a tag stands, which JSON has none of.
            text = _TAGGED.sub(r'\1 "\2"', json.dumps(manifest))
            ending = ".yaml" if "apiKey" in text else (".json", ".yaml")[number % 2]
            (self.bots / f"{number}{ending}").write_text(text)
        return load(self.bots)

    @property
    def bots(self) -> Path:
        """The directory of the manifests."""
        return self.directory / "bots"

    async def _fill(self, worlds: tuple[World, ...]) -> None:
        for world in worlds:
            instance = await self.store.insert("instances", new_instance(world.instance))
            of = {"instanceId": instance["id"]}
            for name in CREDENTIALS:
                ident = creds_id(world.instance, name)
                # Names are unique in the whole database, but for those that have a seeded key.
                await self.store.insert(
                    "creds", {"id": ident, "name": name, "apiKey": f"sk-seeded-{ident}", **of}
                )
            for bot in world.bots:
                await self.store.insert("bots", {**bot, **of})
            if world.settings is not None:
                await self.store.insert("settings", {**world.settings, **of})

    def rows(self, table: str = "bots", instance: str | None = None) -> dict[str, Row]:
        """The rows as they are in the database, by id; of one instance or of all."""
        where = {}
        if instance is not None:
            [found] = _now(self.store.all("instances", name=instance))
            where = {"instanceId": found["id"]}
        return {row["id"]: row for row in _now(self.store.all(table, **where))}

    def change(self, id: str, **fields: Json) -> None:
        """Another hand changes a bot."""
        _now(self.store.update("bots", id, fields))

    def insert(self, instance: str, bot: Mapping[str, Json], table: str = "bots") -> None:
        """Another hand makes a bot, or something else."""
        [found] = _now(self.store.all("instances", name=instance))
        _now(self.store.insert(table, {**bot, "instanceId": found["id"]}))

    def open(self, instance: str) -> None:
        """Another hand makes an instance."""
        _now(self.store.insert("instances", new_instance(instance)))

    def remove(self, id: str) -> None:
        """Another hand deletes a bot."""
        _now(self.store.delete("bots", id))

    # -- the stages ---------------------------------------------------------------------------

    def server(self, url: str | None = None, timeout: float = 10.0) -> Server:
        """How to reach the sandbox, or what stands before it; retries come quickly."""
        url = url or self.sandbox.url
        return Server(url, self.sandbox.api_key, timeout=timeout, concurrency=4, retry_delay=0.005)

    async def planned(self, client: Client, desired: Desired, pair: Pair | None = None) -> Plan:
        """What the command would plan; pruning is not limited. Raises ReconcilerError."""
        replace, prune = pair is not None and pair.replace, pair is not None and pair.prune

        def settings(instance: DesiredInstance, bots: tuple[RemoteBot, ...], kind: Kind) -> bool:
            return matching.needs_settings(instance, bots, OWNER, kind, replace=replace)

        options = options_of(owner=OWNER, replace=replace, prune=prune, max_deletes=100, max_delete_share=100)
        observed = await fetch(client, desired, settings, secrets.keys(desired))
        made = make(desired, observed, options)
        settling.check(desired, observed, options, made)
        return made

    def observed(self, desired: Desired) -> Observed:
        """What the command would read, with the settings of every kind."""

        async def run() -> Observed:
            async with Client(self.server()) as client:
                everything = Desired(tuple(_with_settings(one) for one in desired.instances))
                return await fetch(client, everything, lambda instance, bots, kind: True)

        return asyncio.run(run())

    def plan(self, desired: Desired, pair: Pair | None = None, server: Server | None = None) -> Plan:
        """The same, with a client of its own."""

        async def run() -> Plan:
            async with Client(server or self.server()) as client:
                return await self.planned(client, desired, pair)

        return asyncio.run(run())

    def apply(self, plan: Plan, server: Server | None = None) -> Results:
        """What the command would do about it."""

        async def run() -> Results:
            async with Client(server or self.server()) as client:
                return await applier.apply(client, plan, secrets.read)

        return asyncio.run(run())


def _with_settings(one: DesiredInstance) -> DesiredInstance:
    """The instance, as if something were declared of every kind's settings."""
    return replace(one, settings={path: DesiredSettings({}, one.at) for path in KINDS})


def _now(work: Coroutine[Any, Any, T]) -> T:
    """The store's methods wait for nothing when it has no pause."""
    return asyncio.run(work)
