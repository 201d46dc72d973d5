"""QuickJS against what Node 20 made of the same patterns and texts, and against patterns that never end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.routing import javascript
from reconciler.routing.javascript import UndecidedError
from tests.support import Json

_HERE = Path(__file__).parent
_WRITTEN: Json = json.loads((_HERE / "node20.json").read_text())
_GENERATED: Json = json.loads((_HERE / "node20_generated.json").read_text())


@pytest.mark.parametrize(
    ("texts", "patterns"),
    [
        (_WRITTEN["messages"], list(_WRITTEN["patterns"].items())),
        (_GENERATED["texts"], _GENERATED["patterns"]),
    ],
    ids=["written", "generated"],
)
def test_every_pattern_is_what_node_makes_of_it(texts: list[str], patterns: Json) -> None:
    refused = 0
    for pattern, matched in patterns:
        if matched is None:
            assert javascript.refusal(pattern, modern=False), pattern
            refused += 1
            continue
        assert not javascript.refusal(pattern, modern=False), pattern
        found = [at for at, text in enumerate(texts) if javascript.matches(pattern, text)]
        assert found == matched, pattern
    assert 100 < refused < len(patterns) / 2


def on_a_new_engine() -> ThreadPoolExecutor:
    """A thread of its own has an engine of its own, whose patience is not spent."""
    return ThreadPoolExecutor(1)


def _undecided(cases: list[tuple[str, str]]) -> float:
    """The processor time that it takes not to decide any of the cases."""
    start = time.thread_time()
    for pattern, text in cases:
        with pytest.raises(UndecidedError):
            javascript.matches(pattern, text)
    return time.thread_time() - start


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 50 + "b"),
        ("(.*)*x", "y" * 50),
        ("(?:a?){40}a{40}b", "a" * 40),
        (r"(\w*\s*)*=", "a b " * 30),
        ("(?:.*.*)*=x", "y" * 3000),
    ],
)
def test_a_pattern_that_never_ends_is_not_decided(pattern: str, text: str) -> None:
    with on_a_new_engine() as engine:
        taken = engine.submit(_undecided, [(pattern, f"{text}{each}") for each in range(1000)]).result()
    assert taken < 3 * javascript.PATIENCE * javascript.SECONDS


def test_many_patterns_that_never_end_take_little_time() -> None:
    with on_a_new_engine() as engine:
        cases = [(f"{each}(a+)+$", f"{each}{'a' * 50}b") for each in range(300)]
        assert engine.submit(_undecided, cases).result() < 2 * javascript.TRIED * javascript.SECONDS
        assert engine.submit(javascript.matches, "oi", "oi, again").result()


def test_limits_of_the_engine_are_not_of_the_language() -> None:
    for pattern in ("(" * 300 + ")" * 300, "(" * 100_000 + ")" * 100_000):
        with pytest.raises(UndecidedError):
            javascript.refusal(pattern)


@pytest.mark.parametrize(
    ("pattern", "modern", "refused"),
    [
        ("(?i:oi)", True, False),
        ("(?i:oi)", False, True),
        ("[(?i:]", False, False),
        (r"\(?i:oi", False, False),
        ("(?<x>a)|(?<x>b)", True, False),
        ("(?<x>a)|(?<x>b)", False, True),
        ("(?<x>a)(?<x>b)", True, True),
        ("(?i)oi", True, True),
    ],
)
def test_what_node_24_reads_and_node_20_does_not(pattern: str, modern: bool, refused: bool) -> None:
    assert bool(javascript.refusal(pattern, modern)) == refused
