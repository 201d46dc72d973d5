"""One world with everything that takes more than one call, for tests that end or disturb a run midway."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support import Json
from tests.worlds.generators import DEFAULTS, INSTANCES, OWNER, Pair, World, creds_id, key, trigger

LOJA, CAFE = INSTANCES


def wanted(its_key: str, its_trigger: str, **fields: Json) -> dict[str, Json]:
    """A bot of a manifest."""
    return {**key(its_key), **trigger(its_trigger), **fields}


def row(
    name: str, its_key: str, its_trigger: str, whose: str | None = None, **fields: Json
) -> dict[str, Json]:
    """A bot on the server, its id bot-NAME; ours under its name unless it says whose."""
    return {
        **DEFAULTS,
        **key(its_key),
        **trigger(its_trigger),
        "enabled": True,
        "description": f"[{OWNER}:{name}]" if whose is None else whose,
        "openaiCredsId": creds_id(LOJA, "main"),
        "id": f"bot-{name}",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
        **fields,
    }


def world(wants: Mapping[str, Json], *has: dict[str, Json], settings: bool = False) -> World:
    """The instance `loja`."""
    manifest = {"instance": LOJA, "defaults": {"openaiCreds": "main"}, "bots": dict(wants)}
    stored = {**DEFAULTS, "id": "settings", "openaiCredsId": creds_id(LOJA, "main")} if settings else None
    return World(LOJA, manifest, has, stored)


def busy(settings: bool = False) -> Pair:
    """Two swaps that need parking, a replacement, an adoption, a rename and creates, beside strangers."""
    loja = world(
        {
            "ana": wanted("a1", "equals:1"),
            "bia": wanted("a2", "equals:2"),
            "caio": wanted("m/1", "none"),
            "dora": wanted("m/2", "all"),
            "edu": wanted("a3", "contains:3", onDrift="replace", expire=5),
            "fred": wanted("m/10", "equals:4", keywordFinish="sair"),
            "gil": wanted("m/11", "equals:5", previously=["gilberto"]),
            "hugo": wanted("m/12", "equals:6"),
            "iris": wanted("m/13", "adv:7"),
            "joao": wanted("a4", "regex:8"),
        },
        row("ana", "a1", "equals:2", whose="made by hand"),
        row("bia", "a2", "equals:1"),
        row("caio", "m/2", "none"),
        row("dora", "m/1", "all"),
        row("edu", "a3", "contains:3"),
        row("fred", "m/10", "equals:44", whose="made by hand"),
        row("gilberto", "m/11", "equals:5"),
        row("stranger", "m/20", "equals:20", whose="nobody's"),
        row("theirs", "m/21", "equals:21", whose="[other:hugo]~01234567"),
        settings=settings,
    )
    cafe = World(
        CAFE,
        {
            "instance": CAFE,
            "defaults": {"openaiCreds": "second"},
            "bots": {
                name: wanted(f"a{number}", f"equals:{number}")
                for number, name in enumerate(("ana", "bia", "caio"))
            },
        },
    )
    return Pair((loja, cafe))


STRANGERS = ("bot-stranger", "bot-theirs")
"""The bots of the busy world that are not ours."""
