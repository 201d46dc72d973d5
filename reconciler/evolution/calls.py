"""A call from its request to the meaning of its answer: sent, tried again where that is harmless, judged.

Reads, PUT and DELETE are tried again after a dropped connection, a time-out and what a busy proxy answers:
four times in all, and more often while a busy server still answers others. POST never is, because nobody can
tell whether the server did it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from reconciler.domain.errors import ServerError
from reconciler.domain.records import dataclass, field
from reconciler.evolution import answers, failures
from reconciler.evolution.exchange import BUSY, Answer, NoAnswer
from reconciler.evolution.limiter import Limiter
from reconciler.evolution.parsing import NotUnderstood, parse
from reconciler.evolution.refusals import OLDEST, Refusals, is_young, lacks_route
from reconciler.evolution.routes import Request

if TYPE_CHECKING:
    from reconciler.evolution.transport import Connections

LONGEST_VERSION = 40
"""Characters of a version that are shown."""

TRIES = 4

ALIVE = 40
"""How long after an answer a busy server is not taken to be down, in first delays: 10 seconds by default."""

ASKED_ON = 80
"""How long after a call's first try such a server is asked on, in first delays: 20 seconds by default."""

LONGEST_DELAY = 4
"""Between two tries at most, plus or minus a half, in first delays: a second by default."""

SUCCESS = frozenset({200, 201})
"""What the server answers when it did something. Any other status is a failure, whatever the body."""

T = TypeVar("T")

Heard = Callable[[str, int, bytes], object]
"""Takes the answer to a read: its path, its status and its body."""

Take = Callable[[str], Awaitable[Answer | None]]
"""Gives the answer to a read of a path that was already made, once; None where there is none."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes calls to one server.

    connect: gives the connections; raises ReconcilerError. limiter: gives each try its turn. headers: those
    of every request but the key. retry_delay, patience: as of Server. version_timeout: seconds for `GET /`.
    ahead: counts as the first try of a read. heard: takes the last answer to each read.
    """

    connect: Callable[[], Connections] = field(repr=False)
    limiter: Limiter = field(repr=False)
    refusals: Refusals
    headers: Mapping[str, str]
    retry_delay: float
    patience: float
    version_timeout: float
    ahead: Take | None = None
    heard: Heard | None = None

    async def make(self, request: Request, read: Callable[[object], T]) -> T:
        """Make a call and read its answer. Raises what client.py lists.

        read: takes the answer's JSON; raises NotUnderstood.
        """
        answer, seen = await self._answer(request)
        if self.heard is not None and request.reads:
            self.heard(request.path, answer.status, answer.body)
        if answer.status not in SUCCESS:
            if lacks_route(answer) and not (request.kind and is_young(request.kind)):
                await self._check_version()
            raise self.refusals.refusal(request, answer, seen=seen)
        try:
            data = parse(answer.body)
        except NotUnderstood:
            raise self.refusals.refusal(request, answer) from None
        try:
            if message := failures.error(data):
                raise NotUnderstood(message)
            return read(data)
        except NotUnderstood as error:
            raise self.refusals.not_understood(request, error) from None

    async def version(self) -> str | None:
        """The server's version, cleaned; None when it does not answer within version_timeout.

        Sent without the key.
        """
        try:
            answer = await self.once("GET", "/", headers=self.headers, timeout=self.version_timeout)
            version = answers.version(parse(answer.body))
        except (NoAnswer, NotUnderstood):
            return None
        return None if version is None else self.refusals.secrets.clean(version, LONGEST_VERSION)

    async def _check_version(self) -> None:
        """Raises ServerError for a server that is too old to have the routes."""
        version = await self.version()
        if version is not None and (answers.numbers(version) or OLDEST) < OLDEST:
            raise ServerError(
                f"The server at {self.refusals.url} is version {version}, which has no such routes and "
                "is not supported. Update it to 2.3."
            )

    async def _answer(self, request: Request) -> tuple[Answer, bool]:
        """The last answer, and whether the server may have seen a try before it.

        Raises ServerError or Unclear when no try was answered.
        """
        start = time.monotonic()
        seen = False
        tries = 0
        while True:
            outcome = await self._try(request)
            tries += 1
            if request.method == "POST" or not _may_pass(request, outcome):
                break
            if tries >= TRIES and not self._is_only_busy(outcome):
                break
            delay = self._delay(tries, outcome)
            most = self.patience if tries < TRIES else min(self.patience, ASKED_ON * self.retry_delay)
            if time.monotonic() - start + delay > most:
                break
            seen = seen or not isinstance(outcome, NoAnswer) or outcome.sent
            await asyncio.sleep(delay)
        if isinstance(outcome, NoAnswer):
            raise self.refusals.unreachable(request, outcome, sent=seen or outcome.sent)
        return outcome, seen

    def _is_only_busy(self, outcome: Answer | NoAnswer) -> bool:
        """Whether the server turned this away, and does not turn everything away."""
        if isinstance(outcome, NoAnswer) or outcome.status not in BUSY:
            return False
        return time.monotonic() - self.limiter.answered < ALIVE * self.retry_delay

    async def _try(self, request: Request) -> Answer | NoAnswer:
        if self.ahead is not None and request.reads and (answer := await self.ahead(request.path)):
            return answer
        try:
            return await self.once(request.method, request.path, request.body)
        except NoAnswer as failure:
            return failure

    async def once(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as of Connections.send
    ) -> Answer:
        """The answer to one try, when it is its turn. Raises NoAnswer."""
        began = await self.limiter.begin()
        busy, wait, lost = False, None, True
        try:
            answer = await self.connect().send(method, path, body, headers=headers, timeout=timeout)
            busy = answer.status in BUSY
            wait, lost = failures.retry_after(answer.headers) if busy else None, False
            return answer
        finally:
            self.limiter.end(began, _route(method, path), busy=busy, retry_after=wait, lost=lost)

    def _delay(self, tries: int, outcome: Answer | NoAnswer) -> float:
        """Seconds before the next try. tries: those made so far."""
        asked = None if isinstance(outcome, NoAnswer) else failures.retry_after(outcome.headers)
        if asked is not None:
            return asked
        spread = random.uniform(0.5, 1.5)  # noqa: S311 - it guards nothing
        return self.retry_delay * min(2.0 ** (tries - 1), LONGEST_DELAY) * spread


def _route(method: str, path: str) -> str:
    """The method and the path's first two parts, which say what is asked: `GET /openai/find`."""
    return f"{method} {'/'.join(path.split('/', 3)[:3])}"


def _may_pass(request: Request, outcome: Answer | NoAnswer) -> bool:
    """Whether the trouble may be temporary. A missing licence is not."""
    if isinstance(outcome, NoAnswer):
        return not outcome.lasting
    busy = outcome.status in BUSY or (request.reads and outcome.status == 500)
    return busy and b"LICENSE_REQUIRED" not in outcome.body
