"""Confirms which instances a plan is about to write to, by another source than the rows themselves.

An answer that has all rows of another instance contradicts nothing: a plan made of it would write to, or
delete, the other instance's bots. The server's list of its instances shows that, in one call for the whole
plan, made only when a plan writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from reconciler.domain.errors import Disabled, InstanceError, Missing, ReconcilerError, Refused, Unauthorized
from reconciler.domain.plan import Plan
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side


async def misplaced(client: Client, plan: Plan) -> dict[str, str]:
    """Of the instances that the plan writes to, those whose rows belong to another one: a sentence each.

    Where the key may not list an instance, its settings and credentials are read instead: a server that shows
    another instance's rows there too goes unnoticed. Raises ServerError.
    """
    ids = {one.name: one.id for one in plan.instances if one.steps and one.id}
    if not ids:
        return {}
    listed: Mapping[str, str] = {}
    with suppress(ReconcilerError):  # not every key may, nor does every proxy let it through
        listed = (await client.listed()).ids
    found: dict[str, str] = {}

    async def confirm(name: str) -> None:
        if real := listed.get(name):
            if real != (id_ := ids[name]):
                owner = next((other for other, ident in listed.items() if ident == id_), None)
                found[name] = _sentence(client, name, owner)
        elif why := await _contradiction(client, name):
            found[name] = why

    await side_by_side(list(ids), confirm, client.concurrency)
    return found


async def _contradiction(client: Client, name: str) -> str:
    """Why the settings or credentials of an instance do not belong to it; "" if they do or cannot be read."""
    for read in (client.settings, client.credentials):
        try:
            await read(name)
        except (Disabled, Missing, Refused, Unauthorized):
            continue
        except InstanceError as error:
            return str(error)
    return ""


def _sentence(client: Client, name: str, owner: str | None) -> str:
    shown = client.secrets.shown
    whose = f"the instance {shown(owner)}" if owner is not None else "an instance that is not listed"
    return (
        f"The server's answer for the instance {shown(name)} is not used: by its list of instances, these "
        f"rows belong to {whose}. Check what is in front of the server, such as a proxy or a cache."
    )
