"""What a plan does about an instance's settings and their fallback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
)
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Call, Change, FieldChange, InstancePlan, Of, Step, Verb
from reconciler.plan.planner import make
from reconciler.plan.settings import Fallback, draft, fallback
from tests.plan.builders import AT, bot, options_of, remote
from tests.plan.house import DOCUMENTED
from tests.support import of_openai

Row = dict[str, Value]
ROW: Row = {"openaiCredsId": "c1", **DOCUMENTED}
CREDENTIALS = {"main": RemoteCredential("c1"), "spare": RemoteCredential("c2")}
NONE = RemoteSettings(exists=False, fields={})


def row(fallback: str | None = None, unseen: Sequence[str] = (), **fields: Value | None) -> RemoteSettings:
    there = {name: value for name, value in {**ROW, **fields}.items() if value is not None}
    return RemoteSettings(True, there, fallback, frozenset(unseen))


def wants(
    fields: Mapping[str, Value] | None = None,
    creds: str | None = None,
    fallback: str | None = None,
    *,
    merge: bool = False,
) -> DesiredSettings:
    return DesiredSettings(fields or {}, AT, creds, fallback, merge)


def planned(
    settings: DesiredSettings | None,
    there: RemoteSettings,
    bots: Sequence[DesiredBot] = (),
    remotes: Sequence[RemoteBot] = (),
    *,
    credentials: Mapping[str, RemoteCredential] = CREDENTIALS,
    declared: Sequence[str] = (),
    shared_creds: Mapping[str, Mapping[str, RemoteCredential]] | None = None,
    reviewed: frozenset[str] | None = None,
    **options: object,
) -> InstancePlan:
    secrets = tuple(DesiredCredential(name, SecretRef("env", name.upper()), AT) for name in declared)
    desired = Desired((DesiredInstance("loja", tuple(bots), AT, secrets, of_openai(settings)),))
    seen = ObservedInstance("loja", tuple(remotes), credentials, of_openai(there), shared_creds or {})
    options = {**options, "reviewed": reviewed}
    made = make(desired, Observed("http://127.0.0.1", {"loja": seen}), options_of(**options))  # type: ignore[arg-type]
    return made.instances[0]


def of_settings(plan: InstancePlan) -> Change:
    [change] = [change for change in plan.changes if change.of is Of.SETTINGS]
    return change


def bodies(plan: InstancePlan, call: Call = Call.SETTINGS) -> list[Mapping[str, Value]]:
    return [step.body for step in plan.steps if step.call is call]


CASES: list[tuple[DesiredSettings | None, RemoteSettings, Row]] = [
    (None, row(expire=7), {}),
    (wants(), row(expire=7), {}),
    (wants({"expire": 300}), row(), {}),
    (wants({"expire": 60}), row(), {"expire": 60}),
    (wants({"expire": 60, "speechToText": True}), row(), {"expire": 60, "speechToText": True}),
    (wants({"expire": 0, "keepOpen": False}), row(), {"expire": 0}),
    (wants({"unknownMessage": ""}), row(unknownMessage=None), {}),
    (wants({"unknownMessage": ""}), row(), {"unknownMessage": ""}),
    (wants({"splitMessages": False}), row(splitMessages=None), {"splitMessages": False}),
    (wants(creds="main"), row(), {}),
    (wants(creds="spare"), row(), {"openaiCredsId": "c2"}),
    (wants({"ignoreJids": ("a",)}), row(ignoreJids=("a",)), {}),
    (wants({"ignoreJids": ("a",)}), row(ignoreJids=("a", "b")), {"ignoreJids": ("a",)}),
    (wants({"ignoreJids": ()}), row(ignoreJids=("a", "b")), {"ignoreJids": ()}),
    (wants({"ignoreJids": ("a",)}, merge=True), row(ignoreJids=("b", "a")), {}),
    (wants({"ignoreJids": ("a", "c")}, merge=True), row(ignoreJids=("b", "c")), {"ignoreJids": ("a", "c")}),
    (wants({"ignoreJids": ("c", "a")}, merge=True), row(ignoreJids=("a", "c")), {}),
    # 2.2.x does not show debounceTime: not compared, but written with the rest, or it would be lost
    (wants({"debounceTime": 5}), row(unseen=["debounceTime"], debounceTime=None), {}),
    (
        wants({"debounceTime": 5, "expire": 60}),
        row(unseen=["debounceTime"], debounceTime=None),
        {"expire": 60, "debounceTime": 5},
    ),
]


@pytest.mark.parametrize(("settings", "there", "body"), CASES)
def test_what_is_written(settings: DesiredSettings | None, there: RemoteSettings, body: Row) -> None:
    plan = planned(settings, there)
    assert bodies(plan) == ([body] if body else [])
    assert bool(plan.changes) is bool(body)


def test_what_is_shown() -> None:
    plan = planned(wants({"speechToText": True, "expire": 60}, "spare"), row("i9"))
    change = of_settings(plan)
    assert (change.verb, change.label, change.reason) == (Verb.UPDATE, "the settings", "they differ")
    assert change.fields == (
        FieldChange("openaiCredsId", "c1", "c2"),
        FieldChange("expire", 300, 60),
        FieldChange("speechToText", False, True),
    )
    assert change.before == RemoteBot("", {**ROW, "fallbackId": "i9"})
    assert {step.bot for step in plan.steps} == {"the settings"}


def test_jids_that_the_server_added_are_not_compared() -> None:
    settings = wants({"ignoreJids": ("a", "c")}, merge=True)
    first, later = (planned(settings, row(ignoreJids=jids)) for jids in (("b", "c"), ("b", "c", "d")))
    assert of_settings(first).fields == (FieldChange("ignoreJids", ("c",), ("a", "c")),)
    assert of_settings(first).digest == of_settings(later).digest
    assert [step.merge for step in first.steps] == [True]
    assert [step.merge for step in planned(wants({"expire": 1}, merge=True), row()).steps] == [False]


# -- without a row ----------------------------------------------------------------------------


def test_settings_that_are_not_there_yet_are_written_whole() -> None:
    plan = planned(wants({"expire": 60}, "spare"), NONE)
    change = of_settings(plan)
    assert (change.verb, change.before, change.reason) == (Verb.CREATE, None, "they do not exist yet")
    assert bodies(plan) == [{**ROW, "openaiCredsId": "c2", "expire": 60}]
    assert {field.name: field.after for field in change.fields} == bodies(plan)[0]
    assert all(field.before is None for field in change.fields)


def test_settings_that_get_another_credential_take_no_part_in_a_rotation() -> None:
    there = {"main": RemoteCredential("c1", same=False, users=frozenset()), "spare": RemoteCredential("c2")}
    plan = planned(wants(creds="spare"), row(), credentials=there, declared=["main"])
    assert bodies(plan) == [{"openaiCredsId": "c2"}]
    assert [step.bot for step in plan.steps] == ["credential main", "the settings", "credential main"]


def test_settings_are_not_made_for_nothing() -> None:
    for settings in (None, wants(), wants(fallback="")):
        assert planned(settings, NONE).changes == ()


def test_a_fallback_alone_makes_the_settings() -> None:
    plan = planned(wants(fallback="ana"), NONE, [bot("ana", "a1", creds="main")], [])
    assert bodies(plan) == [ROW]
    assert bodies(plan, Call.FALLBACK) == [{"fallbackId": "new bot ana"}]


SECOND = (
    "create a second key at OpenAI, which costs nothing in the same project, and write "
    "`credentials: {loja-openai: {apiKey: !env OPENAI_KEY_LOJA}}` and `settings: {openaiCreds: loja-openai}`"
)
BOTS = [
    bot("ana", "a1", openaiCredsId="c9"),
    bot("bia", "a2", creds="spare"),
    bot("caio", "a3", creds="main"),
]


@pytest.mark.parametrize(
    ("creds", "credentials", "declared", "bots", "expected"),
    [
        ("main", "main:c1 spare:c2", "", [], "c1"),
        (None, "main:c1", "", [], "c1"),
        (None, "main@2:c1", "", [], "c1"),
        (None, "main@2:c1", "", BOTS[1:2], "c1"),
        (None, "", "fresh", [], "new credential fresh"),
        (None, "main:c1 spare:c2", "", BOTS, "c2"),
        (None, "main:c1 spare:c9", "", [bot("ana", "a1", openaiCredsId="c9")], "c9"),
        (None, "main:c1 spare:c2", "", [], None),
        (None, "", "", [], None),
        (None, "main:c1 spare:c2", "", BOTS[:1], None),
    ],
)
def test_whose_credential_new_settings_get(
    creds: str | None, credentials: str, declared: str, bots: list[DesiredBot], expected: str | None
) -> None:
    there = {pair.split(":")[0]: RemoteCredential(pair.split(":")[1]) for pair in credentials.split()}
    plan = planned(wants({"expire": 60}, creds), NONE, bots, credentials=there, declared=declared.split())
    if expected is None:
        assert bodies(plan) == []
        assert of_settings(plan).verb is Verb.CONFLICT
        assert of_settings(plan).reason == (
            "its settings need one of the instance's own credentials (main, spare): "
            "name it, `settings: {openaiCreds: main}`"
            if credentials
            else f"its settings need a credential of the instance's own, as no two instances' settings can "
            f"use the same one: {SECOND}"
        )
    else:
        assert bodies(plan)[0]["openaiCredsId"] == expected


def test_a_new_credential_of_new_settings_is_shown_by_its_name() -> None:
    plan = planned(wants(creds="fresh"), NONE, credentials={}, declared=["fresh"])
    assert of_settings(plan).fields[0] == FieldChange("openaiCredsId", None, "credential fresh")
    assert bodies(plan)[0]["openaiCredsId"] == "new credential fresh"


def test_settings_without_a_credential_get_one() -> None:
    plan = planned(wants(creds="spare"), row(openaiCredsId=None))
    assert of_settings(plan).fields == (FieldChange("openaiCredsId", None, "c2"),)


def test_a_credential_that_is_nowhere() -> None:
    change = of_settings(planned(wants({"expire": 1}, "nope"), row()))
    assert (change.verb, change.fields) == (Verb.CONFLICT, ())
    assert change.reason == "the instance has no credential named 'nope'; it has: main, spare"


# -- bots beside them -------------------------------------------------------------------------


@pytest.mark.parametrize("there", [NONE, row()])
def test_bots_copy_from_the_settings_as_they_will_be(there: RemoteSettings) -> None:
    plan = planned(wants({"expire": 60}, "main"), there, [bot("ana", "a1")])
    assert [step.call for step in plan.steps] == [Call.SETTINGS, Call.CREATE]
    assert plan.steps[1].body["expire"] == 60


def test_bots_copy_the_jids_that_are_merged() -> None:
    wanted = wants({"ignoreJids": ("a",)}, merge=True)
    plan = planned(wanted, row(ignoreJids=("b",)), [bot("ana", "a1")])
    assert plan.steps[1].body["ignoreJids"] == ("b", "a")


def sharing(name: str, key: str) -> DesiredBot:
    return replace(bot(name, key, creds="main"), creds_owner="matriz")


SHARED = {"matriz": {"main": RemoteCredential("c8")}}


def test_shared_credentials_alone_cannot_make_the_settings() -> None:
    bots = [sharing("ana", "a1"), sharing("bia", "a2")]
    plan = planned(None, NONE, bots, credentials={}, shared_creds=SHARED)
    assert [change.verb for change in plan.changes] == [Verb.CONFLICT] * 2
    without = "the instance has no settings yet, and "
    only = "the server creates them only with a credential of the instance's own, not with a shared one: "
    assert plan.changes[0].reason == f"{without}{only}{SECOND}; the bots can go on using the shared one"
    named = planned(None, NONE, bots, shared_creds=SHARED)
    there = "name one in its settings, `settings: {openaiCreds: main}`"
    assert {change.reason for change in named.changes} == {f"{without}{only}{there}"}
    declared = planned(None, NONE, bots, credentials={}, declared=["own one"], shared_creds=SHARED)
    assert declared.changes[-1].reason.endswith('`settings: {openaiCreds: "own one"}`')
    broken = planned(wants(creds="nope"), NONE, bots, credentials={}, shared_creds=SHARED)
    assert broken.changes[-1].reason == (
        f"{without}they cannot be created: the instance has no credential named 'nope'; it has: none"
    )
    assert planned(None, row(), bots, shared_creds=SHARED).steps
    assert [s.call for s in planned(wants(creds="main"), NONE, bots, shared_creds=SHARED).steps] == [
        Call.SETTINGS,
        Call.CREATE,
        Call.CREATE,
    ]
    mixed = planned(None, NONE, [*bots, bot("caio", "a3", creds="spare")], shared_creds=SHARED)
    assert [step.bot for step in mixed.steps] == ["caio", "ana", "bia"]


# -- the fallback -----------------------------------------------------------------------------

ANA = remote("i1", "a1", "none", "[gitops:ana]")
BIA = remote("i2", "a2", "none", "[gitops:bia]")
TWO = [bot("ana", "a1"), bot("bia", "a2")]


@pytest.mark.parametrize(
    ("fallback", "now", "remotes", "body", "field"),
    [
        (None, None, [ANA, BIA], None, None),
        (None, "i1", [ANA, BIA], None, None),
        ("", None, [ANA, BIA], None, None),
        ("", "i1", [ANA, BIA], "", FieldChange("fallbackId", "ana", "")),
        ("", "i9", [ANA, BIA], "", FieldChange("fallbackId", "i9", "")),
        ("ana", "i1", [ANA, BIA], None, None),
        ("ana", None, [ANA, BIA], "i1", FieldChange("fallbackId", None, "ana")),
        ("ana", "i2", [ANA, BIA], "i1", FieldChange("fallbackId", "bia", "ana")),
        ("ana", None, [BIA], "new bot ana", FieldChange("fallbackId", None, "ana")),
    ],
)
def test_the_fallback(
    fallback: str | None,
    now: str | None,
    remotes: list[RemoteBot],
    body: str | None,
    field: FieldChange | None,
) -> None:
    plan = planned(wants(fallback=fallback), row(now), TWO, remotes)
    last = Step(Call.FALLBACK, "the settings", None, {"fallbackId": body or ""})
    assert [step for step in plan.steps if step.call is not Call.CREATE] == ([] if body is None else [last])
    assert plan.steps[-1:] == (() if body is None else (last,))
    if field:
        assert of_settings(plan).fields == (field,)


NO_WAY = (
    "as a server of 2.2.x clears it only when its bot is deleted: declare another bot as the fallback, "
    "or leave `fallback` out of the settings, or delete the bot"
)


@pytest.mark.parametrize("now", ["i1", "i9"])
def test_what_a_server_of_2_2_cannot_clear_is_a_conflict_without_a_call(now: str) -> None:
    plan = planned(wants(fallback=""), row(now, ["debounceTime"]), TWO, [ANA, BIA])
    name = {"i1": "ana", "i9": "i9"}[now]
    assert of_settings(plan).verb is Verb.CONFLICT
    assert of_settings(plan).reason == f"its fallback stays {name}, {NO_WAY}"
    assert plan.steps == ()


def test_beside_a_fallback_that_stays_the_rest_is_written() -> None:
    plan = planned(wants({"expire": 60}, fallback=""), row("i1", ["debounceTime"]), TWO, [ANA, BIA])
    assert [step.call for step in plan.steps] == [Call.SETTINGS]
    update, conflict = plan.changes
    assert [field.name for field in update.fields] == ["expire"]
    assert (conflict.verb, conflict.reason) == (Verb.CONFLICT, f"its fallback stays ana, {NO_WAY}")


@pytest.mark.parametrize(
    ("bots", "prune"),
    [(TWO[1:], True), ([bot("ana", "a1", expire=5, replace=True), TWO[1]], False)],
    ids=["pruned", "replaced"],
)
def test_a_bot_that_is_deleted_takes_the_fallback_with_it(bots: list[DesiredBot], prune: bool) -> None:
    plan = planned(wants(fallback=""), row("i1", ["debounceTime"]), bots, [ANA, BIA], prune=prune)
    assert plan.steps[0].call is Call.DELETE
    assert plan.steps[-1] == Step(Call.FALLBACK, "the settings", None, {"fallbackId": ""})


@pytest.mark.parametrize(("fallback", "calls"), [("bia", [Call.FALLBACK]), ("ana", [])])
def test_2_2_takes_another_bot_as_the_fallback(fallback: str, calls: list[Call]) -> None:
    plan = planned(wants(fallback=fallback), row("i1", ["debounceTime"]), TWO, [ANA, BIA])
    assert [step.call for step in plan.steps] == calls


def test_what_2_2_does_not_show_is_sent_with_the_fallback_too() -> None:
    wanted = wants({"debounceTime": 5}, fallback="bia")
    plan = planned(wanted, row("i1", ["debounceTime"], debounceTime=None), TWO, [ANA, BIA])
    assert bodies(plan, Call.FALLBACK) == [{"debounceTime": 5, "fallbackId": "i2"}]


def test_settings_and_fallback_stand_around_the_bots() -> None:
    plan = planned(wants({"expire": 60}, "main", "ana"), NONE, TWO)
    assert [step.call for step in plan.steps] == [Call.SETTINGS, Call.CREATE, Call.CREATE, Call.FALLBACK]
    assert of_settings(plan).fields[-1] == FieldChange("fallbackId", None, "ana")


@pytest.mark.parametrize(
    ("fallback", "now", "expected"),
    [
        (None, "i1", [("ana", "new bot ana")]),
        ("ana", "i1", [("ana", "new bot ana")]),
        ("ana", None, [("the settings", "new bot ana")]),
        ("ana", "i2", [("the settings", "new bot ana")]),
        ("bia", "i1", [("the settings", "i2")]),
        ("", "i1", [("the settings", "")]),
    ],
)
def test_a_fallback_that_is_recreated_is_pointed_to_once(
    fallback: str | None, now: str | None, expected: list[tuple[str, str]]
) -> None:
    bots = [bot("ana", "a1", expire=5, replace=True), TWO[1]]
    plan = planned(wants(fallback=fallback), row(now), bots, [ANA, BIA])
    steps = [step for step in plan.steps if step.call is Call.FALLBACK]
    assert [(step.bot, step.body["fallbackId"]) for step in steps] == expected


@pytest.mark.parametrize("more", [{}, {"expire": 60}])
def test_a_fallback_to_a_bot_that_is_not_written_waits(more: Row) -> None:
    bots = [bot("ana", "a1", creds="nope"), TWO[1]]
    plan = planned(wants(more, fallback="ana"), row("i2"), bots, [BIA])
    *update, conflict = [change for change in plan.changes if change.of is Of.SETTINGS]
    assert bodies(plan, Call.FALLBACK) == []
    assert conflict.reason == "its fallback stays as it is, as ana is not written"
    assert conflict.verb is Verb.CONFLICT
    assert [change.reason for change in update] == (["they differ"] if more else [])
    assert not planned(wants(fallback="ana"), row("i1"), bots, [ANA, BIA]).steps
    assert [change.of for change in planned(wants(fallback="ana"), row(), bots, [BIA]).changes] == [Of.BOT]


# -- reviews ----------------------------------------------------------------------------------


def test_settings_that_nobody_reviewed_are_blocked_and_so_is_what_copies_from_them() -> None:
    settings, bots = wants({"expire": 60}, fallback="bia"), [*TWO, bot("caio", "a3")]
    seen = planned(settings, row("i1"), bots, [ANA, BIA])
    reviewed = frozenset(change.digest for change in seen.changes)
    assert planned(settings, row("i1"), bots, [ANA, BIA], reviewed=reviewed) == seen
    held = planned(settings, row("i1"), bots, [ANA, BIA], reviewed=reviewed - {of_settings(seen).digest})
    assert [(change.verb, change.label) for change in held.changes] == [
        (Verb.BLOCKED, "the settings"),
        (Verb.BLOCKED, "caio"),
    ]
    assert held.steps == ()


def test_a_replaced_fallback_is_pointed_to_even_where_the_settings_are_held() -> None:
    bots = [bot("ana", "a1", expire=5, replace=True), TWO[1]]
    settings = wants({"expire": 60}, fallback="bia")
    seen = planned(settings, row("i1"), bots, [ANA, BIA])
    [ana] = [change.digest for change in seen.changes if change.bot == "ana"]
    held = planned(settings, row("i1"), bots, [ANA, BIA], reviewed=frozenset({ana}))
    assert [(step.call, step.bot) for step in held.steps][-1] == (Call.FALLBACK, "ana")


def test_settings_do_not_count_as_bots_that_may_be_deleted() -> None:
    orphan = remote("i5", "a5", "none", "[gitops:eva]")
    plan = planned(wants({"expire": 60}), row(), TWO[:1], [ANA, orphan], prune=True)
    assert plan.in_sync == 1
    [kept] = [c for c in planned(wants({"expire": 60}), row(), [], [orphan], prune=True).changes if c.bot]
    assert (kept.verb, kept.reason) == (
        Verb.ORPHAN,
        "nothing declares it any more; it is kept, as the plan would delete too much",
    )


def test_settings_whose_credential_is_missing_get_no_fallback_either() -> None:
    own = DesiredSettings({"expire": 5}, AT, creds="no such one", fallback="ana")
    seen = ObservedInstance(
        "loja",
        (remote("i1", "x", description="[gitops:ana]"),),
        {"main": RemoteCredential("creds-1")},
        {"openai": RemoteSettings(True, {**DOCUMENTED, "openaiCredsId": "creds-1"})},
    )
    made = make(
        Desired((DesiredInstance("loja", (bot("ana", "x"),), AT, settings={"openai": own}),)),
        Observed("s", {"loja": seen}),
        options_of(),
    )
    assert [(change.of, change.verb) for change in made.changes()] == [(Of.SETTINGS, Verb.CONFLICT)]
    assert not made.writes


@pytest.mark.parametrize(
    ("own", "exists", "problem"),
    [
        (None, True, False),
        (DesiredSettings({}, AT), True, True),
        (DesiredSettings({}, AT), False, False),
        (DesiredSettings({}, AT, merge_jids=True), True, True),
        (DesiredSettings({"expire": 5}, AT), False, True),
        (DesiredSettings({}, AT, creds="main"), False, True),
        (DesiredSettings({}, AT, fallback="ana"), False, True),
        (DesiredSettings({}, AT, fallback=""), False, False),
    ],
)
def test_settings_that_are_declared_must_be_understood(
    own: DesiredSettings | None, exists: bool, problem: bool
) -> None:
    row = RemoteSettings(exists, {}, unread=(("expire", "is not of type int"),))
    desired = DesiredInstance("loja", (), AT, settings={} if own is None else {"openai": own})
    found = draft(desired, row, {}, lambda name: name, OPENAI)
    assert found.problem == ("its row is not understood: expire is not of type int" if problem else "")
    assert (found.after, found.body, found.fields, found.merge) == (row, {}, (), False)


# -- the parts by themselves ------------------------------------------------------------------

JIDS = ("a@g.us", "b@g.us")


@pytest.mark.parametrize(
    ("merges", "there", "declared", "body", "after", "merge"),
    [
        (False, (), JIDS, JIDS, JIDS, False),
        (True, (), JIDS, JIDS, JIDS, True),
        (False, ("c@g.us",), JIDS, JIDS, JIDS, False),
        (True, ("c@g.us",), JIDS, JIDS, ("c@g.us", *JIDS), True),
        (True, ("b@g.us", "c@g.us"), JIDS, JIDS, ("b@g.us", "c@g.us", "a@g.us"), True),
        (True, ("c@g.us", *JIDS), JIDS, None, ("c@g.us", *JIDS), False),
        (False, ("c@g.us", *JIDS), JIDS, JIDS, JIDS, False),
        (False, JIDS, JIDS, None, JIDS, False),
        (True, JIDS, None, None, JIDS, False),
    ],
)
@pytest.mark.parametrize("expire", [300, 5])
def test_what_becomes_of_the_jids(
    merges: bool,
    there: tuple[str, ...],
    declared: tuple[str, ...] | None,
    body: tuple[str, ...] | None,
    after: tuple[str, ...],
    merge: bool,
    expire: int,
) -> None:
    """Beside another field that differs, or not."""
    fields: dict[str, Value] = {"expire": 5}
    if declared is not None:
        fields["ignoreJids"] = declared
    own = DesiredSettings(fields, AT, merge_jids=merges)
    row = RemoteSettings(True, {**DOCUMENTED, "expire": expire, "ignoreJids": there})
    found = draft(
        DesiredInstance("loja", (), AT, settings={"openai": own}), row, {}, lambda name: name, OPENAI
    )
    written: dict[str, Value] = {} if expire == 5 else {"expire": 5}
    assert found.body == (written if body is None else {**written, "ignoreJids": body})
    assert (found.after.fields["ignoreJids"], found.after.fields["expire"]) == (after, 5)
    assert (found.merge, found.problem) == (merge, "")


IDS = {"ana": "i1", "bia": "new bot bia"}
NAMES = {"i1": "ana", "i2": "bia", "i3": "caio"}


@pytest.mark.parametrize(
    ("declared", "there", "found"),
    [
        (None, None, None),
        (None, "i1", None),
        ("", None, None),
        ("", "i1", Fallback("", "ana", "")),
        ("", "i9", Fallback("", "i9", "")),
        ("ana", None, Fallback("i1", None, "ana")),
        ("ana", "i1", None),
        ("ana", "i3", Fallback("i1", "caio", "ana")),
        ("ana", "i9", Fallback("i1", "i9", "ana")),
        ("bia", None, Fallback("new bot bia", None, "bia")),
        ("bia", "i2", None),  # it is recreated, and has a step of its own
        ("bia", "i1", Fallback("new bot bia", "ana", "bia")),
        ("caio", "i3", None),  # it is not written, and is the fallback already
        ("dora", "i1", "its fallback stays as it is, as dora is not written"),
        ("caio", "i1", "its fallback stays as it is, as caio is not written"),
    ],
)
def test_what_becomes_of_the_fallback(
    declared: str | None, there: str | None, found: Fallback | str | None
) -> None:
    own, row = DesiredSettings({}, AT, fallback=declared), RemoteSettings(True, {}, there)
    assert fallback(own, row, IDS, NAMES, frozenset()) == found
    assert fallback(None, row, IDS, NAMES, frozenset()) is None


@pytest.mark.parametrize(
    ("unseen", "going", "clears"), [((), (), True), (("expire",), (), False), (("expire",), ("i1",), True)]
)
def test_a_server_of_2_2_clears_the_fallback_only_with_its_bot(
    unseen: tuple[str, ...], going: tuple[str, ...], clears: bool
) -> None:
    row = RemoteSettings(True, {}, "i1", frozenset(unseen))
    found = fallback(DesiredSettings({}, AT, fallback=""), row, IDS, NAMES, frozenset(going))
    if clears:
        assert found == Fallback("", "ana", "")
    else:
        assert found == (
            "its fallback stays ana, as a server of 2.2.x clears it only when its bot is deleted: declare "
            "another bot as the fallback, or leave `fallback` out of the settings, or delete the bot"
        )
