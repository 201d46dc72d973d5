"""What the reconciler relies on the server for, of each kind beside OpenAI, from the kinds' data."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.domain.kinds import KINDS, Field, Kind, Type
from tests.contract.conftest import Stall
from tests.support import Json

SIBLINGS = [kind for kind in KINDS.values() if not kind.credential]
KEYWORD: dict[str, Json] = {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "1"}
SETTINGS: dict[str, Json] = {
    "expire": 30,
    "keywordFinish": "#sair",
    "delayMessage": 900,
    "unknownMessage": "?",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": True,
    "debounceTime": 3,
    "ignoreJids": ["@g.us"],
    "splitMessages": True,
    "timePerChar": 20,
}
JSON_TYPES = {
    Type.BOOL: "boolean",
    Type.INT: "integer",
    Type.TEXT: "string",
    Type.ENUM: "string",
    Type.TEXTS: "array",
}


def _path(kind: Kind) -> str:
    return kind.path


each_kind = pytest.mark.parametrize("stall", SIBLINGS, indirect=True, ids=_path)


def each_field(*, checked: bool = False, limited: bool = False) -> pytest.MarkDecorator:
    """Every field of every kind: whose type a schema checks, or whose length the table limits."""
    return pytest.mark.parametrize(
        ("stall", "field"),
        [
            pytest.param(kind, field, id=f"{kind.path}-{field.name}")
            for kind in SIBLINGS
            for field in kind.fields.values()
            if not (checked and field.name in kind.schema.unchecked) and not (limited and field.limit is None)
        ],
        indirect=["stall"],
    )


def message(answer: tuple[int, Json]) -> tuple[int, Json]:
    """The status and the reason of a refusal."""
    status, body = answer
    assert set(body) == {"status", "error", "response"}
    return status, body["response"]["message"]


def refused(kind: Kind, verb: str) -> tuple[int, str]:
    """A refusal that does not say why."""
    return 500, f"Error {verb} {kind.title}"


# -- bodies -------------------------------------------------------------------------------------


@each_kind
def test_required_fields(stall: Stall) -> None:
    missing = [f'instance requires property "{name}"' for name in stall.kind.schema.required]
    assert message(stall.call("POST", "create", {"expire": 1})) == (400, [missing])


@each_field(checked=True)
def test_null_is_refused(stall: Stall, field: Field) -> None:
    null: dict[str, Any] = {field.name: None}
    status, ((first, *_),) = message(stall.create(**null))
    assert (status, first) == (400, f"{field.name} is not of a type(s) {JSON_TYPES[field.type]}")


@each_field(limited=True)
def test_a_text_over_its_limit_is_refused(stall: Stall, field: Field) -> None:
    assert field.limit is not None
    stall.made_bot(key=2)
    long: dict[str, Any] = {field.name: "é" * (field.limit + 1)}
    assert message(stall.create(**long)) == refused(stall.kind, "creating")
    spaced: dict[str, Any] = {field.name: "é" * field.limit + " "}
    assert stall.made_bot(**spaced)[field.name] == "é" * field.limit


@each_kind
def test_misnamed_fields_are_ignored(stall: Stall) -> None:
    misnamed: dict[str, Any] = dict.fromkeys(stall.kind.schema.misnamed, "x")
    bot = stall.made_bot(unknown=1, **misnamed)
    assert not {"unknown", *stall.kind.schema.misnamed} & bot.keys()
    body = {**SETTINGS, **dict.fromkeys(stall.kind.schema.misnamed_settings, bot["id"])}
    assert stall.call("POST", "settings", body)[0] == 200
    assert stall.settings()["fallbackId"] is None


# -- reading ------------------------------------------------------------------------------------


@each_kind
def test_find_shows_every_field_secrets_in_plain_text(stall: Stall) -> None:
    given: dict[str, Any] = {
        name: f"secret-{name}" for name, field in stall.kind.fields.items() if field.hides == "whole"
    }
    bot = stall.made_bot(**KEYWORD, **given)
    assert stall.bots() == [bot]
    assert stall.call("GET", "fetch", ids=[bot["id"]]) == (200, bot)
    assert bot.keys() == {*stall.kind.fields, "id", "createdAt", "updatedAt", "instanceId"}
    assert {name: bot[name] for name in given} == given


@each_kind
def test_an_instance_without_bots(stall: Stall) -> None:
    assert stall.call("GET", "find") == (200, [])
    assert stall.call("GET", "fetch", ids=["nobody"]) == (200, None)


@each_kind
def test_a_bot_of_another_instance_can_be_neither_changed_nor_deleted(stall: Stall) -> None:
    foreign, other = stall.made_bot(), stall.beside()
    assert other.call("GET", "fetch", ids=[foreign["id"]]) == (200, foreign)
    assert message(other.update(foreign)) == refused(stall.kind, "updating")
    assert message(other.call("DELETE", "delete", ids=[foreign["id"]])) == (
        500,
        f"Error deleting {stall.kind.title} bot",
    )
    assert stall.bots() == [foreign]


# -- settings -----------------------------------------------------------------------------------


@each_kind
def test_required_settings(stall: Stall) -> None:
    missing = [f'instance requires property "{name}"' for name in stall.kind.schema.required_settings]
    assert message(stall.call("POST", "settings", {})) == (400, [missing])


@each_kind
def test_settings_without_a_row_have_no_id(stall: Stall) -> None:
    settings = stall.settings()
    assert "id" not in settings
    assert (settings["expire"], settings["keywordFinish"], settings["timePerChar"]) == (300, "bye", 0)


@each_kind
def test_the_first_create_makes_the_settings_of_what_it_says(stall: Stall) -> None:
    bot = stall.made_bot(keywordFinish="#sair", keepOpen=True)
    settings = stall.settings()
    assert (settings["keywordFinish"], settings["keepOpen"]) == ("#sair", True)
    for row in (bot, settings):
        assert [row[name] for name in ("expire", "delayMessage", "ignoreJids", "timePerChar")] == [
            0,
            None,
            None,
            0,
        ]


@each_kind
def test_a_create_copies_the_settings_once(stall: Stall) -> None:
    assert stall.call("POST", "settings", SETTINGS)[0] == 200
    bot = stall.made_bot()
    assert {name: bot[name] for name in SETTINGS} == SETTINGS
    assert stall.call("POST", "settings", {**SETTINGS, "expire": 5})[0] == 200
    assert stall.bots() == [bot]


@each_kind
def test_the_fallback_needs_a_row_and_goes_with_its_bot(stall: Stall) -> None:
    with_fallback = {**SETTINGS, "fallbackId": "nobody"}
    assert message(stall.call("POST", "settings", with_fallback)) == (500, "Error setting default settings")
    bot = stall.made_bot()
    assert message(stall.call("POST", "settings", with_fallback)) == (500, "Error setting default settings")
    status, row = stall.call("POST", "settings", {**SETTINGS, "fallbackId": bot["id"]})
    assert (status, row["fallbackId"], row[stall.kind.fallback]) == (200, bot["id"], bot["id"])
    assert stall.settings()["fallback"] == bot
    assert stall.call("POST", "settings", {**SETTINGS, "fallbackId": None})[0] == 200
    assert stall.settings()["fallbackId"] is None
    assert stall.call("POST", "settings", {**SETTINGS, "fallbackId": bot["id"]})[0] == 200
    assert stall.call("DELETE", "delete", ids=[bot["id"]]) == (200, {"bot": {"id": bot["id"]}})
    assert stall.settings()["fallback"] is None


# -- what no two bots of a kind and an instance may share ----------------------------------------


@each_kind
def test_equal_keys(stall: Stall) -> None:
    stall.made_bot(key=1)
    bot = stall.made_bot(key=2)
    answer = stall.create(key=1, enabled=False)
    if "create" in stall.kind.keys_checked:
        assert message(answer) == (500, f"{stall.kind.title} already exists")
    else:
        assert answer[0] == 201
    assert message(stall.update(bot, key=1, enabled=False)) == refused(stall.kind, "updating")
    assert stall.update(bot, key=2)[0] == 200


@each_kind
def test_a_body_without_a_part_of_its_key_is_refused_whatever_the_other_bot_has_there(stall: Stall) -> None:
    stall.made_bot(key=1)
    bot = stall.made_bot(key=2)
    body = stall.body(key=1)
    optional = [name for name in stall.kind.key(body) if name not in stall.kind.schema.required]
    for name in optional:
        without = {each: value for each, value in body.items() if each != name}
        assert message(stall.call("PUT", "update", without, ids=[bot["id"]])) == refused(
            stall.kind, "updating"
        )
        other = {**body, name: "another"}
        assert stall.call("PUT", "update", other, ids=[bot["id"]])[0] == 200


CLASHES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (KEYWORD, KEYWORD, "Trigger already exists"),
    (KEYWORD, {"triggerType": "advanced", "triggerValue": "1"}, "Trigger already exists"),
    (
        {"triggerType": "all"},
        {"triggerType": "all"},
        'You already have a {} with an "All" trigger, you cannot have more bots while it is active',
    ),
]


@each_kind
@pytest.mark.parametrize(("one", "other", "reason"), CLASHES, ids=["keyword", "value", "all"])
def test_triggers_that_clash(stall: Stall, one: dict[str, Any], other: dict[str, Any], reason: str) -> None:
    stall.made_bot(**one)
    bot = stall.made_bot(key=2)
    answer = stall.create(key=3, enabled=False, **other)
    assert message(answer) == (500, reason.format(stall.kind.title))
    assert message(stall.update(bot, key=2, enabled=False, **other)) == refused(stall.kind, "updating")


@pytest.mark.parametrize("stall", [kind for kind in SIBLINGS if kind.switch], indirect=True, ids=_path)
def test_another_kind_may_have_the_trigger(stall: Stall) -> None:
    stall.made_bot(**KEYWORD)
    (always_on,) = (kind for kind in SIBLINGS if not kind.switch)
    assert stall.of(always_on).create(**KEYWORD)[0] == 201


# -- updates ------------------------------------------------------------------------------------


@each_kind
def test_an_update_keeps_what_it_leaves_out_and_clears_with_empty_values(stall: Stall) -> None:
    bot = stall.made_bot(description="x", ignoreJids=["@g.us"], keepOpen=True, expire=5)
    _, kept = stall.update(bot)
    assert {**kept, "updatedAt": ""} == {**bot, "updatedAt": ""}
    _, cleared = stall.update(bot, description="", ignoreJids=[], keepOpen=False, expire=0)
    values = [cleared[name] for name in ("description", "ignoreJids", "keepOpen", "expire")]
    assert values == ["", [], False, 0]


@each_kind
def test_secrets_are_changed_in_place(stall: Stall) -> None:
    bot = stall.made_bot()
    for name, field in stall.kind.fields.items():
        if field.hides == "whole":
            secret: dict[str, Any] = {name: "new"}
            status, changed = stall.update(bot, **secret)
            assert (status, changed["id"], changed[name]) == (200, bot["id"], "new")
