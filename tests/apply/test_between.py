"""What the calls of a run have to do with each other, and with what others did since the plan was made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.domain.desired import Fields
from reconciler.domain.plan import Call, Change, InstancePlan, Step, Verb
from tests.apply.stage import (
    CAFE,
    LOJA,
    SETTINGS,
    Stage,
    created,
    credential,
    deleted,
    fallback,
    forget,
    instance,
    move,
    save,
    seen,
    settings,
    updated,
)
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import PASS, Fault, Request

DENIED = answer(
    401,
    json.dumps({"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}).encode(),
)
REFUSED = Fault("400", answer=answer(400, b'{"message": "no"}'), forward=False)
FIRST = {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "1"}


class Shop:
    """An instance with settings and a bot, ana, that starts with 1."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        ids = self.world.instance(LOJA, "main", "second", "third")
        self.main, self.second, self.third = ids["main"], ids["second"], ids["third"]
        self.row = {"expire": 300, "openaiCredsId": self.main}

    def bot(self, name: str = "ana", **fields: Json) -> Json:
        return self.stage.bot(name, self.main, **fields)


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


# -- what another bot has ---------------------------------------------------------------------


def test_a_bot_that_was_written_is_not_one_that_was_not_applied(shop: Shop) -> None:
    ana = shop.bot()
    change, step = updated("ana", ana, {"expire": 5})
    bia, bia_step = created("bia", shop.main)
    bia_step = replace(bia_step, body={**bia_step.body, "assistantId": "ana"})
    told = shop.stage.apply(instance(LOJA, [change, bia], [step, bia_step]))
    assert told == {
        "ana": "applied",
        "bia": f"stale: bot {ana['id']} has taken assistantId 'ana' since the plan was made",
    }


def test_what_a_bot_gives_up_is_in_nobodys_way(shop: Shop) -> None:
    """Another bot has the trigger that it starts with, and not the one that it gets."""
    other = shop.bot("other", **FIRST)
    shop.world.change(LOJA, other, triggerType="none", triggerValue="1")
    ana = {**shop.bot(), **FIRST}

    def tell(request: Request, raw: bytes) -> bytes:
        """As if ana had it already, which no server lets happen twice."""
        if "/find/" not in request.path:
            return raw
        rows = body_of(raw)
        wrote = any(row["triggerValue"] == "2" for row in rows)
        return answer(
            200,
            json.dumps(
                [{**row, **FIRST} if row["id"] == ana["id"] and not wrote else row for row in rows]
            ).encode(),
        )

    change, step = updated("ana", ana, {**FIRST, "triggerValue": "2"})
    assert shop.stage.apply(instance(LOJA, [change], [step]), tell=tell) == {"ana": "applied"}


