"""Run a plan: one Result for each change that it writes.

Instances go side by side, the calls within one in the plan's order. Before each call the instance is read
again, and after each write the answer is compared with what was sent, because the server has no
transactions, answers 500 without a reason, and other hands may be at work:

- a bot that is not as the plan saw it is stale, and left alone;
- what the server would refuse, because another change was not applied, is skipped;
- a create whose outcome nobody knows is looked for by its marker before it is made again;
- of two equal bots that two runs made at the same time, only one stays.

A failure ends what depends on it and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from reconciler import differ, identity
from reconciler.client import Client
from reconciler.errors import InstanceError, Refused, ServerError, Unclear
from reconciler.kinds import OPENAI, Kind, Value
from reconciler.model import (
    Call,
    Fields,
    InstancePlan,
    Outcome,
    Plan,
    RemoteBot,
    Result,
    Results,
    Step,
)
from reconciler.rules import describe, holds, takes

CREATE_TRIES = 4
"""How often a create is made, at most, when looking for the bot does not find it."""
FALLBACK_TRIES = 4
"""How often the settings are saved, at most, until they name the bot that was made anew."""


@dataclass(slots=True)
class Stop:
    """Asks a running apply to finish the calls in flight and to make no more.

    reason: completes "the run ended before: …". signal: the number of the one that asked.
    """

    signal: int | None = None
    reason: str = ""

    @property
    def asked(self) -> bool:
        """Whether it was asked for."""
        return bool(self.reason)


class _NotAppliedError(Exception):
    """How the change that a step belongs to ends, other than applied."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome, self.detail = outcome, detail


async def apply(
    client: Client,
    plan: Plan,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
) -> Results:
    """Make the plan's calls. on_result is told of each change as it ends, in no order.

    An unreachable server ends the whole run: what was not done is reported as not attempted.
    """
    stop = stop or Stop()
    runs = [_Run(client, instance, plan.owner, on_result, stop) for instance in plan.instances]
    queue = iter([run for run in runs if run.instance.steps])

    async def worker() -> None:
        for run in queue:
            await run.play()

    async with asyncio.TaskGroup() as group:
        for _ in range(client.concurrency):
            group.create_task(worker())
    return Results(tuple(result for run in runs for result in run.ended()), signal=stop.signal)


