"""Untrusted text: nothing that moves, hides or reorders what a person sees gets through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.domain import safe

_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_ANY = st.text(alphabet=st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ação, 你好, مرحبا", "plain, ação, 你好, مرحبا"),
        ("two\nlines", "two⏎lines"),
        ("tab\there\r\n", "tab⇥here␍⏎"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("bell\x07 null\x00 del\x7f", "bell␇ null␀ del␡"),
        ("c1\x9b31m", "c1<U+009B>31m"),
        ("\u202egpj.exe", "<U+202E>gpj.exe"),
        ("a\u2066b\u2069", "a<U+2066>b<U+2069>"),
        ("pass\u200bword\ufeff", "pass<U+200B>word<U+FEFF>"),
        ("para\u2029graph", "para<U+2029>graph"),
        ("lone \ud83d", "lone <U+D83D>"),
        ("tag\U000e0041", "tag<U+E0041>"),
        ("hieroglyph\U00013430\U0001343f", "hieroglyph<U+13430><U+1343F>"),
        ("sign\u0600 \u06dd", "sign<U+0600> <U+06DD>"),
        ("private\ue000\U0010fffd", "private<U+E000><U+10FFFD>"),
        ("none\ufdd0\uffff\U0003fffe\U00050000", "none<U+FDD0><U+FFFF><U+3FFFE><U+50000>"),
        ("blank\u2800\U00016fe4", "blank<U+2800><U+16FE4>"),
        ("variant\ufe00\U000e0100 ❤\ufe0f", "variant<U+FE00><U+E0100> ❤\ufe0f"),
        ("new emoji \U0001fae9", "new emoji \U0001fae9"),
        ("family 👨‍👩‍👧, nurse 👩🏽‍⚕️", "family 👨‍👩‍👧, nurse 👩🏽‍⚕️"),
        ("a\u200db", "a<U+200D>b"),
        ("\u200d", "<U+200D>"),
        ("", ""),
    ],
)
def test_signs(text: str, shown: str) -> None:
    assert safe.line(text) == shown


def test_a_sign_does_not_depend_on_what_stands_beside_it() -> None:
    """Texts of Latin-1 take a shorter way, and one sign of another script makes them take the other one."""
    for character in map(chr, range(0x100)):
        assert safe.line(character) == safe.line(f"{character}你").removesuffix("你"), hex(ord(character))


def test_lines_keeps_newlines_alone() -> None:
    assert safe.lines("one\ntwo\x1b\r\n") == "one\ntwo␛␍\n"


@settings(deadline=None)
@given(_ANY)
@example("\x85\u2028\u061c")
def test_nothing_unsafe_remains(text: str) -> None:
    shown = safe.line(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Co", "Cs", "Zl", "Zp"}]
    assert not [c for c in shown if unicodedata.category(c) == "Cf" and c != "\u200d"]
    assert not [c for c in shown if unicodedata.bidirectional(c) in _BIDI]
    assert shown.splitlines() in ([shown], [])
    shown.encode()
    assert safe.line(shown) == shown


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["L", "M", "N", "P", "S", "Zs"], max_codepoint=0x2FF)))
def test_ordinary_text_stays(text: str) -> None:
    assert safe.line(text) == text


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("ação", 4), ("a\u0301", 1), ("你好", 4), ("👍", 2), ("", 0)]
)
def test_cells(text: str, width: int) -> None:
    assert safe.cells(text) == width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "<U+003A>:error::x"),
        ("a\n \u00a0\u3000::stop-commands::x\n", "a\n \u00a0\u3000<U+003A>:stop-commands::x\n"),
        ("a ##[group]b ###[c", "a ##<U+005B>group]b ###<U+005B>c"),
        ("a ::error::x\n: :\n## [x]", "a ::error::x\n: :\n## [x]"),
    ],
)
def test_no_line_is_a_workflow_command(text: str, shown: str) -> None:
    assert safe.inert(text) == shown
