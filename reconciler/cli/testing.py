"""`test`: who answers the messages of the manifests' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config import command
from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, INSTANCE, SHARD, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.domain.desired import DesiredInstance
    from reconciler.domain.shards import Shard


@click.command(cls=Command)
@BOTS
@INSTANCE
@SHARD
@output(
    "Print text for people, JSON, JUnit XML, or commands that make GitHub show failures on the lines of "
    "the diff.",
    "text",
    "json",
    "junit",
    "github",
)
@click.option(
    "--server-version",
    metavar="X.Y.Z",
    help="Answer as this version of the server.  [default: the newest 2.3]",
)
@click.option(
    "--coverage",
    is_flag=True,
    help="Also print what share of the bots and triggers the tests reach, and tests that cannot fail.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit with 1 when the tests of an instance reach a smaller share of its bots or triggers.",
)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]...")
def test(
    bots: str,
    instance: tuple[str, ...],
    shard: Shard | None,
    format: str,
    server_version: str | None,
    coverage: bool,
    fail_under: float | None,
    paths: tuple[str, ...],
) -> int:
    """Run the tests of the manifests: who answers which message. Calls no server.

    With a PATH (a manifest, a folder's _defaults file, or a folder), only the tests of the instances that are
    declared there. Prints each failure with its place, who answers, and why.
    """
    from reconciler.cli import terminal
    from reconciler.cli.route import asked_version
    from reconciler.domain.errors import ReconcilerError
    from reconciler.domain.versions import NEWEST
    from reconciler.render import coverage as render
    from reconciler.routing import testing

    version = asked_version(server_version) or NEWEST
    tested = testing.run(_chosen(bots, instance, paths, shard), version)
    terminal.tested(tested, format, covers=coverage or fail_under is not None)
    if fail_under is not None and (sentence := render.below(tested, fail_under)):
        raise ReconcilerError(sentence)
    return 1 if any(one.failed for one in tested) else 0


def _chosen(
    bots: str, globs: Sequence[str], paths: Sequence[str], shard: Shard | None
) -> list[DesiredInstance]:
    """The instances whose tests are run. Raises ReconcilerError."""
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.manifests import discovery, selection
    from reconciler.manifests.load import read_all
    from reconciler.manifests.loaded import files_of, warning

    names = discovery.chosen(Path(bots), [Path(path) for path in paths]) if paths else None
    named = command.servers(click.get_current_context())
    globs = [named.glob(glob) for glob in globs]
    asked = () if paths else selection.names_alone(globs)
    loaded = read_all(Path(bots), origins=False, cached=True, servers=named, asked=asked)
    if broken := loaded.of_others(globs):
        terminal.warn(warning(broken))
    selection.check_globs(loaded.desired, globs)
    return [
        one
        for one in loaded.desired.instances
        if selection.matches(one.name, globs)
        and (names is None or not files_of([one]).isdisjoint(names))
        and (shard is None or shard.has(one.server, one.local))
    ]
