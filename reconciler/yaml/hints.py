"""A line that YAML reads in another way than its author meant → what to write instead. Pure.

People paste texts that start with a sign of YAML's, comments of other languages, and blanks that only look
like spaces. Shows nothing that may be secret.
"""

from __future__ import annotations

import re

from reconciler.domain.safe import named
from reconciler.yaml import emit

BLANKS = (
    "\x85\xa0\xad\u034f\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff"
    "\uffa0"
)
"""Characters that only look like a space or like nothing, for a character class of a regex."""

_LINE = re.compile(r"""((?:-[ \t]+)*)((?:[\w$.-]+|"[^"]*"|'[^']*'):[ \t]+)?(\S.*)""")
_STRUCTURE = re.compile(r"""[{\[]$|\{(?!\{).*:|<<|["'].*,$""")
"""Not a text, but a mapping or list that goes on or is inside another one."""

_SIGNS = "*&!|>{}[]?-,@`%\"'#"
_SECRET = re.compile(r"key(?!word)|url|token|secret|pass|auth|cred|sk-", re.IGNORECASE)
_LONGEST = 100
_FAR = 300
_MISPLACED = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"[ \t]*?(\t)", "a tab is used where YAML needs spaces: indent with spaces"),
        (rf"[ \t]*([{BLANKS}])", "{name} is used where YAML needs spaces: indent with spaces"),
        (
            rf"[ \t]*(?:-|[\w$.'\"-]+:)([{BLANKS}])",
            "{name} is used where YAML needs a space: write a space",
        ),
        (r" *-(\t)", "a tab is used where YAML needs a space: write a space"),
        (r"[ \t]*(```|~~~)", "a Markdown code fence is not YAML: remove the line"),
        (r"(?:.*?[\s,{\[])??(//|/\*)", "`{sign}` does not start a comment in YAML: write `#`"),
    )
)
"""What YAML refuses in a line, as the first group, and the message for it."""

_BULLET = re.compile(r"[ \t]*([*•–—])[ \t]")
_SEPARATED = re.compile(r"""[ \t]*(?:- +)*[\w$.-]+(?:[ \t]*([=\uff1a\ufe55\u2236])|(:)(?=[^\s:/]))""")
"""A key with another sign instead of `:`, or without the space after it."""


def quoted(text: str, at: int, *, item: bool = False, comment: bool = False) -> str:
    """The line at this place with its value in quotes: `key: "value"`.

    item: of a list: what is in brackets is quoted one by one, and a key is part of the text.
    comment: what YAML reads as a comment is part of the text.
    "" where the value needs no quotes, and where it may be secret.
    """
    line = _line(text, at)[1].strip()
    match = _LINE.fullmatch(line)
    if match is None or not (match[1] or match[2]) or len(line) > _LONGEST:
        return ""
    if _SECRET.search(line) or _below_credentials(text, at):
        return ""
    key, value = f"{match[1]}{match[2] or ''}", match[3]
    if item and match[1]:
        key, value = match[1], f"{match[2] or ''}{value}"
    if value[0] != "#" and not comment:
        value = re.split(r"[ \t]#", value)[0].rstrip()
    plain = value[0] not in _SIGNS and not re.search(r":(?:\s|$)", value)
    if (plain and not comment) or _STRUCTURE.match(value):
        return ""
    listed = item and not match[1]
    if value[0] == "[" and value[-1] == "]" and (listed or value[1:-1].strip()[:1] in tuple("@*&!%`'\"")):
        written = f"{key}[{', '.join(_quoted(item.strip()) for item in value[1:-1].split(','))}]"
    else:
        written = key + _quoted(value)
    return written if written.isprintable() and written != line else ""


def write(text: str, at: int) -> str:
    """`: write …` for the same line; "" where it may not be shown."""
    line = quoted(text, at)
    return f": write {line}" if line else ""


def _quoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return emit.scalar(value, indent=0, style="'" if "\\" in value or '"' in value else '"', flow=True)


def _below_credentials(text: str, at: int) -> bool:
    """Whether the line is below `credentials:`, or may be: only some lines above are looked at."""
    start, line = _line(text, at)
    inner = _depth(line)
    for _ in range(_FAR):
        if not start or not inner:
            return False
        start, line = _line(text, start - 1)
        if line.strip() and not line.lstrip().startswith("#") and _depth(line) < inner:
            inner = _depth(line)
            if "credentials" in line:
                return True
    return True


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def misplaced(text: str, at: int) -> tuple[str, int] | None:
    """The cause of a syntax error other than a text without quotes: a message, and its place."""
    start, line = _line(text, at)
    above, before = _line(text, start - 1) if start else (0, "")
    for pattern, message in _MISPLACED:
        for begin, each in ((start, line), (above, before)):
            if found := pattern.match(each):
                return message.format(name=named(found[1][0]), sign=found[1]), begin + found.start(1)
    if found := _BULLET.match(line):
        return f"`{found[1]}` does not start an item of a list: write `- `", start + found.start(1)
    if text[at : at + 1] in (",", ";") and text[:at].rstrip(" ")[-1:] in ("'", '"'):
        return f"`{text[at]}` follows a value, which in YAML ends with its line: remove it", at
    return None


def separated(text: str, at: int) -> tuple[str, int] | None:
    """What a line, or the one above, has instead of a key's `: `: a message, and its place."""
    start, line = _line(text, at)
    above, before = _line(text, start - 1) if start else (0, "")
    for begin, each in ((start, line), (above, before)):
        found = _SEPARATED.match(each) if _depth(each) == _depth(line) else None
        if found is None:
            continue
        if found[2]:
            return "a space is missing after the `:` of a key: add it", begin + found.start(2)
        sign = "`=`" if found[1] == "=" else named(found[1])
        return f"{sign} is used where YAML needs `: `: write a colon and a space", begin + found.start(1)
    return None


def blank(sign: str) -> str:
    """The message for a blank that is not a space before a key."""
    return f"{named(sign)} is used where YAML needs spaces: indent with spaces"


def _line(text: str, at: int) -> tuple[int, str]:
    """The start of the line at this place, and the line."""
    start = text.rfind("\n", 0, at) + 1
    stop = text.find("\n", at)
    return start, text[start : stop if stop >= 0 else len(text)]
