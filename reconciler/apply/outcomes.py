"""How the changes of an instance end: from what each of their steps came to, to one Result per change."""

from __future__ import annotations

from collections import Counter

from reconciler.apply.state import NotAppliedError, State
from reconciler.domain.plan import Call, Of, Step, Verb
from reconciler.domain.results import Outcome, Result


class Outcomes:
    """Collects notes and errors of steps. Puts a change's result into the state when the change ends."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._left = Counter(step.bot for step in state.instance.steps)
        self._notes: dict[str, list[str]] = {}
        self._errors: dict[str, list[NotAppliedError]] = {}

    def done(self, step: Step, note: str) -> None:
        """A step is done. The change ends with its last step."""
        self._left[step.bot] -= 1
        self._notes.setdefault(step.bot, []).append(note)
        if not self._left[step.bot] and step.bot not in self.state.results:
            self._end(step.bot)

    def failed(self, step: Step, error: NotAppliedError) -> None:
        """A step is not done, which ends the change, except a rotation.

        A rotation moves everything else that it can; but then the old credential must stay.
        """
        self._left[step.bot] -= 1
        self._errors.setdefault(step.bot, []).append(error)
        change = self.state.changes[step.bot]
        if change.of is Of.CREDENTIAL:
            self.state.shared.kept.update(change.ids)
        moves = change.verb is Verb.ROTATE and step.call in (Call.MOVE, Call.SETTINGS)
        if not (moves and self._left[step.bot]) or error.outcome is Outcome.NOT_ATTEMPTED:
            self._end(step.bot)

    def crashed(self, error: Exception, current: str) -> None:
        """An unexpected error ends the run of the instance. Its old credentials stay, as bots may need them.

        current: the label of the change whose step was running.
        """
        bug = (
            f"an unexpected {type(error).__name__}; this is a bug: please report it, with what "
            "RECONCILER_DEBUG=1 shows"
        )
        for label, change in self.state.changes.items():
            if change.of is Of.CREDENTIAL:
                self.state.shared.kept.update(change.ids)
            if label in self.state.results:
                continue
            trouble = NotAppliedError(Outcome.NOT_ATTEMPTED, f"the run of this instance ended early: {bug}")
            if label == current:
                trouble = NotAppliedError(Outcome.FAILED, bug)
            self._errors.setdefault(label, []).append(trouble)
            self._end(label)

    def results(self) -> list[Result]:
        """One result for each change that writes, in the plan's order."""
        none = "the plan has no call for it"
        return [
            self.state.results.get(label) or Result(change, Outcome.NOT_ATTEMPTED, none)
            for label, change in self.state.changes.items()
        ]

    def _end(self, label: str) -> None:
        state, change = self.state, self.state.changes[label]
        outcome, details = Outcome.APPLIED, self._notes.get(label, [])
        if change.of is not Of.CREDENTIAL:
            details = details[-1:]
        if errors := self._errors.get(label):
            outcome = errors[0].outcome
            details = [*(error.detail for error in errors), state.halfway.get(label, "")]
        detail = "; ".join(dict.fromkeys(each for each in details if each))
        id_ = state.made.get(label) or next(iter(change.ids), None)
        state.end(Result(change, outcome, detail, id_))
