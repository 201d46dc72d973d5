"""The variables that manifests name, as lines of an env file to fill in, and as JSON. No value is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.domain import safe
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/keys", 1

_MOST = 3
"""Uses that are named for one variable."""

Needed = Mapping[str, tuple[bool, Sequence[str]]]
"""By the variable's name: whether it is set, and what it is for."""


def text(needed: Needed) -> str:
    """A line for each: `NAME=` for one that is not set. What a person fills in is an env file."""
    lines = []
    for name, (is_set, uses) in needed.items():
        more = f" and {len(uses) - _MOST} more" if len(uses) > _MOST else ""
        lines.append(f"# {safe.line(', '.join(uses[:_MOST]))}{more}")
        lines.append(f"# {name} is set here" if is_set else f"{name}=")
    return safe.inert("".join(f"{line}\n" for line in lines))


def json(needed: Needed) -> str:
    """All of them as one JSON document, ending with a newline."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "missing": [name for name, (is_set, _) in needed.items() if not is_set],
            "keys": [{"name": n, "set": is_set, "for": list(uses)} for n, (is_set, uses) in needed.items()],
        }
    )
