"""Which declared bots exclude each other, of bots as values: where it is said, and with which way out."""

from __future__ import annotations

import pytest

from reconciler.domain.kinds import Value
from reconciler.manifests.clashes import clashes
from tests.plan.builders import bot

ALL = (
    "triggerType",
    "are both enabled with triggerType all, and the server allows one such bot",
    "give one of them `enabled: false` or another triggerType",
)
TRIGGER = (
    "triggerValue",
    "have the same triggerOperator and triggerValue, and no bot may share those of a keyword bot, whatever "
    "its triggerType and even if disabled",
    "change one of them, or leave them out of a bot that no keyword starts",
)
VALUE = (
    "triggerValue",
    "have the same triggerValue, and no bot may share that of an advanced bot, whatever its triggerType and "
    "even if disabled",
    "change one of them, or leave it out of a bot that needs none",
)
ASSISTANT = (
    "assistantId",
    "have the same assistantId, and the server tells assistant bots apart by that alone, even disabled ones",
    "give one of them another assistantId",
)
CHAT = (
    "maxTokens",
    "have the same model and maxTokens, and the server tells chatCompletion bots apart by that alone, even "
    "disabled ones",
    "give one of them another maxTokens",
)
OFF: dict[str, Value] = {"enabled": False}
STALE: dict[str, Value] = {"triggerOperator": "equals", "triggerValue": "1"}


@pytest.mark.parametrize(
    ("one", "other", "more", "said"),
    [
        (("x", "all"), ("y", "all"), {}, [ALL]),
        (("x", "all"), ("y", "all"), OFF, []),
        (("x", "equals:1"), ("y", "equals:1"), OFF, [TRIGGER]),
        (("x", "equals:1"), ("y", "contains:1"), {}, []),
        (("x", "equals:1"), ("y", "none"), STALE, [TRIGGER]),
        (("x", "all"), ("y", "none"), STALE, []),
        (("x", "adv:1"), ("y", "adv:1"), OFF, [VALUE]),
        (("x", "adv:1"), ("y", "equals:1"), {}, [VALUE]),
        (("x", "adv:1"), ("y", "none"), STALE, [VALUE]),
        (("x", "adv:1"), ("y", "adv:2"), {}, []),
        (("x", "none"), ("x", "none"), OFF, [ASSISTANT]),
        (("m/1", "none"), ("m/1", "none"), OFF, [CHAT]),
        (("m/1", "none"), ("m/2", "none"), {}, []),
        (("x", "all"), ("x", "all"), {}, [ALL, ASSISTANT]),
        (("x", "equals:1"), ("x", "equals:1"), {}, [ASSISTANT, TRIGGER]),
        (("x", "adv:1"), ("x", "adv:1"), {}, [ASSISTANT, VALUE]),
    ],
)
def test_two_bots(
    one: tuple[str, str], other: tuple[str, str], more: dict[str, Value], said: list[tuple[str, str, str]]
) -> None:
    first, second = bot("ana", *one), bot("bia", *other, **more)  # type: ignore[arg-type]  # fields only
    for a, b in ((first, second), (second, first)):
        assert [(clash.bot.name, clash.field, clash.message) for clash in clashes([a, b])] == [
            (b.name, field, f"'{b.name}' and '{a.name}' (bots/loja.yaml:1:1) {shared}: {way_out}")
            for field, shared, way_out in said
        ]


def test_of_many_each_names_the_first() -> None:
    bots = [
        bot("ana", "x", "none", **STALE),  # type: ignore[arg-type]  # fields only
        bot("bia", "y", "none", **STALE),  # type: ignore[arg-type]  # it takes nothing either
        bot("caio", "z", "equals:1"),
        bot("dora", "w", "equals:1"),
        bot("eva", "x", "none", **STALE),  # type: ignore[arg-type]  # in the way of caio, which came first
    ]
    assert [(clash.bot.name, clash.message.partition(" (")[0]) for clash in clashes(bots)] == [
        ("caio", "'caio' and 'ana'"),
        ("dora", "'dora' and 'ana'"),
        ("eva", "'eva' and 'ana'"),
        ("eva", "'eva' and 'caio'"),
    ]
