"""A file that is being read: whether there may be a tag in it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.manifests.source import Source
from reconciler.yaml import MalformedError, compose, each, index, tag


def _tags(text: str) -> bool:
    return Source("a.yaml", text, str).tags


@pytest.mark.parametrize(
    "text",
    [
        "!x a: b",
        "\ufeff!x a: b",
        "a: !x b",
        "a:\t!x b",
        "a:\n  !x b",
        "- !x b",
        "[!x b]",
        "[a,!x b]",
        "{!x a: b}",
        '{"a":!x b}',
        "a: &b !x c",
        "a: !!int 1",
        "a: !<x> b",
        "a: ! b",
        "a: Olá!\nb: !x c",
    ],
)
def test_a_tag_is_seen_wherever_one_may_be(text: str) -> None:
    assert _tags(text)


@pytest.mark.parametrize("text", ["", "a: b", "a: Olá!", "a: Olá!!! Bem-vindo2!", "a: b!c"])
def test_what_ends_a_sentence_is_no_tag(text: str) -> None:
    assert not _tags(text)


@given(st.text(alphabet="a1é!: \n\t-?,[]{}&*#|>%'\"<\ufeff\u2028", max_size=30))
@example("[a, !x b]")
@example("a: |\n !x")
def test_no_node_has_a_tag_where_none_is_seen(text: str) -> None:
    try:
        root = compose(text)
    except MalformedError:
        return
    if not _tags(text):
        assert not [node for node in each(root) if tag(node) or text.startswith("!", index(node))]
