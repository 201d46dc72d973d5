"""One instance's part of a plan: what is a conflict, what is said, and what each step sends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
    UrlRef,
)
from reconciler.domain.hidden import Hidden, of_ref
from reconciler.domain.kinds import Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import NEW_BOT, Call, Change, FieldChange, InstancePlan, Of, Verb
from reconciler.plan.planner import make
from tests.plan.builders import AT, bot, options_of, plan, remote
from tests.support import of_openai

MARK = "[gitops:ana]"
URL = of_ref(UrlRef("env", "URL"), "URL is not set")
ROW = RemoteSettings(True, {"openaiCredsId": "creds-1"})


def planned(
    bots: list[DesiredBot],
    there: list[RemoteBot],
    *,
    settings: DesiredSettings | None = None,
    row: RemoteSettings | None = ROW,
    unread: tuple[tuple[str, str], ...] = (),
    credentials: dict[str, RemoteCredential] | None = None,
    **options: object,
) -> InstancePlan:
    """The plan of one instance, loja."""
    seen = ObservedInstance("loja", tuple(there), credentials, of_openai(row), unread=unread)
    desired = DesiredInstance("loja", tuple(bots), AT, settings=of_openai(settings))
    made = make(Desired((desired,)), Observed("http://s", {"loja": seen}), options_of(**options))  # type: ignore[arg-type]
    return made.instances[0]


def told(made: InstancePlan) -> list[tuple[str, str, str]]:
    return [(change.verb.value, change.label, change.reason) for change in made.changes]


def calls(made: InstancePlan) -> list[str]:
    return [f"{step.call} {step.bot}" for step in made.steps]


# -- values that are found elsewhere -----------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "declared", "sent"),
    [
        (None, {}, True),
        ({"functionUrl": "https://e.x/1"}, {}, False),
        ({"functionUrl": "https://e.x/1"}, {"expire": 5}, False),
        ({}, {}, True),
        ({}, {"expire": 5}, True),
    ],
)
@pytest.mark.parametrize("needs", [True, False])
def test_a_value_that_is_not_at_hand_is_needed_only_where_it_is_sent(
    stored: dict[str, Value] | None, declared: dict[str, Value], sent: bool, needs: bool
) -> None:
    there = [] if stored is None else [remote("i1", "x", "none", MARK, **stored)]
    made = planned([bot("ana", "x", functionUrl=URL, **declared)], there, needs_keys=needs)  # type: ignore[arg-type]
    conflicts = [change for change in made.changes if change.verb is Verb.CONFLICT]
    assert [(change.bot, change.reason, change.ids) for change in conflicts] == (
        [("ana", "its functionUrl cannot be sent: URL is not set", ("i1",) if there else ())]
        if sent and needs
        else []
    )
    assert bool(made.steps) is (not conflicts and bool(sent or declared))
    assert made.in_sync == (not sent and not declared)
    assert made.unverified == {"functionUrl of ana": "URL is not set"}


def test_a_bot_that_is_made_anew_is_sent_whole() -> None:
    there = remote("i1", "x", "none", MARK, functionUrl="https://e.x/1")
    desired = bot("ana", "x", functionUrl=URL, expire=5)
    assert told(planned([desired], [there], needs_keys=True, replace=True)) == [
        ("conflict", "ana", "its functionUrl cannot be sent: URL is not set")
    ]
    assert calls(planned([desired], [there], replace=True)) == ["delete ana", "create ana"]
    known = Hidden("https://e.x/?token=***", "https://e.x/?token=1")
    made = planned([bot("ana", "x", functionUrl=known)], [], needs_keys=True)
    assert (calls(made), made.unverified) == (["create ana"], {})


# -- triggers that are left over ---------------------------------------------------------------


def test_what_is_left_of_a_trigger_stays_beside_a_bot_in_its_place() -> None:
    stale = remote("i1", "x", "all", MARK, triggerOperator="equals", triggerValue="1")
    bia = remote("i2", "y", "equals:1", "[gitops:bia]")
    made = planned([bot("ana", "x", "all"), bot("bia", "y", "equals:1")], [stale, bia])
    assert (made.changes, made.steps, made.in_sync) == ((), (), 2)
    made = planned([bot("ana", "x", "all"), bot("bia", "y", "equals:1", expire=5)], [stale, bia])
    assert calls(made) == ["update ana", "update bia"]
    assert made.steps[0].body["triggerValue"] == ""
    assert [change.fields for change in made.changes] == [
        (FieldChange("triggerValue", "1", ""),),
        (FieldChange("expire", 300, 5),),
    ]


def test_what_is_left_of_a_trigger_stays_if_only_its_own_bot_is_written() -> None:
    stale = remote("i1", "x", "none", MARK, triggerOperator="equals", triggerValue="1")
    made = planned([bot("ana", "x", expire=5), bot("bia", "y", "adv:2")], [stale])
    assert made.changes[0].fields[:1] == (FieldChange("expire", 300, 5),)
    made = planned([bot("ana", "x", expire=5), bot("bia", "y", "adv:1")], [stale])
    assert made.changes[0].fields[0] == FieldChange("triggerValue", "1", "")


# -- rows that are not understood --------------------------------------------------------------


def test_what_is_not_understood_is_said_once() -> None:
    row = replace(ROW, unread=(("expire", "is not of type int"),))
    words = "its row is not understood: expire is not of type int"
    assert told(planned([], [], row=row)) == [("unmanaged", "the settings", words)]
    declared = DesiredSettings({"expire": 5}, AT)
    assert told(planned([], [], row=row, settings=declared)) == [("conflict", "the settings", words)]
    made = planned([], [], unread=(("main", "its row is odd"),))
    assert made.changes == (Change("loja", "main", Verb.UNMANAGED, "its row is odd", of=Of.CREDENTIAL),)


def test_a_stranger_in_a_conflict_is_said_there_alone() -> None:
    twins = [remote("i1", "x", "none", MARK), remote("i2", "y", "none", MARK), remote("i3", "z")]
    made = planned([bot("ana", "x"), bot("eva", "z", "none")], [*twins, remote("i4", "z")])
    assert [(verb, label) for verb, label, _ in told(made)] == [
        ("conflict", "ana"),
        ("conflict", "eva"),
        ("unmanaged", "i3"),
        ("unmanaged", "i4"),
    ]
    nameless = replace(remote("", "w"), unread=(("expire", "is odd"),))
    [change] = planned([], [nameless]).changes
    assert (change.ids, change.label) == ((), "?")


def test_a_name_in_conflict_that_nothing_declares() -> None:
    made = planned([], [remote("i1", "x", "none", MARK), remote("i2", "y", "none", MARK)])
    [change] = made.changes
    assert (change.verb, change.bot, change.ids, change.at) == (Verb.CONFLICT, "ana", ("i1", "i2"), None)


# -- orphans -----------------------------------------------------------------------------------


def test_an_orphan_is_deleted_only_when_asked_and_shows_what_it_was() -> None:
    there = remote("i1", "x", "none", "[gitops:old]")
    kept = planned([], [there])
    assert told(kept) == [("orphan", "old", "nothing declares it any more; it is kept, as prune is `never`")]
    assert (kept.changes[0].fields, kept.changes[0].ids, kept.changes[0].before) == ((), ("i1",), there)
    gone = planned([], [there], prune=True, max_delete_share=100)
    assert told(gone) == [("delete", "old", "nothing declares it any more")]
    assert {field.name: field.before for field in gone.changes[0].fields} == {
        name: value for name, value in there.fields.items() if value != ()
    }
    assert [(step.call, step.id, step.body) for step in gone.steps] == [(Call.DELETE, "i1", {})]


def test_an_orphan_in_the_way_is_named_and_one_that_goes_is_not() -> None:
    there = remote("i1", "x", "none", "[gitops:old]")
    conflict, orphan = planned([bot("ana", "x")], [there]).changes
    assert conflict.reason == (
        "the server would refuse it: the orphan old (bot i1) holds assistantId 'x'; "
        "if you renamed old, add `previously: [old]`"
    )
    assert (conflict.ids, orphan.verb) == (("i1",), Verb.ORPHAN)
    beside = planned([bot("ana", "x"), bot("eva", "e")], [there, remote("i2", "e", "none", "[gitops:eva]")])
    assert (len(beside.changes), beside.in_sync) == (2, 1)
    assert calls(planned([bot("ana", "x")], [there], prune=True, max_delete_share=100)) == [
        "delete old",
        "create ana",
    ]


def test_a_bot_that_is_there_was_not_renamed() -> None:
    ana = remote("i2", "y", "none", MARK)
    conflict, _ = planned([bot("ana", "x")], [ana, remote("i1", "x", "none", "[gitops:old]")]).changes
    assert conflict.reason == "the server would refuse it: the orphan old (bot i1) holds assistantId 'x'"
    assert conflict.ids == ("i2", "i1")


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desired", "there", "verb", "reason"),
    [
        (bot("ana", "x"), None, "create", "it is missing on the server"),
        (
            bot("ana", "x"),
            remote("i1", "x"),
            "adopt",
            "a bot without a marker has assistantId 'x': it becomes ours",
        ),
        (
            bot("ana", "m/1"),
            remote("i1", "m/1"),
            "adopt",
            "a bot without a marker has model 'm' with maxTokens 1: it becomes ours",
        ),
        (
            bot("ana", "x", "equals:1"),
            remote("i1", "y", "equals:1"),
            "adopt",
            "a bot without a marker has its trigger: it becomes ours",
        ),
        (
            bot("ana", "x", previously=("old",)),
            remote("i1", "x", "none", "[gitops:old]"),
            "update",
            "it was named old before",
        ),
        (
            bot("ana", "x", expire=5, replace=True),
            remote("i1", "x", "none", MARK),
            "replace",
            "it differs, and is recreated: its open sessions are lost",
        ),
        (
            bot("ana", "x", expire=5, previously=("old",), replace=True),
            remote("i1", "x", "none", "[gitops:old]"),
            "update",
            "it was named old before",
        ),
        (bot("ana", "x", expire=5), remote("i1", "x", "none", MARK), "update", "it differs"),
    ],
)
def test_what_is_said_of_a_change(
    desired: DesiredBot, there: RemoteBot | None, verb: str, reason: str
) -> None:
    made = planned([desired], [] if there is None else [there])
    [change] = made.changes
    assert (change.verb, change.reason, change.at) == (verb, reason, AT)
    assert (change.ids, change.before) == (() if there is None else ("i1",), there)


def test_a_create_shows_its_whole_body_and_an_update_what_differs() -> None:
    made = planned([bot("ana", "x", "equals:1", expire=5)], [])
    [change], [step] = made.changes, made.steps
    assert {field.name: field.after for field in change.fields} == dict(step.body)
    assert {field.before for field in change.fields} == {None}
    assert str(step.body["description"]).startswith(f"{MARK}~")
    made = planned([bot("ana", "x", "equals:1", expire=5)], [remote("i1", "x", "equals:1", MARK)])
    [change], [step] = made.changes, made.steps
    assert change.fields == (FieldChange("expire", 300, 5),)
    assert (step.id, step.why) == ("i1", "")
    assert set(step.body) == {
        "enabled",
        "description",
        "openaiCredsId",
        "botType",
        "assistantId",
        "triggerType",
        "triggerOperator",
        "triggerValue",
        "expire",
    }


def test_a_whole_swap_with_its_words() -> None:
    made = plan(
        [bot("ana", "x", "equals:1"), bot("bia", "y", "equals:2")],
        [remote("i1", "x", "equals:2", MARK), remote("i2", "y", "equals:1", "[gitops:bia]")],
    ).instances[0]
    assert [(step.call, step.bot, step.id, step.why) for step in made.steps] == [
        (Call.PARK, "ana", "i1", "moved aside to free the trigger equals '2'"),
        (Call.UPDATE, "bia", "i2", ""),
        (Call.UPDATE, "ana", "i1", ""),
    ]
    assert made.steps[0].body["triggerValue"] == "(?!)parked by gitops: ana"
    assert "description" not in made.steps[0].body
    assert str(made.steps[2].body["description"]).startswith(f"{MARK}~")


@pytest.mark.parametrize("fallback", ["i1", "i2", None])
def test_the_fallback_follows_the_bot_that_is_made_anew(fallback: str | None) -> None:
    row = replace(ROW, fallback=fallback, unseen=frozenset({"speechToText"}))
    made = planned(
        [bot("ana", "x", expire=5, replace=True), bot("bia", "y", expire=5)],
        [remote("i1", "x", "none", MARK), remote("i2", "y", "none", "[gitops:bia]")],
        settings=DesiredSettings({"speechToText": True, "expire": 1}, AT),
        row=replace(row, fields={**row.fields, "expire": 1}),
    )
    pointed = ["fallback ana"] if fallback == "i1" else []
    assert calls(made) == ["delete ana", "create ana", *pointed, "update bia"]
    if pointed:
        step = made.steps[2]
        assert (step.id, step.why) == (None, "it was the fallback of the instance's settings")
        assert step.body == {"speechToText": True, "fallbackId": f"{NEW_BOT}ana"}


# -- without settings --------------------------------------------------------------------------


def shared_creds(name: str, key: str) -> DesiredBot:
    return replace(bot(name, key, creds="main"), creds_owner="matriz")


def shared_credentials(bots: list[DesiredBot], own: dict[str, str], row: RemoteSettings) -> InstancePlan:
    seen = ObservedInstance(
        "loja",
        (),
        {name: RemoteCredential(id) for name, id in own.items()},
        {"openai": row},
        {"matriz": {"main": RemoteCredential("c9")}},
    )
    desired = Desired((DesiredInstance("loja", tuple(bots), AT),))
    return make(desired, Observed("http://s", {"loja": seen}), options_of()).instances[0]


NONE = RemoteSettings(False, {})


def test_who_makes_the_settings_goes_first() -> None:
    own = {"own": "c1"}
    raw, named = bot("zoe", "z", openaiCredsId="c1"), bot("zeca", "w", creds="own")
    for makes in (raw, named):
        made = shared_credentials([shared_creds("ana", "x"), makes], own, NONE)
        assert calls(made) == [f"create {makes.name}", "create ana"]
        assert calls(shared_credentials([shared_creds("ana", "x"), makes], own, ROW)) == [
            "create ana",
            f"create {makes.name}",
        ]
    theirs = bot("bia", "y", openaiCredsId="c7")
    assert calls(shared_credentials([theirs, raw, named], own, NONE)) == [
        "create zeca",
        "create zoe",
        "create bia",
    ]
    assert calls(shared_credentials([raw, named], own, NONE)) == ["create zeca", "create zoe"]


def test_borrowers_alone_make_no_settings() -> None:
    said = (
        "the instance has no settings yet, and the server creates them only with a credential of the "
        "instance's own, not with a shared one: "
    )
    assert told(shared_credentials([shared_creds("ana", "x")], {"own@2": "c1"}, NONE)) == [
        ("conflict", "ana", f"{said}name one in its settings, `settings: {{openaiCreds: own}}`")
    ]
    lost = bot("bia", "y", creds="nope")
    both = told(shared_credentials([lost, shared_creds("ana", "x")], {"own": "c1"}, NONE))
    assert [label for _, label, _ in both] == ["bia", "ana"]
    [(verb, label, reason)] = told(shared_credentials([shared_creds("ana", "x")], {}, NONE))
    assert (verb, label) == ("conflict", "ana")
    assert reason.startswith(f"{said}create a second key at OpenAI")
    assert reason.endswith("; the bots can go on using the shared one")
    assert calls(shared_credentials([shared_creds("ana", "x")], {}, ROW)) == ["create ana"]


def test_a_shared_credential_is_not_created_by_an_owner_that_cannot_be_read() -> None:
    owner = DesiredInstance("matriz", (), AT, (DesiredCredential("main", SecretRef("env", "KEY"), AT),))
    loja = DesiredInstance("loja", (shared_creds("ana", "x"),), AT)
    seen = {
        "loja": ObservedInstance("loja", (), {}, {"openai": ROW}, {"matriz": {}}),
        "matriz": ObservedInstance("matriz", problem="it does not answer"),
    }
    made = make(Desired((loja, owner)), Observed("http://s", seen), options_of())
    assert told(made.instances[0]) == [
        (
            "conflict",
            "ana",
            "its credential 'main' cannot be created: "
            "the instance 'matriz', which declares it, is not in this plan; plan it too",
        )
    ]


# -- credentials and settings ------------------------------------------------------------------

REF = SecretRef("env", "OPENAI_KEY")
MAIN = DesiredCredential("main", REF, AT)


def keyed(there: dict[str, RemoteCredential], bots: list[RemoteBot], **options: object) -> InstancePlan:
    """The plan of an instance that declares the credential `main`, which ana uses."""
    desired = DesiredInstance("loja", (bot("ana", "x", creds="main"),), AT, (MAIN,))
    seen = ObservedInstance("loja", tuple(bots), there, {"openai": ROW})
    made = make(Desired((desired,)), Observed("http://s", {"loja": seen}), options_of(**options))  # type: ignore[arg-type]
    return made.instances[0]


def test_a_key_that_is_at_hand_is_made_now() -> None:
    for needs in (True, False):
        made = keyed({}, [], needs_keys=needs)
        assert calls(made) == ["new credential credential main", "create ana"]
        assert [change.verb for change in made.changes] == [Verb.CREATE, Verb.CREATE]
        assert made.changes[0].fields == (FieldChange("apiKey", None, str(REF)),)
        assert made.credentials == {"main": "missing"}


def test_a_rotation_shows_where_a_key_comes_from_only_where_one_is_made() -> None:
    old = RemoteCredential("c1", False, frozenset({"i1"}))
    there = [remote("i1", "x", "none", MARK, openaiCredsId="c1")]
    [change] = keyed({"main": old}, there).changes
    assert (change.verb, change.fields) == (Verb.ROTATE, (FieldChange("apiKey", None, str(REF)),))
    [change] = keyed({"main": old, "main@2": RemoteCredential("c2", True)}, there).changes
    assert (change.verb, change.fields) == (Verb.ROTATE, ())


def test_settings_that_a_bot_makes_move_after_it_though_another_rotation_has_none() -> None:
    """Both credentials rotate; the new bot makes the settings with the old version of one of them."""
    old = {name: RemoteCredential(f"c-{name}", same=False, users=frozenset()) for name in ("main", "spare")}
    desired = DesiredInstance(
        "loja",
        (bot("ana", "x", openaiCredsId="c-main"),),
        AT,
        (MAIN, DesiredCredential("spare", REF, AT)),
    )
    seen = ObservedInstance("loja", (), old, {"openai": RemoteSettings(False, {})})
    [made] = make(Desired((desired,)), Observed("http://s", {"loja": seen}), options_of()).instances
    assert calls(made) == [
        "new credential credential main",
        "new credential credential spare",
        "create ana",
        "settings credential main",
        "old credential credential spare",
    ]


def test_a_fallback_that_goes_to_another_bot_is_named_before_and_after() -> None:
    there = [
        remote("i1", "x", "none", MARK),
        remote("i2", "y", "none", "[gitops:old]"),
        remote("i3", "z", "none", "[gitops:bia]"),
        remote("i4", "w"),
    ]
    bots = [bot("ana", "x"), bot("bia", "z")]
    for id, name in (("i2", "old"), ("i3", "bia"), ("i4", "i4"), (None, None)):
        made = planned(
            bots, there, settings=DesiredSettings({}, AT, None, "ana"), row=replace(ROW, fallback=id)
        )
        assert made.changes[0].fields == (FieldChange("fallbackId", name, "ana"),)
        assert [(step.call, step.body) for step in made.steps] == [(Call.FALLBACK, {"fallbackId": "i1"})]
