"""n8n: a workflow that starts with a webhook."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, TRIGGER_PARTS, UNUSED, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

N8N = Kind(
    path="n8n",
    title="N8n",
    label="n8n",
    article="an",
    since=(2, 3, 0),
    switch="N8N_ENABLED",
    fields=bot(
        Field(
            "webhookUrl",
            Type.TEXT,
            "The webhook's production URL. No two bots of an instance may share it, basicAuthUser and "
            "basicAuthPass.",
            limit=255,
            required=True,
            refers=True,
            hides="url",
        ),
        Field("basicAuthUser", Type.TEXT, "The user of the webhook's basic authentication.", limit=255),
        Field(
            "basicAuthPass",
            Type.TEXT,
            "The password of the webhook's basic authentication.",
            limit=255,
            hides="whole",
            password=True,
        ),
    ),
    settings=settings(),
    keys={"": ("webhookUrl", "basicAuthUser", "basicAuthPass")},
    trigger_parts=TRIGGER_PARTS,
    fallback="n8nIdFallback",
    uses_fallback=False,
    unused=UNUSED,
    passes_key="instance",
    schema=Schema(
        required=("enabled", "webhookUrl", "triggerType"),
        required_settings=COPIED,
        unchecked=frozenset({"basicAuthPass"}),
        misnamed={"basicAuthPassword": "basicAuthPass"},
        misnamed_settings={"botIdFallback": "fallbackId"},
    ),
)
