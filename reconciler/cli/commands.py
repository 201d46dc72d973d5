"""The command line: options in, stages called, output and an exit code out. It decides nothing else.

Only click is imported here, so that `--help` and a mistyped option cost little; what a command needs it
imports itself. Exit codes: 0 done, 1 an error or anything not applied, 2 changes (plan
--detailed-exitcode), 128 and its number after a signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli import streams
from reconciler.domain import signals

if TYPE_CHECKING:
    from reconciler.pipeline import Request


class _Main(click.Group):
    """Ends every command in one of our exit codes, and every error in a sentence on stderr."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        streams.prepare()
        interrupts = signals.Interrupts()
        try:
            with interrupts.caught():
                code = self._run(interrupts, *args, **extra)
        except KeyboardInterrupt:  # one that came in the moment before the end
            code = 128 + interrupts.number
        sys.exit(code)

    def _run(self, interrupts: signals.Interrupts, *args: Any, **extra: Any) -> int:
        """Run a command. Returns its exit code."""
        try:
            if "_RECONCILER_COMPLETE" in os.environ:
                from reconciler.cli import completion  # noqa: F401  tells click how our bash does it
            code: int = super().main(*args, **{**extra, "standalone_mode": False})
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            code = _failed(error, interrupts)
        return code


def _failed(error: BaseException, interrupts: signals.Interrupts) -> int:
    """The exit code for the error that ended a command, which is said on stderr. Raises nothing."""
    try:
        from reconciler.cli import failure

        return failure.tell(error, interrupts.number)
    except BaseException:  # there is nobody left to say it to
        return 1


