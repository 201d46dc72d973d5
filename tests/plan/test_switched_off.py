"""Bots that `reconciler disable` switched off: the plan leaves them off, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import Value
from reconciler.domain.markers import switched_off, with_mark
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, Plan, Verb
from reconciler.saved import decode, encode
from reconciler.saved.consistency import check
from reconciler.saved.consistency.contradiction import ContradictionError
from tests.plan.builders import bot, plan, remote
from tests.support import often

DAY = "2026-11-28"
REASON = (
    "switched off by hand on 2026-11-28 with `reconciler disable`: it stays off until you run "
    "`reconciler enable ana@loja`; to make that permanent, set `enabled: false` in its manifest"
)


def applied(desired: DesiredBot, there: RemoteBot) -> RemoteBot:
    """The bot after its plan is applied."""
    for step in plan([desired], [there]).instances[0].steps:
        assert step.call is Call.UPDATE
        there = RemoteBot(there.id, {**there.fields, **step.body})
    return there


def disabled(there: RemoteBot, **more: Value) -> RemoteBot:
    """The bot as `reconciler disable` leaves it."""
    text = with_mark(str(there.fields["description"]), "gitops", "ana", DAY)
    return RemoteBot(there.id, {**there.fields, "enabled": False, "description": text, **more})


def said(made: Plan) -> list[tuple[str, str, list[str]]]:
    return [(c.verb.value, c.cause, [field.name for field in c.fields]) for c in made.changes()]


ANA = bot("ana", "m/1", "equals:1", enabled=True, expire=5)
ON = applied(ANA, remote("i1", "m/1", "equals:1", "Oi [gitops:ana]"))
OFF = disabled(ON)
ONLY_OFF: list[tuple[str, str, list[str]]] = [("off", "", [])]


@pytest.mark.parametrize("declared", [{"enabled": True}, {}, {"enabled": True, "description": "Oi"}])
def test_a_bot_that_is_switched_off_stays_off(declared: Mapping[str, Value]) -> None:
    desired = bot("ana", "m/1", "equals:1", expire=5, **declared)  # type: ignore[arg-type]  # fields only
    made = plan([desired], [disabled(applied(desired, ON))])
    [change] = made.changes()
    assert (change.verb, change.reason, change.ids) == (Verb.SWITCHED_OFF, REASON, ("i1",))
    assert (made.writes, made.pending, made.in_sync, made.problems) == (False, True, 0, 0)


@pytest.mark.parametrize("long", ["x" * 250, "Oi " + "y " * 115, "z" * 225])
def test_a_text_that_is_cut_for_the_mark_is_no_difference(long: str) -> None:
    desired = bot("ana", "m/1", "equals:1", description=long)
    off = disabled(applied(desired, ON))
    assert said(plan([desired], [off])) == ONLY_OFF
    on = RemoteBot("i1", {**off.fields, "enabled": True})
    assert [verb for verb, *_ in said(plan([desired], [on]))] == ["update"]
    again = applied(desired, on)
    assert said(plan([desired], [again])) == []


def test_other_fields_are_written_and_the_bot_stays_off() -> None:
    desired = bot("ana", "m/1", "equals:1", enabled=True, expire=6)
    made = plan([desired], [OFF])
    assert said(made) == [("update", "pending", ["expire"]), ("off", "", [])]
    [step] = made.instances[0].steps
    assert (step.call, step.body["enabled"], step.body["expire"]) == (Call.UPDATE, False, 6)
    assert switched_off(str(step.body["description"]), "gitops") == DAY
    after = applied(desired, OFF)
    assert said(plan([desired], [after])) == ONLY_OFF
    # and with the switch turned on again nothing is left to do
    text = with_mark(str(after.fields["description"]), "gitops", "ana", "")
    assert (
        said(plan([desired], [RemoteBot("i1", {**after.fields, "enabled": True, "description": text})])) == []
    )


def test_a_change_that_nobody_reviewed_is_blocked_and_the_bot_is_off() -> None:
    desired = bot("ana", "m/1", "equals:1", enabled=True, expire=6)
    made = plan([desired], [OFF], reviewed=frozenset())
    assert [verb for verb, *_ in said(made)] == ["held", "off"]
    assert (made.writes, made.in_sync) == (False, 0)
    assert _read_again(made) == made.instances


def test_an_edit_on_the_server_is_drift_and_the_switch_is_not() -> None:
    assert said(plan([ANA], [disabled(ON, expire=7)])) == [("update", "drift", ["expire"]), ("off", "", [])]


def test_a_bot_whose_mark_was_taken_away_is_drift() -> None:
    text = with_mark(str(OFF.fields["description"]), "gitops", "ana", "")
    made = plan([ANA], [RemoteBot("i1", {**OFF.fields, "description": text})])
    assert said(made) == [("update", "drift", ["enabled"])]


def test_what_git_has_off_too_loses_its_mark_once() -> None:
    """Or it would stay off when Git has it on again."""
    desired = bot("ana", "m/1", "equals:1", enabled=False, expire=5)
    assert said(plan([desired], [OFF])) == [("update", "pending", ["description"])]
    after = applied(desired, OFF)
    assert switched_off(str(after.fields["description"]), "gitops") == ""
    assert said(plan([desired], [after])) == []
    assert said(plan([ANA], [after])) == [("update", "pending", ["enabled"])]


def test_a_bot_that_was_switched_on_by_hand_has_a_mark_without_a_meaning() -> None:
    on = RemoteBot("i1", {**OFF.fields, "enabled": True})
    assert said(plan([ANA], [on])) == []
    edited = bot("ana", "m/1", "equals:1", enabled=True, expire=6)
    assert said(plan([edited], [on])) == [("update", "pending", ["expire"])]
    assert switched_off(str(applied(edited, on).fields["description"]), "gitops") == ""


def test_a_bot_that_nothing_declares_is_an_orphan() -> None:
    assert [verb for verb, *_ in said(plan([], [OFF]))] == ["orphan"]


def test_a_renamed_bot_stays_off() -> None:
    desired = bot("bia", "m/1", "equals:1", previously=("ana",), expire=5)
    made = plan([desired], [OFF])
    assert [verb for verb, *_ in said(made)] == ["update", "off"]
    after = applied(desired, OFF)
    assert str(after.fields["description"]).startswith("Oi [gitops:bia]~")
    assert said(plan([desired], [after])) == ONLY_OFF


@pytest.mark.parametrize("how", ["--replace", "onDrift"])
def test_a_recreated_bot_is_created_off(how: str) -> None:
    desired = bot("ana", "m/1", "equals:1", enabled=True, expire=6, replace=how == "onDrift")
    made = plan([desired], [OFF], replace=how == "--replace")
    assert said(made) == [("replace", "pending", ["expire"]), ("off", "", [])]
    delete, create = made.instances[0].steps
    assert (delete.call, create.call, create.body["enabled"]) == (Call.DELETE, Call.CREATE, False)
    assert switched_off(str(create.body["description"]), "gitops") == DAY
    assert said(plan([desired], [RemoteBot("i2", create.body)])) == ONLY_OFF
    assert said(plan([ANA], [OFF], replace=True)) == ONLY_OFF


def test_a_parked_bot_keeps_its_mark() -> None:
    swap = [bot("ana", "m/1", "equals:2"), bot("bia", "m/2", "equals:1")]
    there = [OFF, remote("i2", "m/2", "equals:2", "[gitops:bia]")]
    made = plan(swap, there)
    steps = made.instances[0].steps
    assert Call.PARK in {step.call for step in steps}
    for step in steps:
        if step.id == "i1":
            assert step.body["enabled"] is False
            if "description" in step.body:
                assert switched_off(str(step.body["description"]), "gitops") == DAY
    assert _read_again(made) == made.instances


def _read_again(made: Plan) -> object:
    again, *_ = decode.read(decode.parse(encode.plan(made)))
    return again.instances


texts = st.text(st.sampled_from("ab [:]~09\u00e9"), max_size=250)


@settings(max_examples=often(200), deadline=None)
@given(
    text=texts,
    declared=st.one_of(st.none(), texts),
    enabled=st.sampled_from([None, True, False]),
    changed=st.sampled_from([{}, {"expire": 6}, {"systemMessages": ("x",)}]),
    replaces=st.booleans(),
    drift=st.sampled_from([{}, {"enabled": True}, {"expire": 9}]),
)
def test_plans_converge_and_can_be_saved(
    text: str,
    declared: str | None,
    enabled: bool | None,
    changed: Mapping[str, Value],
    replaces: bool,
    drift: Mapping[str, Value],
) -> None:
    more: dict[str, Value] = {} if declared is None else {"description": declared}
    more |= {} if enabled is None else {"enabled": enabled}
    desired = bot("ana", "m/1", "equals:1", replace=replaces, **more, **changed)  # type: ignore[arg-type]
    stored = f"{text[:200]} [gitops:ana]~0123abcd~off20261128"
    there = remote("i1", "m/1", "equals:1", stored, **{"enabled": False, **drift})
    made = plan([desired], [there])
    assert _read_again(made) == made.instances
    if any(change.verb is Verb.CONFLICT for change in made.changes()):
        return
    for step in made.instances[0].steps:
        fields = {} if step.call is Call.CREATE else there.fields
        there = RemoteBot("i1", {**fields, **step.body})
    again = plan([desired], [there])
    assert not again.writes
    off = [change.label for change in made.changes() if change.verb is Verb.SWITCHED_OFF]
    assert off == [change.label for change in again.changes()]
    assert off == (["ana"] if enabled is not False and "enabled" not in drift else [])
    if off:
        assert there.fields["enabled"] is False


# -- what a saved plan may say ------------------------------------------------------------------

_EDITED = plan([bot("ana", "m/1", "equals:1", enabled=True, expire=6)], [OFF])


def _with(*changes: Change) -> Plan:
    return replace(_EDITED, instances=(replace(_EDITED.instances[0], changes=changes),))


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("on", "it is reported as switched off, and is on"),
        ("another bot", "another bot or its update is written"),
        ("deleted", "another bot or its delete is written"),
        ("no bot", "it does not say which bot is switched off"),
        ("switched on", "it is reported as switched off, and switched on"),
    ],
)
def test_a_saved_plan_must_not_contradict_itself(case: str, why: str) -> None:
    write, off = _EDITED.instances[0].changes
    assert off.before is not None
    on = RemoteBot("i1", {**off.before.fields, "enabled": True})
    enables = replace(write.fields[0], name="enabled", before=False, after=True)
    wrong = {
        "on": (write, replace(off, before=on)),
        "another bot": (write, replace(off, ids=("i2",), before=RemoteBot("i2", off.before.fields))),
        "deleted": (replace(write, verb=Verb.DELETE), off),
        "no bot": (write, replace(off, before=None)),
        "switched on": (replace(write, fields=(enables, *write.fields)), off),
    }
    check.check(_with(write, off))
    with pytest.raises(ContradictionError, match=why):
        check.check(_with(*wrong[case]))
