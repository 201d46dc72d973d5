"""Which changes are the same to a reader, what a group shows of them, and how names are shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.errors import Position
from reconciler.domain.groups import Group, folder, groups, problems, ranges
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Of, Plan, Verb
from tests.render.plans import PLANS, change, plans


def fleet(*changes: Change) -> Plan:
    """A plan of an instance for each change, which names it."""
    return Plan("", "", tuple(InstancePlan(each.instance, (each,)) for each in changes))


def on(instance: str, base: Change, **more: Any) -> Change:
    return replace(base, instance=instance, **more)


def sizes(made: Plan) -> list[int]:
    return [len(group.changes) for group in groups(made)]


def _credential(instance: str, key: str) -> Change:
    fields = (FieldChange("apiKey", None, key),)
    return Change(instance, "main", Verb.CREATE, "it is missing", fields=fields, of=Of.CREDENTIAL)


_PROMPT = change(Verb.UPDATE, ("unknownMessage", "old", "new"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(on("a", _PROMPT), on("b", _PROMPT), id="another instance"),
        pytest.param(on("a", _PROMPT, ids=("c1",)), on("b", _PROMPT, ids=("c2",)), id="another id"),
        pytest.param(
            on("a", _PROMPT, ids=("c1",), reason="bot c1 is in the way"),
            on("b", _PROMPT, ids=("c2",), reason="bot c2 is in the way"),
            id="an id in the reason",
        ),
        pytest.param(
            on("loja-1", _PROMPT, reason="instance 'loja-1' has two"),
            on("loja-2", _PROMPT, reason="instance 'loja-2' has two"),
            id="the instance in the reason",
        ),
        pytest.param(
            on(
                "a",
                change(Verb.UPDATE, ("unknownMessage", "em Recife", "de Recife")),
                vars={"cidade": "Recife"},
            ),
            on(
                "b",
                change(Verb.UPDATE, ("unknownMessage", "em Olinda", "de Olinda")),
                vars={"cidade": "Olinda"},
            ),
            id="the value of a variable",
        ),
        pytest.param(
            on("a", change(Verb.CREATE, ("description", None, "x [gitops:menu]~0123abcd"))),
            on("b", change(Verb.CREATE, ("description", None, "x [gitops:menu]~4567abcd"))),
            id="a stamp",
        ),
        pytest.param(
            on("a-1", change(Verb.CREATE, ("openaiCredsId", None, "credential a-1-openai"))),
            on("a-2", change(Verb.CREATE, ("openaiCredsId", None, "credential a-2-openai"))),
            id="the instance in the name of a credential",
        ),
        pytest.param(
            Change("a-1", "a-1-openai", Verb.CREATE, "it is missing", of=Of.CREDENTIAL),
            Change("a-2", "a-2-openai", Verb.CREATE, "it is missing", of=Of.CREDENTIAL),
            id="credentials named after their instances",
        ),
        pytest.param(
            _credential("a-1", "!env KEY_1"), _credential("a-2", "!env KEY_2"), id="where a key is found"
        ),
        pytest.param(
            on("a", _PROMPT, at=Position("a.yaml", 3, 1)),
            on("b", _PROMPT, at=Position("b.yaml", 9, 1)),
            id="places",
        ),
    ],
)
def test_the_same_change(one: Change, other: Change) -> None:
    assert sizes(fleet(one, other)) == [2]


@pytest.mark.parametrize(
    "other",
    [
        on("b", _PROMPT, bot="other"),
        on("b", _PROMPT, verb=Verb.ADOPT),
        on("b", _PROMPT, reason="another"),
        on("b", _PROMPT, cause="drift"),
        on("b", _PROMPT, of=Of.CREDENTIAL),
        on("b", _PROMPT, fields=(FieldChange("unknownMessage", "older", "new"),)),
        on("b", _PROMPT, fields=(FieldChange("unknownMessage", "old", "newer"),)),
        on("b", _PROMPT, fields=(FieldChange("unknownMessage", "old", "new", "edited"),)),
        on("b", _PROMPT, fields=(FieldChange("keywordFinish", "old", "new"),)),
        on("b", _PROMPT, fields=(*_PROMPT.fields, FieldChange("expire", 1, 2))),
    ],
)
def test_another_change(other: Change) -> None:
    assert sizes(fleet(on("a", _PROMPT), other)) == [1, 1]


def test_another_kind_of_key() -> None:
    assert sizes(fleet(_credential("a", "!env KEY"), _credential("b", "!secret-file KEY"))) == [1, 1]


def test_true_is_not_one() -> None:
    made = fleet(
        on("a", change(Verb.UPDATE, ("expire", 0, 1))), on("b", change(Verb.UPDATE, ("expire", False, True)))
    )
    assert sizes(made) == [1, 1]


def _shown(*changes: Change) -> Group:
    [group] = groups(fleet(*changes))
    return group


def test_what_differs_is_shown_by_what_it_is() -> None:
    city = [
        on(
            f"loja-{n}",
            change(Verb.UPDATE, ("unknownMessage", f"Loja de {city} 1", f"Loja {n} de {city} 1")),
            vars={"cidade": city, "n": str(n)},
            reason=f"loja-{n}: bot c{n} differs",
            ids=(f"c{n}",),
        )
        for n, city in enumerate(["Recife", "Olinda"], 7)
    ]
    shown = _shown(*city).shown
    assert shown.fields == (FieldChange("unknownMessage", "Loja de ${cidade} 1", "Loja ${n} de ${cidade} 1"),)
    assert shown.reason == "INSTANCE: bot ID differs"
    assert _shown(city[0]).shown == city[0]


def test_what_is_the_same_everywhere_is_shown_as_it_is() -> None:
    """Also where it holds the value of a variable."""
    base = change(Verb.UPDATE, ("unknownMessage", "Recife", "de Recife"))
    shown = _shown(on("a", base, vars={"x": "Recife"}), on("b", base, vars={"x": "Recife"})).shown
    assert shown.fields == base.fields


def test_a_text_with_a_variable_of_its_own_is_left_alone() -> None:
    """Else `${x}` and the value of x were shown alike."""
    changes = [
        on(name, change(Verb.UPDATE, ("unknownMessage", "", text)), vars={"x": "Recife"})
        for name, text in [("a", "${x} Recife"), ("b", "${x} ${x}")]
    ]
    assert sizes(fleet(*changes)) == [1, 1]


def test_a_move_and_its_delete_are_one() -> None:
    move = on("new", change(Verb.MOVE), other="old")
    leave = on("old", change(Verb.DELETE), other="new")
    alone = on("old", change(Verb.DELETE, bot="gone"), other="nowhere")
    for changes in ((move, leave, alone), (leave, alone, move)):
        found = groups(fleet(*changes))
        assert {tuple(each.verb for each in group.changes) for group in found} == {
            (Verb.MOVE, Verb.DELETE),
            (Verb.DELETE,),
        }
        [moved] = [group for group in found if group.shown.verb is Verb.MOVE]
        assert moved.instances == ("new",)


def test_outliers_come_first() -> None:
    other = replace(_PROMPT, fields=(FieldChange("unknownMessage", "old", "newer"),))
    changes = [on(f"a{n}", _PROMPT) for n in range(5)] + [on(f"b{n}", other) for n in range(2)]
    assert sizes(fleet(*changes)) == [2, 5]


def test_origins() -> None:
    """Of the values, else of the bots; each once."""
    place = Position("bots/_defaults.yaml", 4, 3)
    one, two = (on(name, _PROMPT, at=place, origins=("bots/prompts/a.md",)) for name in "ab")
    assert _shown(one, two).origins == ("bots/prompts/a.md",)
    one, two = (on(name, change(Verb.CREATE), at=place) for name in "ab")
    assert _shown(one, two).origins == ("bots/_defaults.yaml:4",)


@settings(deadline=None)
@given(PLANS | plans(st.sampled_from(["", "a", "b", "a-1", "a-2", "${a}"])))
def test_every_change_is_in_exactly_one_group(made: Plan) -> None:
    found = [id(each) for group in groups(made) for each in group.changes]
    assert Counter(found) == Counter(map(id, made.changes()))
    assert all(group.alike and group.shown.verb is group.alike[0].verb for group in groups(made))


def test_the_same_problem_is_one() -> None:
    made = Plan(
        "",
        "",
        (
            *(InstancePlan(f"loja-{n}", problem=f"loja-{n} does not exist") for n in range(3)),
            InstancePlan("fine"),
            InstancePlan("x", problem="timeout"),
        ),
    )
    assert problems(made) == [
        ("INSTANCE does not exist", ("loja-0", "loja-1", "loja-2")),
        ("timeout", ("x",)),
    ]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], []),
        (["b", "a"], ["a", "b"]),
        (["loja-001", "loja-002", "loja-003"], ["loja-001…003"]),
        (["loja-1", "loja-2"], ["loja-1", "loja-2"]),
        (["l8", "l9", "l10", "l11", "l13"], ["l8…11", "l13"]),
        (["l08", "l09", "l10"], ["l08…10"]),
        (["l98", "l99", "l100"], ["l98…100"]),
        (["l098", "l099", "l0100"], ["l098", "l099", "l0100"]),
        (["a1", "a2", "a3", "b4"], ["a1…3", "b4"]),
        (["1-x", "2-x", "3-x", "3-y"], ["1-x…3-x", "3-y"]),
        (["7", "8", "9"], ["7…9"]),
        (["loja 9" * 40 + "9" * 30], ["loja 9" * 40 + "9" * 30]),
    ],
)
def test_ranges(names: list[str], shown: list[str]) -> None:
    found = ranges(names)
    assert [text for text, _ in found] == shown
    assert sum(number for _, number in found) == len(names)


@given(st.lists(st.integers(0, 120)))
def test_no_name_is_lost_in_a_range(numbers: list[int]) -> None:
    found: set[str] = set()
    for part, _ in ranges(f"n{number}" for number in numbers):
        first, _, last = part.removeprefix("n").partition("…")
        found |= {f"n{number}" for number in range(int(first), int(last or first) + 1)}
    assert found == {f"n{number}" for number in numbers}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("ab", "bots/varejo/"),
        ("abc", "bots/"),
        ("c", "bots/atacado/"),
        ("a", ""),
        ("ac", ""),
        ("", ""),
        ("abcd", ""),
    ],
)
def test_folder(names: str, found: str) -> None:
    files = {"a": "bots/varejo/a.yaml", "b": "bots/varejo/b.yaml", "c": "bots/atacado/c.yaml"}
    made = Plan("", "", tuple(InstancePlan(name, manifest=file) for name, file in files.items()))
    assert folder(names, made) == found
