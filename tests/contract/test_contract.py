"""What the reconciler relies on the server for. The same tests prove the sandbox and a real server.

Each is one sentence about the server, named by the test; what it answers in full is in tests/recordings.
"""

from __future__ import annotations

import time

import pytest

from tests.contract.conftest import Shop
from tests.support import Json, segment

SETTINGS = {
    "expire": 30,
    "keywordFinish": "#sair",
    "delayMessage": 900,
    "unknownMessage": "?",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": True,
    "debounceTime": 3,
    "ignoreJids": ["@g.us"],
}
CHAT: dict[str, Json] = {"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 100}
KEYWORD: dict[str, Json] = {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "1"}
UPDATE_REFUSED = (
    500,
    {"status": 500, "error": "Internal Server Error", "response": {"message": "Error updating Openai"}},
)


def message(answer: tuple[int, Json]) -> tuple[int, Json]:
    """The status and the reason of a refusal."""
    status, body = answer
    assert set(body) == {"status", "error", "response"}
    assert body["status"] == status
    return status, body["response"]["message"]


# -- who may ask, and what is checked first -----------------------------------------------------


def test_the_version_needs_no_key(shop: Shop) -> None:
    status, root = shop.world.call("GET", "/", apikey="wrong")
    assert (status, root["version"].count(".")) == (200, 2)


def test_unknown_instance_is_404_whatever_the_key(shop: Shop) -> None:
    expected = (404, ['The "contract-nobody" instance does not exist'])
    for key in (shop.token, "wrong"):
        assert message(shop.world.call("POST", "/openai/create/contract-nobody", {}, apikey=key)) == expected


def test_wrong_key_is_401_before_the_body_is_looked_at(shop: Shop) -> None:
    answer = shop.world.call("POST", shop.path("create"), {}, apikey="wrong")
    assert message(answer) == (401, "Unauthorized")


def test_an_instances_own_token_opens_it_and_no_other(shop: Shop) -> None:
    other, _ = shop.instance("b")
    assert shop.world.call("GET", shop.path("find"), apikey=shop.token) == (200, [])
    assert shop.world.call("GET", f"/openai/find/{other}", apikey=shop.token)[0] == 401


def test_the_body_is_checked_before_the_rules(shop: Shop) -> None:
    answer = shop.create(enabled="yes", botType="robot", systemMessages=["a", 1], expire=1.5)
    assert message(answer) == (
        400,
        [
            [
                "enabled is not of a type(s) boolean",
                "botType is not one of enum values: assistant,chatCompletion",
                "systemMessages[1] is not of a type(s) string",
                "expire is not of a type(s) integer",
            ]
        ],
    )


def test_four_fields_are_required(shop: Shop) -> None:
    required = ["enabled", "openaiCredsId", "botType", "triggerType"]
    answer = shop.world.call("POST", shop.path("create"), {"model": "gpt-4o"})
    assert message(answer) == (400, [[f'instance requires property "{name}"' for name in required]])


@pytest.mark.parametrize("name", ["my shop", "a/../b", "50%", "ção", "q?x#y"])
def test_an_instances_name_is_one_segment_of_the_path(shop: Shop, name: str) -> None:
    odd, _ = shop.instance(name)
    assert shop.world.call("GET", f"/openai/find/{segment(odd)}") == (200, [])


# -- reading ------------------------------------------------------------------------------------


def test_find_shows_every_field(shop: Shop) -> None:
    bot = shop.made_bot(description="Front desk", **KEYWORD)
    assert shop.bots() == [bot]
    assert bot.keys() >= {"id", "createdAt", "updatedAt", "instanceId", "description", "splitMessages"}
    assert (bot["model"], bot["systemMessages"], bot["ignoreJids"]) == (None, None, [])


def test_fetch_of_an_unknown_bot_is_null_and_of_a_foreign_one_that_bot(shop: Shop) -> None:
    other, creds = shop.instance("b")
    foreign = shop.world.bot(other, creds)
    assert shop.world.call("GET", shop.path("fetch", "nobody")) == (200, None)
    assert shop.world.call("GET", shop.path("fetch", foreign["id"])) == (200, foreign)


def test_a_bot_of_another_instance_can_be_neither_changed_nor_deleted(shop: Shop) -> None:
    other, creds = shop.instance("b")
    foreign = shop.world.bot(other, creds)
    assert shop.update(foreign) == UPDATE_REFUSED
    assert shop.world.call("DELETE", shop.path("delete", foreign["id"]))[0] == 500
    assert shop.world.bots(other) == [foreign]


def test_credentials_show_their_keys_and_their_bots(shop: Shop) -> None:
    bot = shop.made_bot()
    (creds,) = shop.world.done("GET", shop.path("creds"))
    assert creds["id"] == shop.creds
    assert creds["apiKey"].startswith("sk-")
    assert creds["OpenaiAssistant"] == [bot]


# -- settings and creates -----------------------------------------------------------------------


def test_settings_without_a_row_have_no_id(shop: Shop) -> None:
    settings = shop.world.settings(shop.name)
    assert "id" not in settings
    assert (settings["expire"], settings["keywordFinish"], settings["timePerChar"]) == (300, "bye", 0)


def test_the_first_create_makes_the_settings(shop: Shop) -> None:
    bot = shop.made_bot(keywordFinish="#sair", expire=0, ignoreJids=["@g.us"], keepOpen=True)
    settings = shop.world.settings(shop.name)
    assert settings["openaiCredsId"] == shop.creds
    assert (bot["expire"], settings["expire"]) == (0, 300)
    assert (settings["keywordFinish"], settings["ignoreJids"], settings["keepOpen"]) == (
        "#sair",
        ["@g.us"],
        True,
    )
    assert (bot["timePerChar"], bot["delayMessage"], bot["listeningFromMe"]) == (50, 1000, True)


def test_settings_stay_even_if_that_bot_is_refused(shop: Shop) -> None:
    assert message(shop.create(description="x" * 256)) == (500, "Error creating Openai")
    assert "id" in shop.world.settings(shop.name)
    assert shop.bots() == []


def test_a_create_copies_the_settings_once(shop: Shop) -> None:
    body = {"openaiCredsId": shop.creds, **SETTINGS}
    assert shop.world.call("POST", shop.path("settings"), body)[0] == 200
    bot = shop.made_bot()
    assert {name: bot[name] for name in SETTINGS} == SETTINGS
    assert shop.world.call("POST", shop.path("settings"), {**body, "expire": 5})[0] == 200
    assert shop.bots() == [bot]


def test_a_credential_stands_in_one_instances_settings_only(shop: Shop) -> None:
    shop.made_bot()
    other, _ = shop.instance("b")
    body = shop.body(openaiCredsId=shop.creds)
    answer = shop.world.call("POST", f"/openai/create/{other}", body)
    assert message(answer) == (500, "Error setting default settings")


def test_another_instances_credential_can_be_used_once_there_are_settings(shop: Shop) -> None:
    _, foreign = shop.instance("b")
    shop.made_bot()
    assert shop.made_bot(assistantId="asst_2", openaiCredsId=foreign)["openaiCredsId"] == foreign


def test_the_fallback_is_set_without_a_credential_in_the_body(shop: Shop) -> None:
    bot = shop.made_bot()
    body = {"openaiCredsId": shop.creds, **SETTINGS, "fallbackId": bot["id"]}
    assert message(shop.world.call("POST", shop.path("settings"), body)) == (
        500,
        "Error setting default settings",
    )
    assert shop.world.call("POST", shop.path("settings"), {**body, "openaiCredsId": ""})[0] == 200
    assert shop.world.settings(shop.name)["fallbackId"] == bot["id"]
    cleared = {**body, "openaiCredsId": "", "fallbackId": None}
    assert shop.world.call("POST", shop.path("settings"), cleared)[0] == 200
    assert shop.world.settings(shop.name)["fallbackId"] is None


def test_saving_the_settings_keeps_the_fallback(shop: Shop) -> None:
    bot, spare = shop.made_bot(), shop.world.creds(shop.name, f"{shop.name}-spare")
    body = {"openaiCredsId": "", **SETTINGS, "fallbackId": bot["id"]}
    assert shop.world.call("POST", shop.path("settings"), body)[0] == 200
    for creds in (shop.creds, spare):
        body = {"openaiCredsId": creds, **SETTINGS, "expire": 5}
        assert shop.world.call("POST", shop.path("settings"), body)[0] == 200
    settings = shop.world.settings(shop.name)
    assert (settings["fallbackId"], settings["openaiCredsId"]) == (bot["id"], spare)


def test_settings_take_empty_texts_beside_a_field_that_is_not_required(shop: Shop) -> None:
    body = {"openaiCredsId": shop.creds, **SETTINGS, "unknownMessage": ""}
    refused = shop.world.call("POST", shop.path("settings"), body)
    assert message(refused) == (400, [['The "unknownMessage" cannot be empty']])
    assert shop.world.call("POST", shop.path("settings"), {**body, "speechToText": True})[0] == 200
    settings = shop.world.settings(shop.name)
    assert (settings["unknownMessage"], settings["speechToText"]) == ("", True)


# -- what no two bots of an instance may share --------------------------------------------------

CLASHES = [
    ({}, {}, "Openai Bot already exists"),
    (CHAT, {**CHAT, "systemMessages": ["other"]}, "Openai Bot already exists"),
    (KEYWORD, {**KEYWORD, "assistantId": "asst_2"}, "Trigger already exists"),
    (
        {"triggerType": "advanced", "triggerValue": "contains:a"},
        {"triggerType": "advanced", "triggerValue": "contains:a", "assistantId": "asst_2"},
        "Trigger already exists",
    ),
    (
        KEYWORD,
        {"triggerType": "advanced", "triggerValue": "1", "assistantId": "asst_2"},
        "Trigger already exists",
    ),
    (
        {"triggerType": "all"},
        {"triggerType": "all", "assistantId": "asst_2"},
        'You already have a Openai with an "All" trigger, you cannot have more bots while it is active',
    ),
]


@pytest.mark.parametrize(("one", "other", "reason"), CLASHES)
def test_creates_that_clash(shop: Shop, one: dict[str, Json], other: dict[str, Json], reason: str) -> None:
    shop.made_bot(**one)
    assert message(shop.create(**{**other, "enabled": False})) == (500, reason)


@pytest.mark.parametrize(("one", "other", "reason"), CLASHES)
def test_updates_that_clash(shop: Shop, one: dict[str, Json], other: dict[str, Json], reason: str) -> None:
    shop.made_bot(**one)
    bot = shop.made_bot(assistantId="asst_3")
    assert shop.update(bot, **{**other, "enabled": False}) == UPDATE_REFUSED, reason
    assert shop.update(bot, assistantId="asst_3")[0] == 200


def test_a_disabled_bot_holds_its_keys(shop: Shop) -> None:
    shop.made_bot(enabled=False, **KEYWORD)
    assert message(shop.create(assistantId="asst_2", **KEYWORD)) == (500, "Trigger already exists")


def test_a_disabled_all_gives_way_but_cannot_be_touched_beside_an_enabled_one(shop: Shop) -> None:
    disabled = shop.made_bot(enabled=False, triggerType="all")
    shop.made_bot(assistantId="asst_2", triggerType="all")
    assert shop.update(disabled, enabled=False, triggerType="all") == UPDATE_REFUSED
    assert shop.update(disabled, enabled=False)[0] == 200


def test_a_trigger_that_is_left_behind_still_holds(shop: Shop) -> None:
    bot = shop.made_bot(**KEYWORD)
    _, changed = shop.update(bot, triggerType="none")
    assert (changed["triggerOperator"], changed["triggerValue"]) == ("equals", "1")
    assert message(shop.create(assistantId="asst_2", **KEYWORD)) == (500, "Trigger already exists")
    assert shop.update(bot, triggerType="none", triggerValue="")[0] == 200
    assert shop.create(assistantId="asst_2", **KEYWORD)[0] == 201


def test_a_key_that_is_left_behind_does_not(shop: Shop) -> None:
    bot = shop.made_bot(**CHAT)
    assert shop.update(bot)[0] == 200
    assert shop.create(assistantId="asst_2", **CHAT)[0] == 201


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"assistantId": ""}, "Assistant ID is required"),
        ({**CHAT, "model": ""}, "Model is required"),
        ({**CHAT, "maxTokens": 0}, "Max tokens is required"),
        ({"triggerType": "keyword", "triggerValue": "1"}, "Trigger operator and value are required"),
        ({"triggerType": "advanced"}, "Trigger value is required"),
    ],
)
def test_parts_that_are_required(shop: Shop, fields: dict[str, Json], reason: str) -> None:
    assert message(shop.create(**fields)) == (500, reason)


