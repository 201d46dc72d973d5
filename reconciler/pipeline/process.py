"""Another process, which reads the servers ahead (reader.py), and the socket between it and this one.

For a fleet it is begun before all else, while this process still imports what it needs, so this imports
little. Where that can be, it is a copy of this process, which need not start an interpreter.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from reconciler.domain import signals

LEAST = 10
"""Manifests from which on the servers are read while these are loaded.

Even one would gain by it, but where there are few, no call is made before what is wrong with them is told.
"""


class Process:
    """The process. socket: the way to it, and back."""

    def __init__(self, pid: int, socket: socket.socket) -> None:
        self.socket, self._pid = socket, pid

    def end(self) -> None:
        """End it: when this returns, it asks for nothing more."""
        if self._pid:
            with suppress(OSError):
                os.kill(self._pid, signals.KILL)
                os.waitpid(self._pid, 0)
            self._pid = 0


@contextmanager
def begun(directory: str) -> Iterator[Process | None]:
    """The process, for the length of the block; None where the directory probably has fewer manifests."""
    if os.name != "posix" or not _is_large(directory):  # elsewhere no process takes a socket
        yield None
        return
    with started() as process:
        yield process


@contextmanager
def started(*, copied: bool | None = None) -> Iterator[Process | None]:
    """The process, for the length of the block; None where the system has no room for it.

    copied: whether it is a copy of this one; None where that can be.
    """
    copied = can_fork() if copied is None else copied
    ours, theirs = socket.socketpair()
    with ours:
        try:
            with theirs:
                process = Process(_copied(theirs, ours) if copied else _spawned(theirs), ours)
        except OSError:
            yield None
            return
        try:
            yield process
        finally:
            process.end()


def _is_large(directory: str) -> bool:
    """Whether a directory probably has enough manifests."""
    number = 0
    for _, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name[0] not in "._"]
        number += sum(name.endswith((".yaml", ".yml", ".json")) for name in files)
        if number >= LEAST:
            return True
    return False


def can_fork() -> bool:
    """Whether a copy of this process works: on macOS some libraries do not, and no thread is copied."""
    threading = sys.modules.get("threading")
    return sys.platform == "linux" and (threading is None or threading.active_count() == 1)


def _copied(theirs: socket.socket, ours: socket.socket) -> int:
    """The id of a copy of this process that reads. Raises OSError."""
    with signals.held():  # none is raised where the copy would go on as if it was this process
        pid = os.fork()
        if pid == 0:
            _read(theirs, ours)
    return pid


def _read(theirs: socket.socket, ours: socket.socket) -> NoReturn:
    """Read, in a copy of this process, and end that: nothing of the other's is written or closed twice."""
    code = 1
    try:
        ours.close()  # so that it ends when nobody reads any more
        signals.reset()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        from reconciler.pipeline import reader  # noqa: PLC0415  only the copy needs it

        reader.read(theirs)
        code = 0
    finally:
        os._exit(code)


def _spawned(theirs: socket.socket) -> int:
    """The id of a new process that reads. Raises OSError."""
    # -P: no module is imported from the working directory. A key stands in no argument.
    command = [sys.executable, "-P", "-m", "reconciler.pipeline.reader"]
    streams = [
        (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=streams)
