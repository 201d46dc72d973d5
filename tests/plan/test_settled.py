"""An instance that is as it is declared is planned as soon as it was read, and the plan is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
)
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import (
    Observed,
    ObservedInstance,
    RemoteBot,
    RemoteCredential,
    RemoteSettings,
)
from reconciler.domain.plan import Verb
from reconciler.plan.planner import make
from reconciler.plan.settled import at_a_glance, settle
from tests.plan.builders import AT, options_of
from tests.plan.house import House, in_order
from tests.plan.settling import check, settled
from tests.plan.test_house import KEYS, planned, worlds
from tests.support import often

OPTIONS = options_of(prune=True, max_deletes=99, max_delete_share=100)


@settings(max_examples=often(300), deadline=None)
@given(worlds())
def test_the_same_plan_before_and_after_an_apply(world: tuple[Desired, House]) -> None:
    desired, house = world
    for _ in range(2):
        made = planned(desired, house)
        check(desired, house.observed(desired, KEYS), OPTIONS, made)
        house.run(in_order(made))
    made = planned(desired, house)
    number = check(desired, house.observed(desired, KEYS), OPTIONS, made)
    assert number <= sum(not one.changes for one in made.instances)


BOT = DesiredBot("ana", {"triggerType": "none"}, "main", AT)
MATRIZ = DesiredInstance("matriz", (), AT, (DesiredCredential("main", SecretRef("env", "MAIN"), AT),))
LOJA = DesiredInstance("loja", (replace(BOT, creds_owner="matriz"),), AT)


def remote(id: str = "b1", **fields: object) -> RemoteBot:
    return RemoteBot(
        id,
        {
            "description": "[gitops:ana]",
            "triggerType": "none",
            "openaiCredsId": "c1",
            "enabled": True,
            **fields,  # type: ignore[dict-item]  # values of fields
        },
        instance_id="i1",
    )


def of_bot(**fields: object) -> DesiredInstance:
    return replace(LOJA, bots=(replace(LOJA.bots[0], fields={**BOT.fields, **fields}),))  # type: ignore[dict-item]


def loja(*bots: RemoteBot, **stored: RemoteCredential) -> ObservedInstance:
    return ObservedInstance(
        "loja", bots, shared_creds={"matriz": stored or {"main": RemoteCredential("c1", same=True)}}
    )


def test_what_is_left_of_its_bots() -> None:
    found = settle(LOJA, [MATRIZ], loja(remote(systemMessages=("a", "b"))), OPTIONS)
    assert found is not None
    assert found.bots == (RemoteBot("b1", {"description": "[gitops:ana]", "openaiCredsId": "c1"}),)
    assert found.bots[0].instance_id == "i1"
    [(part, draft)] = found.drafts.items()
    assert part == ("loja", "openai")
    assert draft.in_sync == 1
    assert draft.taken == {"c1"}
    assert not draft.desired.bots


NOT_SETTLED = {
    "a bot differs": loja(remote(triggerType="all")),
    "a bot is missing": loja(),
    "a bot is not ours": loja(remote(), remote("b2", description="")),
    "a bot is not declared": loja(remote(), remote("b2", description="[gitops:bia]")),
    "a person changed the marker's case": loja(remote(description="[GitOps:ana]")),
    "a bot is switched off by hand": loja(remote(description="[gitops:ana]~off20261128", enabled=False)),
    "a row is not understood": loja(replace(remote(), unread=(("expire", "is not of type int"),))),
    "a credential's row is not understood": replace(loja(remote()), unread=(("x", "has no id"),)),
    "the shared key is different": loja(remote(), main=RemoteCredential("c1", same=False)),
    "the shared credential is missing": loja(remote(), other=RemoteCredential("c1", same=True)),
    "a rotation is not finished": loja(
        remote(),
        **{"main": RemoteCredential("c1", same=True), "main@2": RemoteCredential("c2", same=False)},
    ),
    "its kind is switched off, and a bot is there": replace(
        loja(remote()), off={"openai": "OpenAI is switched off"}
    ),
    "a bot uses another credential": loja(remote(openaiCredsId="c9")),
    "a bot is of another kind": loja(replace(remote(), kind=KINDS["dify"])),
    "it could not be read": ObservedInstance("loja", problem="It is not there."),
    "its kind is switched off": replace(loja(), off={"openai": "OpenAI is switched off"}),
}


@pytest.mark.parametrize("why", NOT_SETTLED)
def test_others_are_not_settled(why: str) -> None:
    assert settle(LOJA, [MATRIZ], NOT_SETTLED[why], OPTIONS) is None
    assert at_a_glance(LOJA, [MATRIZ], NOT_SETTLED[why], OPTIONS) is None


STAMPED = "[gitops:ana]~1234abcd"
SEEN = RemoteSettings(True, {"openaiCredsId": "c1"})

AT_A_GLANCE = {
    "the very values": (LOJA, loja(remote())),
    "with a stamp": (LOJA, loja(remote(description=STAMPED))),
    "with a text of a person, which no manifest declares": (
        LOJA,
        loja(remote(description="Ana (night) [gitops:ana]~1234abcd.")),
    ),
    "with a declared text": (
        of_bot(description="Front desk"),
        loja(remote(description=f"Front desk {STAMPED}")),
    ),
    "that has the credential itself": (
        replace(MATRIZ, bots=(BOT,)),
        ObservedInstance("matriz", (remote(),), {"main": RemoteCredential("c1", same=True)}),
    ),
    "with a number and a list": (
        of_bot(expire=1, ignoreJids=("@g.us",)),
        loja(remote(expire=1, ignoreJids=("@g.us",))),
    ),
    "with a secret": (
        of_bot(functionUrl=Hidden("https://a.example/***", "https://a.example/s3cret")),
        loja(remote(functionUrl=Hidden("https://a.example/***", "https://a.example/s3cret"))),
    ),
}
"""Instances that are as they are declared, which is seen without a plan."""

PLANNED = {
    "null and empty are the same": (of_bot(unknownMessage=""), loja(remote())),
    "there is another bracket": (LOJA, loja(remote(description=f"Ana [night] {STAMPED}"))),
    "a field is not shown": (
        of_bot(expire=1),
        loja(replace(remote(), unseen=frozenset({"expire"}))),
    ),
    "drift replaces": (
        replace(LOJA, bots=(replace(LOJA.bots[0], on_drift="replace"),)),
        loja(remote()),
    ),
    "settings are declared": (
        replace(LOJA, settings={"openai": DesiredSettings({}, AT)}),
        loja(remote()),
    ),
    "settings were read": (LOJA, replace(loja(remote()), settings={"openai": SEEN})),
}
"""Instances that are as they are declared, which only a plan says."""


@pytest.mark.parametrize("case", AT_A_GLANCE)
def test_what_is_seen_at_a_glance(case: str) -> None:
    desired, seen = AT_A_GLANCE[case]
    owners = [MATRIZ] if desired.name != "matriz" else []
    found = at_a_glance(desired, owners, seen, OPTIONS)
    assert found is not None
    assert found == settle(desired, owners, seen, OPTIONS)


@pytest.mark.parametrize("case", PLANNED)
def test_what_a_glance_leaves_to_the_plan(case: str) -> None:
    desired, seen = PLANNED[case]
    assert at_a_glance(desired, [MATRIZ], seen, OPTIONS) is None
    assert settle(desired, [MATRIZ], seen, OPTIONS) is not None


def test_a_text_behind_the_marker_is_a_person_s() -> None:
    seen = loja(remote(description=f"Front desk {STAMPED} of the shop"))
    for found in (at_a_glance, settle):
        assert found(of_bot(description="Front desk"), [MATRIZ], seen, OPTIONS) is None


def test_one_marker_on_two_bots_is_no_second_bot() -> None:
    both = replace(LOJA, bots=(*LOJA.bots, replace(LOJA.bots[0], name="bia")))
    for found in (at_a_glance, settle):
        assert found(both, [MATRIZ], loja(remote(), remote("b2")), OPTIONS) is None


def test_without_bots_it_may_still_be_unread() -> None:
    empty = replace(LOJA, bots=())
    for seen in (ObservedInstance("loja"), ObservedInstance("loja", problem="It is not there.")):
        glanced, found = (each(empty, [], seen, OPTIONS) for each in (at_a_glance, settle))
        assert glanced == found
        assert (found is None) is (seen.problem is not None)


def test_what_is_not_seen_at_a_glance_alone() -> None:
    """A plan that replaces takes the settings, and a bot without a credential is none that a server makes."""
    assert at_a_glance(LOJA, [MATRIZ], loja(remote()), replace(OPTIONS, replace=True)) is None
    bare = replace(LOJA, bots=(replace(BOT, creds=None),))
    fields = {name: value for name, value in remote().fields.items() if name != "openaiCredsId"}
    assert at_a_glance(bare, [], loja(replace(remote(), fields=fields)), OPTIONS) is None


def test_a_number_is_no_switch() -> None:
    """In Python 1 == True."""
    assert at_a_glance(of_bot(expire=1), [MATRIZ], loja(remote(expire=True)), OPTIONS) is None


def test_a_secret_that_is_not_known_here_is_named() -> None:
    unknown = Hidden("!env URL", None, SecretRef("env", "URL"), "URL is not set")
    seen = loja(remote(functionUrl=unknown))
    assert at_a_glance(of_bot(functionUrl=unknown), [MATRIZ], seen, OPTIONS) is None


def test_an_instance_that_turns_out_to_be_mixed_up_with_another() -> None:
    desired = Desired((LOJA,), (MATRIZ,))
    left, drafts = settled(desired, Observed("", {"loja": loja(remote())}), OPTIONS)
    assert drafts
    [made] = make(desired, left.without({"loja": "Mixed up."}), OPTIONS, drafts).instances
    assert (made.problem, made.in_sync) == ("Mixed up.", 0)


def test_its_bots_are_named_where_they_use_what_another_instance_would_delete() -> None:
    """The matrix rotates its key, and a bot of another owner's instance uses the old one."""
    raw = replace(LOJA, bots=(DesiredBot("ana", {"triggerType": "none", "openaiCredsId": "c1"}, None, AT),))
    stored = {
        "main": RemoteCredential("c1", same=False, users=frozenset({"b1"})),
        "main@2": RemoteCredential("c2", same=True, users=frozenset()),
    }
    desired = Desired((raw, MATRIZ))
    seen = {
        "loja": replace(loja(remote()), shared_creds={}),
        "matriz": ObservedInstance("matriz", credentials=stored),
    }
    observed = Observed("", seen)
    made = make(desired, observed, OPTIONS)
    assert check(desired, observed, OPTIONS, made) == 1
    [change] = made.changes()
    assert change.verb is Verb.UNMANAGED
    assert "ana of the instance 'loja' (bot b1) uses it" in change.reason
