"""Manifests in JSON: all that JSON allows, and errors with their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.domain.kinds import Value
from reconciler.yaml import MappingNode, Node, SequenceNode, compose_json
from tests.manifests.writing import bot, marked, problems

BOT = (
    '{"openaiCreds":"c","botType":"assistant","assistantId":"x","triggerType":"keyword",'
    '"triggerOperator"\n:"equals","triggerValue":VALUE}'
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"\\/\\u00e7\\ud83d\\ude00\\t\\u001b"', "/ç😀\t\x1b"),
        ('"😀\x7f\x85\u2028"', "😀\x7f\x85\u2028"),
        ("1", "1"),
        ("1.50", "1.50"),
        ("true", "true"),
        ('"null"', "null"),
    ],
)
def test_texts(tmp_path: Path, written: str, meant: Value) -> None:
    text = f'{{"bots":\t{{"a":{BOT.replace("VALUE", written)}}}}}'
    assert bot(tmp_path, text, "a.json").fields["triggerValue"] == meant


BROKEN = {
    "empty": ("‸ \n", "is empty"),
    "no comma": ('{"bots": {} ‸"x": 1}', "not valid JSON"),
    "single quotes": ("{‸'bots': {}}", "not valid JSON"),
    "hash": ('{"bots": {}} ‸# x', "not valid JSON", "`#` does not start a comment here: write `//`"),
    "hash in front": ('‸# x\n{"bots": {}}', "`#` does not start a comment"),
    "open comment": ('{"bots": {}, // x\n ‸/* x\n}', "never ends", "`*/`"),
    "slash": ('{"bots": {}, ‸/ x\n}', "not valid JSON"),
    "no comment in a text": ('{"a//b": 1,‸, "bots": {}}', "not valid JSON"),
    "behind comments": ('// é😀\n/* {[\n"*/ {"bots": {}, ‸x: 1}', "not valid JSON"),
    "comma alone": ('{"bots": {}, "x-a": [‸,]}', "not valid JSON"),
    "comma alone in braces": ('{"bots": {‸,}}', "not valid JSON"),
    "two last commas": ('{"bots": {}, "x-a": [1,‸,]}', "not valid JSON"),
    "comma without a value": ('{"bots":‸,}', "not valid JSON"),
    "comma behind all": ('{"bots": {}}‸,', "not valid JSON"),
    "only a comment": ("‸// {}\n", "is empty"),
    "control character": ('{"bots": "a‸\x1bb"}', "U+001B ESCAPE", "\\u001b"),
    "no-break space": ('{\n‸\xa0"bots": {}}', "U+00A0 NO-BREAK SPACE"),
    "typographic quotes": ("{‸“bots”: {}}", "U+201C LEFT DOUBLE QUOTATION MARK"),
    "deep behind comments": ("// [[[\n" + "[" * 50 + "‸[" + "[" * 10_000, "nesting"),
    "two values": ('{"bots": {}}\n‸{}', "not valid JSON"),
    "unfinished": ('{"bots":‸ ', "not valid JSON"),
    "open text": ('{"bots": ‸"a', "not valid JSON"),
    "line break in a text": ('{"bots": "a‸\n"}', "not valid JSON"),
    "NaN": ('{"bots":\n ‸NaN}', "not valid JSON"),
    "half a pair": ('{"bots": {},\n "x-a": ‸"é\\ud83d"}', "surrogate"),
    "deep": ("[" * 50 + "‸[" + "[" * 10_000, "nesting"),
    "a list": ("‸[]", "must be a mapping"),
    "key twice": ('{"bots": {},\n\t‸"bots": {}}', "appears twice", ":1:2: remove"),
    "null": ('{"bots": ‸null}', "must be a mapping"),
    "field null": (f'{{"bots": {{"a": {BOT.replace("VALUE", "‸null")}}}}}', "cannot be null"),
    "number quoted": (
        f'{{"bots": {{"a": {BOT.replace("VALUE", "1,")[:-1]}"expire": ‸"1"}}}}}}',
        "without quotes",
    ),
    "merge": (f'{{"bots": {{"a": {BOT.replace("VALUE", "1,")[:-1]}‸"<<": {{}}}}}}}}', "'<<' is not a field"),
    "huge number": (
        f'{{"bots": {{"a": {BOT.replace("VALUE", "1,")[:-1]}"expire": ‸{"9" * 9999}}}}}}}',
        "at most 2147483647",
    ),
}


@pytest.mark.parametrize(("text", "words"), [pytest.param(r[0], r[1:], id=n) for n, r in BROKEN.items()])
def test_place_and_words(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    text, place = marked(text)
    found = problems(tmp_path, {"a.json": text})
    assert len(found) == 1, found
    assert found[0].startswith(f"a.json:{place}: ")
    for word in words:
        assert word in found[0]


COMMENTED = """\
// A body of the documentation {"bots": 1}
{ /* [ " */
  "$schema": "https://example.com/schema.json", // where
  "bots": {
    "a": { // one
      "openaiCreds": "c",
      "botType": "assistant", /* or
        chatCompletion */ "assistantId": "x//y",
      "triggerType": "none", // "none"
      "description": "/* no */ \\" // no",
      "ignoreJids": ["a@g.us", "b@g.us" , ],
      "expire": 1, // the last
    },
  },
}
// end"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_comments_and_last_commas(tmp_path: Path, newline: str) -> None:
    found = bot(tmp_path, COMMENTED.replace("\n", newline), "a.json")
    assert found.fields == {
        "botType": "assistant",
        "assistantId": "x//y",
        "triggerType": "none",
        "description": '/* no */ " // no',
        "ignoreJids": ("a@g.us", "b@g.us"),
        "expire": 1,
    }
    assert (found.at.line, found.at.column) == (5, 5)


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_schema_may_be_named(tmp_path: Path, name: str) -> None:
    text = f'{{"$schema": "x", "bots": {{"a": {BOT.replace("VALUE", "1")}}}}}'.replace("\n:", ": ")
    assert bot(tmp_path, text, name).name == "a"
    [found] = problems(tmp_path, {name: text.replace("$schema", "$schemas")})
    assert "'$schemas' is not a key of a manifest" in found


VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers().map(str),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_read_as_it_is(value: object, ascii_only: bool, indent: int | str | None) -> None:
    assert _plain(compose_json(json.dumps([value], ensure_ascii=ascii_only, indent=indent))) == [value]


def _plain(node: Node) -> object:
    if isinstance(node, MappingNode):
        return {_plain(key): _plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.value]
    return node.value


WRONG = {
    "{'bots': {}}": 'write "',
    "{bots: {}}": "a key in double quotes",
    '{"bots": {"a": {"enabled": True}}}': "`True` is not a value: write true, false",
    '{"bots": undefined}': "`undefined` is not a value",
    '{"bots": {}} x': "after the end of the JSON: remove it",
    '{"bots": {}}\n{"bots": {}}': "after the end of the JSON: remove it",
    '{"bots": {}\n"x-a": 1}': "a `,` or a closing bracket is missing",
    '{"bots" {}}': "a `:` is missing",
    '{"bots": {"a': "a quote is opened here",
    '{"bots": {"a": "\\d"}}': "write two of them",
    '{"bots": {"a": "x\ny"}}': "U+000A LINE FEED is not allowed in a text",
    "[]": "write each item under a name, without a dash",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items())
def test_what_people_write_in_json(tmp_path: Path, text: str, words: str) -> None:
    [found] = problems(tmp_path, {"loja.json": text})
    assert words in found


def test_no_value_of_json_is_shown_that_may_be_a_key(tmp_path: Path) -> None:
    [found] = problems(tmp_path, {"loja.json": '{"credentials": {"a": {"apiKey": abcdefghijklmnopq1}}}'})
    assert "abc" not in found


@pytest.mark.parametrize("file", ["loja.json", "loja.yaml", "_defaults.json"])
def test_a_body_alone_is_one_error(tmp_path: Path, file: str) -> None:
    files = {file: '{"enabled": true, "model": "gpt-4o", "maxTokens": 3}', "b.yaml": "bots: {}\n"}
    [found] = problems(tmp_path, files)
    assert found.startswith(f"{file}:1:2: the fields of a bot belong under ")
