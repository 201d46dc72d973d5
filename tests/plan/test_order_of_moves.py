"""The order of one instance's transitions, taken by itself: what goes first, who is parked, who is stuck."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import INT32_MAX, OPENAI, Value
from reconciler.plan.cycles import Cycles, Edge
from reconciler.plan.order import Order, order
from reconciler.plan.parking import is_parked, parked_trigger
from reconciler.plan.simulation import Simulation, Transition, Write
from tests.plan.builders import key, trigger
from tests.support import often


def fields(its_key: str, its_trigger: str = "none", **more: Value) -> Fields:
    """A bot's fields, as far as others can exclude it by them."""
    return {"enabled": True, **key(its_key), **trigger(its_trigger), **more}


def ordered(
    transitions: list[Transition],
    in_place: Mapping[str, Fields] | None = None,
    fixed: Mapping[str, Fields] | None = None,
) -> Order:
    return order({move.label: move for move in transitions}, in_place or {}, fixed or {}, "gitops", OPENAI)


def told(leg: Write) -> str:
    if leg.park:
        return f"park {leg.label}"
    return f"{'create' if leg.before is None else 'delete' if leg.after is None else 'update'} {leg.label}"


def calls(found: Order) -> str:
    assert not found.impossible
    return ", ".join(map(told, found.writes))


def test_what_could_go_at_once_goes_by_name_but_for_what_is_early() -> None:
    names = ("bia", "ana", "eva", "caio")
    transitions = [Transition(name, None, fields(name), first=name in {"caio", "eva"}) for name in names]
    assert calls(ordered(transitions)) == "create caio, create eva, create ana, create bia"


def test_what_is_early_still_waits_for_what_is_in_its_way() -> None:
    transitions = [
        Transition("ana", None, fields("x", "equals:1"), first=True),
        Transition("bia", fields("y", "equals:1"), fields("y", "equals:2")),
    ]
    assert calls(ordered(transitions)) == "update bia, create ana"


def test_a_move_has_its_own_claims_already() -> None:
    start = fields("x", "equals:1", expire=1)
    assert calls(ordered([Transition("ana", start, fields("x", "equals:1", expire=2))])) == "update ana"


def test_what_is_made_anew_is_deleted_and_made_and_what_is_not_there_is_made() -> None:
    start, target = fields("x"), fields("y")
    assert ordered([Transition("ana", start, target, recreate=True)]).writes == [
        Write("ana", start, None),
        Write("ana", None, target),
    ]
    assert ordered([Transition("ana", None, target, recreate=True)]).writes == [Write("ana", None, target)]
    assert ordered([Transition("ana", start, None)]).writes == [Write("ana", start, None)]


def test_who_waits_for_a_cycle_is_not_in_it() -> None:
    """ana waits for bia, who swaps with caio."""
    moves = [
        Transition("ana", None, fields("x", "equals:9")),
        Transition("bia", fields("x", "equals:1"), fields("w", "equals:2")),
        Transition("caio", fields("y", "equals:2"), fields("y", "equals:1")),
    ]
    now = Simulation({move.label: move for move in moves}, {}, {}, OPENAI)
    assert Cycles(now).find() == [Edge("bia", "caio"), Edge("caio", "bia")]
    assert calls(ordered(moves)) == "park bia, create ana, update caio, update bia"


# -- who is parked, and where ------------------------------------------------------------------


def swap(first: str, second: str, **more: Value) -> list[Transition]:
    """Two bots that swap their triggers."""
    return [
        Transition("ana", fields("x", first, **more), fields("x", second)),
        Transition("bia", fields("y", second, **more), fields("y", first)),
    ]


def test_the_parked_bot_gives_up_what_is_needed_and_says_why() -> None:
    legs = ordered(swap("equals:1", "equals:2")).writes
    assert legs == [
        Write(
            "ana",
            fields("x", "equals:1"),
            fields("x", "regex:(?!)parked by gitops: ana"),
            park=True,
            why="moved aside to free the trigger equals '1'",
        ),
        Write("bia", fields("y", "equals:2"), fields("y", "equals:1")),
        Write("ana", fields("x", "regex:(?!)parked by gitops: ana"), fields("x", "equals:2")),
    ]
    assert is_parked(legs[0].after or {})
    assert not is_parked(legs[2].after or {})
    assert not is_parked({})
    assert is_parked({"triggerValue": parked_trigger("another", "bot")})


def test_a_parked_bot_is_known_by_the_description_that_it_will_have() -> None:
    ana, bia = swap("equals:1", "equals:2")
    target = {**(ana.target or {}), "description": "[gitops:ana]"}
    park = ordered([Transition("ana", ana.start, target), bia]).writes[0]
    assert (park.after or {})["description"] == "[gitops:ana]"
    assert "description" not in (ordered([ana, bia]).writes[0].after or {})


