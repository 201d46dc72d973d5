"""`plan`, `show`: what differs, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import ENV_FILE, FORMAT, PLANNING, gathered, reading_begun

if TYPE_CHECKING:
    from reconciler.pipeline.process import Process
    from reconciler.pipeline.request import Request


@click.command(cls=Command)
@reading_begun
@gathered(*PLANNING)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 instead of 0 when there are changes.")
@click.option(
    "--changed-since",
    metavar="REF",
    help="Only instances whose files changed since HEAD left this git branch or commit.",
)
@click.option(
    "--base",
    metavar="REF",
    help="Only what changes compared with the manifests where HEAD left this git branch or commit.",
)
def plan(
    request: Request,
    detailed_exitcode: bool,
    changed_since: str | None,
    base: str | None,
    begun: Process | None,
) -> int:
    """Show what differs between the manifests and the server. Writes nothing."""
    from reconciler.pipeline import ahead, unchanged

    known = unchanged.remembered(request) if changed_since is None and base is None else None
    # Before anything else is imported.
    with ahead.reading(request, changed_since, known.paths if known else None, begun) as reader:
        from reconciler.cli import terminal
        from reconciler.cli.reading import reading
        from reconciler.pipeline import making, outfile

        with outfile.out(request) as save:
            made, shard = None, None
            if known is not None and reader is not None:
                with reading() as on_read:
                    made = unchanged.plan(known, reader, on_read)
            if made is None:
                made, shard = making.plan(request, changed_since, base, reader, reading, terminal.warn)
            try:
                terminal.plan(made, request.format, shard=shard)
            finally:
                save(made, shard=shard)
    terminal.problems(made)
    if made.problems:
        return 1
    return 2 if detailed_exitcode and made.pending else 0


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False), metavar="FILE")
@FORMAT
@ENV_FILE
@click.option(
    "--max-chars",
    type=click.IntRange(min=8192),
    default=65536,
    show_default=True,
    metavar="N",
    help="The most markdown to print. A GitHub comment holds 65536, a job's summary 1048576.",
)
@click.option(
    "--more",
    default="",
    metavar="TEXT",
    help="A sentence that says where the whole plan is, for markdown that was cut.",
)
def show(file: str, format: str, max_chars: int, more: str) -> int:
    """Show a saved plan, or saved results."""
    from pathlib import Path

    from reconciler import saved
    from reconciler.cli import terminal

    terminal.saved(saved.read(Path(file)), format, max_chars=max_chars, more=more)
    return 0
