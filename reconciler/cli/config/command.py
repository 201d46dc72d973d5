"""The commands that look for reconciler.toml and read env files before click reads their options.

What the file says becomes click's `default_map`, so click keeps the order of precedence: option, environment,
file, default.
Imported at every start: without a file, nothing more is imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.config import keys

if TYPE_CHECKING:
    from reconciler.cli.config.envfile import Variables
    from reconciler.cli.config.read import Config
    from reconciler.cli.config.source import Source
    from reconciler.domain.servers import Servers, ServerSettings
    from reconciler.lint import Policy

_META = "reconciler.config"
_URLS = {"url", "api_key", "messages", "more", "args"}
"""The parameters that may have a URL in them."""

_CONFIG, _NO_CONFIG, _NO_COLOR, _ENV_FILE = "config_file", "no_config", "no_color", "env_file"


def _options(save: Any = None) -> tuple[click.Option, click.Option]:
    """--config and --no-config, for the program or for a command."""
    return (
        keys.Shared(
            ["--config", _CONFIG],
            type=click.Path(),
            metavar="FILE",
            expose_value=False,
            callback=save,
            help="The configuration, or a directory with one.  [default: the nearest reconciler.toml]",
        ),
        keys.Shared(
            ["--no-config", _NO_CONFIG],
            is_flag=True,
            expose_value=False,
            callback=save,
            help="Read no configuration file.",
        ),
    )


def _no_color(**given: Any) -> click.Option:
    return keys.Shared(["--no-color", _NO_COLOR], is_flag=True, help="Print no colours.", **given)


class Command(click.Command):
    """A command whose options may also be set in reconciler.toml."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.params += [*_options(), _no_color()]
        keys.bind(str(self.name), self.params)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = self.make_parser(ctx).parse_args(args=list(args))[0]
        help = self.get_help_option(ctx)
        try:
            if help is None or not typed.get(str(help.name)):
                self._configure(ctx, typed)
        except Exception:
            if not ctx.resilient_parsing:  # completion offers what it can
                raise
        try:
            return super().parse_args(ctx, args)
        except BaseException as error:
            ctx.close()  # click does not: it has not entered it yet
            if isinstance(error, click.BadParameter):
                name_variable(ctx, error)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        _check_urls(ctx)
        _check_apart(ctx)
        if ctx.params.pop(_NO_COLOR):
            ctx.color = False
        return super().invoke(ctx)

    def _configure(self, ctx: click.Context, typed: Mapping[str, Any]) -> None:
        """Read the files that this command line, or the environment, asks for."""
        state = _state(ctx)
        asked = {name: typed[name] for name in (_CONFIG, _NO_CONFIG) if typed.get(name)}
        if asked or not state.looked:
            state.config = _config(ctx, asked or state.asked or _from_environment(self, ctx))
            state.looked = True
        main = ctx.find_root().command
        if state.config is not None and isinstance(main, click.Group):
            ctx.default_map = state.config.defaults(keys.of(main, str(self.name)))
        option = next((each for each in self.params if each.name == _ENV_FILE), None)
        if option is None or ctx.resilient_parsing:
            return
        state.asked_env_files = typed.get(_ENV_FILE) or state.asked_env_files
        files = option.value_from_envvar(ctx) or ctx.lookup_default(_ENV_FILE) or ()
        _read_variables(ctx, list(state.asked_env_files or files))


class State:
    """What was read for one run of the program."""

    def __init__(self) -> None:
        self.asked: Mapping[str, Any] = {}  # the options before the command
        self.looked = False
        self.off = False  # no file is to be read
        self.config: Config | None = None
        self.variables: Variables = {}
        self.asked_env_files: Sequence[str] = ()  # those on the command line
        self.env_files: Sequence[str] = ()  # those that were read


def of(ctx: click.Context) -> State:
    """The state of the run that a context belongs to."""
    return _state(ctx)


def rules(ctx: click.Context) -> Policy:
    """The rules of [lint] for `validate`. Raises ConfigError for rules that do not exist."""
    from reconciler.lint import Policy

    config = _state(ctx).config
    if config is None or not any(config.rules.values()):
        return Policy()
    from reconciler.cli.config import read
    from reconciler.lint.rules import RULES

    read.check_rules(config, [rule.id for rule in RULES])
    return Policy(*(frozenset(config.rules.get(table, ())) for table in read.RULES))


def servers(ctx: click.Context) -> Servers:
    """The servers that the file names."""
    from reconciler.domain.servers import Servers

    config = _state(ctx).config
    if config is None:
        return Servers()
    return Servers(tuple(one.name for one in config.servers), config.default_server)


