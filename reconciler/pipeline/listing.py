"""The listing of a request: the manifests, and the bots of the server. Reads nothing else."""

from __future__ import annotations

from pathlib import Path

from reconciler.domain import signals
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.listing import Listing
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Plan
from reconciler.manifests import wanted as manifests
from reconciler.manifests.loaded import warning
from reconciler.pipeline import fleet
from reconciler.pipeline.planning import Reading, silently
from reconciler.pipeline.request import Request, check_owner
from reconciler.pipeline.selecting import Warn
from reconciler.pipeline.stages import servers
from reconciler.plan import listing


def listed(request: Request, *, offline: bool, warn: Warn, reading: Reading = silently) -> Listing:
    """The bots of the selected instances. Raises ReconcilerError.

    offline: whether only the manifests are read. warn: takes what is wrong with manifests that are not
    selected. reading: shows how far the reading of the server is.
    """
    check_owner(request)
    wanted = manifests.read(
        Path(request.bots),
        request.instance,
        others_valid=False,
        servers=request.named,
        chosen=request.chosen,
    )
    if wanted.broken:
        warn(warning(wanted.broken))
    if offline:
        wanted.check(())
        return listing.declared(wanted.desired)
    # Without their bots and credentials, so that nothing but the server's bots is read.
    bare = Desired(
        tuple(DesiredInstance(one.name, (), one.at, server=one.server) for one in wanted.desired.instances)
    )

    others = wanted.looks_at if wanted.complete else None

    async def read() -> Observed:
        async with fleet.clients(running) as clients:
            return await fleet.fetched(clients, bare, lambda *_: False, {}, others, on_read)

    with servers(request, wanted.desired) as running:
        with reading() as on_read:
            observed = signals.run(read())
        wanted.check(observed.instances.keys())
        made = listing.made(wanted.desired, observed, request.owner)
        where = fleet.bound(request, running, Plan("", request.owner, ()))
        note = "; ".join(filter(None, (made.note, *wanted.notes)))
        return Listing(where.server, made.instances, note, where.servers)
