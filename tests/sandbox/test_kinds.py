"""What no recording shows of the kinds beside OpenAI; written after the server's public source alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS, Kind
from reconciler.sandbox import Sandbox
from reconciler.sandbox.store import bots_of, settings_of
from tests.support import Json, World

SIBLINGS = [kind for kind in KINDS.values() if not kind.credential]
OF_2_2 = [KINDS[name] for name in ("typebot", "dify", "flowise", "evolutionBot")]

N8N: Json = {"enabled": True, "triggerType": "none", "webhookUrl": "https://n8n.example"}
COMPLETE: Json = {
    "expire": 20,
    "keywordFinish": "#sair",
    "delayMessage": 1000,
    "unknownMessage": "?",
    "listeningFromMe": True,
    "stopBotFromMe": True,
    "keepOpen": True,
    "debounceTime": 1,
    "ignoreJids": [],
}


def _path(kind: Kind) -> str:
    return kind.path


each_kind = pytest.mark.parametrize("kind", SIBLINGS, ids=_path)


def body(kind: Kind, key: str = "1", **fields: Json) -> Json:
    """The smallest body of a bot with this key."""
    given: Json = {
        "enabled": True,
        "triggerType": "none",
        **({"botType": "agent"} if "botType" in kind.fields else {}),
    }
    return {**{name: f"{name}-{key}" for name in kind.key(given)}, **given, **fields}


def message(answer: tuple[int, Json]) -> tuple[int, Json]:
    """The status and the reason of a refusal."""
    return answer[0], answer[1]["response"]["message"]


@pytest.fixture
def shop(world: World) -> World:
    world.instance("shop")
    return world


# -- what is switched off -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=_path)
def test_a_kind_that_is_switched_off(sandbox: Sandbox, shop: World, kind: Kind) -> None:
    sandbox.options.disabled = frozenset({kind.path})
    answer = shop.call("GET", f"/{kind.path}/find/shop")
    assert (
        answer == (200, [])
        if kind.switch is None
        else message(answer) == (400, [f"{kind.title} is disabled"])
    )
    for other in KINDS.values():
        if other is not kind:
            assert shop.call("GET", f"/{other.path}/find/shop") == (200, [])


def test_the_schema_comes_before_the_switch(sandbox: Sandbox, shop: World) -> None:
    sandbox.options.disabled = frozenset({"dify"})
    status, (reasons,) = message(shop.call("POST", "/dify/create/shop", {}))
    assert (status, reasons[0]) == (400, 'instance requires property "enabled"')


# -- routes ---------------------------------------------------------------------------------------


@each_kind
def test_ids_belong_to_one_kind(shop: World, kind: Kind) -> None:
    bot = shop.done("POST", f"/{kind.path}/create/shop", body(kind))
    for other in SIBLINGS:
        assert shop.call("GET", f"/{other.path}/fetch/{bot['id']}/shop") == (
            200,
            bot if other is kind else None,
        )


@each_kind
def test_paths_are_read_whatever_their_case(shop: World, kind: Kind) -> None:
    assert shop.call("GET", f"/{kind.path.upper()}/FIND/shop") == (200, [])
    bot = shop.done("POST", f"/{kind.path}/create/shop", body(kind))
    assert shop.done("GET", f"/{kind.path}/fetch/x/shop?{kind.path}Id={bot['id']}") == bot


@each_kind
def test_there_are_no_credentials(shop: World, kind: Kind) -> None:
    assert message(shop.call("GET", f"/{kind.path}/creds/shop")) == (
        404,
        [f"Cannot GET /{kind.path}/creds/shop"],
    )


@each_kind
def test_sessions(shop: World, kind: Kind) -> None:
    bot = shop.done("POST", f"/{kind.path}/create/shop", body(kind))
    assert shop.call("GET", f"/{kind.path}/fetchSessions/{bot['id']}/shop") == (200, [])
    changed = {"remoteJid": "5@x", "status": "delete"}
    assert shop.call("POST", f"/{kind.path}/changeStatus/shop", changed) == (200, {"bot": changed})


@each_kind
def test_ignore_jid(shop: World, kind: Kind) -> None:
    added = {"remoteJid": "1@x", "action": "add"}
    path = f"/{kind.path}/ignoreJid/shop"
    assert message(shop.call("POST", path, added)) == (500, "Error setting default settings")
    shop.done("POST", f"/{kind.path}/create/shop", body(kind))
    assert shop.call("POST", path, added) == (200, {"ignoreJids": ["1@x"]})
    assert shop.call("POST", path, {**added, "action": "remove"}) == (200, {"ignoreJids": []})


# -- n8n's password, whose type no schema checks ---------------------------------------------------


@pytest.mark.parametrize("wrong", [1, True, ["x"]])
def test_a_password_that_is_no_text(shop: World, wrong: Json) -> None:
    assert shop.call("POST", "/n8n/create/shop", {**N8N, "basicAuthPass": wrong})[0] == 500
    assert shop.call("GET", "/n8n/find/shop") == (200, [])


def test_a_password_of_null_is_that_of_a_bot_without_one(shop: World) -> None:
    shop.done("POST", "/n8n/create/shop", {**N8N, "basicAuthPass": "x"})
    shop.done("POST", "/n8n/create/shop", {**N8N, "basicAuthPass": None})
    answer = shop.call("POST", "/n8n/create/shop", {**N8N, "basicAuthPass": None})
    assert message(answer) == (500, "N8n already exists")


def test_an_empty_object_is_no_condition(shop: World) -> None:
    empty = {**N8N, "basicAuthPass": {}}
    assert message(shop.call("POST", "/n8n/create/shop", empty)) == (500, "Error creating N8n")
    shop.done("POST", "/n8n/create/shop", {**N8N, "basicAuthPass": "x"})
    assert message(shop.call("POST", "/n8n/create/shop", empty)) == (500, "N8n already exists")


# -- databases on disk ----------------------------------------------------------------------------


def test_a_database_from_before_the_other_kinds(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(db) as server, World(server.url, server.api_key) as world:
        bot = world.bot("shop", world.instance("shop", "main")["main"])
    with closing(sqlite3.connect(db)) as opened:
        for kind in SIBLINGS:
            opened.execute(f"DROP TABLE {settings_of(kind)}")
            opened.execute(f"DROP TABLE {bots_of(kind)}")
        opened.execute("DROP TABLE sessions")
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {"server", "instances", "creds", "bots", "settings"}
    with Sandbox(db) as server, World(server.url, server.api_key) as world:
        assert world.bots("shop") == [bot]
        assert world.call("POST", "/dify/create/shop", body(KINDS["dify"]))[0] == 201


# -- 2.2.3 ----------------------------------------------------------------------------------------


@pytest.fixture
def older() -> Iterator[World]:
    with Sandbox(version="2.2.3") as server, World(server.url, server.api_key) as world:
        world.instance("shop")
        yield world


@pytest.mark.parametrize("kind", [KINDS["n8n"], KINDS["evoai"]], ids=_path)
def test_2_2_3_lacks_younger_kinds(older: World, kind: Kind) -> None:
    assert message(older.call("GET", f"/{kind.path}/find/shop")) == (
        404,
        [f"Cannot GET /{kind.path}/find/shop"],
    )


@pytest.mark.parametrize("kind", OF_2_2, ids=_path)
def test_2_2_3_bots(older: World, kind: Kind) -> None:
    assert older.call("GET", f"/{kind.path}/find/shop") == (200, None)
    assert older.call("GET", f"/{kind.path}/fetch/nobody/shop")[0] == 500
    path = f"/{kind.path}/create/shop"
    bot = older.done("POST", path, body(kind, **COMPLETE))
    assert bot.keys() == {*kind.fields, "id", "createdAt", "updatedAt", "instanceId"} - {
        name for name, since in kind.fields_since.items() if since > (2, 2, 3)
    }
    assert older.call("GET", f"/{kind.path}/find/shop") == (200, [bot])
    assert older.call("GET", f"/{kind.path}/fetch/{bot['id']}/shop") == (200, bot)
    assert older.call("POST", path, body(kind, **COMPLETE))[0] == 500  # keys are compared on a create too
    other = older.done("POST", path, body(kind, "2", **COMPLETE, triggerType="all"))
    update = f"/{kind.path}/update/{bot['id']}/shop"
    status, reason = message(older.call("PUT", update, body(kind, triggerType="all")))
    assert (status, reason.partition(" with ")[0].split()[:4]) == (500, ["You", "already", "have", "a"])
    status, reason = message(older.call("PUT", update, body(kind, "2")))
    assert (status, reason.split()[-2:]) == (500, ["already", "exists"])
    assert older.done("PUT", update, body(kind, expire=7))["expire"] == 7
    (deleted,) = older.done("DELETE", f"/{kind.path}/delete/{other['id']}/shop").values()
    assert deleted == {"id": other["id"]}


@pytest.mark.parametrize("kind", OF_2_2, ids=_path)
def test_2_2_3_settings(older: World, kind: Kind) -> None:
    nothing = older.done("GET", f"/{kind.path}/fetchSettings/shop")
    assert (nothing["expire"], nothing["keywordFinish"], nothing["listeningFromMe"]) == (0, "", False)
    complete = {**COMPLETE, "splitMessages": True, "timePerChar": 7}
    older.done("POST", f"/{kind.path}/settings/shop", complete)
    bot = older.done("POST", f"/{kind.path}/create/shop", body(kind))
    copied = {name: value for name, value in complete.items() if name in bot}
    assert {name: bot[name] for name in copied} == copied
    with_fallback = {**complete, kind.fallback: bot["id"], "fallbackId": "nobody"}
    assert older.done("POST", f"/{kind.path}/settings/shop", with_fallback)[kind.fallback] == bot["id"]
    found = older.done("GET", f"/{kind.path}/fetchSettings/shop")
    assert (found[kind.fallback], found["fallback"]) == (bot["id"], bot)
    assert "fallbackId" not in found
    assert "debounceTime" not in found


@pytest.mark.parametrize("kind", [kind for kind in OF_2_2 if not kind.fields_since], ids=_path)
def test_2_2_3_creates_nothing_without_settings_and_a_complete_body(older: World, kind: Kind) -> None:
    answer = older.call("POST", f"/{kind.path}/create/shop", body(kind))
    assert message(answer) == (500, "Cannot read properties of null (reading 'expire')")
    assert older.call("GET", f"/{kind.path}/find/shop") == (200, None)


def test_2_2_3_gives_a_typebot_defaults_of_its_own_for_what_is_falsy(older: World) -> None:
    typebot = KINDS["typebot"]
    bot = older.done("POST", "/typebot/create/shop", body(typebot, expire=0, listeningFromMe=False))
    assert (bot["keywordFinish"], bot["delayMessage"], bot["ignoreJids"]) == ("#SAIR", 1000, [])
    older.done("POST", "/typebot/settings/shop", COMPLETE)
    bot = older.done("POST", "/typebot/create/shop", body(typebot, "2", expire=0, listeningFromMe=False))
    assert (bot["expire"], bot["listeningFromMe"]) == (20, True)


def test_2_2_3_has_flowise_always_on() -> None:
    every = frozenset(KINDS)
    with Sandbox(version="2.2.3", disabled=every) as server, World(server.url, server.api_key) as world:
        world.instance("shop")
        on = {kind.path for kind in OF_2_2 if world.call("GET", f"/{kind.path}/find/shop")[0] == 200}
    assert on == {"flowise", "evolutionBot"}
