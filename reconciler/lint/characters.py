"""The checks of characters that a text processor or a web page puts into a value that must match exactly.

Nobody sees a no-break space or a typographic quote in a manifest, and the server compares every character, so
the code point is shown. Here is also the check of secrets in URLs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import OPENAI
from reconciler.lint.context import Context, Remark

_TYPED = ("triggerValue", "keywordFinish")
IDS = ("model", "openaiCredsId", "assistantId", "functionUrl", "ignoreJids")
"""Fields that name what is elsewhere."""

EXACT = (*_TYPED, *IDS)
"""Fields whose value a customer, the server or OpenAI has to match to the letter."""

_NAMES = ("model", "openaiCredsId", "assistantId")
_STRANGE = re.compile(r"\s+//|\s|[,;]$|[\"'`]")
"""What no name of a model and no id has."""

SECRET = tuple(name for name, field in OPENAI.fields.items() if field.hides)

_MEANT = {
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u00b4\uff07", "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    "\u2026": "...",
}
"""What a text processor makes of signs of a keyboard."""

_NOTHING = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters by their category that show as nothing."""

_PICTURE = ("\u200d", "\ufe0f", "\u20e3")
"""What emoji are joined and dressed with; a keyboard puts these in as well."""


def odd_characters(context: Context) -> Iterator[Remark]:
    """Characters that are not what they look like, or look like nothing, one remark a text."""
    for subject, fields in context.holders():
        regex = fields.get("triggerOperator") == "regex"
        for name in EXACT:
            value = fields.get(name)
            if isinstance(value, Hidden):
                value = None if value.ref else value.real
            texts = value if isinstance(value, tuple) else (value,)
            for item, text in enumerate(texts):
                if isinstance(text, str) and (said := _odd(name, text, regex and name == "triggerValue")):
                    yield Remark(subject, name, said, item if isinstance(value, tuple) else None)


def _odd(name: str, text: str, regex: bool) -> str:
    """What is odd in a text of a field; "" for nothing. regex: so that a class may have both signs."""
    whose = "customers do not type it" if name in _TYPED else "no name or id has it"
    for place, character in enumerate(text):
        if character.isascii():
            continue
        called = f"{name} holds U+{ord(character):04X} ({unicodedata.name(character, 'no name')})"
        meant = _MEANT.get(character, " " if unicodedata.category(character) == "Zs" else "")
        if meant:
            if not (regex and meant in text):
                return f"{called}, and {whose}: write {meant if meant != ' ' else 'a plain blank'}"
        elif _is_unseen(text, place):
            return f"{called}, which cannot be seen, and {whose}: remove it"
    if not regex and (other := _lookalike(text)):
        return f"{name} holds U+{ord(other):04X} ({unicodedata.name(other)}), and {whose}: type it again"
    if unicodedata.normalize("NFC", text) != text:
        mark = next((one for one in text if unicodedata.combining(one)), text[0])
        return (
            f"{name} holds U+{ord(mark):04X} ({unicodedata.name(mark, 'no name')}) behind its letter, and "
            "keyboards make one character of the two: type the letter again"
        )
    said = ""
    if name in IDS and text != text.strip():
        said = f"{name} has blanks or a line break around it, and {whose}: remove them"
    elif name in _NAMES and (strange := _STRANGE.search(text)):
        hint = ", or write `#` for a comment" if re.search(r"\s(//|/\*)", text) else ""
        said = f"{name} holds {strange[0]!r}, and {whose}: remove it{hint}"
    return said


def _lookalike(text: str) -> str:
    """A letter of another font or alphabet that looks like one of the others; "" for none."""
    word: str
    for word in re.findall(r"[^\W_]+", text):
        if word.isascii():
            continue
        scripts: dict[str, str] = {}
        for letter in word:
            if unicodedata.decomposition(letter).startswith("<font>") or "\ufb00" <= letter <= "\ufb06":
                return letter
            scripts.setdefault(unicodedata.name(letter, "").partition(" ")[0], letter)
        if "LATIN" in scripts and (other := scripts.get("CYRILLIC") or scripts.get("GREEK")):
            return other
    return ""


def _is_unseen(text: str, place: int) -> bool:
    character = text[place]
    if (
        character in _PICTURE
        and place
        and unicodedata.category(text[place - 1]) in {"So", "Sk", "Mn", "Po", "Nd"}
    ):
        return False
    if character in _NOTHING:
        return True
    variation = 0xFE00 <= ord(character) <= 0xFE0F
    return variation or unicodedata.category(character) in {"Cf", "Cc", "Zl", "Zp", "Cn", "Co"}


def secret_in_url(context: Context) -> Iterator[Remark]:
    """A URL in the manifest that has a secret in it."""
    for bot in context.bots:
        for name in SECRET:
            value = bot.fields.get(name)
            if isinstance(value, Hidden) and value.ref is None:
                yield Remark(
                    bot,
                    name,
                    f"{name} ({value}) has what looks like a secret in it, which everybody has who reads "
                    f"the repository: revoke it, put the new one into a variable, and say {name}: !env NAME",
                )
