"""What answers mean: bots, credentials, settings and refusals of both versions, and broken shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import KINDS, OPENAI, Field, Kind, Type
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.secret import SecretStr
from reconciler.evolution import answers, failures, masking
from reconciler.evolution.answers import Credential, Listed
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import NotUnderstood, parse

# As recorded from 2.3.6.
STORED = {
    "id": "cmwskt57500334p7djyyizusz",
    "enabled": False,
    "description": None,
    "botType": "chatCompletion",
    "assistantId": None,
    "functionUrl": None,
    "model": "gpt-4o",
    "systemMessages": ["Olá", ""],
    "assistantMessages": [],
    "userMessages": None,
    "maxTokens": 1,
    "expire": 0,
    "keywordFinish": "",
    "delayMessage": 1000,
    "unknownMessage": "Sorry, I dont understand",
    "listeningFromMe": True,
    "stopBotFromMe": True,
    "keepOpen": False,
    "debounceTime": 1,
    "splitMessages": False,
    "timePerChar": 50,
    "ignoreJids": ["@g.us"],
    "triggerType": "none",
    "triggerOperator": None,
    "triggerValue": None,
    "createdAt": "2026-11-23T01:17:26.177Z",
    "updatedAt": "2026-11-23T01:17:26.177Z",
    "openaiCredsId": "cmwskpqe400034p7dxka4nrnh",
    "instanceId": "c22def7d-036d-4bdf-80a5-60829d17abfc",
}
ROW = {"expire": 300, "keywordFinish": "bye", "keepOpen": False, "ignoreJids": [], "speechToText": True}
ROW_FIELDS: Fields = {
    "expire": 300,
    "keywordFinish": "bye",
    "keepOpen": False,
    "ignoreJids": (),
    "speechToText": True,
}


def test_bot_has_every_field_that_is_not_null() -> None:
    bot = answers.bot(STORED)
    assert bot.id == STORED["id"]
    assert bot.created == STORED["createdAt"]
    assert list(bot.fields) == [
        *("enabled", "openaiCredsId", "botType", "model", "systemMessages", "assistantMessages", "maxTokens"),
        *("triggerType", "expire", "keywordFinish", "delayMessage", "unknownMessage", "listeningFromMe"),
        *("stopBotFromMe", "keepOpen", "debounceTime", "ignoreJids", "splitMessages", "timePerChar"),
    ], "in the order of the kind's table"
    assert bot.fields["systemMessages"] == ("Olá", "")
    assert bot.fields["assistantMessages"] == ()
    assert (bot.fields["enabled"], bot.fields["expire"], bot.fields["keywordFinish"]) == (False, 0, "")


def test_find_without_bots() -> None:
    assert answers.bots([]) == ()
    assert answers.bots(None) == ()  # 2.2.x


LONG = 10**400
ODD: list[tuple[object, str]] = [
    (7, "is not of type"),
    (-1.5, "is not of type"),
    (True, "is not of type"),
    ("true", "is not of type"),
    (["x"], "is not of type"),
    ([1], "is not"),
    ([None], "is not"),
    ({}, "is not of type"),
    ({"a": "b"}, "is not of type"),
    (LONG, "out of range"),
    (2**31, "out of range"),
    ("\ud800", "is not a text"),
    (["\udfff"], "is not a list of texts"),
    ("of a newer server", "does not know"),
    (None, "is null"),
    (..., "is missing"),
]
RIGHT: dict[Type, type] = {Type.BOOL: bool, Type.INT: int, Type.TEXT: str, Type.ENUM: str, Type.TEXTS: list}


def understood(field: Field, value: object) -> bool:
    """Whether a row with this value is one that the server may have."""
    needed = field.name in ("enabled", "botType", "triggerType", "openaiCredsId")
    if value is None or value is ...:
        return not needed and not (value is ... and field.name == "description")
    if type(value) is not RIGHT[field.type]:
        return False
    if field.type is Type.ENUM:
        return value in field.choices
    if isinstance(value, int):
        return abs(value) < 2**31
    return "\\ud" not in ascii(value) and (
        not isinstance(value, list) or all(isinstance(v, str) for v in value)
    )


@pytest.mark.parametrize("value", [value for value, _ in ODD], ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("field", OPENAI.fields.values(), ids=lambda field: field.name)
def test_one_odd_row_is_said_and_the_others_are_read(field: Field, value: object) -> None:
    row = {**STORED, "id": "odd", field.name: value}
    if value is ...:
        del row[field.name]
    good, odd = answers.bots([STORED, row])
    assert good == answers.bot(STORED)
    assert good.unread == ()
    assert odd.id == "odd"
    if understood(field, value):
        assert odd.unread == ()
        assert odd.unseen == (frozenset({field.name}) if value is ... else frozenset())
        assert (field.name in odd.fields) is (value is not None and value is not ...)
        return
    [(name, why)] = odd.unread
    assert name == field.name
    assert why.startswith(("is not of type", "is not a", "is out of", "has a value", "is null", "is missing"))
    assert field.name not in odd.fields
    assert len(odd.fields) >= len(good.fields) - 1, "the rest of it is known"
    if value is not None and value is not ...:
        with pytest.raises(NotUnderstood, match=field.name):
            answers.bot(row)


OTHER_KINDS = [kind for kind in KINDS.values() if kind is not OPENAI]
_USUAL: dict[Type, object] = {Type.BOOL: True, Type.INT: 1, Type.TEXT: "x", Type.TEXTS: ["x"]}


@pytest.mark.parametrize("kind", OTHER_KINDS, ids=lambda kind: kind.path)
def test_one_odd_row_of_another_kind_is_said_and_the_others_are_read(kind: Kind) -> None:
    fields = kind.fields.values()
    stored = {"id": "good"} | {one.name: (*one.choices, _USUAL.get(one.type))[0] for one in fields}
    for field in fields:
        for value, _ in ODD:
            row = {**stored, "id": "odd", field.name: value}
            if value is ...:
                del row[field.name]
            good, odd = answers.bots([stored, row], kind)
            assert (good.unread, odd.id) == ((), "odd")
            empty = value is None or value is ...
            needed = field.name in kind.schema.required or (value is ... and field.name == "description")
            if (empty and not needed) or (not empty and understood(field, value)):
                assert odd.unread == ()
            else:
                assert [name for name, _ in odd.unread] == [field.name]
                assert field.name not in odd.fields


@pytest.mark.parametrize("kind", OTHER_KINDS, ids=lambda kind: kind.path)
def test_an_odd_field_of_the_settings_of_another_kind(kind: Kind) -> None:
    whole: dict[str, object] = {"id": "s", **{name: one.default for name, one in kind.settings.items()}}
    whole |= {"ignoreJids": [], "fallbackId": None}
    for field in kind.settings.values():
        for value, _ in ODD[:-1]:
            found = answers.settings({**whole, field.name: value}, kind)
            right = value is None or understood(field, value)
            assert [name for name, _ in found.unread] == ([] if right else [field.name])


IDS = [
    "",
    " ",
    "a/b",
    "..",
    ".",
    "a.b",
    "a?b",
    "a#b",
    "a%2Fb",
    "a\nb",
    "\ud800",
    "é",
    "x" * 10_240,
    "\0",
    "a b",
]


@pytest.mark.parametrize("ident", [*IDS, None, 3, True, [], {}], ids=lambda ident: repr(ident)[:20])
def test_ids_that_cannot_be_used(ident: object) -> None:
    [bot] = answers.bots([{**STORED, "id": ident}])
    assert (bot.id, bot.unread) == ("", (("id", "cannot be used"),))
    row = {"id": ident, "name": "main", "apiKey": "sk-1", "OpenaiAssistant": []}
    found = answers.credentials([row, {**row, "id": "c1", "name": "other"}])
    assert list(found) == ["other"]
    assert found.unread == (("main", (("id", "cannot be used"),)),)
    with pytest.raises(NotUnderstood):
        answers.credential(row)
    assert answers.settings({"id": ident, **ROW}).unread == (("id", "cannot be used"),)


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_what_is_no_bot(data: object) -> None:
    assert answers.bots([data]) == (RemoteBot("", {}, unread=(("it", "is not an object"),)),)
    with pytest.raises(NotUnderstood, match="a bot is not an object"):
        answers.bot(data)


def test_a_number_of_thousands_of_digits_is_the_trouble_of_its_row() -> None:
    body = json.dumps([STORED, {**STORED, "id": "odd", "expire": "@"}]).replace('"@"', "9" * 10_000)
    _, odd = answers.bots(parse(body.encode()))
    assert odd.unread == (("expire", "is not of type int"),)


def test_bot_without_a_time() -> None:
    assert answers.bot({**STORED, "createdAt": None}).created == ""


USES: list[tuple[object, frozenset[str] | None]] = [
    ([{"id": "b1", "model": "x"}, {"id": "b2"}], frozenset({"b1", "b2"})),
    ([], frozenset()),
    (None, None),
    ("b1", None),
    ([{"id": "b1"}, {}], None),
    ([{"id": "b1"}, {"id": 2}], None),
    ([None], None),
]


@pytest.mark.parametrize(("bots", "users"), USES)
def test_credentials(bots: object, users: frozenset[str] | None) -> None:
    data = [{"id": "c1", "name": "main", "apiKey": "sk-1", "OpenaiAssistant": bots}]
    assert answers.credentials(data) == {"main": Credential("c1", SecretStr("sk-1"), users)}


MASKED = [
    "",
    None,
    3,
    "***",
    "sk-***",
    "sk-…1234",
    "sk-...1234",
    "[hidden]",
    "<redacted>",
    "xxxxxxxx",
    "00000000",
]


@pytest.mark.parametrize("key", [*MASKED, "sk-1 2", "REDACTED", {}, []], ids=repr)
def test_a_key_that_is_not_shown_in_whole_is_none(key: object) -> None:
    for row in ({"apiKey": key}, {}):
        [found] = answers.credentials([{"id": "c2", "name": "café", **row}]).values()
        assert found == Credential("c2", SecretStr(""))


@pytest.mark.parametrize("name", [None, "", 3, True, [], {}, "\ud800"], ids=repr)
def test_a_credential_without_a_name_takes_nothing_else_away(name: object) -> None:
    row = {"id": "c1", "name": "main", "apiKey": "sk-1"}
    found = answers.credentials([row, {**row, "id": "c2", "name": name}, None])
    assert list(found) == ["main"]
    assert [what for what, _ in found.unread] == ["c2", "?"]
    assert found.unread[0][1][0][0] == "name"


def test_two_credentials_of_one_name_are_not_believed() -> None:
    with pytest.raises(NotUnderstood, match="two credentials have the name 'main'"):
        answers.credentials([{"id": one, "name": "main"} for one in ("c1", "c2")])


def test_a_credential_that_was_made() -> None:
    assert answers.credential({"id": "c1", "name": "main", "apiKey": "sk-1"}) == "c1"
    for data in (None, {"id": ""}, {"id": 1}, [{"id": "c1"}]):
        with pytest.raises(NotUnderstood, match="a credential has no id"):
            answers.credential(data)


@pytest.mark.parametrize("form", ['key-"a"&b', r"key-\"a\"&b", "key-&quot;a&quot;&amp;b"])
def test_no_sentence_holds_a_key_in_whatever_form(form: str) -> None:
    assert Secrets("x", 'key-"a"&b').clean(f"Duplicate {form}: taken") == "Duplicate [key]: taken"


@pytest.mark.parametrize("data", [{}, None, "text", 1], ids=str)
def test_credentials_of_another_shape(data: object) -> None:
    with pytest.raises(NotUnderstood, match="the list of credentials is not a list"):
        answers.credentials(data)


SETTINGS: list[tuple[str, object, RemoteSettings]] = [
    ("2.3 with a row", {"id": "s", **ROW, "fallbackId": None}, RemoteSettings(True, ROW_FIELDS)),
    ("2.3 fallback", {"id": "s", **ROW, "fallbackId": "b1"}, RemoteSettings(True, ROW_FIELDS, "b1")),
    (
        "2.3 cleared",
        {"id": "s", **ROW, "fallbackId": None, "openaiIdFallback": "b"},
        RemoteSettings(True, ROW_FIELDS),
    ),
    ("2.3 without a row", {**ROW, "fallbackId": ""}, RemoteSettings(False, ROW_FIELDS)),
    ("2.2 with a row", {**ROW, "openaiIdFallback": None}, RemoteSettings(True, ROW_FIELDS)),
    ("2.2 fallback", {**ROW, "openaiIdFallback": "b1"}, RemoteSettings(True, ROW_FIELDS, "b1")),
    (
        "2.2 without a row",
        {"expire": 0, "keywordFinish": "", "keepOpen": False, "ignoreJids": [], "openaiIdFallback": ""},
        RemoteSettings(False, {"expire": 0, "keywordFinish": "", "keepOpen": False, "ignoreJids": ()}),
    ),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in SETTINGS], ids=[c[0] for c in SETTINGS])
def test_settings(data: object, expected: RemoteSettings) -> None:
    assert replace(answers.settings(data), unseen=frozenset()) == expected


def test_what_a_version_does_not_show_of_settings_is_named() -> None:
    whole = dict.fromkeys(OPENAI.settings, None)
    shown = {name: None for name in whole if name != "debounceTime"}
    row = {"openaiCredsId": "c1", "openaiIdFallback": None}
    assert answers.settings({"id": "s", **whole, "fallbackId": None}).unseen == frozenset()
    assert answers.settings({**shown, **row}).unseen == {"debounceTime"}
    zeros = {**shown, "expire": 0, "openaiIdFallback": None}
    assert answers.settings(zeros).unseen == frozenset(), "there is no row"


def test_settings_have_fields_of_their_own() -> None:
    row = {"id": "s", "speechToText": True, "openaiCredsId": "c1", "enabled": True}
    assert answers.settings(row).fields == {"openaiCredsId": "c1", "speechToText": True}


NO_SETTINGS = [None, [], {}, "x", {"message": "x"}, {"id": "s"}, [{"expire": 1}], {"expire": None}]


@pytest.mark.parametrize("data", NO_SETTINGS, ids=str)
def test_what_is_no_row_of_settings(data: object) -> None:
    with pytest.raises(NotUnderstood, match="the settings"):
        answers.settings(data)


@pytest.mark.parametrize("value", [value for value, _ in ODD[:-1]], ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("field", OPENAI.settings.values(), ids=lambda field: field.name)
def test_an_odd_field_of_the_settings(field: Field, value: object) -> None:
    whole = {name: one.default for name, one in OPENAI.settings.items()}
    row = {"id": "s", **whole, "ignoreJids": [], "fallbackId": None, field.name: value}
    found = answers.settings(row)
    assert len(found.fields) >= len(whole) - 1
    if value is None or understood(field, value):
        assert found.unread == ()
        return
    assert [name for name, _ in found.unread] == [field.name]
    with pytest.raises(NotUnderstood, match=field.name):
        answers.settings(row, saved=True)


def test_settings_that_were_just_saved_exist() -> None:
    assert answers.settings({"expire": 0}, saved=True).exists


def test_fallback_of_another_shape() -> None:
    odds: list[object] = [3, [], "a/b", True]
    for odd in odds:
        assert answers.settings({**ROW, "fallbackId": odd}).unread == (("fallbackId", "is not an id"),)


def test_instances_without_their_tokens() -> None:
    rows = [{"name": "a", "token": "t", "id": "1"}, {"name": "b/c"}]
    assert answers.instances(rows) == Listed({"a": "1", "b/c": ""})
    odd: list[object] = [{"token": "t"}, {"name": ""}, {"name": 3}, {"name": "\ud800"}]
    odd += [{"name": []}, {"name": {}}, {"name": None}, None, "a", [], 3]
    assert answers.instances([*rows, *odd]) == Listed({"a": "1", "b/c": ""}, len(odd))
    assert answers.tokens(rows) == ("t",)
    with pytest.raises(NotUnderstood, match="one instance twice"):
        answers.instances([*rows, *rows])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"status": 500, "response": {"message": "Error"}}, "Error"),
        ({"status": 404, "response": {"message": ["a", "b"]}}, "a; b"),
        ({"status": 400, "response": {"message": [["a", "b"], ["c"]]}}, "a; b; c"),
        ({"status": 400, "response": {"message": [{"code": 1}, None]}}, '{"code": 1}; null'),
        ({"status": 400, "response": {"message": []}}, ""),
        ({"status": 400, "response": {}}, None),
        ({"message": "Too many requests"}, None),
        (None, None),
        ([], None),
    ],
    ids=str,
)
def test_words_of_a_refusal(data: object, words: str | None) -> None:
    assert failures.refusal(data) == words


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("\nInvalid\t`x()`\r\n  in\x00\x1b[31mred\u202e", "Invalid `x()` in [31mred"),
        ("your key THE-KEY is wrong", "your key [key] is wrong"),
        ("Incorrect API key provided: sk-proj-a_b-C3.", "Incorrect API key provided: [key]."),
        ("é🤖", "é🤖"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("x" * 297 + " sk-secret", "x" * 297 + " […"),
    ],
)
def test_text_from_outside_is_made_harmless(text: str, cleaned: str) -> None:
    assert Secrets("THE-KEY").clean(text) == cleaned
    assert len(cleaned) <= masking.LONGEST_WORDS


@pytest.mark.parametrize(
    ("body", "gist"),
    [
        (b"<html><TITLE lang=en>\n502 Bad\nGateway</title><body>x", "502 Bad\nGateway"),
        (b"<h1>Nothing</h1><p>here", "Nothing  here"),
        (b"404 page not found\n", "404 page not found"),
        (b"\xff\xfe", ""),
        (b"<title>Broken</title>" + bytes(range(128, 256)), "Broken"),
        ("a page".encode("utf-16"), ""),
        ("Página não encontrada".encode("latin-1"), "P\ufffdgina n\ufffdo encontrada"),
        (b"", ""),
    ],
    ids=str,
)
def test_gist_of_a_page(body: bytes, gist: str) -> None:
    assert failures.gist(body, Secrets("THE-SERVERS-KEY")) == gist


NOW = datetime(2026, 11, 23, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("31", 30),
        ("9" * 400, 30),
        ("Mon, 23 Nov 2026 01:00:20 GMT", 20),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 30),
        ("Mon, 23 Nov 2026 00:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 01:00:20", 20),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 400, 30.0),
        ("-" + "9" * 400, None),
        ("1e400", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Fri, 31 Dec 10000 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 30.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Mon, 01 Jan 2030 00:00:00 +99999999999999999", None),
        ("Mon, 01 Jan 2030 00:00:00 -99999999999999999", None),
        ("Mon, 01 Jan 2030 99999999999999999999:0:0 GMT", None),
        ("Mon, 99999999999999999999 Jan 2030 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert failures.retry_after({"retry-after": value}, NOW) == seconds


_PARTS = st.sampled_from(
    ["Mon,", "31", "Dec", "9999", "1", "0", "23:59:59", "-2359", "+9999", "GMT", "9" * 30, ":"]
)


@given(st.one_of(st.text(), st.lists(_PARTS).map(" ".join)))
def test_retry_after_never_fails(value: str) -> None:
    seconds = failures.retry_after({"retry-after": value})
    assert seconds is None or 0 <= seconds <= failures.LONGEST_WAIT


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"<html>"])
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        parse(body)


def test_licence() -> None:
    assert failures.is_licence({"code": "LICENSE_REQUIRED"})
    assert not failures.is_licence({"code": "X"})
    assert not failures.is_licence([])


def test_no_key_stays_in_what_is_returned() -> None:
    data = [{"id": "c1", "name": "main", "apiKey": "sk-1"}]
    assert "sk-1" not in repr(answers.credentials(data))