_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def _offered(what: str) -> Callable[..., list[str]]:
    """What a shell offers at TAB, by the name of its function in completion.py."""

    def offered(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from reconciler.cli import completion

        found: list[str] = getattr(completion, what)(context, parameter, incomplete)
        return found

    return offered


_bots = click.option(
    "--bots",
    type=click.Path(),
    default="bots",
    show_default=True,
    metavar="DIR",
    help="The directory of the manifests.",
)

_SERVER = (
    _bots,
    click.option(
        "--instance",
        multiple=True,
        metavar="GLOB",
        shell_complete=_offered("instances"),
        help="Only the instances whose names match, such as 'loja-*'. May be given more than once.",
    ),
    click.option(
        "--url", envvar="EVOLUTION_API_URL", show_envvar=True, metavar="URL", help="The server's address."
    ),
    click.option(
        "--api-key",
        envvar="EVOLUTION_API_KEY",
        show_envvar=True,
        metavar="KEY",
        help="The server's global key. Prefer the environment: other users see a command's options.",
    ),
    click.option(
        "--sandbox",
        is_flag=True,
        help="Use the embedded server instead of --url. Its state is kept in .reconciler/sandbox.db.",
    ),
    click.option(
        "--allow-http", is_flag=True, help="Allow plain http to another machine; the key is not encrypted."
    ),
    click.option(
        "--owner",
        envvar="EVOLUTION_RECONCILER_OWNER",
        show_envvar=True,
        default="gitops",
        show_default=True,
        metavar="NAME",
        help="Whose bots these are. Two repositories that share a server need two owners.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 100),
        default=32,
        show_default=True,
        metavar="N",
        help="Requests at a time.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=30,
        show_default=True,
        metavar="SECONDS",
        help="How long one request may take.",
    ),
)

_SHARED = (
    *_SERVER,
    click.option(
        "--server-name",
        envvar="EVOLUTION_SERVER_NAME",
        show_envvar=True,
        default="",
        metavar="NAME",
        help="What the server is called in plans, for a server with more than one address.",
    ),
    click.option(
        "--replace",
        is_flag=True,
        help="Delete and create what differs, instead of an update. Open sessions are lost.",
    ),
    click.option(
        "--prune", is_flag=True, help="Delete bots with our marker that no manifest declares any more."
    ),
    click.option(
        "--max-deletes",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        metavar="N",
        help="Refuse to prune more bots than this in one run.",
    ),
    click.option(
        "--max-delete-share",
        type=click.IntRange(0, 100),
        default=50,
        show_default=True,
        metavar="PERCENT",
        help="Refuse to prune a larger share of an instance's bots than this.",
    ),
    click.option(
        "--format",
        type=click.Choice(["text", "json", "markdown"]),
        default="text",
        show_default=True,
        help="What is printed: text for people, the documented JSON, or markdown for GitHub.",
    ),
    click.option(
        "--out",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Also save the plan, or of an apply how it ended, for `show` and `apply`.",
    ),
)


def _gathered(*options: _Option) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command these options, gathered in a Request."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def gathered(**given: Any) -> int:
            from dataclasses import fields

            from reconciler.pipeline import Request

            asked = {field.name: given.pop(field.name) for field in fields(Request) if field.name in given}
            return command(Request(**asked), **given)

        made: Callable[..., int] = gathered
        for option in reversed(options):
            made = option(made)
        return made

    return decorate


# The width that click takes at most; told it, click need not import what finds the terminal's.
_SETTINGS = {"help_option_names": ["-h", "--help"], "terminal_width": 78}


@click.group(cls=_Main, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="reconciler")
def main() -> None:
    """Keep the OpenAI bots of an Evolution API server as the files under bots/ declare them."""


@main.command()
@_bots
@click.option(
    "--format",
    type=click.Choice(["text", "github"]),
    default="text",
    show_default=True,
    help="How it is told: to a person, or to GitHub, which puts it on the lines of the diff.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
@click.option(
    "--server-version",
    metavar="X.Y.Z",
    help="Warn of what a server of this version does; without it, of the newest 2.3.",
)
def validate(bots: str, format: str, strict: bool, server_version: str | None) -> int:
    """Check the manifests, offline: every error of every file, with its place.

    Then warn of what the server takes but will not do. docs/lint.md has the rules, and how one is silenced.
    """
    from pathlib import Path

    from reconciler import lint
    from reconciler.cli import terminal
    from reconciler.domain.errors import ManifestError
    from reconciler.manifests.load import load

    try:
        server = lint.version(server_version) if server_version else lint.NEWEST
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--server-version") from None
    try:
        desired = load(Path(bots))
    except ManifestError as error:
        if format != "github":
            raise
        terminal.invalid(error)
        return 1
    warnings = lint.lint(desired, server)
    terminal.warnings(warnings, format)
    terminal.valid(desired)
    return 1 if strict and warnings else 0


@main.command()
@_bots
@click.argument("bot", metavar="BOT@INSTANCE", shell_complete=_offered("bots"))
def explain(bots: str, bot: str) -> int:
    """Show a bot as its files make it, and the file and line that each value comes from."""
    from pathlib import Path

    from reconciler.manifests.load import load
    from reconciler.render import explain

    click.echo(explain.explain(load(Path(bots)), bot), nl=False)
    return 0


@main.command()
@click.option("--defaults", is_flag=True, help="That of a folder's _defaults file instead.")
def schema(defaults: bool) -> int:
    """Print the JSON Schema of a manifest, with which editors complete and check."""
    from reconciler.manifests import schema

    click.echo(schema.document(folder=defaults), nl=False)
    return 0


@main.command()
@_gathered(*_SHARED)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, instead of with 0."
)
@click.option(
    "--changed-since",
    metavar="REF",
    help="Only the instances whose files changed since HEAD and this branch or commit of git went apart.",
)
def plan(request: Request, detailed_exitcode: bool, changed_since: str | None) -> int:
    """Show what differs between the manifests and the server. Writes nothing."""
    from reconciler import pipeline
    from reconciler.cli import terminal

    with pipeline.out(request) as save:
        desired = pipeline.desired(request, changed_since)
        with pipeline.server(request, desired) as server:
            made = pipeline.plan(request, server, desired)
        try:
            terminal.plan(made, request.format)
        finally:
            save(made)
    terminal.problems(made)
    if made.problems:
        return 1
    return 2 if detailed_exitcode and made.writes else 0


@main.command()
@_gathered(*_SHARED)
@click.option("--yes", is_flag=True, help="Do not ask before applying.")
@click.option(
    "--reviewed",
    multiple=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Plan afresh, and make only the changes that this saved plan has, just so. May be given again.",
)
@click.argument("saved", required=False, type=click.Path(dir_okay=False), metavar="[FILE]")
def apply(request: Request, yes: bool, reviewed: tuple[str, ...], saved: str | None) -> int:
    """Make the server's bots what the manifests declare: show the plan, ask, and make its calls.

    With a FILE that `plan --out` saved, make exactly the calls of that plan; the manifests are not read.
    """
    from reconciler import pipeline
    from reconciler.cli import failure, terminal
    from reconciler.cli.stopping import stopping

    streams.check()
    with pipeline.out(request) as save, pipeline.planned(request, saved, reviewed) as (server, made):
        if request.format == "text":
            terminal.plan(made, request.format)
        if made.writes and not yes:
            terminal.agree(made, request.format)
        with stopping() as stop:
            with terminal.progress(made) as on_result:
                results = pipeline.apply(request, server, made, on_result, stop, failure.tell)
            return terminal.ended(made, results, request.format, save)


@main.command("import")
@_gathered(
    click.option(
        "--into",
        "bots",
        type=click.Path(),
        default="bots",
        show_default=True,
        metavar="DIR",
        help="Where the manifests are written. Nothing but --update changes what is there.",
    ),
    *_SERVER[1:],
)
@click.option(
    "--full", is_flag=True, help="Also write what the instance's settings have too, and what no server reads."
)
@click.option(
    "--update",
    is_flag=True,
    help="Bring what differs on the server into the manifests that are there: those values, no more.",
)
def import_(request: Request, full: bool, update: bool) -> int:
    """Write manifests for the bots, credentials and settings that the server has. Changes nothing there."""
    from reconciler.cli import terminal
    from reconciler.importer import run

    if update and full:
        raise click.UsageError("--full is for new manifests and does not go with --update.")
    if update:
        from reconciler.importer import updater

        updated = updater.run(request)
        terminal.updated(updated)
        return 1 if updated.failed else 0
    report = run.run(request, full=full)
    terminal.imported(report)
    return 1 if report.failed else 0


@main.command()
@click.argument("file", type=click.Path(dir_okay=False), metavar="FILE")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How it is shown.",
)
@click.option(
    "--max-chars",
    type=click.IntRange(min=8192),
    default=65536,
    show_default=True,
    metavar="N",
    help="The longest markdown: what a comment of GitHub holds. A job's summary holds 1048576.",
)
@click.option(
    "--more", default="", metavar="TEXT", help="Where the whole is, said where markdown had to be cut."
)
def show(file: str, format: str, max_chars: int, more: str) -> int:
    """Show a saved plan, or how one ended."""
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
    help="The port on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Keep the state in this file. Without it the state ends with the command.",
)
@click.option(
    "--bots",
    type=click.Path(),
    metavar="DIR",
    help="Start with the instances and credentials that the manifests in this directory name.",
)
def sandbox(port: int, db: str | None, bots: str | None) -> int:
    """Run the embedded Evolution API server, to try the tool or to test against."""
    from reconciler.cli.sandbox import serve

    serve(port, db, bots, say=click.echo)
    return 0


