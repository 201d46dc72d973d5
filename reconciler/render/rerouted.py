"""Who answers differently after an apply, in words: a row for each message. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.domain import safe
from reconciler.domain.kinds import DEFAULT, KINDS
from reconciler.domain.plan import Of, Plan
from reconciler.domain.rerouted import Answered, Rerouted

NOBODY = "nobody"
_MESSAGE = 60
"""Characters of a message that are shown."""


def is_routed(plan: Plan) -> bool:
    """Whether the plan writes what could change who answers."""
    return any(change.verb.writes and change.of is not Of.CREDENTIAL for change in plan.changes())


def heads(plan: Plan) -> Iterator[str]:
    """What must not be overlooked, a sentence each without a stop; or that nothing changes."""
    if plan.routing is None or not is_routed(plan):
        return
    if not plan.routing:
        yield "Routing unchanged: every message is answered as before"
        return
    for said, found in (
        ("Nobody answers any more", [one for one in plan.routing if one.silenced]),
        ("Two kinds of bot answer the same message", [one for one in plan.routing if one.doubled]),
    ):
        if found:
            many = len({name for one in found for name in one.instances})
            yield f"{said}: {_some(found)} on {many} instance{'' if many == 1 else 's'}"


def _some(found: Sequence[Rerouted]) -> str:
    named = ", ".join(message(one) for one in found[:3])
    return f"{named} and {len(found) - 3} more" if len(found) > 3 else named


def message(one: Rerouted) -> str:
    """A message, with what of it is not plain."""
    text = "any other message" if one.other else _quoted(one.text)
    about = []
    if one.from_me:
        about.append("from the number itself")
    if one.jid.endswith("@g.us"):
        about.append("in a group")
    elif one.jid.endswith("@lid"):
        about.append("from a @lid sender")
    return f"{text} ({', '.join(about)})" if about else text


def _quoted(text: str) -> str:
    shown = safe.line(text)
    return f'"{shown[: _MESSAGE - 1]}…"' if len(shown) > _MESSAGE else f'"{shown}"'


def who(answers: Iterable[Answered]) -> str:
    """Who answers, of each kind; several bots of one kind where the server has no order between them."""
    return " and ".join(map(_of_kind, answers)) or NOBODY


def _of_kind(one: Answered) -> str:
    names = " or ".join(safe.line(name) for name in one.bots)
    if one.undecided:
        names = f"{names}, not worked out" if names else "not worked out"
    elif not one.certain:
        names += " or nobody"
    return names if one.kind == DEFAULT.path else f"{names} ({KINDS[one.kind].label})"
