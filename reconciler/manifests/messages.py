"""What the model refuses, and wrong names, as sentences: what is wrong and what to write."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from reconciler.domain import safe
from reconciler.domain.kinds import OPENAI
from reconciler.domain.text import looks_like_key, near, quoted
from reconciler.manifests.model import GENERATION, MANIFEST, MAX_NAME, ON_DRIFT

_CHOICES = {"onDrift": ON_DRIFT} | {name: field.choices for name, field in OPENAI.fields.items()}
_NAME_RULE = "lower-case letters, digits and hyphens, a letter or digit first, 64 at most"
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
"""Keys that belong in another place."""


def wrong(error: ErrorDetails, name: str) -> str:
    """A sentence for what the model refuses under a key of this name."""
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
    "string_type": "the settings take a credential of the instance's own: write its name",
    "string_too_short": "{name} is empty: write a name",
    "greater_than_equal": "{name} is {given}: write at least {ge}",
    "less_than_equal": "{name} is too large to be stored: write at most {le}",
    "string_unicode": "the file's name is not UTF-8: rename it, or give `instance:` in it",
}
"""Types of errors that each mean one thing: only one text is read as a mapping, and only a file's name can be
no Unicode."""


def _not_a_name(given: str, name: str, where: int | str) -> str:
    if where == "vars":
        return f"{quoted(given)} cannot be a variable's name: use letters, digits and _, no digit first"
    what = "the id of a lint rule" if name == "silence" else "a bot's name"
    return f"{quoted(given)} cannot be {what}: use {_NAME_RULE}"


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
    if len(text) > MAX_NAME:
        return too_long(what, text, MAX_NAME)
    if looks_like_key(text):
        return f"{what} looks like an api key: write a name, and under `credentials:` where the key is found"
    if declared and GENERATION.search(text):
        return f"{what} cannot end in @ and digits, which a rotation of the key puts there: leave them out"
    return None
