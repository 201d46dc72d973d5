"""Rotations of credentials: what is planned, from every state that one can be left in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredCredential, DesiredInstance, SecretRef
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, Of, Plan, Verb
from reconciler.plan.planner import make
from tests.plan.builders import AT, bot, options_of, remote
from tests.plan.house import DOCUMENTED, House, Room, in_order
from tests.plan.toy import Toy

# -- a shop that owns a credential, and one that uses it too --------------------------------------

REF = SecretRef("env", "OPENAI_KEY")
MAIN = DesiredCredential("main", REF, AT)


def named_bot(name: str, key: str, creds: str = "main", creds_owner: str | None = None) -> DesiredBot:
    return replace(bot(name, key, creds=creds), creds_owner=creds_owner)


MATRIZ = DesiredInstance("matriz", (named_bot("ana", "a1"), named_bot("bia", "a2")), AT, (MAIN,))
LOJA = DesiredInstance("loja", (named_bot("caio", "a3", creds_owner="matriz"),), AT)
BOTH = Desired((MATRIZ, LOJA))


@dataclass(frozen=True)
class State:
    """A server. credentials: name and key. The rest: which one they use. unmanaged: of a bot not ours."""

    credentials: str
    ana: str
    bia: str
    caio: str
    row: str
    unmanaged: str = ""

    def house(self) -> House:
        pairs = [each.split(":") for each in self.credentials.split()]
        ids = {name: (f"id-{name}", key) for name, key in pairs}
        own = [
            remote("b-ana", "a1", "none", "[gitops:ana]", openaiCredsId=f"id-{self.ana}"),
            remote("b-bia", "a2", "none", "[gitops:bia]", openaiCredsId=f"id-{self.bia}"),
        ]
        shared = [remote("b-caio", "a3", "none", "[gitops:caio]", openaiCredsId=f"id-{self.caio}")]
        if self.unmanaged:
            shared.append(remote("b-eva", "a9", "none", "a human's", openaiCredsId=f"id-{self.unmanaged}"))
        row = {**DOCUMENTED, "openaiCredsId": f"id-{self.row}"}
        rooms = {"matriz": Room(ids, Toy(own), row), "loja": Room(bots=Toy(shared))}
        return House(rooms, {str(REF): "new"})


def planned(house: House, desired: Desired = BOTH, key: str | None = "new", **options: object) -> Plan:
    keys = {} if key is None else {("matriz", "main"): key}
    return make(desired, house.observed(desired, keys), options_of(**options))  # type: ignore[arg-type]  # by name


def calls_of(plan: Plan) -> list[str]:
    """The calls in apply's order, in short."""
    lines = []
    for name, step in in_order(plan):
        target = step.body.get("openaiCredsId") or step.body.get("name") or ""
        lines.append(f"{name}: {step.call} {step.id or ''} {target}".replace("  ", " ").strip())
    return lines


WHOLE = [
    "matriz: new credential main@2",
    "loja: move b-caio new credential main@2",
    "matriz: settings new credential main@2",
    "matriz: move b-ana new credential main@2",
    "matriz: move b-bia new credential main@2",
    "matriz: old credential id-main main",
]


def after(done: int) -> list[str]:
    """What is left when so many of the calls are made."""
    return [line.replace("new credential main@2", "id-main@2") for line in WHOLE[done:]]


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        (State("main:old", "main", "main", "main", "main"), WHOLE),
        (State("main:old main@2:new", "main", "main", "main", "main"), after(1)),
        (State("main:old main@2:new", "main", "main", "main@2", "main"), after(2)),
        (State("main:old main@2:new", "main", "main", "main@2", "main@2"), after(3)),
        (State("main:old main@2:new", "main@2", "main", "main@2", "main@2"), after(4)),
        (State("main:old main@2:new", "main@2", "main@2", "main@2", "main@2"), after(5)),
        (State("main@2:new", "main@2", "main@2", "main@2", "main@2"), []),
        # in other orders, as instances run side by side
        (State("main:old main@2:new", "main", "main@2", "main@2", "main@2"), [after(3)[0], after(5)[0]]),
        (State("main:old main@2:new", "main@2", "main@2", "main", "main@2"), [after(1)[0], after(5)[0]]),
    ],
)
def test_the_rest_of_a_rotation_is_read_off_the_server(state: State, calls: list[str]) -> None:
    house = state.house()
    made = planned(house)
    assert calls_of(made) == calls
    assert made.in_sync == 3, "a bot that is only moved is as it should be"
    assert not [change for change in made.changes() if change.of is Of.BOT]
    house.run(in_order(made))
    assert list(planned(house).changes()) == []


