"""What the server's answers mean: JSON in, values of the model out, and the words of a refusal.

Pure functions. Everything here comes from outside: a shape that is not understood is an error that names
the field, and text that goes into a sentence is made harmless first. Secrets are dropped on the way.
Shapes are those of 2.2.3 and 2.3.6 as recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reconciler.kinds import OPENAI, Type, Value
from reconciler.model import RemoteBot, RemoteCredential, RemoteSettings

LONGEST_WORDS = 300
LONGEST_WAIT = 30.0
"""Seconds that Retry-After can make us wait at most."""

_OPENAI_KEY = re.compile(r"sk-[\w-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


class NotUnderstood(Exception):  # noqa: N818 - it completes a sentence; nobody sees it as an error of its own
    """The answer has another shape than the API's. Its text says where."""


def parse(body: bytes) -> Any:
    """The JSON of a body. Raises NotUnderstood when it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(body)
    # Raised out here, since json's own error holds the whole body, and so what may be secret.
    raise NotUnderstood("it is not JSON")


# -- refusals ---------------------------------------------------------------------------------


def refusal(data: object) -> str | None:
    """The server's own words in an error, None when the error is not in the server's own form.

    message is a text, a list, or a list of lists.
    """
    match data:
        case {"status": int(), "response": {"message": message}}:
            return "; ".join(_flat(message))
    return None


def is_licence(data: object) -> bool:
    """Whether it is what a 2.4.0 without a licence answers to everything."""
    return isinstance(data, dict) and data.get("code") == "LICENSE_REQUIRED"


def clean(text: str, secret: str = "") -> str:
    """Text from outside for a sentence: one line, printable, without keys, LONGEST_WORDS at most."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if secret:
        line = line.replace(secret, "[key]")
    line = _OPENAI_KEY.sub("[key]", line)
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"


def gist(body: bytes) -> str:
    """What a page that is not the API's is about: its title, else its first words. Not yet clean."""
    page = body[:20_000].decode(errors="replace")
    title = _TITLE.search(page)
    return (title[1] if title else _TAG.sub(" ", page)).strip()[:80]


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait as Retry-After says, in seconds or as a date, LONGEST_WAIT at most, else None."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()), LONGEST_WAIT)


def _flat(message: object) -> list[str]:
    if isinstance(message, list):
        return [text for part in message for text in _flat(part)]
    return [message if isinstance(message, str) else json.dumps(message)]


# -- values -----------------------------------------------------------------------------------


def bots(data: object) -> tuple[RemoteBot, ...]:
    """The bots of a find; 2.2.x answers null when there are none."""
    if data is None:
        return ()
    return tuple([bot(one) for one in _list(data, "the list of bots")])


def bot(data: object) -> RemoteBot:
    """A bot, as find, create and update show it."""
    one = _dict(data, "a bot")
    ident = one.get("id")
    if not isinstance(ident, str) or not ident:
        raise NotUnderstood("a bot has no id")
    created = one.get("createdAt")
    return RemoteBot(ident, _fields(one), created if isinstance(created, str) else "")


def credentials(data: object) -> dict[str, RemoteCredential]:
    """Credentials by name. The keys that come with them are dropped here."""
    if data is None:
        return {}
    found: dict[str, RemoteCredential] = {}
    for one in _list(data, "the list of credentials"):
        match one:
            case {"id": str(ident), "name": str(name)}:
                found[name] = RemoteCredential(ident)
            case _:
                raise NotUnderstood("a credential has no id or no name")
    return found


def settings(data: object, *, saved: bool = False) -> RemoteSettings:
    """An instance's settings. saved: they answer a call that wrote them, so there is a row.

    Without a row, 2.3.x leaves out the id, and 2.2.x, which never shows one, answers zeros and empty texts.
    """
    row = {} if data is None else _dict(data, "the settings")
    fallback = row["fallbackId"] if "fallbackId" in row else row.get("openaiIdFallback")
    if fallback is not None and not isinstance(fallback, str):
        raise NotUnderstood("fallbackId of the settings is not a text")
    fields = _fields(row)
    exists = saved or "id" in row or ("fallbackId" not in row and any(fields.values()))
    return RemoteSettings(exists, fields, fallback or None)


def instances(data: object) -> tuple[str, ...]:
    """The names of all instances. The tokens that come with them are dropped here."""
    names = []
    for one in _list(data, "the list of instances"):
        match one:
            case {"name": str(name)}:
                names.append(name)
            case _:
                raise NotUnderstood("an instance has no name")
    return tuple(names)


def version(data: object) -> str | None:
    """The version that `GET /` tells."""
    match data:
        case {"version": str(text)}:
            return clean(text)[:40]
    return None


_JSON = {Type.BOOL: bool, Type.INT: int, Type.TEXT: str, Type.ENUM: str, Type.TEXTS: list}
_EXPECTED: tuple[tuple[str, Any], ...] = tuple(
    (name, _JSON[field.type]) for name, field in OPENAI.fields.items()
)


def _fields(row: Mapping[str, Any]) -> dict[str, Value]:
    """The fields of the kind's table that are not null. The loop that a big fetch spends its time in."""
    fields: dict[str, Value] = {}
    for name, expected in _EXPECTED:
        value = row.get(name)
        if value is None:
            continue
        if type(value) is not expected:  # exactly: JSON's true is no number
            raise NotUnderstood(f"{name} is not of type {OPENAI.fields[name].type}")
        if expected is list:
            fields[name] = tuple([_text(name, one) for one in value])
        else:
            fields[name] = value if expected is not str else _text(name, value)
    return fields


def _text(name: str, value: object) -> str:
    # A lone surrogate, which JSON can escape, is no text: it could be neither shown nor sent back.
    if isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value)):
        return value
    raise NotUnderstood(f"{name} is not a text")


def _list(data: object, what: str) -> list[object]:
    if isinstance(data, list):
        return data
    raise NotUnderstood(f"{what} is not a list")


def _dict(data: object, what: str) -> dict[str, object]:
    if isinstance(data, dict):
        return data
    raise NotUnderstood(f"{what} is not an object")
