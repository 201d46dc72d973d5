"""Bots of one kind that swap what the server compares, and bots that become another kind, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from reconciler.domain import hidden, versions
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS, Kind, Value
from reconciler.domain.plan import Call, Plan, Verb
from reconciler.domain.results import Outcome
from reconciler.saved import decode, encode
from tests.support import World
from tests.worlds.stage import Stage

AT = Position("loja.yaml", 1, 1)

KEYS: Mapping[str, tuple[dict[str, Value], dict[str, Value]]] = {
    "openai": (
        {"botType": "chatCompletion", "model": "m", "maxTokens": 1},
        {"botType": "chatCompletion", "model": "m", "maxTokens": 2},
    ),
    "typebot": ({"url": "https://a.test", "typebot": "1"}, {"url": "https://a.test", "typebot": "2"}),
    "dify": (
        {"botType": "agent", "apiUrl": "https://a.test", "apiKey": "app-secret-1"},
        {"botType": "agent", "apiUrl": "https://a.test", "apiKey": "app-secret-2"},
    ),
    "flowise": ({"apiUrl": "https://a.test"}, {"apiUrl": "https://b.test", "apiKey": "flow-secret-1"}),
    "n8n": (
        {"webhookUrl": "https://a.test", "basicAuthUser": "u", "basicAuthPass": "pass-secret-1"},
        {"webhookUrl": "https://a.test", "basicAuthUser": "u", "basicAuthPass": "pass-secret-2"},
    ),
    "evoai": (
        {"agentUrl": "https://a.test", "apiKey": "evo-secret-1"},
        {"agentUrl": "https://b.test", "apiKey": "evo-secret-1"},
    ),
    "evolutionBot": (
        {"apiUrl": "https://a.test", "apiKey": "bot-secret-1"},
        {"apiUrl": "https://b.test", "apiKey": "bot-secret-2"},
    ),
}
"""Two keys of each kind."""


def _has(version: str, path: str) -> bool:
    return KINDS[path].since <= versions.version(version)


VERSIONS = ("2.3.6", "2.2.3")
CASES = [(version, path) for version in VERSIONS for path in KEYS if _has(version, path)]
CHANGES = [
    (version, was, now)
    for version, now in CASES
    for was in ("openai", "n8n", "dify")
    if was != now and _has(version, was)
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("swaps"), version=request.param) as stage:
        yield stage


@pytest.fixture
def creds(stage: Stage) -> str:
    stage.sandbox.clear()
    with World(stage.sandbox.url, stage.sandbox.api_key) as world:
        return world.instance("loja", "main")["main"]


def _bot(kind: Kind, name: str, key: Mapping[str, Value], trigger: str, creds: str) -> DesiredBot:
    fields: dict[str, Value] = {"enabled": True, **key, "triggerType": trigger}
    if trigger == "keyword":
        fields |= {"triggerOperator": "equals", "triggerValue": name}
    if kind.credential:
        fields[kind.credential] = creds
    for field in kind.fields.values():
        if field.hides == "whole" and isinstance(secret := fields.get(field.name), str):
            ref = SecretRef("env", secret.replace("-", "_").upper())
            fields[field.name] = Hidden(str(ref), secret, ref)
    return DesiredBot(name, fields, None, AT, kind=kind)


def _applied(stage: Stage, *bots: DesiredBot) -> Plan:
    """Plan, save the plan and apply what was saved; a second plan is empty."""
    desired = Desired((DesiredInstance("loja", bots, AT),))
    made = stage.plan(desired)
    stage.sandbox.calls.clear()
    ended = stage.apply(made)
    assert [(r.outcome, r.detail) for r in ended.results if r.outcome is not Outcome.APPLIED] == []
    assert [call.path for call in stage.sandbox.calls if call.status >= 400] == []
    again = stage.plan(desired)
    assert [change.label for change in again.changes()] == []
    return made


def _saved(made: Plan) -> str:
    """What is saved, which reads as the same plan."""
    text = encode.plan(made)
    assert decode.read(decode.parse(text))[0].digest == made.digest
    return text


@pytest.mark.parametrize(("stage", "path"), CASES, indirect=["stage"])
def test_bots_swap_their_keys(stage: Stage, creds: str, path: str) -> None:
    kind, (one, other) = KINDS[path], KEYS[path]
    _applied(
        stage, *(_bot(kind, name, key, "keyword", creds) for name, key in (("ana", one), ("bia", other)))
    )
    swapped = [_bot(kind, name, key, "keyword", creds) for name, key in (("ana", other), ("bia", one))]
    made = _applied(stage, *swapped)
    assert {change.verb for change in made.changes()} == {Verb.UPDATE}
    assert "-secret-" not in _saved(made)


@pytest.mark.parametrize(("stage", "path"), CASES, indirect=["stage"])
def test_bots_swap_their_triggers(stage: Stage, creds: str, path: str) -> None:
    kind, (one, other) = KINDS[path], KEYS[path]
    _applied(stage, _bot(kind, "ana", one, "all", creds), _bot(kind, "bia", other, "keyword", creds))
    made = _applied(stage, _bot(kind, "ana", one, "keyword", creds), _bot(kind, "bia", other, "all", creds))
    assert {change.verb for change in made.changes()} == {Verb.UPDATE}
    _saved(made)


@pytest.mark.parametrize(("stage", "was", "now"), CHANGES, indirect=["stage"])
def test_a_bot_becomes_another_kind(stage: Stage, creds: str, was: str, now: str) -> None:
    """The new bot is created before the old one goes, and no other bot of either kind is written."""
    other = _bot(KINDS[was], "bia", KEYS[was][1], "keyword", creds)
    _applied(stage, _bot(KINDS[was], "ana", KEYS[was][0], "all", creds), other)
    made = _applied(stage, _bot(KINDS[now], "ana", KEYS[now][0], "all", creds), other)
    [change] = made.changes()
    assert (change.verb, change.kind.path, change.changes_kind) == (Verb.REPLACE, now, True)
    assert [step.call for step in made.instances[0].steps] == [Call.CREATE, Call.LEAVE]
    assert json.loads(_saved(made))["summary"]["replace"] == 1


@pytest.mark.parametrize("stage", VERSIONS, indirect=True)
def test_a_bot_whose_old_kind_is_needed_goes_first(stage: Stage, creds: str) -> None:
    """The new bot of the old kind needs the trigger that the old one has."""
    openai, dify = KINDS["openai"], KINDS["dify"]
    _applied(stage, _bot(openai, "ana", KEYS["openai"][0], "all", creds))
    made = _applied(
        stage,
        _bot(dify, "ana", KEYS["dify"][0], "all", creds),
        _bot(openai, "bia", KEYS["openai"][1], "all", creds),
    )
    assert {change.label: change.verb for change in made.changes()} == {
        "ana (Dify)": Verb.REPLACE,
        "bia": Verb.CREATE,
    }
    _saved(made)


@pytest.mark.parametrize("stage", ["2.3.6"], indirect=True)
def test_what_an_interrupted_change_of_kind_left_goes_whatever_is_kept(stage: Stage, creds: str) -> None:
    """The new bot is there, and the old one too, under one name. Nothing is pruned here."""
    old = _bot(KINDS["openai"], "ana", KEYS["openai"][0], "all", creds)
    new = _bot(KINDS["dify"], "ana", KEYS["dify"][0], "all", creds)
    _applied(stage, new)
    with World(stage.sandbox.url, stage.sandbox.api_key) as world:
        world.done("POST", "/openai/create/loja", {**hidden.body(old.fields), "description": "[gitops:ana]"})
    made = _applied(stage, new)
    assert [(change.label, change.verb) for change in made.changes()] == [("ana", Verb.DELETE)]
