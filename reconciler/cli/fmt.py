"""`fmt`: writes manifests in the canonical style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS

if TYPE_CHECKING:
    from reconciler.manifests.formatting import Formatted


@click.command(cls=Command)
@BOTS
@click.option("--check", is_flag=True, help="Write nothing. Exit with 1 when a file is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing. Show what would change.")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]...")
def fmt(bots: str, check: bool, diff: bool, paths: tuple[str, ...]) -> int:
    """Format the manifests, as `import` writes them. Prints the names of the files that change.

    PATH is a manifest, a folder's _defaults file, or a folder; without one, all are formatted. Comments, the
    order of keys and what the manifests declare stay. docs/reference/manifest.md describes the style.
    """
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.domain import links
    from reconciler.domain.errors import ManifestError
    from reconciler.domain.text import count
    from reconciler.manifests.formatting import formatted

    if not (check or diff):
        links.check(Path(bots))
    changed, problems = formatted(Path(bots), [Path(path) for path in paths])
    for one in changed:
        if not (check or diff):
            _write(one)
        terminal.formatted(one, diff=diff)
    if check and changed:
        click.echo(f"{count(len(changed), 'file')} not formatted: run reconciler fmt.", err=True)
    if problems:
        raise ManifestError(problems)
    return 1 if check and changed else 0


def _write(one: Formatted) -> None:
    """Replace the file. Raises ReconcilerError, also when it was changed since it was read."""
    from reconciler.domain import files
    from reconciler.domain.errors import ReconcilerError

    if files.read(one.real, len(one.before), through_link=False) != one.before:
        raise ReconcilerError(f"{one.path} was changed meanwhile and was not overwritten: run this again.")
    files.replace(one.real, one.after)
