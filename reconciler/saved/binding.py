"""Which server and which owner a plan is for, and whether those are the ones at hand. Pure.

A plan that is applied as it is, is bound to its server's address. A reviewed plan is only compared with a new
one, so it is bound to the server, whatever its address is now.
"""

from __future__ import annotations

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.plan.effect import recreated

SANDBOX = "sandbox"
"""The server of a plan that was made with the embedded server, which has another address with each run."""


def check_owner(plan: Plan, owner: str) -> None:
    """Raises ReconcilerError when the plan is for another owner."""
    if plan.owner != owner:
        raise ReconcilerError(
            f"the plan is for the owner {plan.owner}, not {owner}: pass --owner {plan.owner} to apply it."
        )


def check_server(plan: Plan, address: str, name: str) -> None:
    """Raises ReconcilerError when the plan is for another address, or for a server of another name.

    name: what the server is called here, "" where it has no name.
    """
    if plan.server != address:
        raise ReconcilerError(f"the plan is for {plan.server}, not for {address}.")
    if name and plan.server_name and plan.server_name != name:
        raise ReconcilerError(f"the plan is for the server named {plan.server_name}, not for {name}.")


def check_servers(plan: Plan, here: Plan) -> None:
    """Raises ReconcilerError when the plan is for other servers than those that the plan `here` is for."""
    if not (plan.servers or here.servers):
        check_server(plan, here.server, here.server_name)
        return
    _check_kind(plan, here, "the plan")
    for name, address in plan.servers.items():
        if name not in here.servers:
            raise ReconcilerError(
                f"the plan is for the server {name} too, which reconciler.toml does not name, or --server "
                "leaves out."
            )
        if here.servers[name] != address:
            raise ReconcilerError(
                f"the plan is for the server {name} at {address}, not at {here.servers[name]}."
            )


def _check_kind(plan: Plan, here: Plan, which: str) -> None:
    """Raises ReconcilerError when one is for several servers, and the other is not."""
    if bool(plan.servers) != bool(here.servers):
        raise ReconcilerError(
            f"{which} is for {plan.where}, not for {here.where}: plan again with this reconciler.toml."
        )


def check_same_server(reviewed: Plan, made: Plan) -> None:
    """Raises ReconcilerError unless a reviewed plan and a new one are for the same servers.

    Of several, each is compared with the one of its name.
    """
    if not (reviewed.servers or made.servers):
        _check_same_server(reviewed, made)
        return
    _check_kind(reviewed, made, "the reviewed plan")
    for name in reviewed.servers.keys() & made.servers.keys():
        _check_same_server(reviewed.of(name), made.of(name))


def _check_same_server(reviewed: Plan, made: Plan) -> None:
    """Raises ReconcilerError unless a reviewed plan and a new one are for the same server.

    They are when both plans have the same name for it, when the addresses are equal, or when both saw an
    instance with the same id. An instance with another id was recreated; its changes are blocked.
    """
    here, there = made.server_name, reviewed.server_name
    if here and there and here != there:
        raise ReconcilerError(f"the reviewed plan is for the server named {there}, not for {here}.")
    if SANDBOX in (reviewed.server, made.server):
        check_server(reviewed, made.server, "")
    ids = {instance.name: instance.id for instance in made.instances}
    again = recreated(reviewed, ids)
    known = {one.name for one in reviewed.instances if one.id and ids.get(one.name)}
    if reviewed.server == made.server or known - again or (here and here == there):
        return
    for instance in reviewed.instances:
        if instance.name in again:
            raise ReconcilerError(
                f"the reviewed plan is for another server, or the instance {instance.name!r} was recreated "
                f"since: its id was {instance.id} then, and is {ids[instance.name]} now. Plan again."
            )
    raise ReconcilerError(
        f"the reviewed plan is for {reviewed.server}, not for {made.server}. If these are two addresses of "
        "one server, give it the same name for both plans, with EVOLUTION_SERVER_NAME or --server-name, and "
        "plan again."
    )
