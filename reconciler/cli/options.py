"""The options that several commands share, and how a command gets them as one Request.

Imports click alone, so that `--help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import wraps
from typing import Any

import click

from reconciler.cli.config.keys import Shared

_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def shared(*names: str, **given: Any) -> _Option:
    """An option of several commands."""
    return click.option(*names, cls=Shared, **given)


def offered(what: str) -> Callable[..., list[str]]:
    """What a shell offers at TAB. what: the name of a function in completion.py."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from reconciler.cli import completion

        found: list[str] = getattr(completion, what)(context, parameter, incomplete)
        return found

    return complete


BOTS = shared(
    "--bots",
    type=click.Path(),
    default="bots",
    show_default=True,
    metavar="DIR",
    help="The directory of the manifests.",
)


class Kinds(click.Choice[str]):
    """The kinds of bot, which are looked up when they are needed."""

    def __init__(self) -> None:
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]  # click sets it
        from reconciler.domain.kinds import KINDS

        return tuple(KINDS)


def output(help: str, *formats: str, cls: type[click.Option] = click.Option) -> _Option:
    """The --format of a command, by default the first; without formats, text or JSON."""
    formats = formats or ("text", "json")
    return click.option(
        "--format",
        "-o",
        "--output",
        "format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help=help,
        cls=cls,
    )


FORMAT = output(
    "Print text for people, JSON (docs/reference/plan.md), or markdown for GitHub.",
    "text",
    "json",
    "markdown",
    cls=Shared,
)

ENV_FILE = shared(
    "--env-file",
    multiple=True,
    type=click.Path(),
    expose_value=False,
    metavar="FILE",
    help="Set environment variables from this file, from - (stdin), or from a directory with a file for "
    "each, unless they are set. May be repeated.",
)

# -- where and how to call the server ------------------------------------------------------------

INSTANCE = shared(
    "--instance",
    multiple=True,
    metavar="GLOB",
    shell_complete=offered("instances"),
    help="Only instances whose names match, such as 'loja-*'. May be repeated.",
)


