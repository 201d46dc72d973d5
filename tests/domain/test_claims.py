"""Claims in a person's words."""

from __future__ import annotations

import pytest

from reconciler.domain.uniqueness import Claim, describe


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (("all",), "the trigger all"),
        (("trigger", "equals", "oi"), "the trigger equals 'oi'"),
        (("value", "equals:oi"), "the trigger value 'equals:oi'"),
        (("assistant", "a1"), "assistantId 'a1'"),
        (("chatCompletion", "gpt-4o", "300"), "model 'gpt-4o' with maxTokens 300"),
        (("key", "apiUrl", "http://x"), "apiUrl 'http://x'"),
    ],
)
def test_describe(claim: Claim, words: str) -> None:
    assert describe(claim) == words
