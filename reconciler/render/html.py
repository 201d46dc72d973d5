"""HTML blocks within markdown, with foreign text escaped, and how many bytes they take.

No line of a block is empty, as that would end it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.domain import safe
from reconciler.render.values import clip

_ROWS = 100  # of a table with limited room

# Quotes need no escape between tags. Mentions, issue numbers, fences and commands of the runner are escaped
# too, although none has a meaning here, so that the text is safe wherever it is shown.
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "@#`"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}


def code(text: str, room: int | None = None) -> str:
    """Foreign text on one line. room: the most characters, before they are escaped."""
    shown = safe.line(text)
    return f"<code>{(shown if room is None else clip(shown, room)).translate(_ENTITIES)}</code>"


def opened(summary: str, body: str, *, unfolded: bool = False) -> str:
    """The beginning of a block that can be folded, which `closed` ends."""
    return f"<details{' open' if unfolded else ''}>\n<summary>{summary}</summary>\n{body}"


def closed(start: str, diffs: Sequence[str]) -> str:
    """The block whose beginning `opened` made, with diffs at the end of its body."""
    # The empty line ends a fence at the end of the body, and does no harm before a tag.
    return "\n\n".join([start, *diffs]) + "\n\n</details>"


def folded(summary: str, body: str) -> str:
    """A folded block."""
    return closed(opened(summary, body), [])


def table(head: Sequence[str], rows: Sequence[Sequence[str]], room: int | None = None) -> str:
    """A table; "" without rows. Cells are HTML. room: bytes for the rows; those left out are counted."""
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    shown = lines if room is None else fitting(lines[:_ROWS], room)
    if len(shown) < len(lines):
        shown.append(f'<tr><td colspan="{len(head)}">and {len(lines) - len(shown)} more</td></tr>')
    top = "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"
    return "\n".join(["<table>", top, *shown, "</table>"]) if lines else ""


# -- bytes -------------------------------------------------------------------------------------


def size(*parts: str) -> int:
    """Bytes that the parts take on a page."""
    return sum(len(part.encode()) + len("\n\n") for part in parts)


def fitting(parts: Iterable[str], room: int, between: int = 2) -> list[str]:
    """The first parts that fit into so many bytes. between: bytes between two of them."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part.encode()) + between
        if room < 0:
            break
        fitting.append(part)
    return fitting
