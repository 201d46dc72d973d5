"""Which bot is whose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.desired import DesiredBot, DesiredInstance
from reconciler.domain.kinds import OPENAI
from reconciler.domain.markers import (
    STAMP_LENGTH,
    describe,
    human_text,
    marked,
    owners,
    stamped,
    unstamped,
    with_stamp,
)
from reconciler.domain.observed import RemoteBot
from reconciler.plan.matching import How, match
from tests.plan.builders import AT, bot, remote

MARK = "[gitops:ana]"


def found(desired: list[DesiredBot], there: list[RemoteBot]) -> dict[str, tuple[str, How]]:
    matches = match(DesiredInstance("loja", tuple(desired), AT), there, "gitops", OPENAI)
    return {name: (f.remote.id, f.how) for name, f in matches.found.items()}


def conflicts(desired: list[DesiredBot], there: list[RemoteBot]) -> dict[str, tuple[str, ...]]:
    matches = match(DesiredInstance("loja", tuple(desired), AT), there, "gitops", OPENAI)
    return {name: conflict.ids for name, conflict in matches.conflicts.items()}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", MARK),
        ("Front desk", f"Front desk {MARK}"),
        ("  indented, kept; the end not   ", f"  indented, kept; the end not {MARK}"),
        ("x" * 255, "x" * 232 + f"… {MARK}"),
        ("x" * 233, "x" * 233 + f" {MARK}"),
        ("x" * 234, "x" * 232 + f"… {MARK}"),
    ],
)
def test_the_marker_is_never_what_is_cut(text: str, stored: str) -> None:
    assert describe(text, "gitops", "ana") == stored
    assert len(stored) + STAMP_LENGTH <= 255


@given(st.text(st.characters(exclude_characters="[]\0", exclude_categories=["Cs"])))
def test_a_described_bot_is_marked_and_gives_its_text_back(text: str) -> None:
    stored = describe(text, "gitops", "ana")
    assert len(with_stamp(stored, "gitops", "ana", "~0123abcd")) <= 255
    assert marked(stored, "gitops", "ana")
    again = describe(human_text(stored, "gitops"), "gitops", "ana")
    assert describe(human_text(again, "gitops"), "gitops", "ana") == again


@pytest.mark.parametrize(
    "description",
    [
        MARK,
        f"Front desk {MARK}",
        f"{MARK} edited by Zé",
        f"before{MARK}after",
        "Front desk [ GitOps : ANA ]",
        f"{MARK} and again {MARK}",
        f"[obs: ligar] {MARK}",
        f"{MARK}~0123abcd",
        f"Front desk {MARK}~0123abcd edited",
        f"{MARK}~torn",
    ],
)
def test_the_marker_is_found_wherever_people_left_it(description: str) -> None:
    there = [remote("i1", "other/1", "equals:9", description)]
    assert found([bot("ana", "m/1", "equals:1")], there) == {"ana": ("i1", How.MARKER)}


OWNERS: dict[str, set[str]] = {
    # what a person says
    "Open daily [8:18]": set(),
    "Open daily (8:18)": set(),
    "[8:18]": set(),
    "[08:00-18:00]": set(),
    "[Mon-Fri 8:18]": set(),
    "[9h:18h]": set(),
    "[24:7] e feriados": set(),
    "Loja [2:1]!": set(),
    "[tel:4002] Front desk": set(),
    "[obs:ligar] Front desk [gitops:ana]~1f3a9c2b": {"gitops"},
    "[team2:] menu": set(),
    "[:menu]": set(),
    "team2:menu": set(),
    "[team 2:menu]": set(),
    "[Obs: ligar]": set(),
    "[Seg:Sex]": set(),
    f"[{'a' * 33}:menu]~1f3a9c2b": set(),
    # what an apply left, whatever a person did to it
    "[gitops:atendimento]~1f3a9c2b": {"gitops"},
    "Menu [team2:18]~1f3a9c2b": {"team2"},
    "Menu [8:18]~1f3a9c2b": {"8"},
    "Menu [8:18]~1F3A9C2B": {"8"},
    "Menu [ Team2 : MENU ]~1f3a9c2b": {"Team2"},
    "[team2:menu]~1f3a9c2b, orders only": {"team2"},
    "a[team2:menu]~1f3a9c2b": {"team2"},
    "[team2:menu]~1f3a9c2b [team3:menu]~1f3a9c2b now": {"team2", "team3"},
    "Menu [team2:a] [team3:b]~1f3a9c2b": {"team3"},
    "Menu [8:18]~1f3a9c2b [seg:sex]": {"8"},
    # what no apply wrote: a person's words, or a bot that its own owner bound by hand
    "[team2:18]": set(),
    "Horário [seg:sex]": set(),
    "Menu [re:regex].": set(),
    "Menu [a:b]~zz": set(),
    "Menu [gitops:atendimento]": set(),
    "Menu [gitops:atendimento]~1f3a": set(),
    "Menu [gitops:atendimento]~torn": set(),
    "Menu [team2:a] [team3:b]": set(),
}


@pytest.mark.parametrize(("description", "whose"), OWNERS.items())
def test_whose_markers_a_description_carries(description: str, whose: set[str]) -> None:
    assert owners(description) == whose
    there = [remote("i1", "x", "equals:1", description)]
    adopted = {} if whose else {"ana": ("i1", How.KEY)}
    if "[gitops:" not in description:
        assert found([bot("ana", "x", "equals:1")], there) == adopted


def test_a_description_without_end_is_read_in_one_go() -> None:
    assert owners("[a:b] x" * 100_000 + "[c:d]~1f3a9c2b" * 100_000) == {"c"}
    assert owners("[" * 500_000) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MARK, f"{MARK}~0123abcd"),
        (f"Oi {MARK}~89ef4567", f"Oi {MARK}~0123abcd"),
        (f"{MARK} edited", f"{MARK}~0123abcd edited"),
        ("x" * 240 + f" {MARK}", "x" * 232 + f"… {MARK}~0123abcd"),
    ],
)
def test_a_stamp_stands_behind_the_marker(before: str, after: str) -> None:
    assert with_stamp(before, "gitops", "ana", "~0123abcd") == after
    assert stamped(after, "gitops") == "~0123abcd"
    assert stamped(unstamped(after, "gitops"), "gitops") == ""
    assert human_text(after, "gitops") == human_text(unstamped(after, "gitops"), "gitops")


@pytest.mark.parametrize(
    ("desired", "there", "expected"),
    [
        pytest.param([bot("ana", "x")], [remote("i1", "x")], {"ana": ("i1", How.KEY)}, id="by assistantId"),
        pytest.param([bot("ana", "m/1")], [remote("i1", "m/1")], {"ana": ("i1", How.KEY)}, id="by model"),
        pytest.param([bot("ana", "m/1")], [remote("i1", "m/2")], {}, id="another key"),
        pytest.param(
            [bot("ana", "m/1")],
            [remote("i1", "x", model="m", maxTokens=1)],
            {},
            id="a left-over key of another botType is no key",
        ),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "y", "equals:1")],
            {"ana": ("i1", How.TRIGGER)},
            id="by keyword",
        ),
        pytest.param(
            [bot("ana", "x", "adv:1")],
            [remote("i1", "y", "adv:1")],
            {"ana": ("i1", How.TRIGGER)},
            id="by advanced value",
        ),
        pytest.param(
            [bot("ana", "x", "all")],
            [remote("i1", "y", "all")],
            {"ana": ("i1", How.TRIGGER)},
            id="by an enabled all",
        ),
        pytest.param(
            [bot("ana", "x", "all")],
            [remote("i1", "y", "all", enabled=False)],
            {},
            id="a disabled all identifies nothing",
        ),
        pytest.param([bot("ana", "x")], [remote("i1", "y")], {}, id="none identifies nothing"),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "y", "none", triggerOperator="equals", triggerValue="1")],
            {},
            id="a stale trigger is no trigger",
        ),
        pytest.param(
            [bot("ana", "x", "equals:1"), bot("bia", "y", "equals:2")],
            [remote("i1", "y", "equals:1"), remote("i2", "x", "equals:2")],
            {"ana": ("i2", How.KEY), "bia": ("i1", How.KEY)},
            id="the key goes before the trigger, for all bots",
        ),
        pytest.param(
            [bot("bia", "x", previously=("ana",))],
            [remote("i1", "y", "none", MARK)],
            {"bia": ("i1", How.RENAME)},
            id="renamed",
        ),
        pytest.param(
            [bot("bia", "x", previously=("ana",))],
            [remote("i1", "y", "none", MARK), remote("i2", "z", "none", "[gitops:bia]")],
            {"bia": ("i2", How.MARKER)},
            id="its own name goes before a previous one",
        ),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "x", "equals:1", "[other:ana]~1f3a9c2b")],
            {},
            id="another owner's bot is not adopted",
        ),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "x", "equals:1", "[gitops:bia]")],
            {},
            id="nor an orphan of ours",
        ),
    ],
)
def test_matching(
    desired: list[DesiredBot], there: list[RemoteBot], expected: dict[str, tuple[str, How]]
) -> None:
    assert found(desired, there) == expected
    assert conflicts(desired, there) == {}


@pytest.mark.parametrize(
    ("desired", "there", "expected"),
    [
        pytest.param(
            [bot("ana", "x")],
            [remote("i2", "y", "none", MARK), remote("i1", "z", "none", MARK)],
            {"ana": ("i1", "i2")},
            id="a marker twice",
        ),
        pytest.param(
            [],
            [remote("i2", "y", "none", MARK), remote("i1", "z", "none", MARK)],
            {"ana": ("i1", "i2")},
            id="a marker twice that nothing declares",
        ),
        pytest.param(
            [bot("bia", "x", previously=("ana", "eva"))],
            [remote("i1", "y", "none", MARK), remote("i2", "z", "none", "[gitops:eva]")],
            {"bia": ("i1", "i2")},
            id="two previous names",
        ),
        pytest.param(
            [bot("ana", "x")],
            [remote("i1", "y", "none", f"{MARK} [other:eva]~1f3a9c2b")],
            {"ana": ("i1",)},
            id="two owners",
        ),
        pytest.param(
            [bot("ana", "x"), bot("eva", "y")],
            [remote("i1", "y", "none", f"{MARK} [gitops:eva]")],
            {"ana": ("i1",), "eva": ("i1",)},
            id="two names",
        ),
        pytest.param(
            [bot("bia", "x", previously=("ana",))],
            [remote("i1", "y", "none", f"{MARK} [other:eva]~1f3a9c2b")],
            {"bia": ("i1",)},
            id="two owners of a renamed bot",
        ),
        pytest.param(
            [bot("ana", "x")], [remote("i1", "x"), remote("i2", "x")], {"ana": ("i1", "i2")}, id="two keys"
        ),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "y", "equals:1"), remote("i2", "z", "equals:1")],
            {"ana": ("i1", "i2")},
            id="two triggers",
        ),
        pytest.param(
            [bot("ana", "x", "equals:1")],
            [remote("i1", "y", "equals:1"), remote("i2", "x")],
            {"ana": ("i2", "i1")},
            id="its key on one and its trigger on another",
        ),
        pytest.param(
            [bot("ana", "x"), bot("eva", "y", "all")],
            [remote("i1", "x", "all"), remote("i2", "x", "none")],
            {"ana": ("i1", "i2")},
            id="a candidate of a conflict is not adopted by another",
        ),
    ],
)
def test_two_candidates_are_a_conflict_that_names_both(
    desired: list[DesiredBot], there: list[RemoteBot], expected: dict[str, tuple[str, ...]]
) -> None:
    assert conflicts(desired, there) == expected
    assert found(desired, there) == {}
