"""Run a plan: one Result for each change that writes.

Instances run side by side, the calls within one in the plan's order, phase by phase: all new credentials of
all instances are created before anything uses them, and old ones are deleted after everything has left
them. The instance is read before its first call and after each one, because the server has no transactions,
may answer 500 without a reason or 200 without having done it, and other people may be at work:

- what is not as the plan saw it is stale, and left alone;
- what a read does not show as done is failed, whatever the answer was, and so is what a later call undid;
- what the server would refuse, because another change was not applied, is skipped;
- a create whose outcome is unknown is looked for before it is sent again;
- of two equal bots that two runs created at the same time, only one stays;
- an old credential is deleted when nothing uses it any more, as deleting it deletes its bots.

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
from reconciler.apply.outcomes import Outcomes
from reconciler.apply.state import NotAppliedError, ReadKey, Shared, State, Stop
from reconciler.apply.users import Users
from reconciler.domain.errors import InstanceError, ServerError
from reconciler.domain.plan import Call, InstancePlan, Plan, Step
from reconciler.domain.results import Outcome, Result, Results
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side

__all__ = ["Stop", "across", "apply"]

_BESIDE_BOTS = frozenset({Call.SETTINGS, Call.FALLBACK})
"""Calls in the same phase as those of bots that may change bots without a read that shows it."""


async def apply(
    client: Client,
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
    on_bug: Callable[[Exception], object] = lambda error: None,
) -> Results:
    """Make the calls of the plan of one server: see `across`."""
    return await across({"": client}, plan, read, on_result, stop, on_bug)


async def across(
    clients: Mapping[str, Client],
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
    on_bug: Callable[[Exception], object] = lambda error: None,
) -> Results:
    """Make the plan's calls.

    clients: of the servers, by their names; "" for the only one.
    on_result: is called with the results of an instance, in no order, when the instance is done.
    read: reads the key of a new credential. on_bug: is called with an unexpected error that ends an
    instance's run. An unreachable server ends the run of its instances: what was not done is reported as not
    attempted.
    """
    asked = stop or Stop()
    everywhere: dict[str, State] = {}
    by_server: dict[str, list[_Run]] = {}
    for server, client in clients.items():
        part = plan.of(server)
        client.belonging.known((instance.local, instance.id) for instance in part.instances)
        own = Stop(whole=asked) if server else asked
        shared = Shared(client, part, own, read, on_bug, everywhere=everywhere)
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
            self.outcomes.crashed(error, self._current)

    async def _play(self, phase: int) -> None:
        for step in self.state.instance.steps:
            if step.call.phase != phase or step.bot in self.state.results:
                continue
            self._current = step.bot
            try:
                note = await self._make(step)
            except NotAppliedError as error:
                self.outcomes.failed(step, error)
            except (InstanceError, ServerError) as error:
                if isinstance(error, ServerError):
                    self._shared.stop.lost()
                self.outcomes.failed(step, NotAppliedError(Outcome.FAILED, str(error)))
            else:
                self.outcomes.done(step, note)

    async def _make(self, step: Step) -> str:
        """Make one call. Returns a note."""
        state = self.state.of(step.kind)
        self._shared.stop.check()
        step = state.resolved(step)
        if step.call in _BESIDE_BOTS:
            state.bots.fresh = False
        match step.call:
            case Call.NEW_CREDENTIAL:
                return await credentials.new(state, step)
            case Call.OLD_CREDENTIAL:
                return await credentials.old(state, step, self._users)
            case Call.SETTINGS:
                return await settings.save(state, step)
            case Call.FALLBACK:
                return await fallback.point(state, step)
        return await bot_steps.make(state, step)

    async def _look_again(self) -> None:
        """Read the bots again if settings or credentials were written last."""
        for state in self.state.kinds.values():
            bots = state.bots
            if not bots.rows or bots.fresh or self._shared.stop.asked:
                continue
            with suppress(InstanceError, ServerError):  # each bot was read after its own call
                if lost := await reread(state):
                    state.undone(self._current, f"it was done, but at the same moment {'; '.join(lost)}")

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
