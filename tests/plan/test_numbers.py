"""The nearest number that is not taken."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.numbers import Numbers
from tests.support import often


@pytest.mark.parametrize(
    ("taken", "value", "nearest"),
    [
        pytest.param((), 5, 6, id="of two that are as near the greater one"),
        pytest.param((6,), 5, 4, id="the smaller one is nearer"),
        pytest.param((4, 6), 5, 7, id="both beside it are taken"),
        pytest.param((1, 2, 3, 4, 6, 7), 5, 8, id="none is below"),
        pytest.param((), 9, 8, id="none is above"),
        pytest.param((2, 3), 1, 4, id="the least one"),
        pytest.param((), 5_000, 9, id="beyond the last one"),
        pytest.param((1,), -3, 2, id="below the least one"),
    ],
)
def test_the_nearest(taken: tuple[int, ...], value: int, nearest: int) -> None:
    assert Numbers(1, 9).nearest(value, taken.__contains__) == nearest


@settings(max_examples=often(200), deadline=None)
@given(st.sets(st.integers(1, 30), max_size=29), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_it_is_the_first_that_a_search_on_both_sides_finds(taken: set[int], values: list[int]) -> None:
    """What is given is taken from then on, as a bot that is parked there has it."""
    numbers = Numbers(1, 2**31 - 1)
    for value in values:
        beside = (value + way * step for step in itertools.count(1) for way in (1, -1))
        expected = next(number for number in beside if number >= 1 and number not in taken)
        assert numbers.nearest(value, taken.__contains__) == expected
        taken.add(expected)


def test_each_number_is_asked_for_once_in_a_direction() -> None:
    numbers, asked = Numbers(1, 2**31 - 1), []

    def is_taken(number: int) -> bool:
        asked.append(number)
        return number <= 1_000

    assert {numbers.nearest(value, is_taken) for value in range(1, 1_001)} == {1_001}
    assert len(asked) <= 3 * 1_000