class _Shard(click.ParamType[Any]):
    """A shard, as I/N."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from reconciler.domain import shards

        if not isinstance(value, str):
            return value
        try:
            return shards.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SHARD = shared(
    "--shard",
    type=_Shard(),
    metavar="I/N",
    help="Only a part of the instances, such as 2/4, the second of four. `merge` joins the parts.",
)

CALLING = (
    shared(
        "--url", envvar="EVOLUTION_API_URL", show_envvar=True, metavar="URL", help="The server's address."
    ),
    shared(
        "--api-key",
        envvar="EVOLUTION_API_KEY",
        show_envvar=True,
        metavar="KEY",
        help="The server's global key. Better set the variable: other users can see a command's options.",
    ),
    shared(
        "--server",
        multiple=True,
        metavar="GLOB",
        help="Only servers of [servers] in reconciler.toml whose names match. May be repeated.",
    ),
    shared(
        "--sandbox",
        is_flag=True,
        help="Use the embedded server instead of --url. It keeps its state in .reconciler/sandbox.db.",
    ),
    shared(
        "--allow-http", is_flag=True, help="Allow plain http to another machine. The key is not encrypted."
    ),
    shared(
        "--owner",
        envvar="EVOLUTION_RECONCILER_OWNER",
        show_envvar=True,
        default="gitops",
        show_default=True,
        metavar="NAME",
        help="The owner in the markers of your bots. Repositories that share a server need different owners.",
    ),
    shared(
        "--concurrency",
        type=click.IntRange(1, 100),
        default=32,
        show_default=True,
        metavar="N",
        help="The most requests at a time. It begins with 10, and adapts to the server.",
    ),
    shared(
        "--max-rate",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="The most requests a second. May be below 1.  [default: no limit]",
    ),
    shared(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=30,
        show_default=True,
        metavar="SECONDS",
        help="The longest that one request may take.",
    ),
    shared(
        "--verbose",
        is_flag=True,
        help="Show each call on stderr: its method, path, status and time.",
    ),
    shared("--quiet", is_flag=True, help="Show nothing but errors on stderr, and no progress."),
    ENV_FILE,
)

SERVER = (INSTANCE, *CALLING)

# -- what plan and apply share -------------------------------------------------------------------

_SERVER_NAME = shared(
    "--server-name",
    envvar="EVOLUTION_SERVER_NAME",
    show_envvar=True,
    default="",
    metavar="NAME",
    help="A name for the server in plans, for a server with more than one address.",
)

OUT = shared(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also save the plan, or the results of an apply, to a file for `show`, `apply` and `merge`.",
)

PLANNING = (
    BOTS,
    *SERVER,
    SHARD,
    _SERVER_NAME,
    shared(
        "--target",
        multiple=True,
        metavar="BOT@INSTANCE",
        shell_complete=offered("bots"),
        help="Only these bots and what they need, such as 'menu@loja-*'. May be repeated.",
    ),
    shared(
        "--rotate-keys",
        is_flag=True,
        help="Only renew keys that changed where the manifests say they are. The rest is left as it is.",
    ),
    shared(
        "--replace",
        is_flag=True,
        help="Delete and recreate bots that differ, instead of updating them. Their sessions are lost.",
    ),
    shared(
        "--prune",
        type=click.Choice(["never", "reviewed", "always"]),
        is_flag=False,
        flag_value="always",
        default="reviewed",
        show_default=True,
        help="When to delete what no manifest declares any more: by a saved or reviewed plan, or by any.",
    ),
    shared(
        "--scope",
        type=click.Choice(["all", "declared"]),
        default="all",
        show_default=True,
        help="Which instances to read: all of the server, or only those that manifests declare.",
    ),
    shared(
        "--known-instance",
        multiple=True,
        metavar="GLOB",
        help="Instances that were yours, although no manifest or commit names them. May be repeated.",
    ),
    shared(
        "--max-deletes",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        metavar="N",
        help="Delete nothing when a plan would delete more bots than this.",
    ),
    shared(
        "--max-delete-share",
        type=click.IntRange(0, 100),
        default=50,
        show_default=True,
        metavar="PERCENT",
        help="Delete nothing when a plan would delete a larger share of an instance's or of all bots.",
    ),
    shared(
        "--allow-deletes",
        multiple=True,
        metavar="CODE",
        help="Delete beyond the limits, in the plan that shows this code and no other. May be repeated.",
    ),
    FORMAT,
    OUT,
)

YES = shared("--yes", is_flag=True, help="Do not ask before applying.")

RESTORING = (BOTS, *CALLING, _SERVER_NAME, FORMAT, OUT)


def unless_configured(names: Container[str | None]) -> dict[str, Any]:
    """The built-in defaults of those of the current command's options that only the configuration sets."""
    context = click.get_current_context()
    configured = click.core.ParameterSource.DEFAULT_MAP
    context.default_map = None
    found: dict[str, Any] = {}
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(str(option.name)) is configured:
            default = () if option.multiple else option.get_default(context)
            found[str(option.name)] = option.type_cast_value(context, default)
    return found


# -- what stderr shows -----------------------------------------------------------------------------

_QUIET = "reconciler.quiet"


def _show(*, verbose: bool, quiet: bool) -> None:
    """Let the current command show each call, or nothing but errors. Raises UsageError for both."""
    context = click.get_current_context()
    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet cannot be combined.")
    context.meta[_QUIET] = quiet
    if verbose:
        from reconciler.cli import streams

        context.with_resource(streams.calls_shown())


def is_quiet() -> bool:
    """Whether the current command shows nothing but errors on stderr."""
    return bool(click.get_current_context().meta.get(_QUIET))


# -- options as one value ------------------------------------------------------------------------


def gathered(*options: _Option) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command these options. It gets those that a Request has as one Request.

    A command without --bots reads no manifests, one without --instance has no globs.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def gathered(**given: Any) -> int:
            from reconciler.cli.config import command as config
            from reconciler.pipeline.request import Request

            _show(verbose=given.pop("verbose", False), quiet=given.pop("quiet", False))
            asked = {name: given.pop(name) for name in Request.__match_args__ if name in given}
            context = click.get_current_context()
            asked["secrets"] = config.secrets(context)
            if (found := config.of(context).config) is not None:
                asked |= {"servers": found.servers, "default_server": found.default_server}
            return command(Request(**{"bots": "", "instance": (), **asked}).scoped(), **given)

        made: Callable[..., int] = gathered
        for option in reversed(options):
            made = option(made)
        return made

    return decorate


def reading_begun(command: Callable[..., int]) -> Callable[..., int]:
    """Begin the process that reads the servers, before what the command needs is imported.

    The command gets it as `begun`; None where it will hardly be of use.
    """

    @wraps(command)
    def begun(**given: Any) -> int:
        if given["sandbox"] or given["target"] or given["changed_since"]:
            return command(**given, begun=None)
        from reconciler.pipeline import process

        with process.begun(given["bots"]) as other:
            return command(**given, begun=other)

    return begun
