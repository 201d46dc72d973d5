"""The servers of a fleet are read by a second process (reader.py) while this one loads the manifests.

It is started before all that this process needs is imported, so this imports little.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution.frames import Frame, Frames
from reconciler.pipeline.request import ALL, Limits, Request, file_key, limits

if TYPE_CHECKING:
    from reconciler.evolution.ahead import Ahead
    from reconciler.evolution.reader import Target
    from reconciler.pipeline.reader import Order

LEAST = 20
"""Manifests from which on the servers are read ahead.

Even one would gain by it, but where there are few, no call is made before what is wrong with them is told.
"""

PATIENCE = 10.0
"""Seconds beyond the longest limit of one request in which an answer must come."""


MOST_KEPT = 64 * 2**20
"""Bytes of answers that are kept after a look at them; then all are asked for once more by who needs them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The other process, and the socket on which its answers come.

    servers: the names of those it reads. patience: seconds in which an answer must come. known: whether it
    reads what was known before. early: what has come already; frames: the rest of that.
    """

    process: subprocess.Popen[bytes]
    socket: socket.socket
    servers: tuple[str, ...]
    patience: float
    known: bool
    frames: Frames = field(default_factory=Frames)
    early: list[Frame] = field(default_factory=list)

    def come(self) -> Iterator[Frame]:
        """A look at the answers as they come, until none does within the patience, or all have come."""
        kept = 0
        while select.select([self.socket], [], [], self.patience)[0]:
            try:
                number = self.socket.recv_into(self.frames.room())
            except OSError:
                return
            if not number:
                return
            found = self.frames.add(number)
            kept += sum(len(one.data) for one in found)
            if kept <= MOST_KEPT:
                self.early.extend(found)
            else:
                self.early[:] = [one for one in self.early if one.last]
            yield from found

    def answers(self) -> Ahead:
        """What it reads, for those who ask for it."""
        from reconciler.evolution.ahead import Ahead  # noqa: PLC0415  slow to import

        return Ahead(self.socket, self.servers, self.patience, self.end, self.frames, self.early)

    def end(self) -> None:
        """End the process: when this returns, it asks for nothing more."""
        _end(self.process)


Known = Mapping[str, Sequence[str]]
"""Of each server the paths that are read."""


@contextmanager
def reading(
    request: Request, changed_since: str | None = None, known: Callable[[], Known | None] | None = None
) -> Iterator[Reader | None]:
    """Reads the servers of a request for the length of the block; None where that would gain nothing.

    known: tells what is read, where that need not be guessed. It is asked while the process starts.
    """
    partly = request.sandbox or request.target or changed_since is not None
    large = not partly and _is_large(request.bots)
    targets = targets_of(request) if large or (known and not partly) else {}
    if not targets:
        yield None
        return

    def order() -> Order | None:
        found = known() if known else None
        if found is None and not large:
            return None
        return {
            "bots": request.bots,
            "instance": request.instance,
            "servers": targets,
            "default": request.default_server,
            "shard": (request.shard.number, request.shard.of) if request.shard else None,
            "listing": request.scope == ALL,
            "known": found,
        }

    with started(order) as reader:
        yield reader


@contextmanager
def started(order: Callable[[], Order | None]) -> Iterator[Reader | None]:
    """The process that does what is ordered, for the length of the block; None where there can be none.

    order: gives the order while the process starts; None for none.
    """
    if os.name != "posix":  # elsewhere no process takes a socket for its stdin
        yield None
        return
    ours, theirs = socket.socketpair()
    # -P: no module is imported from the working directory. A key stands in no argument.
    command = [sys.executable, "-P", "-m", "reconciler.pipeline.reader"]
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this program
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        with process:
            try:
                yield _ordered(process, ours, order())
            finally:
                _end(process)


def _ordered(process: subprocess.Popen[bytes], ours: socket.socket, order: Order | None) -> Reader | None:
    if order is None:
        return None
    with suppress(OSError):
        ours.sendall(json.dumps(order).encode() + b"\n")
    servers = order["servers"]
    patience = PATIENCE + max(target["timeout"] for target in servers.values())
    return Reader(process, ours, tuple(servers), patience, order["known"] is not None)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def targets_of(request: Request) -> dict[str, Target]:
    """The servers to read, by their names; none where one of them lacks its URL or its key."""
    if not request.servers:
        return _complete({"": (request.url or "", request.api_key or "", limits(request))})
    if request.url:
        return {}
    try:
        picked = [one for one in request.servers if one.name in request.chosen]
        return _complete(
            {
                one.name if request.named.several else "": (
                    one.address,
                    one.key or file_key(one),
                    limits(request, one),
                )
                for one in picked
            }
        )
    except ReconcilerError:
        return {}


def _complete(found: Mapping[str, tuple[str, str, Limits]]) -> dict[str, Target]:
    if not all(url and key for url, key, _ in found.values()):
        return {}
    return {name: {"url": url, "api_key": key, **its} for name, (url, key, its) in found.items()}


def _is_large(directory: str) -> bool:
    """Whether there are probably enough manifests."""
    number = 0
    for _, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name[0] not in "._"]
        number += sum(name.endswith((".yaml", ".yml", ".json")) for name in files)
        if number >= LEAST:
            return True
    return False
