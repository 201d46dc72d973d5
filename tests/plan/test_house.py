"""Credentials, settings and bots of two instances at once, interrupted anywhere: it always comes to an end.

No call is refused, nobody is ever without a credential that exists, nothing cascades (house.py asserts both
at each call), and a plan after a whole run is empty but for what it reports.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
)
from reconciler.domain.kinds import Value
from reconciler.domain.plan import Plan, Verb
from reconciler.plan.planner import make
from tests.plan.builders import AT, bot, options_of, remote
from tests.plan.house import DOCUMENTED, House, Room, in_order
from tests.plan.toy import Toy
from tests.support import of_openai, often

NAMES = ("ana", "bia", "caio")
SECRETS = {"!env MAIN": "key-main", "!env SPARE": "key-spare"}
CREDENTIALS = tuple(DesiredCredential(name, SecretRef("env", name.upper()), AT) for name in ("main", "spare"))
VERSIONS = ("main", "main@2", "main@3", "spare", "spare@2", "other")


@st.composite
def declared_settings(draw: st.DrawFn, bots: list[DesiredBot]) -> DesiredSettings | None:
    if draw(st.booleans()):
        return None
    fields: dict[str, Value] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "expire": st.sampled_from((1, 300)),
                "speechToText": st.booleans(),
                "ignoreJids": st.sampled_from(((), ("a",), ("b", "a"))),
            },
        )
    )
    creds = draw(st.sampled_from((None, "main", "spare")))
    fallback = draw(st.sampled_from((None, "", *(bot.name for bot in bots))))
    return DesiredSettings(fields, AT, creds, fallback, merge_jids=draw(st.booleans()))


@st.composite
def bots_of(draw: st.DrawFn, creds_owner: str | None) -> list[DesiredBot]:
    bots = []
    for number, name in enumerate(draw(st.lists(st.sampled_from(NAMES), unique=True))):
        recreate = draw(st.integers(0, 3)) == 0
        one = bot(
            name, f"a{number}", creds=draw(st.sampled_from(("main", "spare"))), replace=recreate, expire=1
        )
        bots.append(replace(one, creds_owner=creds_owner))
    return bots


@st.composite
def rooms(draw: st.DrawFn, ids: list[str], prefix: str, *, row: str | None) -> Room:
    bots = []
    owners = ("", "[gitops:{0}]", "[gitops:{0}]", "[other:{0}]~01234567")
    for number in range(draw(st.integers(0, 4))):
        marker = draw(st.sampled_from(owners)).format(draw(st.sampled_from(NAMES)))
        creds, expire = draw(st.sampled_from(ids)), draw(st.integers(1, 2))
        key = f"a{draw(st.integers(0, 4))}"
        bots.append(remote(f"{prefix}{number}", key, "none", marker, openaiCredsId=creds, expire=expire))
    jids = draw(st.sampled_from(((), ("b",), ("c", "a"))))
    settings = None if row is None else {**DOCUMENTED, "openaiCredsId": row, "ignoreJids": jids}
    fallback = draw(st.sampled_from((None, *(bot.id for bot in bots)))) if settings else None
    return Room(bots=Toy(bots), row=settings, fallback=fallback)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Desired, House]:
    own = draw(bots_of(None))
    shared_creds = draw(bots_of("matriz"))
    matriz = DesiredInstance("matriz", tuple(own), AT, CREDENTIALS, of_openai(draw(declared_settings(own))))
    loja = DesiredInstance("loja", tuple(shared_creds), AT)
    keys = draw(st.permutations(["key-main", "k1", "k2", "key-spare", "k3", "k4"]))
    # A key is in a version of its own name or nowhere: one elsewhere is a clash, which fetch finds out.
    there = {
        name: key
        for name, key in zip(VERSIONS, keys, strict=True)
        if draw(st.booleans()) and (not key.startswith("key-") or key == f"key-{name.partition('@')[0]}")
    }
    there["shop"] = "k9"
    ids = [f"id-{name}" for name in there]
    rows = draw(st.permutations([*ids, "id-loja"]))
    house = House(
        {
            "matriz": draw(
                rooms(ids, "m", row=draw(st.sampled_from((None, *(r for r in rows[:1] if r in ids)))))
            ),
            "loja": draw(rooms(ids, "l", row="id-loja")),
        },
        SECRETS,
    )
    house.rooms["matriz"].credentials = {name: (f"id-{name}", key) for name, key in there.items()}
    house.rooms["loja"].credentials = {"of-loja": ("id-loja", "k10")}
    return Desired((loja, matriz)), house


KEYS = {("matriz", "main"): "key-main", ("matriz", "spare"): "key-spare"}


def planned(desired: Desired, house: House) -> Plan:
    options = options_of(prune=True, max_deletes=99, max_delete_share=100)
    return make(desired, house.observed(desired, KEYS), options)


@settings(max_examples=often(400), deadline=None)
@given(worlds(), st.lists(st.integers(0, 12), max_size=3))
def test_a_plan_that_is_interrupted_is_finished_by_the_next(
    world: tuple[Desired, House], stops: list[int]
) -> None:
    desired, house = world
    for stop in stops:
        house.run(in_order(planned(desired, house))[:stop])
    house.run(in_order(planned(desired, house)))
    made = planned(desired, house)
    assert not made.writes
    # An orphan that is to move stays where it is until it can be created there.
    assert {change.verb for change in made.changes()} <= {Verb.CONFLICT, Verb.UNMANAGED, Verb.ORPHAN}


@settings(max_examples=often(150), deadline=None)
@given(worlds())
def test_a_whole_plan_leaves_nothing_of_the_old(world: tuple[Desired, House]) -> None:
    """What is left of an old version is used by a bot that is not ours to move."""
    desired, house = world
    house.run(in_order(planned(desired, house)))
    seen = house.observed(desired, KEYS).instances["matriz"].credentials or {}
    for name in ("main", "spare"):
        versions = {each: c for each, c in seen.items() if each.partition("@")[0] == name}
        if any(c.same for c in versions.values()):
            assert all(c.same or c.users for c in versions.values())


@settings(max_examples=often(150), deadline=None)
@given(worlds(), st.integers(0, 12))
def test_what_was_reviewed_is_made_wherever_it_was_interrupted(
    world: tuple[Desired, House], stop: int
) -> None:
    desired, house = world
    first = planned(desired, house)
    reviewed = frozenset(change.digest for change in first.changes())
    house.run(in_order(first)[:stop])
    options = options_of(prune=True, max_deletes=99, max_delete_share=100, reviewed=reviewed)
    again = make(desired, house.observed(desired, KEYS), options)
    held = [change for change in again.changes() if change.verb is Verb.BLOCKED]
    halfway = {step.bot for _, step in in_order(first)[:stop]}
    assert {change.label for change in held} <= halfway