def servers_of(ctx: click.Context, directory: str) -> Sequence[ServerSettings]:
    """The servers that the file of a directory names, which need not be the one that counts here."""
    from reconciler.cli.config import find

    source = None if _state(ctx).off else find.of(directory)
    return () if source is None else _read(ctx, source).servers


def main_options() -> Sequence[click.Option]:
    """The same options before the command: `reconciler --config FILE plan`."""

    def save(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            state = _state(ctx)
            state.asked = {**state.asked, str(parameter.name): value}

    def uncolour(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            ctx.color = False  # which the command's context takes over

    return (*_options(save), _no_color(expose_value=False, callback=uncolour))


def _state(ctx: click.Context) -> State:
    found: State = ctx.meta.setdefault(_META, State())
    return found


def _from_environment(command: click.Command, ctx: click.Context) -> dict[str, Any]:
    options = {each.name: each for each in command.params if each.name in (_CONFIG, _NO_CONFIG)}
    off = options[_NO_CONFIG].value_from_envvar(ctx)
    if off is not None and options[_NO_CONFIG].type_cast_value(ctx, off):
        return {_NO_CONFIG: True}
    file = options[_CONFIG].value_from_envvar(ctx)
    return {_CONFIG: file} if file else {}


def _config(ctx: click.Context, asked: Mapping[str, Any]) -> Config | None:
    """The configuration that counts. Raises ReconcilerError."""
    if len(asked) > 1:
        raise click.UsageError("--config and --no-config cannot be combined.", ctx)
    if _NO_CONFIG in asked:
        _state(ctx).off = True
        return None
    from reconciler.cli.config import find

    source = find.named(asked[_CONFIG]) if asked else find.search()
    return None if source is None else _read(ctx, source)


def _read(ctx: click.Context, source: Source) -> Config:
    """What a file says. Raises ConfigError."""
    from reconciler.cli.config.read import read

    main = ctx.find_root().command
    assert isinstance(main, click.Group)  # noqa: S101  for mypy
    return read(source, main)


def _read_variables(ctx: click.Context, files: Sequence[str]) -> None:
    """Set the environment variables of env files for as long as the command runs."""
    state = _state(ctx)
    if files == state.env_files or not (files or state.env_files):
        return
    from reconciler.cli.config import envfile

    found = envfile.read(files)
    _forget(state)
    state.env_files = files
    state.variables = {name: each for name, each in found.items() if name not in os.environ}
    # The one place that writes it: whatever reads the environment gets them without knowing of files.
    os.environ.update({name: each.value for name, each in state.variables.items()})
    ctx.call_on_close(lambda: _forget(state))


def _forget(state: State) -> None:
    for name in state.variables:
        os.environ.pop(name, None)
    state.variables, state.env_files = {}, ()


def name_variable(ctx: click.Context, error: click.BadParameter) -> None:
    """Let an error about a value from the environment name the variable, as nobody typed the option."""
    option = error.param
    if isinstance(option, click.Option) and isinstance(option.envvar, str):
        source = ctx.get_parameter_source(str(option.name))
        if source is click.core.ParameterSource.ENVIRONMENT:
            error.param_hint = f"'{option.envvar}'"


def secrets(ctx: click.Context) -> tuple[str, ...]:
    """The secrets among the variables of env files, which no output may show."""
    return tuple(each.value for each in _state(ctx).variables.values() if each.secret)


def _is_file(source: str) -> bool:
    from reconciler.cli.config import envfile

    return envfile.is_file(source)


def _check_urls(ctx: click.Context) -> None:
    """Raises BadParameter, which does not repeat it, for a URL where none can be used, such as for a path."""
    for parameter in ctx.command.params:
        given = ctx.params.get(str(parameter.name))
        if parameter.name not in _URLS and any(
            isinstance(each, str) and "://" in each
            for each in (given if isinstance(given, tuple) else (given,))
        ):
            error = click.BadParameter("a URL cannot be used here.", ctx, parameter)
            name_variable(ctx, error)
            raise error


def _check_apart(ctx: click.Context) -> None:
    """Raises ReconcilerError for a file that is among the manifests, and so may come from a pull request."""
    state = _state(ctx)
    if state.config is None and not state.env_files:
        return
    from pathlib import Path

    from reconciler.cli.config import find

    bots = set() if state.config is None else state.config.source.bots()
    named = ctx.params.get("bots") or (None if bots else "bots")
    if named:
        bots.add(Path(named).resolve())
    files = [*([state.config.source.path] if state.config else ()), *filter(_is_file, state.env_files)]
    for file in files:
        for directory in bots:
            if Path(file).resolve().is_relative_to(directory):
                raise find.among_manifests(file)
