"""OpenAI: an assistant of the Assistants API, or chat completions. The only kind with credentials."""

from __future__ import annotations

from reconciler.domain.kinds.common import COPIED, SPLIT, TRIGGER_PARTS, bot, settings
from reconciler.domain.kinds.model import Field, Kind, Schema, Type

_ASSISTANT = frozenset({"assistant"})
_CHAT = frozenset({"chatCompletion"})

OPENAI = Kind(
    path="openai",
    title="Openai",
    label="OpenAI",
    article="an",
    since=(2, 0, 2),
    switch="OPENAI_ENABLED",
    fields=bot(
        Field(
            "openaiCredsId",
            Type.TEXT,
            "The raw id of the OpenAI credential. Prefer openaiCreds, its name.",
            refers=True,
        ),
        Field(
            "botType",
            Type.ENUM,
            "assistant (OpenAI's Assistants API) or chatCompletion.",
            choices=("assistant", "chatCompletion"),
            required=True,
        ),
        Field(
            "assistantId",
            Type.TEXT,
            "The id of the assistant at OpenAI. No two bots of an instance may share it.",
            limit=255,
            bot_types=_ASSISTANT,
            refers=True,
        ),
        Field(
            "functionUrl",
            Type.TEXT,
            "The URL that is called for the assistant's function tools.",
            limit=500,
            bot_types=_ASSISTANT,
            refers=True,
            hides="url",
        ),
        Field(
            "model",
            Type.TEXT,
            "The model's name. No two bots of an instance may share model and maxTokens.",
            limit=100,
            bot_types=_CHAT,
            refers=True,
        ),
        Field("systemMessages", Type.TEXTS, "System prompts, sent first.", bot_types=_CHAT),
        Field(
            "assistantMessages", Type.TEXTS, "Assistant messages, sent after the system's.", bot_types=_CHAT
        ),
        Field("userMessages", Type.TEXTS, "User messages, sent after the assistant's.", bot_types=_CHAT),
        Field(
            "maxTokens",
            Type.INT,
            "The most tokens of an answer.",
            minimum=1,
            unit="tokens",
            bot_types=_CHAT,
        ),
    ),
    settings=settings(
        Field(
            "speechToText",
            Type.BOOL,
            "Whether voice messages are turned into text, with the settings' credential.",
            default=False,
        ),
    ),
    credential="openaiCredsId",
    keys={"assistant": ("assistantId",), "chatCompletion": ("model", "maxTokens")},
    omitted_key="refused",
    trigger_parts=TRIGGER_PARTS,
    fallback="openaiIdFallback",
    finishes_first=True,
    unused=frozenset({"expire", "unknownMessage"}),
    schema=Schema(
        required=("enabled", "openaiCredsId", "botType", "triggerType"),
        required_settings=("openaiCredsId", *(name for name in COPIED if name not in SPLIT)),
        unchecked=SPLIT,
        unchecked_settings=SPLIT,
        misnamed_settings={"openaiIdFallback": "fallbackId"},
    ),
)
