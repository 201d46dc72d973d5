"""Ownership markers in descriptions: `Front desk [gitops:atendimento]~9d1f03ab~off20261128`.

A bot on the server has no name, only a description of at most 255 characters. The marker in it says
whose the bot is and what its manifest calls it, the stamp behind it what the last apply wrote, and the mark
behind that when `reconciler disable` switched the bot off.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache

OWNER = re.compile(r"(?=[0-9_.-]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
"""What an owner may be called: not digits alone, so that `[8:18]` is a time of day."""

_OFF = r"[ \t]*~[ \t]*off[ _-]?([0-9]{4})-?(0[1-9]|1[0-2])-?(0[1-9]|[12][0-9]|3[01])\b"
"""The mark, as a person may have left it. We write `~off20261128`, a form that earlier versions, which do not
know it, take for the end of a description."""

_ANY = re.compile(
    r"\[\s*([a-z0-9][a-z0-9_.-]{0,31})\s*:\s*([a-z0-9][a-z0-9-]*)\s*\]"
    rf"(~[0-9a-f]{{8}}\b(?:{_OFF})?|{_OFF})?",
    re.IGNORECASE,
)

NO_MARKER = "it carries no marker"
"""Why most unmanaged bots are left alone."""

LIMIT = 255
"""Characters of a description."""

STAMP_LENGTH = len("~") + 8

_STAMP = r"(?:~([0-9a-f]{4})([0-9a-f]{4})\b)?"

_MARK = rf"(?:{_OFF})?"


@cache
def pattern(owner: str) -> re.Pattern[str]:
    """Our own marker is found even where a person has changed its case or spacing."""
    return re.compile(
        rf"\[\s*{re.escape(owner)}\s*:\s*([a-z0-9][a-z0-9-]*)\s*\]{_STAMP}{_MARK}", re.IGNORECASE
    )


def owners(description: str) -> set[str]:
    """Whose markers a description carries, of any owner: those that an apply wrote, which leaves a stamp.

    One without a stamp is a person's words, such as `[8:18]` and `[seg:sex]`. Only its own owner takes it for
    a marker, so that a person can bind a bot by hand.
    """
    return {found[1] for found in _ANY.finditer(description) if found[3]}


def claimed(text: str) -> str:
    """The first of what an owner could take for its marker in a text; "" where there is none."""
    for each in _ANY.finditer(text):
        if each[3] or each[1][0].isalpha():
            return each[0]
    return ""


def describe(text: str, owner: str, name: str, off: str = "", stamp: str = "") -> str:
    """The description to be stored: the human's text, then the marker. What is too long costs the text.

    There is always room left for a stamp, which comes with the next write. off: the day since which the bot
    is switched off, which is marked.
    """
    marker, mark = f"[{owner}:{name}]", _mark(off)
    text = text.rstrip()
    if not text:
        return marker + stamp + mark
    room = LIMIT - STAMP_LENGTH - len(marker) - len(mark) - 1
    if len(text) > room:
        text = text[: room - 1].rstrip() + "…"
    return f"{text} {marker}{stamp}{mark}"


def with_stamp(description: str, owner: str, name: str, stamp: str) -> str:
    """The description with a stamp behind our marker, in the place of the one that may be there."""
    return _written(description, owner, name, switched_off(description, owner), stamp)


def with_mark(description: str, owner: str, name: str, off: str) -> str:
    """The description with a mark that the bot is switched off since a day (2026-11-28); "" takes it away."""
    return _written(description, owner, name, off, stamped(description, owner))


def _written(description: str, owner: str, name: str, off: str, stamp: str) -> str:
    written = pattern(owner).sub(lambda _: f"[{owner}:{name}]{stamp}{_mark(off)}", description)
    if len(written) <= LIMIT:
        return written
    return describe(human_text(description, owner), owner, name, off, stamp)


def switched_off(description: str, owner: str) -> str:
    """The day in the mark of a bot that `reconciler disable` switched off, as in 2026-11-28; "" for none."""
    found = pattern(owner).search(description)
    return _day(found) if found else ""


def _day(found: re.Match[str]) -> str:
    return "-".join(found.group(4, 5, 6)) if found[4] else ""


def _mark(off: str) -> str:
    """What is noted behind the stamp of a bot that is switched off since this day."""
    return f"~off{off.replace('-', '')}" if off else ""


def human_text(description: str, owner: str) -> str:
    """The description without our marker."""
    if not pattern(owner).search(description):
        return description.strip()
    return re.sub(r"[ \t]{2,}", " ", pattern(owner).sub(" ", description)).strip()


def name_of(description: str, owner: str) -> str:
    """The name in our marker; "" where it is not ours."""
    found = pattern(owner).search(description)
    return found[1].lower() if found else ""


def marked(description: str, owner: str, name: str) -> bool:
    """Whether the description carries exactly our marker for this name, in the form that we write."""
    return len(pattern(owner).findall(description)) == 1 and f"[{owner}:{name}]" in description


def unstamped(description: str, owner: str, *, marked: bool = False) -> str:
    """The description without the stamp after our marker, and without the mark.

    marked: the mark stays, in the form that we write.
    """

    def bare(found: re.Match[str]) -> str:
        return found[0].partition("~")[0].rstrip() + (_mark(_day(found)) if marked else "")

    return pattern(owner).sub(bare, description)


def stamp(declared: object, state: object) -> str:
    """What is noted after the marker when a bot is written: what was declared, and what it became.

    Four hex digits each: enough to tell who moved since, too few to be taken for more.
    """
    return "~" + "".join(
        hashlib.sha256(json.dumps(each).encode()).hexdigest()[:4] for each in (declared, state)
    )


def stamped(description: str, owner: str) -> str:
    """The stamp that a description carries; "" for none."""
    found = pattern(owner).search(description)
    return f"~{found[2]}{found[3]}".lower() if found and found[2] else ""
