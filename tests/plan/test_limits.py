"""How much a plan may delete: which changes count, against which bots, and what is said of too many."""

from __future__ import annotations

import pytest

from reconciler.domain.plan import Change, InstancePlan, Of, Verb
from reconciler.plan.limits import exceeded
from tests.plan.builders import bot, plan, remote

DECLARED = {"loja", "café"}
MANY = 10_000  # bots of the fleet


def instance(verbs: list[Verb], in_sync: int = 0, *, name: str = "loja", of: Of = Of.BOT) -> InstancePlan:
    """An instance with one change of each of these verbs: z0, y1, x2, …"""
    changes = [Change(name, f"{'zyxwvu'[n]}{n}", verb, "", (f"i{n}",), of=of) for n, verb in enumerate(verbs)]
    return InstancePlan(name, tuple(changes), in_sync=in_sync)


@pytest.mark.parametrize("verb", list(Verb))
def test_what_counts_as_ours(verb: Verb) -> None:
    """One of two of ours is half of them; one of one is all."""
    ours = verb in {Verb.UPDATE, Verb.REPLACE, Verb.ORPHAN, Verb.DELETE, Verb.BLOCKED, Verb.BEFORE}
    plans = [instance([Verb.DELETE, verb])]
    share = 100 if verb is Verb.DELETE or not ours else 50
    assert exceeded(plans, DECLARED, MANY, 9, share) == ()
    assert len(exceeded(plans, DECLARED, MANY, 9, share - 1)) == 1


def test_what_is_not_a_bot_that_goes_does_not_count() -> None:
    gone = instance([Verb.DELETE]).changes
    for of in (Of.CREDENTIAL, Of.SETTINGS):
        more = instance([Verb.UPDATE, Verb.DELETE], of=of).changes
        [said] = exceeded([InstancePlan("loja", gone + more)], DECLARED, MANY, 9, 99)
        assert said.startswith("1 of 1 bots of loja would be deleted")
    moves = InstancePlan("loja", (Change("loja", "z0", Verb.DELETE, "", ("i0",), other="café"),))
    assert exceeded([moves], DECLARED, 0, 0, 0) == ()


def test_the_number_is_of_the_whole_plan_and_the_share_of_each_instance() -> None:
    plans = [instance([Verb.DELETE], 1), instance([Verb.DELETE], 3, name="café")]
    assert exceeded(plans, DECLARED, 4, 2, 50) == ()
    assert exceeded(plans, DECLARED, 4, 1, 50) == (
        "2 bots would be deleted, more than 1 (max-deletes): z0@café, z0@loja",
    )
    assert exceeded(plans, DECLARED, 4, 2, 49) == (
        "1 of 2 bots of loja would be deleted, more than 49 percent (max-delete-share): z0",
    )


@pytest.mark.parametrize(("fleet", "too_much"), [(0, True), (1, True), (2, False), (300, False)])
def test_of_an_instance_that_nothing_declares_the_share_is_that_of_the_fleet(
    fleet: int, too_much: bool
) -> None:
    """All of its bots go: 2 of 2, of 3, of 4."""
    found = exceeded([instance([Verb.DELETE, Verb.DELETE])], set(), fleet, 9, 50)
    assert [said.partition(" would")[0] for said in found] == (
        [f"2 of {fleet + 2} bots of all instances"] if too_much else []
    )


def test_everything_that_is_too_much_is_said_at_once_by_name() -> None:
    plans = [instance([Verb.DELETE, Verb.DELETE, Verb.UPDATE]), instance([Verb.DELETE], name="café")]
    assert exceeded(plans, DECLARED, 1, 2, 40) == (
        "2 of 3 bots of loja would be deleted, more than 40 percent (max-delete-share): y1, z0",
        "1 of 1 bots of café would be deleted, more than 40 percent (max-delete-share): z0",
        "3 of 4 bots of all instances would be deleted, more than 40 percent (max-delete-share): "
        "y1@loja, z0@café, z0@loja",
        "3 bots would be deleted, more than 2 (max-deletes): y1@loja, z0@café, z0@loja",
    )


def test_many_names_are_counted() -> None:
    changes = tuple(Change("loja", f"b{n:02}", Verb.DELETE, "", (f"i{n}",)) for n in range(12))
    [said] = exceeded([InstancePlan("loja", changes)], set(), MANY, 9, 99)
    assert said.endswith(
        ": b00@loja, b01@loja, b02@loja, b03@loja, b04@loja, b05@loja, b06@loja, b07@loja, "
        "b08@loja, b09@loja and 2 more"
    )


def test_what_was_approved_is_deleted_and_no_other_plan() -> None:
    there = [remote("i1", "x", "none", "[gitops:ana]"), remote("i2", "y", "none", "[gitops:bia]")]
    too_much = plan([], there, prune=True)
    assert (len(too_much.limits), too_much.writes, too_much.approved) == (2, False, False)
    allowed = frozenset({too_much.approval})
    approved = plan([], there, prune=True, allowed=allowed)
    assert (approved.limits, approved.approved) == ((), True)
    assert [change.verb for change in approved.changes()] == [Verb.DELETE, Verb.DELETE]
    other = plan([bot("caio", "z")], there, prune=True, allowed=allowed)  # something was added since
    assert (other.approved, other.approval != too_much.approval) == (False, True)
    assert [change.verb for change in other.changes()] == [Verb.CREATE, Verb.ORPHAN, Verb.ORPHAN]
