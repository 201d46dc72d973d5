"""Fields against fields: what is the same, what is written, what a stamp says of who moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.domain.desired import DesiredBot, Fields, UrlRef
from reconciler.domain.hidden import KEY, Hidden, of_ref
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.plan import FieldChange
from reconciler.plan import differ
from reconciler.plan.matching import Found, How
from reconciler.plan.target import target_of
from tests.plan.builders import AT, DEFAULTS, bot, remote

OWNER = "gitops"
UNKNOWN = of_ref(UrlRef("env", "URL"), "URL is not set")
SECRET, OTHER = Hidden("https://e.x/?token=***", "s1"), Hidden("https://e.x/?token=***", "s2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, None, True),
        (None, "", True),
        (None, (), True),
        ("", (), True),
        (None, 0, False),
        (None, False, False),
        ("", 0, False),
        ("", "a", False),
        ((), ("",), False),
        (0, False, False),
        (1, True, False),
        (1, 1, True),
        (1, 2, False),
        (True, True, True),
        ("1", 1, False),
        ("a", "a", True),
        ("a", "A", False),
        ("a", ("a",), False),
        (("a", "b"), ("a", "b"), True),
        (("a", "b"), ("b", "a"), False),
        (("a",), ("a", "b"), False),
        (SECRET, SECRET, True),
        (SECRET, OTHER, False),
        ((SECRET,), (OTHER,), False),
        (SECRET, "https://e.x/?token=***", True),
        ((SECRET,), ("https://e.x/?token=***",), True),
        (UNKNOWN, None, False),
        (UNKNOWN, 5, False),
    ],
)
def test_what_means_the_same(one: Value | None, other: Value | None, same: bool) -> None:
    """A saved plan holds no secret; a value that is not available is no value that is not there."""
    assert differ.same(one, other) is same
    assert differ.same(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({}, {}, True),
        ({"model": ""}, {"userMessages": ()}, True),
        ({"expire": 1}, {}, False),
        ({"expire": 1, "model": "m"}, {"expire": 1, "model": "n"}, False),
        ({"expire": 1, "model": ""}, {"expire": 1}, True),
        ({"expire": 1}, {"expire": True}, True),
    ],
)
def test_which_bots_are_equal(one: Fields, other: Fields, equal: bool) -> None:
    """The last: 1 and true of one field are never compared, as each field has one type."""
    assert differ.equal(one, other) is equal
    assert differ.equal(other, one) is equal


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (("a", "b", "c"), ("a", "x", "c"), [("[1]", "b", "x")]),
        (("a", "b"), ("a", "b", "c", "d"), [("[2]", None, "c"), ("[3]", None, "d")]),
        (("a", "b", "c"), ("a",), [("[1]", "b", None), ("[2]", "c", None)]),
        (("a", "b"), ("b", "a", "a"), [("[0]", None, "b"), ("[1]", "b", "a")]),
        (("a", "b", "c", "d"), ("b", "c", "x"), [("[0]", "a", None), ("[3]", "d", "x")]),
        (("a", "b", "c", "d", "e"), ("b", "x", "d", "e"), [("[0]", "a", None), ("[2]", "c", "x")]),
        (("h", "i", "j", "k"), ("i", "h", "j", "k"), [("[0]", "h", "i"), ("[1]", "i", "h")]),
        (("a",), None, [("[0]", "a", None)]),
        (None, ("a",), [("[0]", None, "a")]),
        (None, None, None),
        ("a", ("a",), [("[0]", None, "a")]),
        (("a",), ("a",), []),
    ],
)
def test_items_of_a_list(before: Value | None, after: Value | None, found: object) -> None:
    assert differ.items(before, after) == found


def test_more_than_nine_items_are_in_the_order_of_their_places() -> None:
    before = tuple(f"old {number}" for number in range(12))
    after = tuple(f"new {number}" for number in range(12))
    assert [place for place, _, _ in differ.items(before, after) or ()] == [f"[{n}]" for n in range(12)]


# -- targets -----------------------------------------------------------------------------------


def test_a_create_takes_the_first_that_says_something() -> None:
    desired = bot("ana", "x", "none", expire=1)
    old: Fields = {"description": "Oi [gitops:ana]", "expire": 2, "timePerChar": 3, "keepOpen": False}
    row = RemoteSettings(True, {"timePerChar": 4, "debounceTime": 5, "enabled": False, "keepOpen": True})
    target = differ.create_target(desired, "unused", OWNER, row, old)
    assert list(target) == [name for name in OPENAI.fields if name in target]
    assert target == {
        **DEFAULTS,
        "description": "Oi [gitops:ana]",
        "botType": "assistant",
        "assistantId": "x",
        "triggerType": "none",
        "expire": 1,
        "timePerChar": 3,
        "keepOpen": False,
        "debounceTime": 5,
    }


def test_a_create_without_settings_or_with_none_there_is_as_documented() -> None:
    desired = bot("ana", "x", description="", creds="main")
    for row in (None, RemoteSettings(False, {"expire": 9})):
        target = differ.create_target(desired, "c7", OWNER, row, {"description": "Oi [gitops:ana]"})
        assert (target["expire"], target["openaiCredsId"]) == (300, "c7")
        assert target["description"] == "[gitops:ana]"


@pytest.mark.parametrize(
    ("declared", "stored", "described"),
    [
        ({}, None, "[gitops:ana]"),
        ({}, "Oi", "Oi [gitops:ana]"),
        ({}, "[GITOPS:ana] Oi", "Oi [gitops:ana]"),
        ({}, "[gitops:ana]~0123abcd Oi", "[gitops:ana] Oi"),
        ({}, "[gitops:old] Oi", "Oi [gitops:ana]"),
        ({"description": "Olá"}, "Oi [gitops:ana]", "Olá [gitops:ana]"),
        ({"description": ""}, "Oi [gitops:ana]", "[gitops:ana]"),
    ],
)
def test_the_description_after_an_update(declared: Fields, stored: str | None, described: str) -> None:
    there = remote("i1", "x", "none", stored or "")
    assert ("description" in there.fields) is (stored is not None)
    target = differ.update_target(bot("ana", "x", **declared), "", OWNER, there)  # type: ignore[arg-type]
    assert target["description"] == described


def test_an_update_is_what_is_declared_over_what_is_stored() -> None:
    there = remote("i1", "x", "equals:1", "[gitops:ana]", timePerChar=9, functionUrl="https://e.x")
    desired = bot("ana", "x", "equals:1", expire=1, functionUrl="https://e.y", creds="main")
    target = differ.update_target(desired, "c7", OWNER, there)
    assert target == {**there.fields, "expire": 1, "functionUrl": "https://e.y", "openaiCredsId": "c7"}
    unseen = RemoteBot("i1", there.fields, unseen=frozenset({"functionUrl"}))
    assert differ.update_target(desired, "c7", OWNER, unseen) == {
        **target,
        "functionUrl": "https://e.x",
    }


@pytest.mark.parametrize(
    ("its_trigger", "now", "declared", "value"),
    [
        ("equals:1", "all", {}, ""),
        ("equals:1", "none", {}, ""),
        ("equals:1", "none", {"triggerValue": "1"}, "1"),
        ("equals:1", "adv:2", {}, "2"),
        ("none", "all", {}, None),
    ],
)
def test_a_trigger_value_that_means_nothing_any_more(
    its_trigger: str, now: str, declared: Fields, value: str | None
) -> None:
    there = remote("i1", "x", its_trigger, "[gitops:ana]")
    target = differ.update_target(bot("ana", "x", now, **declared), "", OWNER, there)  # type: ignore[arg-type]
    assert target.get("triggerValue") == value


def test_a_stale_trigger_of_the_same_type_stays_until_it_is_in_the_way() -> None:
    there = remote("i1", "x", "none", "[gitops:ana]", triggerValue="1")
    desired = bot("ana", "x")
    target = differ.update_target(desired, "", OWNER, there)
    assert target["triggerValue"] == "1"
    assert differ.without_stale_trigger(desired, target) == {**target, "triggerValue": ""}
    assert "triggerValue" not in differ.without_stale_trigger(desired, {"triggerType": "none"})


@pytest.mark.parametrize(
    ("its_key", "its_trigger", "insists"),
    [
        ("x", "none", ["assistantId", "triggerType"]),
        ("m/1", "none", ["model", "maxTokens", "triggerType"]),
        ("x", "equals:1", ["assistantId", "triggerType", "triggerOperator", "triggerValue"]),
        ("x", "adv:1", ["assistantId", "triggerType", "triggerValue"]),
        ("x", "all", ["assistantId", "triggerType"]),
    ],
)
def test_an_update_sends_what_the_server_insists_on_and_what_differs(
    its_key: str, its_trigger: str, insists: list[str]
) -> None:
    before = remote("i1", its_key, its_trigger, triggerOperator="equals", triggerValue="1").fields
    body = differ.update_body(before, {**before, "expire": 1, "unknownMessage": ""}, OPENAI)
    assert list(body) == ["enabled", "openaiCredsId", "botType", *insists, "expire", "unknownMessage"]
    assert (body["expire"], body["unknownMessage"]) == (1, "")
    assert "description" not in differ.update_body({**before, "description": "Oi"}, before, OPENAI)


def test_changes_are_in_the_order_of_the_table() -> None:
    before: Fields = {"timePerChar": 1, "model": "m", "expire": 2, "keepOpen": True}
    after: Fields = {"expire": 3, "enabled": False, "timePerChar": 1, "keywordFinish": ""}
    assert differ.changes(before, after, OPENAI) == (
        FieldChange("enabled", None, False),
        FieldChange("model", "m", None),
        FieldChange("expire", 2, 3),
        FieldChange("keepOpen", True, None),
    )


# -- stamps ------------------------------------------------------------------------------------


def applied(desired: DesiredBot, **edits: Value) -> RemoteBot:
    """The bot as it is after an apply of what is desired, with a hand's edits."""
    fields = {**remote("i1", "x").fields, **desired.fields}
    text = f"[gitops:{desired.name}]{differ.stamp(desired, fields, OWNER)}"
    return RemoteBot("i1", {**fields, "description": text, **edits})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"openaiCredsId": "another"}, True),
        ({}, {"functionUrl": "https://e.x"}, True),
        ({}, {"description": "[gitops:ana]"}, True),
        ({}, {"model": "m", "triggerValue": "1"}, True),
        ({}, {"unknownMessage": ""}, False),
        ({"unknownMessage": ""}, {"unknownMessage": None}, True),
        ({}, {"expire": 0}, False),
        ({}, {"assistantId": "y"}, False),
        ({}, {"description": "Oi"}, False),
    ],
)
def test_what_the_state_in_a_stamp_is_over(
    one: Mapping[str, Value], other: Mapping[str, Value | None], same: bool
) -> None:
    """Not over what a rotation moves, what is secret, what means nothing to the bot, and what is empty."""
    desired, fields = bot("ana", "x"), remote("i1", "x").fields
    without = {name for name, value in other.items() if value is None}
    second = {n: v for n, v in {**fields, **other}.items() if v is not None and n not in without}
    stamps = differ.stamp(desired, {**fields, **one}, OWNER), differ.stamp(desired, second, OWNER)
    assert stamps[0][:5] == stamps[1][:5]
    assert (stamps[0][5:] == stamps[1][5:]) is same


