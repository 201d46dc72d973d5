"""Random instances with bots of every kind: no call is refused, a second plan is empty, others' bots stay.

What there is was made over HTTP, by our own and by other hands; what is declared meets some of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import pytest

from reconciler.domain import hidden, markers
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position
from reconciler.domain.kinds import KINDS, Field, Kind, Type, Value
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Plan
from reconciler.domain.results import Outcome
from reconciler.domain.uniqueness import holds, takes
from reconciler.plan import routes
from reconciler.routing import sides
from reconciler.routing.difference import relevant
from tests.support import Json, World
from tests.worlds.generators import OWNER, Pair
from tests.worlds.stage import Stage

AT = Position("loja.yaml", 1, 1)
WORLDS = 12
"""Worlds of each seed."""

NAMES = ("ana", "bia", "caio", "dora")
"""Few, so that a name moves from one kind to another."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("kinds")) as stage:
        yield stage


def _value(chance: random.Random, field: Field) -> Value:
    if field.choices:
        return chance.choice(field.choices)
    if field.hides == "url" or field.name in {"url", "functionUrl"}:
        return chance.choice(["https://a.test/x", "https://u:pw-1@b.test/y?token=secret9"])
    match field.type:
        case Type.BOOL:
            return chance.random() < 0.7
        case Type.INT:
            return chance.choice([field.minimum, 1, 2])
        case Type.TEXTS:
            return tuple(chance.sample(["@g.us", "1@s.whatsapp.net"], chance.randrange(3)))
    return chance.choice(["one", "two"])


def _body(chance: random.Random, kind: Kind, creds: str) -> dict[str, Value]:
    """What a manifest may declare of a bot; few values, so that bots collide."""
    trigger = chance.choice(["all", "none", "keyword", "keyword", "advanced"])
    found = {name: _value(chance, field) for name, field in kind.fields.items() if name not in _APART}
    if kind.credential:
        found[kind.credential] = creds
    must = {*kind.key(found), *kind.schema.required}
    if kind.omitted_key == "any" and chance.random() < 0.2:  # what of the key may be left out
        must = {*kind.schema.required}
    bot_type = found.get("botType")
    for name, field in kind.fields.items():
        means = field.applies(bot_type, trigger)
        if name in found and (not means or (name not in must and chance.random() < 0.6)):
            del found[name]
    found["triggerType"] = trigger
    parts = {"triggerOperator": ["equals", "contains"], "triggerValue": ["oi", "menu", "2"]}
    found |= {name: chance.choice(parts[name]) for name in kind.trigger_parts[trigger]}
    return dict(hidden.fields(kind.fields, found))


_APART = frozenset({"description", "triggerType", "triggerOperator", "triggerValue"})


def _declared(chance: random.Random, creds: Mapping[str, str]) -> Desired:
    """Manifests of two instances that the loader would take: none of their bots exclude each other."""
    instances = []
    for name, ident in creds.items():
        bots: list[DesiredBot] = []
        for bot_name in chance.sample(NAMES, chance.randrange(1, len(NAMES) + 1)):
            kind = chance.choice([*KINDS.values()])
            fields = _body(chance, kind, ident)
            if chance.random() < 0.3:
                fields["description"] = "Oi"
            on_drift = "replace" if chance.random() < 0.2 else "update"
            bots.append(DesiredBot(bot_name, fields, None, AT, on_drift=on_drift, kind=kind))  # type: ignore[arg-type]
        bots = _possible(bots)
        settings = {
            kind.path: DesiredSettings(
                {"expire": chance.choice([0, 7]), "ignoreJids": ("@g.us",)},
                AT,
                fallback=chance.choice([None, "", *(bot.name for bot in bots if bot.kind is kind)]),
            )
            for kind in KINDS.values()
            if chance.random() < 0.3 and not kind.credential
        }
        instances.append(DesiredInstance(name, tuple(bots), AT, settings=settings))
    return Desired(tuple(instances))


def _possible(bots: list[DesiredBot]) -> list[DesiredBot]:
    kept: list[DesiredBot] = []
    for bot in bots:
        if not any(_exclude(bot, other) or _exclude(other, bot) for other in kept):
            kept.append(bot)
    return kept


