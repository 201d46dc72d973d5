"""Reads a request's body as Express' parsers do, down to the words that V8 has for malformed JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from reconciler.sandbox.refusals import RefusalError
from reconciler.sandbox.schema import Body

LIMIT = 136 * 1024 * 1024
"""Bytes of a body at most."""

_SPACE = " \t\n\r"


def too_large() -> RefusalError:
    """The refusal of a body over the limit."""
    return RefusalError(413, "request entity too large")


def parse(content_type: str, raw: bytes) -> Body:
    """A body's properties; none for a body that is neither JSON nor a form. Raises RefusalError."""
    kind = content_type.partition(";")[0].strip().lower()
    text = raw.decode("utf-8-sig", "replace")
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, keep_blank_values=True))
    if kind != "application/json" or not text:
        return {}
    start = text.lstrip(_SPACE)
    if not start.startswith(("{", "[")):
        raise RefusalError(400, _unexpected(text, len(text) - len(start)))
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except _NotJsonError as error:
        raise RefusalError(400, _unexpected(text, text.index(str(error)))) from error
    except json.JSONDecodeError as error:
        raise RefusalError(400, _in_v8_words(text, error)) from error
    return value if isinstance(value, dict) else {str(index): item for index, item in enumerate(value)}


def _number(text: str) -> int | float:
    """A number as JavaScript has it: a double, which is an integer when it has no fraction."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _no_constant(name: str) -> Any:
    raise _NotJsonError(name)


class _NotJsonError(Exception):
    """NaN or Infinity, which Python's parser would take."""


def _in_v8_words(text: str, error: json.JSONDecodeError) -> str:
    # Since 3.13 Python points at a comma that ends a list; V8 and older Pythons point at what follows it.
    at = error.pos + error.msg.startswith("Illegal trailing comma")
    if error.msg.startswith("Unterminated string"):
        at = len(text)
    elif not error.msg.startswith("Invalid control character"):
        at += len(text[at:]) - len(text[at:].lstrip(_SPACE))
    for start, words in _WORDS.items():
        if error.msg.startswith(start):
            return f"{words(text, at)} JSON at position {at}"
    return _unexpected(text, at) if text[at:] else "Unexpected end of JSON input"


def _property_name(text: str, at: int) -> str:
    first = text[:at].rstrip(_SPACE).endswith("{")
    return "Expected property name or '}' in" if first else "Expected double-quoted property name in"


def _comma(text: str, at: int) -> str:
    open_brackets: list[str] = []
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text[:at]):
        if sign in "{[":
            open_brackets.append(sign)
        elif sign in "}]":
            open_brackets.pop()
    after = "'}' after property value" if open_brackets[-1] == "{" else "']' after array element"
    return f"Expected ',' or {after} in"


_WORDS: Mapping[str, Callable[[str, int], str]] = {
    "Expecting property name": _property_name,
    "Illegal trailing comma before end of object": _property_name,
    "Expecting ':' delimiter": lambda *_: "Expected ':' after property name in",
    "Expecting ',' delimiter": _comma,
    "Extra data": lambda *_: "Unexpected non-whitespace character after",
    "Invalid control character": lambda *_: "Bad control character in string literal in",
    "Unterminated string": lambda *_: "Unterminated string in",
}


def _unexpected(text: str, at: int) -> str:
    """V8 shows ten characters to either side of what it did not expect."""
    near = 10
    start, end = at - near, at + near
    if len(text) <= 2 * near:
        shown = f'"{text}"'
    elif start < 0:
        shown = f'"{text[:end]}"...'
    elif end < len(text):
        shown = f'..."{text[start:end]}"...'
    else:
        shown = f'..."{text[start:]}"'
    return f"Unexpected token '{text[at : at + 1]}', {shown} is not valid JSON"
