"""Many manifests that are not in the cache are parsed by several processes side by side, one for each core.

Each is a copy of this process, made when the first of them are parsed. It parses a share of the manifests
that come later, and sends for each that is valid what the cache keeps of it, so that this process finds it
there when its turn comes. What is not there this process parses itself: every error is found and told in one
place.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

from reconciler.domain import signals
from reconciler.domain.records import dataclass
from reconciler.manifests.cache import Line

PATIENCE = 10
"""Manifests that are parsed before others help: a copy is made in 20 ms, and a manifest is parsed in 2."""

LEAST = 20
"""Manifests for each process."""

Work = Callable[[Path], Iterable[Line]]
"""Gives what the cache is to keep of a manifest."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """Another process. results: what it sends."""

    pid: int
    results: BinaryIO

    def lines(self) -> Iterable[Line]:
        """All that it has found, as soon as it is done."""
        while head := self.results.readline():
            key, size = head.split()
            entry = self.results.read(int(size))
            if len(entry) == int(size):  # else it was ended
                yield key.decode(), entry

    def end(self) -> None:
        """End it, unless it has ended."""
        self.results.close()
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class Workers:
    """A context manager, at whose end no worker is left. work: is done in each. take: gets what is found."""

    def __init__(self, work: Work, take: Callable[[Iterable[Line]], None]) -> None:
        self._work, self._take = work, take
        self._missing = 0
        self._due: dict[Path, _Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._due.values():
            worker.end()

    def come_to(self, path: Path) -> None:
        """Take what was found, if this is the first manifest of a share."""
        if worker := self._due.pop(path, None):
            try:
                self._take(worker.lines())
            finally:
                worker.end()

    def miss(self, rest: Sequence[Path]) -> None:
        """A manifest is not in the cache. rest: those that come after it."""
        self._missing += 1
        if self._missing != PATIENCE or not _can_fork():
            return
        number = min(_cores(), len(rest) // LEAST)
        for each in range(1, number):  # the first share is this process's own
            share = rest[len(rest) * each // number : len(rest) * (each + 1) // number]
            with suppress(OSError):
                self._due[share[0]] = _start(share, self._work)


def _can_fork() -> bool:
    """Whether a copy of this process works: on macOS some libraries do not, and no thread is copied."""
    return sys.platform == "linux" and threading.active_count() == 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _start(share: Sequence[Path], work: Work) -> _Worker:
    """Raises OSError where the system has no room for one more process."""
    ours, theirs = os.pipe()
    try:
        with signals.held():  # none is raised where the copy would go on as if it was this process
            pid = os.fork()
            if pid == 0:
                os.close(ours)  # so that it ends when nobody reads any more
                _run(share, work, theirs)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return _Worker(pid, os.fdopen(ours, "rb"))


def _run(share: Sequence[Path], work: Work, to: int) -> NoReturn:
    """Do the work in a copy of this process, and end that: what was begun is not written twice."""
    code = 1
    try:
        gc.disable()
        found = [line for path in share for line in work(path)]  # all at once: a pipe holds little
        with os.fdopen(to, "wb") as results:
            for key, entry in found:
                results.write(b"%b %d\n%b" % (key.encode(), len(entry), entry))
        code = 0
    finally:
        os._exit(code)
