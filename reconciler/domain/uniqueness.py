"""What the server refuses, as claims on keys: pure functions of a bot's fields.

None of the server's uniqueness rules is a database constraint: each is a look at the other bots of the
instance when one is written, disabled ones included. So a bot *holds* claims by what is stored, and a
write *takes* claims; it is refused while another bot holds one of them. The two differ: an `all` bot
that was a keyword bot still holds its old operator and value, without ever having taken them; a
disabled `all` takes the claim on `all`, but only an enabled one holds it.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.kinds import Kind, Value

Claim = tuple[str, ...]
"""A key that bots of an instance exclude each other by. The first part says which."""

ALL: Claim = ("all",)


def key_claim(kind: Kind, fields: Mapping[str, Value]) -> Claim | None:
    """The claim on the key of the bot's botType: the assistantId, or model and maxTokens."""
    bot_type = str(fields.get("botType"))
    parts = tuple(fields.get(name) for name in kind.keys.get(bot_type, ()))
    return (bot_type, *map(str, parts)) if parts and None not in parts else None


def holds(kind: Kind, fields: Mapping[str, Value]) -> frozenset[Claim]:
    """What others cannot take while this bot is as it is."""
    claims = {key_claim(kind, fields)}
    operator, value = fields.get("triggerOperator"), fields.get("triggerValue")
    if value:
        claims |= {("value", str(value)), ("trigger", str(operator), str(value))}
    if fields.get("triggerType") == "all" and fields.get("enabled"):
        claims.add(ALL)
    return frozenset(claim for claim in claims if claim)


def takes(kind: Kind, fields: Mapping[str, Value]) -> frozenset[Claim]:
    """What no other bot may hold when this one is written so."""
    claims = {key_claim(kind, fields)}
    match fields.get("triggerType"):
        case "all":
            claims.add(ALL)
        case "keyword":
            claims.add(("trigger", str(fields.get("triggerOperator")), str(fields.get("triggerValue"))))
        case "advanced":
            claims.add(("value", str(fields.get("triggerValue"))))
    return frozenset(claim for claim in claims if claim)


def describe(claim: Claim) -> str:
    """A claim in a person's words, values quoted."""
    match claim:
        case ("all",):
            return "the trigger all"
        case ("trigger", operator, value):
            return f"the trigger {operator} {value!r}"
        case ("value", value):
            return f"the trigger value {value!r}"
        case ("assistant", assistant):
            return f"assistantId {assistant!r}"
        case ("chatCompletion", model, tokens):
            return f"model {model!r} with maxTokens {tokens}"
    return " ".join(claim)
