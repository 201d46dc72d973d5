"""The kinds of bots as 2.2.3 has them, and their controllers' words: each had a controller of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.kinds.common import SPLIT
from reconciler.domain.records import dataclass, replace
from reconciler.sandbox.store import Row

VERSION = (2, 2, 3)


@dataclass(frozen=True, slots=True)
class Words:
    """A kind's words in messages.

    all, duplicate: the bot, where there is a second `all` or an equal key; on a create and on an update.
    missing: the bot, where it is not found; on an update and on a delete. bot: in "Error creating BOT".
    deleted: what the answer to a delete calls the bot. no_fallback: what settings without a row have for it.
    """

    all: tuple[str, str]
    duplicate: tuple[str, str]
    missing: tuple[str, str]
    bot: str
    deleted: str = "bot"
    no_fallback: str | None = ""


WORDS: Mapping[str, Words] = {
    "openai": Words(
        all=("openai", "openai bot"),
        duplicate=("Openai Bot", "Openai Bot"),
        missing=("Openai Bot", "Openai bot"),
        bot="openai bot",
        no_fallback=None,
    ),
    "typebot": Words(
        all=("typebot", "typebot"),
        duplicate=("Typebot", "Typebot"),
        missing=("Typebot", "Typebot"),
        bot="typebot",
        deleted="typebot",
        no_fallback=None,
    ),
    "dify": Words(all=("dify", "dify"), duplicate=("Dify", "Dify"), missing=("Dify", "Dify"), bot="dify"),
    "flowise": Words(all=("Flowise", "bot"), duplicate=("Flowise", "Bot"), missing=("Bot", "Bot"), bot="bot"),
    "evolutionBot": Words(all=("dify", "bot"), duplicate=("Dify", "Bot"), missing=("Bot", "Bot"), bot="bot"),
}

TYPEBOT_DEFAULTS = {
    "expire": 0,
    "keywordFinish": "#SAIR",
    "delayMessage": 1000,
    "unknownMessage": "Desculpe, não entendi",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": False,
    "debounceTime": 0,
    "ignoreJids": [],
}
"""What a Typebot gets that neither its body nor the settings give a truthy value."""


def _kinds() -> Iterator[Kind]:
    """The kinds as 2.2.3 has them: without what is younger, and with keys compared on every write."""
    for kind in KINDS.values():
        if kind.since > VERSION:
            continue
        younger = {name for name, since in kind.fields_since.items() if since > VERSION}
        yield replace(
            kind,
            fields={name: each for name, each in kind.fields.items() if name not in younger},
            settings={name: each for name, each in kind.settings.items() if name not in younger},
            keys_checked=frozenset({"create", "update"}),
            **_OTHERWISE.get(kind.path, {}),
        )


_OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "flowise": {
        "switch": None,
        "schema": replace(
            KINDS["flowise"].schema,
            unchecked=SPLIT,
            unchecked_settings=SPLIT,
            misnamed_settings={"botIdFallback": "flowiseIdFallback"},
        ),
    }
}
KINDS_2_2 = tuple(_kinds())

NOTHING_SET: Row = {
    "expire": 0,
    "keywordFinish": "",
    "delayMessage": 0,
    "unknownMessage": "",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": False,
    "ignoreJids": [],
    "splitMessages": False,
    "timePerChar": 0,
    "speechToText": False,
}
"""What settings are answered without a row."""


def without_younger(kind: Kind, row: Row) -> Row:
    """A row without the columns that 2.2.3 does not have."""
    if not kind.fields_since:
        return row
    return {name: value for name, value in row.items() if kind.fields_since.get(name, VERSION) <= VERSION}
