"""The server's uniqueness rules in memory, written from its documentation and not from our own rules.

Fast enough to try plans by the thousand. The embedded server, which is proved against recordings, is
the judge of whole runs; this one is for the pure part.
"""

from __future__ import annotations

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, InstancePlan, Step


class RefusedError(Exception):
    """The server answers 500."""


class Toy:
    """The bots of one instance, by id."""

    def __init__(self, bots: list[RemoteBot]) -> None:
        self.bots: dict[str, dict[str, Value]] = {bot.id: dict(bot.fields) for bot in bots}

    def remote(self) -> list[RemoteBot]:
        return [RemoteBot(id, dict(fields)) for id, fields in self.bots.items()]

    def run(self, plan: InstancePlan) -> None:
        """Make the calls of a plan."""
        for number, step in enumerate(plan.steps):
            self.make(number, step)

    def make(self, number: int, step: Step) -> None:
        """Make one call."""
        match step.call:
            case Call.CREATE:
                self._check(step.body, None)
                self.bots[f"new-{number}-{step.bot}"] = dict(step.body)
            case Call.UPDATE | Call.PARK:
                assert step.id is not None
                self._check(step.body, step.id)
                self.bots[step.id] |= step.body
            case Call.DELETE | Call.LEAVE:
                assert step.id is not None
                del self.bots[step.id]

    def _check(self, body: Fields, own: str | None) -> None:
        for name in ("enabled", "openaiCredsId", "botType", "triggerType"):
            if name not in body:
                raise RefusedError(f"{name} is missing")
        others = [fields for id, fields in self.bots.items() if id != own]
        if body["botType"] == "assistant":
            key = {name: body.get(name) for name in ("botType", "assistantId")}
        else:
            key = {name: body.get(name) for name in ("botType", "model", "maxTokens")}
        if not all(key.values()):
            raise RefusedError(f"a part of the key is missing: {key}")
        if any(key.items() <= other.items() for other in others):
            raise RefusedError(f"duplicate key {key}")
        self._check_trigger(body, others)

    @staticmethod
    def _check_trigger(body: Fields, others: list[dict[str, Value]]) -> None:
        match body["triggerType"]:
            case "all":
                if any(other["triggerType"] == "all" and other["enabled"] for other in others):
                    raise RefusedError("a second all")
            case "keyword":
                pair = (body.get("triggerOperator"), body.get("triggerValue"))
                if not all(pair):
                    raise RefusedError("operator and value are required")
                if any((o.get("triggerOperator"), o.get("triggerValue")) == pair for o in others):
                    raise RefusedError(f"duplicate trigger {pair}")
            case "advanced":
                if not body.get("triggerValue"):
                    raise RefusedError("value is required")
                if any(other.get("triggerValue") == body["triggerValue"] for other in others):
                    raise RefusedError(f"duplicate value {body['triggerValue']}")
