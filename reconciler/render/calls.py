"""The calls of a plan whose order says something that the changes do not. Pure."""

from __future__ import annotations

from reconciler.domain.groups import general
from reconciler.domain.plan import Call, InstancePlan, Plan, Step

_ASIDE = ("assistantId", "maxTokens", "triggerType", "triggerOperator", "triggerValue")
_SPECIAL = frozenset({Call.PARK, Call.FALLBACK, Call.MOVE, Call.OLD_CREDENTIAL})

Sentence = tuple[Call, str, str]
"""A call: its kind, what it is about, and why. Not yet safe to show."""


def lists(plan: Plan) -> list[tuple[tuple[str, ...], list[Sentence]]]:
    """The calls of instances where their order matters, and the instances where they are the same."""
    found: dict[tuple[Sentence, ...], list[InstancePlan]] = {}
    for one in plan.instances:
        if needs_order(one):
            said = general(one)
            key = tuple((call, said(about), said(why)) for call, about, why in _sentences(one))
            found.setdefault(key, []).append(one)
    return [
        (tuple(one.name for one in ones), _sentences(ones[0]) if len(ones) == 1 else list(key))
        for key, ones in found.items()
    ]


def needs_order(instance: InstancePlan) -> bool:
    """Whether the calls and their order show something that the changes do not."""
    return any(step.why or step.call in _SPECIAL for step in instance.steps)


def _sentences(instance: InstancePlan) -> list[Sentence]:
    return [(step.call, _subject(step), step.why) for step in instance.steps]


def _subject(step: Step) -> str:
    """What a call is about."""
    name = step.body.get("name", step.bot)
    aside = ", ".join(f"{part} {step.body[part]}" for part in _ASIDE if part in step.body)
    said: dict[Call, str] = {
        Call.NEW_CREDENTIAL: f"{name}",
        Call.OLD_CREDENTIAL: f"{name} (id {step.id})",
        Call.PARK: f"{step.bot} on {aside}" if aside else step.bot,
        Call.MOVE: f"bot {step.id} to {step.body.get('openaiCredsId', step.bot)}",
        Call.FALLBACK: str(step.body.get("fallbackId", step.bot)) or "none",
        Call.SETTINGS: ", ".join(step.body),
    }
    return said.get(step.call, step.bot)
