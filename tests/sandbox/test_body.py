"""Bodies as Express reads them, and V8's words for what is not JSON."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.body import parse
from reconciler.sandbox.refusals import RefusalError


@pytest.mark.parametrize(
    ("content_type", "raw", "body"),
    [
        ("application/json", b'{"a": 1, "b": [true]}', {"a": 1, "b": [True]}),
        ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        ("application/json", b"", {}),
        ("application/json", b"\xef\xbb\xbf{}", {}),
        ("application/json", b" [5, 6]", {"0": 5, "1": 6}),
        ("application/json", b'{"a": 1.0, "b": 1e3, "c": 1.5}', {"a": 1, "b": 1000, "c": 1.5}),
        ("application/json", b'{"a": 9007199254740993, "b": 1e999}', {"a": 2**53, "b": float("inf")}),
        ("application/json", b'{"a": 1, "a": 2}', {"a": 2}),
        ("application/x-www-form-urlencoded", b"name=a+b&apiKey=", {"name": "a b", "apiKey": ""}),
        ("text/plain", b'{"a": 1}', {}),
        ("", b'{"a": 1}', {}),
    ],
)
def test_parsed(content_type: str, raw: bytes, body: dict[str, Any]) -> None:
    parsed = parse(content_type, raw)
    assert parsed == body
    assert [type(value) for value in parsed.values()] == [type(value) for value in body.values()]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", "Expected property name or '}' in JSON at position 1"),
        ('{"a": 1,}', "Expected double-quoted property name in JSON at position 8"),
        ('{"name": "x",', "Expected double-quoted property name in JSON at position 13"),
        ('{"a" 1}', "Expected ':' after property name in JSON at position 5"),
        ('{"a": 1 "b": 2}', "Expected ',' or '}' after property value in JSON at position 8"),
        ('{"a": [1 2], "]": {}}', "Expected ',' or ']' after array element in JSON at position 9"),
        ('{"a": {}} x', "Unexpected non-whitespace character after JSON at position 10"),
        ('{"a": [{}, 1 2]}', "Expected ',' or ']' after array element in JSON at position 13"),
        ('{"a": "x', "Unterminated string in JSON at position 8"),
        ('{"a": "x\ny"}', "Bad control character in string literal in JSON at position 8"),
        ("[1,", "Unexpected end of JSON input"),
        ("[1,]", "Unexpected token ']', \"[1,]\" is not valid JSON"),
        ('"x"', 'Unexpected token \'"\', ""x"" is not valid JSON'),
        ("null", "Unexpected token 'n', \"null\" is not valid JSON"),
        ('{"a": NaN}', 'Unexpected token \'N\', "{"a": NaN}" is not valid JSON'),
        ("nothing but a longer text", "Unexpected token 'n', \"nothing bu\"... is not valid JSON"),
        (
            '{"a": "some text", "b": x, "c": "text"}',
            'Unexpected token \'x\', ..."xt", "b": x, "c": "t"... is not valid JSON',
        ),
        ('{"a": "some longer text", "b": x}', 'Unexpected token \'x\', ..."xt", "b": x}" is not valid JSON'),
    ],
)
def test_malformed(raw: str, message: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse("application/json", raw.encode())
    assert refusal.value.content == {
        "status": 400,
        "error": "Internal Server Error",
        "response": {"message": message},
    }