# -- updates and deletes ------------------------------------------------------------------------


def test_an_update_keeps_what_it_leaves_out_and_clears_with_empty_values(shop: Shop) -> None:
    bot = shop.made_bot(description="x", ignoreJids=["@g.us"], keepOpen=True, expire=5)
    _, kept = shop.update(bot)
    assert {**kept, "updatedAt": ""} == {**bot, "updatedAt": ""}
    _, cleared = shop.update(bot, description="", ignoreJids=[], keepOpen=False, expire=0)
    values = [cleared[name] for name in ("description", "ignoreJids", "keepOpen", "expire")]
    assert values == ["", [], False, 0]


def test_null_is_refused(shop: Shop) -> None:
    bot = shop.made_bot()
    status, reasons = message(shop.update(bot, description=None, model=None))
    assert (status, reasons) == (
        400,
        [["description is not of a type(s) string", "model is not of a type(s) string"]],
    )


def test_limits_count_characters_and_spaces_beyond_them_are_cut(shop: Shop) -> None:
    assert shop.made_bot(keywordFinish="é" * 100 + "   ")["keywordFinish"] == "é" * 100
    assert message(shop.create(assistantId="a2", keywordFinish="é" * 101)) == (500, "Error creating Openai")
    assert message(shop.create(assistantId="a2", expire=2**31)) == (500, "Error creating Openai")


