"""Dify: an application of a Dify server."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, TRIGGER_PARTS, UNUSED, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

_TYPES = ("chatBot", "textGenerator", "agent", "workflow")

DIFY = Kind(
    path="dify",
    title="Dify",
    label="Dify",
    since=(2, 0, 4),
    switch="DIFY_ENABLED",
    fields=bot(
        Field(
            "botType",
            Type.ENUM,
            "What the application is: chatBot, textGenerator, agent or workflow.",
            choices=_TYPES,
            required=True,
        ),
        Field(
            "apiUrl",
            Type.TEXT,
            "The base URL of Dify's API. No two bots of an instance may share botType, apiUrl and apiKey.",
            limit=255,
            refers=True,
            hides="url",
        ),
        Field("apiKey", Type.TEXT, "The application's api key.", limit=255, hides="whole"),
    ),
    settings=settings(),
    keys=dict.fromkeys(_TYPES, ("apiUrl", "apiKey")),
    trigger_parts=TRIGGER_PARTS,
    fallback="difyIdFallback",
    uses_fallback=False,
    unused=UNUSED,
    passes_key="instance",
    schema=Schema(
        required=("enabled", "botType", "triggerType"),
        required_settings=COPIED,
        misnamed_settings={"difyIdFallback": "fallbackId"},
    ),
)
