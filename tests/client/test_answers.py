"""What answers mean: bots, credentials, settings and refusals of both versions, and broken shapes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from reconciler import answers, masking
from reconciler.answers import Credential, NotUnderstood
from reconciler.kinds import OPENAI
from reconciler.masking import Secrets
from reconciler.model import Fields, RemoteBot, RemoteSettings

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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "no id"),
        ({"id": ""}, "no id"),
        ({"systemMessages": "text"}, "systemMessages"),
        ({"systemMessages": [1]}, "systemMessages"),
        ({"systemMessages": {}}, "systemMessages"),
        ({"ignoreJids": ["a", None]}, "ignoreJids"),
        ({"expire": True}, "expire"),
        ({"expire": 1.5}, "expire"),
        ({"enabled": 1}, "enabled"),
        ({"model": ["gpt"]}, "model"),
        ({"botType": 3}, "botType"),
        ({"description": "\ud800"}, "description"),
    ],
    ids=str,
)
def test_bot_of_another_shape_names_the_field(changes: dict[str, object], words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        answers.bot({**STORED, **changes})


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_what_is_no_bot(data: object) -> None:
    with pytest.raises(NotUnderstood, match="a bot is not an object"):
        answers.bots([data])


def test_unknown_fields_and_values_of_a_later_version_are_taken() -> None:
    assert answers.bot({**STORED, "voice": {"x": 1}, "botType": "responses"}).fields["botType"] == "responses"


def test_bot_without_a_time() -> None:
    assert answers.bot({"id": "x"}) == RemoteBot("x", {})


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


def test_credentials_without_a_key_or_none_at_all() -> None:
    assert answers.credentials(None) == {}
    for key in (None, 3):
        assert answers.credentials([{"id": "c2", "name": "café", "apiKey": key}]) == {
            "café": Credential("c2", SecretStr(""))
        }


def test_a_credential_that_was_made() -> None:
    assert answers.credential({"id": "c1", "name": "main", "apiKey": "sk-1"}) == "c1"
    for data in (None, {"id": ""}, {"id": 1}, [{"id": "c1"}]):
        with pytest.raises(NotUnderstood, match="a credential has no id"):
            answers.credential(data)


@pytest.mark.parametrize("form", ['key-"a"&b', r"key-\"a\"&b", "key-&quot;a&quot;&amp;b"])
def test_no_sentence_holds_a_key_in_whatever_form(form: str) -> None:
    assert answers.clean(f"Duplicate {form}: taken", "x", 'key-"a"&b') == "Duplicate [key]: taken"


@pytest.mark.parametrize("data", [{}, [None], [{"id": "c1"}], [{"name": "main", "id": 1}]], ids=str)
def test_credentials_of_another_shape_show_no_key(data: object) -> None:
    with pytest.raises(NotUnderstood, match="credential"):
        answers.credentials(data)


SETTINGS: list[tuple[str, object, RemoteSettings]] = [
    ("2.3 with a row", {"id": "s", **ROW, "fallbackId": None}, RemoteSettings(True, ROW_FIELDS)),
    ("2.3 fallback", {"id": "s", **ROW, "fallbackId": "b1"}, RemoteSettings(True, ROW_FIELDS, "b1")),
    ("2.3 cleared", {"id": "s", "fallbackId": None, "openaiIdFallback": "b1"}, RemoteSettings(True, {})),
    ("2.3 without a row", {**ROW, "fallbackId": ""}, RemoteSettings(False, ROW_FIELDS)),
    ("2.2 with a row", {**ROW, "openaiIdFallback": None}, RemoteSettings(True, ROW_FIELDS)),
    ("2.2 fallback", {**ROW, "openaiIdFallback": "b1"}, RemoteSettings(True, ROW_FIELDS, "b1")),
    (
        "2.2 without a row",
        {"expire": 0, "keywordFinish": "", "keepOpen": False, "ignoreJids": [], "openaiIdFallback": ""},
        RemoteSettings(False, {"expire": 0, "keywordFinish": "", "keepOpen": False, "ignoreJids": ()}),
    ),
    ("nothing", None, RemoteSettings(False, {})),
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
    assert answers.settings({**shown, "openaiIdFallback": None}).unseen == frozenset(), "there is no row"


def test_settings_have_fields_of_their_own() -> None:
    row = {"id": "s", "speechToText": True, "openaiCredsId": "c1", "enabled": True}
    assert answers.settings(row).fields == {"openaiCredsId": "c1", "speechToText": True}
    with pytest.raises(NotUnderstood, match="speechToText is not of type bool"):
        answers.settings({"speechToText": 1})


def test_settings_that_were_just_saved_exist() -> None:
    assert answers.settings({"expire": 0}, saved=True).exists


def test_fallback_of_another_shape() -> None:
    with pytest.raises(NotUnderstood, match="fallbackId"):
        answers.settings({"fallbackId": 3})


def test_instances_without_their_tokens() -> None:
    assert answers.instances([{"name": "a", "token": "t"}, {"name": "b/c"}]) == ("a", "b/c")
    with pytest.raises(NotUnderstood, match="an instance has no name"):
        answers.instances([{"token": "t"}])


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
    assert answers.refusal(data) == words


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
    assert answers.clean(text, "THE-KEY") == cleaned
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
    assert answers.gist(body, Secrets("THE-SERVERS-KEY")) == gist


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
    assert answers.retry_after({"retry-after": value}, NOW) == seconds


_PARTS = st.sampled_from(
    ["Mon,", "31", "Dec", "9999", "1", "0", "23:59:59", "-2359", "+9999", "GMT", "9" * 30, ":"]
)


@given(st.one_of(st.text(), st.lists(_PARTS).map(" ".join)))
def test_retry_after_never_fails(value: str) -> None:
    seconds = answers.retry_after({"retry-after": value})
    assert seconds is None or 0 <= seconds <= answers.LONGEST_WAIT


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"<html>", b"1" * 10_000])
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        answers.parse(body)


def test_licence() -> None:
    assert answers.is_licence({"code": "LICENSE_REQUIRED"})
    assert not answers.is_licence({"code": "X"})
    assert not answers.is_licence([])


def test_no_key_stays_in_what_is_returned() -> None:
    data = [{"id": "c1", "name": "main", "apiKey": "sk-1"}]
    assert "sk-1" not in repr(answers.credentials(data))
