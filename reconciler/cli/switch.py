"""`disable` and `enable`: the emergency switch. It reads no manifest, as these may be broken just then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from reconciler.cli import streams
from reconciler.cli.config.command import Command
from reconciler.cli.options import SERVER, gathered, offered, shared

if TYPE_CHECKING:
    from reconciler.pipeline.request import Request
    from reconciler.plan.switch import Address

_NAMED = (
    click.argument("named", nargs=-1, metavar="[BOT@INSTANCE]...", shell_complete=offered("bots")),
    *SERVER,
    shared("--all", "every", is_flag=True, help="All our bots on the instances that --instance names."),
    shared("--yes", is_flag=True, help="Do not ask. Asked for --all and for globs only."),
    shared("--dry-run", is_flag=True, help="Show what would be done. Writes nothing."),
)


def _named(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command what names bots, and the options of the server."""
    return gathered(*_NAMED)(command)


@click.command(cls=Command)
@_named
@click.option(
    "--close-sessions",
    is_flag=True,
    help="Also end their open sessions, and with them all sessions of these contacts on the server.",
)
def disable(
    request: Request, named: tuple[str, ...], every: bool, yes: bool, dry_run: bool, close_sessions: bool
) -> int:
    """Switch bots off on the server now. Reads no manifest.

    BOT and INSTANCE may be globs, such as 'menu@loja-*'. id:ID@INSTANCE names a bot without our marker.

    A mark is left in the description: plans report the bot as switched off, and an apply leaves it off, until
    `enable`, or until its manifest has it off too.
    """
    return _run(named, request, every, yes, dry_run, on=False, close_sessions=close_sessions)


@click.command(cls=Command)
@_named
def enable(request: Request, named: tuple[str, ...], every: bool, yes: bool, dry_run: bool) -> int:
    """Switch bots on that `disable` switched off. Reads no manifest.

    A bot that is named without a glob is switched on whoever switched it off.
    """
    return _run(named, request, every, yes, dry_run, on=True)


def _run(
    named: Sequence[str],
    request: Request,
    every: bool,
    yes: bool,
    dry_run: bool,
    *,
    on: bool,
    close_sessions: bool = False,
) -> int:
    from datetime import UTC, datetime
    from functools import reduce

    from reconciler.apply import switch
    from reconciler.cli import failure, terminal
    from reconciler.cli.stopping import stopping
    from reconciler.domain import signals
    from reconciler.domain.desired import Desired
    from reconciler.domain.errors import ReconcilerError
    from reconciler.domain.reports import SwitchReport
    from reconciler.domain.text import listed
    from reconciler.pipeline import fleet, stages
    from reconciler.pipeline.request import check_owner
    from reconciler.plan.switch import Switch

    addresses = _addresses([request.named.address(text) for text in named], request.instance, every)
    check_owner(request)
    wanted = Switch(on, request.owner, datetime.now(UTC).date().isoformat())
    streams.check()

    async def choose() -> dict[str, switch.Chosen]:
        async with fleet.clients(running) as clients:
            return await switch.choose_across(clients, addresses, wanted)

    async def run() -> SwitchReport:
        async with fleet.clients(running) as clients:
            return await switch.run_across(clients, chosen, stop, failure.tell, close_sessions=close_sessions)

    with stages.servers(request, Desired(())) as running:
        if not (chosen := signals.run(choose())):
            raise ReconcilerError(f"no server matches: reconciler.toml names {listed(request.named.names)}.")
        dry = reduce(SwitchReport.beside, (one.dry.of(server) for server, one in chosen.items()))
        if dry_run:
            terminal.switched(dry)
            return 0 if dry.ok else 1
        if not yes and not all(each.exact for each in addresses):
            terminal.agree_to_switch(dry, ", ".join(one.plan.server for one in chosen.values()))
        with stopping() as stop:
            report = signals.run(run())
            terminal.switched(report)
    if report.signal is not None:
        return 128 + report.signal
    return 0 if report.ok else 1


def _addresses(named: Sequence[str], instances: Sequence[str], every: bool) -> list[Address]:
    """What the arguments name, or --instance with --all. Raises UsageError, ReconcilerError."""
    from reconciler.plan.switch import Address, address

    if every and not instances:
        raise click.UsageError("--all needs --instance; --instance '*' names all instances.")
    if every == bool(named) or (instances and not every):
        raise click.UsageError("name bots as BOT@INSTANCE, or instances as --instance GLOB --all.")
    return [Address("*", glob) for glob in instances] if every else [address(text) for text in named]
