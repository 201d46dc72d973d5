"""Shadows against the server's own choice of a bot, tried with messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import DesiredBot
from reconciler.domain.errors import Position
from reconciler.domain.versions import NEWEST
from reconciler.lint.triggers import compare
from reconciler.routing import advanced
from reconciler.routing.choice import matches
from reconciler.routing.values import STEPS, step
from tests.support import often


def _rank(bot: DesiredBot) -> int:
    rule = step(bot.fields, NEWEST)
    assert rule
    return STEPS.index(rule)


def _matches(bot: DesiredBot, message: str) -> bool:
    return matches(bot.fields, STEPS[_rank(bot)], message, NEWEST)


_texts = st.text("aAáb", min_size=1, max_size=3)
_patterns = st.lists(
    _texts | st.sampled_from(["^", "$", "|", "(a|b)", "b?", ".*", "[ab]"]), min_size=1, max_size=3
)
_values = st.lists(_texts, min_size=1, max_size=2).map(",".join)
_parts = st.builds("{}:{}".format, st.sampled_from([*advanced.OPERATORS, "Contains"]), _values)
_keywords = st.tuples(st.sampled_from(["equals", "startsWith", "endsWith", "contains"]), _texts)
_regexes = st.tuples(st.just("regex"), _patterns.map("".join))
_expressions = st.tuples(st.just("advanced"), st.lists(_parts, min_size=1, max_size=3).map(" ".join))
_triggers = st.lists(_keywords | _regexes | _expressions, min_size=2, max_size=5, unique=True)
_messages = st.lists(st.text("aAáb", max_size=6), min_size=10, max_size=30)


def _bot(name: str, operator: str, value: str) -> DesiredBot:
    kind = (
        {"triggerType": "advanced"}
        if operator == "advanced"
        else {"triggerType": "keyword", "triggerOperator": operator}
    )
    return DesiredBot(name, {**kind, "triggerValue": value}, "main", Position("a.yaml", 1, 1))


def _bots(triggers: Iterable[tuple[str, str]]) -> list[DesiredBot]:
    return [_bot(f"b{number}", *trigger) for number, trigger in enumerate(triggers)]


@settings(deadline=None, max_examples=often(300))
@given(_triggers, _messages)
def test_a_shadow_is_true(triggers: list[tuple[str, str]], messages: list[str]) -> None:
    bots = _bots(triggers)
    values = [str(bot.fields["triggerValue"]) for bot in bots]
    for shadow in compare(bots, modern=True).shadows:
        for message in [*messages, *values, *(one + other for one in values for other in values)]:
            if _matches(shadow.bot, message):
                rivals = [bot for bot in shadow.takers if _matches(bot, message)]
                assert rivals, (message, shadow)
                assert not shadow.certain or any(_rank(bot) < _rank(shadow.bot) for bot in rivals)


@given(st.lists(_keywords, min_size=2, max_size=5, unique=True))
def test_of_two_keywords_none_is_missed(triggers: list[tuple[str, str]]) -> None:
    """Keywords without regex only meet where two of one operator do, and then always."""
    bots = _bots(triggers)
    inside: dict[str, Callable[[str, str], bool]] = {
        "startsWith": lambda whole, part: whole.startswith(part),
        "endsWith": lambda whole, part: whole.endswith(part),
        "contains": lambda whole, part: part in whole,
    }
    expected = {
        f"b{at}"
        for at, (how, value) in enumerate(triggers)
        for other, (beside, text) in enumerate(triggers)
        if at != other and how == beside and how in inside and inside[how](value, text)
    }
    found = compare(bots, modern=True).shadows
    assert {shadow.bot.name for shadow in found} == expected
    assert not any(shadow.certain for shadow in found)


@given(_expressions, _messages)
def test_an_expression_is_read_as_the_server_reads_it(trigger: tuple[str, str], messages: list[str]) -> None:
    found = advanced.examine(trigger[1])
    assert found.ways is not None
    for message in messages:
        said = any(
            all(advanced.meets(demand, advanced.normal(message)) for demand in way) for way in found.ways
        )
        assert said == advanced.matches(trigger[1], message)
        assert not said or not all(map(advanced.impossible, found.ways))


@given(st.text("ab:, \náç", max_size=12))
def test_any_text_is_an_expression(text: str) -> None:
    found = advanced.examine(text)
    never = found.ways is not None and all(map(advanced.impossible, found.ways))
    assert found.mistakes or not never


MANY = {
    "keywords of each operator": (
        [(how, f"palavra {n} fim") for n in range(5000) for how in ("equals", "contains", "endsWith")],
        None,
    ),
    "one prefix in all": (
        [("startsWith", "ped")] + [("startsWith", f"pedido {n}") for n in range(5000)],
        None,
    ),
    "keywords and a few regexes": (
        [("contains", f"p{n}x") for n in range(5000)] + [("regex", f"^z{n}$") for n in range(20)],
        None,
    ),
    "too many regexes": ([("regex", f"^z{n}$") for n in range(1502)], "b1500"),
    "too many expressions": ([("advanced", f"contains:z{n}z") for n in range(1502)], "b1500"),
    "texts in each other": ([("contains", "a" * n + "b") for n in range(3000, 0, -1)], "b35"),
}


@pytest.mark.parametrize(("triggers", "unread"), MANY.values(), ids=MANY)
def test_many_take_little_time(triggers: list[tuple[str, str]], unread: str | None) -> None:
    start = time.process_time()
    found = compare(_bots(triggers), modern=True)
    assert time.process_time() - start < 10
    assert (found.unread.name if found.unread else None) == unread
    if ("startsWith", "ped") in triggers:
        assert len(found.shadows) == len(triggers) - 1
