"""What is particular to a kind of chatbot, as data: its path, its fields, its keys. A file a kind.

The one description of a bot's fields. Validation, the JSON Schema, the comparison, the display, the
completion of a create and the sandbox all read these tables. Rules come from the server's public source and
from recorded exchanges: OpenAI's with 2.2.3 and 2.3.6, the other kinds' with 2.3.6. This package imports
nothing heavy and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.kinds.dify import DIFY
from reconciler.domain.kinds.evoai import EVOAI
from reconciler.domain.kinds.evolution_bot import EVOLUTION_BOT
from reconciler.domain.kinds.flowise import FLOWISE
from reconciler.domain.kinds.model import INT32_MAX, Field, Kind, Schema, Type, Value
from reconciler.domain.kinds.n8n import N8N
from reconciler.domain.kinds.openai import OPENAI
from reconciler.domain.kinds.typebot import TYPEBOT

__all__ = ["DEFAULT", "INT32_MAX", "KINDS", "OPENAI", "Field", "Kind", "Schema", "Type", "Value"]

KINDS: Mapping[str, Kind] = {
    kind.path: kind for kind in (OPENAI, TYPEBOT, DIFY, FLOWISE, N8N, EVOAI, EVOLUTION_BOT)
}
"""Every kind, by its name in manifests, which is its path too."""

DEFAULT = OPENAI
"""The kind of a bot whose manifest names none."""
