"""How a signal ends an apply: after the calls in flight, so that its results are shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from reconciler.apply.applier import Stop
from reconciler.domain import signals


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within the block the first signal asks for a stop after the call in flight; a second ends the process.

    Show the results within the block too, so that a signal does not lose them.
    """
    stop = Stop()

    def ask(number: int, frame: object) -> None:
        stop.signal, stop.reason = number, signals.NAMES[number]
        signals.kill_next(signals.INTERRUPT, signals.TERMINATE)
        with suppress(OSError):  # not through the stream, which this handler may have interrupted
            os.write(2, b"\nFinishing the call in flight. A second signal stops at once.\n")

    with signals.handled(dict.fromkeys(signals.NAMES, ask)):
        yield stop
