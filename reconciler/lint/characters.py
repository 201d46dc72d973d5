"""Checks of characters that a word processor or a web page puts into a value that must match exactly.

A no-break space or a typographic quote is hard to see in a manifest, and the server compares every character,
so the warning shows the code point. The check of secrets in URLs is here too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from reconciler.domain.desired import SecretRef, UrlTemplate
from reconciler.domain.hidden import MASK, Hidden
from reconciler.domain.kinds import KINDS, Type
from reconciler.lint.context import Context, Remark

_TYPED = ("triggerValue", "keywordFinish")
_ALL = {name: field for kind in KINDS.values() for name, field in kind.fields.items()}
IDS = tuple(name for name, field in _ALL.items() if field.refers)
"""Fields that name something outside the manifest."""

EXACT = (*_TYPED, *IDS)
"""Fields whose value must match exactly what a customer, the server or another one has."""

URLS = tuple(name for name, field in _ALL.items() if field.hides == "url")
_NAMES = tuple(name for name in IDS if name not in URLS and _ALL[name].type is Type.TEXT)
_STRANGE = re.compile(r"\s+//|\s|[,;]$|[\"'`]")
"""What no model's name and no id contains."""

_MEANT = {
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u00b4\u02bb\u02bc\uff07", "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d", "-"),
    "\u2026": "...",
}
"""Typographic characters, and those of the keyboard that they replaced."""

_NOTHING = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc")
"""Characters whose category is a letter or symbol, and that are invisible."""

_PICTURE = ("\u200d", "\ufe0f", "\u20e3")
"""What joins and varies emoji; keyboards insert these too."""


def odd_characters(context: Context) -> Iterator[Remark]:
    """Characters that are not what they look like, or are invisible: one remark per text."""
    names = context.has(EXACT)
    for subject, fields in context.holders:
        regex = fields.get("triggerOperator") == "regex"
        for name in names:
            value = fields.get(name)
            if isinstance(value, Hidden):
                value = None if value.ref else value.real
            texts = value if isinstance(value, tuple) else (value,)
            for item, text in enumerate(texts):
                if isinstance(text, str) and (found := _odd(name, text, regex and name == "triggerValue")):
                    yield Remark(subject, name, found, item if isinstance(value, tuple) else None)


def _odd(name: str, text: str, regex: bool) -> str:
    """What is odd in a text of a field; "" for nothing. regex: a class may have both characters."""
    whose = "customers do not type it" if name in _TYPED else "no name or id contains it"
    odd = ""
    if not text.isascii():
        odd = _replaced(name, text, regex, whose) or _other_letter(name, text, regex, whose)
    return (
        odd
        or (_not_of_a_name(name, text, whose) if name in IDS else "")
        or ("" if regex else _commented(name, text, whose))
    )


def _replaced(name: str, text: str, regex: bool, whose: str) -> str:
    """A character that stands for one of the keyboard's, or that is invisible."""
    for place, character in enumerate(text):
        if character.isascii():
            continue
        called = f"{name} contains U+{ord(character):04X} ({unicodedata.name(character, 'no name')})"
        meant = _MEANT.get(character, " " if unicodedata.category(character) == "Zs" else "")
        if meant:
            if not (regex and meant in text):
                return f"{called}, and {whose}: write {meant if meant != ' ' else 'a plain space'}"
        elif character == "\ufffd":
            return f"{called}, so the text was damaged when it was copied or saved: type it again"
        elif _is_unseen(text, place):
            return f"{called}, which is invisible, and {whose}: remove it"
    return ""


def _other_letter(name: str, text: str, regex: bool, whose: str) -> str:
    """A letter of another font or alphabet, or an accent that is a character of its own."""
    if not regex and (other := _lookalike(text)):
        return f"{name} contains U+{ord(other):04X} ({unicodedata.name(other)}), and {whose}: type it again"
    if unicodedata.normalize("NFC", text) != text:
        mark = next((one for one in text if unicodedata.combining(one)), text[0])
        return (
            f"{name} contains U+{ord(mark):04X} ({unicodedata.name(mark, 'no name')}) after its letter, and "
            "keyboards produce a single character for both: type the letter again"
        )
    return ""


def _not_of_a_name(name: str, text: str, whose: str) -> str:
    """A space or another ASCII character that no name and no id contains."""
    if text != text.strip():
        return f"{name} has spaces or a line break around it: remove them"
    if name in _NAMES and (strange := _STRANGE.search(text)):
        hint = ", or write `#` for a comment" if re.search(r"\s(//|/\*)", text) else ""
        return f"{name} contains {strange[0]!r}, and {whose}: remove it{hint}"
    return ""


def _commented(name: str, text: str, whose: str) -> str:
    """What was meant as a comment, after a keyword or a URL."""
    sign = re.search(r"\s(//|/\*)(?:\s|$)", text)
    return f"{name} contains {sign[1]!r}, and {whose}: write `#` for a comment" if sign else ""


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
        for name in URLS:
            value = bot.fields.get(name)
            if isinstance(value, Hidden) and (value.ref is None or _has_more(value.ref)):
                yield Remark(
                    bot,
                    name,
                    f"{name} ({value}) contains what looks like a secret, which everybody who can read the "
                    "repository can read: revoke it, put the new one into an environment variable, and write "
                    f"${{env:NAME}} in its place, or {name}: !env NAME for the whole URL",
                )


def _has_more(ref: SecretRef) -> bool:
    """Whether a URL with variables has what looks like a secret beside them."""
    return isinstance(ref, UrlTemplate) and MASK in ref.shown
