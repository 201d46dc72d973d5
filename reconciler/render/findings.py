"""What doctor found, as text for a person, a line each and under it what to do, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from reconciler.domain import safe
from reconciler.domain.findings import Finding, Mark
from reconciler.domain.text import count
from reconciler.render.values import Paint, plain
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/doctor", 1

_SIGNS = {Mark.GOOD: ("✓", "+", "green"), Mark.NOTE: ("!", "!", "yellow"), Mark.BAD: ("✗", "x", "red")}
"""A sign, the same in ASCII, and its colour."""


def text(found: Sequence[Finding], *, paint: Paint = plain, ascii: bool = False, width: int = 100) -> str:
    """All of them, and how many are in the way. width: columns of the terminal."""
    about = max((len(finding.about) for finding in found), default=0)
    indent = " " * (about + 4)
    shown = []
    server = ""
    for finding in found:
        if finding.server != server:
            server = finding.server
            shown += ["", paint(server, "bold")]
        sign, letter, colour = _SIGNS[finding.mark]
        sign = paint(letter if ascii else sign, colour)
        first, *rest = _wrapped(finding.said, width - len(indent))
        shown.append(f"{sign} {finding.about:{about}}  {first}")
        shown += [indent + line for line in rest]
        if finding.todo:
            arrow = "->" if ascii else "→"
            shown += [f"{indent}{line}" for line in _wrapped(f"{arrow} {finding.todo}", width - len(indent))]
    bad = sum(finding.mark is Mark.BAD for finding in found)
    shown += ["", f"{count(bad, 'problem')} found." if bad else "No problems found."]
    return safe.inert("\n".join(shown) + "\n")


def json(found: Sequence[Finding]) -> str:
    """All of them as one JSON document, ending with a newline."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "problems": sum(finding.mark is Mark.BAD for finding in found),
            "findings": [
                {
                    **({"server": finding.server} if finding.server else {}),
                    "mark": finding.mark.value,
                    "about": finding.about,
                    "message": safe.guarded(finding.said),
                    "todo": finding.todo or None,
                }
                for finding in found
            ],
        }
    )


def _wrapped(said: str, room: int) -> list[str]:
    one = safe.line(" ".join(safe.guarded(said).split()))
    return wrap(one, max(room, 40), break_long_words=False, break_on_hyphens=False) or [""]
