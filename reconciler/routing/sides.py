"""An instance as it is declared, and as the server has it, as what is routed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.observed import ObservedInstance
from reconciler.domain.versions import Version
from reconciler.routing.values import Bot, Instance, Settings


def declared(instance: DesiredInstance, version: Version) -> Instance:
    """What manifests declare. What they leave out is as a create would complete it."""
    return Instance(
        tuple(Bot(bot.name, bot.kind, bot.fields) for bot in instance.bots),
        {path: Settings(one.fields, one.fallback or "") for path, one in instance.settings.items()},
        version,
    )


def called(instance: ObservedInstance, names: Mapping[str, str]) -> dict[str, str]:
    """What each bot of the server is called, by its id: its name; `id:ID` where it has none, or shares it."""
    shared = Counter((bot.kind.path, names.get(bot.id)) for bot in instance.bots)
    return {
        bot.id: name if (name := names.get(bot.id)) and shared[bot.kind.path, name] == 1 else f"id:{bot.id}"
        for bot in instance.bots
    }


def observed(instance: ObservedInstance, names: Mapping[str, str], version: Version) -> Instance:
    """What the server has. names: of bots, by their ids."""
    known = called(instance, names)
    return Instance(
        tuple(Bot(known[bot.id], bot.kind, bot.fields) for bot in instance.bots),
        {
            path: Settings(row.fields, known.get(row.fallback or "", ""))
            for path, row in instance.settings.items()
            if row.exists
        },
        version,
    )
