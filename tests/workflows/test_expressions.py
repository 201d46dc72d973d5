"""The stand-in for GitHub's expressions: right where it answers, and an error where it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions import condition, evaluate, interpolated

CONTEXT: dict[str, Any] = {
    "github": {
        "sha": "abc",
        "event": {"pull_request": {"number": 7}},
        "pulls": [{"name": "a"}, {"name": "b c"}],
    },
    "inputs": {"sure": True},
    "success()": lambda: False,
    "failure()": lambda: True,
    "always()": lambda: True,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.sha", "abc"),
        ("github.event.pull_request.number", 7),
        ("github.event.before", None),
        ("github.event.before.deeper", None),
        ("inputs.sure", True),
        ("github.sha == 'ABC'", True),
        ("github.sha != 'abc'", False),
        ("!inputs.sure", False),
        ("false || 'x'", "x"),
        ("'' && 'x'", ""),
        ("false && false || true", True),
        ("false && (false || true)", False),
        ("'it''s'", "it's"),
        ("always() && failure()", True),
        ("toJSON(github.pulls.*.name)", '["a", "b c"]'),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize(
    "text", ["matrix.x", "fromJSON(github)", "github.*.x.y", "github.sha < 1", "hashFiles('x')", "1 +", ""]
)
def test_what_is_not_known(text: str) -> None:
    with pytest.raises((AssertionError, KeyError, IndexError)):
        evaluate(text, CONTEXT)


def test_conditions() -> None:
    assert not condition(True, CONTEXT)  # success() is meant
    assert condition("always()", CONTEXT)
    assert condition("failure() && inputs.sure", CONTEXT)
    assert not condition("${{ github.sha == 'abc' }}", CONTEXT)


def test_texts() -> None:
    assert (
        interpolated("a ${{ github.sha }} ${{inputs.sure}} ${{ inputs.other }}.", CONTEXT) == "a abc true ."
    )
    assert interpolated(False, CONTEXT) == "false"
