"""The embedded server: an Evolution API 2.3.6 for its bots, to try the tool on and to test it with.

An independent double: written after the real server's public source, proved by recordings of it, and
without a line of the reconciler's own planning. Importing this package costs nothing; the server's
libraries come with the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.sandbox.server import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from reconciler.sandbox import server  # noqa: PLC0415 - lazy is the point

    return getattr(server, name)
