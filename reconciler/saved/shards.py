"""What a document says of the shard that its plan or its results are of, to JSON and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.domain import signals
from reconciler.domain.plan import InstancePlan
from reconciler.domain.rerouted import Rerouted
from reconciler.domain.shards import ApplyShard, Crossing, Place, PlanShard, Variant

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Document = dict[str, Any]

Shard = PlanShard | ApplyShard
"""What a document is of, if it is not of a whole."""

EncodeInstance = Callable[[InstancePlan], Mapping[str, object]]
EncodeMessage = Callable[[Rerouted], Mapping[str, object]]


def encode(shard: Shard, instance: EncodeInstance, message: EncodeMessage) -> Mapping[str, object]:
    """The JSON of a shard. instance, message: encode those of its variants."""
    number = {"number": shard.shard.number, "of": shard.shard.of}
    if isinstance(shard, ApplyShard):
        apart = {"apart": True} if shard.apart else {}
        return {**number, "plan": shard.plan, "routing": shard.routing, **apart}
    return {
        **number,
        "tool": shard.tool,
        "commit": shard.commit,
        "manifests": shard.manifests,
        "options": dict(shard.options),
        "limits": asdict(shard.limits),
        "notes": shard.notes,
        "crossing": _crossing(shard.crossing, instance, message),
    }


def _crossing(crossing: Crossing, instance: EncodeInstance, message: EncodeMessage) -> Mapping[str, object]:
    def variant(one: Variant) -> Mapping[str, object]:
        return {
            "instances": [instance(each) for each in one.instances],
            "routing": [message(each) for each in one.routing],
        }

    return {
        "orphans": [
            {**_place(one.place), "moves": one.moves, "stays": one.stays} for one in crossing.orphans
        ],
        "missing": [_place(one) for one in crossing.missing],
        "unread": [_place(one) for one in crossing.unread],
        "undeclared": dict(crossing.undeclared),
        "unchanged": dict(crossing.unchanged),
        "unlisted": crossing.unlisted,
        "bare": [asdict(one) for one in crossing.bare],
        "order": crossing.order,
        "kept": variant(crossing.kept),
        "waiting": variant(crossing.waiting),
        "oneWaiting": [variant(one) for one in crossing.one_waiting],
    }


def _place(one: Place) -> dict[str, object]:
    return {"instance": one.instance, "kind": one.kind, "bot": one.bot}


# -- back -------------------------------------------------------------------------------------

DecodeInstances = Callable[[Sequence[Document]], list[Document]]
DecodeMessages = Callable[[Sequence[Document]], list[Document]]


def decode(document: Document, instances: DecodeInstances, messages: DecodeMessages) -> Shard:
    """The shard in a document. Raises ValidationError, LookupError, TypeError, ValueError.

    instances, messages: make of the JSON of a variant's what a model reads.
    """
    shard = {"number": document["number"], "of": document["of"]}
    if type(shard["of"]) is not int or not 1 <= shard["number"] <= shard["of"]:
        raise ValueError("no shard has such a number")
    if "plan" in document:
        own = {"shard": shard, "plan": document["plan"], "routing": document["routing"]}
        own |= {"apart": document.get("apart", False)}
        return _applied().validate_python(own)
    crossing = dict(document["crossing"])
    orphans = [
        {
            "place": {name: one[name] for name in ("instance", "kind", "bot")},
            "moves": one["moves"],
            "stays": one["stays"],
        }
        for one in crossing["orphans"]
    ]

    def variant(one: Document) -> Document:
        return {"instances": instances(one["instances"]), "routing": messages(one["routing"])}

    variants = {
        "kept": variant(crossing["kept"]),
        "waiting": variant(crossing["waiting"]),
        "one_waiting": [variant(one) for one in crossing.pop("oneWaiting")],
    }
    names = ("tool", "commit", "manifests", "options", "limits", "notes")
    whole = {name: document[name] for name in names}
    return _planned().validate_python(
        {**whole, "shard": shard, "crossing": {**crossing, "orphans": orphans, **variants}}
    )


def check(shard: Shard, messages: int) -> None:
    """Raises ValueError where the places of a document's messages are not those of so many."""
    if isinstance(shard, PlanShard):
        right = sorted(shard.crossing.order) == [*range(messages)]
    else:
        right = (
            len(set(shard.routing)) == len(shard.routing) == messages and min(shard.routing, default=0) >= 0
        )
    if not right:
        raise ValueError("its messages have other places")


@cache
@signals.held()
def _planned() -> TypeAdapter[PlanShard]:
    from pydantic import TypeAdapter  # noqa: PLC0415  slow to import

    return TypeAdapter(PlanShard)


@cache
@signals.held()
def _applied() -> TypeAdapter[ApplyShard]:
    from pydantic import TypeAdapter  # noqa: PLC0415  slow to import

    return TypeAdapter(ApplyShard)
