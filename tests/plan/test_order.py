"""A plan can be applied: for any two worlds, no call of it is refused, and a second plan is empty."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import DesiredBot
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Verb
from tests.plan.builders import bot, plan, remote
from tests.plan.toy import Toy
from tests.support import often

KEYS = ("a1", "a2", "a3", "m/1", "m/2", "m/3")
TRIGGERS = ("all", "none", "equals:1", "equals:2", "contains:1", "adv:1", "adv:3", "regex:4")
NAMES = ("ana", "bia", "caio", "dora", "edu")


@st.composite
def desired_bots(draw: st.DrawFn) -> list[DesiredBot]:
    """A desired state that validation accepts."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    keys = draw(st.permutations(KEYS))
    bots: list[DesiredBot] = []
    values: set[str] = set()
    pairs: set[str] = set()
    catch_all = False
    for name, key in zip(names, keys, strict=False):
        enabled = draw(st.booleans())
        trigger = draw(st.sampled_from(TRIGGERS))
        operator, _, value = trigger.partition(":")
        if trigger == "all":
            enabled, catch_all = enabled and not catch_all, catch_all or enabled
        elif value:
            clash = value in values if operator == "adv" else trigger in pairs or f"adv:{value}" in pairs
            if clash:
                continue
            values.add(value)
            pairs.add(trigger)
        previously = (f"old-{name}",) if draw(st.booleans()) else ()
        bots.append(
            bot(
                name,
                key,
                trigger,
                previously=previously,
                replace=draw(st.integers(0, 5)) == 0,
                enabled=enabled,
                expire=draw(st.sampled_from((1, 2))),
            )
        )
    return bots


@st.composite
def remote_bots(draw: st.DrawFn) -> list[RemoteBot]:
    """Any state that the server can come to be in: races make duplicates of everything."""
    bots = []
    owners = (
        "",
        "",
        "[gitops:{0}]",
        "[gitops:{0}]",
        "[gitops:{0}]",
        "[gitops:old-{0}]",
        "[other:{0}]~01234567",
    )
    for number in range(draw(st.integers(0, 6))):
        owner = draw(st.sampled_from(owners)).format(draw(st.sampled_from(NAMES)))
        stale = {}
        if draw(st.booleans()):
            stale = {
                "triggerOperator": draw(st.sampled_from(("equals", "regex"))),
                "triggerValue": draw(st.sampled_from(("1", "2", "3"))),
            }
        made = remote(
            f"id{number}",
            draw(st.sampled_from(KEYS)),
            draw(st.sampled_from(TRIGGERS)),
            owner,
            enabled=draw(st.booleans()),
            expire=draw(st.sampled_from((1, 2))),
        )
        bots.append(RemoteBot(made.id, {**stale, **made.fields}))
    return bots


@settings(max_examples=often(1500), deadline=None)
@example(
    # The catch-all keeps what an old trigger left behind, as nobody needs that; ana, who is stuck, neither.
    desired=[
        *(
            bot(name, f"a{number}", "all", replace=True, enabled=False, expire=1)
            for number, name in enumerate(NAMES[:3], 1)
        ),
        bot("dora", "m/1", "all", replace=True, enabled=False, expire=1),
        bot("edu", "m/2", "all", replace=True, enabled=True, expire=1),
    ],
    there=[
        remote(
            "id0",
            "m/2",
            "all",
            enabled=False,
            expire=1,
            triggerOperator="equals",
            triggerValue="1",
        ),
        remote("id1", "a1", "all", enabled=False, expire=1),
        remote("id2", "a1", "all", "[gitops:ana]", enabled=False, expire=2),
    ],
    prune=False,
)
@given(desired=desired_bots(), there=remote_bots(), prune=st.booleans())
def test_no_call_is_refused_and_a_second_plan_is_empty(
    desired: list[DesiredBot], there: list[RemoteBot], prune: bool
) -> None:
    """Whatever is stuck beside it, and whatever is left over of triggers that are no more."""
    first = plan(desired, there, prune=prune, max_deletes=100, max_delete_share=100)
    ours = {c.ids[0] for c in first.changes() if c.verb.writes and c.ids}
    untouched = [bot for bot in there if bot.id not in ours]

    server = Toy(there)
    server.run(first.instances[0])

    second = plan(desired, server.remote(), prune=prune, max_deletes=100, max_delete_share=100)
    assert not second.writes
    after = {bot.id: bot for bot in server.remote()}
    assert [after[bot.id] for bot in untouched] == untouched
    conflicts = {c.bot for c in first.changes() if c.verb is Verb.CONFLICT}
    assert {c.bot for c in second.changes() if c.verb is Verb.CONFLICT} == conflicts


