"""Versions of the server."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

NEWEST: Version = (2, 3, 7)
"""The version that is assumed for a server of unknown version."""

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:-[\w.]+)?", re.ASCII)


def version(text: str) -> Version:
    """The version in a text such as 2.3.6, 2.2 or v2.4.0-rc2. Raises ValueError."""
    match = _VERSION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no version such as 2.3.6")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def recognized(text: str) -> str:
    """The text if it is a version, else ""."""
    return text if _VERSION.fullmatch(text) else ""
