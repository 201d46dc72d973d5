"""Servers with bots of every kind: what the tables of the kinds say that there can be, and secrets in it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from reconciler.domain.kinds import KINDS, Field, Kind, Type
from reconciler.domain.uniqueness import holds, takes
from reconciler.sandbox.store import bots_of, settings_of
from tests.importer.new.servers import CANARY, DESCRIPTIONS, TIMING, TOKEN, Server
from tests.support import Json

ALONE = tuple(kind for kind in KINDS.values() if not kind.credential)
"""The kinds whose bots need no credential."""

HIDDEN = [(kind, field) for kind in KINDS.values() for field in kind.fields.values() if field.hides]
"""Every field that may hold a secret."""


def secret(field: Field, number: int = 0) -> str:
    """A value of a field with a secret in it."""
    token = f"{CANARY}{number:04}{TOKEN}"
    return token if field.hides == "whole" else f"https://bots.example/hook/{token}"


def row(kind: Kind, number: int = 1, **fields: Json) -> dict[str, Json]:
    """A plain bot of a kind, as the database has it, started by its number. Without a secret."""
    made: dict[str, Json] = {
        **{name: field.default for name, field in kind.fields.items() if field.default is not None},
        **own(kind, number),
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": str(number),
        "ignoreJids": [],
        "createdAt": f"2026-01-01T00:00:00.{number:03}Z",
    }
    return made | fields


def own(kind: Kind, number: int) -> dict[str, Json]:
    """What a plain bot has of the fields that only its kind has."""
    made: dict[str, Json] = {}
    for name, field in kind.fields.items():
        if name == "description" or field.from_settings or field.trigger_types or field.default is not None:
            continue
        if field.hides == "url":
            made[name] = f"https://{kind.path}.example/{number}"
        elif field.type is Type.ENUM and name != "triggerType":
            made[name] = field.choices[0]
        elif field.type is Type.TEXT and not field.hides and name != kind.credential:
            made[name] = f"{name}-{number}"
    return made


def put(server: Server, instance: str, kind: Kind, **values: Json) -> str:
    """Makes a bot; returns its id."""
    return str(server.insert(bots_of(kind), **values, instanceId=instance)["id"])


def settle(server: Server, instance: str, kind: Kind, fallback: str | None = None, **values: Json) -> None:
    """Makes the settings of a kind."""
    whole: dict[str, Json] = {name: field.default for name, field in kind.settings.items()}
    server.insert(
        settings_of(kind),
        **{**whole, "ignoreJids": [], **values, kind.fallback: fallback},
        instanceId=instance,
    )


# -- random servers ---------------------------------------------------------------------------


def fill_kinds(server: Server, seed: int, instances: int, bots: int, *, hostile: bool = False) -> None:
    """Makes a random server with so many instances, and up to so many bots of each kind on each.

    It is as the server's own checks would have let it in; with hostile as races and strangers leave it.
    """
    random = Random(seed)  # noqa: S311  it guards nothing
    for number in range(instances):
        instance = server.instance(f"loja-{number}")
        credential = server.credential(instance, f"main-{number}")
        for kind in random.sample([*KINDS.values()], random.randint(1, len(KINDS))):
            given = {kind.credential: credential} if kind.credential else {}
            rows = [_bot(random, kind, place) for place in range(bots)]
            rows = [_odd(random, kind, each) for each in rows] if hostile else _possible(kind, rows)
            made = [put(server, instance, kind, **each, **given) for each in rows]
            if random.random() < 0.6:
                fallback = random.choice([*made, None])
                timing = {name: random.choice(values) for name, values in TIMING.items()}
                settle(server, instance, kind, fallback, **timing, **given)


def _bot(random: Random, kind: Kind, place: int) -> dict[str, Json]:
    made = row(kind, place, enabled=random.random() < 0.8)
    for name in random.sample(list(TIMING), random.choice((0, 1, 3))):
        made[name] = random.choice((*TIMING[name], None))
    made["description"] = random.choice((None, *DESCRIPTIONS))
    if random.random() < 0.3:
        made["description"] = f"Atende [gitops:{kind.path.lower()}-{place}]{random.choice(('', '~0123abcd'))}"
    for name, field in kind.fields.items():
        if field.hides:
            made[name] = _hidden(random, kind, field, made.get(name))
        elif name in _OFTEN_EMPTY and random.random() < 0.3:
            made[name] = random.choice(("", None))
        elif field.choices and name not in ("triggerType", "triggerOperator"):
            made[name] = random.choice(field.choices)
    made |= _of_types(kind, made, place)
    made["triggerType"] = random.choice(("keyword", "keyword", "advanced", "none", "all"))
    if made["triggerType"] in ("none", "all") and random.random() < 0.5:
        made |= {"triggerOperator": None, "triggerValue": None}
    return made


_OFTEN_EMPTY = frozenset({"basicAuthUser"})


def _odd(random: Random, kind: Kind, made: dict[str, Json]) -> dict[str, Json]:
    """A bot as it should not be, sometimes."""
    if random.random() < 0.1:
        made[random.choice(("expire", "delayMessage", "debounceTime"))] = -random.randrange(1, 9)
    if random.random() < 0.1:
        made[random.choice([*own(kind, 1), "triggerValue", "triggerOperator"])] = random.choice((None, ""))
    if random.random() < 0.2:
        marker = random.choice(
            ("other:x", "gitops:menu", "GitOps: menu ", "gitops:x] [gitops:y", f"gitops:{'y' * 80}")
        )
        made["description"] = f"Atende [{marker}]"
    for name, field in kind.fields.items():
        if field.hides and random.random() < 0.1:
            made[name] = random.choice(("changeme", f" {CANARY}{TOKEN}", f"{CANARY}:{TOKEN}@x y", "x"))
        if field.type is Type.ENUM and not made.get(name) and name in ("botType", "triggerOperator"):
            made[name] = field.choices[0]
    return made


def _hidden(random: Random, kind: Kind, field: Field, plain: Json) -> Json:
    """A secret, one that others may have too, a plain URL, or nothing."""
    value = random.choice((secret(field, random.randrange(4)), secret(field, random.randrange(1000)), plain))
    return value if field.required or random.random() < 0.8 else random.choice((None, ""))


def _of_types(kind: Kind, made: Mapping[str, Json], place: int) -> dict[str, Json]:
    """What only bots of some types have: numbers and prompts."""
    found: dict[str, Json] = {}
    for name, field in kind.fields.items():
        if field.bot_types is None:
            continue
        if made["botType"] not in field.bot_types:
            found[name] = None
        elif field.type is Type.INT:
            found[name] = 100 + place
        elif field.type is Type.TEXTS:
            found[name] = ["Seja breve."]
    return found


def _possible(kind: Kind, rows: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Those that the server would have let in one after the other, and would let anybody write again."""
    found: list[dict[str, Json]] = []
    for one in rows:
        mine = {name: value for name, value in one.items() if value not in (None, [])}
        others = [{name: value for name, value in each.items() if value not in (None, [])} for each in found]
        if all(
            not takes(kind, mine) & holds(kind, each) and not takes(kind, each) & holds(kind, mine)
            for each in others
        ):
            found.append(one)
    return found
