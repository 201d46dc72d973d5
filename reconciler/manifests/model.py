"""What a manifest may say: its keys, the fields of a bot and of the settings.

The pydantic models are made from the tables of the kinds, each when it is first used. They know keys, types,
limits and choices, and give the JSON Schema; validators.py checks the same. bots.py checks what must come
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, StringConstraints, Tag, create_model
from pydantic import Field as Constrained

from reconciler.domain import signals
from reconciler.domain.kinds import INT32_MAX, KINDS, Field, Kind, Type
from reconciler.manifests.tables import BOT_NAME, CREDENTIAL, IDENTIFIER, MAX_NAME, ON_DRIFT, fields, keys

_NAME = StringConstraints(strict=True, max_length=64, pattern=BOT_NAME)
_LONG_NAME = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]


_ABOUT = {
    "bot": "A bot. What it leaves out belongs to the server.",
    "defaults": "Fields that every bot has unless it sets its own.",
    "settings": "The instance's settings. What they leave out belongs to the server.",
}


@cache
@signals.held()
def model(*, folder: bool = False) -> type[BaseModel]:
    """The model of a manifest, or of a folder's `_defaults` file, before anything is merged.

    What is below bots, defaults, settings and kinds is left to the model of each section.
    """
    if folder:
        about = "What the manifests in a folder and below it have in common."
        return _model("Folder", about, **_common())
    key = _model(
        "Credential",
        "An OpenAI credential of the instance.",
        apiKey=_needed(str, "Where to find the key: !env NAME or !secret-file PATH. Never the key itself."),
    )
    return _model(
        "Manifest",
        "One instance of an Evolution API server: its bots, credentials and settings.",
        instance=_optional(
            _LONG_NAME, "The instance's name. Without it: the file's name without its ending."
        ),
        credentials=_optional(dict[_LONG_NAME, key], "OpenAI credentials by name."),  # type: ignore[valid-type]  # made at run time
        **_common(),
    )


def _common() -> dict[str, Any]:
    """The fields of a manifest and of a folder's file."""
    identifier = Annotated[str, StringConstraints(pattern=rf"^{IDENTIFIER}$")]
    return {
        "server": _optional(
            str, "The server that has the instance: one of those that reconciler.toml names."
        ),
        "vars": _optional(
            dict[identifier, str],
            "Values for ${name} in texts; ${instance} is the instance's name, and $${ stands for ${ itself.",
        ),
        "settings": _optional(Any, "The settings of the OpenAI bots."),
        "silence": _silence(),
        "defaults": _optional(Any, "Fields of the bots of every kind that has them."),
        "kinds": _optional(Any, "Defaults and settings of one kind of bot, by the kind."),
        "bots": _optional(
            dict[Annotated[str, _NAME], Any],
            "Bots by name; `false` leaves out a bot that a folder's file declares.",
        ),
        "tests": _tests(),
    }


@cache
@signals.held()
def section(name: str, kind: Kind | None) -> type[BaseModel]:
    """The model of a section: "bot", "defaults" or "settings". kind: None for all kinds together."""
    table, known = fields(name, kind), keys(name, kind)
    made = _beside(name) | _fields(table)
    if name == "settings":
        made["ignoreJids"] = _merged_jids(table["ignoreJids"])
    title = f"{kind.title if kind else ''}{name.capitalize()}"
    return _model(title, _ABOUT[name], **{key: value for key, value in made.items() if key in known})


def _beside(name: str) -> dict[str, Any]:
    """The keys of a section that are no fields of the API."""
    if name == "settings":
        return {
            CREDENTIAL[0]: _optional(_LONG_NAME, "The name of one of the instance's own credentials."),
            "fallback": _optional(str, 'The name of the bot that answers when no other does; "" for none.'),
        }
    shared = _model(
        "SharedCredential",
        "A credential of another instance. When that instance is deleted, so are the bots that use it.",
        instance=_needed(_LONG_NAME, "The owning instance."),
        name=_needed(_LONG_NAME, "The credential's name."),
    )
    return {
        "kind": _optional(Literal[tuple(KINDS)], "What kind of chatbot it is. Without it: openai."),
        CREDENTIAL[0]: _optional(
            _either(_LONG_NAME, shared),
            "The name of an OpenAI credential of the instance; of another instance with `instance:` and "
            "`name:`.",
        ),
        "onDrift": _optional(
            Literal[ON_DRIFT],
            "What to do when the bot on the server differs: update it, or replace it (delete and create it, "
            "and lose its sessions).",
        ),
        "silence": _silence(),
        "previously": (
            tuple[Annotated[str, _NAME], ...],
            Constrained((), description="Earlier names of the bot, so that a rename keeps it."),
        ),
    }


def _merged_jids(field: Field) -> Any:
    merge = _model(
        "Merge",
        "JIDs to add to those on the server, which also adds some by itself.",
        merge=_needed(tuple[str, ...], "The JIDs to add."),
    )
    return _optional(_either(tuple[str, ...], merge), field.about)


def _silence() -> Any:
    names = tuple[Annotated[str, _NAME], ...]
    return names, Constrained((), description="Ids of lint rules to ignore here.")


def _tests() -> Any:
    """The tests, for the schema; asserted.py reads them."""
    text = Annotated[str, StringConstraints(min_length=1)]
    texts = str | Annotated[tuple[str, ...], Constrained(min_length=1)]
    test = _model(
        "Test",
        "A message and who should answer it; or the name of an inherited test that is dropped.",
        message=_optional(texts, "A message, or a list of messages that are all answered alike."),
        bot=_optional(
            texts | None,
            "The bot that should answer, and no other; a list of bots of different kinds; null for nobody.",
        ),
        jid=_optional(text, "The JID of the sender. Without it: some contact."),
        fromMe=_optional(bool, "Whether the number itself sent the message."),
        name=_optional(text, "A name, by which a manifest replaces or drops an inherited test."),
        drop=_optional(Literal[True], "Drop the inherited test of this name."),
    )
    return _optional(tuple[test, ...], "Who should answer which message: `reconciler test` checks it.")  # type: ignore[valid-type]  # made at run time


def _model(name: str, about: str, /, **fields: Any) -> type[BaseModel]:
    return create_model(name, __config__=ConfigDict(extra="forbid", strict=True), __doc__=about, **fields)


def _needed(type_: Any, about: str) -> Any:
    return type_, Constrained(description=about)


def _optional(type_: Any, about: str) -> Any:
    return type_, Constrained(None, description=about)


def _either(plain: Any, mapping: Any) -> Any:
    """One of two types, of which one is a mapping."""
    return Annotated[
        Annotated[plain, Tag("plain")] | Annotated[mapping, Tag("mapping")],
        Discriminator(lambda value: "mapping" if isinstance(value, dict) else "plain"),
    ]


def _fields(table: Mapping[str, Field]) -> dict[str, Any]:
    return {name: _optional(_annotation(field), field.about) for name, field in table.items()}


def _annotation(field: Field) -> Any:
    match field.type:
        case Type.BOOL:
            return bool
        case Type.INT:
            return Annotated[int, Constrained(ge=field.minimum, le=INT32_MAX)]
        case Type.TEXT:
            return Annotated[str, StringConstraints(max_length=field.limit)]
        case Type.ENUM:
            return Literal[field.choices]
        case Type.TEXTS:
            return tuple[Annotated[str, StringConstraints(max_length=field.limit)], ...]
