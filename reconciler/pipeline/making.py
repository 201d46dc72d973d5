"""A plan, from the manifests on; what it needs is imported while other processes parse these."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from reconciler.pipeline import ahead, selecting, unchanged
from reconciler.pipeline.ahead import Reader
from reconciler.pipeline.request import Request

if TYPE_CHECKING:
    from reconciler.domain.plan import Plan
    from reconciler.domain.shards import PlanShard
    from reconciler.pipeline.planning import Reading
    from reconciler.pipeline.selecting import Warn


def plan(
    request: Request,
    changed_since: str | None,
    base: str | None,
    reader: Reader | None,
    reading: Reading,
    warn: Warn,
) -> tuple[Plan, PlanShard | None]:
    """Make a plan, and remember it where that may be of use. Raises ReconcilerError.

    reader: reads the servers ahead. reading, warn: see planning.plan, selecting.wanted.
    """
    sources = unchanged.sources(request) if changed_since is None and base is None else None
    wanted = selecting.wanted(request, changed_since, base, warn, meanwhile=_import)
    with nullcontext(reader) if reader else ahead.waiting(request, changed_since) as reads:
        from reconciler.pipeline import shards, stages  # noqa: PLC0415  slow to import

        with stages.servers(request, wanted.desired) as running:
            made, shard = shards.plan(
                request, running, wanted, reading=reading, reader=reads, sources=sources
            )
    if sources is not None:
        unchanged.remember(request, made, sources, wanted.every)
    return made, shard


def _import() -> None:
    from reconciler.pipeline import shards, stages  # noqa: F401, PLC0415  so that they are there
    from reconciler.render import text  # noqa: F401, PLC0415