@settings(max_examples=often(500), deadline=None)
@given(desired_bots(), remote_bots())
def test_one_call_a_change_and_one_more_a_cycle(desired: list[DesiredBot], there: list[RemoteBot]) -> None:
    made = plan(desired, there)
    writes = [change for change in made.changes() if change.verb.writes]
    replaced = sum(change.verb is Verb.REPLACE for change in writes)
    steps = made.instances[0].steps
    parks = sum(step.call is Call.PARK for step in steps)
    assert len(steps) == len(writes) + replaced + parks
    assert parks < max(1, len(writes))  # three that all wait for each other take two


@settings(max_examples=often(500), deadline=None)
@given(desired_bots(), remote_bots(), st.randoms())
def test_the_order_of_the_servers_list_does_not_matter(
    desired: list[DesiredBot], there: list[RemoteBot], random: st.DataObject
) -> None:
    shuffled = list(there)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert plan(desired, there) == plan(desired, shuffled)


SWAP = ([("a", "x", "equals:1"), ("b", "y", "equals:2")], [("x", "equals:2"), ("y", "equals:1")])
ROTATE = (
    [("a", "x", "equals:1"), ("b", "y", "equals:2"), ("c", "z", "adv:3")],
    [("x", "equals:2"), ("y", "adv:3"), ("z", "equals:1")],
)
TOKENS = ([("a", "m/1", "none"), ("b", "m/2", "none")], [("m/2", "none"), ("m/1", "none")])
CHAIN = ([("a", "x", "equals:2"), ("b", "y", "equals:3")], [("x", "equals:1"), ("y", "equals:2")])
ASSISTANTS = ([("a", "x", "equals:1"), ("b", "y", "equals:2")], [("y", "equals:1"), ("x", "equals:2")])
CATCH_ALL = ([("a", "x", "all"), ("b", "y", "equals:1")], [("x", "equals:1"), ("y", "all")])


@pytest.mark.parametrize(
    ("case", "calls"),
    [
        pytest.param(SWAP, "park a, update b, update a", id="two swap triggers"),
        pytest.param(ROTATE, "park a, update b, update c, update a", id="three rotate"),
        pytest.param(TOKENS, "park a, update b, update a", id="two swap maxTokens"),
        pytest.param(CHAIN, "update b, update a", id="a chain needs no parking"),
        pytest.param(ASSISTANTS, "park a, update b, update a", id="two swap assistants"),
        pytest.param(CATCH_ALL, "park a, update b, update a", id="a catch-all changes hands"),
    ],
)
def test_cycles_are_broken_by_parking_one(
    case: tuple[list[tuple[str, str, str]], list[tuple[str, str]]], calls: str
) -> None:
    desired = [bot(*one) for one in case[0]]
    there = [
        remote(f"id-{name}", key, trigger, f"[gitops:{name}]")
        for (name, _, _), (key, trigger) in zip(case[0], case[1], strict=True)
    ]
    made = plan(desired, there)
    assert ", ".join(f"{step.call} {step.bot}" for step in made.instances[0].steps) == calls
    server = Toy(there)
    server.run(made.instances[0])
    assert not plan(desired, server.remote()).writes


@pytest.mark.parametrize("done", [1, 2])
@pytest.mark.parametrize("case", [SWAP, ROTATE, TOKENS, ASSISTANTS, CATCH_ALL])
def test_an_interrupted_parking_is_finished_by_the_next_plan(
    case: tuple[list[tuple[str, str, str]], list[tuple[str, str]]], done: int
) -> None:
    desired = [bot(*one) for one in case[0]]
    there = [  # unmarked, so that the first call must make the bot ours as well
        remote(f"id-{name}", key, trigger)
        for (name, _, _), (key, trigger) in zip(case[0], case[1], strict=True)
    ]
    server = Toy(there)
    [instance] = plan(desired, there).instances
    server.run(type(instance)(instance.name, steps=instance.steps[:done]))
    server.run(plan(desired, server.remote()).instances[0])
    last = plan(desired, server.remote())
    assert (last.writes, last.problems, last.in_sync) == (False, 0, len(desired))
    assert len(server.bots) == len(there)


def test_a_disabled_catch_all_is_written_beside_the_enabled_one() -> None:
    desired = [bot("holiday", "x", "all", enabled=False, expire=5), bot("shop", "y", "all", enabled=True)]
    server = Toy([])
    server.run(plan(desired, []).instances[0])
    assert not plan(desired, server.remote()).writes
    desired[0] = bot("holiday", "x", "all", enabled=False, expire=6)
    made = plan(desired, server.remote())
    assert [f"{step.call} {step.bot}" for step in made.instances[0].steps] == [
        "park shop",
        "update holiday",
        "update shop",
    ]
    assert [change.reason for change in made.changes()] == [
        "its manifest was edited",
        "it is moved aside while another bot is written, and back: it answers nobody meanwhile",
    ]
    server.run(made.instances[0])
    assert not plan(desired, server.remote()).writes


