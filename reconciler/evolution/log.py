"""The log of the exchanges with the server, which --verbose shows."""

from __future__ import annotations

import logging

CALLS = logging.getLogger("reconciler.calls")


def log_call(method: str, path: str, how: str, seconds: float) -> None:
    """Log an exchange: no query, header or body, which may hold secrets."""
    CALLS.debug("%s %s %s %d ms", method, path.partition("?")[0], how, 1000 * seconds)
