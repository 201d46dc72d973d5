"""What a manifest may say: its keys, a bot's fields, the settings', and the words for what is wrong.

The pydantic model is made from the field table, once; it knows keys, types, limits and choices, and gives
the JSON Schema. layer.py reads a file with it; merge.py knows what must stand together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, StringConstraints, Tag, create_model
from pydantic import Field as Constrained
from pydantic_core import ErrorDetails

from reconciler.domain import safe, signals
from reconciler.domain.kinds import INT32_MAX, OPENAI, Field, Type
from reconciler.domain.text import looks_like_key, near, quoted

FOLDER = ("vars", "settings", "silence", "defaults", "bots")
"""The keys of a folder's file."""

MANIFEST = ("instance", "credentials", *FOLDER)
"""The keys of a manifest."""

FREE = re.compile(r"x-.*|\$schema", re.DOTALL)
"""Keys of either that mean nothing here: places for anchors, and an editor's schema."""

IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
"""The name of a variable, of a manifest or of the environment."""

GENERATION = re.compile("@[0-9]+$", re.ASCII)
"""How the name of a credential ends that a rotation made."""

_ON_DRIFT = ("update", "replace")
_CHOICES = {"onDrift": _ON_DRIFT} | {name: field.choices for name, field in OPENAI.fields.items()}
_NAME = StringConstraints(strict=True, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
_NAME_RULE = "lower-case letters, digits and hyphens, a letter or digit first, 64 at most"
_INSTANCE = StringConstraints(min_length=1, max_length=255)
_MAX_NAME = 255
_BOT = (*OPENAI.fields, "openaiCreds", "onDrift", "previously", "silence")
_SETTINGS = (*OPENAI.settings, "openaiCreds", "fallback")
_OF_A_MANIFEST = {
    "instance": "a folder's file is about many instances: give `instance:` in a manifest",
    "credentials": "credentials are one instance's: move them to its manifest",
}
_OF_ANOTHER = {
    "previously": "previously is about one bot: move it there",
    "fallback": "fallback is the instance's: move it to `settings:`",
    "speechToText": "speechToText is the instance's: move it to `settings:`",
    "apiKey": "an apiKey stands under its credential's name in `credentials:`: move it there",
}
"""What to say of keys that have a meaning in another place."""


# -- the model --------------------------------------------------------------------------------


@cache
@signals.held()
def model(*, folder: bool = False) -> type[BaseModel]:
    """A whole manifest, or a folder's `_defaults` file; what stands in it, before anything is merged."""
    config = ConfigDict(extra="forbid", strict=True)

    def made(name: str, about: str, /, **fields: Any) -> type[BaseModel]:
        return create_model(name, __config__=config, __doc__=about, **fields)

    creds = Annotated[str, StringConstraints(min_length=1, max_length=255)]
    borrowed = made(
        "Borrowed",
        "A credential of another instance. When that instance is deleted, so are the bots that use it.",
        instance=(Annotated[str, _INSTANCE], Constrained(description="The instance that has it.")),
        name=(creds, Constrained(description="The credential's name.")),
    )
    silence = (
        tuple[Annotated[str, _NAME], ...],
        Constrained((), description="Ids of lint rules that are to say nothing here."),
    )
    common: dict[str, Any] = {
        "openaiCreds": (
            _either(creds, borrowed),
            Constrained(
                None,
                description="The name of an OpenAI credential of the instance; or of another one's, with "
                "`instance:` and `name:`.",
            ),
        ),
        "onDrift": (
            Literal[_ON_DRIFT],
            Constrained(
                None,
                description="What is done when the bot on the server differs: update it, or replace it "
                "(delete and create: its sessions are lost).",
            ),
        ),
        "silence": silence,
        **_fields(OPENAI.fields),
    }
    previously = (
        tuple[Annotated[str, _NAME], ...],
        Constrained((), description="Names that the bot had before: it is kept through a rename."),
    )
    defaults = made("Defaults", "What every bot has unless it says otherwise.", **common)
    bot = made("Bot", "A bot. What it leaves out belongs to the server.", **common, previously=previously)
    merge = made(
        "Merge",
        "JIDs that are added to those of the server, which adds to them by itself.",
        merge=(tuple[str, ...], Constrained(description="The JIDs to add.")),
    )
    settings = made(
        "Settings",
        "The instance's settings. What they leave out belongs to the server.",
        openaiCreds=(creds, Constrained(None, description="The name of a credential of the instance's own.")),
        fallback=(
            str,
            Constrained(
                None, description='The bot that answers when no other does, by its name; "" for none.'
            ),
        ),
        **_fields(OPENAI.settings)
        | {
            "ignoreJids": (
                _either(tuple[str, ...], merge),
                Constrained(None, description=OPENAI.settings["ignoreJids"].about),
            )
        },
    )
    shared: dict[str, Any] = {
        "vars": (
            dict[Annotated[str, StringConstraints(pattern=rf"^{IDENTIFIER}$")], str],
            Constrained(
                None,
                description="What ${name} stands for in texts; ${instance} is the instance's name, and $${ "
                "is ${ itself.",
            ),
        ),
        "settings": (settings, Constrained(None)),
        "silence": silence,
        "defaults": (defaults, Constrained(None)),
        "bots": (
            dict[Annotated[str, _NAME], _either(Literal[False], bot)],  # type: ignore[misc]  # made at run time
            Constrained(
                None, description="Bots by name; `false` for one that a folder's file has, and not here."
            ),
        ),
    }
    if folder:
        return made(
            "Folder", "What the manifests of a folder, and of those below it, have in common.", **shared
        )
    key = made(
        "Credential",
        "An OpenAI credential of the instance.",
        apiKey=(
            str,
            Constrained(
                description="Where the key is found: !env NAME or !secret-file PATH. Never the key itself."
            ),
        ),
    )
    return made(
        "Manifest",
        "One instance of an Evolution API server: its OpenAI bots, credentials and settings.",
        instance=(
            Annotated[str, _INSTANCE],
            Constrained(None, description="The instance's name; else the file's name without its ending."),
        ),
        credentials=(
            dict[creds, key],  # type: ignore[valid-type]  # made at run time
            Constrained(None, description="OpenAI credentials by name."),
        ),
        **shared,
    )


def _either(plain: Any, mapping: Any) -> Any:
    """One of two shapes, told apart by which is a mapping."""
    return Annotated[
        Annotated[plain, Tag("plain")] | Annotated[mapping, Tag("mapping")],
        Discriminator(lambda value: "mapping" if isinstance(value, dict) else "plain"),
    ]


def _fields(table: Mapping[str, Field]) -> dict[str, Any]:
    return {
        name: (_annotation(field), Constrained(None, description=field.about))
        for name, field in table.items()
    }


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


# -- what is wrong ----------------------------------------------------------------------------


def wrong(error: ErrorDetails, name: str) -> str:
    """A sentence for what the model refuses under a key of this name."""
    limits = error.get("ctx", {})
    given = error["input"]
    where = error["loc"][0]
    match error["type"]:
        case "extra_forbidden":
            said = _unknown(name, where if len(error["loc"]) > 1 else "")
        case "string_type":  # the one place where the reader lets a mapping through
            said = "the settings take a credential of the instance's own: write its name"
        case "string_too_long":
            said = too_long(name, given, limits["max_length"])
        case "string_too_short":
            said = f"{name} is empty: write a name"
        case "greater_than_equal":
            said = f"{name} is {given}: write at least {limits['ge']}"
        case "less_than_equal":
            said = f"{name} is too large to be stored: write at most {limits['le']}"
        case "literal_error":
            choices = _CHOICES[name]
            said = f"{name} cannot be {quoted(given)}{near(given, choices)}: write {' or '.join(choices)}"
        case "string_pattern_mismatch" if where == "vars":
            said = f"{quoted(given)} cannot be a variable's name: use letters, digits and _, no digit first"
        case "string_pattern_mismatch" if name == "silence":
            said = f"{quoted(given)} cannot be the id of a lint rule: use {_NAME_RULE}"
        case "string_pattern_mismatch":
            said = f"{quoted(given)} cannot be a bot's name: use {_NAME_RULE}"
        case _:  # string_unicode is left, and only the name of a file can be no Unicode
            said = "the file's name is not UTF-8: rename it, or give `instance:` in it"
    return said


def _unknown(name: str, where: int | str) -> str:
    if name.startswith(("//", "/*")):
        return f"`{name[:2]}` begins no comment here: write `#`"
    if hidden := [sign for sign in name if not sign.isprintable()]:
        return f"{quoted(name)} holds {safe.named(hidden[0])}: remove it"
    if not where:
        keys = f"{', '.join(MANIFEST[:-1])} or {MANIFEST[-1]}"
        return _OF_A_MANIFEST.get(
            name, f"{quoted(name)} is no key of a manifest{near(name, MANIFEST)}: write {keys}"
        )
    what, known = ("setting", _SETTINGS) if where == "settings" else ("field of a bot", _BOT)
    return _OF_ANOTHER.get(
        name, f"{quoted(name)} is no {what}{near(name, known)}: correct it or leave it out"
    )


def too_long(name: str, text: str, most: int) -> str:
    """The sentence for a text beyond the limit of its field."""
    return f"{name} has {len(text)} characters, and {most} is the most that is stored: shorten it"


def misnamed(text: str, what: str, *, declared: bool = False) -> str | None:
    """What is wrong with a credential's name. declared: under `credentials:`, so that the tool makes it."""
    if not text:
        return f"{what} is empty: write a name"
    if len(text) > _MAX_NAME:
        return too_long(what, text, _MAX_NAME)
    if looks_like_key(text):
        return f"{what} looks like an api key: write a name, and under `credentials:` where the key is found"
    if declared and GENERATION.search(text):
        return f"{what} cannot end in @ and digits, which a rotation of the key puts there: leave them out"
    return None
