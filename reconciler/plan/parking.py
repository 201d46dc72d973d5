"""Moving a bot aside, to where no other bot needs anything of it, so that it can be written later. Pure.

Its trigger becomes a regular expression that can't match: an empty negative look-ahead. A chatCompletion bot
that must give up only its key goes on answering, with a token more. An assistant's assistantId can't be
replaced by one that works, so the bot must not be started either.
"""

from __future__ import annotations

import itertools

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import INT32_MAX, Value
from reconciler.domain.uniqueness import Claim, takes
from reconciler.plan.claims import ClaimIndex, listed
from reconciler.plan.simulation import Simulation, Transition, Write

_PARKED = "(?!)parked"


def is_parked(fields: Fields) -> bool:
    """Whether a bot was left where parking put it."""
    return str(fields.get("triggerValue", "")).startswith(_PARKED)


def parked_trigger(owner: str, label: str) -> str:
    """The value of a trigger that matches nothing, where parking puts a bot."""
    return f"{_PARKED} by {owner}: {label}"


def park(now: Simulation, label: str, owner: str) -> Write:
    """Move a bot aside. It is then pending: it comes to its target, or back to its place, later.

    A bot that is recreated is deleted first instead.
    """
    before = now.now[label]
    needed = frozenset(claim for claim in now.held.claims(label) if now.wanted.has_other(claim, label))
    transition = now.pending.get(label)
    if transition is not None and transition.recreate:
        now.place(label, None)
        return Write(label, before, None, why=f"deleted first to free {listed(needed)}")
    after = _aside(now, label, before, needed, owner)
    target = dict(before) if transition is None else dict(transition.target or {})
    if transition is not None and "description" in target:
        # From here on its marker must identify it, even if the run ends before it is at its target.
        after["description"] = target["description"]
    # The server cannot clear an operator. Without a value it has no meaning.
    target = {**{name: after[name] for name in ("triggerOperator",) if name in after}, **target}
    target.setdefault("triggerValue", "")
    now.expect(Transition(label, before, target))
    now.place(label, after)
    return Write(label, before, after, park=True, why=f"moved aside to free {listed(needed)}")


def _aside(
    now: Simulation, label: str, before: Fields, claims: frozenset[Claim], owner: str
) -> dict[str, Value]:
    """The bot without these claims, as the server accepts it."""
    after = dict(before)
    while claims:
        if any(claim[0] == "chatCompletion" for claim in claims):
            after["maxTokens"] = _unused_tokens(now, before)
        if any(claim[0] == "assistant" for claim in claims):
            after["assistantId"] = _unused(now.held, "assistant", text=f"parked-{owner}-{label}")
        if any(claim[0] != "chatCompletion" for claim in claims):
            after["triggerType"] = "keyword"
            after["triggerOperator"] = "regex"
            after["triggerValue"] = _unused(now.held, "trigger", "regex", text=parked_trigger(owner, label))
        # Another bot may hold what it keeps, and then the server refuses this very call.
        claims = frozenset(claim for _, claim in now.held.others(takes(now.kind, after), label))
    return after


def _unused(held: ClaimIndex, *claim: str, text: str) -> str:
    """The text, with a number where a bot has it already: one that was parked and then lost its marker."""
    texts = itertools.chain([text], (f"{text} {number}" for number in itertools.count(2)))
    return next(each for each in texts if not held.labels((*claim, each)))


def _unused_tokens(now: Simulation, before: Fields) -> int:
    """The nearest number of tokens that no bot has or will have with this model."""
    model, tokens = str(before.get("model")), int(before["maxTokens"])  # type: ignore[arg-type]  # a claim's int
    near = (n for step in range(1, INT32_MAX) for n in (tokens + step, tokens - step) if 1 <= n <= INT32_MAX)
    claims = ((n, ("chatCompletion", model, str(n))) for n in near)
    return next(n for n, claim in claims if not now.held.labels(claim) and not now.wanted.labels(claim))
