"""Typebot: a flow of a Typebot viewer.

The server starts a flow with its own global api key among the prefilled variables, so whoever runs that
Typebot, or reads plain http on the way, has the key.
"""

from __future__ import annotations

from reconciler.domain.kinds.common import SPLIT, TRIGGER_PARTS, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

TYPEBOT = Kind(
    path="typebot",
    title="Typebot",
    label="Typebot",
    since=(2, 0, 0),
    switch="TYPEBOT_ENABLED",
    fields=bot(
        Field(
            "url",
            Type.TEXT,
            "The URL of the Typebot viewer, without the flow's id.",
            limit=500,
            required=True,
            refers=True,
            hides="url",
        ),
        Field(
            "typebot",
            Type.TEXT,
            "The public id of the flow. No two bots of an instance may share url and typebot.",
            limit=100,
            required=True,
            refers=True,
        ),
    ),
    settings=settings(),
    fields_since=dict.fromkeys(SPLIT, (2, 3, 0)),
    keys={"": ("url", "typebot")},
    keys_checked=frozenset({"update"}),
    trigger_parts=TRIGGER_PARTS,
    deleted=("bot", "typebot"),
    fallback="typebotIdFallback",
    unused=SPLIT,
    passes_key="global",
    schema=Schema(
        required=("enabled", "url", "typebot", "triggerType"),
        required_settings=(
            "expire",
            "keywordFinish",
            "delayMessage",
            "unknownMessage",
            "listeningFromMe",
            "stopBotFromMe",
        ),
        unchecked=SPLIT | {"keepOpen", "debounceTime"},
        unchecked_settings=SPLIT,
        misnamed_settings={"typebotIdFallback": "fallbackId"},
    ),
)
