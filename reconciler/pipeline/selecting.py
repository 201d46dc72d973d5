"""The manifests that a request is about.

Imports nothing of what plans: that can be imported while other processes parse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reconciler import saved
from reconciler.domain.desired import Desired
from reconciler.domain.plan import Plan
from reconciler.manifests import wanted as manifests
from reconciler.manifests.loaded import warning
from reconciler.manifests.wanted import Wanted
from reconciler.pipeline.request import DECLARED, Request, check_owner

Warn = Callable[[str], object]
"""Takes a sentence for the person."""


def wanted(
    request: Request,
    changed_since: str | None = None,
    base: str | None = None,
    warn: Warn | None = None,
    reviewed: Sequence[Plan] = (),
    meanwhile: Callable[[], object] | None = None,
) -> Wanted:
    """What is to be planned: the selected manifests, and those of the base. Raises ReconcilerError.

    warn: takes what is wrong with manifests that are not selected. Without it all must be valid. reviewed:
    the plans by which instances that wait for each other are of one shard. meanwhile: is called while other
    processes parse, if any do.
    """
    check_owner(request)
    saved.key()  # signs the plan at the end: a bad key is an error now
    found = manifests.read(
        Path(request.bots),
        request.instance,
        changed_since,
        base,
        targets=_targets(request),
        others_valid=warn is None,
        all_read=request.shard is not None,
        servers=request.named,
        chosen=request.chosen,
        meanwhile=meanwhile,
    )
    if warn is not None and found.broken:
        warn(warning(found.broken))
    if request.scope == DECLARED:
        found.check(())
    if request.shard is None:
        return found
    from reconciler.plan import applying  # noqa: PLC0415  slow to import

    return found.of(applying.assigned(reviewed, request.shard))


def _targets(request: Request) -> list[str]:
    """The globs of instances of --target. Raises ReconcilerError."""
    if not request.target:
        return []
    from reconciler.plan import targeted  # noqa: PLC0415  slow to import

    return [one.instance for one in targeted.parse(request.target)]


def desired(request: Request) -> Desired:
    """What the selected manifests declare. Raises ReconcilerError."""
    found = wanted(request)
    found.check(())
    return found.desired
