"""Names for bots, files of manifests, and variables of keys that have none. Pure.

The same server gives the same names each time. They are made from texts of the server, but of ASCII letters,
digits, hyphens and underscores alone, so none leads out of a directory or is special to a file system.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import DEFAULT, Kind
from reconciler.domain.observed import RemoteBot
from reconciler.importer import layout

LONGEST = 40
"""The most characters of a new name."""

_PLAIN_STEM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?", re.ASCII)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # files of Windows
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th"})
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ADVANCED = re.compile(r"\bnotcontains:\S*|\b(?:contains|startswith|endswith|exact):", re.IGNORECASE)


def slug(text: str) -> str:
    """The text in lower-case letters, digits and hyphens, cut between words; "" when nothing is left."""
    folded = unicodedata.normalize("NFKD", text[:500].casefold().translate(_LETTERS))
    words = re.findall("[a-z0-9]+", "".join(c for c in folded if not unicodedata.combining(c)))
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word[:LONGEST]
        if len(longer) > LONGEST:
            break
        name = longer
    return name


def bot(text: str, remote: RemoteBot) -> str:
    """What a bot may be called: after its description's text, its trigger, its model or flow, or its kind."""
    kind, fields = remote.kind, remote.fields
    if name := slug(text):
        return f"bot-{name}" if name.isdigit() else name
    if name := _after_trigger(fields):
        return name
    keys = (name for name in layout.identity(kind, fields) if not kind.fields[name].hides)
    named = slug(str(fields.get(next(keys, ""), "")))
    return named or ("bot" if kind is DEFAULT else slug(kind.label))


def _after_trigger(fields: Fields) -> str:
    value = str(fields.get("triggerValue", ""))
    match fields.get("triggerType"):
        case "all":
            return "catch-all"
        case "keyword":
            name = slug(re.sub(r"\\[A-Za-z]", " ", value) if fields["triggerOperator"] == "regex" else value)
            return f"menu-{name}" if name.isdigit() else name
        case "advanced":
            return slug(_ADVANCED.sub(" ", value))
    return ""


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with -2, -3 and so on behind it where it is taken. taken: in lower case."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def stems(instances: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The name of a manifest's file without its ending, for each instance, by its name.

    An instance's own name where any file system can hold it, else a slug. No two differ in case alone. A slug
    is none of taken, which are in lower case.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    rest: list[str] = []
    for name in sorted(instances, key=lambda name: (name.lower(), name.swapcase())):
        if _PLAIN_STEM.fullmatch(name) and not _DEVICE.fullmatch(name) and name.lower() not in used:
            found[name] = name
            used.add(name.lower())
        else:
            rest.append(name)
    for name in rest:
        stem = file_name(slug(name) or "instance")
        found[name] = unique(stem, used | set(taken))
        used.add(found[name])
    return found


def file_name(name: str) -> str:
    """The slug, changed where Windows would take it for a device."""
    return f"{name}-1" if _DEVICE.fullmatch(name) else name


def secret(kind: Kind, field: str, whose: Iterable[str], taken: Collection[str]) -> str:
    """The environment variable for a field's value, such as DIFY_KEY_LOJA_MENU.

    whose: the instance and the bot that have it, as far as it is theirs alone.
    """
    words = slug(_CAMEL.sub("-", field)).removeprefix("api-")
    of = "" if kind is DEFAULT else slug(_CAMEL.sub("-", kind.path))
    return _variable([of, words, *map(slug, whose)], taken)


def variable(credential: str, instance: str, taken: Collection[str]) -> str:
    """The environment variable for a credential's key: OPENAI_KEY_ and what tells it from others."""
    words = [word for word in slug(credential).split("-") if word not in ("openai", "key", "")]
    return _variable(["openai-key", *(words or slug(instance).split("-"))], taken)


def _variable(words: Iterable[str], taken: Collection[str]) -> str:
    used = {one.lower().replace("_", "-") for one in taken}
    return unique("-".join(filter(None, words)), used).replace("-", "_").upper()
