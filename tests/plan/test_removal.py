"""What nothing declares any more: why it is kept, what goes, and bots that go to another instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    Fields,
    Former,
    SecretRef,
)
from reconciler.domain.kinds import OPENAI
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Call, Of, Plan, Prune, Step, Verb
from reconciler.plan import moves, removal
from reconciler.plan.matching import match
from reconciler.plan.moves import Moves
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from tests.plan.builders import AT, bot, remote

# -- why it is kept ---------------------------------------------------------------------------

REVIEWED = "prune is `reviewed`: save a plan with --out and apply that, or pass --prune always"


def foreign(instance: str) -> str:
    return f"{instance} is another's"


@pytest.mark.parametrize(
    ("options", "declared", "why"),
    [
        (Options(prune=Prune.NEVER), True, "prune is `never`"),
        (Options(prune=Prune.NEVER, foreign=foreign), False, "prune is `never`"),
        (Options(prune=Prune.ALWAYS), True, ""),
        (Options(prune=Prune.ALWAYS, unseen=True), True, ""),
        (Options(prune=Prune.ALWAYS), False, ""),
        (Options(prune=Prune.ALWAYS, foreign=foreign), True, ""),
        (Options(prune=Prune.ALWAYS, foreign=foreign), False, "loja is another's"),
        (Options(prune=Prune.REVIEWED), True, ""),
        (Options(prune=Prune.REVIEWED), False, ""),
        (Options(prune=Prune.REVIEWED, unseen=True), True, REVIEWED),
        (Options(prune=Prune.REVIEWED, unseen=True), False, REVIEWED),
        (Options(prune=Prune.REVIEWED, unseen=True, foreign=foreign), False, "loja is another's"),
    ],
)
def test_why_what_nothing_declares_is_kept(options: Options, declared: bool, why: str) -> None:
    assert removal.kept(options, "loja", declared=declared) == why


def test_the_commit_that_took_it_out_is_named() -> None:
    assert removal.undeclared(Options(), "loja") == "nothing declares it any more"
    known = Options(commit=lambda name: f"of {name}")
    assert removal.undeclared(known, "loja") == "nothing declares it any more (commit of loja)"


# -- settings that go back to their defaults --------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "former", "fields", "fallback"),
    [
        ({}, {"expire"}, {"expire": OPENAI.settings["expire"].default}, None),
        ({"expire": 9}, {"expire"}, {"expire": 9}, None),
        ({"expire": 9}, {"keepOpen"}, {"expire": 9, "keepOpen": False}, None),
        ({"expire": 9}, {"no such field"}, {"expire": 9}, None),
        ({"expire": 9}, {"fallbackId"}, {"expire": 9}, ""),
        ({"expire": 9}, set(), {"expire": 9}, None),
    ],
)
def test_settings_go_back_to_their_defaults(
    settings: Fields, former: set[str], fields: Fields, fallback: str | None
) -> None:
    desired = DesiredInstance("loja", (), AT, settings={"openai": DesiredSettings(settings, AT)})
    found = removal.with_former(desired, Former(settings={"openai": frozenset(former)}), OPENAI)
    assert found == DesiredInstance(
        "loja", (), AT, settings={"openai": DesiredSettings(fields, AT, fallback=fallback)}
    )


def test_a_fallback_that_is_declared_stays() -> None:
    desired = DesiredInstance("loja", (), AT, settings={"openai": DesiredSettings({}, AT, fallback="ana")})
    assert (
        removal.with_former(desired, Former(settings={"openai": frozenset({"fallbackId"})}), OPENAI)
        == desired
    )


def test_settings_that_are_not_declared_at_all_stay() -> None:
    desired = DesiredInstance("loja", (), AT)
    assert removal.with_former(desired, Former(settings={"openai": frozenset({"expire"})}), OPENAI) is desired


# -- credentials ------------------------------------------------------------------------------


def planned(
    there: Mapping[str, RemoteCredential] | None,
    *,
    former: Iterable[str] = ("main",),
    bots: tuple[RemoteBot, ...] = (),
    desired: tuple[DesiredBot, ...] = (),
    credentials: tuple[str, ...] = (),
    uses: str = "other",
    **options: Any,
) -> Plan:
    """The plan of loja, which declared these credentials before. uses: the credential of its settings."""
    own = tuple(DesiredCredential(name, SecretRef("env", "KEY"), AT) for name in credentials)
    fields: Fields = {"openaiCredsId": uses} if uses else {}
    return make(
        Desired(
            (DesiredInstance("loja", desired, AT, own),),
            former={"loja": Former(credentials=frozenset(former))},
        ),
        Observed(
            "s",
            {"loja": ObservedInstance("loja", bots, there, {"openai": RemoteSettings(bool(uses), fields)})},
        ),
        Options(**{"prune": Prune.ALWAYS, "max_deletes": None, **options}),
    )


def of_credentials(plan: Plan) -> list[tuple[Verb, str, str, tuple[str, ...]]]:
    return [(c.verb, c.bot, c.reason, c.ids) for c in plan.changes() if c.of is Of.CREDENTIAL]


GONE = "nothing declares it any more"
UNUSED = RemoteCredential("c1", users=frozenset())
MINE = remote("i1", "x", description="[gitops:ana]", openaiCredsId="c1")
STRANGER = remote("i2", "y", openaiCredsId="c1")


@pytest.mark.parametrize(
    ("there", "others", "verb", "why"),
    [
        ({"main": UNUSED}, {}, Verb.DELETE, ""),
        ({"main": UNUSED}, {"uses": ""}, Verb.DELETE, ""),
        ({"main": UNUSED}, {"prune": Prune.NEVER}, Verb.ORPHAN, "prune is `never`"),
        ({"main": UNUSED}, {"uses": "c1"}, Verb.ORPHAN, "the instance's settings use it"),
        ({"main": UNUSED}, {"uses": "c1", "prune": Prune.NEVER}, Verb.ORPHAN, "prune is `never`"),
        (
            {"main": RemoteCredential("c1")},
            {},
            Verb.ORPHAN,
            "the server does not say reliably which bots use it",
        ),
        (
            {"main": RemoteCredential("c1")},
            {"uses": "c1"},
            Verb.ORPHAN,
            "the instance's settings use it",
        ),
        (
            {"main": RemoteCredential("c1", users=frozenset({"i2"}))},
            {"bots": (STRANGER,)},
            Verb.ORPHAN,
            "bot i2 uses it",
        ),
        ({"main": RemoteCredential("c1", users=frozenset({"i1"}))}, {"bots": (MINE,)}, Verb.DELETE, ""),
        (
            {"main": UNUSED},
            {"bots": (MINE,), "desired": (bot("ana", "x", openaiCredsId="c1"),)},
            Verb.ORPHAN,
            "a manifest names it by its id",
        ),
    ],
)
def test_a_credential_that_is_not_declared_any_more(
    there: dict[str, RemoteCredential], others: dict[str, Any], verb: Verb, why: str
) -> None:
    made = planned(there, **others)
    reason = f"{GONE}; it is kept, as {why}" if why else GONE
    assert of_credentials(made) == [(verb, "main", reason, ("c1",))]
    steps = [step for step in made.instances[0].steps if step.call is Call.OLD_CREDENTIAL]
    gone = [Step(Call.OLD_CREDENTIAL, "credential main", "c1", {"name": "main"})]
    assert steps == (gone if verb is Verb.DELETE else [])


def test_all_versions_of_a_credential_go_together_or_not_at_all() -> None:
    second = RemoteCredential("c2", users=frozenset())
    there = {"main": UNUSED, "main@2": second, "mainly": RemoteCredential("c3")}
    made = planned(there)
    assert of_credentials(made) == [(Verb.DELETE, "main", GONE, ("c1", "c2"))]
    assert [(step.id, step.body) for step in made.instances[0].steps] == [
        ("c1", {"name": "main"}),
        ("c2", {"name": "main@2"}),
    ]
    for uses in ("c1", "c2"):
        kept = f"{GONE}; it is kept, as the instance's settings use it"
        assert of_credentials(planned(there, uses=uses)) == [(Verb.ORPHAN, "main", kept, ("c1", "c2"))]
    for used in ("main", "main@2"):
        some = {
            name: replace(one, users=frozenset({"i2"} if name == used else ())) for name, one in there.items()
        }
        kept = f"{GONE}; it is kept, as bot i2 uses it"
        found = of_credentials(planned(some, bots=(STRANGER,)))
        assert found == [(Verb.ORPHAN, "main", kept, ("c1", "c2"))]


@pytest.mark.parametrize(
    ("there", "others"),
    [
        (None, {}),
        ({}, {}),
        ({"other": UNUSED}, {}),
        ({"main": UNUSED}, {"former": ()}),
        ({"main": UNUSED}, {"credentials": ("main",)}),
    ],
)
def test_no_credential_to_be_deleted(
    there: dict[str, RemoteCredential] | None, others: dict[str, Any]
) -> None:
    assert Verb.DELETE not in {verb for verb, *_ in of_credentials(planned(there, **others))}


def test_credentials_are_reported_by_name() -> None:
    names = [f"n{number}" for number in range(9)]
    there = {name: RemoteCredential(name, users=frozenset()) for name in reversed(names)}
    assert [name for _, name, *_ in of_credentials(planned(there, former=names))] == names


# -- moves ------------------------------------------------------------------------------------


def there(name: str, its_key: str = "x", **others: Any) -> RemoteBot:
    """A bot with our marker; its id is its name."""
    return remote(name, its_key, description=f"[gitops:{name}]", **others)


World = Mapping[str, tuple[tuple[DesiredBot, ...], tuple[RemoteBot, ...]]]
ANA: World = {"a": ((), (there("ana"),)), "b": ((bot("ana", "x"),), ())}
A_TO_B = {"a": Moves(leaving={"ana": "b"}), "b": Moves(arriving={"ana": "a"})}


@pytest.mark.parametrize(
    ("world", "kept", "found"),
    [
        (ANA, {}, A_TO_B),
        (ANA, {"a": "", "b": "prune is `never`"}, A_TO_B),
        (ANA, {"a": "prune is `never`"}, {}),
        ({"a": ANA["a"]}, {}, {}),
        ({"b": ANA["b"]}, {}, {}),
        ({**ANA, "b": ((bot("bia", "x"),), ())}, {}, {}),
        ({**ANA, "b": ((bot("ana", "x"),), (there("ana"),))}, {}, {}),
        ({**ANA, "b": ((bot("ana", "x"),), (remote("i1", "x"),))}, {}, {}),  # it adopts one that is there
        (
            {**ANA, "b": ((bot("ana", "x"),), (remote("i1", "x"), remote("i2", "x")))},
            {},
            {},
        ),  # a conflict: which of two it adopts
        ({**ANA, "c": ANA["b"]}, {}, {}),  # two lack it
        ({**ANA, "c": ANA["a"]}, {}, {}),  # two have it
        ({"a": ((bot("bia", "x"),), (there("ana"),)), "b": ANA["b"]}, {}, {}),  # bia needs what it holds
        ({"a": ((bot("bia", "y"),), (there("ana"),)), "b": ANA["b"]}, {}, A_TO_B),
        (
            {"a": ((bot("bia", "y", "all"),), (there("ana", triggerType="all"),)), "b": ANA["b"]},
            {},
            {},
        ),
        (
            {
                "a": ((bot("bia", "y", "all"),), (there("ana", triggerType="all", enabled=False),)),
                "b": ANA["b"],
            },
            {},
            A_TO_B,
        ),
        (
            {
                "a": (
                    (bot("bia", "y", "equals:1"),),
                    (there("ana", triggerValue="1", triggerOperator="equals"),),
                ),
                "b": ANA["b"],
            },
            {},
            {},
        ),
        (
            {"a": ((bot("bia", "y"), bot("caio", "x")), (there("ana"),)), "b": ANA["b"]},
            {},
            {},
        ),
        (
            {
                "a": ((bot("caio", "z"),), (there("ana"), there("bia", "y"))),
                "b": ((bot("ana", "x"), bot("bia", "y")), (there("caio", "z"),)),
            },
            {},
            {
                "a": Moves({"caio": "b"}, {"ana": "b", "bia": "b"}),
                "b": Moves({"ana": "a", "bia": "a"}, {"caio": "a"}),
            },
        ),
        (
            {"a": ANA["a"], "b": ((bot("ana", "x"), bot("bia", "y")), ())},
            {},
            A_TO_B,
        ),
    ],
)
def test_which_bots_move(world: World, kept: dict[str, str], found: dict[str, Moves]) -> None:
    instances = {}
    for name, (bots, remotes) in world.items():
        desired = DesiredInstance(name, bots, AT)
        instances[name, "openai"] = desired, match(desired, remotes, "gitops", OPENAI)
    assert moves.find(instances, kept) == {(name, "openai"): each for name, each in found.items()}


def test_bots_that_are_not_created_wait_where_they_are() -> None:
    every = Moves({"eva": "c"}, {"ana": "b", "bia": "b"})
    assert every.without({"ana"}) == Moves(
        {"eva": "c"}, {"bia": "b"}, waiting={"ana": "it is to move to b, and is not created there"}
    )
    assert every.without(()) == every


def whole(world: World) -> Plan:
    """The plan of these instances."""
    return make(
        Desired(tuple(DesiredInstance(name, bots, AT) for name, (bots, _) in world.items())),
        Observed("s", {name: ObservedInstance(name, remotes, {}) for name, (_, remotes) in world.items()}),
        Options(prune=Prune.ALWAYS, max_deletes=None),
    )


def said(made: Plan) -> list[tuple[str, str, str, str]]:
    """What a plan says: verb, bot@instance, the other instance, reason."""
    return [(str(c.verb), f"{c.bot}@{c.instance}", c.other, c.reason) for c in made.changes()]


def test_what_is_said_of_a_move() -> None:
    assert said(whole(ANA)) == [
        ("delete", "ana@a", "b", "it moves to b, and goes when it was created there"),
        ("move", "ana@b", "a", "it moves here from a: its open sessions there are lost"),
    ]


def test_what_is_said_of_a_bot_that_should_move_and_is_not_created_there() -> None:
    world = {**ANA, "b": ((bot("ana", "x", "all"), bot("bia", "y", "all")), ())}
    made = whole(world)
    assert made.instances[0].steps == ()
    assert [row for row in said(made) if row[1] == "ana@a"] == [
        (
            "orphan",
            "ana@a",
            "",
            f"{GONE}; it is kept, as it is to move to b, and is not created there",
        )
    ]


def test_a_bot_whose_place_another_needs_is_deleted_and_created() -> None:
    world = {"a": ((bot("bia", "x"),), (there("ana"),)), "b": ANA["b"]}
    assert said(whole(world)) == [
        ("create", "bia@a", "", "it is missing on the server"),
        ("delete", "ana@a", "", GONE),
        ("create", "ana@b", "", "it is missing on the server"),
    ]
