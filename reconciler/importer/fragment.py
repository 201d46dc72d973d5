"""One bot of the server as a manifest declares it, or as JSON; for `get`. Writes nothing."""

from __future__ import annotations

from reconciler.domain import signals
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import Position, ReconcilerError
from reconciler.domain.kinds import DEFAULT, KINDS
from reconciler.domain.observed import ObservedInstance, RemoteBot
from reconciler.domain.records import dataclass, replace
from reconciler.domain.text import listed, near, quoted
from reconciler.evolution.client import Client, Server
from reconciler.importer.draft import Draft, Extent, drafts
from reconciler.importer.reading import Reading, read
from reconciler.pipeline.request import Request, check_owner
from reconciler.pipeline.stages import server_of
from reconciler.plan.matching import match
from reconciler.plan.switch import Address, address, is_glob
from reconciler.saved.encode import printed
from reconciler.yaml.emit import comment, key, mapping

FORMAT, VERSION = "evolution-reconciler/bot", 1


@dataclass(frozen=True, slots=True)
class Got:
    """A bot as the server has it. name: in our marker, "" for one that is not ours.

    draft: what manifests would declare for its instance. server: which of several has it, else "".
    """

    instance: str
    name: str
    bot: RemoteBot
    draft: Draft
    server: str = ""


def get(request: Request, named: str) -> Got:
    """Read the bot that BOT@INSTANCE or id:ID@INSTANCE names. Raises ReconcilerError."""
    check_owner(request)
    where = address(named)
    if not where.is_id and is_glob(where.bot):
        raise ReconcilerError(f"{quoted(named)} must name one bot: write its name without a glob.")

    async def reading(running: Server) -> Reading:
        async with Client(running) as client:
            return await read(client, (where.instance,))

    with server_of(request, where.instance) as (running, local):
        server, where = request.named.of(where.instance), replace(where, instance=local)
        found = signals.run(reading(running))
    if where.instance not in found.instances:
        why = found.problems.get(where.instance, f"the server has no instance {quoted(where.instance)}")
        raise ReconcilerError(f"{why.rstrip('.')}.")
    seen = found.instances[where.instance]
    name, bot = _chosen(where, seen, request.owner)
    known = {each: one.credentials or {} for each, one in found.instances.items()}
    stems = {where.instance: where.instance}
    others = {**known, **found.others}
    made = drafts({seen.name: seen}, others, Desired(()), stems, request.owner, Extent(full=True))
    return Got(where.instance, name, bot, made[where.instance], server)


def _chosen(where: Address, seen: ObservedInstance, owner: str) -> tuple[str, RemoteBot]:
    """The bot that is named, and the name in its marker. Raises ReconcilerError."""
    matched = match(DesiredInstance(seen.name, (), Position("", 1, 1)), seen.bots, owner, DEFAULT)
    named = dict(matched.orphans)
    if where.is_id:
        names = {bot.id: name for name, bot in matched.orphans}
        for bot in seen.bots:
            if bot.id == where.bot:
                return names.get(bot.id, ""), bot
        raise ReconcilerError(
            f"{quoted(where.instance)} has no bot with the id {quoted(where.bot)}.{_not_read(seen)}"
        )
    if where.bot in named:
        return where.bot, named[where.bot]
    if several := matched.conflicts.get(where.bot):
        ids = " or ".join(f"id:{id}@{where.instance}" for id in several.ids)
        raise ReconcilerError(f"several bots have the marker of {where.bot}: name one by its id, {ids}.")
    raise ReconcilerError(
        f"{quoted(where.instance)} has no bot {quoted(where.bot)} with the marker of {owner}"
        f"{near(where.bot, named)}: `reconciler list` shows its bots.{_not_read(seen)}"
    )


def _not_read(seen: ObservedInstance) -> str:
    """A sentence about the kinds among whose bots nothing could be found; "" where there are none."""
    if not seen.off:
        return ""
    labels = listed(KINDS[path].label for path in seen.off)
    return f" Bots of {labels} were not read: the server does not have them, or has them switched off."


def yaml(got: Got) -> str:
    """The bot as a manifest with nothing else. Raises ReconcilerError where none can declare it."""
    draft = got.draft
    name = next((each for each, entry in draft.bots.items() if entry.remote.id == got.bot.id), None)
    if name is None:
        whys = [one.reason for one in draft.left_out if got.bot.id in one.what]
        raise ReconcilerError(
            f"no manifest can declare the bot {got.bot.id} of {quoted(got.instance)}"
            f"{': ' if whys else ''}{'; '.join(whys)}. `--format json` shows it as it is."
        )
    left = [one for one in draft.left_out if one.what.endswith(f" of {name}")]
    return "".join(
        (
            *(comment(f"- left out: {one.what}: {one.reason}", hang=2) for one in left),
            mapping({"server": got.server} if got.server else {}),
            mapping({"instance": got.instance}),
            "bots:\n",
            f"  {key(name)}:\n",
            mapping(draft.bots[name].declared, 4),
        )
    )


def json(got: Got) -> str:
    """One JSON document, ending with a newline. The fields are the API's, those with a secret masked."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            **({"server": got.server} if got.server else {}),
            "instance": got.instance,
            "name": got.name or None,
            "id": got.bot.id,
            "created": got.bot.created or None,
            "kind": got.bot.kind.path,
            "fields": dict(got.bot.fields),
        }
    )
