"""Messages for what the model refuses and for wrong names: what is wrong, and what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.domain import safe
from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.text import listed, looks_like_key, near, quoted
from reconciler.manifests.tables import MANIFEST, MAX_NAME, ON_DRIFT, VERSION_SUFFIX, fields, keys, kinds_with

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_NAME_RULE = "lower-case letters, digits and hyphens, at most 64, with a letter or digit first"
_OF_THE_API = {"fallbackId": "fallback"}
"""What is called otherwise in manifests than in the API."""

_OF_A_MANIFEST = {
    "instance": "a folder's file applies to many instances: set `instance:` in a manifest",
    "credentials": "credentials belong to one instance: move them to its manifest",
}
_OF_ANOTHER = {
    "kind": "kind belongs to one bot: move it there",
    "previously": "previously belongs to one bot: move it there",
    "fallback": "fallback is a setting of the instance: move it to `settings:`",
    "speechToText": "speechToText is a setting of the instance: move it to `settings:`",
    "apiKey": "an apiKey belongs under its credential's name in `credentials:`: move it there",
}
"""Keys that belong in another place."""


def wrong(error: ErrorDetails, name: str, section: str = "", kind: Kind | None = None) -> str:
    """The message for an error of a model. name: of the key. section, kind: of the model."""
    given, limits = error["input"], error.get("ctx", {})
    match error["type"]:
        case "string_too_long":
            return too_long(name, given, limits["max_length"])
        case "literal_error":
            choices = ON_DRIFT if name == "onDrift" else fields(section, kind)[name].choices
            comment = "; a comment starts with `#`" if re.search(r"\s(//|/\*)", str(given)) else ""
            return (
                f"{name} cannot be {quoted(given)}{near(given, choices)}: write {_either(choices)}{comment}"
            )
        case "string_pattern_mismatch":
            return _not_a_name(given, name, error["loc"][0])
    return _FIXED[error["type"]].format(name=name, given=given, **limits)


_FIXED = {
    "string_type": "settings take a credential of their own instance: write its name",
    "string_too_short": "{name} is empty: write a name",
    "greater_than_equal": "{name} is {given}: write at least {ge}",
    "less_than_equal": "{name} is too large to be stored: write at most {le}",
    "string_unicode": "the file's name is not UTF-8: rename the file, or set `instance:` in it",
}
"""Types of errors that each mean one thing: only one text is read as a mapping, and only a file's name can be
no Unicode."""


def _not_a_name(given: str, name: str, where: int | str) -> str:
    if where == "vars":
        return f"{quoted(given)} cannot be a variable's name: use letters, digits and _, with no digit first"
    what = "the id of a lint rule" if name == "silence" else "a bot's name"
    return f"{quoted(given)} cannot be {what}: use {_NAME_RULE}"


def no_kind(name: str) -> str:
    """The message for a name that no kind of bot has."""
    return f"there is no kind {quoted(name)}{near(name, KINDS)}: write {_either(KINDS)}"


def of_no_kind(name: str) -> str:
    """The message for a key below a kind in `kinds:`."""
    parts = ("defaults", "settings")
    return f"{quoted(name)} is not a key of a kind{near(name, parts)}: write {listed(parts)}"


def wrong_key(name: str, section: str = "", kind: Kind | None = None) -> str:
    """The message for a key that a section does not have; without a section, a manifest."""
    if name.startswith(("//", "/*")):
        return f"`{name[:2]}` does not start a comment here: write `#`"
    if hidden := [sign for sign in name if not sign.isprintable()]:
        return f"{quoted(name)} contains {safe.named(hidden[0])}: remove it"
    if not section:
        said = f"{quoted(name)} is not a key of a manifest{near(name, MANIFEST)}: write {_either(MANIFEST)}"
        return _OF_A_MANIFEST.get(name, said)
    if stored := _stored(name, section, kind):
        return f"the server accepts {name} and ignores it: write {stored}"
    having = kinds_with(section, name)
    if having and kind is not None and (name not in _OF_ANOTHER or kind is not DEFAULT):
        return _of_other_kinds(name, section, kind, having)
    what = "setting" if section == "settings" else "field of a bot"
    known = keys(section, kind)
    return _OF_ANOTHER.get(
        name, f"{quoted(name)} is not a {what}{near(name, known)}: correct it or leave it out"
    )


def _stored(name: str, section: str, kind: Kind | None) -> str | None:
    """The key that works, for one that the server's schema names and that it does not store."""
    for each in [kind] if kind else KINDS.values():
        misnamed = each.schema.misnamed_settings if section == "settings" else each.schema.misnamed
        if name in misnamed:
            return _OF_THE_API.get(misnamed[name], misnamed[name])
    return None


def _of_other_kinds(name: str, section: str, kind: Kind, having: list[Kind]) -> str:
    what = "a setting" if section == "settings" else "a field"
    paths = listed(each.path for each in having)
    said = f"{name} is {what} of kind {paths}, and not of {kind.path}"
    if section == "bot":
        way_out = f"write `kind: {having[0].path}`" if len(having) == 1 else "change the bot's kind"
        return f"{said}: leave it out, or {way_out}"
    return f"{said}: leave it out"


def _either(words: Iterable[str]) -> str:
    return listed(words, "or")


def too_long(name: str, text: str, most: int) -> str:
    """The message for a text that is longer than its field allows."""
    return f"{name} has {len(text)} characters, and the limit is {most}: shorten it"


def misnamed(text: str, what: str, *, declared: bool = False) -> str | None:
    """What is wrong with a credential's name. declared: whether it is a name under `credentials:`."""
    if not text:
        return f"{what} is empty: write a name"
    if len(text) > MAX_NAME:
        return too_long(what, text, MAX_NAME)
    if looks_like_key(text):
        return f"{what} looks like an API key: write a name, and under `credentials:` where to find the key"
    if declared and VERSION_SUFFIX.search(text):
        return (
            f"{what} cannot end in @ and digits, which mark the versions that a key rotation makes: leave "
            "them out"
        )
    return None
