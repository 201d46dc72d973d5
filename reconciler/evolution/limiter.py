"""How many requests a server gets at a time, and how many a second: as many as do it no harm.

A single Node process answers about 10 requests at a time as fast as it can; more of them only wait in it, and
WhatsApp's messages wait behind them. A server behind a long line, or one of several processes, gains from
more. No fixed number suits both, so the number is found out (AIMD, as in TCP):

- It begins with 10, and doubles with each round of answers that are not slower than they were, up to the most
  that is asked for. A round is as many answers as there are requests at a time, and at least 10.
- When three of four answers take half as long again, compared with the fastest of their route, requests wait:
  a fifth fewer at a time, but not fewer than 10. Where they wait, all of them do; what makes some slow is
  something else, such as a busy machine. Not so if this process itself is busy, which then is what is slow.
- 429, 502, 503 and 504 say that it is too much: half as many at a time, and none at all until the moment that
  a Retry-After names.
- After either, one more at a time with each good round.

The cap on requests a second holds for each second, whatever the above allows.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

START = 10
"""Requests at a time at first, and the fewest that slow answers alone lead to."""

SLOW = 1.5
"""How many times as long as its route's fastest an answer takes that says that requests wait."""

OWN_SHARE = 0.7
"""The share of a round's time in which this process computes, from which on that is what is slow."""


class Limiter:
    """Gives requests their turn. Each waits for `begin`, and says with `end` how it went.

    window: requests at a time, as of now. most: what it never exceeds. rate: the most that begin in a second;
    None for no cap. answered: when the server last answered, and not that it is busy. clock, used: seconds,
    of the clock and of this process's computing.
    """

    def __init__(
        self,
        most: int,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        self.most, self.rate = most, rate
        self.window = float(min(START, most))
        self.answered = float("-inf")
        self._clock, self._used = clock, used
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gate = asyncio.Lock()
        self._last = float("-inf")
        self._paused = self._cut = float("-inf")
        self._doubles = True
        self._fastest: dict[str, float] = {}
        self._slowness: list[float] = []
        self._full = False
        self._since = self._clock(), self._used()

    async def begin(self) -> float:
        """Wait for a turn. Returns the time, for `end`, which must follow."""
        if self._running < int(self.window) and not self._waiting:
            self._running += 1
        else:
            await self._queue()
        self._full = self._full or self._running >= int(self.window)
        try:
            await self._wait()
        except BaseException:
            self._leave()
            raise
        return self._clock()

    def end(
        self,
        began: float,
        route: str,
        *,
        busy: bool = False,
        retry_after: float | None = None,
        lost: bool = False,
    ) -> None:
        """End a turn.

        route: what else is asked as this was. busy: whether the server said that it is. lost: whether there
        was no answer.
        """
        now = self._clock()
        if not (busy or lost):
            self.answered = now
        if retry_after is not None:
            self._paused = max(self._paused, now + retry_after)
        if busy or retry_after is not None:
            if began > self._cut:  # what began before the last cut says nothing of what came of it
                self._cut = now
                self._shrink(0.5, fewest=1)
        else:
            fastest = self._fastest[route] = min(now - began, self._fastest.get(route, now - began))
            self._slowness.append((now - began) / fastest if fastest > 0 else 1.0)
            if len(self._slowness) >= max(START, int(self.window)):
                self._judge(now)
        self._leave()

    # -- turns --------------------------------------------------------------------------------

    async def _queue(self) -> None:
        """Wait in line. Whoever ends gives their turn to the first who waits, so none is overtaken."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._running < int(self.window):
            if not (turn := self._waiting.popleft()).done():
                self._running += 1
                turn.set_result(None)

    async def _wait(self) -> None:
        """Wait until the server takes requests again, and until the cap allows one."""
        while (left := self._paused - self._clock()) > 0:  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(left)
        if self.rate is None:
            return
        async with self._gate:
            while (left := self._last + 1 / self.rate - self._clock()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(left)
            self._last = self._clock()

    # -- how many -----------------------------------------------------------------------------

    def _new_round(self) -> None:
        self._slowness = []
        self._full = False
        self._since = self._clock(), self._used()

    def _judge(self, now: float) -> None:
        """A round is over: more or fewer at a time."""
        start, used = self._since
        own = self._used() - used > OWN_SHARE * (now - start)
        if sorted(self._slowness)[len(self._slowness) // 4] > SLOW:
            if not own and self.window > START:
                self._shrink(0.8, fewest=min(START, self.most))
                return
        elif self._full:
            self.window = min(self.most, 2 * self.window if self._doubles else self.window + 1)
        self._new_round()

    def _shrink(self, share: float, *, fewest: int) -> None:
        self.window = max(fewest, self.window * share)
        self._doubles = False
        self._new_round()