def rotation(plan: Plan, instance: str) -> Change:
    [change] = [c for c in plan.changes() if c.instance == instance and c.verb is Verb.ROTATE]
    return change


def test_settings_alone_are_moved() -> None:
    """What an import sees as soon as the keys are available: the last version is used by bots alone."""
    [own] = planned(State("main:old main@2:new", "main@2", "main@2", "main@2", "main").house()).changes()
    assert own.reason == "a rotation is not finished: the settings are moved to it, main is deleted"


def test_what_is_said_of_a_rotation() -> None:
    made = planned(State("main:old", "main", "main", "main", "main").house())
    own, shared = rotation(made, "matriz"), rotation(made, "loja")
    assert (own.label, own.ids, own.at) == ("credential main", ("id-main",), AT)
    assert own.reason == (
        "its key is different: main@2 is created, ana, bia and the settings are moved to it, main is deleted"
    )
    assert shared.ids == ("id-main",)
    assert shared.reason == (
        "the instance 'matriz', which owns it, has a different key for it: caio is moved to it"
    )
    assert [plan.credentials for plan in made.instances] == [{}, {"main": "different"}]
    [new] = [step for plan in made.instances for step in plan.steps if step.call is Call.NEW_CREDENTIAL]
    assert (new.secret, new.body, new.bot) == (REF, {"name": "main@2"}, "credential main")


UNMANAGED = State("main:old main@2:new", "main@2", "main@2", "main@2", "main@2", unmanaged="main")


def test_an_old_credential_that_somebody_uses_is_kept_and_said() -> None:
    house = UNMANAGED.house()
    made = planned(house)
    [loja, matriz] = made.instances
    kept, unmanaged = matriz.changes[0], loja.changes[0]
    assert (kept.verb, kept.of, kept.bot, kept.ids) == (Verb.UNMANAGED, Of.CREDENTIAL, "main", ("id-main",))
    assert kept.reason == "the old key is kept: \"a human's\" of the instance 'loja' (bot b-eva) uses it"
    assert (unmanaged.verb, unmanaged.of) == (Verb.UNMANAGED, Of.BOT)
    assert (made.writes, made.problems) == (False, 0)


def using(*more: str, desired: Desired = BOTH, description: str = "a human's") -> str:
    """Why an old credential is kept that b-eva uses, and more bots that nobody has read."""
    house = UNMANAGED.house()
    house.rooms["loja"].bots.bots["b-eva"]["description"] = description
    seen = house.observed(desired, {("matriz", "main"): "new"})
    matriz = seen.instances["matriz"]
    there = dict(matriz.credentials or {})
    there["main"] = replace(there["main"], users=frozenset({"b-eva", *more}))
    instances = {**seen.instances, "matriz": replace(matriz, credentials=there)}
    made = make(desired, replace(seen, instances=instances), options_of())
    [kept] = [c for c in made.changes() if c.of is Of.CREDENTIAL]
    return kept.reason.removeprefix("the old key is kept: ")


def test_who_uses_an_old_credential_is_named_as_a_person_knows_it() -> None:
    assert using(description=" ") == "bot b-eva of the instance 'loja' uses it"
    assert using(description="x " * 99) == f"'{'x ' * 29}x…' of the instance 'loja' (bot b-eva) uses it"
    assert using(description="Eva [gitops:eva]~12345678") == "eva of the instance 'loja' (bot b-eva) uses it"
    assert using(desired=Desired((MATRIZ,))) == "bot b-eva outside the planned instances uses it"
    two = "(bot b-eva) and bots b-x, b-y outside the planned instances use it"
    assert using("b-x", "b-y") == f"\"a human's\" of the instance 'loja' {two}"
    crowd = using(*(f"b-z{number}" for number in range(30)))
    assert ", bots b-z0, b-z1, b-z10, " in crowd
    assert crowd.endswith(" outside the planned instances and 21 more use it")


