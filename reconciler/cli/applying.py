"""`apply`, `restore`: show a plan, ask, and make its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import streams
from reconciler.cli.config.command import Command
from reconciler.cli.options import PLANNING, RESTORING, YES, gathered, offered, unless_configured

if TYPE_CHECKING:
    from reconciler.apply.journal import Journal
    from reconciler.domain.plan import Plan
    from reconciler.domain.shards import ApplyShard
    from reconciler.pipeline.fleet import Running
    from reconciler.pipeline.outfile import Save
    from reconciler.pipeline.request import Request


@click.command(cls=Command)
@gathered(*PLANNING)
@YES
@click.option(
    "--reviewed",
    multiple=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Plan again, and make only changes that are in this saved plan too. May be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with an apply of FILE that was interrupted.")
@click.argument("saved", required=False, type=click.Path(dir_okay=False), metavar="[FILE]")
def apply(request: Request, yes: bool, reviewed: tuple[str, ...], resume: bool, saved: str | None) -> int:
    """Show the plan, ask, and make its calls. Then the server has what the manifests declare.

    With a FILE from `plan --out` or `merge --out`, make exactly the calls of that plan. The manifests are not
    read.
    """
    from reconciler.cli import terminal
    from reconciler.cli.reading import reading
    from reconciler.domain.records import replace
    from reconciler.pipeline import outfile, stages

    streams.check()
    if resume and saved is None:
        raise click.UsageError(
            "--resume needs the saved plan: apply --resume FILE. Without a FILE, a new plan goes on where an "
            "apply was interrupted."
        )
    if saved is not None:  # it is applied as it is, whatever the configuration says about planning
        given = unless_configured(("instance", "target", "replace", "rotate_keys", "reviewed"))
        reviewed = given.pop("reviewed", reviewed)
        request = replace(request, **given)
    with (
        outfile.out(request) as save,
        stages.planned(request, saved, reviewed, reading, terminal.warn) as (running, made, shard),
    ):
        if saved is None:
            return _carried_out(request, running, made, save, yes=yes, shard=shard)
        with stages.journaled(made, shard, resume=resume, warn=terminal.warn) as journal:
            return _carried_out(request, running, made, save, yes=yes, journal=journal, shard=shard)


@click.command(cls=Command)
@gathered(*RESTORING)
@YES
@click.argument(
    "instances", nargs=-1, required=True, metavar="INSTANCE...", shell_complete=offered("instances")
)
def restore(request: Request, yes: bool, instances: tuple[str, ...]) -> int:
    """Put back what instances lost when they were recreated on the server.

    Shows the plan of these instances, asks, and makes it: credentials, settings and bots, as the manifests
    declare them. Deletes nothing. Does nothing for an instance that lacks no bot.
    """
    from reconciler.cli import terminal
    from reconciler.cli.reading import reading
    from reconciler.pipeline import outfile, stages

    streams.check()
    with (
        outfile.out(request) as save,
        stages.restored(request, instances, reading, terminal.warn) as (running, made),
    ):
        return _carried_out(request, running, made, save, yes=yes)


def _carried_out(
    request: Request,
    running: Running,
    made: Plan,
    save: Save,
    *,
    yes: bool,
    journal: Journal | None = None,
    shard: ApplyShard | None = None,
) -> int:
    """Show a plan, ask, and make its calls. Returns the exit code. Raises ReconcilerError."""
    from reconciler.cli import failure, terminal
    from reconciler.cli.stopping import stopping
    from reconciler.pipeline import stages

    if request.format == "text":
        terminal.plan(made, request.format, asks=made.writes and not yes)
    if made.writes and not yes:
        terminal.agree(made, request.format)
    with stopping() as stop:
        with terminal.progress(made) as on_result:
            results = stages.apply(request, running, made, on_result, stop, failure.tell, journal)
        code = terminal.ended(made, results, request.format, save, shard=shard)
        if journal is not None and results.complete:
            journal.finish()
        return code
