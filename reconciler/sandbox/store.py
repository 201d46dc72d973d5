"""The sandbox's database: instances, credentials, each kind's bots and settings, and sessions, in SQLite.

Takes the place of the real server's Prisma on PostgreSQL, and refuses what those refuse: texts over their
column's length, integers beyond 32 bits, NUL characters, broken references. It knows no rule of the server
beyond its schema. A key that is missing in `values` is JavaScript's undefined: the column's default on an
insert, unchanged on an update. Every statement commits.
"""

# ruff: noqa: S608 - every statement is put together from names that stand in this module
from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from reconciler.domain.kinds import INT32_MAX, KINDS, Field, Kind, Type
from reconciler.domain.records import dataclass

Row = dict[str, Any]
"""A row as the API shows it: JSON values by column name."""

MEMORY = ":memory:"
SEEDED_KEY = "sk-seeded-"
"""What the api keys of credentials begin with that Sandbox.seed made; the trigger below knows it too."""

_GONE = "An operation failed because it depends on one or more records that were required but not found."
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_COUNTER = count()


class DatabaseError(Exception):
    """The database refuses a value or a row, in the real one's words where a caller can see them."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. sql: what follows its name in CREATE TABLE, in SQLite's words."""

    name: str
    type: Type
    limit: int | None = None
    sql: str = ""


def _text(name: str, limit: int | None = None, sql: str = "") -> Column:
    return Column(name, Type.TEXT, limit, sql)


def _bool(name: str, sql: str = "DEFAULT 0") -> Column:
    return Column(name, Type.BOOL, None, sql)


_ID = _text("id", sql="PRIMARY KEY")
_TIMES = (_text("createdAt"), _text("updatedAt"))
_OF_INSTANCE = "REFERENCES instances(id) ON DELETE CASCADE"
_DEFAULTS = {
    "enabled": "NOT NULL DEFAULT 1",
    "botType": "NOT NULL",
    "expire": "DEFAULT 0",
    "listeningFromMe": "DEFAULT 0",
    "stopBotFromMe": "DEFAULT 0",
    "keepOpen": "DEFAULT 0",
    "splitMessages": "DEFAULT 0",
    "timePerChar": "DEFAULT 50",
    "speechToText": "DEFAULT 0",
    "openaiCredsId": "NOT NULL REFERENCES creds(id) ON DELETE CASCADE",
}


def _column(field: Field) -> Column:
    return Column(field.name, field.type, field.limit, _DEFAULTS.get(field.name, ""))


def bots_of(kind: Kind) -> str:
    """The table of a kind's bots."""
    return _NAMED_EARLIER.get(kind.path, (f"{kind.path}_bots",))[0]


def settings_of(kind: Kind) -> str:
    """The table of a kind's settings."""
    return _NAMED_EARLIER.get(kind.path, (f"{kind.path}_settings",))[-1]


_NAMED_EARLIER = {"openai": ("bots", "settings")}
"""Tables that databases on disk had when they held one kind."""


def _bots(kind: Kind) -> tuple[Column, ...]:
    return (
        _ID,
        *(_column(field) for field in kind.fields.values()),
        *_TIMES,
        _text("instanceId", sql=f"NOT NULL {_OF_INSTANCE}"),
    )


def _settings(kind: Kind) -> tuple[Column, ...]:
    # No action: an instance can go with all it has; a credential alone cannot while it stands here.
    creds = "NOT NULL UNIQUE REFERENCES creds(id)"
    return (
        _ID,
        *(_column(field) for field in kind.settings.values()),
        *_TIMES,
        *([_text(kind.credential, sql=creds)] if kind.credential else []),
        _text(kind.fallback, 100, f"REFERENCES {bots_of(kind)}(id) ON DELETE SET NULL"),
        _text("instanceId", sql=f"NOT NULL UNIQUE {_OF_INSTANCE}"),
    )


TABLES: Mapping[str, tuple[Column, ...]] = {
    "instances": (
        _ID,
        _text("name", 255, "NOT NULL UNIQUE"),
        _text("connectionStatus"),
        _text("ownerJid", 100),
        _text("profileName", 100),
        _text("profilePicUrl", 500),
        _text("integration", 100),
        _text("number", 100),
        _text("businessId", 100),
        _text("token", 255),
        *_TIMES,
        Column("Setting", Type.TEXTS),
    ),
    "creds": (
        _ID,
        _text("name", 255),
        _text("apiKey", 255, "UNIQUE"),
        *_TIMES,
        _text("instanceId", sql=f"NOT NULL {_OF_INSTANCE}"),
    ),
    **{bots_of(kind): _bots(kind) for kind in KINDS.values()},
    **{settings_of(kind): _settings(kind) for kind in KINDS.values()},
    "sessions": (
        _ID,
        _text("sessionId", 255),
        _text("remoteJid", 100),
        _text("pushName"),
        _text("status"),
        _bool("awaitUser"),
        *_TIMES,
        _text("instanceId", sql=f"NOT NULL {_OF_INSTANCE}"),
        _text("parameters"),
        _text("context"),
        _text("botId"),
        _text("type", 100),
    ),
}

