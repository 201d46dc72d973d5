"""What a plan says about each bot, and what it refuses to plan."""

from __future__ import annotations

import pytest

from reconciler import differ
from reconciler.kinds import Value
from reconciler.model import Change, DesiredBot, FieldChange, RemoteBot, RemoteSettings, Verb
from reconciler.plan import LimitError
from tests.plan.builders import DEFAULTS, bot, plan, remote


def only(desired: list[DesiredBot], there: list[RemoteBot], **options: object) -> Change:
    """The one change of a plan."""
    [change] = plan(desired, there, **options).changes()  # type: ignore[arg-type]  # options as in plan()
    return change


def verbs(desired: list[DesiredBot], there: list[RemoteBot], **options: object) -> list[tuple[str, str]]:
    return [(c.verb.value, c.label) for c in plan(desired, there, **options).changes()]  # type: ignore[arg-type]


def test_what_is_as_declared_needs_nothing() -> None:
    made = plan([bot("ana", "m/1", "equals:1")], [remote("i1", "m/1", "equals:1", "Oi [gitops:ana]")])
    assert (list(made.changes()), made.writes, made.in_sync) == ([], False, 1)


def test_declared_means_managed_and_nothing_else_is() -> None:
    there = [remote("i1", "m/1", "equals:1", "[gitops:ana]", expire=7, systemMessages=("mine",))]
    assert not plan([bot("ana", "m/1", "equals:1")], there).writes
    change = only([bot("ana", "m/1", "equals:1", expire=8)], there)
    assert (change.verb, change.fields) == (Verb.UPDATE, (FieldChange("expire", 7, 8),))


@pytest.mark.parametrize(
    ("declared", "stored", "differs"),
    [
        ({"functionUrl": ""}, {}, False),
        ({"systemMessages": ()}, {}, False),
        ({"functionUrl": ""}, {"functionUrl": "https://e.x"}, True),
        ({"expire": 0}, {"expire": 300}, True),
        ({"enabled": False}, {"enabled": True}, True),
        ({"systemMessages": ("a", "b")}, {"systemMessages": ("b", "a")}, True),
        ({"description": "Oi"}, {"description": "Oi [gitops:ana]"}, False),
        ({"description": "Oi"}, {"description": "Oi, edited [gitops:ana]"}, True),
        ({}, {"description": "anything at all [gitops:ana]"}, False),
        ({}, {"description": "[GITOPS: ana]"}, True),
    ],
)
def test_what_differs(declared: dict[str, Value], stored: dict[str, Value], differs: bool) -> None:
    there = remote("i1", "x", "none", **{"description": "[gitops:ana]", **stored})  # type: ignore[arg-type]
    desired = bot("ana", "x", "none", **declared)  # type: ignore[arg-type]  # fields only
    assert plan([desired], [there]).writes is differs


def test_a_create_is_complete() -> None:
    change = only([bot("ana", "m/1", "equals:1", creds="main")], [], credentials={"main": "c9"})
    body = {field.name: field.after for field in change.fields}
    assert body == {
        **DEFAULTS,
        "description": "[gitops:ana]",
        "openaiCredsId": "c9",
        "botType": "chatCompletion",
        "model": "m",
        "maxTokens": 1,
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": "1",
    }


def test_a_create_takes_what_is_not_declared_from_the_settings() -> None:
    row = RemoteSettings(True, {"expire": 7, "keywordFinish": "tchau", "openaiCredsId": "of the settings"})
    made = plan([bot("ana", "m/1", "equals:1", expire=9)], [], settings=row)
    [step] = made.instances[0].steps
    assert {
        name: step.body[name] for name in ("expire", "keywordFinish", "openaiCredsId", "timePerChar")
    } == {
        "expire": 9,
        "keywordFinish": "tchau",
        "openaiCredsId": "creds-1",
        "timePerChar": 50,
    }


def test_settings_without_a_row_are_not_copied() -> None:
    nothing = RemoteSettings(False, {"expire": 0, "keywordFinish": ""})
    [step] = plan([bot("ana", "m/1")], [], settings=nothing).instances[0].steps
    assert (step.body["expire"], step.body["keywordFinish"]) == (300, "bye")


def test_what_has_no_meaning_is_sent_only_if_declared() -> None:
    [plain] = plan([bot("ana", "x", "all")], []).instances[0].steps
    assert not plain.body.keys() & {"model", "maxTokens", "triggerOperator", "triggerValue", "systemMessages"}
    [pasted] = plan([bot("ana", "x", "all", model="m", maxTokens=3)], []).instances[0].steps
    assert (pasted.body["model"], pasted.body["maxTokens"]) == ("m", 3)


@pytest.mark.parametrize(
    ("before", "declared", "cleared"),
    [
        (remote("i1", "x", "equals:1", "[gitops:ana]"), bot("ana", "x", "all"), {"triggerValue": ""}),
        (remote("i1", "x", "equals:1", "[gitops:ana]"), bot("ana", "x", "adv:1"), {}),
        (remote("i1", "x", "none", "[gitops:ana]"), bot("ana", "m/1"), {"assistantId": ""}),
        (remote("i1", "m/1", "none", "[gitops:ana]"), bot("ana", "x"), {"model": ""}),
        (
            remote("i1", "m/1", "none", "[gitops:ana]"),
            bot("ana", "x", model="kept"),
            {"model": "kept"},
        ),
    ],
)
def test_what_a_change_of_type_leaves_behind_is_cleared_in_the_same_call(
    before: RemoteBot, declared: DesiredBot, cleared: dict[str, Value]
) -> None:
    [step] = plan([declared], [before]).instances[0].steps
    parts = {"assistantId", "model", "triggerValue"} - {
        "assistantId" if "assistantId" in declared.fields else "model"
    }
    if "triggerValue" in declared.fields:
        parts -= {"triggerValue"}
    assert {name: step.body[name] for name in parts if name in step.body} == cleared


