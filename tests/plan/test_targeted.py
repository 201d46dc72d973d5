"""`--target`: which changes are of the chosen bots, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
)
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed, ObservedInstance, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Verb
from reconciler.plan import targeted
from reconciler.plan.options import Options, Review
from reconciler.plan.targeted import Targets
from tests.plan.builders import AT, bot


def chosen(*texts: str, names: tuple[tuple[str, str], ...] = ()) -> Targets:
    return Targets(targeted.parse(texts), frozenset(names))


def change(verb: Verb, name: str = "ana", where: str = "loja", **others: Any) -> Change:
    return Change(where, name, verb, "why", **others)


NEEDED = (Verb.CREATE, Verb.CONFLICT)
ANA = chosen("ana@loja", names=(("loja", "main"),))


@pytest.mark.parametrize(
    ("mine", "has"),
    [
        (change(Verb.UPDATE), True),
        (change(Verb.UPDATE, "bia"), False),
        (change(Verb.UPDATE, where="filial"), False),
        (change(Verb.UNMANAGED, "", ids=("ana",)), True),  # a bot that has no name is called by its id
        (change(Verb.UNMANAGED, "", ids=("i1",)), False),
        (change(Verb.UNMANAGED, ""), False),
        (change(Verb.MOVE, where="filial", other="loja"), True),
        (change(Verb.DELETE, where="loja", other="filial"), True),
        (change(Verb.MOVE, where="filial", other="café"), False),
        (change(Verb.MOVE, "bia", where="filial", other="loja"), False),
        (change(Verb.CREATE, "main", of=Of.CREDENTIAL), True),
        (change(Verb.CONFLICT, "main", of=Of.CREDENTIAL), True),
        *(
            (change(verb, "main", of=Of.CREDENTIAL), False)
            for verb in set(Verb) - {Verb.CREATE, Verb.CONFLICT}
        ),
        (change(Verb.CREATE, "other", of=Of.CREDENTIAL), False),
        (change(Verb.CREATE, "main", "filial", of=Of.CREDENTIAL), False),
        *((change(verb, "", of=Of.SETTINGS), True) for verb in Verb if verb is not Verb.FORGET),
        (change(Verb.FORGET, "", of=Of.SETTINGS), False),
    ],
)
def test_which_changes_are_of_what_is_chosen(mine: Change, has: bool) -> None:
    assert ANA.have(mine) is has


@pytest.mark.parametrize(
    ("texts", "bots"),
    [
        (["ana@loja"], [("ana", "loja")]),
        (["a*@loja"], [("ana", "loja")]),
        (["ana@*"], [("ana", "filial"), ("ana", "loja")]),
        (["ana@loja", "bia@filial"], [("ana", "loja"), ("bia", "filial")]),
        (["*@*"], [("ana", "filial"), ("ana", "loja"), ("bia", "filial"), ("bia", "loja")]),
        (["caio@loja"], []),
    ],
)
def test_which_bots_are_chosen(texts: list[str], bots: list[tuple[str, str]]) -> None:
    every = [(name, where) for name in ("ana", "bia") for where in ("filial", "loja")]
    assert sorted(each for each in every if chosen(*texts).match(*each)) == sorted(bots)
    for where in ("filial", "loja"):
        declared = DesiredInstance(where, (bot("ana", "x"), bot("bia", "y")), AT)
        assert chosen(*texts).have_any(declared) is any(where == each for _, each in bots)


@pytest.mark.parametrize("texts", [["id:i1@loja"], ["ana@loja", "id:i1@loja"]])
def test_a_bot_is_not_chosen_by_its_id(texts: list[str]) -> None:
    with pytest.raises(ReconcilerError, match="'id:i1@loja' names a bot by its id: write BOT@INSTANCE"):
        targeted.parse(texts)


def test_the_credentials_that_chosen_bots_name() -> None:
    shares = DesiredBot("ana", {}, "shared", AT, creds_owner="matriz")
    loja = DesiredInstance("loja", (bot("ana", "x", creds="main"), bot("bia", "y", creds="other")), AT)
    filial = DesiredInstance("filial", (shares, bot("caio", "z")), AT)
    before = DesiredInstance("loja", (bot("ana", "x", creds="old"),), AT)
    addresses = targeted.parse(["ana@*", "caio@*"])
    found = targeted.targets(addresses, [Desired((loja, filial)), Desired((before,))])
    names = {("loja", "main"), ("matriz", "shared"), ("loja", "old")}
    assert found == Targets(addresses, frozenset(names))


# -- what is compared -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "target", "kept"),
    [
        (RemoteSettings(False, {}), "ana@loja", True),
        (RemoteSettings(False, {}), "bia@loja", False),
        (RemoteSettings(True, {}), "ana@loja", False),
        (None, "ana@loja", False),
    ],
)
def test_settings_are_planned_only_where_a_chosen_bot_needs_them(
    row: RemoteSettings | None, target: str, kept: bool
) -> None:
    loja = DesiredInstance("loja", (bot("ana", "x"),), AT, settings={"openai": DesiredSettings({}, AT)})
    observed = Observed(
        "s", {"loja": ObservedInstance("loja", settings={} if row is None else {"openai": row})}
    )
    [found] = targeted.with_needed_settings(Desired((loja,)), observed, chosen(target)).instances
    assert bool(found.settings) is kept
    assert found.bots == loja.bots
    [unseen] = targeted.with_needed_settings(Desired((loja,)), Observed("s", {}), chosen(target)).instances
    assert unseen.settings == {}


def test_no_key_is_compared() -> None:
    there = {"main": RemoteCredential("c1", False, frozenset({"i1"})), "other": RemoteCredential("c2", True)}
    seen = ObservedInstance(
        "loja",
        credentials=there,
        shared_creds={"matriz": there},
        clashes={"main": "its key is there", "new": "its name is there", "other": "its key is there"},
    )
    filial = ObservedInstance("filial")
    found = targeted.without_keys(Observed("s", {"loja": seen, "filial": filial}, version="2"))
    unknown = {"main": RemoteCredential("c1", None, frozenset({"i1"})), "other": RemoteCredential("c2")}
    assert found == Observed(
        "s",
        {
            "loja": ObservedInstance(
                "loja",
                credentials=unknown,
                shared_creds={"matriz": unknown},
                clashes={"new": "its name is there"},
            ),
            "filial": filial,
        },
        version="2",
    )
    clash = ObservedInstance("loja", clashes={"main": "its name is there"})
    assert targeted.without_keys(Observed("s", {"loja": clash})).instances["loja"] == clash


# -- addresses that no bot has ----------------------------------------------------------------

LOJA = DesiredInstance("loja", (bot("ana", "x"), bot("bia", "y")), AT)
EVERY = Desired((LOJA, DesiredInstance("filial", (), AT)))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["ana@loja", "bia@*"], ""),
        (["orphan@filial"], ""),
        (["i9@filial"], ""),
        (["ana@filial"], "no bot matches 'ana@filial' (did you mean 'ana@loja'?)."),
        (["bia@loja", "anna@loja"], "no bot matches 'anna@loja' (did you mean 'ana@loja'?)."),
        (["main@filial"], "no bot matches 'main@filial'."),
        (["credential main@filial"], "no bot matches 'credential main@filial'."),
    ],
)
def test_an_address_that_no_bot_has(targets: list[str], message: str) -> None:
    there = [
        change(Verb.ORPHAN, "orphan", "filial"),
        change(Verb.UNMANAGED, "", "filial", ids=("i9",)),
        change(Verb.CREATE, "main", "filial", of=Of.CREDENTIAL),
    ]
    plan = Plan("s", "gitops", (InstancePlan("filial", tuple(there)),))
    if not message:
        targeted.check(chosen(*targets), EVERY, plan)
        return
    with pytest.raises(ReconcilerError) as raised:
        targeted.check(chosen(*targets), EVERY, plan)
    assert str(raised.value) == message


# -- what is left of a plan -------------------------------------------------------------------

NOTE = (
    " and what it needs was looked at: other bots and settings were not, and keys of credentials were not "
    "compared"
)


@pytest.mark.parametrize(
    ("targets", "note"),
    [
        (["ana@loja"], "only ana@loja"),
        (["ana@loja", "bia@loja", "caio@*"], "only ana@loja, bia@loja, caio@*"),
        (["ana@loja", "bia@loja", "caio@*", "d@*"], "only ana@loja, bia@loja, caio@*, …"),
        (["ana@loja", "bia@loja", "caio@*", "d@*", "e@*"], "only ana@loja, bia@loja, caio@*, …"),
    ],
)
def test_a_note_says_what_was_looked_at(targets: list[str], note: str) -> None:
    plan = Plan("s", "gitops", (), notes=("another",))
    assert targeted.only(plan, EVERY, chosen(*targets)).notes == (note + NOTE, "another")


@pytest.mark.parametrize(
    ("planned", "kept"),
    [
        (InstancePlan("loja"), True),
        (InstancePlan("filial"), False),
        (InstancePlan("filial", problem="down"), True),
        (InstancePlan("filial", (change(Verb.UPDATE, where="filial"),)), True),
        (InstancePlan("filial", (change(Verb.UPDATE, "bia", where="filial"),)), False),
        (InstancePlan("other"), False),
        (InstancePlan("other", (change(Verb.ORPHAN, where="other"),)), True),
        (InstancePlan("other", (change(Verb.ORPHAN, "bia", where="other"),)), False),
    ],
)
def test_which_instances_are_left(planned: InstancePlan, kept: bool) -> None:
    filial = DesiredInstance("filial", (bot("bia", "x"),), AT)
    every = Desired((LOJA, filial))
    found = targeted.only(Plan("s", "gitops", (planned,)), every, chosen("ana@*"))
    assert [one.name for one in found.instances] == ([planned.name] if kept else [])


BOTS = (
    bot("ana", "x", creds="main"),
    bot("bia", "y", creds="bia"),
    bot("caio", "z", enabled=False),
    bot("dora", "w", creds="other"),
)
CREDENTIALS: Mapping[str, Any] = {"main": "present", "bia": "present", "other": "different"}
UNVERIFIED = {"main": "not set", "other": "not set", "apiUrl of ana": "not set", "apiUrl of dora": "not set"}


@pytest.mark.parametrize(
    ("planned", "target", "in_sync", "answering", "shown", "unverified"),
    [
        ((), "ana@loja", 1, 3, {"main"}, {"main", "apiUrl of ana"}),
        ((), "*@loja", 4, 3, set(CREDENTIALS), set(UNVERIFIED)),
        ((), "bia@loja", 1, 3, {"bia"}, set()),
        ((), "caio@loja", 1, 3, set(), set()),
        # A credential that is called as the bot is another thing than the bot.
        ((change(Verb.CREATE, "bia", of=Of.CREDENTIAL),), "bia@loja", 1, 3, {"bia"}, set()),
        ((change(Verb.UPDATE),), "ana@loja", 0, 2, {"main"}, {"main", "apiUrl of ana"}),
        ((change(Verb.UPDATE, "bia"),), "ana@loja", 1, 3, {"main"}, {"main", "apiUrl of ana"}),
        (
            (change(Verb.UPDATE), change(Verb.UPDATE, "bia")),
            "*@loja",
            2,
            1,
            set(CREDENTIALS),
            set(UNVERIFIED),
        ),
        (
            (change(Verb.CREATE, "main", of=Of.CREDENTIAL),),
            "ana@loja",
            1,
            3,
            {"main"},
            {"main", "apiUrl of ana"},
        ),
    ],
)
def test_what_is_left_of_an_instance(
    planned: tuple[Change, ...],
    target: str,
    in_sync: int,
    answering: int,
    shown: set[str],
    unverified: set[str],
) -> None:
    loja = DesiredInstance("loja", BOTS, AT, (DesiredCredential("main", SecretRef("env", "KEY"), AT),))
    named = targeted.targets(targeted.parse([target]), [Desired((loja,))])
    named = Targets(named.addresses, named.credentials | {("filial", "other")})
    plan = Plan(
        "s",
        "gitops",
        (InstancePlan("loja", planned, in_sync=7, credentials=CREDENTIALS, unverified=UNVERIFIED),),
    )
    [found] = targeted.only(plan, Desired((loja,)), named).instances
    assert found == InstancePlan(
        "loja",
        tuple(each for each in planned if named.have(each)),
        in_sync=in_sync,
        credentials={name: CREDENTIALS[name] for name in shown},
        unverified={name: UNVERIFIED[name] for name in unverified},
    )
    assert found.answering == answering


def test_of_an_instance_that_cannot_be_read_nothing_is_in_sync() -> None:
    plan = Plan("s", "gitops", (InstancePlan("loja", problem="down", in_sync=7),))
    [found] = targeted.only(plan, EVERY, chosen("ana@loja")).instances
    assert (found.in_sync, found.problem) == (0, "down")


def test_of_an_instance_that_nothing_declares_the_rest_stays_as_it_is() -> None:
    mine = change(Verb.ORPHAN, where="other")
    planned = InstancePlan("other", (mine, change(Verb.ORPHAN, "bia", "other")), in_sync=7)
    [found] = targeted.only(Plan("s", "gitops", (planned,)), EVERY, chosen("ana@*")).instances
    assert found == InstancePlan("other", (mine,), in_sync=7)


# -- what may be made -------------------------------------------------------------------------


@pytest.mark.parametrize("reviewed", [None, True, False])
@pytest.mark.parametrize("mine", [change(Verb.UPDATE), change(Verb.UPDATE, "bia")])
def test_what_is_not_chosen_is_not_made_whatever_was_reviewed(mine: Change, reviewed: bool | None) -> None:
    review = None if reviewed is None else Review(frozenset({mine.digest} if reviewed else ()))
    options = Options(review=review, targets=ANA)
    assert options.may_make(mine) is (mine.bot == "ana" and reviewed is not False)
    blocked = mine.bot == "ana" and review is not None
    assert options.not_made(mine).verb is (Verb.BLOCKED if blocked else Verb.BEFORE)
    reason = f"{'nobody reviewed this ' if blocked else ''}update: why"
    assert options.not_made(mine).reason == reason
    assert Options(review=review).may_make(mine) is (reviewed is not False)