@main.command()
@click.argument("directory", required=False, default=".", type=click.Path(), metavar="[DIR]")
@click.option(
    "--instance",
    default="minha-loja",
    show_default=True,
    metavar="NAME",
    help="The instance that the first manifest is about, as it is called on the server.",
)
@click.option(
    "--branch",
    metavar="NAME",
    help="The branch that the workflows apply.  [default: the repository's default branch, as git has it]",
)
@click.option("--no-workflows", is_flag=True, help="Leave out what is for GitHub.")
def init(directory: str, instance: str, branch: str | None, no_workflows: bool) -> int:
    """Lay out a new repository in DIR: a manifest, a prompt, the workflows, a README. Overwrites nothing."""
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.setup.init import scaffold

    terminal.scaffolded(scaffold(Path(directory), instance, workflows=not no_workflows, branch=branch))
    return 0


@main.command()
@_gathered(*_SERVER)
def doctor(request: Request) -> int:
    """Say whether URL, key, version, integration, instances and credentials are right. Writes nothing."""
    from reconciler.cli import terminal
    from reconciler.setup.doctor import examine

    found = examine(request)
    terminal.doctor(found)
    return 1 if any(finding.mark == "bad" for finding in found) else 0


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: str) -> int:
    """Print what makes a shell complete commands, options and names; the README says where it goes."""
    from reconciler.cli.completion import script

    click.echo(script(shell, main), nl=False)
    return 0