def test_a_whole_rotation_beside_an_unmanaged_bot_keeps_the_old_one() -> None:
    house = State("main:old", "main", "main", "main", "main", unmanaged="main").house()
    made = planned(house)
    assert calls_of(made) == WHOLE[:-1]
    assert rotation(made, "matriz").reason.endswith("are moved to it")
    house.run(in_order(made))
    again = planned(house)
    assert not again.writes
    assert [c.label for c in again.changes() if c.of is Of.CREDENTIAL] == ["credential main"]


def test_users_that_the_server_does_not_tell_are_not_risked() -> None:
    house = State("main:old main@2:new", "main@2", "main@2", "main@2", "main@2").house()
    seen = house.observed(BOTH, {("matriz", "main"): "new"})
    blind = {
        name: replace(
            one, credentials={n: replace(c, users=None) for n, c in (one.credentials or {}).items()}
        )
        for name, one in seen.instances.items()
    }
    made = make(BOTH, replace(seen, instances=blind), options_of())
    assert not made.writes
    [change] = made.changes()
    assert change.reason == "the old key is kept: the server does not say reliably which bots use it"


@pytest.mark.parametrize(
    "state",
    [
        State("main:old", "main", "main", "main", "main"),
        State("main:old main@2:new", "main", "main@2", "main", "main@2"),
        State("main:new main@2:old", "main", "main@2", "main", "main@2"),
    ],
)
def test_without_the_key_nothing_moves(state: State) -> None:
    made = planned(state.house(), key=None)
    assert calls_of(made) == []
    assert made.in_sync == 3
    assert made.instances[1].credentials == {"main": "not compared"}


def test_a_key_that_is_turned_back() -> None:
    house = State("main:new main@2:old", "main@2", "main@2", "main@2", "main@2").house()
    made = planned(house)
    assert calls_of(made)[0] == "loja: move b-caio id-main"
    assert calls_of(made)[-1] == "matriz: old credential id-main@2 main@2"
    house.run(in_order(made))
    assert list(house.rooms["matriz"].credentials) == ["main"]


# -- what stands around a rotation ---------------------------------------------------------------


def test_drift_is_compared_as_if_all_were_moved() -> None:
    """A reviewed plan's digests stay valid, whatever of the rotation was done since."""
    drifted = replace(MATRIZ, bots=(replace(MATRIZ.bots[0], fields={**MATRIZ.bots[0].fields, "expire": 7}),))
    fresh = replace(drifted, bots=(*drifted.bots, named_bot("dora", "a4")))
    digests = set()
    for state, key in (
        (State("main:old", "main", "main", "main", "main"), "new"),
        (State("main:old", "main", "main", "main", "main"), None),
        (State("main:old main@2:new", "main", "main", "main", "main"), "new"),
        (State("main:old main@2:new", "main@2", "main", "main", "main"), "new"),
        (State("main@2:new", "main@2", "main@2", "main@2", "main@2"), "new"),
    ):
        made = planned(state.house(), Desired((fresh,)), key)
        bots = [c for c in made.changes() if c.of is Of.BOT and c.verb.writes]
        assert [(c.verb, c.bot) for c in bots] == [(Verb.UPDATE, "ana"), (Verb.CREATE, "dora")]
        assert [field.name for field in bots[0].fields] == ["expire"]
        digests.add(tuple(c.digest for c in bots))
    assert len(digests) == 1


def test_the_bots_own_steps_know_the_new_credential() -> None:
    drifted = replace(MATRIZ, bots=(replace(MATRIZ.bots[0], fields={**MATRIZ.bots[0].fields, "expire": 7}),))
    made = planned(State("main:old", "main", "main", "main", "main").house(), Desired((drifted,)))
    [update] = [step for _, step in in_order(made) if step.call is Call.UPDATE]
    assert update.body["openaiCredsId"] == "new credential main@2"


def duplicate_of(one: str, state: State) -> House:
    house = state.house()
    fields = dict(house.rooms["matriz"].bots.bots[one])
    house.rooms["matriz"].bots.bots["b-copy"] = {**fields, "description": "a copy"}
    return house