def test_deleting_a_bot_clears_the_fallback(shop: Shop) -> None:
    bot = shop.made_bot()
    body = {"openaiCredsId": "", **SETTINGS, "fallbackId": bot["id"]}
    assert shop.world.call("POST", shop.path("settings"), body)[0] == 200
    assert shop.world.call("DELETE", shop.path("delete", bot["id"])) == (200, {"bot": {"id": bot["id"]}})
    assert shop.world.settings(shop.name)["fallback"] is None
    assert message(shop.world.call("DELETE", shop.path("delete", bot["id"]))) == (
        500,
        "Error deleting Openai bot",
    )


def test_a_credential_takes_its_bots_along_unless_settings_use_it(shop: Shop) -> None:
    spare = shop.world.creds(shop.name, f"{shop.name}-spare")
    kept = shop.made_bot()
    shop.made_bot(assistantId="asst_2", openaiCredsId=spare)
    used = shop.world.call("DELETE", shop.path("creds", shop.creds))
    assert message(used) == (500, "Error deleting openai creds")
    assert shop.world.call("DELETE", shop.path("creds", spare))[0] == 200
    assert shop.bots() == [kept]


def test_a_rotation(shop: Shop) -> None:
    """The settings and the bots are moved to a new credential, by what a body must have; the old one goes."""
    bot, (other, _) = shop.made_bot(keywordFinish="#sair"), shop.instance("b")
    other_bot = shop.world.bot(other, shop.world.creds(other, f"{other}-own"))
    shop.world.change(other, other_bot, openaiCredsId=shop.creds)
    new = shop.world.creds(shop.name, f"{shop.name}-main@2")
    body = {"openaiCredsId": new, **SETTINGS}
    assert shop.world.call("POST", shop.path("settings"), body)[0] == 200
    status, moved = shop.update(bot, openaiCredsId=new)
    assert (status, moved) == (200, {**bot, "openaiCredsId": new, "updatedAt": moved["updatedAt"]})
    users = {
        creds["id"]: {one["id"] for one in creds["OpenaiAssistant"]}
        for creds in shop.world.done("GET", shop.path("creds"))
    }
    assert users == {shop.creds: {other_bot["id"]}, new: {bot["id"]}}
    shop.world.change(other, other_bot, openaiCredsId=new)
    assert shop.world.call("DELETE", shop.path("creds", shop.creds))[0] == 200
    assert [found["id"] for found in (*shop.bots(), *shop.world.bots(other))] == [bot["id"], other_bot["id"]]


