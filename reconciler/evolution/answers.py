"""What the server's answers mean: JSON in, values of the domain out.

Pure functions. A shape that is not understood is an error that names the field. Shapes are those of 2.2.3 and
2.3.6 as recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.kinds import DEFAULT, INT32_MAX, KINDS, Field, Kind, Type, Value
from reconciler.domain.observed import RemoteBot, RemoteSettings, Unread
from reconciler.domain.records import dataclass, field
from reconciler.domain.secret import SecretStr
from reconciler.domain.text import is_id
from reconciler.evolution.parsing import NotUnderstood, as_dict, as_list

_SURROGATE = re.compile("[\ud800-\udfff]")
"""A lone surrogate, which JSON can escape, cannot be shown or sent back."""

_MISSING, _NULL = "is missing", "is null"
NO_ID: Unread = (("id", "cannot be used"),)


def homes(data: object) -> list[tuple[object, object]]:
    """The id of every row of a list, or of one row, and the id of the instance that it says it belongs to."""
    rows = data if isinstance(data, list) else [data]
    return [(row.get("id"), row.get("instanceId")) for row in rows if isinstance(row, dict)]


def bots(data: object, kind: Kind = DEFAULT) -> tuple[RemoteBot, ...]:
    """The bots of a find; 2.2.x answers null when there are none. Each has what of it is not understood."""
    if data is None:
        return ()
    table = _TABLES[kind.path]
    return tuple([_bot(one, table) for one in as_list(data, "the list of bots")])


def bot(data: object, kind: Kind = DEFAULT) -> RemoteBot:
    """A bot, as create and update answer. Fields may be missing, and the next read shows them."""
    one = _bot(as_dict(data, "a bot"), _TABLES[kind.path])
    for name, why in one.unread:
        if name == "id" or why not in (_MISSING, _NULL):
            raise NotUnderstood(f"{name} of the bot {why}")
    return one


def _bot(data: object, table: _Table) -> RemoteBot:
    if not isinstance(data, dict):
        return RemoteBot("", {}, unread=(("it", "is not an object"),), kind=table.kind)
    fields, unread = _fields(data, table.bot)
    ident, created = data.get("id"), data.get("createdAt")
    if not is_id(ident):
        ident, unread = "", NO_ID + unread
    unseen = _ABSENT
    if not data.keys() >= table.names:
        unseen = table.names - data.keys()
        unread += tuple((name, _MISSING) for name in table.shown if name in unseen)
    if not fields.keys() >= table.required:
        known = {name for name, _ in unread}
        unread += tuple(
            (name, _NULL) for name in table.shown if name not in fields and name in table.required - known
        )
    created = created if isinstance(created, str) else ""
    shown = hidden.fields(table.kind.fields, fields)
    return RemoteBot(ident, shown, created, _instance_id(data), unread, unseen, table.kind)


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as the server shows it, with its key, which is compared and then dropped.

    users: the ids of the bots that use it, of whatever instance; None where the server does not say.
    own_users: those of them that are shown as bots of the credential's own instance.
    """

    id: str
    key: SecretStr
    users: frozenset[str] | None = None
    instance_id: str = ""
    own_users: frozenset[str] = frozenset()


class Credentials(dict[str, Credential]):
    """Credentials by name. unread: the names of other rows, and what is not understood of each."""

    unread: tuple[tuple[str, Unread], ...] = ()

    @property
    def own_users(self) -> frozenset[str]:
        """The bots of the instance that use one of its credentials, as these show it."""
        return frozenset[str]().union(*(one.own_users for one in self.values()))


def credentials(data: object) -> Credentials:
    """Credentials by name, with their keys; "" for a key that is not shown in full."""
    found = Credentials()
    for one in as_list(data, "the list of credentials"):
        row = one if isinstance(one, dict) else {}
        ident, name = row.get("id"), row.get("name")
        unread = () if is_id(ident) else NO_ID
        if not isinstance(name, str) or not name or _SURROGATE.search(name):
            unread += (("name", "is null" if name is None else "is not a text"),)
            name = ""
        elif name in found:
            raise NotUnderstood(f"two credentials have the name {name!r}")
        if unread:
            found.unread += ((name or (ident if is_id(ident) else "?"), unread),)
        elif is_id(ident):
            key = SecretStr(_whole(row.get("apiKey")))
            users, own = _users(row.get("OpenaiAssistant"), home := _instance_id(row))
            found[name] = Credential(ident, key, users, home, own)
    return found


