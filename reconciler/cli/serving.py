"""`sandbox`, `doctor`: the embedded server, and what to know of a server before a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config import command
from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, SERVER, gathered, output

if TYPE_CHECKING:
    from reconciler.pipeline.request import Request


@click.command(cls=Command)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    required=True,
    metavar="N",
    help="The port on 127.0.0.1; 0 picks a free one.",
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Keep the state in this file. Without it the state is lost when the command ends.",
)
@click.option(
    "--bots",
    type=click.Path(),
    metavar="DIR",
    help="Start with the instances and credentials that the manifests in this directory name.",
)
def sandbox(port: int, db: str | None, bots: str | None) -> int:
    """Run the embedded Evolution API server, for trials and tests.

    Where reconciler.toml names several servers, runs one for each, on the port and those after it.
    """
    from reconciler.cli.sandbox import serve

    serve(port, db, bots, command.servers(click.get_current_context()), say=click.echo)
    return 0


@click.command(cls=Command)
@gathered(BOTS, *SERVER, output("Print the findings for people, or as JSON for programs."))
@click.option(
    "--keys", is_flag=True, help="Only list the variables that manifests name, as an env file to fill in."
)
def doctor(request: Request, keys: bool) -> int:
    """Check the URL, key, version, instances and credentials. Writes nothing.

    With --keys, list what the manifests need by !env and ${env:NAME}, and call no server. The exit code is
    1 when a variable is not set.
    """
    from reconciler.cli import terminal
    from reconciler.setup.doctor import examine, needed

    if keys:
        names = needed(request)
        terminal.needed(names, request.format)
        return int(not all(is_set for is_set, _ in names.values()))
    found = examine(request)
    terminal.doctor(found, request.format)
    return 1 if any(finding.mark == "bad" for finding in found) else 0
