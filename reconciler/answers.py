"""What the server's answers mean: JSON in, values of the model out, and the words of a refusal.

Pure functions. Everything here comes from outside: a shape that is not understood is an error that names
the field, and text that goes into a sentence is made harmless first. Secrets are dropped on the way.
Shapes are those of 2.2.3 and 2.3.6 as recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr

from reconciler import hidden
from reconciler.kinds import OPENAI, Field, Type, Value
from reconciler.masking import Secrets, unreadable
from reconciler.model import RemoteBot, RemoteSettings

LONGEST_WAIT = 30.0
"""Seconds that Retry-After can make us wait at most."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_PAGE = 64 * 1024
"""Bytes of a page that are looked at."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as the server shows it, with its key: to be compared, and then dropped.

    users: the ids of the bots that use it, of whatever instance; None where the server does not say.
    """

    id: str
    key: SecretStr
    users: frozenset[str] | None = None
    instance_id: str = ""


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
            with suppress(RecursionError):
                return "; ".join(_flat(message))
    return None


def is_licence(data: object) -> bool:
    """Whether it is what a 2.4.0 without a licence answers to everything."""
    return isinstance(data, dict) and data.get("code") == "LICENSE_REQUIRED"


def clean(text: str, *secrets: str) -> str:
    """Text from outside for a sentence, where no server's secrets are known yet but these."""
    return Secrets(*secrets).clean(text)


def gist(body: bytes, secrets: Secrets) -> str:
    """What a page that is not the API's is about: its title, else all its words; "" where it is no text.

    Masked before anything is cut, but not yet clean.
    """
    page = body[:_PAGE].decode(errors="replace")
    if title := _TITLE.search(page):
        return secrets.mask(title[1]).strip()
    return "" if unreadable(page) else _TAG.sub(" ", secrets.mask(page)).strip()


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait as Retry-After says, in seconds or as a date, LONGEST_WAIT at most, else None."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):  # a year, a day or an offset that no date has
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


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
    created = created if isinstance(created, str) else ""
    return RemoteBot(ident, hidden.fields(OPENAI.fields, _fields(one, _OF_BOT)), created, _instance_id(one))


def credentials(data: object) -> dict[str, Credential]:
    """Credentials by name. Their keys come with them: nobody keeps them for long."""
    if data is None:
        return {}
    found: dict[str, Credential] = {}
    for one in _list(data, "the list of credentials"):
        match one:
            case {"id": str(ident), "name": str(name), **rest}:
                key = rest.get("apiKey")
                secret = SecretStr(key if isinstance(key, str) else "")
                found[name] = Credential(
                    ident, secret, _users(rest.get("OpenaiAssistant")), _instance_id(rest)
                )
            case _:
                raise NotUnderstood("a credential has no id or no name")
    return found


def _users(data: object) -> frozenset[str] | None:
    """The ids of the bots that come with a credential; None for anything else."""
    if not isinstance(data, list):
        return None
    ids = [one.get("id") if isinstance(one, dict) else None for one in data]
    return frozenset(map(str, ids)) if all(isinstance(one, str) for one in ids) else None


def credential(data: object) -> str:
    """The id of a credential that was made."""
    match data:
        case {"id": str(ident)} if ident:
            return ident
    raise NotUnderstood("a credential has no id")


def settings(data: object, *, saved: bool = False) -> RemoteSettings:
    """An instance's settings. saved: they answer a call that wrote them, so there is a row.

    Without a row, 2.3.x leaves out the id, and 2.2.x, which never shows one, answers zeros and empty texts.
    """
    row = {} if data is None else _dict(data, "the settings")
    fallback = row["fallbackId"] if "fallbackId" in row else row.get("openaiIdFallback")
    if fallback is not None and not isinstance(fallback, str):
        raise NotUnderstood("fallbackId of the settings is not a text")
    fields = hidden.fields(OPENAI.settings, _fields(row, _OF_SETTINGS))
    exists = saved or "id" in row or ("fallbackId" not in row and any(fields.values()))
    # 2.2.x shows no debounceTime, and has one all the same.
    unseen = frozenset(OPENAI.settings.keys() - row.keys()) if exists else frozenset()
    return RemoteSettings(exists, fields, fallback or None, unseen, _instance_id(row))


def _instance_id(row: Mapping[Any, object]) -> str:
    """The id of the instance that a row belongs to; "" where it does not say one."""
    found = row.get("instanceId")
    return found if isinstance(found, str) else ""


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


def tokens(data: object) -> tuple[str, ...]:
    """The tokens that come with the instances: to be known as secrets, and for nothing else."""
    rows = data if isinstance(data, list) else []
    found = [row.get("token") for row in rows if isinstance(row, dict)]
    return tuple(token for token in found if isinstance(token, str))


def version(data: object) -> str | None:
    """The version that `GET /` tells, not yet clean."""
    match data:
        case {"version": str(text)}:
            return text
    return None


def numbers(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version, None when it does not begin with them."""
    match = re.match(r"v?(\d{1,9})\.(\d{1,9})", version)
    return (int(match[1]), int(match[2])) if match else None


_JSON = {Type.BOOL: bool, Type.INT: int, Type.TEXT: str, Type.ENUM: str, Type.TEXTS: list}
_Expected = tuple[tuple[str, Any], ...]


def _expected(fields: Iterable[Field]) -> _Expected:
    return tuple((field.name, _JSON[field.type]) for field in fields)


_TYPES = {field.name: field.type for field in (*OPENAI.fields.values(), *OPENAI.settings.values())}
_OF_BOT = _expected(OPENAI.fields.values())
_OF_SETTINGS = _expected([OPENAI.fields["openaiCredsId"], *OPENAI.settings.values()])


def _fields(row: Mapping[str, Any], table: _Expected) -> dict[str, Value]:
    """The fields of the table that are not null. The loop that a big fetch spends its time in."""
    fields: dict[str, Value] = {}
    for name, expected in table:
        value = row.get(name)
        if value is None:
            continue
        if type(value) is not expected:  # exactly: JSON's true is no number
            raise NotUnderstood(f"{name} is not of type {_TYPES[name]}")
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
