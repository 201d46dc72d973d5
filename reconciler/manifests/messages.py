"""Messages for what the model refuses and for wrong names: what is wrong, and what to write."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from reconciler.domain import safe
from reconciler.domain.kinds import OPENAI
from reconciler.domain.text import looks_like_key, near, quoted
from reconciler.manifests.model import MANIFEST, MAX_NAME, ON_DRIFT, VERSION_SUFFIX

_CHOICES = {"onDrift": ON_DRIFT} | {name: field.choices for name, field in OPENAI.fields.items()}
_NAME_RULE = "lower-case letters, digits and hyphens, at most 64, with a letter or digit first"
_BOT = (*OPENAI.fields, "openaiCreds", "onDrift", "previously", "silence")
_SETTINGS = (*OPENAI.settings, "openaiCreds", "fallback")
_OF_A_MANIFEST = {
    "instance": "a folder's file applies to many instances: set `instance:` in a manifest",
    "credentials": "credentials belong to one instance: move them to its manifest",
}
_OF_ANOTHER = {
    "previously": "previously belongs to one bot: move it there",
    "fallback": "fallback is a setting of the instance: move it to `settings:`",
    "speechToText": "speechToText is a setting of the instance: move it to `settings:`",
    "apiKey": "an apiKey belongs under its credential's name in `credentials:`: move it there",
}
"""Keys that belong in another place."""


def wrong(error: ErrorDetails, name: str) -> str:
    """The message for an error of the model. name: of the key."""
    given, limits = error["input"], error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown(name, error["loc"][0] if len(error["loc"]) > 1 else "")
        case "string_too_long":
            return too_long(name, given, limits["max_length"])
        case "literal_error":
            choices = _CHOICES[name]
            return f"{name} cannot be {quoted(given)}{near(given, choices)}: write {' or '.join(choices)}"
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


def _unknown(name: str, where: int | str) -> str:
    if name.startswith(("//", "/*")):
        return f"`{name[:2]}` does not start a comment here: write `#`"
    if hidden := [sign for sign in name if not sign.isprintable()]:
        return f"{quoted(name)} contains {safe.named(hidden[0])}: remove it"
    if not where:
        keys = f"{', '.join(MANIFEST[:-1])} or {MANIFEST[-1]}"
        return _OF_A_MANIFEST.get(
            name, f"{quoted(name)} is not a key of a manifest{near(name, MANIFEST)}: write {keys}"
        )
    what, known = ("setting", _SETTINGS) if where == "settings" else ("field of a bot", _BOT)
    return _OF_ANOTHER.get(
        name, f"{quoted(name)} is not a {what}{near(name, known)}: correct it or leave it out"
    )


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