@pytest.mark.parametrize(
    ("ana", "bia", "parked"),
    [
        ({"anew": True}, {}, "delete ana, update bia, create ana"),
        ({}, {"anew": True}, "delete bia, update ana, create bia"),
        ({"enabled": False}, {}, "park ana, update bia, update ana"),
        ({}, {"enabled": False}, "park bia, update ana, update bia"),
        ({"enabled": False}, {"anew": True}, "delete bia, update ana, create bia"),
        ({"anew": True}, {"enabled": False}, "delete ana, update bia, create ana"),
        ({"anew": True}, {"anew": True, "enabled": False}, "delete bia, delete ana, create ana, create bia"),
    ],
)
def test_whose_parking_costs_least(ana: dict[str, bool], bia: dict[str, bool], parked: str) -> None:
    transitions = [
        Transition(name, {**fields(key, mine), **more}, fields(key, other), recreate=more.get("anew", False))
        for name, key, mine, other, more in (
            ("ana", "x", "equals:1", "equals:2", {"enabled": True, **ana}),
            ("bia", "y", "equals:2", "equals:1", {"enabled": True, **bia}),
        )
    ]
    assert calls(ordered(transitions)) == parked


def test_one_in_its_place_is_moved_aside_and_back() -> None:
    """The enabled `all` in its place stands in the way of the disabled one that is written."""
    in_place = {"shop": fields("z", "all")}
    found = ordered([Transition("ana", fields("x"), fields("x", "all", enabled=False))], in_place)
    assert calls(found) == "park shop, update ana, update shop"
    assert [leg.why for leg in found.writes] == [
        "moved aside to free the trigger all",
        "",
        "back to its place",
    ]
    back = found.writes[2].after or {}
    assert back == {**in_place["shop"], "triggerOperator": "regex", "triggerValue": ""}


def test_what_is_deleted_first_to_free_something_says_so() -> None:
    ana, bia = swap("equals:1", "equals:2")
    leg = ordered([Transition("ana", ana.start, ana.target, recreate=True), bia]).writes[0]
    assert leg == Write("ana", ana.start, None, why="deleted first to free the trigger equals '1'")


@pytest.mark.parametrize(
    ("tokens", "others", "free"),
    [
        ((5, 6), (), 4),
        ((5, 7), (), 6),
        ((5, 6), ("m/4",), 7),
        ((5, 6), ("n/4",), 4),
        ((5, 6), ("m/4", "m/7"), 3),
        ((5, 6), ("m/4", "m/7", "m/3"), 8),
        ((1, 2), (), 3),
        ((1, 2), ("m/3",), 4),
        ((2, 3), (), 1),
        ((INT32_MAX, 5), (), INT32_MAX - 1),
        ((INT32_MAX - 1, 5), (), INT32_MAX),
        ((INT32_MAX - 1, 5), (f"m/{INT32_MAX}",), INT32_MAX - 2),
    ],
)
def test_a_key_of_tokens_is_parked_on_the_nearest_free_number(
    tokens: tuple[int, int], others: tuple[str, ...], free: int
) -> None:
    mine, other = (f"m/{number}" for number in tokens)
    transitions = [
        Transition("ana", fields(mine), fields(other)),
        Transition("bia", fields(other), fields(mine)),
    ]
    found = ordered(transitions, {}, {name: fields(name) for name in others})
    assert found.writes[0].after == fields(f"m/{free}")
    assert calls(found) == "park ana, update bia, update ana"


def test_a_number_of_tokens_that_a_bot_will_have_is_not_parked_on() -> None:
    transitions = [
        Transition("ana", fields("m/5", "equals:1"), fields("m/6")),
        Transition("bia", fields("m/6"), fields("m/5")),
        Transition("zoe", fields("z"), fields("m/4", "equals:1")),
    ]
    [park, *_] = ordered(transitions).writes
    assert park.after == fields("m/7", "regex:(?!)parked by gitops: ana")


def test_an_assistant_that_is_parked_is_not_started_either() -> None:
    transitions = [Transition("ana", fields("x"), fields("y")), Transition("bia", fields("y"), fields("x"))]
    assert ordered(transitions).writes[0].after == fields(
        "parked-gitops-ana", "regex:(?!)parked by gitops: ana"
    )


def test_what_is_kept_while_parked_is_no_other_bots() -> None:
    """Another has its key by a race: so a write of ana is refused unless it gives that up too."""
    transitions = swap("equals:1", "equals:2")
    fixed = {"twin": fields("x", "equals:3")}
    both = [
        Transition("ana", fields("x", "equals:1"), fields("a", "equals:2")),
        Transition("bia", fields("y", "equals:2", enabled=True), fields("y", "equals:1")),
    ]
    assert set(ordered(transitions, {}, fixed).impossible) == {"ana", "bia"}
    legs = ordered(both, {}, fixed).writes
    assert told(legs[0]) == "park ana"
    assert legs[0].after == fields("parked-gitops-ana", "regex:(?!)parked by gitops: ana")


