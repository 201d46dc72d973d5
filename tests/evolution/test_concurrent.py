"""So many parts at a time, and one error."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution.concurrent import side_by_side


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 2), (9, 3)])
def test_so_many_at_a_time(workers: int, most: int) -> None:
    running = peak = 0
    done: list[str] = []

    async def work(part: str) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(part)

    asyncio.run(side_by_side(["a", "b", "c"], work, workers))
    assert (sorted(done), peak) == (["a", "b", "c"], most)
    asyncio.run(side_by_side([], work, workers))


def test_the_first_error_ends_all_of_it_and_comes_by_itself() -> None:
    done: list[str] = []

    async def work(part: str) -> None:
        if part == "b":
            raise ReconcilerError("no")
        await asyncio.sleep(0.01)
        done.append(part)

    with pytest.raises(ReconcilerError, match="no"):
        asyncio.run(side_by_side(["a", "b", "c"], work, 2))
    assert done == []
