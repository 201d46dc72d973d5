"""`validate`, `explain`, `schema`: what the manifests say, without a server."""

from __future__ import annotations

import click

from reconciler.cli.config import command
from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, offered, output


@click.command(cls=Command)
@BOTS
@output(
    "Print text for people, commands that make GitHub show remarks on the lines of the diff, JSON, or "
    "SARIF for code scanning.",
    "text",
    "github",
    "json",
    "sarif",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
@click.option(
    "--server-version",
    metavar="X.Y.Z",
    help="Warn about this version of the server.  [default: the newest 2.3]",
)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]...")
def validate(bots: str, format: str, strict: bool, server_version: str | None, paths: tuple[str, ...]) -> int:
    """Check the manifests offline, and run their tests. Prints every error of every file with its place.

    With a PATH (a manifest, a folder's _defaults file, or a folder), reads all manifests and shows only what
    is wrong there.

    Without errors, warn about what the server accepts but does not do. docs/reference/lint.md lists the rules
    and says how to ignore one.
    """
    from pathlib import Path

    from reconciler import lint
    from reconciler.cli import terminal
    from reconciler.domain.errors import ManifestError
    from reconciler.manifests import discovery
    from reconciler.manifests.load import read_all

    try:
        server = lint.version(server_version) if server_version else lint.NEWEST
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--server-version") from None
    rules = command.rules(click.get_current_context())
    names = discovery.chosen(Path(bots), [Path(path) for path in paths]) if paths else None
    try:
        loaded = read_all(
            Path(bots),
            origins=False,
            cached=True,
            servers=command.servers(click.get_current_context()),
            look=lint.look(server),
        )
        if problems := loaded.every_problem:
            raise ManifestError(sorted(problems))
        desired = loaded.desired
        if those := [one for one in desired.instances if one.tests]:
            from reconciler.render import tested
            from reconciler.routing import testing

            if failing := tested.problems(testing.run(those, server)):
                raise ManifestError(failing)
    except ManifestError as error:
        return terminal.invalid(error, format, names)
    found = {one.name: lint.seen(loaded.seen[one.files[0]]) for one in desired.instances}
    warnings = [one for one in lint.warnings(found, rules) if names is None or one.at.file in names]
    terminal.warnings(warnings, format)
    if format in {"text", "github"}:
        terminal.valid(desired, names)
    return 1 if any(strict or warning.error for warning in warnings) else 0


@click.command(cls=Command)
@BOTS
@output("Print the values for people, or as JSON for programs.")
@click.argument("bot", metavar="BOT@INSTANCE", shell_complete=offered("bots"))
def explain(bots: str, format: str, bot: str) -> int:
    """Show a bot's values, and the file and line of each."""
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.manifests.load import read_all
    from reconciler.manifests.loaded import warning
    from reconciler.manifests.selection import names_alone

    named = command.servers(click.get_current_context())
    name, at, instance = bot.partition("@")
    loaded = read_all(Path(bots), servers=named, asked=names_alone([named.glob(instance)]))
    if not (loaded.whole or loaded.has(name, instance)):
        loaded = read_all(Path(bots), servers=named)  # another one may have the bot
    instance = named.found(instance, (one.name for one in loaded.desired.instances))
    bot = f"{name}{at}{instance}"
    if broken := loaded.of_others([instance] if instance else []):
        terminal.warn(warning(broken))
    terminal.explained(loaded.desired, bot, format)
    return 0


@click.command(cls=Command)
@click.option("--defaults", is_flag=True, help="Print the schema of a folder's _defaults.yaml instead.")
def schema(defaults: bool) -> int:
    """Print the JSON Schema of a manifest, for editors."""
    from reconciler.manifests import schema

    click.echo(schema.document(folder=defaults), nl=False)
    return 0
