"""What a plan says about each bot, and what it refuses to plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import Value
from reconciler.domain.markers import unstamped
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.plan import Change, FieldChange, Verb
from reconciler.plan import differ
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
    assert unstamped(str(body["description"]), "gitops") == "[gitops:ana]"
    assert body == {
        **DEFAULTS,
        "description": body["description"],
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
        (remote("i1", "x", "none", "[gitops:ana]"), bot("ana", "m/1"), {}),
        (remote("i1", "m/1", "none", "[gitops:ana]"), bot("ana", "x"), {}),
        (
            remote("i1", "m/1", "none", "[gitops:ana]"),
            bot("ana", "x", model="kept"),
            {"model": "kept"},
        ),
    ],
)
def test_a_trigger_value_that_is_left_behind_is_cleared_in_the_same_call(
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
    assert str(steps[1].body["description"]).startswith("Oi [gitops:ana]~")
    assert steps[1].body["timePerChar"] == 9
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
        remote("i3", "z", "none", "[other:eva]~01234567"),
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
        made = plan(desired, there, prune=True, **limits)  # type: ignore[arg-type]  # options as in plan()
        assert [change.verb for change in made.changes()] == [Verb.ORPHAN] * count
        assert (made.writes, made.problems, made.pending) == (False, len(made.limits), True)
        assert all("b0" in limit for limit in made.limits)


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


def applied(desired: DesiredBot, **edits: Value) -> RemoteBot:
    """The bot as an apply makes it, edited on the server afterwards."""
    [step] = plan([desired], []).instances[0].steps
    return RemoteBot("i1", {**step.body, **edits})


@pytest.mark.parametrize(
    ("edits", "declared", "cause", "reason"),
    [
        ({"expire": 7}, {"expire": 5}, "drift", "it was edited on the server"),
        ({}, {"expire": 6}, "pending", "its manifest was edited"),
        ({}, {"expire": 5, "timePerChar": 9}, "pending", "its manifest was edited"),
        ({"expire": 7}, {"expire": 6}, "both", "its manifest was edited, and the bot on the server too"),
        ({"keepOpen": True}, {"expire": 6}, "both", "its manifest was edited, and the bot on the server too"),
        ({"description": "[gitops:ana]"}, {"expire": 6}, "", "it differs"),
        (
            {
                "triggerType": "keyword",
                "triggerOperator": "regex",
                "triggerValue": "(?!)parked by gitops: ana",
            },
            {"expire": 5},
            "drift",
            "an interrupted run left it parked",
        ),
    ],
)
def test_who_moved_since_the_last_apply(
    edits: dict[str, Value], declared: dict[str, int], cause: str, reason: str
) -> None:
    there = applied(bot("ana", "x", "none", expire=5), **edits)
    change = only([bot("ana", "x", "none", **declared)], [there])  # type: ignore[arg-type]  # fields only
    assert (change.cause, change.reason) == (cause, reason)
    assert "description" not in {field.name for field in change.fields}


def test_an_edited_description_is_drift_too() -> None:
    there = applied(bot("ana", "x", description="Oi"))
    text = str(there.fields["description"])
    edited = RemoteBot("i1", {**there.fields, "description": text.replace("Oi", "Olá")})
    change = only([bot("ana", "x", description="Oi")], [edited])
    assert (change.cause, change.fields) == (
        "drift",
        (FieldChange("description", "Olá [gitops:ana]", "Oi [gitops:ana]"),),
    )


def test_every_write_leaves_a_new_stamp() -> None:
    first = applied(bot("ana", "x", expire=5))
    [step] = plan([bot("ana", "x", expire=6)], [first]).instances[0].steps
    second = RemoteBot("i1", {**first.fields, **step.body})
    assert second.fields["description"] != first.fields["description"]
    assert only([bot("ana", "x", expire=7)], [second]).cause == "pending"
    assert only([bot("ana", "x", expire=6, keepOpen=True)], [second]).cause == "pending"


def test_only_what_was_reviewed_is_made() -> None:
    desired = [bot("ana", "x", "none", expire=5), bot("bia", "y", "none", expire=5), bot("eva", "z")]
    there = [remote("i1", "x", "none", "[gitops:ana]"), remote("i2", "y", "none", "[gitops:bia]")]
    reviewed = frozenset(change.digest for change in plan(desired, there).changes())
    moved = RemoteBot("i2", {**there[1].fields, "expire": 7})
    assert verbs(desired, [there[0], moved], reviewed=reviewed) == [
        ("held", "bia"),
        ("update", "ana"),
        ("create", "eva"),
    ]
    made = plan(desired, [there[0], moved], reviewed=reviewed)
    assert ([step.bot for step in made.instances[0].steps], made.problems) == (["ana", "eva"], 1)
    assert verbs(desired, there, reviewed=frozenset()) == [("held", "ana"), ("held", "bia"), ("held", "eva")]


def test_a_reviewed_change_that_needs_an_unreviewed_one_is_a_conflict() -> None:
    desired = [bot("ana", "x", "equals:2"), bot("bia", "y", "equals:3")]
    there = [
        remote("i1", "x", "equals:1", "[gitops:ana]"),
        remote("i2", "y", "equals:2", "[gitops:bia]"),
    ]
    [ana, bia] = plan(desired, there).changes()
    assert verbs(desired, there, reviewed=frozenset({ana.digest, bia.digest})) == [
        ("update", "ana"),
        ("update", "bia"),
    ]
    held, conflict = plan(desired, there, reviewed=frozenset({ana.digest})).changes()
    assert (held.verb, conflict.verb, conflict.ids) == (Verb.BLOCKED, Verb.CONFLICT, ("i1", "i2"))
    assert conflict.reason == (
        "the server would refuse it: bia (bot i2), which stays as it is, holds the trigger equals '2'"
    )


def test_an_orphan_is_deleted_only_if_that_was_reviewed() -> None:
    desired, there = orphans(1, 3)
    [delete] = plan(desired, there, prune=True).changes()
    assert verbs(desired, there, prune=True, reviewed=frozenset({delete.digest})) == [("delete", "b0")]
    assert verbs(desired, there, prune=True, reviewed=frozenset()) == [("held", "b0")]


def test_a_digest_says_what_is_done_and_against_what_and_nothing_else() -> None:
    desired = [bot("ana", "x", "none", expire=5)]
    there = remote("i1", "x", "none", "[gitops:ana]")
    first = only(desired, [there])
    assert only(desired, [there]).digest == first.digest
    assert replace(first, reason="another").digest == first.digest
    others = [
        only([bot("ana", "x", "none", expire=6)], [there]),
        only(desired, [RemoteBot("i1", {**there.fields, "keepOpen": True})]),
        only(desired, [RemoteBot("i2", there.fields)]),
        replace(first, instance="other"),
        replace(first, verb=Verb.REPLACE),
    ]
    assert len({first.digest, *(change.digest for change in others)}) == 6


def test_a_duplicate_of_ours_is_reported_as_one() -> None:
    ours = remote("i1", "m/1", "none", "[gitops:ana]")
    change = only([bot("ana", "m/1")], [ours, remote("i2", "m/1")])
    assert (change.verb, change.ids) == (Verb.UNMANAGED, ("i2",))
    assert change.reason == (
        "it carries no marker, and has model 'm' with maxTokens 1, as ana has: "
        "the server refuses a change to either"
    )


@pytest.mark.parametrize(("exists", "first"), [(False, "bia"), (True, "ana")])
def test_a_credential_of_its_own_makes_the_settings(exists: bool, first: str) -> None:
    desired = [bot("ana", "x", openaiCredsId="borrowed"), bot("bia", "y", openaiCredsId="own")]
    made = plan(desired, [], credentials={"main": "own"}, settings=RemoteSettings(exists, {}))
    assert made.instances[0].steps[0].bot == first


def test_an_orphan_in_the_way_may_be_the_same_bot_renamed() -> None:
    there = [remote("i1", "m/1", "none", "[gitops:vendas]")]
    conflict, orphan = plan([bot("pedidos", "m/1")], there).changes()
    assert (conflict.verb, orphan.verb) == (Verb.CONFLICT, Verb.ORPHAN)
    assert conflict.reason.endswith("; if you renamed vendas, add `previously: [vendas]`")
    renamed = only([bot("pedidos", "m/1", previously=("vendas",))], there)
    assert (renamed.verb, renamed.reason) == (Verb.UPDATE, "it was named vendas before")
