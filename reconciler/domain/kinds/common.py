"""The fields that bots and settings of every kind have, and what is the same in each kind."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.kinds.model import Field, Type

_FIRST = (
    Field(
        "enabled", Type.BOOL, "Whether the bot answers. Open sessions go on when it is false.", default=True
    ),
    Field(
        "description",
        Type.TEXT,
        "A human's text, shown in the manager. The ownership marker is put after it.",
        limit=255,
    ),
)

_TRIGGER = (
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
)

_COPIED = (
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
        refers=True,
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

TRIGGER_PARTS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "none": (),
    "keyword": ("triggerOperator", "triggerValue"),
    "advanced": ("triggerValue",),
}
"""Per triggerType, the fields that must be given with it."""

COPIED = tuple(each.name for each in _COPIED)
"""The fields of the settings that a create copies into what it leaves out."""

SPLIT = frozenset({"splitMessages", "timePerChar"})
"""Those of them that not every schema of the server checks."""

UNUSED = frozenset({"expire", "unknownMessage", "keepOpen"})
"""The fields that 2.3.6 stores and never reads where a kind has no code of its own for sessions.

So keywordFinish ends the session and mutes the contact for good, whatever keepOpen says.
"""


def bot(*own: Field) -> dict[str, Field]:
    """The fields of a kind's bots. own: those that only this kind has."""
    return {each.name: each for each in (*_FIRST, *own, *_TRIGGER, *_COPIED)}


def settings(*own: Field) -> dict[str, Field]:
    """The fields of a kind's settings. own: those that only this kind has."""
    return {each.name: each for each in (*_COPIED, *own)}
