"""The calls for each kind's bots and settings, and the secrets in their rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from reconciler.domain.desired import Fields
from reconciler.domain.errors import Absent, Disabled, Refused
from reconciler.domain.hidden import KEY as COVERED
from reconciler.domain.hidden import MASK, Hidden, hide
from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.observed import RemoteBot
from reconciler.evolution.client import Client, Server
from reconciler.sandbox import Sandbox
from tests.evolution.scripted import asked, refusal, reply
from tests.evolution.test_secrets import everything
from tests.support import World

SIBLINGS = [kind for kind in KINDS.values() if not kind.credential]
CANARY = "canary-4f7Xy9Zq0123456789"
SECRETS = [
    pytest.param(kind, name, id=f"{kind.path}-{name}")
    for kind in SIBLINGS
    for name, field in kind.fields.items()
    if field.hides == "whole"
]
T = TypeVar("T")


def _path(kind: Kind) -> str:
    return kind.path


each_kind = pytest.mark.parametrize("kind", SIBLINGS, ids=_path)
each_secret = pytest.mark.parametrize(("kind", "name"), SECRETS)


def done(server: Sandbox, work: Callable[[Client], Awaitable[T]]) -> T:
    """What some calls by one client come to."""

    async def run() -> T:
        async with Client(Server(server.url, server.api_key)) as client:
            return await work(client)

    return asyncio.run(run())


def body(kind: Kind, key: str = "1") -> Fields:
    """The fields of a bot with this key, its secrets hidden as the manifests' are."""
    values: dict[str, str | bool] = {"enabled": True, "triggerType": "none"}
    if "botType" in kind.fields:
        values["botType"] = kind.fields["botType"].choices[0]
    for name in kind.key(values):
        values.setdefault(name, CANARY if kind.fields[name].hides == "whole" else f"{name}-{key}")
    return {name: hide(kind.fields[name], value) for name, value in values.items()}


@each_kind
def test_a_bots_life(sandbox: Sandbox, world: World, kind: Kind) -> None:
    world.instance("loja")

    async def work(client: Client) -> tuple[RemoteBot, RemoteBot]:
        assert await client.find("loja", kind) == ()
        made = await client.create("loja", body(kind), kind)
        assert await client.find("loja", kind) == (made,)
        changed = await client.update("loja", made.id, {**body(kind), "expire": 7}, kind)
        await client.delete("loja", changed.id, kind)
        assert await client.find("loja", kind) == ()
        return made, changed

    made, changed = done(sandbox, work)
    assert {name: made.fields[name] for name in body(kind)} == body(kind)
    assert (changed.id, changed.fields["expire"], changed.unread, changed.unseen) == (
        made.id,
        7,
        (),
        frozenset(),
    )
    assert {call.path.split("/")[1] for call in sandbox.calls[1:]} == {kind.path}


@each_kind
def test_settings(sandbox: Sandbox, world: World, kind: Kind) -> None:
    world.instance("loja")
    values = {name: field.default for name, field in kind.settings.items()} | {"expire": 7}

    async def work(client: Client) -> None:
        assert not (await client.settings("loja", kind)).exists
        bot = await client.create("loja", body(kind), kind)
        saved = await client.save_settings("loja", {**values, "fallbackId": bot.id}, kind)
        assert saved.fields == values
        assert saved == await client.settings("loja", kind)
        assert (saved.exists, saved.fallback) == (True, bot.id)

    done(sandbox, work)


def test_2_2_3_says_otherwise_what_it_deletes() -> None:
    kind = KINDS["typebot"]
    with Sandbox(version="2.2.3") as server, World(server.url, server.api_key) as world:
        world.instance("loja")

        async def work(client: Client) -> tuple[RemoteBot, ...]:
            made = await client.create("loja", body(kind), kind)
            assert made.unseen == {"splitMessages", "timePerChar"}
            await client.delete("loja", made.id, kind)
            return await client.find("loja", kind)

        assert done(server, work) == ()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.switch], ids=lambda kind: str(kind.path)
)
def test_a_kind_that_is_switched_off(sandbox: Sandbox, world: World, kind: Kind) -> None:
    world.instance("loja")
    sandbox.options.disabled = frozenset({kind.path})
    with pytest.raises(Disabled, match=f"^The {kind.label} integration of .*: set {kind.switch}=true in"):
        done(sandbox, lambda client: client.find("loja", kind))


