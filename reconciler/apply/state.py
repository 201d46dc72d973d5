"""The state of a run: what all instances share, and how far each of them is. Makes no call of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from typing import TYPE_CHECKING, TypeVar

from reconciler.apply.bot_table import BotTable
from reconciler.apply.journal import Journal
from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import InstanceError, ReconcilerError, ServerError
from reconciler.domain.kinds import DEFAULT, Kind, Value
from reconciler.domain.plan import NEW_BOT, NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Plan, Step
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.results import Outcome, Result
from reconciler.evolution.client import Client
from reconciler.manifests import secrets

if TYPE_CHECKING:
    from reconciler.domain.secret import SecretStr

T = TypeVar("T")

ReadKey = Callable[[SecretRef, str], "SecretStr"]
"""Reads the key of a credential, by where it is and the credential's name. Raises ReconcilerError."""

_UNREACHABLE = "the server cannot be reached"

UNSEEN = "the server answered that it is done, but the result could not be read: "


class NotAppliedError(Exception):
    """How the change that a step belongs to ends, if not as applied."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome, self.detail = outcome, detail


def explained(error: Exception, why: str) -> str:
    """An error's message, which may end with the server's own words, and a second sentence."""
    message = str(error)
    return f"{message} {why}" if message.endswith((".", "!", "?", "…")) else f"{message}. {why}"


def despite(error: Exception | None) -> str:
    """The note of a call that took effect although it failed; "" if it did not fail."""
    return "" if error is None else f"it took effect, although the call failed: {error}"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A call with a good answer, whose effect no read has shown yet.

    id: of the bot that it wrote. made: the name of a bot that it created. shows: whether the bots that were
    read show what it did. judge: how it ended, by the bots that were read; returns a note, or raises
    NotAppliedError, InstanceError or ServerError. It is told whether the call was the last before the read:
    what is wrong after a later one may be the work of that.
    """

    id: str
    shows: Callable[[], bool]
    judge: Callable[[bool], Awaitable[str]]
    made: str = ""

    def then(self, do: Callable[[str], object]) -> Unseen:
        """The same call, with something to do when it is seen to be done. do: takes the note."""

        async def judge(last: bool) -> str:
            note = await self.judge(last)
            do(note)
            return note

        return replace(self, judge=judge)


@dataclass(slots=True)
class Stop:
    """Asks a running apply to finish the calls in flight and to make no more.

    reason: completes "the run ended early: …". signal: the number of the signal that asked. whole: what stops
    the runs of all servers, of the Stop of one.
    """

    signal: int | None = None
    reason: str = ""
    whole: Stop | None = None

    @property
    def asked(self) -> bool:
        """Whether the run is to stop."""
        return bool(self.why)

    @property
    def why(self) -> str:
        """The reason, of this run or of all."""
        return self.reason or ("" if self.whole is None else self.whole.reason)

    @property
    def number(self) -> int | None:
        """The number of the signal that asked this run or all to stop."""
        return self.signal if self.whole is None else self.whole.signal

    @property
    def is_lost(self) -> bool:
        """Whether the server is unreachable."""
        return self.reason == _UNREACHABLE

    def lost(self) -> None:
        """Stop the run because the server is unreachable."""
        self.reason = self.reason or _UNREACHABLE

    def check(self) -> None:
        """Raises NotAppliedError if the run is to stop."""
        if self.asked:
            raise NotAppliedError(Outcome.NOT_ATTEMPTED, f"the run ended early: {self.why}")


