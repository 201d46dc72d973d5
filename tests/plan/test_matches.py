"""Every bot of the server is in one place of a match, and what is said of those that are left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.domain.desired import DesiredBot, DesiredInstance
from reconciler.domain.hidden import Hidden, of_ref, reference
from reconciler.domain.kinds import KINDS, OPENAI, Value
from reconciler.domain.markers import (
    claimed,
    human_text,
    marked,
    name_of,
    stamp,
    stamped,
    unstamped,
    with_stamp,
)
from reconciler.domain.observed import RemoteBot
from reconciler.plan.matching import Ambiguous, Found, How, Matches, called, match, needs_settings
from tests.plan.builders import AT, bot, remote

MARK = "[gitops:ana]"
STRANGE = "its row is not understood: "


def matched(desired: list[DesiredBot], there: list[RemoteBot]) -> Matches:
    found = match(DesiredInstance("loja", tuple(desired), AT), there, "gitops", OPENAI)
    assert matches_of(found) == matches_of(
        match(DesiredInstance("loja", tuple(desired), AT), there[::-1], "gitops", OPENAI)
    )
    everyone = [one.remote for one in found.found.values()]
    everyone += [each for _, each in (*found.orphans, *found.unmanaged)]
    assert sorted(each.id for each in everyone) == sorted(each.id for each in there)
    return found


def matches_of(found: Matches) -> object:
    return found.found, found.conflicts, found.orphans, sorted(found.unmanaged, key=lambda pair: pair[1].id)


def unmanaged(found: Matches) -> dict[str, str]:
    return {each.id: why for why, each in found.unmanaged}


def unread(each: RemoteBot, *fields: str) -> RemoteBot:
    return replace(each, unread=tuple((name, "is not of type text") for name in fields))


def test_what_is_said_of_strangers_and_orphans() -> None:
    there = [
        remote("i1", "x", "none", "[other:eva]~01234567 [Third:eva]~01234567"),
        remote("i2", "y", "none", "[gitops:zoe] [gitops:bia]"),
        remote("i3", "z", "none", "[gitops:zoe]"),
        remote("i4", "w"),
        remote("i5", "v", "none", "a [note]"),
        remote("i6", "u", "none", "[GITOPS:Eva]"),
        remote("i7", "t", "none", "[gitops:dup]"),
        remote("i8", "s", "none", "[gitops:dup]"),
    ]
    found = matched([], there)
    assert (found.found, [(name, each.id) for name, each in found.orphans]) == (
        {},
        [("eva", "i6"), ("zoe", "i3")],
    )
    assert unmanaged(found) == {
        "i1": "it carries the marker of the owner Third, other",
        "i2": "it carries the markers of bia and zoe",
        "i4": "it carries no marker",
        "i5": "it carries no marker",
        "i7": "it carries the marker of dup, as another bot does",
        "i8": "it carries the marker of dup, as another bot does",
    }
    assert list(found.conflicts) == ["dup"]


@pytest.mark.parametrize("name", ["ana", "was-ana"])
def test_our_marker_beside_another_is_a_conflict(name: str) -> None:
    there = [remote("i1", "x", "none", f"[gitops:{name}] [other:eva]~01234567")]
    found = matched([bot("ana", "x", previously=("was-ana",))], there)
    assert found.conflicts == {
        "ana": Ambiguous(
            "bot i1 carries its marker, but also the marker of the owner other: "
            "leave the right one in its description",
            ("i1",),
        )
    }


def test_the_second_carrier_of_a_name_in_conflict_is_left_alone_too() -> None:
    there = [remote("i1", "x", "none", f"{MARK} [other:eva]~01234567"), remote("i2", "y", "none", MARK)]
    found = matched([bot("ana", "x"), bot("bia", "z", previously=("old",))], there)
    assert list(found.conflicts) == ["ana"]
    assert unmanaged(found)["i2"] == "it carries the marker of ana as another bot does"
    assert found.orphans == []


def test_a_name_of_its_own_goes_before_one_that_another_had_before() -> None:
    """`previously` names a bot that is declared, which only what is put together by hand does."""
    found = matched(
        [bot("ana", "x"), bot("bia", "y", previously=("ana",))], [remote("i1", "y", "none", MARK)]
    )
    assert found.found["ana"] == Found(found.found["ana"].remote, How.MARKER, "")
    assert list(found.found) == ["ana"]


def test_a_conflict_about_a_name_is_its_own_bots() -> None:
    """Of a name that another bot had before, too."""
    for desired in (
        [bot("ana", "x"), bot("bia", "y", previously=("ana",))],
        [bot("bia", "y", previously=("ana",)), bot("ana", "x")],
    ):
        found = matched(desired, [remote("i1", "x", "none", f"{MARK} [other:eva]~01234567")])
        assert list(found.conflicts) == ["ana"]


def test_a_rename_says_what_it_was_named() -> None:
    found = matched([bot("bia", "y", previously=("old", "ana"))], [remote("i1", "y", "none", MARK)])
    assert (found.found["bia"].how, found.found["bia"].old_name) == (How.RENAME, "ana")


def test_what_is_not_understood_is_left_alone_and_what_it_may_be_is_not_made() -> None:
    there = [unread(remote("i1", "x", "none", f"Oi {MARK}"), "expire", "model")]
    found = matched([bot("ana", "x", previously=("old",)), bot("bia", "y")], there)
    why = f"{STRANGE}expire is not of type text, model is not of type text"
    assert unmanaged(found) == {"i1": why}
    assert found.conflicts == {"ana": Ambiguous(f"bot i1 carries its marker, and {why}", ("i1",))}


def test_a_row_that_was_it_before_is_not_understood() -> None:
    there = [unread(remote("", "x", "none", "[GitOps:OLD]"), "expire")]
    found = matched([bot("ana", "x", previously=("old",))], there)
    assert found.conflicts == {
        "ana": Ambiguous(
            f"a bot without a usable id carries its marker, and {STRANGE}expire is not of type text", ()
        )
    }


@pytest.mark.parametrize(
    ("field", "hides"), [("description", True), ("it", True), ("expire", False), ("model", False)]
)
def test_a_row_whose_marker_is_not_shown_may_be_any_bot_that_is_missing(field: str, hides: bool) -> None:
    there = [
        remote("i1", "x", "none", MARK),
        remote("i2", "y", "none", "[gitops:eva] [other:eva]~01234567"),
        unread(remote("i3", "z"), "model", field),
        unread(remote("", "w"), field),
    ]
    found = matched([bot("ana", "x"), bot("bia", "z"), bot("eva", "e")], there)
    assert list(found.found) == ["ana"]
    assert set(found.conflicts) == ({"eva", "bia"} if hides else {"eva"})
    assert found.conflicts["eva"].ids == ("i2",)
    if hides:
        reason = f"bot i3 may be it: {STRANGE}model is not of type text, {field} is not of type text"
        assert found.conflicts["bia"] == Ambiguous(reason, ("i3",))


# -- adoption ----------------------------------------------------------------------------------


def test_what_is_said_of_two_that_may_be_it() -> None:
    for there, what in (
        ([remote("i1", "x"), remote("i2", "x")], "key"),
        ([remote("i1", "y", "equals:1"), remote("i2", "z", "equals:1")], "trigger"),
    ):
        found = matched([bot("ana", "x", "equals:1")], there)
        reason = (
            f"bots i1 and i2 both have its {what} and no marker: put the marker into the description of "
            "the right one, or delete the other"
        )
        assert found.conflicts == {"ana": Ambiguous(reason, ("i1", "i2"))}
        assert set(unmanaged(found).values()) == {"it carries no marker"}


def test_its_key_on_one_and_its_trigger_on_others() -> None:
    there = [remote("i1", "x"), remote("i2", "y", "equals:1"), remote("i3", "z", "equals:1")]
    desired = [bot("ana", "x", "equals:1"), bot("bia", "w", "equals:1")]
    found = matched(desired, there)
    reason = (
        "bot i1 has its key and bot i2 and i3 its trigger, both without a marker: delete one, or change what "
        "is declared"
    )
    assert found.conflicts == {"ana": Ambiguous(reason, ("i1", "i2", "i3"))}
    assert found.found == {}


@pytest.mark.parametrize(
    ("mine", "its", "adopted"),
    [
        ("equals:1", "equals:1", True),
        ("equals:1", "contains:1", False),
        ("equals:1", "equals:2", False),
        ("equals:1", "adv:1", False),
        ("adv:1", "adv:1", True),
        ("adv:1", "adv:2", False),
        ("all", "all", True),
        ("all", "equals:1", False),
        ("none", "none", False),
    ],
)
def test_a_trigger_is_the_same_in_all_its_parts(mine: str, its: str, adopted: bool) -> None:
    found = matched([bot("ana", "x", mine)], [remote("i1", "y", its)])
    assert bool(found.found) is adopted


def test_a_disabled_all_adopts_nothing() -> None:
    assert not matched([bot("ana", "x", "all", enabled=False)], [remote("i1", "y", "all")]).found
    assert matched([bot("ana", "x", "all", enabled=True)], [remote("i1", "y", "all")]).found


def test_what_is_found_by_its_marker_is_not_looked_for_by_its_key() -> None:
    there = [remote("i1", "y", "none", MARK), remote("i2", "x")]
    found = matched([bot("ana", "x")], there)
    assert {name: one.remote.id for name, one in found.found.items()} == {"ana": "i1"}
    assert unmanaged(found) == {"i2": "it carries no marker"}


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", ""),
        ("Open [8:18]", ""),
        ("Open [8:18]~0123abcd", "[8:18]~0123abcd"),
        ("[8:18] then [team2:menu] and [x:y]", "[team2:menu]"),
        ("[Obs: ligar]", "[Obs: ligar]"),
        ("[just a note]", ""),
    ],
)
def test_what_an_owner_could_take_for_its_marker(text: str, first: str) -> None:
    assert claimed(text) == first


@pytest.mark.parametrize(
    ("description", "name", "exact", "text"),
    [
        ("", "", False, ""),
        (" Oi  Zé ", "", False, "Oi  Zé"),
        (MARK, "ana", True, ""),
        ("[gitops: ANA ]  x", "ana", False, "x"),
        (f"a {MARK}  b", "ana", True, "a b"),
        (f"a\t\t{MARK}b  c", "ana", True, "a b c"),
        (f"{MARK} {MARK}", "ana", False, ""),
        (f"{MARK} [gitops:bia]", "ana", False, ""),
        ("[other:ana]", "", False, "[other:ana]"),
        ("Oi [GITOPS:ana]~0123ABCD", "ana", False, "Oi"),
    ],
)
def test_what_is_read_of_a_description(description: str, name: str, exact: bool, text: str) -> None:
    assert name_of(description, "gitops") == name
    assert marked(description, "gitops", "ana") is exact
    assert human_text(description, "gitops") == text


@pytest.mark.parametrize(
    ("description", "its_stamp", "without"),
    [
        ("", "", ""),
        (MARK, "", MARK),
        (f"{MARK}~0123abcd", "~0123abcd", MARK),
        (f"Oi {MARK}~0123ABCD!", "~0123abcd", f"Oi {MARK}!"),
        (f"~x {MARK}~0123abcd ~y", "~0123abcd", f"~x {MARK} ~y"),
        ("[other:ana]~0123abcd", "", "[other:ana]~0123abcd"),
        (f"{MARK}~0123abcde", "", f"{MARK}~0123abcde"),
    ],
)
def test_a_stamp_is_ours_alone(description: str, its_stamp: str, without: str) -> None:
    assert stamped(description, "gitops") == its_stamp
    assert unstamped(description, "gitops") == without


def test_a_stamp_fits_to_the_last_character() -> None:
    full = "x" * (255 - len(MARK) - 9)
    assert with_stamp(full + MARK, "gitops", "ana", "~0123abcd") == f"{full}{MARK}~0123abcd"
    assert with_stamp(f"x{full}{MARK}", "gitops", "ana", "~0123abcd").endswith(f"… {MARK}~0123abcd")


def test_a_stamp_is_of_what_was_declared_and_of_what_it_became() -> None:
    first, second = stamp(["a"], ["b"]), stamp(["c"], ["b"])
    assert first == "~0eb5a895"
    assert (first[:1], first[5:], len(first)) == ("~", second[5:], 9)
    assert first[1:5] != second[1:5]


def test_what_a_bot_is_called() -> None:
    assert called(remote("i1", "x")) == "bot i1"
    assert called(remote("", "x")) == "a bot without a usable id"


@pytest.mark.parametrize(
    ("desired", "there", "needed"),
    [
        ([], [], False),
        ([bot("ana", "x")], [], True),
        ([bot("ana", "x")], [remote("i1", "x")], False),
        ([bot("ana", "x"), bot("bia", "y")], [remote("i1", "x")], True),
        ([bot("ana", "x"), bot("bia", "y", replace=True)], [remote("i1", "x"), remote("i2", "y")], True),
    ],
)
def test_whether_the_settings_are_needed(
    desired: list[DesiredBot], there: list[RemoteBot], needed: bool
) -> None:
    instance = DesiredInstance("loja", tuple(desired), AT)
    assert needs_settings(instance, there, "gitops", OPENAI) is needed
    assert needs_settings(instance, there, "gitops", OPENAI, replace=True)


def test_a_conflict_about_a_key_leaves_the_triggers_of_others_alone() -> None:
    there = [remote("i1", "x"), remote("i2", "x"), remote("i3", "other", "equals:oi")]
    found = matched([bot("ana", "x"), bot("eva", "y", "equals:oi")], there)
    assert list(found.conflicts) == ["ana"]
    assert found.found == {"eva": Found(there[2], How.TRIGGER)}


@pytest.mark.parametrize("owner", ["gitops", "GitOps", "GITOPS"])
@pytest.mark.parametrize("written", ["[gitops:ana]~0123abcd", "[GitOps:ana]", "[GITOPS:ana]~0123abcd"])
def test_an_owner_is_the_same_in_capitals(owner: str, written: str) -> None:
    there = remote("i1", "x", "none", written)
    found = match(DesiredInstance("loja", (bot("ana", "x"),), AT), [there], owner, OPENAI)
    assert found.found == {"ana": Found(there, How.MARKER)}


def test_a_row_that_is_not_understood_may_have_the_marker_of_a_bot_that_nothing_declares() -> None:
    found = matched([bot("ana", "x")], [unread(remote("i1", "y", "none", "[gitops:zoe]"), "expire")])
    assert (found.conflicts, found.found) == ({}, {})


def test_a_bot_in_conflict_hides_no_other() -> None:
    there = [
        remote("i1", "x", "none", "[gitops:ana] [other:ana]~0123abcd"),
        remote("i2", "y", "none", "[gitops:bia]"),
        remote("i3", "z", "none", "[gitops:ana]"),
    ]
    found = matched([bot("ana", "x"), bot("bia", "y")], there)
    assert (set(found.conflicts), found.found) == ({"ana"}, {"bia": Found(there[1], How.MARKER)})


@pytest.mark.parametrize("first", ["ana", "bia"])
def test_a_previous_name_that_another_bot_has_now_is_that_bots(first: str) -> None:
    there = [remote("i1", "q", "none", "[gitops:bia]")]
    desired = [bot("ana", "x", previously=("bia",)), bot("bia", "y")]
    found = matched(desired if first == "ana" else desired[::-1], there)
    assert found.found == {"bia": Found(there[0], How.MARKER)}


# -- keys with a secret that is not at hand -----------------------------------------------------

FLOWISE = KINDS["flowise"]
SECRET = of_ref(reference(FLOWISE.fields["apiKey"], "env", "FLOWISE_KEY"), "FLOWISE_KEY is not set")
A, B = "https://a.example", "https://b.example"


def flow(name: str, url: Value, **fields: Value) -> DesiredBot:
    """A declared Flowise bot, whose key is not at hand."""
    declared = {"enabled": True, "triggerType": "none", "apiUrl": url, "apiKey": SECRET, **fields}
    return DesiredBot(name, declared, None, AT, kind=FLOWISE)


def stored(id: str, url: str, **fields: Value) -> RemoteBot:
    """A Flowise bot on the server."""
    key = Hidden("***", f"key of {id}")
    row = {"enabled": True, "triggerType": "none", "expire": 5, "apiUrl": url, "apiKey": key, **fields}
    return RemoteBot(id, row, kind=FLOWISE)


UNKNOWN_KEYS: list[tuple[list[DesiredBot], list[RemoteBot], dict[str, str], list[str]]] = [
    ([flow("ana", A)], [stored("i1", A), stored("i2", B)], {"ana": "i1"}, []),
    ([flow("ana", A, expire=9)], [stored("i1", A)], {"ana": "i1"}, []),
    ([flow("ana", A)], [stored("i1", A, triggerType="all", enabled=False)], {}, []),
    ([flow("ana", A)], [stored("i1", A, apiKey="")], {}, []),
    ([flow("ana", A)], [stored("i1", A), stored("i2", A)], {}, ["ana"]),
    (
        [flow("ana", A, description="Ana"), flow("bia", A, description="Bia")],
        [stored("i1", A, description="Bia"), stored("i2", A, description="Ana")],
        {"ana": "i2", "bia": "i1"},
        [],
    ),
    ([flow("ana", SECRET)], [stored("i1", A)], {"ana": "i1"}, []),
    ([flow("ana", SECRET, expire=9)], [stored("i1", A)], {}, []),
    ([flow("ana", A, apiKey="")], [stored("i1", A), stored("i2", A, apiKey="")], {"ana": "i2"}, []),
    ([flow("ana", SECRET, expire=9)], [stored("i1", A), stored("i2", B, expire=9)], {"ana": "i2"}, []),
    ([flow("ana", SECRET)], [stored("i1", A), stored("i2", B)], {}, ["ana"]),
]


@pytest.mark.parametrize(("desired", "there", "found", "conflicts"), UNKNOWN_KEYS)
def test_a_secret_that_is_not_at_hand_matches_whatever_is_there(
    desired: list[DesiredBot], there: list[RemoteBot], found: dict[str, str], conflicts: list[str]
) -> None:
    for bots in (there, there[::-1]):
        matches = match(DesiredInstance("loja", tuple(desired), AT), bots, "gitops", FLOWISE)
        assert {name: (one.remote.id, one.how) for name, one in matches.found.items()} == {
            name: (id, How.KEY) for name, id in found.items()
        }
        assert list(matches.conflicts) == conflicts
