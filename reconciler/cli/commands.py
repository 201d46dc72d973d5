"""The commands: options in, stages called, output and an exit code out.

Only click is imported here, so that `--help` and a mistyped option are fast; each command imports what it
needs. Exit codes: 0 done, 1 an error or a change that was not applied, 2 changes (plan --detailed-exitcode),
128 plus the signal's number after a signal.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli import streams
from reconciler.cli.config import command, keys
from reconciler.cli.fmt import fmt
from reconciler.cli.listing import get, list_
from reconciler.cli.making import import_, init
from reconciler.cli.merge import merge
from reconciler.cli.options import (
    BOTS,
    ENV_FILE,
    FORMAT,
    PLANNING,
    RESTORING,
    SERVER,
    gathered,
    offered,
    output,
    reading_begun,
    unless_configured,
)
from reconciler.cli.route import route
from reconciler.cli.switch import disable, enable
from reconciler.cli.testing import test
from reconciler.domain import signals

if TYPE_CHECKING:
    from reconciler.apply.journal import Journal
    from reconciler.domain.plan import Plan
    from reconciler.domain.shards import ApplyShard, PlanShard
    from reconciler.pipeline.ahead import Reader
    from reconciler.pipeline.fleet import Running
    from reconciler.pipeline.outfile import Save
    from reconciler.pipeline.process import Process
    from reconciler.pipeline.request import Request


class _Main(click.Group):
    """Ends every command with one of the exit codes above, and every error with a message on stderr."""

    command_class = command.Command

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        streams.prepare()
        interrupts = signals.Interrupts()
        try:
            with interrupts.caught():
                code = self._run(interrupts, *args, **extra)
        except KeyboardInterrupt:  # a signal just before the end
            code = 128 + interrupts.number
        sys.exit(code)

    def _run(self, interrupts: signals.Interrupts, *args: Any, **extra: Any) -> int:
        """Run a command. Returns its exit code."""
        try:
            if "_RECONCILER_COMPLETE" in os.environ:
                from reconciler.cli import completion  # noqa: F401  registers our bash completion
            code: int = super().main(*args, **{**extra, "standalone_mode": False})
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            code = _failed(error, interrupts)
        return code


def _failed(error: BaseException, interrupts: signals.Interrupts) -> int:
    """Print the error that ended a command to stderr. Returns the exit code; raises nothing."""
    try:
        from reconciler.cli import failure

        return failure.tell(error, interrupts.number)
    except BaseException:  # there is no way left to print it
        return 1


# The most columns that click uses. With a given width click does not import shutil to ask the terminal.
_SETTINGS = {"help_option_names": ["-h", "--help"], "terminal_width": 78}


@click.group(cls=_Main, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="reconciler")
def main() -> None:
    """Keep the bots of an Evolution API server as the files under bots/ declare them.

    Every option can be set in reconciler.toml or by an environment variable: docs/reference/configuration.md.
    """


main.params += command.main_options()


@main.command()
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


@main.command()
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


@main.command()
@click.option("--defaults", is_flag=True, help="Print the schema of a folder's _defaults.yaml instead.")
def schema(defaults: bool) -> int:
    """Print the JSON Schema of a manifest, for editors."""
    from reconciler.manifests import schema

    click.echo(schema.document(folder=defaults), nl=False)
    return 0


@main.command()
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
        from reconciler.pipeline import outfile

        with outfile.out(request) as save:
            made, shard = None, None
            if known is not None and reader is not None:
                with reading() as on_read:
                    made = unchanged.plan(known, reader, on_read)
            if made is None:
                made, shard = _planned(request, changed_since, base, reader)
            try:
                terminal.plan(made, request.format, shard=shard)
            finally:
                save(made, shard=shard)
    terminal.problems(made)
    if made.problems:
        return 1
    return 2 if detailed_exitcode and made.pending else 0


def _planned(
    request: Request, changed_since: str | None, base: str | None, reader: Reader | None
) -> tuple[Plan, PlanShard | None]:
    """Make a plan, and remember it where that may be of use. Raises ReconcilerError."""
    from reconciler.cli import terminal
    from reconciler.cli.reading import reading
    from reconciler.pipeline import planning, shards, stages, unchanged

    sources = unchanged.sources(request) if changed_since is None and base is None else None
    wanted = planning.wanted(request, changed_since, base, terminal.warn)
    with stages.servers(request, wanted.desired) as running:
        made, shard = shards.plan(request, running, wanted, reading=reading, reader=reader, sources=sources)
    if sources is not None:
        unchanged.remember(request, made, sources, wanted.every)
    return made, shard


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


@main.command()
@gathered(*PLANNING)
@click.option("--yes", is_flag=True, help="Do not ask before applying.")
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


@main.command()
@gathered(*RESTORING)
@click.option("--yes", is_flag=True, help="Do not ask before applying.")
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


@main.command()
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


@main.command()
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


@main.command()
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


@main.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
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


@main.command(cls=click.Command)  # without a configuration: it runs whenever a shell starts
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: str) -> int:
    """Print a script that completes commands, options and names."""
    from reconciler.cli.completion import script

    click.echo(script(shell, main), nl=False)
    return 0


@main.command("help", cls=click.Command)
@click.argument("command", metavar="[COMMAND]", required=False)
def help_(command: str | None) -> int:
    """Show the help of a command, as `--help` does."""
    root = click.get_current_context().find_root()
    if command is None:
        click.echo(root.get_help())
        return 0
    name, about, _ = main.resolve_command(root, [command])
    assert about is not None  # noqa: S101  for mypy; resolve_command raises
    click.echo(click.Context(about, root, name, **main.context_settings).get_help())
    return 0


@main.command(cls=click.Command)
def version() -> int:
    """Print the version, as `--version` does."""
    click.echo(f"reconciler, version {__version__}")
    return 0


main.add_command(init)
main.add_command(import_)
main.add_command(list_)
main.add_command(get)
main.add_command(route)
main.add_command(test)
main.add_command(disable)
main.add_command(enable)
main.add_command(fmt)
main.add_command(merge)
keys.bind(main)