class _Run:
    """One instance's steps, one after the other."""

    def __init__(
        self,
        client: Client,
        instance: InstancePlan,
        owner: str,
        on_result: Callable[[Result], None],
        stop: Stop,
        kind: Kind = OPENAI,
    ) -> None:
        self.client, self.instance, self.owner, self.kind = client, instance, owner, kind
        self.on_result, self.stop = on_result, stop
        self.changes = {change.label: change for change in instance.changes if change.verb.writes}
        self.results: dict[str, Result] = {}
        self.left = {label: sum(step.bot == label for step in instance.steps) for label in self.changes}
        self.fallbacks = {step.bot for step in instance.steps if step.call is Call.FALLBACK}
        # What each bot should look like when its next step comes: as planned, then as we wrote it.
        self.expected = {c.ids[0]: c.before.fields for c in self.changes.values() if c.before is not None}
        self.made: dict[str, str] = {}
        # Where a bot would be left if the run ended now, for those that are on their way.
        self.halfway: dict[str, str] = {}

    async def play(self) -> None:
        """Make the calls; every change has a result at the end."""
        for step in self.instance.steps:
            if step.bot in self.results:
                continue
            try:
                detail = await self._step(step)
            except _NotAppliedError as end:
                self._end(step.bot, end.outcome, end.detail)
                continue
            except (InstanceError, ServerError) as error:
                self._end(step.bot, Outcome.FAILED, str(error))
                if isinstance(error, ServerError):
                    self.stop.reason = self.stop.reason or "the server cannot be spoken with"
                continue
            self.left[step.bot] -= 1
            if not self.left[step.bot]:
                self._end(step.bot, Outcome.APPLIED, detail)

    def ended(self) -> list[Result]:
        """The results in the plan's order."""
        return [self.results[label] for label in self.changes if label in self.results]

    def _end(self, label: str, outcome: Outcome, detail: str) -> None:
        change = self.changes[label]
        if outcome is not Outcome.APPLIED and label in self.halfway:
            detail = f"{detail}; {self.halfway[label]}"
        result = Result(change, outcome, detail, self.made.get(label) or next(iter(change.ids), None))
        self.results[label] = result
        self.on_result(result)

    # -- one step -----------------------------------------------------------------------------

    async def _step(self, step: Step) -> str:
        """Make one call. Returns what there is to say of it; raises where the change ends here."""
        self._stopped()
        bots = await self.client.find(self.instance.name)
        self._stopped()
        if step.call is Call.FALLBACK:
            return await self._fallback(step)
        if step.call is Call.CREATE:
            return await self._create(step, bots)
        if (own := next((bot for bot in bots if bot.id == step.id), None)) is None:
            if step.call is Call.DELETE:
                return "it was gone already"
            raise _NotAppliedError(Outcome.STALE, "it was deleted since the plan was made")
        if not differ.equal(own.fields, self.expected[own.id]):
            moved = [c.name for c in differ.changes(self.expected[own.id], own.fields, self.kind)]
            done = differ.equal(own.fields, {**own.fields, **step.body}) and step.body.keys() >= set(moved)
            if step.call is Call.DELETE or not done:
                raise _NotAppliedError(
                    Outcome.STALE, f"it changed since the plan was made: {', '.join(moved)}"
                )
            self._wrote(step, own)
            return "it was so already"
        if step.call is Call.DELETE:
            detail = await self._delete(own)
            self.halfway[step.bot] = "the old bot is deleted, the next apply makes the new one" + (
                ", but the settings' fallback is lost" if step.bot in self.fallbacks else ""
            )
            return detail
        return await self._update(step, own, bots)

    def _stopped(self) -> None:
        if self.stop.asked:
            raise _NotAppliedError(Outcome.NOT_ATTEMPTED, f"the run ended before: {self.stop.reason}")

    def _refuse_collision(self, fields: Fields, own: str | None, bots: tuple[RemoteBot, ...]) -> None:
        """The server would answer 500 without a reason; say which bot is in the way instead."""
        wanted = takes(self.kind, fields)
        for bot in bots:
            if bot.id != own and (claims := holds(self.kind, bot.fields) & wanted):
                words = " and ".join(describe(claim) for claim in sorted(claims))
                for label, result in self.results.items():
                    if bot.id in (result.id, *result.change.ids) and result.outcome is not Outcome.APPLIED:
                        raise _NotAppliedError(
                            Outcome.SKIPPED, f"it needs {words}, and {label} was not applied"
                        )
                raise _NotAppliedError(Outcome.STALE, f"bot {bot.id} has got {words} since the plan was made")

    async def _update(self, step: Step, own: RemoteBot, bots: tuple[RemoteBot, ...]) -> str:
        after = {**own.fields, **step.body}
        self._refuse_collision(after, own.id, bots)
        detail = ""
        try:
            stored = await self.client.update(self.instance.name, own.id, step.body)
        except (Refused, Unclear) as error:
            seen = await self._look(lambda bot: bot.id == own.id)
            if not seen or not differ.equal(seen[0].fields, after):
                raise
            stored, detail = seen[0], f"seen to be done, although: {error}"
        self._wrote(step, stored)
        self._compare(after, stored)
        return detail

    def _wrote(self, step: Step, stored: RemoteBot) -> None:
        """From now on the bot is expected to look like this."""
        self.expected[stored.id] = stored.fields
        if step.call is Call.PARK:
            self.halfway[step.bot] = (
                "it is left parked on a trigger that matches nothing, the next apply ends that"
            )
        else:
            self.halfway.pop(step.bot, None)

    async def _delete(self, own: RemoteBot) -> str:
        try:
            await self.client.delete(self.instance.name, own.id)
        except (Refused, Unclear) as error:
            if await self._look(lambda bot: bot.id == own.id):
                raise
            return f"seen to be done, although: {error}"
        return ""

    def _compare(self, sent: Fields, stored: RemoteBot) -> None:
        """What the server stored must be what was sent."""
        if wrong := differ.changes(
            {n: stored.fields[n] for n in sent if n in stored.fields}, sent, self.kind
        ):
            names = ", ".join(change.name for change in wrong)
            raise _NotAppliedError(Outcome.FAILED, f"the server stored something else in: {names}")

    async def _look(self, wanted: Callable[[RemoteBot], bool]) -> list[RemoteBot]:
        """The bots of the instance, read now, that are wanted; the oldest first."""
        bots = await self.client.find(self.instance.name)
        return sorted(filter(wanted, bots), key=lambda bot: (bot.created, bot.id))

    # -- exactly one --------------------------------------------------------------------------

    def _is(self, label: str) -> Callable[[RemoteBot], bool]:
        """Whether a bot carries our marker for this name."""
        return lambda bot: identity.marked(str(bot.fields.get("description", "")), self.owner, label)

    async def _create(self, step: Step, bots: tuple[RemoteBot, ...]) -> str:
        """Make a bot, exactly one: it is looked for before each try, and twins are settled after it."""
        body = step.body
        if here := sorted(filter(self._is(step.bot), bots), key=lambda bot: (bot.created, bot.id)):
            ids = ", ".join(bot.id for bot in here)
            if len(here) > 1 or not _has(here[0], body):
                raise _NotAppliedError(Outcome.STALE, f"it was made since the plan was made: {ids}")
            self.made[step.bot] = here[0].id
            return "it was made already, just so"
        self._refuse_collision(body, None, bots)
        mine, detail = await self._create_once(step.bot, body)
        twins = await self._look(self._is(step.bot))
        if len(twins) > 1:
            mine, detail = await self._settle(step.bot, mine, twins), "another run made it at the same time"
        self.made[step.bot] = mine.id
        self.halfway.pop(step.bot, None)
        if step.bot in self.fallbacks:
            self.halfway[step.bot] = f"the settings' fallback is lost, point it to {mine.id} by hand"
        self._compare(body, mine)
        return detail

    async def _create_once(self, label: str, body: Mapping[str, Value]) -> tuple[RemoteBot, str]:
        for attempt in range(1, CREATE_TRIES + 1):
            try:
                return await self.client.create(self.instance.name, body), ""
            except (Refused, Unclear) as error:
                if isinstance(error, Unclear) and attempt < CREATE_TRIES:
                    await asyncio.sleep(error.retry_after or self.client.retry_delay * 2**attempt)
                if seen := await self._look(self._is(label)):
                    return seen[0], f"seen to be done, although: {error}"
                if isinstance(error, Refused) or attempt == CREATE_TRIES or self.stop.asked:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _settle(self, label: str, mine: RemoteBot, twins: list[RemoteBot]) -> RemoteBot:
        """Two runs made the same bot. The newer goes; each run deletes only what it made.

        The other run may have looked before ours was there, and then it deletes nothing: if its bot is
        still there after a while, ours goes even if it is the older one.
        """
        for attempt in range(5):
            if twins[0].id != mine.id:
                break
            await asyncio.sleep(self.client.retry_delay * 2**attempt)
            twins = await self._look(self._is(label))
            if len(twins) < 2:
                return mine
        await self._delete(mine)
        if kept := await self._look(self._is(label)):
            return kept[0]
        raise _NotAppliedError(
            Outcome.FAILED, "another run made it at the same time and removed it; apply again"
        )

    # -- settings -----------------------------------------------------------------------------

    async def _fallback(self, step: Step) -> str:
        """Point the settings' fallback to the bot that was made anew, which no later apply could know of.

        The same settings may be saved twice, so this is simply tried again when nobody knows.
        """
        made = self.made[step.bot]
        for attempt in range(1, FALLBACK_TRIES + 1):
            with suppress(Unclear):
                await self._point_fallback(step.body, made)
            if (await self.client.settings(self.instance.name)).fallback == made:
                return ""
            if attempt < FALLBACK_TRIES:
                await asyncio.sleep(self.client.retry_delay * 2**attempt)
        raise _NotAppliedError(Outcome.FAILED, "it was made anew")

    async def _point_fallback(self, settings: Fields, made: str) -> None:
        """2.3 takes fallbackId only beside an empty openaiCredsId, 2.2 openaiIdFallback beside the full."""
        try:
            await self.client.save_settings(
                self.instance.name, {**settings, "openaiCredsId": "", "fallbackId": made}
            )
        except Refused:
            await self.client.save_settings(self.instance.name, {**settings, "openaiIdFallback": made})


def _has(bot: RemoteBot, body: Fields) -> bool:
    """Whether a bot is as a create with this body would make it."""
    return differ.equal({name: bot.fields[name] for name in body if name in bot.fields}, body)
