"""EvolutionBot: an HTTP endpoint of one's own, which the server asks for each answer. Always switched on."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, TRIGGER_PARTS, UNUSED, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

EVOLUTION_BOT = Kind(
    path="evolutionBot",
    title="EvolutionBot",
    label="EvolutionBot",
    article="an",
    since=(2, 1, 0),
    switch=None,
    fields=bot(
        Field(
            "apiUrl",
            Type.TEXT,
            "The URL that is asked. No two bots of an instance may share apiUrl and apiKey.",
            limit=255,
            required=True,
            refers=True,
            hides="url",
        ),
        Field("apiKey", Type.TEXT, "The key that the server sends along.", limit=255, hides="whole"),
    ),
    settings=settings(),
    keys={"": ("apiUrl", "apiKey")},
    keys_checked=frozenset({"update"}),
    trigger_parts=TRIGGER_PARTS,
    fallback="botIdFallback",
    unused=UNUSED,
    passes_key="instance",
    schema=Schema(
        required=("enabled", "apiUrl", "triggerType"),
        required_settings=COPIED,
        misnamed_settings={"botIdFallback": "fallbackId"},
    ),
)
