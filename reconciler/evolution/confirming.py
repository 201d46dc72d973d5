"""Whose rows a plan is about to write to, confirmed by another source than the rows themselves.

What answers for one instance with another's whole rows contradicts nothing: a plan of them would write to, or
delete, the other instance's bots. The server's list of its instances tells, in one call for the whole plan,
which is made when a plan writes and only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from reconciler.domain.errors import Disabled, InstanceError, Missing, ReconcilerError, Refused, Unauthorized
from reconciler.domain.plan import Plan
from reconciler.evolution.client import Client


async def misplaced(client: Client, plan: Plan) -> dict[str, str]:
    """The instances whose rows belong to another one, of those that the plan writes to: a sentence each.

    Where the key may not list an instance, its settings and credentials are read instead: a server that shows
    another instance's rows there too is believed. Raises ServerError.
    """
    ids = {one.name: one.id for one in plan.instances if one.steps and one.id}
    if not ids:
        return {}
    listed: Mapping[str, str] = {}
    with suppress(ReconcilerError):  # not every key may, nor does every proxy let it through
        listed = (await client.listed()).ids
    found: dict[str, str] = {}
    for name, id_ in ids.items():
        if real := listed.get(name):
            if real != id_:
                owner = next((other for other, ident in listed.items() if ident == id_), None)
                found[name] = _sentence(client, name, owner)
        elif why := await _contradiction(client, name):
            found[name] = why
    return found


async def _contradiction(client: Client, name: str) -> str:
    """What else is read of an instance must belong to it; "" where it does, or cannot be read."""
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
        f"What the server shows of the instance {shown(name)} is not believed: by its list of instances, "
        f"these rows belong to {whose}. Look at what stands in front of it, such as a proxy or a cache."
    )
