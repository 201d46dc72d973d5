"""What the server refuses, as claims on keys: pure functions of a bot's fields.

None of the server's uniqueness rules is a database constraint: each is a look at the other bots of the
same kind and instance when one is written, disabled ones included. So a bot *holds* claims by what is
stored, and a write *takes* claims; it is refused while another bot holds one of them. The two differ: an
`all` bot that was a keyword bot still holds its old operator and value, without ever having taken them; a
disabled `all` takes the claim on `all`, but only an enabled one holds it. A write that leaves out a part of
its key, such as an apiKey, is refused whatever the other bot has there; so a bot holds its key with each
part left out, too.

Claims of two kinds have nothing to do with each other: compare those of one kind only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from reconciler.domain.kinds import Kind, Value

Claim = tuple[str, ...]
"""A key that bots of one kind and instance exclude each other by. The first part says which."""

ALL: Claim = ("all",)


def key_claim(kind: Kind, fields: Mapping[str, Value]) -> Claim | None:
    """The claim on the key that a write of these fields takes; None if they have no complete key.

    OpenAI's: the assistantId, or model and maxTokens. Other kinds': the names and values of the key's fields.
    """
    if kind.omitted_key == "refused":
        bot_type = str(fields.get("botType"))
        parts = tuple(fields.get(name) for name in kind.keys.get(bot_type, ()))
        return (bot_type, *map(str, parts)) if parts and None not in parts else None
    return _claim({name: _part(kind, name, fields) for name in kind.key(fields) if name in fields})


def is_of_key(claim: Claim) -> bool:
    """Whether it is a claim on a key, and not on a trigger."""
    return claim[0] not in {"all", "trigger", "value"}


def holds(kind: Kind, fields: Mapping[str, Value]) -> frozenset[Claim]:
    """What others cannot take while this bot is as it is."""
    claims = {claim for claim in _held_keys(kind, fields) if claim}
    operator, value = fields.get("triggerOperator"), fields.get("triggerValue")
    if value:
        claims |= {("value", str(value)), ("trigger", str(operator), str(value))}
    if fields.get("triggerType") == "all" and fields.get("enabled"):
        claims.add(ALL)
    return frozenset(claims)


def takes(kind: Kind, fields: Mapping[str, Value]) -> frozenset[Claim]:
    """What no other bot may hold when this one is written so. fields: those of the body.

    The key counts for creates too of a kind whose keys are only compared on updates: two equal bots could be
    made, but neither could be written again.
    """
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
    return " with ".join(f"{name} {value!r}" for name, value in zip(claim[1::2], claim[2::2], strict=True))


def _held_keys(kind: Kind, fields: Mapping[str, Value]) -> Iterator[Claim | None]:
    """The claims on a stored bot's key: the whole one, and with each part that a body may leave out."""
    if kind.omitted_key == "refused":
        yield key_claim(kind, fields)
        return
    names = [name for name in kind.key(fields) if name in fields]
    for choice in product(*((True,) if name in kind.schema.required else (True, False) for name in names)):
        kept = (name for name, keep in zip(names, choice, strict=True) if keep)
        yield _claim({name: _part(kind, name, fields) for name in kept})


def _claim(parts: Mapping[str, str]) -> Claim | None:
    return ("key", *(text for part in parts.items() for text in part)) if parts else None


def _part(kind: Kind, name: str, fields: Mapping[str, Value]) -> str:
    """A part of a key. One with a secret stays as it is: it is compared with it, and shown without."""
    value = fields[name]
    return value if kind.fields[name].hides and isinstance(value, str) else str(value)