@pytest.mark.parametrize("kind", [KINDS["n8n"], KINDS["evoai"]], ids=_path)
def test_a_kind_that_the_server_is_too_old_for(kind: Kind) -> None:
    with Sandbox(version="2.2.3") as server, World(server.url, server.api_key) as world:
        world.instance("a loja")  # the path of which has a %, as one that a proxy decodes would
        words = f"^The server at {server.url} has no {kind.label} bots: they came with version 2.3.0.$"
        with pytest.raises(Absent, match=words):
            done(server, lambda client: client.find("a loja", kind))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda client, kind: client.find("loja", kind), "Cannot read the Dify bots of"),
        (lambda client, kind: client.create("loja", {}, kind), "Cannot create a Dify bot of"),
        (lambda client, kind: client.update("loja", "b1", {}, kind), "Cannot update the Dify bot b1 of"),
        (lambda client, kind: client.delete("loja", "b1", kind), "Cannot delete the Dify bot b1 of"),
        (lambda client, kind: client.settings("loja", kind), "Cannot read the Dify settings of"),
        (lambda client, kind: client.save_settings("loja", {}, kind), "Cannot save the Dify settings of"),
    ],
)
def test_an_error_names_a_kind_that_is_not_the_default(
    call: Callable[[Client, Kind], Awaitable[object]], words: str
) -> None:
    outcome, _ = asked(lambda client: call(client, KINDS["dify"]), refusal(400, ["x"]))
    assert str(outcome).startswith(words)
    outcome, _ = asked(lambda client: call(client, DEFAULT), refusal(400, ["x"]))
    assert str(outcome).startswith(words.replace("Dify ", ""))


# -- secrets ------------------------------------------------------------------------------------


def test_each_kind_has_its_secrets() -> None:
    assert [case.id for case in SECRETS] == [
        "dify-apiKey",
        "flowise-apiKey",
        "n8n-basicAuthPass",
        "evoai-apiKey",
        "evolutionBot-apiKey",
    ]


@each_secret
def test_a_secret_is_compared_and_never_shown(sandbox: Sandbox, world: World, kind: Kind, name: str) -> None:
    world.instance("loja")

    async def work(client: Client) -> RemoteBot:
        await client.create("loja", {**body(kind), "description": f"x {CANARY}"}, kind)
        return (await client.find("loja", kind))[0]

    bot = done(sandbox, work)
    shown = bot.fields[name]
    assert isinstance(shown, Hidden)
    assert (str(shown), shown.real, bot.fields["description"]) == (MASK, CANARY, f"x {CANARY}")
    assert str(bot.fields["description"]) == f"x {COVERED}"
    assert CANARY not in f"{bot} {bot!r}"
    assert shown == CANARY
    assert shown != "another"


@each_secret
@pytest.mark.parametrize(
    "echo",
    [
        lambda row: refusal(500, f"Invalid `findFirst()` invocation: {row}"),
        lambda row: refusal(400, [[f"{row}"]]),
        lambda row: reply(200, {"bot": row}),
        lambda row: reply(200, [{**row, "id": 1}, row, row]),
    ],
    ids=["words", "list", "shape", "rows"],
)
def test_a_secret_is_in_no_error(
    kind: Kind, name: str, echo: Callable[[object], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    row = {"id": "b1", "enabled": True, "triggerType": "none", name: CANARY, "description": None}
    for call in (
        lambda client: client.create("loja", body(kind), kind),
        lambda client: client.update("loja", "b1", body(kind), kind),
    ):
        outcome, spy = asked(call, echo(row))  # type: ignore[arg-type]
        assert CANARY in spy.requests[0].body.decode(), "it was sent"
        assert isinstance(outcome, Exception)
        assert CANARY not in everything(outcome)
    assert CANARY not in caplog.text


@each_secret
def test_a_secret_that_was_read_is_in_no_later_error(kind: Kind, name: str) -> None:
    required = dict.fromkeys(kind.schema.required, "x") | {"enabled": True, "triggerType": "none"}
    if "botType" in kind.fields:
        required["botType"] = kind.fields["botType"].choices[0]
    row = {"id": "b1", **required, name: CANARY, "description": None}

    async def calls(client: Client) -> None:
        (bot,) = await client.find("loja", kind)
        assert bot.unread == ()
        await client.delete("loja", "b1", kind)

    outcome, _ = asked(calls, reply(200, [row]), refusal(500, f"where: {CANARY}"))
    assert isinstance(outcome, Refused)
    assert CANARY not in everything(outcome)
    assert "[key]" in str(outcome)


def test_a_short_password_covers_no_word_of_other_texts(sandbox: Sandbox, world: World) -> None:
    kind = KINDS["n8n"]
    world.instance("loja")
    row = {
        "enabled": True,
        "triggerType": "none",
        "webhookUrl": "https://n8n.example",
        "basicAuthPass": "menu",
    }
    world.done("POST", "/n8n/create/loja", {**row, "description": "Front desk [gitops:menu]"})
    (bot,) = done(sandbox, lambda client: client.find("loja", kind))
    assert (str(bot.fields["description"]), str(bot.fields["basicAuthPass"])) == (
        "Front desk [gitops:menu]",
        MASK,
    )