def test_what_is_parked_is_what_does_not_go_on_being_in_the_way() -> None:
    """They swap assistants, and the disabled `all` must be written before the enabled one."""
    desired = [bot("holiday", "y", "all", enabled=False), bot("shop", "x", "all", enabled=True)]
    there = [remote("i", "x", "all", "[gitops:holiday]"), remote("j", "y", "none", "[gitops:shop]")]
    server = Toy(there)
    [instance] = plan(desired, there).instances
    assert [f"{step.call} {step.bot}" for step in instance.steps] == [
        "park shop",
        "update holiday",
        "update shop",
    ]
    server.run(instance)
    assert not plan(desired, server.remote()).writes


def test_what_is_parked_is_what_is_on_all_cycles() -> None:
    desired = [bot("ana", "a2", "all"), bot("bia", "a1", "equals:1"), bot("dora", "m/1", "equals:2")]
    there = [
        remote("i", "a1", "all", "[gitops:ana]"),
        remote("j", "m/1", "none", "[gitops:bia]"),
        remote("k", "a2", "equals:1", "[gitops:dora]"),
    ]
    server = Toy(there)
    [instance] = plan(desired, there).instances
    assert [f"{step.call} {step.bot}" for step in instance.steps] == [
        "park bia",
        "update dora",
        "update ana",
        "update bia",
    ]
    server.run(instance)
    assert not plan(desired, server.remote()).writes


def test_another_cycle_has_no_say_in_what_is_parked() -> None:
    desired = [bot("ana", "a2", "all"), bot("bia", "a1", "equals:1"), bot("dora", "m/1", "equals:2")]
    desired += [bot("yan", "a8", "equals:9"), bot("zoe", "a9", "equals:8")]
    there = [
        remote("i", "a1", "all", "[gitops:ana]"),
        remote("j", "m/1", "none", "[gitops:bia]"),
        remote("k", "a2", "equals:1", "[gitops:dora]"),
        remote("l", "a8", "equals:8", "[gitops:yan]"),
        remote("m", "a9", "equals:9", "[gitops:zoe]"),
    ]
    [instance] = plan(desired, there).instances
    assert [step.bot for step in instance.steps if step.call is Call.PARK] == ["bia", "yan"]


def test_a_cycle_is_broken_by_deleting_first_what_is_recreated() -> None:
    desired = [bot("a", "x", "equals:1", replace=True), bot("b", "y", "equals:2", replace=True)]
    there = [remote("i", "x", "equals:2", "[gitops:a]"), remote("j", "y", "equals:1", "[gitops:b]")]
    server = Toy(there)
    [instance] = plan(desired, there).instances
    assert [f"{step.call} {step.bot}" for step in instance.steps] == [
        "delete a",
        "delete b",
        "create b",
        "create a",
    ]
    server.run(instance)
    assert not plan(desired, server.remote()).writes


def test_a_cycle_of_five_hundred_bots_needs_one_parking() -> None:
    desired = [bot(f"b{n}", f"m/{n + 1}", f"equals:{(n + 1) % 500}") for n in range(500)]
    there = [remote(f"id{n}", f"m/{n + 1}", f"equals:{n}", f"[gitops:b{n}]") for n in range(500)]
    steps = plan(desired, there).instances[0].steps
    assert len(steps) == 501


@settings(max_examples=often(150), deadline=None)
@given(keys=st.permutations(range(12)), triggers=st.permutations(range(12)), tokens=st.booleans())
@example(keys=[*range(1, 12), 0], triggers=[11, *range(11)], tokens=False)
@example(keys=[n ^ 1 for n in range(12)], triggers=list(range(12)), tokens=True)
def test_keys_and_triggers_change_hands_in_any_way(
    keys: list[int], triggers: list[int], tokens: bool
) -> None:
    key = "m/{}" if tokens else "a{}"
    desired = [
        bot(f"b{n:02}", key.format(keys[n] + 1), f"equals:{trigger}") for n, trigger in enumerate(triggers)
    ]
    there = [remote(f"id{n}", key.format(n + 1), f"equals:{n}", f"[gitops:b{n:02}]") for n in range(12)]
    server = Toy(there)
    server.run(plan(desired, there).instances[0])
    last = plan(desired, server.remote())
    assert (last.writes, last.in_sync) == (False, 12)


def test_a_place_to_park_that_is_taken_is_not_waited_for() -> None:
    """A bot that was parked, and whose marker somebody removed, still has the parked values."""
    desired = [bot("a", "x", "equals:1"), bot("b", "y", "equals:2")]
    there = [
        remote("i1", "y", "equals:2", "[gitops:a]"),
        remote("i2", "x", "equals:1", "[gitops:b]"),
        remote("i3", "parked-gitops-a", "regex:(?!)parked by gitops: a"),
    ]
    steps = plan(desired, there).instances[0].steps
    assert [str(step.call) for step in steps] == ["park", "update", "update"]
    assert steps[0].body["triggerValue"] == "(?!)parked by gitops: a 2"
    assert steps[0].body["assistantId"] == "parked-gitops-a 2"
    server = Toy(there)
    server.run(plan(desired, there).instances[0])
    assert not plan(desired, server.remote()).writes
