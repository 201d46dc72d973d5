"""Run a plan: one Result for each change that writes.

Instances run side by side, the calls within one in the plan's order, phase by phase: all new credentials of
all instances are created before anything uses them, and old ones are deleted after everything has left
them.

The server has no transactions, may answer 500 without a reason or 200 without having done it, and other
people may be at work. So the bots of an instance are read again. Each promise needs one of these reads, and
no other is made, so that a call costs the same in an instance of 10 bots and of 10,000:

- What is not as the plan saw it is stale, and left alone: a read before the instance's first call. From there
  on the bots are taken to be as our own calls left them. When the read is older than 5 seconds, another one
  comes before a bot is changed, moved or deleted (bot_table.py: not more than a twentieth of the time is
  spent on that).
- Applied means seen: a read after the last call, against which every change is held, whatever the answers
  were. What it does not show as done is failed, and so is what a later call undid.
- Nothing is built on what is only said to be done: a read before a bot is written twice, before one is
  created in the place of a deleted one, and before the settings are pointed to it.
- Exactly one bot: a read after an answer that is missing, a refusal, or not as it should be, and before a
  create is sent again. Where the answer is as it should be, the last read shows whether another run made the
  same bot; of two equal ones only one stays.
- What the server would refuse, because another change was not applied, is skipped: no read of its own.
- An old credential is deleted when nothing uses it any more, as deleting it deletes its bots: reads of all
  its possible users, right before (users.py).

A failure ends what depends on it and nothing else; an unexpected error ends the run of its instance, and a
server that cannot be reached that of its instances. Several servers run side by side; all of them begin a
phase together, as a bot that moves is deleted on one after it was created on another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from reconciler.apply import bot_steps, credentials, fallback, settings
from reconciler.apply.bot_writes import reread
from reconciler.apply.journal import Done, Journal
from reconciler.apply.outcomes import Outcomes
from reconciler.apply.state import UNSEEN, NotAppliedError, ReadKey, Shared, State, Stop, Unseen
from reconciler.apply.users import Users
from reconciler.domain.errors import InstanceError, ServerError
from reconciler.domain.plan import Call, InstancePlan, Of, Plan, Step
from reconciler.domain.results import Outcome, Result, Results
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side

__all__ = ["Stop", "across", "apply"]


async def apply(
    client: Client,
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
    on_bug: Callable[[Exception], object] = lambda error: None,
    journal: Journal | None = None,
) -> Results:
    """Make the calls of the plan of one server: see `across`."""
    return await across({"": client}, plan, read, on_result, stop, on_bug, journal)


async def across(
    clients: Mapping[str, Client],
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
    on_bug: Callable[[Exception], object] = lambda error: None,
    journal: Journal | None = None,
) -> Results:
    """Make the plan's calls, but for those that an earlier run has made according to the journal.

    clients: of the servers, by their names; "" for the only one.
    on_result: is called with the results of an instance, in no order, when the instance is done.
    read: reads the key of a new credential. on_bug: is called with an unexpected error that ends an
    instance's run. journal: is told what is done. An unreachable server ends the run of its instances: what
    was not done is reported as not attempted.
    """
    asked = stop or Stop()
    kept = journal or Journal()
    everywhere: dict[str, State] = {}
    by_server: dict[str, list[_Run]] = {}
    for server, client in clients.items():
        part = plan.of(server)
        client.belonging.known((instance.local, instance.id) for instance in part.instances)
        own = Stop(whole=asked) if server else asked
        shared = Shared(client, part, own, read, on_bug, kept, everywhere=everywhere)
        users = Users(shared)
        by_server[server] = [_Run(shared, instance, users) for instance in part.instances]
    phases = sorted({step.call.phase for instance in plan.instances for step in instance.steps})

    async def work(run: _Run) -> None:
        await run.play(phase)
        if phase == phases[-1]:
            run.report(on_result)

    for phase in phases:
        await asyncio.gather(
            *(
                side_by_side([run for run in runs if run.has(phase)], work, clients[server].concurrency)
                for server, runs in by_server.items()
            )
        )
    runs = [run for each in by_server.values() for run in each]
    for run in runs:
        run.report(on_result)
    results = {run.state.instance.name: run.outcomes.results() for run in runs}
    ended = tuple(result for instance in plan.instances for result in results[instance.name])
    return Results(ended, signal=asked.number)


class _Run:
    """One instance's steps, one after the other."""

    def __init__(self, shared: Shared, instance: InstancePlan, users: Users) -> None:
        self.state = shared.states[instance.local] = State(shared, instance)
        shared.everywhere[instance.name] = self.state
        self.outcomes = Outcomes(self.state)
        self.state.ended = self._ended
        for label, change in self.state.changes.items():
            if (before := shared.journal.results.get((instance.name, label))) is not None:
                self.state.results[label] = Result(change, *before)
                shared.kept.update(change.ids if change.of is Of.CREDENTIAL else ())
        self._shared, self._users = shared, users
        self._current = ""
        self._reported = False

    def has(self, phase: int) -> bool:
        """Whether there are steps of the phase."""
        return any(step.call.phase == phase for step in self.state.instance.steps)

    async def play(self, phase: int) -> None:
        """Make the calls of a phase. After the last phase, every change has a result."""
        for state in self.state.kinds.values():
            state.bots.fresh = False
        try:
            await self._play(phase)
            await self._look_again()
        except Exception as error:  # ends this instance only
            self._shared.on_bug(error)
            with suppress(Exception):  # what was written before it may still be seen
                await self._look_again()
            self._give_up("the run of this instance ended early")
            self.outcomes.crashed(error, self._current)

    async def _play(self, phase: int) -> None:
        for step in self.state.instance.steps:
            if step.call.phase != phase or step.bot in self.state.results:
                continue
            self._current = step.bot
            try:
                if (before := self._shared.journal.take(self.state.instance.name, step)) is not None:
                    self._take_over(step, before)
                else:
                    await self._make(step)
            except NotAppliedError as error:
                self.outcomes.failed(step, error)
            except (InstanceError, ServerError) as error:
                if isinstance(error, ServerError):
                    self._shared.stop.lost()
                self.outcomes.failed(step, NotAppliedError(Outcome.FAILED, str(error)))

    async def _make(self, step: Step) -> None:
        """Make one call, unless a read before it ends its change."""
        state = self.state.of(step.kind)
        self._shared.stop.check()
        step = state.resolved(step)
        match step.call:
            case Call.NEW_CREDENTIAL:
                made: str | Unseen = await credentials.new(state, step)
            case Call.OLD_CREDENTIAL:
                made = await credentials.old(state, step, self._users)
            case Call.SETTINGS | Call.FALLBACK:
                if state.unseen and await self._look(state, step):
                    return
                state.bots.fresh = False
                make = settings.save if step.call is Call.SETTINGS else fallback.point
                made = await make(state, step)
            case _:
                if bot_steps.waits(state, step) and await self._look(state, step):
                    return
                self._shared.stop.check()
                made = await bot_steps.make(state, step)
        if isinstance(made, Unseen):
            state.wrote(step, made)
        else:
            self._done(step, made)

    def _done(self, step: Step, note: str) -> None:
        self._shared.journal.done(self.state.instance.name, step, note, self.state.made.get(step.bot))
        self.outcomes.done(step, note)

    def _take_over(self, step: Step, before: Done) -> None:
        """Know what a step came to that an earlier run has made."""
        state = self.state.of(step.kind)
        step = state.resolved(step)
        if before.made is not None:
            state.made[step.bot] = before.made
        match step.call:
            case Call.NEW_CREDENTIAL:
                credentials.is_made(state, step, before.made or "")
            case Call.SETTINGS:
                state.saved = {**state.saved, **step.body}
            case Call.FALLBACK | Call.OLD_CREDENTIAL:
                pass
            case _:
                bot_steps.take_over(state, step)
        self.outcomes.done(step, before.note)

    async def _look(self, state: State, step: Step) -> bool:
        """Read the bots before a step. Returns whether that has ended the step's change."""
        await reread(state, upcoming=step)
        return step.bot in self.state.results

    def _ended(self, step: Step, how: str | NotAppliedError) -> None:
        """How a step ended that a read has shown by now."""
        if isinstance(how, str):
            self._done(step, how)
        elif step.bot not in self.state.results:
            self.outcomes.failed(step, how)

    async def _look_again(self) -> None:
        """Read the bots if a call was written last, so that each is seen."""
        for state in self.state.kinds.values():
            bots, stop = state.bots, self._shared.stop
            if not state.unseen and (not bots.rows or bots.fresh or stop.asked):
                continue
            if stop.is_lost:
                continue
            blamed = bool(state.unseen)
            with suppress(InstanceError, ServerError):  # what is unseen has ended with it
                if (lost := await reread(state)) and not blamed:
                    state.undone(self._current, f"it was done, but at the same moment {'; '.join(lost)}")
        self._give_up(self._shared.stop.why)

    def _give_up(self, why: str) -> None:
        """What is unseen will not be seen."""
        for state in self.state.kinds.values():
            for step, _ in state.to_judge():
                self._ended(step, NotAppliedError(Outcome.FAILED, f"{UNSEEN}{why}"))

    def report(self, on_result: Callable[[Result], None]) -> None:
        """Pass on the results, once."""
        if self._reported:
            return
        self._reported = True
        try:
            for result in self.outcomes.results():
                on_result(result)
        except Exception as error:  # a result that cannot be shown ends no run
            self._shared.on_bug(error)
