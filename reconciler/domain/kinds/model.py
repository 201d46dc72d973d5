"""What a field and a kind of bot are. Frozen values; the rows are in the other files of this package."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from reconciler.domain.records import dataclass, field
from reconciler.domain.versions import Version

INT32_MAX = 2**31 - 1

Value = bool | int | str | tuple[str, ...]
"""A field's value. Lists of text are tuples, so that values can be hashed and shared."""

Write = Literal["create", "update"]


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
    required: the manifest must declare it. unit: of an int. refers: the value is a name, an id or a URL of
    something that exists elsewhere. hides: what of a text is secret, the
    whole or parts of a URL; the manifest can say where such a value is found, and no output shows it.
    password: whether such a whole may have any characters, where a key has those of keys.
    """

    name: str
    type: Type
    about: str
    limit: int | None = None
    choices: tuple[str, ...] = ()
    minimum: int = 0
    unit: str | None = None
    refers: bool = False
    bot_types: frozenset[str] | None = None
    trigger_types: frozenset[str] | None = None
    default: Value | None = None
    from_settings: bool = False
    required: bool = False
    hides: Literal["", "whole", "url"] = ""
    password: bool = False

    def applies(self, bot_type: object, trigger_type: object) -> bool:
        """Whether the field has a meaning for a bot of these types."""
        return (self.bot_types is None or bot_type in self.bot_types) and (
            self.trigger_types is None or trigger_type in self.trigger_types
        )


@dataclass(frozen=True, slots=True)
class Schema:
    """What the server's JSON schemas say of a kind's bodies. What is stored is decided by its tables alone.

    required, required_settings: the fields that each body must have, whatever is stored.
    unchecked, unchecked_settings: fields whose type no schema checks, so that null passes it.
    misnamed, misnamed_settings: names that a schema has and no table has, such as n8n's basicAuthPassword,
    and the name that works. The server accepts and ignores them.
    """

    required: tuple[str, ...]
    required_settings: tuple[str, ...]
    unchecked: frozenset[str] = frozenset()
    unchecked_settings: frozenset[str] = frozenset()
    misnamed: Mapping[str, str] = field(default_factory=dict)
    misnamed_settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Kind:
    """A kind of chatbot.

    path: of its routes, `/{path}/find/{instance}`. title: its name in the server's messages.
    label: its name in ours. article: what stands before the label.
    since: the first version of the server that has it. switch: the server's environment variable that
    switches it on; None for a kind that is always on.
    fields: in the order in which they are shown and sent. fields_since: those that came with a later version.
    settings: those of an instance's settings: the fields that a create copies from them, and their own.
    credential: the field that names a credential of the instance, which bots and settings then need.
    keys: per botType ("" for a kind without), the fields that no two bots of one instance may share.
    omitted_key: what a body without a part of its key is to the server: refused, or taken for any value.
    keys_checked: the writes that the server compares keys on.
    trigger_parts: per triggerType, the fields that must be given with it.
    deleted: what an answer to a delete may call the bot.
    fallback: what the settings' row calls `fallbackId`. uses_fallback: whether 2.3.6 reads what it stores.
    finishes_first: whether 2.3.6 looks for keywordFinish before it opens a session, by its source.
    silent_types: the botTypes for which 2.3.6 calls nobody and answers nothing, by its source.
    unused: fields that 2.3.6 stores and never reads, by its source.
    passes_key: the key of the server's own that 2.3.6 sends along to the bot's URL, by its source: the token
    of the instance, or the global key, which 2.2.3 sends for every kind but OpenAI.
    """

    path: str
    title: str
    label: str
    since: Version
    switch: str | None
    fields: Mapping[str, Field]
    settings: Mapping[str, Field]
    keys: Mapping[str, tuple[str, ...]]
    trigger_parts: Mapping[str, tuple[str, ...]]
    schema: Schema
    fallback: str
    article: str = "a"
    deleted: tuple[str, ...] = ("bot",)
    uses_fallback: bool = True
    finishes_first: bool = False
    silent_types: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    passes_key: Literal["", "instance", "global"] = ""
    fields_since: Mapping[str, Version] = field(default_factory=dict)
    credential: str | None = None
    omitted_key: Literal["refused", "any"] = "any"
    keys_checked: frozenset[Write] = frozenset({"create", "update"})

    def __repr__(self) -> str:
        return f"Kind({self.path})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> dict[str, object]:
        """What pydantic takes for a kind: one as it is."""
        return {"type": "is-instance", "cls": cls}

    def key(self, fields: Mapping[str, object]) -> tuple[str, ...]:
        """The fields that make up the key of a bot with these fields: its botType's, and botType itself."""
        if "botType" not in self.fields:
            return self.keys[""]
        return ("botType", *self.keys.get(str(fields.get("botType")), ()))

    def insists(self, fields: Mapping[str, object]) -> dict[str, None]:
        """The fields that an update must have, whatever is stored. fields: the bot's, as it is to be."""
        names = (*self.schema.required, *self.key(fields))
        return dict.fromkeys((*names, *self.trigger_parts.get(str(fields.get("triggerType")), ())))