def test_names_and_keys_of_credentials_are_unique_in_the_whole_server(shop: Shop) -> None:
    other, _ = shop.instance("b")
    path = f"/openai/creds/{other}"
    taken = {"name": f"{shop.name}-main", "apiKey": f"sk-{shop.name}-{shop.name}-main"}
    assert message(shop.world.call("POST", path, {**taken, "apiKey": f"sk-{other}-new"})) == (
        500,
        "Error creating openai creds",
    )
    assert message(shop.world.call("POST", path, {**taken, "name": f"{other}-new"})) == (
        400,
        ["This API key is already registered. Please use a different API key."],
    )


def test_an_instance_takes_everything_along(shop: Shop) -> None:
    other, creds = shop.instance("b")
    shop.made_bot()
    sharing = shop.made_bot(assistantId="asst_2", openaiCredsId=creds)
    shop.world.done("DELETE", f"/instance/delete/{other}")
    deadline = time.monotonic() + 10
    while shop.world.call("GET", f"/openai/find/{other}")[0] != 404 and time.monotonic() < deadline:
        time.sleep(0.1)  # a real server answers before it is done
    assert shop.world.call("GET", f"/openai/find/{other}")[0] == 404
    assert sharing["id"] not in {bot["id"] for bot in shop.bots()}


def test_an_unknown_route_is_named(shop: Shop) -> None:
    path = shop.path("nothing")
    assert message(shop.world.call("GET", path)) == (404, [f"Cannot GET {path}"])
