"""Many files that are not in the cache are parsed by several processes side by side, one for each core.

Each is a copy of this process. It parses a part of the files in
order, and sends for each that is valid what the cache keeps of it, so that this process finds it there when
its turn comes. What is not there this process parses itself: every error is found and told in one place.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

from reconciler.domain import signals
from reconciler.domain.records import dataclass
from reconciler.manifests.cache import Line

LEAST = 25
"""Files for each process; with fewer, one more gains little."""

MANY = 1_000
"""Manifests from the cache beside which this process parses a few itself: a copy would have them too."""

_AT_A_TIME = 4
"""Files that one process takes before the next one takes some, so that all are done at the same time."""

_PIPE = 2**20
"""Bytes that a process can be ahead, as far as the system allows it: some hundred files."""

Work = Callable[[Path], Iterable[Line]]
"""Gives what the cache is to keep of a file."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """Another process. results: what it sends."""

    pid: int
    results: BinaryIO

    def lines(self) -> Iterator[Line]:
        """What it has found in its next file; nothing if it has ended."""
        while (head := self.results.readline()).endswith(b"\n") and head != b"\n":
            key, size = head.split()
            entry = self.results.read(int(size))
            if len(entry) == int(size):  # else it was ended
                yield key.decode(), entry

    def end(self) -> None:
        """End it, unless it has ended."""
        self.results.close()
        with suppress(OSError):
            os.kill(self.pid, signals.KILL)
            os.waitpid(self.pid, 0)


class Workers:
    """A context manager, at whose end no worker is left. files: in the order in which they are asked for."""

    def __init__(self, files: Sequence[Path], number: int, work: Work) -> None:
        self._files, self._number, self._work = files, number, work
        self._workers: list[_Worker] = []
        self._next = 0
        self._started = ExitStack()

    def __enter__(self) -> Self:
        with self._started, suppress(OSError):  # where the system has no room for one more process
            for each in range(self._number):
                mine = [file for place, file in enumerate(self._files) if _of(place, self._number) == each]
                worker = _start(mine, self._work)
                self._started.callback(worker.end)
                self._workers.append(worker)
            self._started = self._started.pop_all()
            return self
        self._workers = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()

    def lines(self) -> Iterable[Line]:
        """What was found in the next file."""
        place, self._next = self._next, self._next + 1
        return self._workers[_of(place, self._number)].lines() if self._workers else ()


def number(files: int, *, busy: bool) -> int:
    """How many processes are of use for so many files. busy: whether this one has something else to do."""
    if not files or sys.platform != "linux" or threading.active_count() > 1:
        return 0  # on macOS a copy of a process does not always work, and no thread is copied
    cores = len(os.sched_getaffinity(0))
    several = min(cores, files // LEAST)
    return several if several > 1 else int(busy and cores > 1)


def _of(place: int, number: int) -> int:
    """Which process parses the file at a place."""
    return place // _AT_A_TIME % number


def _start(files: Sequence[Path], work: Work) -> _Worker:
    """Raises OSError where the system has no room for one more process."""
    ours, theirs = os.pipe()
    try:
        with signals.held():  # none is raised where the copy would go on as if it was this process
            pid = os.fork()
            if pid == 0:
                os.close(ours)  # so that it ends when nobody reads any more
                _run(files, work, theirs)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return _Worker(pid, os.fdopen(ours, "rb"))


def _run(files: Sequence[Path], work: Work, to: int) -> NoReturn:
    """Do the work in a copy of this process, and end that: what was begun is not written twice."""
    code = 1
    try:
        gc.disable()
        _widen(to)
        with os.fdopen(to, "wb") as results:
            for file in files:
                for key, entry in work(file):
                    results.write(b"%b %d\n%b" % (key.encode(), len(entry), entry))
                results.write(b"\n")
                results.flush()
        code = 0
    finally:
        os._exit(code)


def _widen(pipe: int) -> None:
    import fcntl  # noqa: PLC0415  no other system has it

    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