# Names of credentials are unique in the whole database, except for those that Sandbox.seed makes: manifests
# of two instances may both say `main`, and a person who tries the tool must not have to know.
_EXTRAS = """
CREATE INDEX IF NOT EXISTS bots_of_creds ON bots(openaiCredsId);
CREATE INDEX IF NOT EXISTS creds_of_instance ON creds(instanceId);
CREATE INDEX IF NOT EXISTS creds_name ON creds(name);
CREATE TRIGGER IF NOT EXISTS creds_name_unique BEFORE INSERT ON creds
    WHEN NEW.apiKey NOT LIKE 'sk-seeded-%' AND EXISTS (SELECT 1 FROM creds WHERE name = NEW.name)
    BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: creds.name'); END;
"""


class Store:
    """The tables of one database.

    db: a file, made if it is not there, or ":memory:". pause: seconds that pass before each statement; the
    real server awaits its database there, so that two calls at once both see the state before either.
    May be handed to another thread, not shared with one.
    """

    def __init__(self, db: Path | str, pause: float = 0.0) -> None:
        self.pause = pause
        self._db = sqlite3.connect(db, isolation_level=None, timeout=30, check_same_thread=False)
        try:
            self._db.executescript(_schema(durable=str(db) != MEMORY))
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Ends the connection; what was written stays."""
        self._db.close()

    def key(self) -> str:
        """The server's global key: random, made with the database."""
        made = (secrets.token_hex(20),)
        self._db.execute("INSERT INTO server SELECT ? WHERE NOT EXISTS (SELECT 1 FROM server)", made)
        found: str = self._db.execute("SELECT apiKey FROM server").fetchone()[0]
        return found

    def clear(self) -> None:
        """Empties every table of the API's."""
        for table in reversed([*TABLES]):
            self._db.execute(f"DELETE FROM {table}")

    async def first(self, table: str, *, but: str | None = None, **where: Any) -> Row | None:
        """The first row that has these values; but: not the one with this id."""
        found = await self._find(table, where, but, limit=1)
        return found[0] if found else None

    async def all(self, table: str, **where: Any) -> list[Row]:
        """Every row that has these values, in the order in which they were written last."""
        return await self._find(table, where, None, limit=-1)

    async def insert(self, table: str, values: Mapping[str, Any]) -> Row:
        """Makes a row with an id of its own (unless given) and the present time; returns it."""
        await asyncio.sleep(self.pause)
        now = timestamp()
        row = {"id": new_id(), "createdAt": now, "updatedAt": now, **values}
        encoded = _encode(table, row)
        names = ", ".join(f'"{name}"' for name in encoded)
        marks = ", ".join("?" * len(encoded))
        self._execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", encoded.values())
        return self._get(table, row["id"])

    async def update(self, table: str, row_id: str, values: Mapping[str, Any]) -> Row:
        """Writes these values into a row, which moves behind the others as PostgreSQL does it; returns it."""
        await asyncio.sleep(self.pause)
        encoded = _encode(table, {**values, "updatedAt": timestamp()})
        sets = ", ".join(f'"{name}" = ?' for name in encoded)
        last = f"(SELECT max(rowid) + 1 FROM {table})"
        statement = f"UPDATE {table} SET rowid = {last}, {sets} WHERE id = ?"
        if not self._execute(statement, [*encoded.values(), row_id]).rowcount:
            raise DatabaseError(_GONE)
        return self._get(table, row_id)

    async def delete(self, table: str, row_id: str) -> None:
        """Removes a row and what depends on it."""
        await asyncio.sleep(self.pause)
        if not self._execute(f"DELETE FROM {table} WHERE id = ?", [row_id]).rowcount:
            raise DatabaseError(_GONE)

    async def _find(self, table: str, where: Mapping[str, Any], but: str | None, limit: int) -> list[Row]:
        await asyncio.sleep(self.pause)
        columns = _COLUMNS[table]
        conditions = [
            f'"{name}" = ?' if value is not None else f'"{name}" IS NULL' for name, value in where.items()
        ]
        values = [_checked(columns[name], value) for name, value in where.items() if value is not None]
        if but is not None:
            conditions.append("id != ?")
            values.append(but)
        condition = " AND ".join(conditions) or "1"
        statement = f"{_SELECT[table]} WHERE {condition} ORDER BY rowid LIMIT {limit}"
        return [_decode(table, row) for row in self._execute(statement, values).fetchall()]

    def _get(self, table: str, row_id: str) -> Row:
        return _decode(table, self._execute(f"{_SELECT[table]} WHERE id = ?", [row_id]).fetchone())

    def _execute(self, statement: str, values: Iterable[Any]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, tuple(values))
        except sqlite3.IntegrityError as error:
            raise DatabaseError(str(error)) from error


