"""Evo AI: an agent of an Evo AI server."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, TRIGGER_PARTS, UNUSED, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

EVOAI = Kind(
    path="evoai",
    title="Evoai",
    label="Evo AI",
    article="an",
    since=(2, 3, 0),
    switch="EVOAI_ENABLED",
    fields=bot(
        Field(
            "agentUrl",
            Type.TEXT,
            "The agent's URL. No two bots of an instance may share agentUrl and apiKey.",
            limit=255,
            required=True,
            refers=True,
            hides="url",
        ),
        Field("apiKey", Type.TEXT, "The agent's api key.", limit=255, hides="whole"),
    ),
    settings=settings(),
    keys={"": ("agentUrl", "apiKey")},
    trigger_parts=TRIGGER_PARTS,
    fallback="evoaiIdFallback",
    unused=UNUSED,
    passes_key="instance",
    schema=Schema(
        required=("enabled", "agentUrl", "triggerType"),
        required_settings=COPIED,
        misnamed_settings={"botIdFallback": "fallbackId"},
    ),
)