@dataclass(slots=True)
class Shared:
    """What all instances of a server share, since one may use the credentials of another.

    read: reads the key of a new credential. credentials: the ids of those that were created, by name. kept:
    the ids of old credentials that something still uses. states: of every instance of the plan, by its name
    on the server. everywhere: those of all servers, by what the instances are called.
    on_bug: is called with an unexpected error that ends an instance's run. journal: is told what is done.
    """

    client: Client
    plan: Plan
    stop: Stop
    read: ReadKey
    on_bug: Callable[[Exception], object]
    journal: Journal = field(default_factory=Journal)
    credentials: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    states: dict[str, State] = field(default_factory=dict)
    everywhere: dict[str, State] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Whose bots are written."""
        return self.plan.owner

    async def read_after(self, read: Awaitable[T], error: Exception | None) -> T:
        """Read what a call wrote. error: why the call failed, if it did. Raises NotAppliedError."""
        try:
            return await read
        except (InstanceError, ServerError) as unread:
            if isinstance(unread, ServerError):
                self.stop.lost()
            raise NotAppliedError(Outcome.FAILED, str(error) if error else f"{UNSEEN}{unread}") from None


@dataclass(slots=True)
class State:
    """How far one instance is, with one kind of its bots.

    Of the kinds of an instance each has a state; what is said by labels or by ids they share.

    kinds: the states, by the kinds' paths. bots: those of the kind, as last read. changes: those that write,
    by label. results: of the changes that have ended. made: the ids of what was created, by label. expected:
    what each bot should look like before its next step, by id: as planned, then as we wrote it. halfway: what
    a change leaves behind if it ends now, by label. fallbacks: the labels of the changes that set the
    fallback. saved: the settings that this run saved. unseen: the calls that no read has shown yet, with
    their steps. written: the labels of their bots' changes, and the ids of the bots. ended: takes how such a
    step ended, a note or an error.
    looked_again: whether the bots were read twice after a call because the first read did not show it.
    """

    shared: Shared
    instance: InstancePlan
    kind: Kind = DEFAULT
    kinds: dict[str, State] = field(init=False, default_factory=dict, repr=False)
    bots: BotTable = field(init=False)
    changes: dict[str, Change] = field(init=False)
    results: dict[str, Result] = field(init=False, default_factory=dict)
    made: dict[str, str] = field(init=False, default_factory=dict)
    expected: dict[str, Fields] = field(init=False)
    halfway: dict[str, str] = field(init=False, default_factory=dict)
    fallbacks: frozenset[str] = field(init=False)
    saved: Fields = field(init=False, default_factory=dict)
    unseen: list[tuple[Step, Unseen]] = field(init=False, default_factory=list)
    written: set[str] = field(init=False, default_factory=set)
    ended: Callable[[Step, str | NotAppliedError], None] = field(init=False, repr=False)
    looked_again: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._begin(self.kind)
        self.changes = {change.label: change for change in self.instance.changes if change.verb.writes}
        bots = [change.before for change in self.changes.values() if change.of is Of.BOT]
        self.expected = {bot.id: bot.fields for bot in bots if bot is not None}
        self.fallbacks = frozenset(step.bot for step in self.instance.steps if step.call is Call.FALLBACK)

    def _begin(self, kind: Kind) -> None:
        self.kind = kind
        self.kinds[kind.path] = self
        self.bots = BotTable(self.shared.client, self.name, self.shared.owner, kind)

    def of(self, kind: Kind) -> State:
        """The state of a kind of bot of this instance."""
        if kind.path not in self.kinds:
            other = copy(self)
            other.saved, other.unseen, other.written, other.looked_again = {}, [], set(), False
            other._begin(kind)
        return self.kinds[kind.path]

    @property
    def name(self) -> str:
        """The instance's, on its server."""
        return self.instance.local

    def wrote(self, step: Step, call: Unseen) -> None:
        """Note a call that no read has shown yet."""
        self.unseen.append((step, call))
        self.written.add(call.id)
        if self.changes[step.bot].of is Of.BOT:
            self.written.add(step.bot)

    def to_judge(self) -> list[tuple[Step, Unseen]]:
        """The calls that no read has shown yet, which are not noted any more."""
        found, self.unseen, self.written = self.unseen, [], set()
        return found

    def label(self, id: str) -> str | None:
        """The change of the bot with this id, None if it has none."""
        for label, change in self.changes.items():
            if change.of is Of.BOT and (id in change.ids or id == self.made.get(label)):
                return label
        return None

    def undone(self, label: str, why: str) -> None:
        """Mark a change as failed that was applied and is undone since."""
        result = self.results.get(label)
        if result is not None and result.outcome is Outcome.APPLIED:
            self.end(replace(result, outcome=Outcome.FAILED, detail=why))

    def end(self, result: Result) -> None:
        """Note how a change ended. Where the server was lost, a run that is resumed looks at it again."""
        self.results[result.change.label] = result
        if result.outcome not in {Outcome.APPLIED, Outcome.NOT_ATTEMPTED} and not self.shared.stop.is_lost:
            self.shared.journal.ended(result)

    def resolved(self, step: Step) -> Step:
        """The step with the ids of what the run created. Raises NotAppliedError for what it did not."""
        try:
            body = dict(secrets.with_secrets(step.body, self.shared.read, self.kind))
        except ReconcilerError as error:
            raise NotAppliedError(Outcome.FAILED, str(error)) from None
        if (credential := body.get("openaiCredsId")) is not None:
            body["openaiCredsId"] = _id(credential, NEW_CREDENTIAL, "credential", self.shared.credentials)
        if (bot := body.get("fallbackId")) is not None:
            body["fallbackId"] = _id(bot, NEW_BOT, "bot", self.made)
        return replace(step, body=body)


def _id(value: Value, prefix: str, what: str, made: dict[str, str]) -> Value:
    if not isinstance(value, str) or not value.startswith(prefix):
        return value
    name = value.removeprefix(prefix)
    if name not in made:
        raise NotAppliedError(Outcome.SKIPPED, f"it needs the {what} {name}, which was not created")
    return made[name]