def timestamp() -> str:
    """The present time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A new id of a row, a cuid as the API makes them: 25 characters, and later ones are greater.

    c, the milliseconds, a number that counts on, and what tells processes and guesses apart.
    """
    begins = f"c{_base36(int(time.time() * 1000), 8)}{_base36(next(_COUNTER), 4)}"
    return begins + "".join(secrets.choice(_BASE36) for _ in range(25 - len(begins)))


def _base36(number: int, digits: int) -> str:
    """The last digits of a number."""
    return "".join(_BASE36[number // 36**place % 36] for place in reversed(range(digits)))


def new_uuid() -> str:
    """A new id of an instance."""
    return str(uuid.uuid4())


_COLUMNS = {table: {column.name: column for column in columns} for table, columns in TABLES.items()}
_SELECT = {
    table: "SELECT " + ", ".join(f'"{column.name}"' for column in columns) + f" FROM {table}"
    for table, columns in TABLES.items()
}
_AFFINITY = {Type.BOOL: "INTEGER", Type.INT: "INTEGER"}


def _schema(durable: bool) -> str:
    # A process that is killed loses nothing with either; the power may fail.
    journal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" if durable else ""
    tables = [
        f"CREATE TABLE IF NOT EXISTS {table} ("
        + ", ".join(f'"{c.name}" {_AFFINITY.get(c.type, "TEXT")} {c.sql}' for c in columns)
        + ");"
        for table, columns in TABLES.items()
    ]
    key = "CREATE TABLE IF NOT EXISTS server (apiKey TEXT NOT NULL);"
    indexes = [
        f"CREATE INDEX IF NOT EXISTS {bots_of(kind)}_of_instance ON {bots_of(kind)}(instanceId);"
        f"CREATE INDEX IF NOT EXISTS {settings_of(kind)}_fallback ON {settings_of(kind)}({kind.fallback});"
        for kind in KINDS.values()
    ]
    begin = [journal, "PRAGMA foreign_keys = ON;", "BEGIN IMMEDIATE;"]
    every = [*begin, key, *tables, *indexes, _EXTRAS, "COMMIT;"]
    return "\n".join(every)


def _decode(table: str, row: tuple[Any, ...]) -> Row:
    found = dict(zip(_COLUMNS[table], row, strict=True))
    for name, decode in _DECODERS[table]:
        if found[name] is not None:
            found[name] = decode(found[name])
    return found


_DECODERS: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
    table: [
        (column.name, bool if column.type is Type.BOOL else json.loads)
        for column in columns
        if column.type in {Type.BOOL, Type.TEXTS}
    ]
    for table, columns in TABLES.items()
}


def _encode(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fitted(_COLUMNS[table][name], value) for name, value in values.items()}


def _fitted(column: Column, value: Any) -> Any:
    """A value as the column keeps it: spaces beyond the limit are cut, anything else beyond it is refused."""
    value = _checked(column, value)
    if column.limit is None or value is None or len(value) <= column.limit:
        return value
    if value[column.limit :].strip(" "):
        raise DatabaseError(f"value too long for type character varying({column.limit})")
    return value[: column.limit]


def _checked(column: Column, value: Any) -> Any:
    """A value as SQLite takes it, if the column's type takes it at all."""
    if value is None:
        return None
    if column.type is Type.TEXTS:
        text = json.dumps(value, ensure_ascii=False)
        if "\\u0000" in text or _LONE_SURROGATE.search(text):
            raise DatabaseError("unsupported Unicode escape sequence")
        return text
    if column.type is Type.BOOL:
        fits = isinstance(value, bool)
    elif column.type is Type.INT:
        fits = isinstance(value, int) and not isinstance(value, bool)
        if fits and not -INT32_MAX - 1 <= value <= INT32_MAX:
            raise DatabaseError(f'value "{value}" is out of range for type integer')
    else:
        fits = isinstance(value, str)
        if fits and "\0" in value:
            raise DatabaseError('invalid byte sequence for encoding "UTF8": 0x00')
        if fits and _LONE_SURROGATE.search(value):
            raise DatabaseError("lone leading surrogate in hex escape")
    if not fits:
        raise DatabaseError(f"Argument `{column.name}`: Invalid value provided.")
    return value
