"""What was written, compared with what is there: the messages, and which bots they are about."""

from __future__ import annotations

import pytest

from reconciler.apply.verify import differences, side_effects
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.observed import RemoteBot
from reconciler.evolution.masking import Secrets
from tests.plan.builders import remote

SECRETS = Secrets("sk-secret-1234567890")


@pytest.mark.parametrize(
    ("sent", "whole", "there", "said"),
    [
        ({"expire": 1}, {"expire": 1}, {"expire": 1}, []),
        ({"expire": 1}, {"expire": 1}, {"expire": 2}, ["the server accepted expire but kept 2 (sent: 1)"]),
        ({"expire": 1}, {"expire": 1}, {}, ["the server accepted expire but kept nothing (sent: 1)"]),
        ({"expire": 5}, {"expire": 5}, {"expire": 50}, ["the server accepted expire but kept 50 (sent: 5)"]),
        ({}, {"expire": 1}, {"expire": 2}, ["the server changed expire, which was not sent, from 1 to 2"]),
        (
            {},
            {"expire": None},
            {"expire": 2},
            ["the server changed expire, which was not sent, from nothing to 2"],
        ),
        ({}, {}, {"expire": 2}, []),
        (
            {"model": "é"},
            {"model": "é"},
            {"model": "e"},
            ['the server accepted model but kept "e" (sent: "é")'],
        ),
        ({"keywordFinish": ""}, {"keywordFinish": ""}, {}, []),
        (
            {"functionUrl": "a"},
            {"functionUrl": "a"},
            {"functionUrl": "b"},
            ["the server accepted functionUrl but kept another value"],
        ),
        (
            {"functionUrl": "a"},
            {"functionUrl": "a"},
            {"functionUrl": ""},
            ["the server accepted functionUrl but kept nothing"],
        ),
        ({}, {"functionUrl": "a"}, {}, ["the server changed functionUrl, which was not sent"]),
        (
            {"expire": 1},
            {"unknown": "x", "expire": 1, "enabled": True},
            {},
            [
                "the server changed enabled, which was not sent, from true to nothing",
                "the server accepted expire but kept nothing (sent: 1)",
                'the server changed unknown, which was not sent, from "x" to nothing',
            ],
        ),
        (
            {"model": "m"},
            {"model": "m"},
            {"model": "the sk-secret-1234567890"},
            ['the server accepted model but kept "the [key]" (sent: "m")'],
        ),
        (
            {"ignoreJids": ("a", "b")},
            {"ignoreJids": ("a", "b")},
            {"ignoreJids": ("a",)},
            ['the server accepted ignoreJids but kept ["a"] (sent: ["a", "b"])'],
        ),
    ],
)
def test_what_is_not_as_it_should_be(
    sent: Fields, whole: dict[str, Value | None], there: Fields, said: list[str]
) -> None:
    assert differences(sent, whole, there, SECRETS, OPENAI) == said


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("x" * 58, "y" * 58, (f'"{"x" * 58}"', f'"{"y" * 58}"')),
        ("x" * 59, "y", (f'"{"x" * 59}…', '"y"')),
        ("y", "x" * 59, ('"y"', f'"{"x" * 59}…')),
        # From fifteen characters before the first that differs, the quote being the first of all.
        ("a" * 50 + "b" * 50, "a" * 50 + "c", ("…" + "a" * 15 + "b" * 45 + "…", "…" + "a" * 15 + 'c"')),
        ("a" * 50 + "b" * 45, "a" * 50, ("…" + "a" * 15 + "b" * 45 + "…", "…" + "a" * 15 + '"')),
        ("a" * 50 + "b" * 44, "a" * 50, ("…" + "a" * 15 + "b" * 44 + '"', "…" + "a" * 15 + '"')),
        ("a" * 14 + "b" * 80, "a" * 14, (f'"{"a" * 14}{"b" * 45}…', f'"{"a" * 14}"')),
        ("a" * 15 + "b" * 80, "a" * 15, ("…" + "a" * 15 + "b" * 45 + "…", "…" + "a" * 15 + '"')),
        ("a" * 20, "a" * 20 + "b", (f'"{"a" * 20}"', f'"{"a" * 20}b"')),
    ],
)
def test_long_texts_are_shown_from_where_they_differ(one: str, other: str, shown: tuple[str, str]) -> None:
    assert differences({}, {"model": one}, {"model": other}, SECRETS, OPENAI) == [
        f"the server changed model, which was not sent, from {shown[0]} to {shown[1]}"
    ]


def by_id(*bots: RemoteBot) -> dict[str, RemoteBot]:
    return {bot.id or f"?{number}": bot for number, bot in enumerate(bots)}


ANA = remote("i1", "x", "none", "[gitops:ana]")
EVA = remote("i2", "y", "none", "[gitops:eva]", expire=1, model="m", functionUrl="https://e.x/1")


@pytest.mark.parametrize(
    ("after", "own", "made", "said"),
    [
        ([ANA, EVA], (), "", {}),
        ([ANA], (), "", {"i2": "bot i2 is gone"}),
        ([ANA], ("i2",), "", {}),
        ([], (), "", {"i1": "bot i1 is gone", "i2": "bot i2 is gone"}),
        (
            [
                ANA,
                remote("i2", "y", "none", "[gitops:eva]", expire=2, model="m", functionUrl="https://e.x/2"),
            ],
            (),
            "",
            {"i2": "bot i2 changed: functionUrl, expire from 1 to 2"},
        ),
        (
            [ANA, remote("i2", "y", "none", "[gitops:eva]", expire=1, functionUrl="https://e.x/1")],
            (),
            "",
            {"i2": 'bot i2 changed: model from "m" to nothing'},
        ),
        ([ANA, EVA, remote("i3", "z")], (), "", {}),
        ([ANA, EVA, remote("i3", "z", "none", "[other:ana]~01234567")], (), "", {}),
        ([ANA, EVA, remote("i3", "z", "none", "[gitops:new]")], (), "", {}),
        (
            [ANA, EVA, remote("i3", "z", "none", "[GITOPS:ana]")],
            (),
            "",
            {"i3": "bot i3 appeared with the marker of ana, which bot i1 has too"},
        ),
        ([ANA, EVA, remote("i3", "z", "none", "[gitops:ana]")], (), "ana", {}),
        ([ANA, EVA, remote("i3", "z", "none", "[gitops:ana]")], ("i3",), "", {}),
        (
            [ANA, EVA, remote("i3", "z", "none", "[gitops:eva]")],
            (),
            "ana",
            {"i3": "bot i3 appeared with the marker of eva, which bot i2 has too"},
        ),
    ],
)
def test_what_became_of_the_others(
    after: list[RemoteBot], own: tuple[str, ...], made: str, said: dict[str, str]
) -> None:
    assert side_effects(by_id(ANA, EVA), by_id(*after), own, {made}, "gitops", SECRETS) == said


def test_a_row_without_an_id_is_not_followed() -> None:
    nameless = remote("", "z")
    assert side_effects(by_id(nameless, ANA), by_id(ANA), (), (), "gitops", SECRETS) == {}
    assert side_effects(by_id(nameless), by_id(ANA, nameless), (), (), "gitops", SECRETS) == {}
    gone = side_effects(by_id(nameless, ANA), by_id(nameless), (), (), "gitops", SECRETS)
    assert gone == {"i1": "bot i1 is gone"}