_IN_A_KEY = re.compile(r"[!-~]+")
_MASKED = re.compile(
    r"[*\[\]<>]|\.{3}|^(.)\1*$|^(?:x+|hidden|redacted|masked|null|none|undefined|secret)$", re.I
)


def _whole(key: object) -> str:
    """A key that is shown in full, else ""."""
    if not isinstance(key, str) or not _IN_A_KEY.fullmatch(key) or _MASKED.search(key):
        return ""
    return key


def _users(data: object, home: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The ids of the bots that come with a credential, None for anything else; and those of this instance."""
    found: dict[str, object] = {}
    for one in data if isinstance(data, list) else (None,):
        if not isinstance(one, dict) or not is_id(ident := one.get("id")):
            return None, frozenset()
        found[ident] = one.get("instanceId")
    return frozenset(found), frozenset(id for id, its in found.items() if home and its == home)


def credential(data: object) -> str:
    """The id of a created credential."""
    match data:
        case {"id": ident} if is_id(ident):
            return ident
    raise NotUnderstood("a credential has no id")


def deleted(data: object, names: tuple[str, ...], ident: str) -> None:
    """Raises NotUnderstood if the answer does not say that this was deleted. names: it may have there."""
    for name in names:
        match data:
            case dict() if isinstance(row := data.get(name), dict) and row.get("id") == ident:
                return
    raise NotUnderstood("it does not say that it is deleted")


def settings(data: object, kind: Kind = DEFAULT, *, saved: bool = False) -> RemoteSettings:
    """An instance's settings. saved: the answer to a call that wrote them, so there is a row.

    Without a row, 2.3.x leaves out the id, and 2.2.x, which never shows one, answers zeros and empty texts.
    """
    row = as_dict(data, "the settings")
    if not kind.settings.keys() & row.keys():
        raise NotUnderstood("the settings have none of their fields")
    fallback = row["fallbackId"] if "fallbackId" in row else row.get(kind.fallback)
    fields, unread = _fields(row, _TABLES[kind.path].settings)
    if fallback not in (None, "") and not is_id(fallback):
        fallback, unread = None, (*unread, ("fallbackId", "is not an id"))
    if "id" in row and not is_id(row["id"]):
        unread = NO_ID + unread
    if "id" not in row and not fields and not unread:
        # Without a row, there would be defaults. A row that is taken for none would be replaced.
        raise NotUnderstood("every field of the settings is null")
    if saved and unread:
        raise NotUnderstood(f"{unread[0][0]} of the settings {unread[0][1]}")
    exists = saved or "id" in row or ("fallbackId" not in row and any(fields.values()))
    # 2.2.x shows no debounceTime, and has one all the same.
    unseen = frozenset(kind.settings.keys() - row.keys()) if exists else frozenset()
    return RemoteSettings(
        exists,
        hidden.fields(kind.settings, fields),
        str(fallback) if fallback else None,
        unseen,
        _instance_id(row),
        unread,
    )


def _instance_id(row: Mapping[Any, object]) -> str:
    """The id of the instance that a row belongs to; "" where it does not say one."""
    found = row.get("instanceId")
    return found if isinstance(found, str) else ""


_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{5,20}Z?", re.ASCII)


def open_sessions(data: object, bot: str) -> tuple[str, ...]:
    """The contacts (JIDs) whose sessions with a bot are open, which it answers even when it is disabled.

    The server lists every bot's sessions when it does not know the bot.
    """
    found: list[str] = []
    for row in as_list(data, "the list of sessions"):
        match row:
            case {"botId": str(of), "remoteJid": str(contact), "status": str(status)} if contact:
                if of == bot and status not in _NOT_ANSWERED:
                    found.append(contact)
            case _:
                raise NotUnderstood("a session lacks its bot, contact or status")
    return tuple(dict.fromkeys(found))


_NOT_ANSWERED = frozenset({"closed", "paused"})
"""The states of sessions in which the server answers nothing."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The instances of a server, their ids by name. unread: the number of rows that are not understood.

    created: the server's createdAt, by name, where it is a time.
    """

    ids: Mapping[str, str]
    unread: int = 0
    created: Mapping[str, str] = field(default_factory=dict)


def instances(data: object) -> Listed:
    """The instances. The tokens that come with them are dropped here."""
    rows = as_list(data, "the list of instances")
    found: dict[str, str] = {}
    created: dict[str, str] = {}
    for one in rows:
        match one:
            case {"name": str(name), **rest} if name and not _SURROGATE.search(name):
                ident = rest.get("id")
                found[name] = ident if isinstance(ident, str) else ""
                if isinstance(at := rest.get("createdAt"), str) and _TIME.fullmatch(at):
                    created[name] = at
    names = [one.get("name") for one in rows if isinstance(one, dict)]
    if len(found) < len([name for name in names if isinstance(name, str) and name in found]):
        raise NotUnderstood("it holds one instance twice")
    return Listed(found, len(rows) - len(found), created)


def tokens(data: object) -> tuple[str, ...]:
    """The tokens that come with the instances, to be added to the secrets."""
    rows = data if isinstance(data, list) else []
    found = [row.get("token") for row in rows if isinstance(row, dict)]
    return tuple(token for token in found if isinstance(token, str))


def version(data: object) -> str | None:
    """The version in the answer to `GET /`, not yet cleaned."""
    match data:
        case {"version": str(text)}:
            return text
    return None


def numbers(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version, None when it does not begin with them."""
    match = re.match(r"v?(\d{1,9})\.(\d{1,9})", version)
    return (int(match[1]), int(match[2])) if match else None


_JSON = {Type.BOOL: bool, Type.INT: int, Type.TEXT: str, Type.ENUM: str, Type.TEXTS: list}
_Expected = tuple[tuple[str, Any, frozenset[str] | None], ...]


def _expected(fields: Iterable[Field]) -> _Expected:
    return tuple((field.name, _JSON[field.type], frozenset(field.choices) or None) for field in fields)


_TYPES = {
    field.name: field.type
    for kind in KINDS.values()
    for field in (*kind.fields.values(), *kind.settings.values())
}
_ABSENT: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Table:
    """What the rows of a kind are like.

    names: every field of a bot. shown: those that its row must have; required: and that may not be null.
    """

    kind: Kind
    bot: _Expected
    settings: _Expected
    names: frozenset[str]
    shown: tuple[str, ...]
    required: frozenset[str]


def _table(kind: Kind) -> _Table:
    credential = [kind.fields[kind.credential]] if kind.credential else []
    return _Table(
        kind,
        bot=_expected(kind.fields.values()),
        settings=_expected([*credential, *kind.settings.values()]),
        names=frozenset(kind.fields),
        shown=("description", *kind.schema.required),
        required=frozenset(kind.schema.required),
    )


_TABLES = {kind.path: _table(kind) for kind in KINDS.values()}


def _fields(row: Mapping[str, Any], table: _Expected) -> tuple[dict[str, Value], Unread]:
    """The fields of the table that are not null, and what is not understood.

    The loop that a big fetch spends its time in. Texts are interned: those that many rows have, or a manifest
    too, are held once.
    """
    fields: dict[str, Value] = {}
    unread: Unread = ()
    for name, expected, choices in table:
        value = row.get(name)
        if value is None:
            continue
        if type(value) is not expected:  # exactly: JSON's true is no number
            unread += ((name, f"is not of type {_TYPES[name]}"),)
        elif expected is str:
            if choices is not None and value not in choices:
                unread += ((name, "has a value that this version does not know"),)
            elif value.isascii() or not _SURROGATE.search(value):
                fields[name] = intern(value)
            else:
                unread += ((name, "is not a text"),)
        elif expected is list:
            if all(isinstance(one, str) and (one.isascii() or not _SURROGATE.search(one)) for one in value):
                fields[name] = tuple([intern(one) for one in value])
            else:
                unread += ((name, "is not a list of texts"),)
        elif expected is int and not -INT32_MAX <= value <= INT32_MAX:
            unread += ((name, "is out of range"),)
        else:
            fields[name] = value
    return fields, unread
