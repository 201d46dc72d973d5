"""Starts the process that reads ahead (reader.py).

Imports little, so that it starts before all that this process needs is imported.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread


@dataclass(frozen=True, slots=True)
class Guess:
    """An instance that will probably be read. credentials: whether those too."""

    instance: str
    credentials: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """The other process, and the socket on which its answers come."""

    process: subprocess.Popen[bytes]
    socket: socket.socket

    def end(self) -> None:
        """End the process: when this returns, it asks for nothing more."""
        self.process.kill()
        self.process.wait()


@contextmanager
def reading(
    options: Mapping[str, object], guesses: Sequence[Guess], *, listing: bool
) -> Iterator[Reader | None]:
    """Reads these instances ahead for the length of the block; None where that cannot be done.

    options: of the Server, by their names. listing: whether the server's instances are listed too.
    """
    if os.name != "posix":  # elsewhere no process takes a socket for its stdin
        yield None
        return
    order = json.dumps([options, [[one.instance, one.credentials] for one in guesses], listing])
    ours, theirs = socket.socketpair()
    # -P: no module is imported from the working directory. The key stands in no argument.
    command = [sys.executable, "-P", "-m", "reconciler.evolution.reader"]
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this program
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        with process:
            reader = Reader(process, ours)
            try:
                Thread(target=_send, args=(ours, order.encode() + b"\n"), daemon=True).start()
                yield reader
            finally:
                reader.end()


def _send(ours: socket.socket, order: bytes) -> None:
    with suppress(OSError):
        ours.sendall(order)
