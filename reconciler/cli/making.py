"""`init` and `import`: a repository, and the manifests of what the server has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.config import command
from reconciler.cli.config.command import Command
from reconciler.cli.options import SERVER, Kinds, gathered, output

if TYPE_CHECKING:
    from reconciler.pipeline.request import Request


@click.command("import", cls=Command)
@gathered(
    click.option(
        "--into",
        "bots",
        type=click.Path(),
        default="bots",
        show_default=True,
        metavar="DIR",
        help="The directory to write to. Only --update changes files that exist.",
    ),
    *SERVER,
    output("Print what was written for people, or as JSON for programs."),
)
@click.option(
    "--full",
    is_flag=True,
    help="Also write values that equal the instance's settings, and fields that no server reads.",
)
@click.option(
    "--factor",
    is_flag=True,
    help="Say once what the instances of a group have in common: the default; wins over --flat.",
)
@click.option(
    "--flat",
    is_flag=True,
    help="Share nothing between instances but equal prompts, and those across groups too.",
)
@click.option(
    "--group",
    multiple=True,
    metavar="[FOLDER=]GLOB",
    help="Instances that are one group, such as 'varejo-*' or varejo='loja-*'. May be repeated.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Write the server's values into existing manifests, where they differ, and change nothing else.",
)
@click.option(
    "--for-all",
    is_flag=True,
    help="With --update: change a prompt's file for all that use it, not for the bot that drifted alone.",
)
def import_(
    request: Request,
    full: bool,
    factor: bool,
    flat: bool,
    group: tuple[str, ...],
    update: bool,
    for_all: bool,
) -> int:
    """Write manifests for what the server has. Changes nothing on the server."""
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.importer import groups, run
    from reconciler.setup import sample

    if update and full:
        raise click.UsageError("--full and --update cannot be combined: --full is for new manifests.")
    if for_all and not update:
        raise click.UsageError("--for-all needs --update: it says how drift in a shared file is written.")
    flat = flat and not factor
    if group and flat:
        raise click.UsageError("--flat and --group cannot be combined: --flat shares nothing in a group.")
    if update:
        from reconciler.importer import updater

        updated = updater.run(request, for_all=for_all)
        terminal.updated(updated, request.format)
        return 1 if updated.failed else 0
    how = run.How(full, flat, groups.declared(group), sample.untouched(Path(request.bots)))
    report = run.run(request, how)
    terminal.imported(report, request.format)
    return 1 if report.failed else 0


@click.command(cls=Command)
@click.argument("directory", required=False, default=".", type=click.Path(), metavar="[DIR]")
@click.option(
    "--instance",
    default="minha-loja",
    show_default=True,
    metavar="NAME",
    help="The instance of the first manifest, named as on the server.",
)
@click.option(
    "--kind",
    type=Kinds(),
    default="openai",
    show_default=True,
    help="The kind of the first manifest's bots.",
)
@click.option(
    "--branch",
    metavar="NAME",
    help="The branch that is applied, with --github.  [default: the repository's default branch]",
)
@click.option("--github", is_flag=True, help="Also write the workflows that review and apply on GitHub.")
@click.option("--gitlab", is_flag=True, help="Also write the pipeline that does so on GitLab.")
@click.option(
    "--shards",
    type=int,
    metavar="N",
    help="With --github or --gitlab, plan and apply a large fleet there in N jobs side by side.",
)
@click.option("--run", "runs", is_flag=True, help="With --github, also set up the repository there, with gh.")
@click.option(
    "--import",
    "then_import",
    is_flag=True,
    help="Then import what the server has, which replaces the sample; see `reconciler import`.",
)
def init(
    directory: str,
    instance: str,
    kind: str,
    branch: str | None,
    github: bool,
    gitlab: bool,
    shards: int | None,
    runs: bool,
    then_import: bool,
) -> int:
    """Scaffold a repository in DIR. It gets a manifest, a prompt, reconciler.toml and a README.

    With --github or --gitlab it also gets what plans, applies and watches there. The commands that set up
    GitHub are printed. Overwrites nothing.
    """
    from pathlib import Path

    from reconciler.cli import terminal
    from reconciler.domain.kinds import KINDS
    from reconciler.setup.init import scaffold

    if github and gitlab:
        raise click.UsageError("--github and --gitlab cannot be combined.")
    if runs and not github:
        raise click.UsageError("--run needs --github.")
    if shards is not None and not (github or gitlab):
        raise click.UsageError("--shards needs --github or --gitlab.")
    forge = "github" if github else "gitlab" if gitlab else ""
    made = scaffold(
        Path(directory),
        instance,
        forge=forge,
        branch=branch,
        shards=shards,
        kind=KINDS[kind],
        servers=command.servers_of(click.get_current_context(), directory),
    )
    terminal.scaffolded(made, runs=runs)
    if then_import:
        args = ["--config", directory, "--into", str(Path(directory, "bots"))]
        with import_.make_context("import", args, parent=click.get_current_context().parent) as context:
            return int(import_.invoke(context))
    return 0
