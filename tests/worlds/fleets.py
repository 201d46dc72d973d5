"""Random fleets: what manifests declare on one server or several, now and before, and what hands did since.

The spaces of names, keys and triggers are small, so that bots move, swap and are in each other's way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.cli.servers import Fleet

NAMES = ("menu", "orders", "night", "sales")
LOCAL = ("a", "b", "c", "d")

Bots = dict[str, tuple[int, str]]
"""By name: the tokens and the trigger, both unique in an instance."""


@dataclass
class Client:
    """What one manifest declares. creds: "main", "own", or the instance whose credential it shares."""

    bots: Bots
    creds: str = "main"
    settings: int = 0


@dataclass
class Clients:
    """What all manifests declare, by SERVER/INSTANCE, and the versions of the keys."""

    random: Random
    servers: tuple[str, ...]
    of: dict[str, Client] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The manifest of an instance."""
        client, (server, local) = self.of[name], name.split("/")
        owner = client.creds.removeprefix("shares ")
        creds = {"main": "main", "own": f"key-{local}"}.get(
            client.creds, f"{{instance: {owner}, name: key-{owner}}}"
        )
        lines = [f"server: {server}", f"instance: {local}"]
        if client.creds == "own":
            lines.append(f"credentials: {{key-{local}: {{apiKey: !env {self.variable(name)}}}}}")
        if client.creds.startswith("shares"):  # the server makes no settings with another one's credential
            lines.append(f"settings: {{openaiCreds: main, expire: {client.settings}}}")
        elif client.settings:
            lines.append(f"settings: {{expire: {client.settings}}}")
        lines.append(f"defaults: {{openaiCreds: {creds}, botType: chatCompletion, model: gpt-4o}}")
        lines.append("bots:" if client.bots else "bots: {}")
        for bot, (tokens, trigger) in client.bots.items():
            lines.append(
                f"  {bot}: {{maxTokens: {tokens}, triggerType: keyword, triggerOperator: equals, "
                f"triggerValue: {trigger}}}"
            )
        return "\n".join(lines) + "\n"

    def variable(self, name: str) -> str:
        """The variable with an instance's key."""
        return f"OPENAI_{name.replace('/', '_').replace('-', '_').upper()}"

    def env(self) -> dict[str, str]:
        """The keys of all credentials."""
        return {
            self.variable(name): f"sk-proj-{name.replace('/', '')}-{version}-{'k' * 30}"
            for name, version in self.keys.items()
        }

    def write(self, fleet: Fleet) -> None:
        """Write the manifests in the place of those that are there."""
        for path in fleet.bots.rglob("*.yaml"):
            path.unlink()
        for name in self.of:
            fleet.write(f"{name}.yaml", self.text(name))

    # -- what people do -----------------------------------------------------------------------

    def first(self) -> None:
        """Declare something on every instance, or nearly."""
        for server in self.servers:
            owner = self.random.choice(LOCAL)
            for local in LOCAL:
                if self.random.random() < 0.15 and local != owner:
                    continue
                creds = self.random.choice(("main", "main", "own", f"shares {owner}"))
                if local == owner:
                    creds = "own"
                self.of[f"{server}/{local}"] = Client(self._bots(), creds, self.random.choice((0, 0, 60)))
                self.keys[f"{server}/{local}"] = 1

    def _bots(self) -> Bots:
        names = self.random.sample(NAMES, self.random.choice((0, 1, 2, 2, 3)))
        tokens = self.random.sample(range(100, 106), len(names))
        triggers = self.random.sample("123456", len(names))
        return {name: (each, trigger) for name, each, trigger in zip(names, tokens, triggers, strict=True)}

    def then(self) -> None:
        """Change what is declared."""
        for _ in range(self.random.randint(2, 8)):
            name = self.random.choice(sorted(self.of))
            client, what = self.of[name], self.random.random()
            if what < 0.35 and client.bots:
                self._move(name)
            elif what < 0.5 and client.bots:
                del client.bots[self.random.choice(sorted(client.bots))]
            elif what < 0.65:
                client.bots = self._bots()
            elif what < 0.75:
                self.keys[name] += 1
            elif what < 0.85 and len(self.of) > 2:
                self._leave(name)
            elif what < 0.95:
                client.settings = self.random.choice((0, 30, 60))

    def _move(self, name: str) -> None:
        client = self.of[name]
        bot = self.random.choice(sorted(client.bots))
        other = self.of[self.random.choice(sorted(self.of))]
        tokens, trigger = client.bots.pop(bot)
        there = {*(each for each, _ in other.bots.values())}, {*(each for _, each in other.bots.values())}
        if bot not in other.bots and tokens not in there[0] and trigger not in there[1]:
            other.bots[bot] = tokens, trigger

    def _leave(self, name: str) -> None:
        """Its manifest goes, or goes to another server; but not that of a credential that others share."""
        server, local = name.split("/")
        users = (one.creds for each, one in self.of.items() if each.startswith(f"{server}/"))
        if f"shares {local}" in users:
            return
        client = self.of.pop(name)
        other = f"{self.random.choice(self.servers)}/{local}"
        if other not in self.of and client.creds in {"main", "own"} and self.random.random() < 0.6:
            self.of[other] = client
            self.keys.setdefault(other, 1)

    def hands(self, fleet: Fleet) -> None:
        """Somebody edits and deletes bots on the servers."""
        for server in self.servers:
            with fleet.world(server) as world:
                for local in LOCAL:
                    for bot in world.bots(local):
                        if self.random.random() < 0.1:
                            world.change(local, bot, expire=self.random.randint(1, 9))
                        elif self.random.random() < 0.07:
                            world.remove(local, bot)


def clients(fleet: Fleet, seed: int) -> Clients:
    """A fleet that was applied, and that has changed since: manifests, keys, and the servers by hand."""
    found = Clients(Random(seed), tuple(fleet.running))  # noqa: S311  nothing secret
    found.first()
    for server in found.servers:
        fleet.running[server].seed({local: {"main"} for local in LOCAL})
    found.write(fleet)
    fleet.env |= found.env()
    fleet.run("apply", "--yes")
    found.then()
    found.hands(fleet)
    if found.random.random() < 0.2:  # an instance that nobody made
        found.of[f"{found.servers[0]}/ghost"] = Client({"menu": (100, "1")})
    found.write(fleet)
    fleet.env |= found.env()
    return found


def home(tmp: Path, number: int) -> Path:
    """A directory for one fleet."""
    made = tmp / str(number)
    made.mkdir()
    return made
