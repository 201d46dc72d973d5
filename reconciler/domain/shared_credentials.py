"""What is said of one key for two instances: how to borrow, when that works, and what else there is. Pure.

An instance's settings take a credential of its own, which no borrowed one is, and every bot is made from
settings. So who only borrows needs settings that are there already.
"""

from __future__ import annotations

import json
import re

from reconciler.domain.text import looks_like_key

WHEN = (
    "borrowing works where the instance has settings already, or gets them with another credential of its "
    "own; a second key of the same OpenAI project costs nothing"
)
"""Goes behind every offer to borrow."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def borrow(instance: str, name: str) -> str:
    """What a bot says that borrows a credential."""
    return f"`openaiCreds: {{instance: {_scalar(instance)}, name: {_scalar(name)}}}`"


def own(instance: str) -> str:
    """Where an instance's own credential comes from, and what to write."""
    name = _scalar(f"{instance}-openai")
    words = re.sub("[^A-Z0-9]+", "_", instance.upper()).strip("_")
    variable = f"OPENAI_KEY_{words}" if words else "OPENAI_KEY"
    return (
        "make a second key at OpenAI, which costs nothing in the same project, and write "
        f"`credentials: {{{name}: {{apiKey: !env {variable}}}}}` and `settings: {{openaiCreds: {name}}}`"
    )


def named(name: str) -> str:
    """What settings say that have a credential."""
    return f"`settings: {{openaiCreds: {_scalar(name)}}}`"


def _scalar(text: str) -> str:
    """A text as it stands in a flow mapping of YAML; a key that somebody took for a name is not shown."""
    if looks_like_key(text):
        return "NAME"
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