def test_a_bot_that_the_server_refuses_to_change_is_a_conflict_and_keeps_the_old_key() -> None:
    house = duplicate_of("b-ana", State("main:old", "main", "main", "main", "main"))
    made = planned(house)
    [ana] = [c for c in made.changes() if c.verb is Verb.CONFLICT]
    assert ana.reason == (
        "the server would refuse it: bot b-copy (it carries no marker) holds assistantId 'a1'"
    )
    assert calls_of(made) == [line for line in WHOLE[:-1] if "b-ana" not in line]
    house.run(in_order(made))


def test_a_bot_whose_duplicate_goes_first_is_moved_by_its_own_update() -> None:
    house = State("main:old", "main", "main", "main", "main").house()
    house.rooms["matriz"].bots.bots["b-bia"]["assistantId"] = "a1"
    made = planned(house)
    update = [change for change in made.changes() if change.of is Of.BOT]
    assert [(c.bot, c.reason) for c in update] == [
        ("ana", "it gets the new credential as soon as the server accepts a change to it"),
        ("bia", "it differs, and it gets the new credential"),
    ]
    assert [[field.name for field in c.fields] for c in update] == [["openaiCredsId"], ["assistantId"]]
    assert calls_of(made)[-3:] == [
        "matriz: update b-bia new credential main@2",
        "matriz: update b-ana new credential main@2",
        "matriz: old credential id-main main",
    ]
    house.run(in_order(made))
    assert list(planned(house).changes()) == []


def test_what_is_not_declared_is_not_moved() -> None:
    """An orphan, a raw id, another owner's: they keep the old credential alive."""
    raw = replace(bot("bia", "a2"), fields={**bot("bia", "a2").fields, "openaiCredsId": "id-main"})
    house = State("main:old main@2:new", "main", "main", "main@2", "main@2").house()
    made = planned(house, Desired((replace(MATRIZ, bots=(raw,)), LOJA)))
    assert not made.writes
    [kept] = [c for c in made.changes() if c.of is Of.CREDENTIAL]
    assert kept.reason == "the old key is kept: ana (bot b-ana) and bia (bot b-bia) use it"


def test_settings_that_a_bot_makes_with_the_old_one_are_moved_too() -> None:
    """A bot that names it by its id, and is the first to be made where there are no settings."""
    raw = replace(bot("abel", "a4"), fields={**bot("abel", "a4").fields, "openaiCredsId": "id-main"})
    house = State("main:old", "main", "main", "main", "main").house()
    house.rooms["matriz"].row = None
    desired = Desired((replace(MATRIZ, bots=(raw, *MATRIZ.bots)), LOJA))
    made = planned(house, desired)
    assert calls_of(made)[-3:] == [
        "matriz: move b-bia new credential main@2",
        "matriz: create id-main",
        "matriz: settings new credential main@2",
    ]
    house.run(in_order(made))
    assert not planned(house, desired).writes


def test_an_orphan_that_is_deleted_lets_go() -> None:
    house = State("main:old main@2:new", "main", "main@2", "main@2", "main@2").house()
    desired = Desired((replace(MATRIZ, bots=(named_bot("bia", "a2"),)), LOJA))
    made = planned(house, desired, prune=True)
    assert calls_of(made) == ["matriz: delete b-ana", "matriz: old credential id-main main"]
    house.run(in_order(made))


def test_an_owner_that_is_not_selected_moves_nothing_of_its_own() -> None:
    desired = Desired((LOJA,), (MATRIZ,))
    waiting = planned(State("main:old", "main", "main", "main", "main").house(), desired)
    assert list(waiting.changes()) == []
    made = planned(State("main:old main@2:new", "main", "main", "main", "main").house(), desired)
    assert calls_of(made) == ["loja: move b-caio id-main@2"]
    missing = planned(State("x:y", "x", "x", "x", "x").house(), desired)
    [change] = missing.changes()
    assert change.reason == (
        "its credential 'main' cannot be created: "
        "the instance 'matriz', which declares it, is not in this plan; plan it too"
    )


# -- what is missing --------------------------------------------------------------------------


def test_a_missing_credential_is_made_before_all_bots() -> None:
    house = State("x:y", "x", "x", "x", "x").house()
    house.rooms["matriz"].bots.bots.clear()
    made = planned(house)
    assert calls_of(made) == [
        "matriz: new credential main",
        "loja: update b-caio new credential main",
        "matriz: create new credential main",
        "matriz: create new credential main",
    ]
    create = made.instances[1].changes[0]
    assert (create.verb, create.of, create.bot, create.ids) == (Verb.CREATE, Of.CREDENTIAL, "main", ())
    assert made.instances[1].credentials == {"main": "missing"}
    house.run(in_order(made))
    assert list(planned(house).changes()) == []


