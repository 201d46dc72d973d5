"""What a person sees while a server is read: a live line on a terminal, in a log a line now and then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from reconciler.cli import streams
from reconciler.cli.options import is_quiet

PATIENCE = 1.0
"""Seconds before the live line is shown."""

BETWEEN_LINES = 10.0
"""Seconds from one line of a log to the next."""

_BETWEEN_UPDATES = 0.2
_CLEAR = "\r\x1b[K"


@contextmanager
def reading() -> Iterator[Callable[[int, int], None]]:
    """Shows on stderr, while the block runs, how many instances are read of how many.

    Yields what takes the two numbers. The line is shown on a silent server too: a thread of its own does it.
    """
    numbers = [0, 0]
    done = Event()

    def read(number: int, of: int) -> None:
        numbers[:] = number, of

    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    thread = Thread(target=_live if live else _log, args=(numbers, done), daemon=True)
    if is_quiet() or streams.shows_calls():  # which says more
        yield read
        return
    thread.start()
    try:
        yield read
    finally:
        done.set()
        thread.join()


def _live(numbers: list[int], done: Event) -> None:
    shown = False
    wait = PATIENCE
    while not done.wait(wait):
        wait = _BETWEEN_UPDATES
        shown = True
        _write(f"{_CLEAR}{_said(numbers)}")
    if shown:
        _write(_CLEAR)


def _log(numbers: list[int], done: Event) -> None:
    while not done.wait(BETWEEN_LINES):
        _write(f"{_said(numbers)}\n")


def _said(numbers: list[int]) -> str:
    number, of = numbers
    return f"Reading the server: {number} of {of} instances read." if of else "Reading the server."


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # stderr is closed
        sys.stderr.write(text)
        sys.stderr.flush()