def test_what_a_bot_keeps_is_in_the_way_of_another_too(shop: Shop) -> None:
    """The call leaves the trigger's parts out, so they stay as they are, and collide."""
    ana, zoe = shop.bot(**FIRST), shop.bot("zoe")

    def tell(request: Request, raw: bytes) -> bytes:
        if "/find/" not in request.path:
            return raw
        rows = [{**row, **FIRST} if row["id"] == zoe["id"] else row for row in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    body: Fields = {"triggerType": "keyword", "expire": 5}
    change, step = updated("ana", ana, body)
    told = shop.stage.apply(instance(LOJA, [change], [step]), tell=tell)
    assert told == {"ana": f"stale: bot {zoe['id']} has taken the trigger equals '1' since the plan was made"}
    assert not shop.stage.sandbox.writes


def test_a_bot_that_another_hinders_is_not_moved_and_that_is_said_before_the_call(shop: Shop) -> None:
    ana, zoe = shop.bot(), shop.bot("zoe")

    def tell(request: Request, raw: bytes) -> bytes:
        if "/find/" not in request.path:
            return raw
        rows = [{**row, "assistantId": "ana"} for row in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    plan = instance(LOJA, [credential(LOJA, shop.main)], [move(str(ana["id"]), shop.second)])
    told = shop.stage.apply(plan, tell=tell)["credential main"]
    assert told.startswith(
        f"failed: bot {ana['id']} cannot be moved: bot {zoe['id']} has assistantId 'ana' too, "
        "and the server refuses a change of either"
    )
    assert not shop.stage.sandbox.writes


@pytest.mark.parametrize("call", ["update", "delete", "create"])
@pytest.mark.parametrize("does", [True, False])
def test_what_was_refused_is_looked_at_all_the_same(shop: Shop, call: str, does: bool) -> None:
    ana = shop.bot()
    if call == "update":
        change, step = updated("ana", ana, {"expire": 5})
    elif call == "create":
        change, step = created("caio", shop.main)
    else:
        [change], [step] = deleted("ana", ana)
    fault = replace(REFUSED, forward=does)
    [told] = shop.stage.apply(instance(LOJA, [change], [step]), faults=[fault]).values()
    assert told.startswith("applied: it took effect, although the call failed: " if does else "failed: ")


# -- reads after the last call ----------------------------------------------------------------


@pytest.mark.parametrize("reply", [DENIED, answer(200, b"{"), answer(502)])
def test_a_last_look_that_fails_undoes_nothing(shop: Shop, reply: bytes) -> None:
    """Each bot was read after its own call; the settings were read after theirs."""
    ana = shop.bot()
    change, step = updated("ana", ana, {"expire": 5})
    saved = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal saved
        saved = saved or (request.method == "POST" and "/settings/" in request.path)
        return reply if saved and "/find/" in request.path else raw

    steps = [step, save({"expire": 60})]
    told = shop.stage.apply(instance(LOJA, [change, settings(shop.row)], steps), tell=tell)
    assert told == {"ana": "applied", SETTINGS: "applied"}
    assert saved
    assert shop.stage.bugs == []


def test_a_last_look_sees_what_settings_did_to_a_bot(shop: Shop) -> None:
    ana = shop.bot()
    change, step = updated("ana", ana, {"expire": 5})

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "POST" and "/settings/" in request.path:
            [row] = [row for row in shop.world.bots(LOJA) if row["id"] == ana["id"]]
            shop.world.change(LOJA, row, expire=77)
        return raw

    steps = [step, fallback(str(ana["id"]))]
    told = shop.stage.apply(instance(LOJA, [change, settings(shop.row)], steps), tell=tell)
    assert told["ana"] == f"failed: it was done, but then bot {ana['id']} changed: expire from 5 to 77"


@pytest.mark.parametrize("strange", [True, False])
def test_a_row_that_is_not_understood_is_not_written_again(shop: Shop, strange: bool) -> None:
    """A bot that is not as written gets a stamp of what it became, where its row says that."""
    ana = shop.bot(description="[gitops:ana]~0123abcd")
    wrote = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal wrote
        wrote = wrote or request.method == "PUT"
        if not wrote or "/find/" not in request.path:
            return raw
        rows = [{**row, "expire": "never" if strange else 7} for row in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    change, step = updated("ana", ana, {"expire": 5})
    told = shop.stage.apply(instance(LOJA, [change], [step]), tell=tell)
    assert told["ana"].startswith("failed: ")
    assert len(shop.stage.sandbox.writes) == (1 if strange else 2)


# -- credentials of which another instance needs one ------------------------------------------


def of_two(shop: Shop, *, moves: bool) -> tuple[InstancePlan, InstancePlan]:
    """One instance deletes the credential that bots of another one are to leave."""
    own_creds = shop.world.instance(CAFE, "café")["café"]
    shop.stage.bot("first", own_creds, CAFE)  # makes the settings, with its credential
    bot = shop.stage.bot("caio", shop.third, CAFE)
    own = instance(LOJA, [credential(LOJA, shop.third)], [forget(shop.third, "third")])
    theirs = instance(CAFE, [credential(CAFE, shop.third)], [move(str(bot["id"]), shop.second)])
    return own, theirs if moves else instance(CAFE, [], [])


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([PASS], "applied"),
        ([REFUSED], 'skipped: not everything could be moved away from "third"'),
    ],
)
def test_a_credential_that_bots_elsewhere_could_not_leave_is_kept(
    shop: Shop, faults: list[Fault], told: str
) -> None:
    found = shop.stage.apply(*of_two(shop, moves=True), faults=faults)
    assert found[f"credential main@{LOJA}"] == told
    assert ("third" in shop.stage.creds()) is (told != "applied")


def test_a_credential_that_is_still_used_elsewhere_is_kept(shop: Shop) -> None:
    own, _ = of_two(shop, moves=False)
    told = shop.stage.apply(own)["credential main"]
    assert told.startswith('skipped: "third" is still used by bot ')


# -- a bot that moves to another instance -----------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "there", "here"),
    [
        (PASS, "applied", "applied"),
        (REFUSED, "failed: ", f"skipped: it was not created on {CAFE}, so it stays here"),
    ],
)
def test_a_bot_that_moves_goes_when_it_was_created(shop: Shop, fault: Fault, there: str, here: str) -> None:
    own = shop.world.instance(CAFE, "café")["café"]
    ana = shop.bot()
    new, step = created("ana", own, CAFE)
    arrives = instance(CAFE, [replace(new, verb=Verb.MOVE, other=LOJA)], [step])
    saw = seen(ana)
    gone = Change(LOJA, "ana", Verb.DELETE, "", (saw.id,), before=saw, other=CAFE)
    leaves = instance(LOJA, [gone], [Step(Call.LEAVE, "ana", saw.id, {})])
    told = shop.stage.apply(leaves, arrives, faults=[fault])
    assert told[f"ana@{CAFE}"].startswith(there)
    assert told[f"ana@{LOJA}"] == here
    assert bool(shop.world.bots(LOJA)) is (fault is REFUSED)


def test_a_bot_does_not_leave_for_an_instance_without_a_plan(shop: Shop) -> None:
    saw = seen(shop.bot())
    gone = Change(LOJA, "ana", Verb.DELETE, "", (saw.id,), before=saw, other=CAFE)
    told = shop.stage.apply(instance(LOJA, [gone], [Step(Call.LEAVE, "ana", saw.id, {})]))
    assert told == {"ana": f"skipped: it was not created on {CAFE}, so it stays here"}
    assert not shop.stage.sandbox.writes
