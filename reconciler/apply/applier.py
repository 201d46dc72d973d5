"""Run a plan: one Result for each change that it writes.

Instances go side by side, the calls within one in the plan's order, phase by phase: all instances' new
credentials come before anybody uses them, and old ones go after everybody has left them. Before each call
the instance is read, and again after each write, because the server has no transactions, answers 500 without
a reason or 200 without having done it, and other hands may be at work:

- what is not as the plan saw it is stale, and left alone;
- what is not seen to be done is failed, whatever was answered, and what a later call undid is too;
- what the server would refuse, because another change was not applied, is skipped;
- a create whose outcome nobody knows is looked for before it is made again;
- of two equal bots that two runs made at the same time, only one stays;
- an old credential goes when nobody uses it any more, as deleting it deletes its bots.

A failure ends what depends on it and nothing else; an error of ours ends the run of its instance. The calls
themselves are in steps/.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from reconciler.apply.bots import Bots
from reconciler.apply.credentials import Credentials
from reconciler.apply.settings import Settings
from reconciler.apply.state import NotAppliedError, ReadKey, Shared, State, Stop, side_by_side
from reconciler.apply.users import Users
from reconciler.domain.errors import InstanceError, ServerError
from reconciler.domain.plan import Call, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.results import Outcome, Result, Results
from reconciler.evolution.client import Client

__all__ = ["Stop", "apply"]

_BESIDE_BOTS = frozenset({Call.SETTINGS, Call.FALLBACK})
"""Calls in the bots' own phase over which they may change unseen."""


async def apply(
    client: Client,
    plan: Plan,
    read: ReadKey,
    on_result: Callable[[Result], None] = lambda result: None,
    stop: Stop | None = None,
    on_bug: Callable[[Exception], object] = lambda error: None,
) -> Results:
    """Make the plan's calls. on_result is told of an instance's changes, in no order, when it has ended.

    read: of a new credential's key. on_bug: told of an error of ours that ends an instance's run. An
    unreachable server ends the whole run: what was not done is reported as not attempted.
    """
    client.belonging.known((instance.name, instance.id) for instance in plan.instances)
    shared = Shared(client, plan, stop or Stop(), read, on_bug)
    users = Users(shared)
    runs = [_Run(shared, instance, users) for instance in plan.instances]
    phases = sorted({step.call.phase for instance in plan.instances for step in instance.steps})

    async def work(run: _Run) -> None:
        await run.play(phase)
        if phase == phases[-1]:
            run.tell(on_result)

    for phase in phases:
        await side_by_side([run for run in runs if run.has(phase)], work, client.concurrency)
    for run in runs:
        run.tell(on_result)
    results = tuple(result for run in runs for result in run.ended())
    return Results(results, signal=shared.stop.signal)


class _Run:
    """One instance's steps, one after the other."""

    def __init__(self, shared: Shared, instance: InstancePlan, users: Users) -> None:
        self.shared, self.steps = shared, instance.steps
        self.state = state = State(shared, instance)
        self.bots = shared.bots[instance.name] = Bots(state)
        self.credentials, self.settings = Credentials(state, users), Settings(state)
        self.left = {label: sum(step.bot == label for step in instance.steps) for label in state.changes}
        # Of a rotation, which goes on when a part of it was not applied: what each of its steps came to.
        self.notes: dict[str, list[str]] = {}
        self.troubles: dict[str, list[NotAppliedError]] = {}
        self.current = ""
        self.told = False

    def has(self, phase: int) -> bool:
        """Whether there are steps of the phase."""
        return any(step.call.phase == phase for step in self.steps)

    async def play(self, phase: int) -> None:
        """Make the calls of a phase. After the last phase, every change has a result."""
        self.bots.fresh = False
        try:
            await self._play(phase)
            await self._look_again()
        except Exception as error:  # an error of ours, which is no other instance's
            self._broke(error)

    async def _play(self, phase: int) -> None:
        for step in self.steps:
            if step.call.phase != phase or step.bot in self.state.results:
                continue
            self.left[step.bot] -= 1
            self.current = step.bot
            try:
                self.notes.setdefault(step.bot, []).append(await self._step(step))
                ended = not self.left[step.bot]
            except NotAppliedError as trouble:
                ended = self._ends(step, trouble)
            except (InstanceError, ServerError) as error:
                if isinstance(error, ServerError):
                    self.shared.stop.lost()
                ended = self._ends(step, NotAppliedError(Outcome.FAILED, str(error)))
            if ended:
                self._end(step.bot)

    async def _look_again(self) -> None:
        """After settings or credentials were the last to be written, what was seen before may not be so."""
        if not self.bots.rows or self.bots.fresh or self.shared.stop.asked:
            return
        with suppress(InstanceError, ServerError):  # each bot was seen after its own call
            if lost := await self.bots.lost():
                self.state.undone(self.current, f"it is done, but in the same moment {'; '.join(lost)}")

    def tell(self, on_result: Callable[[Result], None]) -> None:
        """Pass on the results, once."""
        if not self.told:
            self.told = True
            try:
                for result in self.ended():
                    on_result(result)
            except Exception as error:  # who cannot show a result ends no run
                self.shared.on_bug(error)

    def ended(self) -> list[Result]:
        """The results in the plan's order."""
        none = "the plan has no call for it"
        return [
            self.state.results.get(label) or Result(change, Outcome.NOT_ATTEMPTED, none)
            for label, change in self.state.changes.items()
        ]

    async def _step(self, step: Step) -> str:
        """Make one call. Returns what there is to say of it."""
        self.shared.stop.check()
        step = self.state.resolved(step)
        if step.call in _BESIDE_BOTS:
            self.bots.fresh = False
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
        state.results[label] = Result(change, outcome, detail, id_)

    def _broke(self, error: Exception) -> None:
        """Nothing more is done in this instance, and no credential goes that it may need."""
        self.shared.on_bug(error)
        said = (
            f"an unexpected {type(error).__name__}; this is a bug: please report it, with what "
            "RECONCILER_DEBUG=1 shows"
        )
        at = self.current
        for label, change in self.state.changes.items():
            if change.of is Of.CREDENTIAL:
                self.shared.kept.update(change.ids)
            if label not in self.state.results:
                trouble = NotAppliedError(
                    Outcome.NOT_ATTEMPTED, f"the run of this instance ended before: {said}"
                )
                if label == at:
                    trouble = NotAppliedError(Outcome.FAILED, said)
                self.troubles.setdefault(label, []).append(trouble)
                self._end(label)
