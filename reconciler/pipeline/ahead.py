"""The servers are read by a second process (reader.py): those of a fleet while this one loads the manifests.

This is imported before all that the loading needs, so it imports little.
"""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass, field, replace
from reconciler.evolution.frames import Frame, Frames
from reconciler.pipeline import process
from reconciler.pipeline.process import Process
from reconciler.pipeline.request import ALL, Limits, Request, file_key, limits

if TYPE_CHECKING:
    from reconciler.evolution.ahead import Ahead
    from reconciler.evolution.reader import Target
    from reconciler.pipeline.reader import Order

PATIENCE = 10.0
"""Seconds beyond the longest limit of one request in which an answer must come."""


MOST_KEPT = 64 * 2**20
"""Bytes of answers that are kept after a look at them; then all are asked for once more by who needs them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What the other process reads, as it comes.

    servers: the names of those it reads. patience: seconds in which an answer must come. known: whether it
    reads what was known before. unsent: the order, where it gets that when an answer is asked for. early:
    what has come already; frames: the rest of that.
    """

    process: Process
    servers: tuple[str, ...]
    patience: float
    known: bool
    unsent: bytes = b""
    frames: Frames = field(default_factory=Frames)
    early: list[Frame] = field(default_factory=list)

    def come(self) -> Iterator[Frame]:
        """A look at the answers as they come, until none does within the patience, or all have come."""
        kept = 0
        while select.select([self.process.socket], [], [], self.patience)[0]:
            try:
                number = self.process.socket.recv_into(self.frames.room())
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
        _send(self.process, self.unsent)
        from reconciler.evolution.ahead import Ahead  # noqa: PLC0415  slow to import

        return Ahead(
            self.process.socket, self.servers, self.patience, self.process.end, self.frames, self.early
        )


Known = Mapping[str, Sequence[str]]
"""Of each server the paths that are read."""


@contextmanager
def reading(
    request: Request,
    changed_since: str | None = None,
    known: Callable[[], Known | None] | None = None,
    begun: Process | None = None,
) -> Iterator[Reader | None]:
    """Reads the servers of a request for the length of the block; None where that would gain nothing.

    known: tells what is read, where that need not be guessed. begun: the process, if it was begun already.
    """
    if not (targets := _targets(request, changed_since)):
        yield None
        return
    with nullcontext(begun) if begun else process.begun(request.bots) as other:
        yield ordered(other, _order(request, targets, known() if known else None)) if other else None


@contextmanager
def waiting(request: Request, changed_since: str | None = None) -> Iterator[Reader | None]:
    """A reader that asks for nothing until its answers are asked for; None where that would gain nothing.

    Where there are few manifests, no call is made before what is wrong with them is told. A copy of this
    process takes less time than to import what reads here; a new interpreter does not.
    """
    if not process.can_fork() or not (targets := _targets(request, changed_since)):
        yield None
        return
    order = _order(request, targets, None)
    with process.started() as other:
        yield replace(_reader(other, order), unsent=_line(order)) if other else None


def _targets(request: Request, changed_since: str | None) -> dict[str, Target]:
    """The servers that are read ahead."""
    partly = request.sandbox or request.target or changed_since is not None
    return {} if partly else targets_of(request)


def _order(request: Request, targets: dict[str, Target], known: Known | None) -> Order:
    return {
        "bots": request.bots,
        "instance": request.instance,
        "servers": targets,
        "default": request.default_server,
        "shard": (request.shard.number, request.shard.of) if request.shard else None,
        "listing": request.scope == ALL,
        "known": known,
    }


def ordered(process: Process, order: Order) -> Reader:
    """What a process reads that gets this order."""
    _send(process, _line(order))
    return _reader(process, order)


def _line(order: Order) -> bytes:
    return json.dumps(order).encode() + b"\n"


def _send(process: Process, line: bytes) -> None:
    with suppress(OSError):
        process.socket.sendall(line)


def _reader(process: Process, order: Order) -> Reader:
    servers = order["servers"]
    patience = PATIENCE + max(target["timeout"] for target in servers.values())
    return Reader(process, tuple(servers), patience, order["known"] is not None)


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
