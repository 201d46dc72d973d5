"""Calls at the same moment: none of the server's rules is a constraint of its database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.sandbox import Sandbox
from tests.support import Json, World

Answer = tuple[int, Json]


@pytest.fixture
def slow(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose database takes as long as a real one, so that calls of several threads overlap."""
    sandbox.options.pause = 0.02
    return sandbox


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """Makes the calls at the same moment; their answers in the same order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def creating(world: World, creds: str, **fields: Json) -> Callable[[], Answer]:
    body = {"enabled": True, "openaiCredsId": creds, "botType": "assistant", "triggerType": "none", **fields}
    return lambda: world.call("POST", "/openai/create/shop", body)


@pytest.mark.parametrize(
    "fields",
    [
        {"assistantId": "same"},
        {"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 1},
    ],
)
def test_two_equal_creates_both_succeed(slow: Sandbox, world: World, fields: dict[str, Json]) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    answers = at_once([creating(world, creds, **fields)] * 2)
    assert [status for status, _ in answers] == [201, 201]
    assert len(world.bots("shop")) == 3


@pytest.mark.parametrize(
    "trigger",
    [
        {"triggerType": "all"},
        {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "1"},
        {"triggerType": "advanced", "triggerValue": "contains:1"},
    ],
)
def test_two_equal_triggers_both_succeed(slow: Sandbox, world: World, trigger: dict[str, Json]) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    calls = [creating(world, creds, assistantId=name, **trigger) for name in ("one", "other")]
    assert [status for status, _ in at_once(calls)] == [201, 201]


def test_twins_block_each_other_until_one_moves_away(slow: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    _, (_, one), (_, other) = (0, None), *at_once([creating(world, creds, assistantId="same")] * 2)
    same = {"enabled": True, "openaiCredsId": creds, "botType": "assistant", "triggerType": "none"}
    paths = [f"/openai/update/{bot['id']}/shop" for bot in (one, other)]
    assert world.call("PUT", paths[0], {**same, "assistantId": "same"})[0] == 500
    assert world.call("PUT", paths[0], {**same, "assistantId": "moved"})[0] == 200
    assert world.call("PUT", paths[1], {**same, "assistantId": "same"})[0] == 200


def test_first_creates_race_for_the_settings(slow: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    answers = at_once([creating(world, creds, assistantId=f"p{n}") for n in range(8)])
    refused = [answer["response"]["message"] for status, answer in answers if status == 500]
    assert set(refused) == {"Error setting default settings"}
    assert len(world.bots("shop")) == 8 - len(refused) >= 1
    assert world.settings("shop")["openaiCredsId"] == creds


def test_a_bot_is_deleted_once(slow: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    path = f"/openai/delete/{world.bot('shop', creds)['id']}/shop"
    answers = at_once([lambda: world.call("DELETE", path)] * 3)
    assert sorted(status for status, _ in answers) == [200, 500, 500]


def test_an_update_that_a_delete_overtakes_is_refused(slow: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    bot = world.bot("shop", creds)
    body = {name: bot[name] for name in ("enabled", "openaiCredsId", "botType", "model", "maxTokens")}
    change = {**body, "triggerType": "all"}
    deleted, changed = at_once(
        [
            lambda: world.call("DELETE", f"/openai/delete/{bot['id']}/shop"),
            lambda: world.call("PUT", f"/openai/update/{bot['id']}/shop", change),
        ]
    )
    assert (deleted[0], changed[0]) == (200, 500)
    assert world.bots("shop") == []


def test_a_credential_is_registered_once(slow: Sandbox, world: World) -> None:
    world.instance("shop")
    body = {"name": "main", "apiKey": "sk-1"}
    answers = at_once([lambda: world.call("POST", "/openai/creds/shop", body)] * 3)
    assert sorted(status for status, _ in answers) == [201, 500, 500]