def test_what_is_declared_in_a_stamp() -> None:
    fields = remote("i1", "x").fields
    one = differ.stamp(bot("ana", "x", expire=1, creds="main"), fields, OWNER)
    backwards = dict(sorted(bot("ana", "x", expire=1, creds="main").fields.items(), reverse=True))
    order = replace(bot("ana", "x", creds="main"), fields=backwards)
    assert differ.stamp(order, fields, OWNER) == one
    for other in (bot("ana", "x", expire=2, creds="main"), bot("ana", "x", expire=1, creds="second")):
        assert differ.stamp(other, fields, OWNER)[1:5] != one[1:5]


@pytest.mark.parametrize(
    ("declared", "edits", "cause"),
    [
        ({"expire": 5}, {}, ""),
        ({"expire": 5}, {"expire": 6}, "drift"),
        ({"expire": 5}, {"unknownMessage": "hm"}, "drift"),
        ({"expire": 7}, {}, "pending"),
        ({"expire": 7}, {"unknownMessage": "hm"}, "both"),
    ],
)
def test_who_moved(declared: dict[str, Value], edits: dict[str, Value], cause: str) -> None:
    there = applied(bot("ana", "x", expire=5), **edits)
    assert differ.cause(bot("ana", "x", **declared), there, OWNER) == cause  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "cause"),
    [({"expire": 5}, ""), ({"expire": 6}, "pending"), ({"expire": 5, "timePerChar": 9}, "pending")],
)
def test_what_a_new_version_of_the_server_lost_is_nobodys_edit(
    declared: dict[str, Value], cause: str
) -> None:
    there = applied(bot("ana", "x", expire=5))
    lost = {name: value for name, value in there.fields.items() if name != "expire"}
    assert differ.cause(bot("ana", "x", **declared), RemoteBot("i1", lost), OWNER) == cause  # type: ignore[arg-type]


