"""How a shard is planned: what differs from the options of a whole plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Plan, Verb
from reconciler.manifests.wanted import Wanted
from reconciler.pipeline.request import Request
from reconciler.plan import crossing
from reconciler.plan.options import Crossings

ALONE = (
    "a shard alone does not know what the others delete: plan all shards with --out, `reconciler merge` "
    "them, and apply that"
)
"""Why an apply that plans a shard by itself deletes nothing."""


def options(
    request: Request, wanted: Wanted, reviewed: Sequence[Plan], *, applies: bool
) -> Mapping[str, Any]:
    """The planner's options of a shard, in the place of those of a whole plan. Raises ReconcilerError."""
    if request.target or request.rotate_keys:
        raise ReconcilerError("--shard cannot be combined with --target and --rotate-keys.")
    moves = {
        (change.kind.path, change.bot, change.instance): change.other
        for plan in reviewed
        for change in plan.changes()
        if change.verb is Verb.MOVE
    }
    crossings = Crossings(crossing.declared_bots(wanted.every), moves)
    if reviewed:  # its deletes were held against the limits, and so are those of this part
        return {"crossings": crossings}
    return {"crossings": crossings, "max_deletes": None, "keeps": ALONE if applies else ""}


def beside(wanted: Wanted, observed: Observed, owner: str) -> set[str]:
    """The instances of other shards that have to be planned beside those that were read."""
    if wanted.part is None:
        return set()
    before = () if wanted.whole_base is None else wanted.whole_base.instances
    declared = (*wanted.whole.instances, *before)
    return crossing.beside(declared, wanted.desired.former, observed, owner, wanted.owns)


def bound(request: Request) -> dict[str, str]:
    """The options that all shards must have, as they are written."""
    listed = {
        "--instance": request.instance,
        "--server": request.server,
        "--known-instance": request.known_instance,
        "--allow-deletes": request.allow_deletes,
    }
    found = {name: " ".join(sorted(values)) for name, values in listed.items() if values}
    return found | {
        "--prune": str(request.prune),
        "--scope": request.scope,
        "--max-deletes": str(request.max_deletes),
        "--max-delete-share": str(request.max_delete_share),
        **({"--replace": "given"} if request.replace else {}),
    }
