"""Answers that no recording shows; they are written after the server's public source alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.sandbox import Sandbox
from tests.support import Json, World

CHAT: Json = {"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 100}


@pytest.fixture
def ids(world: World) -> dict[str, str]:
    """What a path may name: an instance `shop` with a bot and settings, and `bare` with neither."""
    creds = world.instance("shop", "main")["main"]
    world.instance("bare")
    return {"creds": creds, "bot": world.bot("shop", creds)["id"]}


def refusal(status: int, message: Json) -> tuple[int, Json]:
    errors = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}
    return status, {"status": status, "error": errors[status], "response": {"message": message}}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"status": "delete"}, {"bot": {"remoteJid": "5@x", "status": "delete"}}),
        (
            {"status": "closed"},
            {"bot": {"instanceName": "shop", "bot": {"remoteJid": "5@x", "status": "closed"}}},
        ),
        (
            {"status": "paused"},
            {
                "bot": {
                    "instanceName": "shop",
                    "bot": {"remoteJid": "5@x", "status": "paused", "session": {"count": 0}},
                }
            },
        ),
    ],
)
def test_change_status(ids: dict[str, str], world: World, body: Json, answer: Json) -> None:
    assert world.call("POST", "/openai/changeStatus/shop", {"remoteJid": "5@x", **body}) == (200, answer)


def test_change_status_of_an_instance_that_the_query_names(ids: dict[str, str], world: World) -> None:
    path = "/openai/changeStatus/shop?instanceName=nobody"
    answer = world.call("POST", path, {"remoteJid": "5@x", "status": "delete"})
    assert answer == refusal(500, "Error changing Openai status")


@pytest.mark.parametrize(
    ("instance", "answer"), [("shop", (200, [])), ("bare", refusal(500, "Error fetching sessions"))]
)
def test_fetch_sessions(ids: dict[str, str], world: World, instance: str, answer: Json) -> None:
    assert world.call("GET", f"/openai/fetchSessions/{ids['bot']}/{instance}") == answer


@pytest.mark.parametrize(
    ("status", "kept", "left"),
    [
        ("delete", False, {"shop": ["6@x"], "other": []}),
        ("closed", False, {"shop": ["6@x"], "other": []}),
        ("closed", True, {"shop": ["5@x closed", "6@x"], "other": ["5@x closed"]}),
        ("paused", False, {"shop": ["5@x paused", "6@x"], "other": ["5@x"]}),
    ],
)
def test_sessions_of_a_contact_end_on_every_instance_and_pause_on_one(
    ids: dict[str, str], sandbox: Sandbox, world: World, status: str, kept: bool, left: Json
) -> None:
    bots = {"shop": ids["bot"], "other": world.bot("other", world.instance("other", "its")["its"])["id"]}
    row = world.settings("shop")
    asked = {
        name: row[name] for name in row if name not in {"fallback", "fallbackId"} and row[name] is not None
    }
    world.done("POST", "/openai/settings/shop", {**asked, "keepOpen": kept})
    for instance, contact in (("shop", "5@x"), ("shop", "6@x"), ("other", "5@x")):
        sandbox.open_session(instance, bots[instance], contact)
    world.done("POST", "/openai/changeStatus/shop", {"remoteJid": "5@x", "status": status})
    for instance, id_ in bots.items():
        found = world.done("GET", f"/openai/fetchSessions/{id_}/{instance}")
        assert all(one["botId"] == id_ for one in found)
        shown = [f"{one['remoteJid']} {one['status']}".removesuffix(" opened") for one in found]
        assert sorted(shown) == left[instance]


def test_the_sessions_of_a_bot_go_with_it(ids: dict[str, str], sandbox: Sandbox, world: World) -> None:
    sandbox.open_session("shop", ids["bot"], "5@x")
    assert len(world.done("GET", f"/openai/fetchSessions/{ids['bot']}/shop")) == 1
    assert len(world.done("GET", "/openai/fetchSessions/unknown/shop")) == 1  # then all of the instance
    world.done("DELETE", f"/openai/delete/{ids['bot']}/shop")
    assert world.done("GET", "/openai/fetchSessions/unknown/shop") == []


def test_ignore_jid(ids: dict[str, str], world: World) -> None:
    def ignore(action: str, jid: str) -> Json:
        body = {"remoteJid": jid, "action": action}
        return world.done("POST", "/openai/ignoreJid/shop", body)["ignoreJids"]

    assert ignore("add", "1@x") == ["1@x"]
    assert ignore("add", "2@x") == ignore("add", "2@x") == ["1@x", "2@x"]
    assert ignore("remove", "1@x") == ["2@x"]
    assert world.settings("shop")["ignoreJids"] == ["2@x"]


def test_ignore_jid_without_settings(ids: dict[str, str], world: World) -> None:
    body = {"remoteJid": "1@x", "action": "add"}
    answer = world.call("POST", "/openai/ignoreJid/bare", body)
    assert answer == refusal(500, "Error setting default settings")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/openai/getModels/shop", "Error fetching models"),
        ("/openai/getModels/bare", "Settings not found"),
        ("/openai/getModels/shop?openaiCredsId=x", "OpenAI credentials not found for the provided ID"),
    ],
)
def test_models(ids: dict[str, str], world: World, path: str, message: str) -> None:
    assert world.call("GET", path) == refusal(500, message)


NUL = 'invalid byte sequence for encoding "UTF8": 0x00'


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("DELETE", "/openai/creds/%00/shop", NUL),
        ("GET", "/openai/fetchSettings/shop?instanceName=%00", "Error fetching settings"),
    ],
)
def test_nul_in_a_path(ids: dict[str, str], world: World, method: str, path: str, message: str) -> None:
    assert world.call(method, path) == refusal(500, message)


@pytest.mark.parametrize("empty", [{"apiKey": "", "name": "x"}, {"apiKey": "x", "name": ""}])
def test_empty_credentials_beside_other_fields(world: World, ids: dict[str, str], empty: Json) -> None:
    what = "Name is required" if empty["apiKey"] else "API Key is required"
    assert world.call("POST", "/openai/creds/shop", {**empty, "more": 1}) == refusal(400, [what])


@pytest.mark.parametrize("fields", [{"triggerType": "keyword", "triggerOperator": "equals"}, CHAT])
def test_a_value_that_no_query_takes_is_answered_in_the_databases_words(
    ids: dict[str, str], world: World, fields: Json
) -> None:
    # Worded otherwise on a real server with another engine of Prisma.
    body = {"enabled": True, "openaiCredsId": ids["creds"], "botType": "assistant", "assistantId": "a"}
    body |= {"triggerType": "none", **fields}
    odd = {"maxTokens": 2**31} if fields is CHAT else {"triggerValue": "a\0b"}
    words = 'value "2147483648" is out of range for type integer' if fields is CHAT else NUL
    assert world.call("POST", "/openai/create/shop", {**body, **odd}) == refusal(500, words)


@pytest.mark.parametrize(
    "fields", [{"splitMessages": "yes"}, {"timePerChar": "1"}, {"timePerChar": True}, {"ignoreJids": ["\0"]}]
)
def test_values_that_no_schema_checks(ids: dict[str, str], world: World, fields: Json) -> None:
    body = {**CHAT, "maxTokens": 1, "enabled": True, "openaiCredsId": ids["creds"], "triggerType": "none"}
    answer = world.call("POST", "/openai/create/shop", {**body, **fields})
    assert answer == refusal(500, "Error creating Openai")


def test_fetch_instances_by_what_the_query_names(world: World) -> None:
    world.instance("one")
    body = {"instanceName": "two", "integration": "WHATSAPP-BUSINESS", "number": "5511", "token": "t"}
    made = world.done("POST", "/instance/create", body)
    for query in (f"instanceId={made['instance']['instanceId']}", "number=5511", "instanceName=two"):
        (found,) = world.done("GET", f"/instance/fetchInstances?{query}")
        assert (found["name"], found["token"]) == ("two", "t")
    assert world.call("GET", "/instance/fetchInstances?number=1") == refusal(404, ['Instance "1" not found'])


def test_business_instances_need_a_number(world: World) -> None:
    body = {"instanceName": "two", "integration": "WHATSAPP-BUSINESS"}
    assert world.call("POST", "/instance/create", body) == refusal(400, ["number is required"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"instanceName": ""}, 'The "instanceName" cannot be empty'),
        ({"instanceName": "x", "token": 1}, "token is not of a type(s) string"),
        (
            {"instanceName": "x", "number": "+55"},
            'number does not match pattern "^\\\\d+[\\\\.@\\\\w-]+"',
        ),
    ],
)
def test_bodies_of_instances_are_checked(world: World, body: Json, message: str) -> None:
    assert world.call("POST", "/instance/create", body) == refusal(400, [[message]])


def test_an_instance_stays_while_others_settings_use_its_credential(
    ids: dict[str, str], world: World
) -> None:
    world.instance("other")
    shared = {"enabled": True, "openaiCredsId": ids["creds"], **CHAT, "triggerType": "none"}
    world.instance("owner", "owned")
    shared_creds = world.done("GET", "/openai/creds/owner")[0]["id"]
    assert world.call("POST", "/openai/create/other", {**shared, "openaiCredsId": shared_creds})[0] == 201
    assert world.call("DELETE", "/instance/delete/owner")[0] == 200
    assert world.call("GET", "/openai/creds/owner")[0] == 200


def test_deleting_what_only_javascript_believes_in(sandbox: Sandbox, world: World) -> None:
    assert world.call("DELETE", "/instance/delete/toString")[0] == 200
    assert world.call("GET", "/instance/connectionState/toString")[0] == 200


def test_an_unforeseen_error_is_answered(world: World, ids: dict[str, str]) -> None:
    deep = '{"enabled": ' + "[" * 100_000 + "]" * 100_000 + "}"
    response = world.http.post(
        "/openai/create/shop", content=deep, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 500
    assert response.json()["response"]["message"].startswith("RecursionError")


# -- 2.2.3 --------------------------------------------------------------------------------------

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


@pytest.fixture
def older() -> Iterator[World]:
    with Sandbox(version="2.2.3") as server, World(server.url, server.api_key) as world:
        yield world


@pytest.mark.parametrize("missing", list(COMPLETE))
def test_2_2_3_creates_nothing_without_settings_and_a_complete_body(older: World, missing: str) -> None:
    creds = older.instance("shop", "main")["main"]
    body = {**CHAT, "enabled": True, "openaiCredsId": creds, "triggerType": "none", **COMPLETE}
    del body[missing]
    answer = older.call("POST", "/openai/create/shop", body)
    assert answer == refusal(500, f"Cannot read properties of null (reading '{missing}')")
    assert older.call("GET", "/openai/find/shop") == (200, None)


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({}, {"expire": 20, "splitMessages": False, "timePerChar": 0}),
        ({"splitMessages": True, "timePerChar": 5}, {"expire": 0, "splitMessages": False, "timePerChar": 0}),
        ({"splitMessages": True, "timePerChar": 0}, {"expire": 20, "splitMessages": True, "timePerChar": 0}),
    ],
)
def test_2_2_3_makes_settings_for_a_falsy_value_only(older: World, fields: Json, settings: Json) -> None:
    creds = older.instance("shop", "main")["main"]
    bot = older.bot("shop", creds, **COMPLETE, **fields)
    assert (bot["expire"], bot["timePerChar"]) == (20, fields.get("timePerChar", 0))
    found = older.settings("shop")
    assert {name: found[name] for name in settings} == settings


def test_2_2_3_needs_a_credential_and_says_so(older: World) -> None:
    older.instance("shop")
    body = {**CHAT, "enabled": True, "openaiCredsId": "", "triggerType": "none", **COMPLETE}
    assert older.call("POST", "/openai/create/shop", body) == refusal(500, "Openai Creds Id is required")


def test_2_2_3_names_its_version(older: World) -> None:
    assert older.done("GET", "/")["version"] == "2.2.3"


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/openai/creds/shop", {"name": "", "apiKey": "x", "more": 1}, "Name is required"),
        ("GET", "/openai/fetch/%00/shop", None, NUL),
    ],
)
def test_2_2_3_refusals(older: World, method: str, path: str, body: Json, message: str) -> None:
    older.instance("shop")
    assert older.call(method, path, body) == refusal(500, message)


@pytest.mark.parametrize("change", [True, False])
def test_2_2_3_tells_a_value_that_no_query_takes(older: World, change: bool) -> None:
    creds = older.instance("shop", "main")["main"]
    bot = older.bot("shop", creds, **COMPLETE)
    body = {**CHAT, **COMPLETE, "enabled": True, "openaiCredsId": creds, "triggerType": "none"}
    method, path = ("PUT", f"/openai/update/{bot['id']}/shop") if change else ("POST", "/openai/create/shop")
    answer = older.call(method, path, {**body, "maxTokens": 2**31})
    assert answer == refusal(500, 'value "2147483648" is out of range for type integer')