# -- who is stuck ------------------------------------------------------------------------------


def test_what_will_not_move_blocks_and_what_is_blocked_blocks_in_turn() -> None:
    transitions = [
        Transition("ana", fields("x", "equals:1"), fields("x", "equals:9")),
        Transition("bia", fields("y", "equals:2"), fields("y", "equals:1")),
        Transition("caio", None, fields("z", "equals:2")),
        Transition("dora", None, fields("d", "equals:8")),
    ]
    found = ordered(transitions, {}, {"i9": fields("w", "equals:9"), "i8": fields("v", "equals:7")})
    assert {name: (why.reason, why.by) for name, why in found.impossible.items()} == {
        "ana": ("i9 holds the trigger equals '9'", ("i9",)),
        "bia": ("ana holds the trigger equals '1'", ("ana",)),
        "caio": ("bia holds the trigger equals '2'", ("bia",)),
    }
    assert [told(leg) for leg in found.writes] == ["create dora"]


def test_everybody_in_the_way_is_named_in_order_with_all_that_they_hold() -> None:
    fixed = {"i2": fields("x", "equals:2"), "i1": fields("w", "equals:1"), "i0": fields("x", "equals:1")}
    [(name, why)] = ordered([Transition("ana", None, fields("x", "equals:1"))], {}, fixed).impossible.items()
    assert (name, why.by) == ("ana", ("i0", "i1", "i2"))
    assert why.reason == (
        "i0 holds assistantId 'x' and the trigger equals '1' and i1 holds the trigger equals '1' "
        "and i2 holds assistantId 'x'"
    )


def test_what_is_to_be_gone_blocks_nobody_and_is_not_blocked() -> None:
    transitions = [Transition("ana", fields("x"), None), Transition("bia", None, fields("x"))]
    assert calls(ordered(transitions)) == "delete ana, create bia"


def test_what_excludes_each_other_is_blocked_by_name_and_nothing_else_is() -> None:
    """Two targets that cannot stand side by side: only by what is put together by hand."""
    transitions = [
        Transition("ana", None, fields("x", "equals:1")),
        Transition("bia", None, fields("y", "equals:1")),
        Transition("caio", None, fields("z", "equals:3")),
    ]
    found = ordered(transitions)
    assert {name: (why.reason, why.by) for name, why in found.impossible.items()} == {
        "ana": ("ana and bia exclude each other: the trigger equals '1'", ("bia",)),
        "bia": ("ana and bia exclude each other: the trigger equals '1'", ("ana",)),
    }
    assert [told(leg) for leg in found.writes] == ["create caio"]


def test_bots_that_exclude_each_other_after_a_parking_are_all_found() -> None:
    """In each three two swap all, and the third wants the trigger of one. The swap beside them is made."""
    moves = [
        move
        for n in range(5)
        for move in (
            Transition(f"{n}-ana", fields(f"x{n}", f"equals:{n}1"), fields(f"y{n}", f"equals:{n}2")),
            Transition(f"{n}-bia", fields(f"y{n}", f"equals:{n}2"), fields(f"x{n}", f"equals:{n}1")),
            Transition(f"{n}-caio", fields(f"z{n}", f"equals:{n}3"), fields(f"z{n}", f"equals:{n}1")),
        )
    ]
    found = ordered([*moves, *swap("equals:1", "equals:2")])
    assert found.impossible.keys() == {move.label for move in moves}
    assert [told(leg) for leg in found.writes] == ["park ana", "update bia", "update ana"]


def test_one_in_its_place_that_cannot_come_back_is_not_moved_aside() -> None:
    """A twin of it will not move, and the server would refuse its way back."""
    ana = Transition("ana", fields("x"), fields("x", "all", enabled=False))
    in_place = {"shop": fields("z", "all")}
    found = ordered([ana], in_place, {"twin": fields("z", "equals:1")})
    assert found.impossible == {"ana": ("ana and shop exclude each other: the trigger all", ("shop",))}
    assert found.writes == []


def test_who_waits_for_one_in_its_place_too_waits_for_the_circle_first() -> None:
    transitions = [
        Transition("ana", fields("x", "equals:1"), fields("y", "all", enabled=False)),
        Transition("bia", fields("y", "equals:2"), fields("w", "equals:1")),
    ]
    assert calls(ordered(transitions, {"shop": fields("z", "all")})) == (
        "park ana, update bia, park shop, update ana, update shop"
    )


