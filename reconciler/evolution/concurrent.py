"""Work that is done side by side, so many parts at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def side_by_side(parts: Iterable[T], work: Callable[[T], Awaitable[None]], workers: int) -> None:
    """Do the work for every part, so many at a time. The first error ends all of it."""
    queue = iter(parts)

    async def take() -> None:
        for part in queue:
            await work(part)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(take())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
