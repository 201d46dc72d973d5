"""What an apply does to customers, in sentences with counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain import safe
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.render import effects, markdown, text
from tests.render.plans import PLANS, change, plan, plans

_STEP = (Step(Call.UPDATE, "menu", "cm1", {}),)


def _bot(verb: Verb, before: Mapping[str, Value] | None, **after: Value) -> Change:
    fields = {**(before or {}), **after}
    changes = [(name, (before or {}).get(name), value) for name, value in fields.items()]
    return replace(
        change(verb, *(each for each in changes if each[1] != each[2])),
        before=None if before is None else RemoteBot("cm1", before),
    )


_ON: dict[str, Value] = {"enabled": True, "triggerType": "keyword"}
_OFF: dict[str, Value] = {"enabled": False, "triggerType": "keyword"}
_ALL: dict[str, Value] = {"enabled": True, "triggerType": "all"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (plan(), []),
        (plan(_bot(Verb.UPDATE, _ON, expire=1)), []),
        (
            plan(change(Verb.DELETE), in_sync=1),
            ["1 bot is deleted, and its open sessions end"],
        ),
        (
            plan(change(Verb.DELETE), change(Verb.DELETE, bot="b"), in_sync=1),
            ["2 bots are deleted, and their open sessions end"],
        ),
        (
            plan(change(Verb.REPLACE), change(Verb.ADOPT, bot="b"), in_sync=1),
            [
                "1 bot is deleted and recreated, and its open sessions end",
                "1 bot that somebody else created is adopted: its manifest takes it over",
            ],
        ),
        (
            plan(Change("loja", "main", Verb.ROTATE, "", of=Of.CREDENTIAL), in_sync=1),
            ["1 credential is rotated: its old key is deleted once nothing uses it"],
        ),
    ],
)
def test_dangers(made: Plan, said: list[str]) -> None:
    assert list(effects.dangers(made)) == said


def test_a_move_is_one() -> None:
    move = replace(change(Verb.MOVE), instance="new", other="old")
    leave = replace(change(Verb.DELETE), instance="old", other="new")
    made = Plan(
        "",
        "",
        (
            InstancePlan("new", (move,), _STEP, 1),
            InstancePlan("old", (leave,), _STEP, 1),
        ),
    )
    assert list(effects.dangers(made)) == ["1 bot moves to another number, and its open sessions end"]
    assert (
        effects.question(replace(made, server="https://x")) == "Apply 1 change to 2 instances of https://x?"
    )


@pytest.mark.parametrize(
    ("made", "is_one"),
    [
        (_bot(Verb.CREATE, None, **_ALL), True),
        (_bot(Verb.CREATE, None, enabled=True, triggerType="none"), True),
        (_bot(Verb.CREATE, None, **_ON), False),
        (_bot(Verb.CREATE, None, enabled=False, triggerType="all"), False),
        (_bot(Verb.UPDATE, _ON, triggerType="all"), True),
        (_bot(Verb.UPDATE, {**_ALL, "enabled": False}, enabled=True), True),
        (_bot(Verb.UPDATE, _ALL, expire=1), False),
        (_bot(Verb.UPDATE, _ALL, enabled=False), False),
        (_bot(Verb.DELETE, _ALL), False),
        (_bot(Verb.BLOCKED, _ON, triggerType="all"), False),
    ],
)
def test_catch_alls(made: Change, is_one: bool) -> None:
    assert effects.becomes_catch_all(made) is is_one


@pytest.mark.parametrize(
    ("changes", "answering", "is_one"),
    [
        ((_bot(Verb.DELETE, _ON),), 0, True),
        ((_bot(Verb.DELETE, _ON),), 1, False),
        ((_bot(Verb.DELETE, _OFF),), 0, False),
        ((_bot(Verb.UPDATE, _ON, enabled=False),), 0, True),
        ((_bot(Verb.UPDATE, _ON, expire=1),), 0, False),
        ((_bot(Verb.DELETE, _ON), _bot(Verb.CREATE, None, **_ON)), 0, False),
        ((_bot(Verb.DELETE, _ON), _bot(Verb.CREATE, None, **_OFF)), 0, True),
        ((_bot(Verb.DELETE, _ON), _bot(Verb.ORPHAN, _ON)), 0, False),
        ((_bot(Verb.DELETE, _ON), _bot(Verb.SWITCHED_OFF, _OFF)), 0, True),
        ((_bot(Verb.DELETE, _ON), _bot(Verb.UNMANAGED, _ON)), 0, True),
        ((_bot(Verb.BLOCKED, _ON, enabled=False),), 0, False),
        ((_bot(Verb.CREATE, None, **_OFF),), 0, False),
    ],
)
def test_numbers_that_lose_their_last_bot(changes: tuple[Change, ...], answering: int, is_one: bool) -> None:
    made = Plan("", "", (InstancePlan("loja", changes, _STEP, 3, manifest="a.yaml", answering=answering),))
    assert effects.silenced(made) == ["loja"] * is_one


def test_the_question() -> None:
    made = plan(change(Verb.DELETE), change(Verb.UPDATE, bot="b"), change(Verb.CONFLICT, bot="c"), in_sync=1)
    assert effects.question(made) == "Apply 2 changes to 1 instance of http://127.0.0.1:8080?"


def test_what_is_stuck() -> None:
    made = plan(change(Verb.CONFLICT), change(Verb.BLOCKED), change(Verb.BLOCKED, bot="b"))
    made = replace(made, instances=(*made.instances, InstancePlan("x", problem="gone")))
    assert list(effects.stuck(made)) == [
        "2 changes were not reviewed, and are not applied",
        "1 conflict is left as it is",
        "1 instance has a problem, and is left as it is",
    ]


_FEW = st.sampled_from(["", "a", "b", "loja-1", "loja-2", "loja-3"])


@settings(deadline=None)
@given(PLANS | plans(_FEW), st.sampled_from([20, 80, 120]))
def test_nothing_dangerous_is_out_of_sight(made: Plan, width: int) -> None:
    """Its number is always shown, in the smallest page too; in the text also the bot's name."""
    shown = [c for c in made.changes() if c.of is Of.BOT and not effects.is_left(c)]
    wide, page = text.plan(made, width=10_000), markdown.plan(made, max_chars=markdown.LEAST + 2)
    lines = " ".join(text.plan(made, width=width).split())
    for verb in (Verb.DELETE, Verb.REPLACE, Verb.MOVE, Verb.ADOPT):
        number = sum(change.verb is verb for change in shown)
        found = [said for said in effects.dangers(made) if _WORDS[verb] in said]
        assert [said.split()[0] for said in found] == [str(number)] * (number > 0)
        for said in found:
            assert f"{said}." in lines
            assert f"\n> {said}.\n" in page
        if number:
            assert f"{number} to {verb}" in lines
            assert f"{number} to {verb}" in page
    for each in shown:
        if each.verb.writes:
            assert f"{safe.inert(safe.line(each.label))}  {each.verb}: " in wide


_WORDS = {
    Verb.DELETE: "deleted, and",
    Verb.REPLACE: "deleted and recreated",
    Verb.MOVE: "other number",
    Verb.ADOPT: "adopted",
}
