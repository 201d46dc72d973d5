"""Untrusted text made safe to show: the one place that decides which characters may reach a terminal.

Prompts, names and error texts come from manifests and servers. What moves the cursor, changes colours,
reorders or hides characters is shown as a visible sign instead. Everything else stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

_COMMAND = re.compile(r"(?m:^)([^\S\n]*):(?=:)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+[^\s'\"]+")
_JOINER = "\u200d"
_SIGNS = {"\n": "⏎", "\t": "⇥", "\x7f": "␡"}
_CONTROLS = {
    "\0": "NULL",
    "\t": "TAB",
    "\n": "LINE FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}


def line(text: str) -> str:
    """text as one line without a control character: a newline shows as ⏎, ESC as ␛, others as <U+202E>."""
    return replaced(text, _sign)


def replaced(text: str, sign: Callable[[str], str]) -> str:
    """The text with a sign for every character that may not be shown as it is."""
    if text.isprintable() and _is_latin(text):  # most are, and this is ten times as fast
        return text

    def put(match: re.Match[str]) -> str:
        character = match[0]
        joins = character == _JOINER and _joins_emoji(match.string, match.start())
        return character if joins else sign(character)

    return _unsafe().sub(put, text)


@cache
def _unsafe() -> re.Pattern[str]:
    """Every character that may not be shown as it is. Most texts have none, and are not searched for any."""
    return re.compile(
        "["
        "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1 controls, ESC and newline among them
        "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0e\uffa0"  # shown as nothing
        "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, line separators, bidi controls
        "\ud800-\udfff"  # lone surrogates, which no encoding takes
        "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # as well
        "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # signs of formats
        "\u2800\U00013430-\U0001345f\U00016fe4"  # blanks, and controls of hieroglyphs
        "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use: what they look like depends on the font
        "\ufdd0-\ufdef\ufffe\uffff\U00040000-\U000dffff"  # no characters, or none that any font has
        "\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0003fffe\U0003ffff"
        "]"
    )


def _is_latin(text: str) -> bool:
    """Whether all characters are of Latin-1, of which those are printable that may be shown."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def lines(text: str) -> str:
    """The same, but newlines stay: for text of several lines, such as an error with a list."""
    return "\n".join(line(part) for part in text.split("\n"))


def named(character: str) -> str:
    """A character by its code point and, where it has one, its name in Unicode: `U+2028 LINE SEPARATOR`."""
    name = unicodedata.name(character, _CONTROLS.get(character, ""))
    if not name and unicodedata.category(character) == "Cc":
        name = "a control character"
    return f"U+{ord(character):04X} {name}".rstrip()


def inert(text: str) -> str:
    """The text, no line of which GitHub's runner takes for a workflow command when it stands in a job's log.

    The runner looks for `::name::` at a line's beginning, after any white space, and for `##[name]` anywhere.
    """
    return _COMMAND.sub(r"\1<U+003A>", text).replace("##[", "##<U+005B>")


def guarded(text: str) -> str:
    """The text without what may be a secret in its URLs: a whole one with an @ in it, the query of any other.

    For errors: who mistypes a command has its own words repeated, and one of them may be the server's URL.
    """
    return _URL.sub(_guarded, text)


def _guarded(match: re.Match[str]) -> str:
    if "@" in unicodedata.normalize("NFKC", match[0]) or "%40" in match[0]:
        return "[a URL, not shown]"
    before, mark, after = match[0].partition("?")
    return f"{before}?***" if "=" in after and "***" not in after else f"{before}{mark}{after}"


def cells(text: str) -> int:
    """How many columns of a terminal a safe line takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character) or character in "\u200d\ufe0f"
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _sign(character: str) -> str:
    if sign := _SIGNS.get(character):
        return sign
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"<U+{code:04X}>"


def _joins_emoji(text: str, at: int) -> bool:
    """Whether the zero-width joiner here makes one picture of two, as in a family or a profession."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return _is_picture(before) and _is_picture(after)


def _is_picture(character: str) -> bool:
    return character == "\ufe0f" or (character != "" and unicodedata.category(character) in {"So", "Sk"})
