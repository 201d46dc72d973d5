"""The server of a large fleet is read while its manifests are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler.evolution import spawn
from reconciler.manifests import guess
from reconciler.manifests.selection import matches
from reconciler.pipeline.request import ALL, Request

LEAST = 150
"""Instances from which on the process that reads ahead gains more than it costs to start."""


@contextmanager
def reading(
    request: Request, changed_since: str | None = None, paths: Sequence[str] = ()
) -> Iterator[spawn.Reader | None]:
    """Reads the server of a request for the length of the block; None where that would gain nothing.

    paths: what is read, if that is known.
    """
    if (
        request.sandbox
        or request.servers
        or request.target
        or changed_since is not None
        or not request.url
        or not request.api_key
    ):
        yield None
        return
    guesses = [] if paths else _guesses(request)
    if not paths and len(guesses) < LEAST:
        yield None
        return
    options = {
        "url": request.url,
        "api_key": request.api_key,
        "timeout": request.timeout,
        "concurrency": request.concurrency,
        "allow_http": request.allow_http,
        "max_rate": request.max_rate,
    }
    listing = request.scope == ALL and not paths
    with spawn.reading(options, guesses, paths, listing=listing) as reader:
        yield reader


def _guesses(request: Request) -> list[spawn.Guess]:
    found = guess.instances(Path(request.bots))
    shard = request.shard
    return [
        spawn.Guess(name, creds)
        for name, creds in found.items()
        if matches(name, request.instance) and (shard is None or shard.has("", name))
    ]
