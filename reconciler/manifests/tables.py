"""The keys that a section of a manifest may have, for each kind of bot, and for all kinds together.

Together means that a field is there if any kind has it: `defaults` are for bots of every kind, and each takes
what it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from reconciler.domain.kinds import KINDS, Field, Kind
from reconciler.domain.records import replace
from reconciler.domain.text import listed

FOLDER = ("server", "vars", "settings", "silence", "defaults", "kinds", "bots", "tests")
"""The keys of a folder's file."""

MANIFEST = ("instance", "credentials", *FOLDER)
"""The keys of a manifest."""

FREE = re.compile(r"x-.*|\$schema", re.DOTALL)
"""Keys that either may have and that mean nothing: `x-` for anchors, and an editor's schema."""

IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
"""The name of a variable, of a manifest or of the environment."""

VERSION_SUFFIX = re.compile("@[0-9]+$", re.ASCII)
"""The end of the name of a credential version that a rotation made."""

BOT_NAME = "^[a-z0-9][a-z0-9-]*$"
"""The name of a bot, and the id of a lint rule; at most 64 characters."""

ON_DRIFT = ("update", "replace")

MAX_NAME = 255
"""Characters of the name of an instance or of a credential."""

CREDENTIAL = ("openaiCreds", "openaiCredsId")
"""The two keys that name a credential, where a kind has any: a bot has one of them."""

_EVERY_BOT = ("onDrift", "silence")
_ONE_BOT = ("kind", "previously")
_OF_SETTINGS = ("fallback",)


@cache
def fields(section: str, kind: Kind | None) -> Mapping[str, Field]:
    """The fields of a section: "bot", "defaults" or "settings". kind: None for all kinds together."""
    if kind is not None:
        return kind.settings if section == "settings" else kind.fields
    found: dict[str, list[tuple[Kind, Field]]] = {}
    for each in KINDS.values():
        for name, field in fields(section, each).items():
            found.setdefault(name, []).append((each, field))
    return {name: _together(same) for name, same in found.items()}


def _together(same: list[tuple[Kind, Field]]) -> Field:
    """One field for those that have the same name; a choice of any of them is one."""
    first = same[0][1]
    if len({field for _, field in same}) == 1:
        return first
    whose: dict[str, list[str]] = {}
    for kind, field in same:
        whose.setdefault(field.about, []).append(kind.label)
    about = " ".join(f"{listed(labels)}: {about}" for about, labels in whose.items())
    choices = dict.fromkeys(choice for _, field in same for choice in field.choices)
    return replace(first, about=about, choices=tuple(choices))


@cache
def keys(section: str, kind: Kind | None) -> tuple[str, ...]:
    """Every key of a section: its fields, and what only manifests have."""
    named = CREDENTIAL[:1] if kind is None or kind.credential else ()
    if section == "settings":
        return (*fields(section, kind), *named, *_OF_SETTINGS)
    own = _ONE_BOT if section == "bot" else ()
    return (*fields(section, kind), *named, *_EVERY_BOT, *own)


def kinds_with(section: str, name: str) -> list[Kind]:
    """The kinds whose section has this key."""
    return [kind for kind in KINDS.values() if name in keys(section, kind)]
