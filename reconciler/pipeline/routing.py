"""An instance whose messages are routed: as manifests declare it, or as the server has it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reconciler.domain import markers, signals
from reconciler.domain.desired import Desired, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position, ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import ObservedInstance
from reconciler.domain.text import near, quoted
from reconciler.domain.versions import NEWEST, Version, version
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import fetch
from reconciler.manifests.load import read_all
from reconciler.manifests.loaded import warning
from reconciler.manifests.selection import names_alone
from reconciler.pipeline.request import Request, check_owner
from reconciler.pipeline.selecting import Warn
from reconciler.pipeline.stages import server_of
from reconciler.routing import sides
from reconciler.routing.values import Instance

_NOWHERE = Position("", 1, 1)


def declared(request: Request, where: str, server_version: Version, warn: Warn) -> tuple[str, str, Instance]:
    """The bot, "" for none, the instance and what is declared of it. Raises ReconcilerError.

    where: [BOT@]INSTANCE. warn: takes what is wrong with other manifests.
    """
    named = request.named
    asked = names_alone([named.glob(_split(where)[1])])
    loaded = read_all(Path(request.bots), origins=False, cached=True, servers=named, asked=asked)
    by_name = {one.name: one for one in loaded.desired.instances}
    bot, name = ("", where) if where in by_name else _split(where)
    name = named.found(name, by_name)
    if broken := loaded.of_others([name]):
        warn(warning(broken))
    if name not in by_name:
        raise ReconcilerError(f"no manifest declares instance {quoted(name)}{near(name, by_name)}.")
    instance = sides.declared(by_name[name], server_version)
    _check(bot, name, (one.name for one in instance.bots))
    return bot, name, instance


def live(request: Request, where: str, server_version: Version | None) -> tuple[str, str, Instance]:
    """The same, of what the server has; its version unless one is given. Raises ReconcilerError."""
    check_owner(request)

    async def read(running: Server, name: str) -> tuple[ObservedInstance, str | None]:
        async with Client(running) as client:
            settings = {path: DesiredSettings({}, _NOWHERE) for path in KINDS}  # so that they are read
            asked = Desired((DesiredInstance(name, (), _NOWHERE, settings=settings),))
            found = await fetch(client, asked, lambda *_: False)
            return found.instances[name], await client.version()

    bot, name = _split(where)
    with server_of(request, name) as (running, there):
        seen, said = signals.run(read(running, there))
    if seen.problem is not None:
        raise ReconcilerError(seen.problem)
    instance = sides.observed(seen, _names(seen, request.owner), server_version or _known(said))
    _check(bot, name, (one.name for one in instance.bots))
    return bot, name, instance


def _split(where: str) -> tuple[str, str]:
    bot, at, name = where.partition("@")
    return (bot, name) if at else ("", where)


def _check(bot: str, instance: str, names: Iterable[str]) -> None:
    known = list(names)
    if bot and bot not in known:
        raise ReconcilerError(f"instance {quoted(instance)} has no bot {quoted(bot)}{near(bot, known)}.")


def _known(said: str | None) -> Version:
    try:
        return version(said or "")
    except ValueError:
        return NEWEST


def _names(instance: ObservedInstance, owner: str) -> dict[str, str]:
    """The names in our markers, by the bots' ids."""
    return {bot.id: markers.name_of(str(bot.fields.get("description", "")), owner) for bot in instance.bots}
