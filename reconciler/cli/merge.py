"""`merge`: one plan, or one result, of those of all shards."""

from __future__ import annotations

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import ENV_FILE, FORMAT, OUT


@click.command(cls=Command)
@OUT
@FORMAT
@ENV_FILE
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when the plan has changes.")
@click.option(
    "--partial", is_flag=True, help="Join the results of those shards that there are, and exit with 1."
)
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False), metavar="FILE...")
def merge(
    out: str | None, format: str, detailed_exitcode: bool, partial: bool, files: tuple[str, ...]
) -> int:
    """Join the plans of all shards into one, or the results of applying one in shards. Calls no server.

    Takes what `plan --shard I/N --out FILE` saved, or what `apply --shard I/N --out FILE` did, of each shard.
    The plan is the one that would be made without shards: its limits are those of all instances, and
    `show`, `apply` and `apply --reviewed` take it as any other.
    """
    from reconciler.cli import terminal
    from reconciler.pipeline import outfile, shards

    with outfile.named(out) as save:
        found = shards.merged(files, partial=partial)
        try:
            terminal.saved(found, format)
        finally:
            save(found.plan, found.results, commit=found.commit)
    if found.results is not None:
        return terminal.exit_code(found.plan, found.results)
    terminal.problems(found.plan)
    if found.plan.problems:
        return 1
    return 2 if detailed_exitcode and found.plan.pending else 0
