"""The servers that the contract is put to: the sandbox always, a real 2.3.x on request (-m live)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reconciler.domain.kinds import Kind
from reconciler.sandbox import Sandbox
from tests.support import Json, World, segment


@dataclass(slots=True)
class Shop:
    """A server with an instance of its own for one test, and room for more. All go when the test ends.

    name: the first instance. creds: the id of its one credential. token: the instance's own key.
    """

    world: World
    prefix: str
    made: list[str] = field(default_factory=list)
    creds: str = ""

    @property
    def name(self) -> str:
        return self.made[0]

    @property
    def token(self) -> str:
        return f"token-{self.name}"

    def instance(self, suffix: str) -> tuple[str, str]:
        """Makes a further instance with one credential: their name and id."""
        name = f"{self.prefix}-{suffix}"
        self.made.append(name)
        body = {"instanceName": name, "integration": "EVOLUTION", "token": f"token-{name}"}
        self.world.done("POST", "/instance/create", body)
        return name, self.world.creds(name, f"{name}-main")

    def path(self, action: str, *ids: str) -> str:
        """The path of a route for the first instance."""
        return "/".join(["/openai", action, *ids, segment(self.name)])

    def body(self, **fields: Json) -> dict[str, Any]:
        """The smallest body of a bot, an assistant without a trigger, with these fields."""
        return {
            "enabled": True,
            "openaiCredsId": self.creds,
            "botType": "assistant",
            "assistantId": "asst_1",
            "triggerType": "none",
            **fields,
        }

    def create(self, **fields: Json) -> tuple[int, Json]:
        """Tries to make a bot."""
        return self.world.call("POST", self.path("create"), self.body(**fields))

    def made_bot(self, **fields: Json) -> Json:
        """Makes a bot."""
        status, bot = self.create(**fields)
        assert status == 201, bot
        return bot

    def update(self, bot: Json, **fields: Json) -> tuple[int, Json]:
        """Tries to change a bot, with the smallest body and these fields."""
        return self.world.call("PUT", self.path("update", bot["id"]), self.body(**fields))

    def bots(self) -> list[Json]:
        """The bots of the first instance."""
        return self.world.bots(self.name)


@dataclass(slots=True)
class Stall:
    """The bots of one kind, in an instance of its own for one test. made: instances to remove at its end."""

    world: World
    kind: Kind
    name: str
    made: list[str]

    def of(self, kind: Kind) -> Stall:
        """The bots of another kind in this instance."""
        return replace(self, kind=kind)

    def beside(self) -> Stall:
        """The bots of this kind in a further instance."""
        return replace(self, name=_made(self.world, f"{self.name}-{len(self.made)}", self.made))

    def call(
        self, method: str, action: str, body: Json = None, *, ids: Sequence[str] = ()
    ) -> tuple[int, Json]:
        """A call of one of the kind's routes."""
        path = "/".join([f"/{self.kind.path}", action, *ids, segment(self.name)])
        return self.world.call(method, path, body)

    def body(self, key: int = 1, **fields: Json) -> dict[str, Json]:
        """The smallest body of a bot without a trigger, with a key of this number, and with these fields."""
        body: dict[str, Json] = {"enabled": True, "triggerType": "none"}
        if "botType" in self.kind.fields:
            body["botType"] = self.kind.fields["botType"].choices[0]
        for name in self.kind.key(body):
            body.setdefault(
                name, f"https://{name}.example/{key}" if name.lower().endswith("url") else f"{name}-{key}"
            )
        return {**body, **fields}

    def create(self, key: int = 1, **fields: Json) -> tuple[int, Json]:
        """Tries to make a bot."""
        return self.call("POST", "create", self.body(key, **fields))

    def made_bot(self, key: int = 1, **fields: Json) -> Json:
        """Makes a bot."""
        status, bot = self.create(key, **fields)
        assert status == 201, bot
        return bot

    def update(self, bot: Json, key: int = 1, **fields: Json) -> tuple[int, Json]:
        """Tries to change a bot, with the smallest body and these fields."""
        return self.call("PUT", "update", self.body(key, **fields), ids=[bot["id"]])

    def bots(self) -> list[Json]:
        """The bots as stored."""
        status, found = self.call("GET", "find")
        assert status == 200, found
        return list(found)

    def settings(self) -> Json:
        """The settings as the server shows them."""
        status, settings = self.call("GET", "fetchSettings")
        assert status == 200, settings
        return settings


def _made(world: World, name: str, made: list[str]) -> str:
    made.append(name)
    world.done("POST", "/instance/create", {"instanceName": name, "integration": "EVOLUTION"})
    return name


@pytest.fixture(params=["sandbox", pytest.param("live", marks=pytest.mark.live)])
def server(request: pytest.FixtureRequest) -> Iterator[World]:
    """A server, and the right to do anything on it in instances that one has made."""
    if request.param == "sandbox":
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        url, key = sandbox.url, sandbox.api_key
    else:
        url, key = os.environ.get("EVOLUTION_API_URL", ""), os.environ.get("EVOLUTION_API_KEY", "")
        if not url or not key:
            pytest.skip("EVOLUTION_API_URL and EVOLUTION_API_KEY name no real server")
    with World(url, key) as world:
        yield world


@pytest.fixture
def shop(server: World) -> Iterator[Shop]:
    """An instance with a credential; it and whatever else the test makes through it goes afterwards."""
    shop = Shop(server, f"contract-{secrets.token_hex(6)}")
    try:
        _, shop.creds = shop.instance("a")
        yield shop
    finally:
        for name in reversed(shop.made):
            server.call("DELETE", f"/instance/delete/{segment(name)}")


@pytest.fixture
def stall(request: pytest.FixtureRequest, server: World) -> Iterator[Stall]:
    """The bots of the kind that the test is for. Skips it where the server has that kind switched off."""
    kind: Kind = request.param
    made: list[str] = []
    try:
        stall = Stall(server, kind, _made(server, f"contract-{secrets.token_hex(6)}", made), made)
        status, answer = stall.call("GET", "find")
        if status == 400:
            pytest.skip(f"{answer['response']['message'][0]} on this server ({kind.switch})")
        yield stall
    finally:
        for name in reversed(made):
            server.call("DELETE", f"/instance/delete/{segment(name)}")
