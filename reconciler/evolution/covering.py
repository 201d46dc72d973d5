"""Known keys in the values of an answer, covered: a server may have been given one by mistake. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.domain import hidden
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.records import replace
from reconciler.evolution.answers import NO_ID
from reconciler.evolution.masking import Secrets


def secrets_of(bots: Sequence[RemoteBot], kind: Kind) -> list[str]:
    """What the server shows in the fields that are secrets, such as a Dify bot's apiKey."""
    names = [name for name, field in kind.fields.items() if field.hides == "whole"]
    values = (bot.fields.get(name) for bot in bots for name in names)
    return [value.real for value in values if isinstance(value, hidden.Hidden) and value.real]


def cover_bots(bots: Sequence[RemoteBot], secrets: Secrets) -> tuple[RemoteBot, ...]:
    """The bots without a known key in any value."""
    rows = ("\n".join((bot.id, bot.instance_id, *hidden.texts(bot.fields))) for bot in bots)
    return tuple([_cover_bot(bot, secrets) for bot in bots]) if secrets.in_any(rows) else tuple(bots)


def _cover_bot(bot: RemoteBot, secrets: Secrets) -> RemoteBot:
    """The bot without a known key in any value. An id that holds a key is unusable."""
    fields = hidden.covered(bot.fields, lambda text: secrets.cover(text, hidden.KEY))
    usable = secrets.cover(bot.id, hidden.KEY) == bot.id
    placed = secrets.cover(bot.instance_id, hidden.KEY) == bot.instance_id
    if fields is bot.fields and usable and placed:
        return bot
    return replace(
        bot,
        id=bot.id if usable else "",
        fields=fields,
        instance_id=bot.instance_id if placed else "",
        unread=bot.unread if usable else (*NO_ID, *bot.unread),
    )


def cover_settings(settings: RemoteSettings, secrets: Secrets) -> RemoteSettings:
    """The settings without a known key in any value."""
    return replace(
        settings, fields=hidden.covered(settings.fields, lambda text: secrets.cover(text, hidden.KEY))
    )
