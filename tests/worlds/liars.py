"""Servers that lie: what they say they did is not what they did.

A lie is about one kind of writing call. The sandbox does what the lie says it does, which may be nothing;
the client is told what the lie says it is told.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.proxy import Proxy, Request
from tests.worlds.stage import Stage

Body = Mapping[str, Json]
Says = Callable[[Stage, Request, Body, Json], Json]
"""What the client is told: of the request, its body, and what the server answered (None for nothing)."""


def truth(stage: Stage, request: Request, body: Body, said: Json) -> Json:
    """What the server answered."""
    return said


def echo(stage: Stage, request: Request, body: Body, said: Json) -> Json:
    """The row as it would be, had the server done it; of a new one an id that nothing has."""
    rows = stage.rows()
    if request.method == "PUT":
        return {**rows[request.path.split("/")[3]], **body}
    return {**dict.fromkeys(next(iter(rows.values()))), **body, "id": "made-up"}


def another(id: str) -> Says:
    """Another bot's row, or what is said when another bot is deleted."""

    def says(stage: Stage, request: Request, body: Body, said: Json) -> Json:
        row = {**stage.rows()[id]} if id in stage.rows() else {"id": id}
        return {"bot": row} if request.method == "DELETE" else row

    return says


def says(what: Json) -> Says:
    """Always the same."""
    return lambda stage, request, body, said: what


@dataclass(frozen=True, slots=True)
class Lie:
    """One way to lie.

    method, route: of the calls that it is about; once: of the first of them only. does: whether the server
    gets the request. stores: fields that it gets instead of those that were sent, None for one that it does
    not get at all. then: what it does besides, afterwards, with the request's body. says: what the client is
    told, with this status.
    """

    name: str
    method: str
    route: str = "/"
    once: bool = False
    does: bool = True
    stores: Mapping[str, Json] | None = None
    then: Callable[[Stage, Body, Json], None] = lambda stage, body, said: None
    says: Says = truth
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


class Liar(Proxy):
    """Stands before a stage's sandbox and tells a lie."""

    def __init__(self, stage: Stage, lie: Lie) -> None:
        super().__init__(lambda: stage.port, edit=self._edit, tell=self._tell)
        self.stage, self.lie, self.told = stage, lie, 0

    def _is_about(self, request: Request) -> bool:
        return (request.method, self.lie.route in request.path) == (self.lie.method, True) and not (
            self.lie.once and self.told
        )

    def _edit(self, request: Request) -> bytes:
        if not self._is_about(request):
            return request.raw
        if not self.lie.does:
            return b""
        if self.lie.stores is None:
            return request.raw
        return rewritten(request.raw, self.lie.stores)

    def _tell(self, request: Request, raw: bytes) -> bytes:
        if not self._is_about(request):
            return raw
        self.told += 1
        body, said = body_of(request.raw), body_of(raw) if raw else None
        self.lie.then(self.stage, body, said)
        status = self.lie.status or (int(raw.split(b" ", 2)[1]) if raw else 200)
        return answer(status, json.dumps(self.lie.says(self.stage, request, body, said)).encode())


def rewritten(raw: bytes, fields: Mapping[str, Json]) -> bytes:
    """A request with other values for these fields of its body, without those whose value is None."""
    changed = {**body_of(raw), **fields}
    body = json.dumps({name: value for name, value in changed.items() if value is not None}).encode()
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    lines = [line for line in head if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body])


def body_of(raw: bytes) -> Any:
    """The JSON of a request or an answer, {} where there is none."""
    body = raw.partition(b"\r\n\r\n")[2]
    return json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body or b"{}")