_CHAT: dict[str, Value] = {
    **{"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 9, "systemMessages": ("oi",)},
    **{
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": "1",
        "userMessages": ("a", "b"),
    },
}


@pytest.mark.parametrize(
    ("gone", "declared", "edits", "cause"),
    [
        *(([name], {}, {}, "") for name in _CHAT if name not in ("botType", "triggerType")),
        (["model", "maxTokens", "systemMessages", "userMessages"], {}, {}, ""),
        (["model"], {"model": "gpt-5"}, {}, "both"),
        (["model"], {"maxTokens": 10}, {}, "pending"),
        (["model"], {}, {"maxTokens": 10}, "drift"),
        ([], {}, {"model": ""}, "drift"),
        ([], {}, {"systemMessages": ()}, "drift"),
    ],
)
def test_a_value_that_the_server_lost_is_nobodys_edit(
    gone: list[str], declared: dict[str, Value], edits: dict[str, Value], cause: str
) -> None:
    """An edit by hand leaves an empty text or list, and never null."""
    there = applied(bot("ana", "x", **_CHAT), **edits)  # type: ignore[arg-type]
    fields = {name: value for name, value in there.fields.items() if name not in gone}
    desired = bot("ana", "x", **{**_CHAT, **declared})  # type: ignore[arg-type]
    assert differ.cause(desired, RemoteBot("i1", fields), OWNER) == cause


def test_what_is_empty_on_both_sides_is_not_lost() -> None:
    there = applied(bot("ana", "x", keywordFinish=""), timePerChar=7)
    empty = {name: value for name, value in there.fields.items() if name != "keywordFinish"}
    assert differ.cause(bot("ana", "x", keywordFinish=""), RemoteBot("i1", empty), OWNER) == "drift"


def test_without_a_stamp_nobody_knows_who_moved() -> None:
    there = remote("i1", "x", "none", "[gitops:ana]", expire=6)
    assert differ.cause(bot("ana", "x", expire=5), there, OWNER) == ""
    assert differ.moved(bot("ana", "x", expire=5), there, {**there.fields, "expire": 5}, OWNER) == ("", [])
    assert differ.cause(bot("ana", "x", expire=5), remote("i1", "x"), OWNER) == ""


def test_what_the_server_did_not_keep() -> None:
    """The run notes what the bot became, so that the next plan knows that nobody edited it."""
    desired = bot("ana", "x", expire=5, timePerChar=9)
    became = applied(desired, expire=6)
    restamped = differ.restamped(became.fields, OWNER, OPENAI)
    assert restamped is not None
    there = RemoteBot("i1", {**became.fields, "description": restamped})
    target = {**there.fields, "expire": 5, "openaiCredsId": "another"}
    assert differ.moved(desired, there, target, OWNER) == ("", ["expire"])
    assert differ.moved(desired, there, there.fields, OWNER) == ("", [])
    assert differ.moved(desired, became, target, OWNER) == ("drift", [])
    assert differ.moved(bot("ana", "x", expire=7), there, target, OWNER) == ("pending", [])
    assert differ.cause(desired, there, OWNER) == ""


def test_a_new_stamp_keeps_what_was_declared_and_all_else_of_the_text() -> None:
    fields = {**remote("i1", "x").fields, "description": "Oi [gitops:ana]~01234567, edited"}
    state = differ.stamp(bot("ana", "x"), fields, OWNER)[5:]
    assert differ.restamped(fields, OWNER, OPENAI) == f"Oi [gitops:ana]~0123{state}, edited"


@pytest.mark.parametrize(
    "edits",
    [
        {"description": ""},
        {"description": "Oi [gitops:ana]"},
        {"description": "Oi [other:ana]~01234567"},
        {"description": f"{KEY} [gitops:ana]~01234567"},
    ],
)
def test_what_has_no_stamp_or_cannot_be_written_gets_none(edits: Fields) -> None:
    assert differ.restamped({**remote("i1", "x").fields, **edits}, OWNER, OPENAI) is None


@pytest.mark.parametrize("name", ["botType", "triggerType"])
def test_what_is_no_whole_bot_gets_no_stamp(name: str) -> None:
    fields = {**remote("i1", "x").fields, "description": "[gitops:ana]~01234567"}
    assert differ.restamped({n: v for n, v in fields.items() if n != name}, OWNER, OPENAI) is None


def test_who_moved_is_said_only_of_a_bot_that_differs() -> None:
    """A bot that is moved aside for another is written, and as it should be all the same."""
    there = applied(bot("ana", "x"), expire=300)
    for expire, cause in ((300, ""), (5, "pending")):
        declared = bot("ana", "x", expire=expire)
        found = Found(there, How.MARKER)
        target = target_of(
            declared, found, None, RemoteSettings(False, {}), OWNER, recreate=False, late=False
        )
        assert differ.cause(declared, there, OWNER) == "pending"
        assert (target.moved[0], target.differs) == (cause, bool(cause))


@pytest.mark.parametrize(
    ("declared", "trigger", "value"),
    [
        ({}, "keyword", "oi"),
        ({}, "advanced", "oi"),
        ({}, "all", ""),
        ({"triggerValue": "mine"}, "all", "oi"),
    ],
)
def test_which_value_a_trigger_leaves_behind(declared: Fields, trigger: str, value: str) -> None:
    desired = DesiredBot("ana", declared, None, AT)
    target = {"triggerType": trigger, "triggerOperator": "equals", "triggerValue": "oi"}
    assert differ.without_stale_trigger(desired, target) == {**target, "triggerValue": value}
    del target["triggerValue"]
    assert differ.without_stale_trigger(desired, target) == target