def test_a_review_needs_no_key() -> None:
    house = State("x:y", "x", "x", "x", "x").house()
    assert [c.digest for c in planned(house).changes()] == [
        c.digest for c in planned(house, key=None).changes()
    ]


def unverified(desired: Desired, **options: object) -> Plan:
    """The plan of a house without any credential of the shop's, where the key is not available."""
    house = State("x:y", "x", "x", "x", "x").house()
    house.rooms["solo"] = Room({"own": ("id-own", "k")}, Toy([]), {**DOCUMENTED, "openaiCredsId": "id-own"})
    seen = house.observed(desired, {})
    matriz = replace(seen.instances["matriz"], unverified={"main": "OPENAI_KEY is not set"})
    instances = {**seen.instances, "matriz": matriz}
    return make(desired, replace(seen, instances=instances), options_of(**options))  # type: ignore[arg-type]  # by name


SOLO = DesiredInstance("solo", (named_bot("dora", "a4", "own"),), AT)
THREE = Desired((MATRIZ, LOJA, SOLO))


def test_a_key_that_is_not_available_is_said_and_changes_no_digest() -> None:
    made, bare = unverified(THREE), planned(State("x:y", "x", "x", "x", "x").house(), key=None)
    matriz = next(one for one in made.instances if one.name == "matriz")
    assert matriz.unverified == {"main": "OPENAI_KEY is not set"}
    assert [c.digest for c in made.changes() if c.instance != "solo"] == [c.digest for c in bare.changes()]
    without = replace(made, instances=tuple(replace(one, unverified={}) for one in made.instances))
    assert made.digest == without.digest


def test_what_is_applied_now_and_needs_a_key_is_a_conflict_and_nothing_else_is() -> None:
    made = unverified(THREE, needs_keys=True)
    assert [(c.instance, c.label, c.verb, c.reason) for c in made.changes() if not c.verb.writes] == [
        ("loja", "caio", Verb.CONFLICT, "its credential 'main' cannot be created: OPENAI_KEY is not set"),
        (
            "matriz",
            "credential main",
            Verb.CONFLICT,
            "it is missing, and it cannot be created: OPENAI_KEY is not set",
        ),
        ("matriz", "ana", Verb.CONFLICT, "its credential 'main' cannot be created: OPENAI_KEY is not set"),
        ("matriz", "bia", Verb.CONFLICT, "its credential 'main' cannot be created: OPENAI_KEY is not set"),
    ]
    assert calls_of(made) == ["solo: create id-own"]
    assert made.instances[1].credentials == {"main": "missing"}


def test_what_is_there_needs_no_key_to_be_applied() -> None:
    house = State("main:old", "main", "main", "main", "main").house()
    seen = house.observed(BOTH, {})
    matriz = replace(seen.instances["matriz"], unverified={"main": "OPENAI_KEY is not set"})
    instances = {**seen.instances, "matriz": matriz}
    made = make(BOTH, replace(seen, instances=instances), options_of(needs_keys=True))
    assert (list(made.changes()), made.in_sync, made.problems) == ([], 3, 0)
    assert made.instances[1].unverified == {"main": "OPENAI_KEY is not set"}


def test_a_clash_is_explained_and_its_bots_wait() -> None:
    house = State("x:y", "x", "x", "x", "x").house()
    seen = house.observed(BOTH, {("matriz", "main"): "new"})
    clash = replace(seen.instances["matriz"], clashes={"main": "another has it: borrow it"})
    made = make(BOTH, replace(seen, instances={**seen.instances, "matriz": clash}), options_of())
    assert [(c.label, c.verb, c.reason) for c in made.changes() if c.instance == "matriz"] == [
        (
            "credential main",
            Verb.CONFLICT,
            "it is missing, and it cannot be created: another has it: borrow it",
        ),
        *(
            (name, Verb.CONFLICT, "its credential 'main' cannot be created: see its conflict")
            for name in ("ana", "bia")
        ),
    ]
    [caio] = [c.reason for c in made.changes() if c.label == "caio"]
    assert caio == "its credential 'main' cannot be created: see its conflict in the instance 'matriz'"
    assert not made.writes