def test_who_is_stuck_in_the_end_keeps_the_first_reason() -> None:
    transitions = [
        Transition("ana", fields("x", "equals:1"), fields("z", "equals:3")),
        Transition("bia", fields("z", "equals:3"), fields("z", "equals:1")),
    ]
    reason = "ana and bia exclude each other: assistantId 'z'"
    assert {name: why.reason for name, why in ordered(transitions).impossible.items()} == {
        "ana": reason,
        "bia": reason,
    }


def test_of_two_circles_the_first_by_name_is_broken_first() -> None:
    circles = {
        name: Transition(name, fields(name, f"equals:{mine}"), fields(name, f"equals:{other}"))
        for name, mine, other in (("ana", 1, 2), ("zeca", 3, 4), ("yara", 4, 3), ("bia", 2, 1))
    }
    assert calls(ordered(list(circles.values()))) == (
        "park ana, update bia, update ana, park yara, update zeca, update yara"
    )


# -- who cannot be brought back ----------------------------------------------------------------


def test_two_in_their_place_that_exclude_each_other_are_not_moved_aside() -> None:
    """bia needs caio's value, and the server refuses any change to caio, who has ana's key."""
    found = ordered(
        [Transition("bia", fields("x", "equals:3"), fields("m/1", "adv:1"))],
        {"ana": fields("m/2", "equals:2"), "caio": fields("m/2", "equals:1")},
    )
    assert (found.writes, list(found.impossible)) == ([], ["bia"])
    assert found.impossible["bia"].reason == "ana and caio exclude each other: model 'm' with maxTokens 2"


def test_who_was_moved_aside_is_not_moved_aside_again() -> None:
    """caio and ana want each other's key, which bia has too and keeps."""
    found = ordered(
        [
            Transition("ana", fields("m/1", "equals:2"), fields("x", "equals:3")),
            Transition("caio", fields("x"), fields("m/1", "adv:1")),
        ],
        {"bia": fields("m/1", "adv:2", enabled=False)},
    )
    assert found.writes == []
    assert {name: why.reason for name, why in found.impossible.items()} == {
        "caio": "bia and caio exclude each other: model 'm' with maxTokens 1",
        "ana": "caio holds assistantId 'x'",
    }


def test_who_excludes_another_in_its_place_is_named_with_all_that_both_have() -> None:
    """bia wants caio's assistant, and both are started by every message."""
    old = {"triggerOperator": "equals", "triggerValue": "1"}
    found = ordered(
        [
            Transition("ana", fields("x", "equals:3"), fields("m/1", "adv:2", enabled=False)),
            Transition("bia", fields("m/1", "all", **old), fields("y", "equals:2")),
        ],
        {"caio": fields("y", "all", **old, enabled=False)},
    )
    assert {name: why.reason for name, why in found.impossible.items()} == {
        "bia": "bia and caio exclude each other: the trigger all and assistantId 'y'",
        "ana": "bia holds model 'm' with maxTokens 1",
    }


def test_beside_one_that_stays_nobody_is_moved_aside_who_has_its_key() -> None:
    """ana stays as she is, with caio's key; so the server would refuse to move caio for bia."""
    found = ordered(
        [
            Transition("ana", fields("m/2", "equals:1"), fields("m/2", "all")),
            Transition("bia", fields("m/1", "equals:1"), fields("m/1", "adv:2", enabled=False)),
        ],
        {"caio": fields("m/2", "equals:2")},
    )
    assert (found.writes, list(found.impossible)) == ([], ["ana", "bia"])


_FIELDS = st.builds(
    lambda its_key, its_trigger, enabled: fields(its_key, its_trigger, enabled=enabled),
    st.sampled_from(("x", "y", "m/1", "m/2", "m/3")),
    st.sampled_from(("none", "all", "equals:1", "equals:2", "equals:3", "adv:1")),
    st.booleans(),
)
_MOVES = st.lists(st.tuples(st.one_of(st.none(), _FIELDS), _FIELDS, st.booleans()), min_size=2, max_size=8)


@settings(max_examples=often(600), deadline=None)
@given(moves=_MOVES, in_place=st.lists(_FIELDS, max_size=2))
def test_what_is_impossible_has_no_say_in_how_the_rest_is_ordered(
    moves: list[tuple[Fields | None, Fields, bool]], in_place: list[Fields]
) -> None:
    transitions = {
        f"bot-{number}": Transition(f"bot-{number}", start, target, start is not None and recreate)
        for number, (start, target, recreate) in enumerate(moves)
    }
    placed = {f"placed-{number}": one for number, one in enumerate(in_place)}
    found = order(transitions, placed, {}, "gitops", OPENAI)

    rest = {name: move for name, move in transitions.items() if name not in found.impossible}
    stay = {name: start for name in found.impossible if (start := transitions[name].start) is not None}
    assert order(rest, placed, stay, "gitops", OPENAI) == Order(found.writes)
