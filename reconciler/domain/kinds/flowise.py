"""Flowise: a flow of a Flowise server."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, SPLIT, TRIGGER_PARTS, UNUSED, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

FLOWISE = Kind(
    path="flowise",
    title="Flowise",
    label="Flowise",
    since=(2, 1, 0),
    switch="FLOWISE_ENABLED",
    fields=bot(
        Field(
            "apiUrl",
            Type.TEXT,
            "The URL of the flow's prediction. No two bots of an instance may share apiUrl and apiKey.",
            limit=255,
            required=True,
            refers=True,
            hides="url",
        ),
        Field("apiKey", Type.TEXT, "The api key of the flow.", limit=255, hides="whole"),
    ),
    settings=settings(),
    keys={"": ("apiUrl", "apiKey")},
    trigger_parts=TRIGGER_PARTS,
    fallback="flowiseIdFallback",
    unused=UNUSED,
    passes_key="instance",
    schema=Schema(
        required=("enabled", "apiUrl", "triggerType"),
        required_settings=tuple(name for name in COPIED if name not in SPLIT),
        misnamed_settings={"flowiseIdFallback": "fallbackId"},
    ),
)
