"""Short pieces of untrusted text for messages, and checks of a text by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeGuard

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_KEY = re.compile(r"(sk-|gsk_|xai-|pplx-|hf_|r8_|nvapi-|csk-|tgp_v1_|AIza)[\w-]{16,}", re.ASCII)


def quoted(text: str) -> str:
    """A text of unknown origin, fit to be shown: on one line, without control characters or keys, short."""
    text = without_keys(text)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def looks_like_key(text: str) -> bool:
    """Whether it contains an api key, judging by the prefixes of well-known providers."""
    return bool(_KEY.search(text))


def without_keys(text: str) -> str:
    """The text, without what follows the prefix of an API key."""
    return _KEY.sub(r"\1…", text)


def near(text: str, names: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when one of the names is near, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415  only errors need it

    folded = {name.casefold(): name for name in names}
    close = get_close_matches(text[:64].casefold(), folded, 1)
    return f" (did you mean {quoted(folded[close[0]])}?)" if close else ""


def listed(words: Iterable[str], last: str = "and") -> str:
    """The words in a sentence: `a, b and c`."""
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end


def count(number: int, noun: str) -> str:
    """`1 bot`, `2 bots`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def is_id(value: object) -> TypeGuard[str]:
    """Whether it is an id that can be used."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
