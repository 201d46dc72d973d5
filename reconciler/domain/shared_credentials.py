"""Sentences about one key for two instances: how to use a shared credential, and when that works. Pure.

An instance's settings take only a credential of its own, not a shared one, and a bot can be created only
where there are settings. So an instance whose bots all use shared credentials must have settings already.
"""

from __future__ import annotations

import json
import re

from reconciler.domain.text import looks_like_key

WHEN = (
    "a shared credential works where the instance already has settings, or gets them with another credential "
    "of its own; a second key of the same OpenAI project costs nothing"
)
"""Follows every suggestion to use a shared credential."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def reference(instance: str, name: str) -> str:
    """How a bot refers to the credential of another instance."""
    return f"`openaiCreds: {{instance: {_scalar(instance)}, name: {_scalar(name)}}}`"


def own(instance: str) -> str:
    """How to get a credential of the instance's own, and what to write."""
    name = _scalar(f"{instance}-openai")
    words = re.sub("[^A-Z0-9]+", "_", instance.upper()).strip("_")
    variable = f"OPENAI_KEY_{words}" if words else "OPENAI_KEY"
    return (
        "create a second key at OpenAI, which costs nothing in the same project, and write "
        f"`credentials: {{{name}: {{apiKey: !env {variable}}}}}` and `settings: {{openaiCreds: {name}}}`"
    )


def named(name: str) -> str:
    """How settings refer to a credential."""
    return f"`settings: {{openaiCreds: {_scalar(name)}}}`"


def _scalar(text: str) -> str:
    """A text for a flow mapping of YAML; a key that was written where a name belongs is not shown."""
    if looks_like_key(text):
        return "NAME"
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
