"""Starts the process that reads ahead (reader.py).

Imports little, so that it starts before all that this process needs is imported.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

from reconciler.evolution.received import Received, Splitter

PATIENCE = 10.0
"""Seconds beyond a request's own limit in which an answer must come; else no more are waited for."""

MOST_KEPT = 64 * 2**20
"""Bytes of answers that are kept for later."""

_CHUNK = 2**18


@dataclass(frozen=True, slots=True)
class Guess:
    """An instance that will probably be read. credentials: whether those too."""

    instance: str
    credentials: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """The other process, and the socket on which its answers come.

    splitter: of what has come. early: answers that came before Ahead took them over.
    """

    process: subprocess.Popen[bytes]
    socket: socket.socket
    splitter: Splitter = field(default_factory=Splitter)
    early: list[Received] = field(default_factory=list)

    def received(self, patience: float) -> Iterator[Received]:
        """The answers as they come, until none comes for that many seconds, or no more does.

        They are also kept for Ahead, as long as they are not too many: it can ask for them once more.
        """
        kept = 0
        with suppress(OSError, ValueError, LookupError):
            while select.select([self.socket], [], [], patience)[0]:
                data = self.socket.recv(_CHUNK)
                if not data:
                    return
                for one in self.splitter.add(data):
                    kept += len(one.body)
                    if kept <= MOST_KEPT:
                        self.early.append(one)
                    else:
                        self.early.clear()
                    yield one

    def end(self) -> None:
        """End the process: when this returns, it asks for nothing more."""
        self.process.kill()
        self.process.wait()


@contextmanager
def reading(
    options: Mapping[str, object], guesses: Sequence[Guess], paths: Sequence[str] = (), *, listing: bool
) -> Iterator[Reader | None]:
    """Reads these instances ahead for the length of the block; None where that cannot be done.

    options: of the Server, by their names. paths: what else is read. listing: whether the server's instances
    are listed too.
    """
    if os.name != "posix":  # elsewhere no process takes a socket for its stdin
        yield None
        return
    order = json.dumps([options, [[one.instance, one.credentials] for one in guesses], paths, listing])
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
