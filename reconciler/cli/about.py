"""`config`, `completion`, `help`, `version`: what the program itself is and was told."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli.config.command import Command
from reconciler.cli.options import ENV_FILE, output


@click.command(
    cls=Command, context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True}
)
@output("Print a table, or JSON for programs.")
@ENV_FILE
@click.argument("name", metavar="[COMMAND]", required=False)
@click.argument("args", metavar="[OPTIONS OF IT]...", nargs=-1, type=click.UNPROCESSED)
def config(format: str, name: str | None, args: tuple[str, ...]) -> int:
    """Show the configuration, and where each value comes from.

    Without a COMMAND, show the shared options and all others that are set. With one, show all its options, as
    they are when it is run like this.
    """
    from reconciler.cli.config import show

    click.echo(show.shown(click.get_current_context(), name, args, format), nl=False)
    return 0


@click.command  # without a configuration: it runs whenever a shell starts
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: str) -> int:
    """Print a script that completes commands, options and names."""
    from reconciler.cli.completion import script

    click.echo(script(shell, click.get_current_context().find_root().command), nl=False)
    return 0


@click.command("help")
@click.argument("command", metavar="[COMMAND]", required=False)
def help_(command: str | None) -> int:
    """Show the help of a command, as `--help` does."""
    root = click.get_current_context().find_root()
    if command is None:
        click.echo(root.get_help())
        return 0
    main = root.command
    assert isinstance(main, click.Group)  # noqa: S101  for mypy
    name, about, _ = main.resolve_command(root, [command])
    assert about is not None  # noqa: S101  for mypy; resolve_command raises
    click.echo(click.Context(about, root, name, **main.context_settings).get_help())
    return 0


@click.command
def version() -> int:
    """Print the version, as `--version` does."""
    click.echo(f"reconciler, version {__version__}")
    return 0
