"""`list`: which bots there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, SERVER, facts, gathered

if TYPE_CHECKING:
    from reconciler.pipeline import Request


@click.command("list", cls=Command)
@gathered(BOTS, *SERVER, facts("Print the bots for people, or as JSON for programs."))
@click.option("--offline", is_flag=True, help="List what the manifests declare. Calls no server.")
def list_(request: Request, offline: bool) -> int:
    """List the instances and their bots, of the manifests and of the server. Writes nothing.

    A bot is managed, missing on the server, to adopt, in conflict, not declared any more, or unmanaged.
    """
    from reconciler import pipeline
    from reconciler.cli import terminal
    from reconciler.cli.reading import reading

    found = pipeline.listed(request, offline=offline, reading=reading)
    terminal.listed(found, request.format)
    return 1 if found.problems else 0
