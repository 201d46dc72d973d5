"""How many requests a server gets: servers that are models, in time that passes as fast as it is computed."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from reconciler.evolution.client import Client
from reconciler.evolution.limiter import START, Limiter
from tests.evolution.scripted import asked, reply

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Does not wait: the time passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.quick = _Selector()
        super().__init__(self.quick)

    def time(self) -> float:
        return self.quick.now


def run(work: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run the work, which gets the clock."""
    loop = _Loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(work(loop.time), 3600))
    finally:
        loop.close()


class Model:
    """A server with so many workers that each take so long for a request; the rest waits in it.

    limit: with more at a time it answers 429. began, most: when each request came, and how many at a time.
    """

    def __init__(self, clock: Callable[[], float], workers: int, limit: int = 1000) -> None:
        self.clock, self.limit = clock, limit
        self.workers = asyncio.Semaphore(workers)
        self.now = self.most = self.refused = 0
        self.began: list[float] = []

    async def answer(self) -> bool:
        """Whether it did it."""
        self.began.append(self.clock())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.now > self.limit:
                self.refused += 1
                await asyncio.sleep(0.005)
                return False
            async with self.workers:
                await asyncio.sleep(0.02)
            return True
        finally:
            self.now -= 1


async def load(limiter: Limiter, model: Model, requests: int, wait: float | None = None) -> None:
    """So many requests by more workers than the limiter lets through. wait: the Retry-After of a 429."""
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            began = await limiter.begin()
            done = await model.answer()
            limiter.end(began, "GET /openai/find", busy=not done, retry_after=None if done else wait)

    await asyncio.gather(*(work() for _ in range(limiter.most + 20)))


def test_a_server_that_does_not_get_slower_soon_gets_the_most() -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 1000), Limiter(32, clock=clock, used=lambda: 0.0)
        await load(limiter, model, 90)
        assert model.most == 32
        start, before = clock(), len(model.began)
        await load(limiter, model, 3200)
        assert (limiter.window, model.most) == (32, 32)
        assert clock() - start == pytest.approx((len(model.began) - before) / 32 * 0.02)

    run(work)


def test_a_single_process_is_kept_busy_and_no_more() -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 10), Limiter(100, clock=clock, used=lambda: 0.0)
        await load(limiter, model, 200)
        start, model.most = clock(), 0
        await load(limiter, model, 2000)
        assert START <= model.most <= 20
        assert clock() - start <= 1.02 * 2000 / 10 * 0.02

    run(work)


def test_what_is_slow_because_this_process_computes_is_no_reason_for_fewer() -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 10), Limiter(32, clock=clock, used=lambda: 0.9 * clock())
        await load(limiter, model, 2000)
        assert limiter.window == 32

    run(work)


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_a_server_that_refuses_gets_as_many_as_it_takes(limit: int) -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 1000, limit), Limiter(32, clock=clock, used=lambda: 0.0)
        await load(limiter, model, 100)
        refused, start = model.refused, clock()
        await load(limiter, model, 1000)
        assert model.refused - refused < 150
        assert clock() - start < 2 * 1000 / limit * 0.02
        model.limit = 1000
        await load(limiter, model, 2000)
        assert limiter.window == 32

    run(work)


def test_nothing_is_asked_until_the_moment_that_was_named() -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 1000, 4), Limiter(32, clock=clock, used=lambda: 0.0)
        await load(limiter, model, 60, wait=7.0)
        gaps = [after - before for before, after in zip(model.began, model.began[1:], strict=False)]
        assert model.refused
        assert sum(gap >= 6.9 for gap in gaps) >= 1
        assert all(gap < 0.1 or gap >= 6.9 for gap in gaps)

    run(work)


def test_one_moment_of_refusals_halves_the_requests_once() -> None:
    async def work(clock: Callable[[], float]) -> None:
        limiter = Limiter(10, clock=clock, used=lambda: 0.0)
        turns = [await limiter.begin() for _ in range(10)]
        await asyncio.sleep(0.01)
        for began in turns:
            limiter.end(began, "GET /openai/find", busy=True)
        assert limiter.window == 5

    run(work)


@pytest.mark.parametrize("rate", [0.5, 3.0, 40.0])
def test_the_cap_holds_in_every_second(rate: float) -> None:
    async def work(clock: Callable[[], float]) -> None:
        model, limiter = Model(clock, 1000), Limiter(32, rate, clock=clock, used=lambda: 0.0)
        await load(limiter, model, 100)
        for number, began in enumerate(model.began):
            assert sum(other < began + 10 - 1e-6 for other in model.began[number:]) <= 10 * rate
        assert clock() == pytest.approx(99 / rate + 0.02)

    run(work)


def test_who_waits_longest_is_next_and_who_gives_up_takes_no_turn() -> None:
    async def work(clock: Callable[[], float]) -> None:
        limiter = Limiter(1, clock=clock, used=lambda: 0.0)
        order: list[int] = []

        async def ask(number: int) -> None:
            began = await limiter.begin()
            order.append(number)
            await asyncio.sleep(1)
            limiter.end(began, "GET /openai/find")

        asks = [asyncio.create_task(ask(number)) for number in range(5)]
        await asyncio.sleep(0.5)
        asks[1].cancel()
        await asyncio.sleep(0.5)
        asks[2].cancel()  # it has just been given its turn
        await asyncio.gather(*asks, return_exceptions=True)
        assert order in ([0, 3, 4], [0, 2, 3, 4])
        await asyncio.wait_for(ask(9), 5)

    run(work)


# -- in the client ----------------------------------------------------------------------------


def test_a_client_begins_with_ten_and_never_has_more_than_asked_for() -> None:
    async def many(client: Client) -> None:
        await asyncio.gather(*(client.find(str(i)) for i in range(60)))

    _, spy = asked(many, reply(200, [], slow=0.05), concurrency=12)
    assert START < spy.most <= 12


def test_a_client_waits_with_all_its_requests() -> None:
    async def two(client: Client) -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        first = asyncio.create_task(client.find("a"))
        await asyncio.sleep(0.1)
        await client.find("b")
        await first
        return loop.time() - start

    busy = reply(503, b"busy", "Retry-After: 1\r\n")
    took, spy = asked(two, busy, reply(200, []))
    assert isinstance(took, float)
    assert took >= 1
    assert len(spy.requests) == 3


def test_a_client_keeps_to_the_cap_in_its_retries_too() -> None:
    async def three(client: Client) -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await client.find("a")
        return loop.time() - start

    took, spy = asked(three, reply(502, b""), reply(502, b""), reply(200, []), max_rate=10)
    assert isinstance(took, float)
    assert took >= 0.2
    assert len(spy.requests) == 3
