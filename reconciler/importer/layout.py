"""The keys of a bot in a manifest: in which order they are written, and which may become defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reconciler.domain.kinds import KINDS, Field, Kind, Type

CREDENTIAL = "openaiCreds"
"""What a manifest calls the credential that it names."""

_EVERYWHERE = frozenset.intersection(*(frozenset(kind.fields) for kind in KINDS.values()))
"""The fields that bots of every kind have."""


@cache
def order(kind: Kind) -> tuple[str, ...]:
    """The keys of a bot: what it is, what starts it, what else is its own, what is copied, its prompts."""
    first = (
        *("kind", "description", "enabled", CREDENTIAL, *filter(None, [kind.credential]), "botType"),
        *("triggerType", "triggerOperator", "triggerValue"),
    )
    last = (*copied(kind), *prompts(kind))
    return (*first, *(name for name in kind.fields if name not in first + last), *last)


@cache
def copied(kind: Kind) -> tuple[str, ...]:
    """The fields that a create copies from the settings."""
    return tuple(field.name for field in kind.fields.values() if field.from_settings)


@cache
def prompts(kind: Kind) -> tuple[str, ...]:
    """The fields that are lists of prompts."""
    return tuple(
        field.name for field in kind.fields.values() if field.type is Type.TEXTS and not field.from_settings
    )


@cache
def settings(kind: Kind) -> tuple[str, ...]:
    """The keys of settings."""
    return (CREDENTIAL, *kind.settings, "fallback")


@cache
def needed(kind: Kind) -> frozenset[str]:
    """The keys that a bot of the kind cannot be declared without, if it has them."""
    keys = kind.keys.values() if kind.omitted_key == "refused" else ()
    parts = (*keys, *kind.trigger_parts.values())
    return frozenset({*_always(kind), *(name for names in parts for name in names)})


def lacks(kind: Kind, fields: Mapping[str, object]) -> list[str]:
    """What a bot with these fields lacks so that it can be declared."""
    names = [*_always(kind), *kind.trigger_parts.get(str(fields.get("triggerType")), ())]
    names += kind.key(fields) if kind.omitted_key == "refused" else ()
    return [name for name in dict.fromkeys(names) if fields.get(name) in (None, "")]


def identity(kind: Kind, fields: Mapping[str, object]) -> list[str]:
    """The fields of a bot's key without which it is none of its kind, but for its botType."""
    return [
        name
        for name in kind.key(fields)
        if name != "botType" and (kind.omitted_key == "refused" or kind.fields[name].required)
    ]


def _always(kind: Kind) -> list[str]:
    return [name for name, field in kind.fields.items() if field.required or name == kind.credential]


# -- defaults ---------------------------------------------------------------------------------


@cache
def common(kind: Kind) -> tuple[str, ...]:
    """The keys that may become a default of bots of all kinds."""
    return ("enabled", "triggerType", "triggerOperator", *copied(kind))


@cache
def own(kind: Kind) -> tuple[str, ...]:
    """The keys that may become a default of bots of this kind only."""
    named = (CREDENTIAL,) if kind.credential else ()
    return (*named, *(field.name for field in kind.fields.values() if _may_be_shared(field, kind)))


def _may_be_shared(field: Field, kind: Kind) -> bool:
    """Whether several bots of a kind may have one value of a field of its own."""
    return (
        field.name not in _EVERYWHERE
        and field.name != kind.credential
        and field.type in (Type.TEXT, Type.ENUM)
        and (field.name,) not in kind.keys.values()
    )


def often(key: str, kind: Kind) -> bool:
    """Whether a key becomes a default even where some bots differ."""
    if key in (CREDENTIAL, "enabled"):
        return True
    field = kind.fields[key]
    return field.from_settings or (key not in _EVERYWHERE and not field.hides)
