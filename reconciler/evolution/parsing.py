"""The JSON of an answer: parsed, checked for its outermost shape, and searched for secrets. Pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any


class NotUnderstood(Exception):  # noqa: N818 - it completes a sentence; nobody sees it as an error of its own
    """The answer has another shape than the API's. Its text says where."""


def parse(body: bytes) -> Any:
    """The JSON of a body. Raises NotUnderstood."""
    for parse_int in (None, _number):
        with suppress(ValueError, RecursionError):
            return json.loads(body, parse_int=parse_int)
    # Raised outside of the except block: json's error holds the whole body, which may have secrets in it.
    raise NotUnderstood("it is not JSON")


def _number(digits: str) -> float:
    """A whole number; a float for thousands of digits, which Python does not convert. No field is a float."""
    return int(digits) if len(digits) < 1000 else float(digits)


def as_list(data: object, what: str) -> list[object]:
    """The data as a list. Raises NotUnderstood. what: names it in the error."""
    if isinstance(data, list):
        return data
    raise NotUnderstood(f"{what} is not a list")


def as_dict(data: object, what: str) -> dict[str, object]:
    """The data as an object. Raises NotUnderstood. what: names it in the error."""
    if isinstance(data, dict):
        return data
    raise NotUnderstood(f"{what} is not an object")


_NAMES_OF_SECRETS = re.compile(r"api_?-?key|token|pass(?:word)?$|secret|authorization|hash", re.IGNORECASE)


def secrets_in(data: object) -> list[str]:
    """The texts in an answer whose names say that they are secret."""
    found: list[str] = []
    todo = [data]
    while todo:
        match todo.pop():
            case dict() as one:
                todo += one.values()
                found += [v for k, v in one.items() if isinstance(v, str) and _NAMES_OF_SECRETS.search(k)]
            case list() as one:
                todo += one
    return found
