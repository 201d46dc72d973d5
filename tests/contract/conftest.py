"""The servers that the contract is put to: the sandbox always, a real 2.3.x on request (-m live)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

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
