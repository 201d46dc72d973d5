"""What is particular to a kind of chatbot, as data: its path, its fields, its keys.

The one description of a bot's fields. Validation, the JSON Schema, the comparison, the display and the
completion of a create all read this table. Rules come from the server's public source and from
recorded exchanges with 2.2.3 and 2.3.6. This module imports nothing heavy and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

INT32_MAX = 2**31 - 1

Value = bool | int | str | tuple[str, ...]
"""A field's value. Lists of text are tuples, so that values can be hashed and shared."""


class Type(StrEnum):
    """How a scalar of the manifest is read, whatever YAML would make of it."""

    BOOL = "bool"
    INT = "int"
    TEXT = "text"
    ENUM = "enum"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a bot, named as in the API.

    limit: characters at most (None: unbounded). choices: for an enum. minimum: for an int.
    bot_types, trigger_types: for which it has a meaning (None: for all); one without meaning is
    sent only if the manifest declares it. default: what a create sends when neither the manifest nor
    the instance's settings say (None: not sent). from_settings: the instance's settings have it too.
    required: the manifest must declare it. unit: of an int. hides: what of a text is secret, the
    whole or parts of a URL; the manifest can say where such a value is found, and no output shows it.
    """

    name: str
    type: Type
    about: str
    limit: int | None = None
    choices: tuple[str, ...] = ()
    minimum: int = 0
    unit: str | None = None
    bot_types: frozenset[str] | None = None
    trigger_types: frozenset[str] | None = None
    default: Value | None = None
    from_settings: bool = False
    required: bool = False
    hides: Literal["", "whole", "url"] = ""

    def applies(self, bot_type: object, trigger_type: object) -> bool:
        """Whether the field has a meaning for a bot of these types."""
        return (self.bot_types is None or bot_type in self.bot_types) and (
            self.trigger_types is None or trigger_type in self.trigger_types
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of chatbot.

    path: of its routes, `/{path}/find/{instance}`. fields: in the order in which they are shown and sent.
    settings: those of an instance's settings: the fields that a create copies from them, and their own.
    keys: per botType, the fields that no two bots of one instance may share. trigger_parts: per
    triggerType, the fields that must be given with it.
    """

    path: str
    fields: Mapping[str, Field]
    settings: Mapping[str, Field]
    keys: Mapping[str, tuple[str, ...]]
    trigger_parts: Mapping[str, tuple[str, ...]]


_ASSISTANT = frozenset({"assistant"})
_CHAT = frozenset({"chatCompletion"})

_FIELDS = (
    Field(
        "enabled", Type.BOOL, "Whether the bot answers. Open sessions go on when it is false.", default=True
    ),
    Field(
        "description",
        Type.TEXT,
        "A human's text, shown in the manager. The ownership marker is put after it.",
        limit=255,
    ),
    Field(
        "openaiCredsId",
        Type.TEXT,
        "The raw id of the OpenAI credential. Prefer openaiCreds, its name.",
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
    ),
    Field(
        "functionUrl",
        Type.TEXT,
        "The URL that is called for the assistant's function tools.",
        limit=500,
        bot_types=_ASSISTANT,
        hides="url",
    ),
    Field(
        "model",
        Type.TEXT,
        "The model's name. No two bots of an instance may share model and maxTokens.",
        limit=100,
        bot_types=_CHAT,
    ),
    Field("systemMessages", Type.TEXTS, "System prompts, sent first.", bot_types=_CHAT),
    Field("assistantMessages", Type.TEXTS, "Assistant messages, sent after the system's.", bot_types=_CHAT),
    Field("userMessages", Type.TEXTS, "User messages, sent after the assistant's.", bot_types=_CHAT),
    Field(
        "maxTokens",
        Type.INT,
        "The most tokens of an answer.",
        minimum=1,
        unit="tokens",
        bot_types=_CHAT,
    ),
    Field(
        "triggerType",
        Type.ENUM,
        "What starts the bot: all messages, a keyword, an advanced expression, or none.",
        choices=("all", "keyword", "none", "advanced"),
        required=True,
    ),
    Field(
        "triggerOperator",
        Type.ENUM,
        "How triggerValue is compared with the message. regex is JavaScript's, unanchored.",
        choices=("equals", "contains", "startsWith", "endsWith", "regex"),
        trigger_types=frozenset({"keyword"}),
    ),
    Field(
        "triggerValue",
        Type.TEXT,
        "The keyword, or for advanced the expression.",
        trigger_types=frozenset({"keyword", "advanced"}),
    ),
    Field(
        "expire",
        Type.INT,
        "How long a session lives. 0: for ever.",
        unit="minutes",
        default=300,
        from_settings=True,
    ),
    Field(
        "keywordFinish",
        Type.TEXT,
        "The message that ends a session.",
        limit=100,
        default="bye",
        from_settings=True,
    ),
    Field(
        "delayMessage",
        Type.INT,
        "How long the bot types before it sends.",
        unit="milliseconds",
        default=1000,
        from_settings=True,
    ),
    Field(
        "unknownMessage",
        Type.TEXT,
        "The answer to a message that is not text.",
        limit=100,
        default="Sorry, I dont understand",
        from_settings=True,
    ),
    Field(
        "listeningFromMe",
        Type.BOOL,
        "Whether messages sent by the number itself start the bot.",
        default=True,
        from_settings=True,
    ),
    Field(
        "stopBotFromMe",
        Type.BOOL,
        "Whether a message sent by the number itself pauses the session.",
        default=True,
        from_settings=True,
    ),
    Field(
        "keepOpen",
        Type.BOOL,
        "Whether a finished session is kept, closed.",
        default=False,
        from_settings=True,
    ),
    Field(
        "debounceTime",
        Type.INT,
        "How long messages are gathered before the bot answers them together.",
        unit="seconds",
        default=1,
        from_settings=True,
    ),
    Field(
        "ignoreJids",
        Type.TEXTS,
        "JIDs that are not answered: @g.us for all groups, @s.whatsapp.net for all contacts, or one exactly.",
        default=(),
        from_settings=True,
    ),
    Field(
        "splitMessages",
        Type.BOOL,
        "Whether an answer is sent paragraph by paragraph.",
        default=False,
        from_settings=True,
    ),
    Field(
        "timePerChar",
        Type.INT,
        "How long the bot types per character of a split answer.",
        unit="milliseconds",
        default=50,
        from_settings=True,
    ),
)

_SETTINGS = (
    Field(
        "speechToText",
        Type.BOOL,
        "Whether voice messages are turned into text, with the settings' credential.",
        default=False,
    ),
)

OPENAI = Kind(
    path="openai",
    fields={field.name: field for field in _FIELDS},
    settings={field.name: field for field in (*(f for f in _FIELDS if f.from_settings), *_SETTINGS)},
    keys={"assistant": ("assistantId",), "chatCompletion": ("model", "maxTokens")},
    trigger_parts={
        "all": (),
        "none": (),
        "keyword": ("triggerOperator", "triggerValue"),
        "advanced": ("triggerValue",),
    },
)
