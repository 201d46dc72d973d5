"""Regular expressions against a table of what Node 20 made of them, and against hostile ones."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.routing.jsregex import MAX_LENGTH, Regex, examine
from tests.support import often

_TABLE = json.loads((Path(__file__).parent / "node20.json").read_text())
_MESSAGES: list[str] = _TABLE["messages"]
_PATTERNS: dict[str, list[int] | None] = _TABLE["patterns"]


def _matches(how: str, text: str, message: str) -> bool:
    return {
        "exact": message == text,
        "startswith": message.startswith(text),
        "endswith": message.endswith(text),
        "contains": text in message,
    }[how]


def test_what_node_refuses_is_refused_and_nothing_else() -> None:
    refused = {pattern for pattern in _PATTERNS if examine(pattern, modern=False).refused}
    assert refused == {pattern for pattern, matched in _PATTERNS.items() if matched is None}


def test_what_is_said_to_be_matched_is_what_node_matched() -> None:
    decided = 0
    for pattern, matched in _PATTERNS.items():
        regex = examine(pattern, modern=False)
        for at, message in enumerate(_MESSAGES):
            hit = at in (matched or ())
            said = any(_matches(how, text, message) for how, text in regex.texts)
            if "\n" not in message:  # ^.* and .*$ are read as if a message had one line
                assert hit or not said, (pattern, message)
                assert hit or not regex.everything, (pattern, message)
            assert said or not hit or not regex.complete, (pattern, message)
        decided += regex.complete
    assert decided > 150


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("oi", {("contains", "oi")}),
        ("^oi", {("startswith", "oi")}),
        ("oi$", {("endswith", "oi")}),
        ("^oi$", {("exact", "oi")}),
        ("^oi|ola$", {("startswith", "oi"), ("endswith", "ola")}),
        ("^(oi|olá)", {("startswith", "oi"), ("startswith", "olá")}),
        ("ped(ido|ir)s?", {("contains", "pedido"), ("contains", "pedir")}),
        ("[Oo]i", {("contains", "Oi"), ("contains", "oi")}),
        (".*oi.*", {("contains", "oi")}),
        ("^.*oi", {("contains", "oi")}),
        ("o+i", {("contains", "oi")}),
        (r"\d+", {("contains", digit) for digit in "0123456789"}),
        (r"^[\d]$", {("exact", digit) for digit in "0123456789"}),
        (r"R\$ 1\.0", {("contains", "R$ 1.0")}),
        (r"\x41\u0042", {("contains", "AB")}),
        ("^a{2,3}$", {("exact", "aa"), ("exact", "aaa")}),
    ],
)
def test_a_list_of_texts(pattern: str, texts: set[tuple[str, str]]) -> None:
    regex = examine(pattern)
    assert set(regex.texts) == texts
    assert regex.complete


@pytest.mark.parametrize(
    "pattern",
    [r"\D+", r"[\d\s]", "[^a]", "(?=oi)oi", r"\boi", "oi.a", "(?i:oi)", "^a+$", "[a-z]{3}", "(a|b|c|d){4}"],
)
def test_no_list_of_texts(pattern: str) -> None:
    assert not examine(pattern).complete


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 1000 + ")" * 1000,
        "(a+)+$",
        "((a?){30}){30}" + "b",
        "(|)" * 60 + "x",
        "(a|b|c|d)" * 100,
        "a{1000000000}",
        "(a{60}){60}",
        "[" * 1999 + "]",
        "a|" * 999,
        "(?:" * 200 + "a" + "{2})" * 200,
        "(?:" * 30 + "a?" + "){2}" * 30,
        "(?:" * 30 + "a|" + ")*" * 30,
        "\\",
        "[\\",
        "(?<",
        "a" * 100_000,
        "(" * 100_000,
    ],
    ids=lambda pattern: f"{pattern[:12]}… {len(pattern)}",
)
def test_a_hostile_pattern_takes_no_time(pattern: str) -> None:
    start = time.perf_counter()
    examine.__wrapped__(pattern)
    assert time.perf_counter() - start < 10
    if len(pattern) > MAX_LENGTH:
        assert examine(pattern).unread
        assert replace(examine(pattern), unread="") == Regex()


@settings(deadline=None, max_examples=often(300))
@given(st.text("ab(){}[]|*+?^$.\\-,:<>=!12dbwcxukpAé😀", max_size=30))
def test_any_pattern_is_read(pattern: str) -> None:
    regex = examine(pattern)
    assert not (regex.refused and (regex.texts or regex.everything or regex.foreign))