def _exclude(one: DesiredBot, other: DesiredBot) -> bool:
    """Whether the server refuses one beside the other."""
    held = holds(other.kind, {"enabled": True, **other.fields})
    return one.kind is other.kind and bool(held & takes(one.kind, {"enabled": True, **one.fields}))


# -- the server, and other hands on it --------------------------------------------------------


def _bots(world: World, instance: str) -> dict[str, tuple[Kind, Json]]:
    """Every bot of an instance by its id."""
    return {
        row["id"]: (kind, row)
        for kind in KINDS.values()
        for row in world.done("GET", f"/{kind.path}/find/{instance}") or []
    }


def _tamper(chance: random.Random, world: World, instance: str, creds: str) -> None:
    """Others create, edit and delete bots; what the server refuses is not done."""
    for _ in range(chance.randrange(4)):
        kind = chance.choice([*KINDS.values()])
        marker = chance.choice(["", "", "by hand", "theirs [other:ana]~01234567"])
        body = {**_body(chance, kind, creds), "enabled": chance.random() < 0.5, "description": marker}
        world.call("POST", f"/{kind.path}/create/{instance}", hidden.body(body))
    for id, (kind, row) in _bots(world, instance).items():
        if chance.random() < 0.3:
            edit = {"expire": 3, "enabled": chance.random() < 0.5, "delayMessage": 5}
            whole = {name: value for name, value in row.items() if name in kind.fields and value is not None}
            world.call("PUT", f"/{kind.path}/update/{id}/{instance}", {**whole, **edit})
        elif chance.random() < 0.2:
            world.call("DELETE", f"/{kind.path}/delete/{id}/{instance}")


def _foreign(world: World, instance: str, changed: frozenset[str]) -> dict[str, Json]:
    """The bots that are not ours and are not adopted, as they are."""
    there = _bots(world, instance)
    return {id: row for id, (_, row) in there.items() if id not in changed}


def _unrefused(stage: Stage, desired: Desired, pair: Pair) -> Plan:
    """Plan and apply. Every change that the plan makes is applied, and no call is refused."""
    made = stage.plan(desired, pair)
    stage.sandbox.calls.clear()
    ended = stage.apply(made)
    wrong = [(r.change.label, r.outcome, r.detail) for r in ended.results if r.outcome is not Outcome.APPLIED]
    assert wrong == []
    refused = [(c.method, c.path, c.status) for c in stage.sandbox.calls if c.status >= 400]
    assert refused == []
    return made


def _routed_as_said(stage: Stage, made: Plan, before: Observed) -> None:
    """Who answers after the apply is as the plan says."""
    after = stage.observed(Desired(tuple(DesiredInstance(one.name, (), AT) for one in made.instances)))
    for name, (_, said) in routes.sides(made, before).items():
        seen = after.instances[name]
        marked = {bot.id: markers.name_of(str(bot.fields.get("description", "")), OWNER) for bot in seen.bots}
        there = sides.observed(seen, marked, said.version)
        assert relevant(said) == relevant(there)


@pytest.mark.parametrize("seed", range(10))
def test_worlds_of_mixed_kinds(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    for _ in range(WORLDS):
        stage.sandbox.clear()
        with World(stage.sandbox.url, stage.sandbox.api_key) as world:
            creds = {name: world.instance(name, f"m-{name}")[f"m-{name}"] for name in ("loja", "matriz")}
            pair = Pair((), chance.random() < 0.2, chance.random() < 0.7)
            before = _declared(chance, creds)
            _unrefused(stage, before, pair)
            for name, ident in creds.items():
                _tamper(chance, world, name, ident)
            desired = _declared(chance, creds) if chance.random() < 0.8 else before
            made, before_apply = stage.plan(desired, pair), stage.observed(desired)
            ours = frozenset(id for c in made.changes() if c.verb.writes for id in c.ids)
            theirs = {name: _foreign(world, name, ours) for name in creds}
            _unrefused(stage, desired, pair)
            for name, rows in theirs.items():
                there = {id: row for id, (_, row) in _bots(world, name).items()}
                assert {id: there.get(id) for id in rows} == rows
            _routed_as_said(stage, made, before_apply)
            again = stage.plan(desired, pair)
            assert [c for c in again.changes() if c.verb.writes] == []
            assert [step for one in again.instances for step in one.steps] == []
