"""What the steps of an apply know of each other, within an instance and beyond it. Makes no call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import OPENAI, Kind, Value
from reconciler.domain.plan import NEW_BOT, NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Plan, Step
from reconciler.domain.results import Outcome, Result
from reconciler.evolution.client import Client
from reconciler.manifests import secrets

if TYPE_CHECKING:
    from pydantic import SecretStr

    from reconciler.domain.observed import RemoteBot

T = TypeVar("T")

ReadKey = Callable[[SecretRef, str], "SecretStr"]
"""Reads the key of a credential, by where it is and the credential's name. Raises ReconcilerError."""


UNSEEN = "the server answered that it is done, but it could not be seen: "


class NotAppliedError(Exception):
    """How the change that a step belongs to ends, other than applied."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome, self.detail = outcome, detail


def explained(error: Exception, why: str) -> str:
    """An error's sentence, which may end with the server's own words, and another one."""
    said = str(error)
    return f"{said} {why}" if said.endswith((".", "!", "?", "…")) else f"{said}. {why}"


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

    def lost(self) -> None:
        """The server cannot be spoken with, so the run ends."""
        self.reason = self.reason or "the server cannot be spoken with"

    def check(self) -> None:
        """Raises NotAppliedError when it was asked for."""
        if self.asked:
            raise NotAppliedError(Outcome.NOT_ATTEMPTED, f"the run ended before: {self.reason}")


class ReadBots(Protocol):
    """The bots of one instance, as far as the steps of others need them. rows: as last read, by id."""

    rows: Mapping[str, RemoteBot]

    async def lost(self) -> list[str]:
        """Read the bots again. Returns, in words, what was applied and is so no more."""
        ...


@dataclass(slots=True)
class Shared:
    """What all instances have in common, since credentials may be lent from one to another.

    read: of a new credential's key. credentials: the ids of those that were made, by name. kept: the ids of
    old credentials that not everything could be moved away from. bots: of every instance of the plan.
    on_bug: told of an error of ours that ends an instance's run.
    """

    client: Client
    plan: Plan
    stop: Stop
    read: ReadKey
    on_bug: Callable[[Exception], object]
    credentials: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    bots: dict[str, ReadBots] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Whose bots are written."""
        return self.plan.owner


async def side_by_side(parts: Sequence[T], work: Callable[[T], Awaitable[None]], workers: int) -> None:
    """Do the work for every part, for so many at a time. The first error ends all of it."""
    queue = iter(parts)

    async def take() -> None:
        for part in queue:
            await work(part)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(workers, len(parts))):
                group.create_task(take())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


@dataclass(slots=True)
class State:
    """One instance on its way.

    changes: those that are written, by label. results: how they ended, as far as they have. made: the ids of
    what they made. expected: what each bot should look like when its next step comes, by id: as planned, then
    as we wrote it. halfway: of the changes that are on their way, what would be left if the run ended now.
    """

    shared: Shared
    instance: InstancePlan
    kind: Kind = OPENAI
    changes: dict[str, Change] = field(init=False)
    results: dict[str, Result] = field(init=False, default_factory=dict)
    made: dict[str, str] = field(init=False, default_factory=dict)
    expected: dict[str, Fields] = field(init=False)
    halfway: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.changes = {change.label: change for change in self.instance.changes if change.verb.writes}
        bots = [change.before for change in self.changes.values() if change.of is Of.BOT]
        self.expected = {bot.id: bot.fields for bot in bots if bot is not None}

    @property
    def name(self) -> str:
        """The instance's."""
        return self.instance.name

    def later(self, call: Call) -> frozenset[str]:
        """The labels of the changes that have a step of this kind."""
        return frozenset(step.bot for step in self.instance.steps if step.call is call)

    def label(self, id: str) -> str | None:
        """The change of the bot with this id, None where it has none."""
        for label, change in self.changes.items():
            if change.of is Of.BOT and (id in change.ids or id == self.made.get(label)):
                return label
        return None

    def undone(self, label: str, why: str) -> None:
        """What was applied is so no more."""
        result = self.results.get(label)
        if result is not None and result.outcome is Outcome.APPLIED:
            self.results[label] = replace(result, outcome=Outcome.FAILED, detail=why)

    def resolved(self, step: Step) -> Step:
        """The step with the ids of what the run has made. Raises NotAppliedError for what it has not."""
        try:
            body = dict(secrets.with_secrets(step.body, self.shared.read, self.kind))
        except ReconcilerError as error:
            raise NotAppliedError(Outcome.FAILED, str(error)) from None
        if (credential := body.get("openaiCredsId")) is not None:
            body["openaiCredsId"] = self._id(
                credential, NEW_CREDENTIAL, "credential", self.shared.credentials
            )
        if (bot := body.get("fallbackId")) is not None:
            body["fallbackId"] = self._id(bot, NEW_BOT, "bot", self.made)
        return replace(step, body=body)

    def _id(self, value: Value, prefix: str, what: str, made: dict[str, str]) -> Value:
        if not isinstance(value, str) or not value.startswith(prefix):
            return value
        name = value.removeprefix(prefix)
        if name not in made:
            raise NotAppliedError(Outcome.SKIPPED, f"it needs the {what} {name}, which was not made")
        return made[name]
