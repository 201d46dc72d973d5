"""One exchange with a server: a complete answer, or none. Imports nothing that takes long."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from reconciler import __version__
from reconciler.domain.records import dataclass

HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "cache-control": "no-cache",
    "user-agent": f"evolution-reconciler/{__version__}",
}
"""Those of every request; the server's key is added where it is needed."""

BUSY = frozenset({429, 502, 503, 504})
"""What a proxy answers while it, or the server behind it, is not available."""

CALLS = logging.getLogger("reconciler.calls")
"""Gets a line for each exchange."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server, or something in front of it, answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):  # noqa: N818 - it says what happened, as the errors of this project do
    """No complete answer came. Its text completes "Cannot reach the server: …".

    sent: whether the server may have seen the request. lasting: whether trying again is useless. advice: a
    sentence about what to do.
    """

    def __init__(
        self, reason: str, *, sent: bool, lasting: bool = False, advice: str = "Check its URL."
    ) -> None:
        super().__init__(reason)
        self.sent = sent
        self.lasting = lasting
        self.advice = advice


def log_call(method: str, path: str, how: str, seconds: float) -> None:
    """Log an exchange: no query, header or body, which may hold secrets."""
    CALLS.debug("%s %s %s %d ms", method, path.partition("?")[0], how, 1000 * seconds)
