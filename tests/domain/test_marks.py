"""The mark of a bot that `reconciler disable` switched off."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.markers import (
    describe,
    human_text,
    marked,
    name_of,
    owners,
    stamped,
    switched_off,
    unstamped,
    with_mark,
    with_stamp,
)

MARK = "[gitops:ana]"
DAY = "2026-11-28"

EARLIER = re.compile(
    r"\[\s*gitops\s*:\s*([a-z0-9][a-z0-9-]*)\s*\](?:~([0-9a-f]{4})([0-9a-f]{4})\b)?", re.IGNORECASE
)
"""What versions that know no mark look for."""

EARLIER_END = re.compile(r"(?:~\w*)?[\s.,;:!?)…]*")
"""What may stand behind a marker at the end, for these versions."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MARK, f"{MARK}~off20261128"),
        (f"Oi {MARK}~89ef4567", f"Oi {MARK}~89ef4567~off20261128"),
        (f"{MARK}~89ef4567 edited", f"{MARK}~89ef4567~off20261128 edited"),
        (f"{MARK}~off20250101", f"{MARK}~off20261128"),
        ("x" * 233 + f" {MARK}~89ef4567", "x" * 220 + f"… {MARK}~89ef4567~off20261128"),
        ("x" * 221 + f" {MARK}~89ef4567", "x" * 221 + f" {MARK}~89ef4567~off20261128"),
    ],
)
def test_the_mark_stands_behind_the_stamp(before: str, after: str) -> None:
    assert with_mark(before, "gitops", "ana", DAY) == after
    assert len(after) <= 255
    assert switched_off(after, "gitops") == DAY
    assert (name_of(after, "gitops"), stamped(after, "gitops")) == ("ana", stamped(before, "gitops"))
    assert marked(after, "gitops", "ana")
    assert owners(after) == {"gitops"}
    assert "off" not in human_text(after, "gitops")
    again = with_stamp(after, "gitops", "ana", "~0123abcd")
    assert (stamped(again, "gitops"), switched_off(again, "gitops")) == ("~0123abcd", DAY)
    assert switched_off(with_mark(after, "gitops", "ana", ""), "gitops") == ""


@pytest.mark.parametrize(
    ("description", "day"),
    [
        (MARK, ""),
        (f"{MARK}~89ef4567", ""),
        (f"{MARK}~off", ""),
        (f"{MARK}~off20261328", ""),
        (f"{MARK}~off20261132", ""),
        (f"{MARK}~off2026112", ""),
        (f"{MARK}~off202611280", ""),
        (f"{MARK} off20261128", ""),
        (f"~off20261128 {MARK}", ""),
        ("[other:ana]~off20261128", ""),
        ("no marker ~off20261128", ""),
        # as a person may have left it
        (f"{MARK}~OFF20261128", DAY),
        (f"{MARK}~off 2026-11-28", DAY),
        (f"{MARK} ~off-2026-11-28.", DAY),
        (f"{MARK}~89ef4567 ~ off_20261128, sorry", DAY),
        (f"[ GitOps : ANA ]~off20261128 {MARK}", DAY),
    ],
)
def test_the_day_in_a_mark(description: str, day: str) -> None:
    assert switched_off(description, "gitops") == day


@pytest.mark.parametrize(
    ("description", "bare", "kept"),
    [
        (f"Oi {MARK}~89ef4567~off20261128", f"Oi {MARK}", f"Oi {MARK}~off20261128"),
        (f"Oi {MARK} ~off 2026-11-28, sorry", f"Oi {MARK}, sorry", f"Oi {MARK}~off20261128, sorry"),
        (f"Oi {MARK}~89ef4567", f"Oi {MARK}", f"Oi {MARK}"),
        (f"Oi {MARK}", f"Oi {MARK}", f"Oi {MARK}"),
    ],
)
def test_a_description_is_compared_with_the_mark_or_without(description: str, bare: str, kept: str) -> None:
    assert unstamped(description, "gitops") == bare
    assert unstamped(description, "gitops", marked=True) == kept


@pytest.mark.parametrize("stamp", ["", "~89ef4567"])
@pytest.mark.parametrize("text", ["", "Oi ", "[obs: ligar] "])
def test_a_version_that_knows_no_mark_sees_marker_and_stamp(text: str, stamp: str) -> None:
    description = with_mark(f"{text}{MARK}{stamp}", "gitops", "ana", DAY)
    [found] = EARLIER.finditer(description)
    assert (found[1], f"{found[2] or ''}{found[3] or ''}") == ("ana", stamp[1:])
    assert EARLIER_END.fullmatch(description, found.end())


def test_a_mark_makes_a_marker_anothers_wherever_it_stands() -> None:
    assert owners("[team2:menu]~off20261128, orders only") == {"team2"}
    assert owners("[8:18]~off20261128") == {"8"}


@given(st.text(st.characters(exclude_characters="[]~\0", exclude_categories=["Cs"])), st.booleans())
def test_what_is_cut_for_a_mark_is_what_a_plan_would_cut(text: str, has_stamp: bool) -> None:
    """So a bot that is switched off differs in nothing from its target."""
    text = " ".join(text.split())
    stored = describe(text, "gitops", "ana", stamp="~0123abcd" if has_stamp else "")
    off = with_mark(stored, "gitops", "ana", DAY)
    assert len(off) <= 255
    assert switched_off(off, "gitops") == DAY
    if has_stamp:  # without one there is more room, which the next stamp takes
        assert unstamped(off, "gitops", marked=True) == describe(text, "gitops", "ana", DAY)
