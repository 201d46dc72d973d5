"""`route`: which bot answers a message, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from reconciler.cli.config.command import Command
from reconciler.cli.options import BOTS, CALLING, gathered, offered, output

if TYPE_CHECKING:
    from reconciler.domain.versions import Version
    from reconciler.pipeline.request import Request
    from reconciler.routing.values import Message


@click.command(cls=Command)
@gathered(BOTS, *CALLING, output("Print the answers for people, or as JSON for programs."))
@click.argument("where", metavar="[BOT@]INSTANCE", shell_complete=offered("bots"))
@click.argument("messages", metavar="MESSAGE...", nargs=-1, required=True)
@click.option("--jid", metavar="JID", help="The sender: by default some contact. A group's ends in @g.us.")
@click.option("--from-me", is_flag=True, help="The number itself sent the message.")
@click.option("--live", is_flag=True, help="Ask what the server has, instead of the manifests.")
@click.option("--jsonl", is_flag=True, help="With - as MESSAGE: read and print JSON, an object a line.")
@click.option("--server-version", metavar="X.Y.Z", help="Answer as this version of the server does.")
def route(
    request: Request,
    where: str,
    messages: tuple[str, ...],
    jid: str | None,
    from_me: bool,
    live: bool,
    jsonl: bool,
    server_version: str | None,
) -> int:
    """Show which bot answers a message, by which rule, and why each other bot does not. Writes nothing.

    Calls no server, unless --live is given. A MESSAGE of - reads messages from standard input, one a line,
    and prints a table. With --jsonl a line is {"message", "jid", "fromMe"}, the last two optional.
    """
    from reconciler.cli import terminal
    from reconciler.domain.versions import NEWEST
    from reconciler.pipeline import routing
    from reconciler.render.routing import Routed
    from reconciler.routing.values import CONTACT, Message

    asked = asked_version(server_version)
    if jsonl and messages != ("-",):
        raise click.UsageError("--jsonl reads messages from standard input: write - as MESSAGE.")
    default = Message("", jid or CONTACT, from_me)
    if live:
        bot, name, instance = routing.live(request, where, asked)
    else:
        bot, name, instance = routing.declared(request, where, asked or NEWEST, terminal.warn)
    routed = Routed(name, instance, bot)
    if jsonl:
        for message in _objects(default):
            terminal.routed_line(routed, message)
        return 0
    given = list(_given(messages, default))
    terminal.routed(routed, given, request.format, many=messages == ("-",))
    return 0


def asked_version(text: str | None) -> Version | None:
    """The version that --server-version names, None without one. Raises BadParameter."""
    from reconciler.domain.versions import version

    try:
        return version(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--server-version") from None


def _given(messages: tuple[str, ...], default: Message) -> Iterator[Message]:
    from reconciler.domain.records import replace

    if messages == ("-",):
        texts = (line.rstrip("\r\n") for line in sys.stdin)
        messages = tuple(text for text in texts if text)
    yield from (replace(default, text=text) for text in messages)


def _objects(default: Message) -> Iterator[Message]:
    """A message for each line of standard input. Raises ReconcilerError."""
    from reconciler.domain.errors import ReconcilerError
    from reconciler.routing.values import Message

    wanted = 'write an object such as {"message": "oi", "jid": "120363000000@g.us", "fromMe": false}'
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise ReconcilerError(f"standard input, line {number}: this is not JSON: {wanted}.") from None
        if not isinstance(row, dict) or not isinstance(row.get("message"), str):
            raise ReconcilerError(f"standard input, line {number}: there is no text `message`: {wanted}.")
        jid, from_me = row.get("jid", default.jid), row.get("fromMe", default.from_me)
        if not isinstance(jid, str) or not isinstance(from_me, bool):
            raise ReconcilerError(
                f"standard input, line {number}: jid must be a text and fromMe true or false: {wanted}."
            )
        yield Message(row["message"], jid, from_me)
