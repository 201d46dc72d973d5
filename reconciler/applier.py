"""Run a plan: one Result for each change that it writes.

Instances go side by side, the calls within one in the plan's order, phase by phase: all instances' new
credentials come before anybody uses them, and old ones go after everybody has left them. Before each call
the instance is read again, and after each write the answer is compared with what was sent, because the
server has no transactions, answers 500 without a reason, and other hands may be at work:

- what is not as the plan saw it is stale, and left alone;
- what the server would refuse, because another change was not applied, is skipped;
- a create whose outcome nobody knows is looked for before it is made again;
- of two equal bots that two runs made at the same time, only one stays;
- an old credential goes when nobody uses it any more, as deleting it deletes its bots.

A failure ends what depends on it and nothing else. The calls themselves are in steps/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reconciler.client import Client
from reconciler.errors import InstanceError, ServerError
from reconciler.model import Call, InstancePlan, Of, Outcome, Plan, Result, Results, Step, Verb
from reconciler.steps.bots import Bots
from reconciler.steps.credentials import Credentials
from reconciler.steps.settings import Settings
from reconciler.steps.state import NotAppliedError, ReadKey, Shared, State, Stop

__all__ = ["Stop", "apply"]

_PHASES = sorted({call.phase for call in Call})


async def apply(
    client: Client,
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
) -> Results:
    """Make the plan's calls. on_result is told of each change as it ends, in no order.

    read: of a new credential's key. An unreachable server ends the whole run: what was not done is reported
    as not attempted.
    """
    shared = Shared(client, plan.owner, stop or Stop(), read)
    runs = [_Run(shared, instance, on_result) for instance in plan.instances]
    for phase in _PHASES:
        await _side_by_side([run for run in runs if run.has(phase)], phase, client.concurrency)
    return Results(tuple(result for run in runs for result in run.ended()), signal=shared.stop.signal)


async def _side_by_side(runs: list[_Run], phase: int, workers: int) -> None:
    queue = iter(runs)

    async def work() -> None:
        for run in queue:
            await run.play(phase)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(runs))):
            group.create_task(work())


class _Run:
    """One instance's steps, one after the other."""

    def __init__(self, shared: Shared, instance: InstancePlan, on_result: Callable[[Result], None]) -> None:
        self.shared, self.steps, self.on_result = shared, instance.steps, on_result
        self.state = state = State(shared, instance)
        self.bots, self.credentials, self.settings = Bots(state), Credentials(state), Settings(state)
        self.left = {label: sum(step.bot == label for step in instance.steps) for label in state.changes}
        # Of a rotation, which goes on when a part of it was not applied: what each of its steps came to.
        self.notes: dict[str, list[str]] = {}
        self.troubles: dict[str, list[NotAppliedError]] = {}

    def has(self, phase: int) -> bool:
        """Whether there are steps of the phase."""
        return any(step.call.phase == phase for step in self.steps)

    async def play(self, phase: int) -> None:
        """Make the calls of a phase. After the last phase, every change has a result."""
        for step in self.steps:
            if step.call.phase != phase or step.bot in self.state.results:
                continue
            self.left[step.bot] -= 1
            try:
                self.notes.setdefault(step.bot, []).append(await self._step(step))
                ended = not self.left[step.bot]
            except NotAppliedError as trouble:
                ended = self._ends(step, trouble)
            except (InstanceError, ServerError) as error:
                if isinstance(error, ServerError):
                    self.shared.stop.reason = self.shared.stop.reason or "the server cannot be spoken with"
                ended = self._ends(step, NotAppliedError(Outcome.FAILED, str(error)))
            if ended:
                self._end(step.bot)

    def ended(self) -> list[Result]:
        """The results in the plan's order."""
        results = self.state.results
        return [results[label] for label in self.state.changes if label in results]

    async def _step(self, step: Step) -> str:
        """Make one call. Returns what there is to say of it."""
        self.shared.stop.check()
        step = self.state.resolved(step)
        match step.call:
            case Call.NEW_CREDENTIAL:
                return await self.credentials.new(step)
            case Call.OLD_CREDENTIAL:
                return await self.credentials.old(step)
            case Call.SETTINGS:
                return await self.settings.save(step)
            case Call.FALLBACK:
                return await self.settings.fallback(step)
        return await self.bots.make(step)

    def _ends(self, step: Step, trouble: NotAppliedError) -> bool:
        """Note what was not applied. Returns whether the change ends here.

        A rotation moves whom it can, one failing bot or not; but then the old credential must stay.
        """
        self.troubles.setdefault(step.bot, []).append(trouble)
        change = self.state.changes[step.bot]
        if change.of is Of.CREDENTIAL:
            self.shared.kept.update(change.ids)
        moves = change.verb is Verb.ROTATE and step.call in (Call.MOVE, Call.SETTINGS)
        return not (moves and self.left[step.bot]) or trouble.outcome is Outcome.NOT_ATTEMPTED

    def _end(self, label: str) -> None:
        state, change = self.state, self.state.changes[label]
        outcome, words = Outcome.APPLIED, self.notes.get(label, [])
        if change.of is not Of.CREDENTIAL:
            words = words[-1:]
        if troubles := self.troubles.get(label):
            outcome = troubles[0].outcome
            words = [*(trouble.detail for trouble in troubles), state.halfway.get(label, "")]
        detail = "; ".join(dict.fromkeys(word for word in words if word))
        id_ = state.made.get(label) or next(iter(change.ids), None)
        state.results[label] = result = Result(change, outcome, detail, id_)
        self.on_result(result)
