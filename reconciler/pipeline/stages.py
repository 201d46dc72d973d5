"""Around a plan: the server that runs, the plan that is applied, and the file that it is saved to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import saved
from reconciler.domain import signals
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Of, Plan, Prune
from reconciler.domain.records import replace
from reconciler.domain.results import Result, Results
from reconciler.domain.servers import full, local
from reconciler.domain.shards import ApplyShard
from reconciler.domain.text import listed, near, quoted
from reconciler.evolution.client import Server
from reconciler.manifests import secrets
from reconciler.pipeline import ahead, fleet
from reconciler.pipeline.embedded import make_home
from reconciler.pipeline.planning import Reading, check_deletes, plan, silently
from reconciler.pipeline.request import Request, keys_of
from reconciler.pipeline.selecting import Warn, wanted
from reconciler.plan import applying
from reconciler.saved import binding

if TYPE_CHECKING:
    from reconciler.apply.applier import Stop
    from reconciler.apply.journal import Journal


@contextmanager
def servers(request: Request, desired: Desired) -> Iterator[fleet.Running]:
    """The servers of the request. The embedded ones run for the length of the block."""
    log_nothing()
    with fleet.servers(request, desired) as running:
        yield running


@contextmanager
def server_of(request: Request, instance: str) -> Iterator[tuple[Server, str]]:
    """The server that has an instance, and what it calls it. Raises ReconcilerError."""
    name, named = request.named.of(instance), request.named
    if named.several and not name:
        known = listed((full(each, instance) for each in named.names), "or")
        raise ReconcilerError(f"{quoted(instance)} names no server: write {known}.")
    with servers(replace(request, server=(name,) if name else request.server), Desired(())) as running:
        yield running[name], local(name, instance)


@contextmanager
def planned(
    request: Request,
    saved_plan: str | None,
    reviewed: Sequence[str],
    reading: Reading = silently,
    warn: Warn | None = None,
) -> Iterator[tuple[fleet.Running, Plan, ApplyShard | None]]:
    """The plan to apply, its servers, and of which shard it is: made now, or read from a file.

    reading: see plan. warn: see wanted.
    """
    if saved_plan is None:
        seen = [saved.read_plan(Path(file)) for file in reviewed]
        with ahead.reading(request) as reader:
            found = wanted(request, warn=warn, reviewed=seen)
            with (
                nullcontext(reader) if reader else ahead.waiting(request) as reads,
                servers(request, found.desired) as running,
            ):
                made = plan(request, running, found, seen, applies=True, reading=reading, reader=reads)
                yield (
                    running,
                    made,
                    None if request.shard is None else applying.apart(request.shard, found.digest, seen),
                )
        return
    if reviewed or request.instance or request.target or request.replace or request.rotate_keys:
        raise ReconcilerError(
            "a saved plan is applied as it is: remove --reviewed, --instance, --target, --replace and "
            "--rotate-keys."
        )
    made = saved.read_plan(Path(saved_plan))
    binding.check_owner(made, request.owner)
    check_deletes(request, made)
    shard: ApplyShard | None = None
    if request.shard is not None:
        made, shard = applying.part(made, request.shard)
    secrets.check(made, keys_of(request))
    if made.servers:
        request = replace(request, server=tuple(name for name in request.chosen if name in made.servers))
    with servers(request, Desired(())) as running:
        binding.check_servers(made, fleet.bound(request, running, Plan("", made.owner, ())))
        yield running, made, shard


@contextmanager
def restored(
    request: Request, instances: Sequence[str], reading: Reading = silently, warn: Warn | None = None
) -> Iterator[tuple[fleet.Running, Plan]]:
    """The plan that puts back what these instances lost, and its servers. Raises ReconcilerError.

    reading: see plan. warn: see wanted.
    """
    request = replace(request, prune=Prune.NEVER, instance=tuple(map(request.named.glob, instances)))
    found = wanted(request, warn=warn)
    declared = {one.name: one for one in found.every.instances}
    instances = [request.named.found(name, declared) for name in instances]
    for name in instances:
        if name not in declared:
            raise ReconcilerError(f"no manifest declares the instance {quoted(name)}{near(name, declared)}.")
    chosen = tuple(declared[name] for name in dict.fromkeys(instances))
    found = found.only_these(chosen)
    with servers(request, found.desired) as running:
        made = plan(request, running, found, applies=True, reading=reading)
        lost = {change.instance for change in made.changes() if change.of is Of.BOT and change.verb.creates}
        whole = [one.name for one in made.instances if one.problem is None and one.name not in lost]
        if whole:
            raise ReconcilerError(
                f"{', '.join(map(quoted, whole))} lacks no bot: `reconciler plan` shows what else differs."
            )
        yield running, made


def apply(
    request: Request,
    running: fleet.Running,
    made: Plan,
    on_result: Callable[[Result], None],
    stop: Stop,
    on_bug: Callable[[Exception], object],
    journal: Journal | None = None,
) -> Results:
    """Make the plan's calls until a stop is asked for. Makes no call when there is nothing to do.

    on_result, on_bug, journal: see applier.across.
    """
    if not made.writes:
        return Results(())
    from reconciler.apply import applier  # noqa: PLC0415  slow to import

    async def run() -> Results:
        async with fleet.clients(running) as clients:
            return await applier.across(clients, made, keys_of(request), on_result, stop, on_bug, journal)

    return signals.run(run())


@contextmanager
def journaled(made: Plan, shard: ApplyShard | None, *, resume: bool, warn: Warn) -> Iterator[Journal]:
    """The journal of an apply of a saved plan; removed when every change has ended, and kept otherwise.

    shard: of which the plan is a part: each has a journal of its own. resume: whether it is of an earlier
    run, which this one goes on with. warn: takes why none is kept. Raises ReconcilerError for one that cannot
    be resumed, or that is to be.
    """
    from reconciler.apply import journal  # noqa: PLC0415  slow to import

    path = journal.FILE
    if shard is not None:
        path = path.with_name(f"{path.name}-{shard.shard.number}-of-{shard.shard.of}")
    if resume:
        kept = journal.resume(made, path)
    else:
        try:
            make_home()
            kept = journal.begin(made, path)
        except InterruptedError:
            raise ReconcilerError(
                f"nothing was done: an apply of this plan was interrupted, and {path} says what it "
                "did. Go on with --resume, or delete that file to begin anew."
            ) from None
        except ReconcilerError as error:
            warn(f"this apply cannot be resumed if it is interrupted: {error}")
            kept = journal.Journal()
    try:
        yield kept
    finally:
        kept.close()
    if kept.failure:
        warn(f"this apply could not have been resumed: {kept.failure}.")


def log_nothing() -> None:
    """Drop what libraries log, tracebacks included: what matters comes as an error."""
    logging.getLogger().addHandler(logging.NullHandler())