def test_a_stale_trigger_is_cleared_only_where_it_is_in_the_way() -> None:
    stale = remote("i1", "x", "all", "[gitops:ana]", triggerOperator="equals", triggerValue="1")
    assert not plan([bot("ana", "x", "all")], [stale]).writes
    assert verbs([bot("ana", "x", "all"), bot("bia", "y", "equals:1")], [stale]) == [
        ("update", "ana"),
        ("create", "bia"),
    ]


def test_replace_keeps_what_is_not_declared_and_the_fallback() -> None:
    there = remote("i1", "x", "equals:1", "Oi [gitops:ana]", expire=7, timePerChar=9)
    row = RemoteSettings(True, {"openaiCredsId": "c"}, fallback="i1")
    made = plan([bot("ana", "x", "all", expire=8, replace=True)], [there], settings=row)
    [change] = made.changes()
    steps = made.instances[0].steps
    assert change.verb is Verb.REPLACE
    assert [str(step.call) for step in steps] == ["delete", "create", "fallback"]
    assert (steps[1].body["description"], steps[1].body["timePerChar"]) == ("Oi [gitops:ana]", 9)
    assert "triggerValue" not in steps[1].body


def test_replace_is_for_drift_of_what_is_ours() -> None:
    ours, human = remote("i1", "x", "none", "[gitops:ana]"), remote("i1", "x")
    assert verbs([bot("ana", "x")], [ours], replace=True) == []
    assert verbs([bot("ana", "x", expire=1)], [ours], replace=True) == [("replace", "ana")]
    assert verbs([bot("ana", "x", expire=1)], [human], replace=True) == [("adopt", "ana")]


def test_what_nothing_declares() -> None:
    there = [
        remote("i1", "x", "none", "[gitops:ana]"),
        remote("i2", "y", "none", "a human's"),
        remote("i3", "z", "none", "[other:eva]"),
    ]
    assert verbs([], there) == [("orphan", "ana"), ("unmanaged", "i3"), ("unmanaged", "i2")]
    assert verbs([], there, prune=True, max_delete_share=100) == [
        ("delete", "ana"),
        ("unmanaged", "i3"),
        ("unmanaged", "i2"),
    ]


def test_a_missing_credential_is_a_conflict_that_names_those_that_exist() -> None:
    change = only([bot("ana", "x", creds="main")], [], credentials={"loja-2": "c2", "loja-1": "c1"})
    assert change.verb is Verb.CONFLICT
    assert change.reason == "the instance has no credential named 'main'; it has: loja-1, loja-2"


def test_what_stands_in_the_way_is_said_before_any_call() -> None:
    there = [remote("i1", "x", "equals:2", "[gitops:ana]"), remote("i9", "z", "equals:1")]
    made = plan([bot("ana", "x", "equals:1"), bot("bia", "y", "equals:2")], there)
    ana, bia, unmanaged = made.changes()
    assert (ana.verb, ana.ids) == (Verb.CONFLICT, ("i1", "i9"))
    assert ana.reason == (
        "the server would refuse it: bot i9 (it carries no marker) holds the trigger equals '1'"
    )
    assert (bia.verb, bia.ids) == (Verb.CONFLICT, ("i1",))
    assert (unmanaged.verb, made.writes, made.problems) == (Verb.UNMANAGED, False, 2)


def orphans(count: int, of: int) -> tuple[list[DesiredBot], list[RemoteBot]]:
    """An instance of ours with so many bots, of which so many are orphans."""
    there = [remote(f"i{n:02}", f"a{n}", "none", f"[gitops:b{n}]") for n in range(of)]
    return [bot(f"b{n}", f"a{n}") for n in range(count, of)], there


@pytest.mark.parametrize(
    ("count", "of", "limits", "allowed"),
    [
        (1, 3, {}, True),
        (2, 3, {}, False),
        (3, 3, {}, False),
        (1, 1, {}, False),
        (5, 50, {}, True),
        (6, 50, {}, False),
        (6, 50, {"max_deletes": 6}, True),
        (2, 3, {"max_delete_share": 67}, True),
        (3, 3, {"max_delete_share": 100}, True),
        (3, 3, {"max_delete_share": 100, "max_deletes": 2}, False),
        (1, 50, {"max_deletes": 0}, False),
    ],
)
def test_deletes_stay_within_both_limits(count: int, of: int, limits: dict[str, int], allowed: bool) -> None:
    desired, there = orphans(count, of)
    if allowed:
        assert verbs(desired, there, prune=True, **limits) == [("delete", f"b{n}") for n in range(count)]
    else:
        with pytest.raises(LimitError, match="b0"):
            plan(desired, there, prune=True, **limits)  # type: ignore[arg-type]  # options as in plan()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("a", "b"), ("a", "c"), [("[1]", "b", "c")]),
        (("a",), ("a", "b"), [("[1]", None, "b")]),
        (("a", "b"), (), [("[0]", "a", None), ("[1]", "b", None)]),
        (None, ("a",), [("[0]", None, "a")]),
        ("a", "b", None),
    ],
)
def test_lists_are_compared_text_by_text(before: Value, after: Value, expected: object) -> None:
    assert differ.items(before, after) == expected
