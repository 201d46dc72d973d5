"""How much a plan may delete: which changes count, against which bots, and what is said of too many."""

from __future__ import annotations

import re

import pytest

from reconciler.domain.plan import Change, InstancePlan, Of, Verb
from reconciler.plan.limits import LimitError, check_deletes


def instance(verbs: list[Verb], in_sync: int = 0, *, name: str = "loja", of: Of = Of.BOT) -> InstancePlan:
    """An instance with one change of each of these verbs: z0, y1, x2, …"""
    changes = [Change(name, f"{'zyxwvu'[n]}{n}", verb, "", of=of) for n, verb in enumerate(verbs)]
    return InstancePlan(name, tuple(changes), in_sync=in_sync)


@pytest.mark.parametrize("verb", list(Verb))
def test_what_counts_as_ours(verb: Verb) -> None:
    """One of two of ours is half of them; one of one is all."""
    ours = verb in {Verb.UPDATE, Verb.REPLACE, Verb.ORPHAN, Verb.DELETE}
    plans = [instance([Verb.DELETE, verb])]
    share = 100 if verb is Verb.DELETE or not ours else 50
    check_deletes(plans, 9, share)
    with pytest.raises(LimitError):
        check_deletes(plans, 9, share - 1)


def test_credentials_and_settings_are_no_bots() -> None:
    changes = instance([Verb.DELETE]).changes
    for of in (Of.CREDENTIAL, Of.SETTINGS):
        more = instance([Verb.UPDATE], of=of).changes
        with pytest.raises(LimitError, match="1 of 1 bots"):
            check_deletes([InstancePlan("loja", changes + more)], 9, 99)


def test_the_number_is_of_the_whole_run_and_the_share_of_each_instance() -> None:
    plans = [instance([Verb.DELETE], 1), instance([Verb.DELETE], 3, name="café")]
    check_deletes(plans, 2, 50)
    with pytest.raises(LimitError) as number:
        check_deletes(plans, 1, 50)
    assert str(number.value).split("\n") == [
        "Nothing was done: the plan deletes too much.",
        "  2 bots would be deleted, more than 1: café/z0, loja/z0",
        "If you want that, raise --max-deletes or --max-delete-share.",
    ]
    with pytest.raises(LimitError) as share:
        check_deletes(plans, 2, 49)
    assert str(share.value).split("\n")[1:-1] == [
        "  loja: 1 of 2 bots would be deleted, more than 49 percent: z0"
    ]


def test_everything_that_is_too_much_is_said_at_once_by_name() -> None:
    plans = [instance([Verb.DELETE, Verb.DELETE, Verb.UPDATE]), instance([Verb.DELETE], name="café")]
    with pytest.raises(LimitError, match=re.escape("  loja: 2 of 3 bots")) as error:
        check_deletes(plans, 2, 40)
    assert str(error.value).split("\n")[1:-1] == [
        "  loja: 2 of 3 bots would be deleted, more than 40 percent: y1, z0",
        "  café: 1 of 1 bots would be deleted, more than 40 percent: z0",
        "  3 bots would be deleted, more than 2: café/z0, loja/y1, loja/z0",
    ]
