"""Calls at the same moment: none of the server's rules is a constraint of its database."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from reconciler.sandbox import Sandbox
from tests.support import Json, World

Call = tuple[str, str, Json]
"""Method, path and body."""

Answer = tuple[int, Json]


def at_once(sandbox: Sandbox, calls: list[Call]) -> list[Answer]:
    """Makes the calls at the same moment, on a slow database; their answers in the same order.

    The server has all but the last byte of every call before it gets the last byte of any.
    """
    address = urlsplit(sandbox.url)
    sandbox.options.pause = 0.2  # more than even a busy machine takes between two of the last bytes
    with ExitStack() as stack:
        open_calls = []
        for method, path, body in calls:
            content = b"" if body is None else json.dumps(body).encode()
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\napikey: {sandbox.api_key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            whole = head.encode() + content
            connection = socket.create_connection((str(address.hostname), address.port or 80), timeout=60)
            stack.enter_context(connection)
            connection.sendall(whole[:-1])
            open_calls.append((connection, whole[-1:]))
        for connection, last in open_calls:
            connection.sendall(last)
        answers = []
        for connection, _ in open_calls:
            response = HTTPResponse(connection)
            response.begin()
            answers.append((response.status, json.loads(response.read())))
        sandbox.options.pause = 0.0
    return answers


def creating(creds: str, **fields: Json) -> Call:
    body = {"enabled": True, "openaiCredsId": creds, "botType": "assistant", "triggerType": "none", **fields}
    return "POST", "/openai/create/shop", body


@pytest.mark.parametrize(
    "fields",
    [
        {"assistantId": "same"},
        {"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 1},
    ],
)
def test_two_equal_creates_both_succeed(sandbox: Sandbox, world: World, fields: dict[str, Json]) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    answers = at_once(sandbox, [creating(creds, **fields)] * 2)
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
def test_two_equal_triggers_both_succeed(sandbox: Sandbox, world: World, trigger: dict[str, Json]) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    calls = [creating(creds, assistantId=name, **trigger) for name in ("one", "other")]
    assert [status for status, _ in at_once(sandbox, calls)] == [201, 201]


def test_duplicates_block_each_other_until_one_moves_away(sandbox: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    world.bot("shop", creds)
    _, (_, one), (_, other) = (0, None), *at_once(sandbox, [creating(creds, assistantId="same")] * 2)
    same = {"enabled": True, "openaiCredsId": creds, "botType": "assistant", "triggerType": "none"}
    paths = [f"/openai/update/{bot['id']}/shop" for bot in (one, other)]
    assert world.call("PUT", paths[0], {**same, "assistantId": "same"})[0] == 500
    assert world.call("PUT", paths[0], {**same, "assistantId": "moved"})[0] == 200
    assert world.call("PUT", paths[1], {**same, "assistantId": "same"})[0] == 200


def test_first_creates_race_for_the_settings(sandbox: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    answers = at_once(sandbox, [creating(creds, assistantId=f"p{n}") for n in range(4)])
    refused = [answer["response"]["message"] for status, answer in answers if status == 500]
    assert set(refused) == {"Error setting default settings"}
    assert len(world.bots("shop")) == 4 - len(refused) >= 1
    assert world.settings("shop")["openaiCredsId"] == creds


def test_a_bot_is_deleted_once(sandbox: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    path = f"/openai/delete/{world.bot('shop', creds)['id']}/shop"
    answers = at_once(sandbox, [("DELETE", path, None)] * 3)
    assert sorted(status for status, _ in answers) == [200, 500, 500]


def test_an_update_that_a_delete_overtakes_is_refused(sandbox: Sandbox, world: World) -> None:
    creds = world.instance("shop", "main")["main"]
    bot = world.bot("shop", creds)
    body = {name: bot[name] for name in ("enabled", "openaiCredsId", "botType", "model", "maxTokens")}
    change = {**body, "triggerType": "all"}
    deleted, changed = at_once(
        sandbox,
        [
            ("DELETE", f"/openai/delete/{bot['id']}/shop", None),
            ("PUT", f"/openai/update/{bot['id']}/shop", change),
        ],
    )
    assert (deleted[0], changed[0]) == (200, 500)
    assert world.bots("shop") == []


def test_a_credential_is_registered_once(sandbox: Sandbox, world: World) -> None:
    world.instance("shop")
    body = {"name": "main", "apiKey": "sk-1"}
    answers = at_once(sandbox, [("POST", "/openai/creds/shop", body)] * 3)
    assert sorted(status for status, _ in answers) == [201, 500, 500]
