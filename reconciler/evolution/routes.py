"""The requests to the server's routes, as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.domain import hidden
from reconciler.domain.kinds import DEFAULT, Kind
from reconciler.domain.records import dataclass, field
from reconciler.evolution import paths


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a route. task: what it is for, completing "Cannot …". instance, kind: None for none."""

    method: str
    path: str
    task: str
    instance: str | None = None
    body: bytes | None = field(default=None, repr=False)
    kind: Kind | None = None

    @property
    def reads(self) -> bool:
        return self.method == "GET"


def route(
    method: str,
    action: str,
    instance: str,
    task: str,
    *,
    id: str | None = None,
    body: Mapping[str, object] | None = None,
    kind: Kind = DEFAULT,
) -> Request:
    """A request to a route of a kind's bots: METHOD /KIND/ACTION[/ID]/INSTANCE. task: as in Request."""
    names = (instance,) if id is None else (id, instance)
    # Escaped to ASCII: whatever a text holds can be sent.
    data = None if body is None else json.dumps(hidden.body(body)).encode()
    return Request(method, paths.of(action, *names, kind=kind), task, instance, data, kind)


def named(kind: Kind, noun: str) -> str:
    """A noun for a sentence, with the kind before it where that must be said: bots, Dify bots."""
    return noun if kind is DEFAULT else f"{kind.label} {noun}"


def one(kind: Kind) -> str:
    """A bot of the kind for a sentence: a bot, an n8n bot."""
    return "a bot" if kind is DEFAULT else f"{kind.article} {kind.label} bot"