def test_a_clash_of_a_rotation_leaves_all_as_it_is() -> None:
    house = State("main:old", "main", "main", "main", "main").house()
    seen = house.observed(BOTH, {("matriz", "main"): "new"})
    clash = replace(seen.instances["matriz"], clashes={"main": "borrow it"})
    made = make(BOTH, replace(seen, instances={**seen.instances, "matriz": clash}), options_of())
    assert [(c.label, c.reason) for c in made.changes()] == [
        ("credential main", "its key is different, and it cannot be created: borrow it")
    ]
    assert (made.writes, made.in_sync, made.problems) == (False, 3, 1)


@pytest.mark.parametrize(
    ("creds", "creds_owner", "reason"),
    [
        ("nope", None, "the instance has no credential named 'nope'; it has: main"),
        ("nope", "matriz", "the instance 'matriz' has no credential named 'nope'; it has: main"),
        ("main", "away", "the instance 'away', which owns the credential 'main', cannot be read"),
    ],
)
def test_a_credential_that_is_nowhere(creds: str, creds_owner: str | None, reason: str) -> None:
    house = State("main:new", "main", "main", "main", "main").house()
    desired = Desired((replace(MATRIZ, bots=(named_bot("ana", "a1", creds, creds_owner),)),))
    house.rooms.setdefault("away", Room())
    seen = house.observed(desired, {("matriz", "main"): "new"})
    shared_creds = {
        name: there for name, there in seen.instances["matriz"].shared_creds.items() if name != "away"
    }
    cut = replace(seen, instances={"matriz": replace(seen.instances["matriz"], shared_creds=shared_creds)})
    [change] = [c for c in make(desired, cut, options_of()).changes() if c.verb is Verb.CONFLICT]
    assert change.reason == reason
    loja = replace(cut.instances["matriz"], unreadable_creds={"away": "It does not exist. One is near."})
    cut = replace(cut, instances={"matriz": loja})
    [change] = [c for c in make(desired, cut, options_of()).changes() if c.verb is Verb.CONFLICT]
    assert change.reason == (f"{reason}: It does not exist. One is near" if creds_owner == "away" else reason)


# -- reviews ----------------------------------------------------------------------------------


def test_a_rotation_is_never_held_and_a_new_credential_is() -> None:
    nobody = frozenset[str]()
    turned = planned(State("main:old", "main", "main", "main", "main").house(), reviewed=nobody)
    assert calls_of(turned) == WHOLE
    made = planned(State("x:y", "x", "x", "x", "x").house(), reviewed=nobody)
    assert not made.writes
    held = made.instances[1].changes[0]
    assert (held.verb, held.label) == (Verb.BLOCKED, "credential main")
    assert held.reason == "nobody reviewed this create: it is missing on the server"
    assert {c.reason for c in made.changes() if c.of is Of.BOT and c.instance == "matriz"} == {
        "its credential 'main' cannot be created: nobody reviewed it"
    }


def test_what_was_reviewed_is_made() -> None:
    house = State("x:y", "x", "x", "x", "x").house()
    reviewed = frozenset(change.digest for change in planned(house, key=None).changes())
    assert calls_of(planned(house, reviewed=reviewed)) == calls_of(planned(house))


def unmoved(bots: Sequence[RemoteBot]) -> list[str]:
    return [bot.id for bot in bots if bot.fields["openaiCredsId"] == "id-main"]


def test_a_held_bot_is_not_moved() -> None:
    house = State("main:old", "main", "main", "main", "main").house()
    house.rooms["matriz"].bots.bots["b-ana"]["expire"] = 7
    drifted = replace(MATRIZ.bots[0], fields={**MATRIZ.bots[0].fields, "expire": 5})
    desired = Desired((replace(MATRIZ, bots=(drifted, MATRIZ.bots[1])), LOJA))
    made = planned(house, desired, reviewed=frozenset())
    assert calls_of(made) == [line for line in WHOLE[:-1] if "b-ana" not in line]
    house.run(in_order(made))
    assert unmoved(house.rooms["matriz"].bots.remote()) == ["b-ana"]
