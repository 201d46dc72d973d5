"""`list` and `get`: which bots there are, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, CALLING, SERVER, gathered, offered, output

if TYPE_CHECKING:
    from reconciler.pipeline.request import Request


@click.command("list", cls=Command)
@gathered(BOTS, *SERVER, output("Print the bots for people, or as JSON for programs."))
@click.option("--offline", is_flag=True, help="List what the manifests declare. Calls no server.")
def list_(request: Request, offline: bool) -> int:
    """List the instances and their bots, of the manifests and of the server. Writes nothing.

    A bot is managed, missing on the server, to adopt, in conflict, not declared any more, or unmanaged.
    """
    from reconciler.cli import terminal
    from reconciler.cli.reading import reading
    from reconciler.pipeline import listing

    found = listing.listed(request, offline=offline, warn=terminal.warn, reading=reading)
    terminal.listed(found, request.format)
    return 1 if found.problems else 0


@click.command(cls=Command)
@gathered(*CALLING, output("Print a manifest, or JSON with the API's fields.", "yaml", "json"))
@click.argument("bot", metavar="BOT@INSTANCE", shell_complete=offered("bots"))
def get(request: Request, bot: str) -> int:
    """Print a bot as the server has it, as a manifest that declares all of it. Writes nothing.

    id:ID@INSTANCE names a bot without our marker. Secrets are not shown: a manifest names variables for them.
    """
    from reconciler.cli import terminal
    from reconciler.importer import fragment

    got = fragment.get(request, bot)
    terminal.got(fragment.json(got) if request.format == "json" else fragment.yaml(got))
    return 0
