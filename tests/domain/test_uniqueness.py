"""What bots exclude each other by, held against a server that refuses by its own rules."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from reconciler.domain import hidden
from reconciler.domain.kinds import KINDS, OPENAI, Kind, Value
from reconciler.domain.uniqueness import Claim, describe, holds, key_claim, takes
from tests.support import Json, World

SIBLINGS = [kind for kind in KINDS.values() if not kind.credential]
DIFY, N8N, TYPEBOT = KINDS["dify"], KINDS["n8n"], KINDS["typebot"]

WHOLE: dict[str, Value] = {"botType": "agent", "apiUrl": "u", "apiKey": "k"}
TYPED = ("key", "botType", "agent")


@pytest.mark.parametrize(
    ("kind", "fields", "claim"),
    [
        (OPENAI, {"botType": "assistant", "assistantId": "a"}, ("assistant", "a")),
        (OPENAI, {"botType": "chatCompletion", "model": "m"}, None),
        (TYPEBOT, {"url": "u", "typebot": "t"}, ("key", "url", "u", "typebot", "t")),
        (DIFY, WHOLE, (*TYPED, "apiUrl", "u", "apiKey", "k")),
        (DIFY, {"botType": "agent", "apiKey": "k"}, (*TYPED, "apiKey", "k")),
        (N8N, {}, None),
    ],
)
def test_the_claim_on_a_key(kind: Kind, fields: Mapping[str, Value], claim: Claim | None) -> None:
    assert key_claim(kind, fields) == claim


def test_a_bot_holds_its_key_with_each_optional_part_left_out() -> None:
    assert holds(DIFY, WHOLE) == {
        (*TYPED, "apiUrl", "u", "apiKey", "k"),
        (*TYPED, "apiUrl", "u"),
        (*TYPED, "apiKey", "k"),
        TYPED,
    }
    assert holds(DIFY, {"botType": "agent"}) == {TYPED}


def test_secrets_are_compared_and_not_shown() -> None:
    one, other = (
        {**WHOLE, "apiKey": hidden.hide(DIFY.fields["apiKey"], key)} for key in ("canary-1", "canary-2")
    )
    assert not takes(DIFY, one) & holds(DIFY, other)
    (shared,) = takes(DIFY, one) & holds(DIFY, one)
    assert describe(shared) == "botType 'agent' with apiUrl 'u' with apiKey '***'"


@pytest.mark.parametrize("kind", SIBLINGS, ids=lambda kind: str(kind.path))
def test_the_server_refuses_what_another_bot_holds(world: World, kind: Kind) -> None:
    """A hundred writes by chance. A create is not refused for its key where only updates compare keys."""
    world.instance("shop")
    pick = random.Random(kind.path)  # noqa: S311 - a seeded choice of cases
    answers = set()
    for _ in range(100):
        bots: list[Json] = world.done("GET", f"/{kind.path}/find/shop")
        body = _body(kind, pick)
        bot = pick.choice(bots) if bots and pick.random() < 0.5 else None
        key = set() if bot or "create" in kind.keys_checked else {key_claim(kind, body)}
        held = {claim for other in bots if other is not bot for claim in holds(kind, _stored(kind, other))}
        free = not (takes(kind, body) - key) & held
        method, path = ("POST", f"/{kind.path}/create/shop")
        if bot:
            method, path = ("PUT", f"/{kind.path}/update/{bot['id']}/shop")
        status, answer = world.call(method, path, body)
        assert (status < 300) is free, (body, answer)
        answers.add((method, free))
        if len(bots) > 4:
            world.done("DELETE", f"/{kind.path}/delete/{pick.choice(bots)['id']}/shop")
    assert len(answers) == 4


def _stored(kind: Kind, row: Json) -> dict[str, Value]:
    return {name: row[name] for name in kind.fields if row[name] is not None and name != "ignoreJids"}


def _body(kind: Kind, pick: random.Random) -> dict[str, Value]:
    """A body with a key and a trigger of few values, and with some of what may be left out."""
    body: dict[str, Value] = {"enabled": pick.random() < 0.7}
    if "botType" in kind.fields:
        body["botType"] = pick.choice(kind.fields["botType"].choices[:2])
    for name in kind.key(body):
        if name in kind.schema.required or pick.random() < 0.7:
            body.setdefault(name, pick.choice(["1", "2", "3"]))
    body["triggerType"] = pick.choice(["all", "none", "none", "keyword", "advanced"])
    if body["triggerType"] in {"keyword", "advanced"} or pick.random() < 0.3:
        body["triggerOperator"] = pick.choice(["equals", "contains"])
        body["triggerValue"] = pick.choice(["1", "2", "3", "4"])
    return body
