"""What an apply does with bots, for every state that it may find and every answer that it may get."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.apply import applier
from reconciler.domain.plan import Call, Change, InstancePlan, Step, Verb
from tests.apply.stage import (
    LOJA,
    Stage,
    created,
    credential,
    deleted,
    instance,
    move,
    seen,
    updated,
)
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import PASS, Fault, Request

LOST = Fault("dropped, done", answer=b"", cut=True)
GATEWAY = Fault("502", answer=answer(502), forward=False)
REFUSED = Fault("400", answer=answer(400, b'{"message": "no"}'), forward=False)
UNKNOWN = "It is not known whether the server did this"


class Shop:
    """An instance with settings and a bot, ana."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        ids = self.world.instance(LOJA, "main", "second")
        self.main, self.second = ids["main"], ids["second"]
        self.ana = stage.bot("ana", self.main)
        stage.bot("gone", self.main)
        self.world.remove(LOJA, self.named("gone"))

    def named(self, assistant: str) -> Json:
        [found] = [bot for bot in self.world.bots(LOJA) if bot["assistantId"] == assistant]
        return found

    def names(self) -> list[str]:
        return sorted(str(bot["assistantId"]) for bot in self.world.bots(LOJA))

    def update(self, **body: Any) -> InstancePlan:
        change, step = updated("ana", self.ana, body)
        return instance(LOJA, [change], [step])

    def delete(self) -> InstancePlan:
        return instance(LOJA, *deleted("ana", self.ana))

    def create(self, **body: Any) -> InstancePlan:
        change, step = created("caio", self.main)
        return instance(LOJA, [change], [Step(Call.CREATE, "caio", None, {**step.body, **body})])


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


def only(told: dict[str, str]) -> str:
    [one] = told.values()
    return one


def lists(of: Callable[[list[Json]], Json]) -> Any:
    """A server whose list of bots is otherwise."""

    def tell(request: Request, raw: bytes) -> bytes:
        if "/find/" not in request.path:
            return raw
        return answer(200, json.dumps(of(body_of(raw))).encode())

    return {"tell": tell}


# -- updates and deletes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hand", "told", "calls"),
    [
        ({}, "applied", 1),
        ({"expire": 5, "keepOpen": True}, "applied: it was already as planned", 0),
        ({"expire": 5}, "stale: it changed since the plan was made: expire", 0),
        ({"timePerChar": 7}, "stale: it changed since the plan was made: timePerChar", 0),
        (
            {"expire": 5, "keepOpen": True, "timePerChar": 7},
            "stale: it changed since the plan was made: expire, keepOpen, timePerChar",
            0,
        ),
        ({"expire": 6}, "stale: it changed since the plan was made: expire", 0),
    ],
)
def test_what_moved_since_the_plan_is_left_alone(
    shop: Shop, hand: dict[str, Json], told: str, calls: int
) -> None:
    shop.world.change(LOJA, shop.ana, **hand)
    assert only(shop.stage.apply(shop.update(expire=5, keepOpen=True))) == told
    assert shop.stage.wrote == ["PUT update"] * calls
    assert shop.stage.heard == ["ana"]


def test_a_bot_that_became_so_is_not_deleted_as_if_it_were_done(shop: Shop) -> None:
    shop.world.change(LOJA, shop.ana, expire=5)
    assert only(shop.stage.apply(shop.delete())) == "stale: it changed since the plan was made: expire"
    assert shop.names() == ["ana"]


def test_what_is_gone_is_deleted_already_and_cannot_be_changed(shop: Shop) -> None:
    shop.world.remove(LOJA, shop.ana)
    assert only(shop.stage.apply(shop.delete())) == "applied: it was already gone"
    assert only(shop.stage.apply(shop.update(expire=5))) == "stale: it was deleted since the plan was made"
    again, twin = shop.stage.bot("ana", shop.main), shop.stage.bot("zoe", shop.main)
    shop.world.change(LOJA, twin, description="[gitops:ana] zoe")
    told = only(shop.stage.apply(shop.delete()))
    assert told == f"stale: it was recreated since the plan was made: {again['id']}, {twin['id']}"
    assert not shop.stage.sandbox.writes


def test_after_a_read_that_failed_the_bots_are_read_before_the_next_call(shop: Shop) -> None:
    eva = shop.stage.bot("eva", shop.main)
    (ana, step), (other, eva_step) = (
        updated("ana", shop.ana, {"expire": 5}),
        updated("eva", eva, {"expire": 6}),
    )
    again = replace(step, body={**step.body, "expire": 7})  # before which the first is looked at
    wrote = failed = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal wrote, failed
        wrote = wrote or request.writes
        if not wrote or failed:
            return raw
        if "/find/" in request.path:
            failed = True
            shop.world.change(LOJA, eva, expire=77)
            return answer(404, json.dumps({"status": 404, "response": {"message": ["gone"]}}).encode())
        return raw

    told = shop.stage.apply(instance(LOJA, [ana, other], [step, again, eva_step]), tell=tell)
    assert told["ana"].startswith("failed: the server answered that it is done, but the result could not")
    assert told["eva"] == "stale: it changed since the plan was made: expire"
    assert shop.named("ana")["expire"] == 5


def test_a_last_read_that_fails_leaves_all_unseen(shop: Shop) -> None:
    eva = shop.stage.bot("eva", shop.main)
    both = [updated("ana", shop.ana, {"expire": 5}), updated("eva", eva, {"expire": 6})]
    wrote = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal wrote
        wrote = wrote or request.writes
        if not wrote or "/find/" not in request.path:
            return raw
        return answer(404, json.dumps({"status": 404, "response": {"message": ["gone"]}}).encode())

    told = shop.stage.apply(instance(LOJA, [c for c, _ in both], [s for _, s in both]), tell=tell)
    unseen = "failed: the server answered that it is done, but the result could not be read: "
    assert [one.startswith(unseen) for one in told.values()] == [True, True]
    assert shop.stage.wrote == ["PUT update"] * 2


# -- reads, and what they are for ---------------------------------------------------------------


def _reads(shop: Shop) -> int:
    return sum("/find/" in call.path for call in shop.stage.sandbox.calls)


def test_an_instance_is_read_before_its_first_call_and_after_its_last(shop: Shop) -> None:
    """However many calls there are between."""
    names = [f"bot-{number}" for number in range(12)]
    made = [created(name, shop.main) for name in names]
    change, step = updated("ana", shop.ana, {"expire": 5})
    plan = instance(LOJA, [change, *(one for one, _ in made)], [step, *(one for _, one in made)])
    assert set(shop.stage.apply(plan).values()) == {"applied"}
    assert _reads(shop) == 2
    assert shop.names() == sorted(["ana", *names])


def test_an_answer_that_is_not_as_it_should_be_is_looked_into_at_once(shop: Shop) -> None:
    """The next call, which needs what the first was to free, is not made."""
    bia, bia_step = created("bia", shop.main)
    bia_step = replace(bia_step, body={**bia_step.body, "assistantId": "ana"})
    ana, ana_step = updated("ana", shop.ana, {"assistantId": "new"})

    def edit(request: Request) -> bytes:
        if request.method != "PUT":
            return request.raw
        return with_body(request, {**body_of(request.raw), "assistantId": "ana"})

    told = shop.stage.apply(instance(LOJA, [ana, bia], [ana_step, bia_step]), edit=edit)
    assert told["ana"] == 'failed: the server accepted assistantId but kept "ana" (sent: "new")'
    assert told["bia"] == "skipped: it needs assistantId 'ana', and ana was not applied"


def test_what_happened_to_another_bot_during_several_calls_fails_the_last(shop: Shop) -> None:
    zoe = shop.stage.bot("zoe", shop.main)
    made = [created(name, shop.main) for name in ("bia", "caio", "dora")]

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "POST" and b"[gitops:bia]" in request.raw:
            shop.world.change(LOJA, zoe, expire=77)
        return raw

    told = shop.stage.apply(instance(LOJA, [c for c, _ in made], [s for _, s in made]), tell=tell)
    assert told == {
        "bia": "applied",
        "caio": "applied",
        "dora": "failed: it was done, but by one of the 3 calls before the bots were read again, or by "
        f"someone else: bot {zoe['id']} changed: expire from 300 to 77",
    }


@pytest.mark.parametrize("undone", ["changed", "gone"])
def test_what_was_created_and_undone_before_the_last_call_is_not_applied(shop: Shop, undone: str) -> None:
    made = [created(name, shop.main) for name in ("bia", "caio")]

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "POST" and b"[gitops:caio]" in request.raw:
            if undone == "gone":
                shop.world.remove(LOJA, shop.named("bia"))
            else:
                shop.world.change(LOJA, shop.named("bia"), expire=77)
        return raw

    told = shop.stage.apply(instance(LOJA, [c for c, _ in made], [s for _, s in made]), tell=tell)
    assert told["caio"] == "applied"
    if undone == "gone":
        assert told["bia"] == "failed: the server answered that it is created, but it does not exist"
    else:
        id_ = shop.named("bia")["id"]
        assert told["bia"] == f"failed: it was done, but then bot {id_} changed: expire from 300 to 77"


def test_two_steps_of_one_bot_start_from_what_the_first_left(shop: Shop) -> None:
    change, first = updated("ana", shop.ana, {"expire": 5})
    second = Step(Call.UPDATE, "ana", first.id, {**first.body, "expire": 6})
    assert only(shop.stage.apply(instance(LOJA, [change], [first, second]))) == "applied"
    assert shop.named("ana")["expire"] == 6


def test_only_the_last_step_of_a_bot_has_a_note(shop: Shop) -> None:
    change, first = updated("ana", shop.ana, {"expire": 5})
    second = Step(Call.UPDATE, "ana", first.id, {**first.body, "expire": 6})
    plan = instance(LOJA, [change], [first, second])
    assert only(shop.stage.apply(plan, faults=[LOST, *[GATEWAY] * 3])) == "applied"
    assert shop.named("ana")["expire"] == 6


def test_what_is_left_parked_says_so(shop: Shop) -> None:
    change, step = updated("ana", shop.ana, {"triggerType": "keyword", "triggerOperator": "regex"})
    park = Step(Call.PARK, "ana", step.id, {**step.body, "triggerValue": "(?!)parked by gitops: ana"})
    home = Step(Call.UPDATE, "ana", step.id, {**step.body, "triggerValue": "", "triggerType": "none"})
    plan = instance(LOJA, [change], [park, home])
    told = only(shop.stage.apply(plan, faults=[PASS, *[REFUSED] * 9]))
    assert told.startswith("failed: ")
    assert told.endswith(
        "; it is still parked on a trigger that matches nothing; the next apply finishes its update"
    )
    assert shop.named("ana")["triggerValue"] == "(?!)parked by gitops: ana"


def test_a_whole_way_through_parking_says_nothing(shop: Shop) -> None:
    change, step = updated("ana", shop.ana, {"triggerType": "keyword", "triggerOperator": "regex"})
    park = Step(Call.PARK, "ana", step.id, {**step.body, "triggerValue": "(?!)parked by gitops: ana"})
    home = Step(Call.UPDATE, "ana", step.id, {**step.body, "triggerValue": "oi"})
    assert only(shop.stage.apply(instance(LOJA, [change], [park, home]))) == "applied"
    assert shop.named("ana")["triggerValue"] == "oi"


def _anew(shop: Shop) -> InstancePlan:
    saw = seen(shop.ana)
    body = {**saw.fields, "expire": 5}
    change = Change(LOJA, "ana", Verb.REPLACE, "", (saw.id,), before=saw)
    return instance(
        LOJA, [change], [Step(Call.DELETE, "ana", saw.id, {}), Step(Call.CREATE, "ana", None, body)]
    )


def test_a_bot_that_is_made_anew(shop: Shop) -> None:
    assert only(shop.stage.apply(_anew(shop))) == "applied"
    assert shop.named("ana")["expire"] == 5
    assert shop.named("ana")["id"] != shop.ana["id"]


def test_an_old_bot_whose_new_one_is_not_made_says_so(shop: Shop) -> None:
    told = only(shop.stage.apply(_anew(shop), faults=[PASS, REFUSED]))
    assert told.startswith("failed: ")
    assert told.endswith("; the old bot is deleted; the next apply creates the new one")


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([LOST], "applied"),
        ([GATEWAY], "applied"),
        ([LOST, *[GATEWAY] * 20], f"applied: it took effect, although the call failed: {UNKNOWN}"),
        ([GATEWAY] * 20, f"failed: {UNKNOWN}"),
        ([REFUSED], "failed: "),
    ],
)
@pytest.mark.parametrize("call", ["update", "delete"])
def test_what_nobody_knows_is_looked_at(shop: Shop, call: str, faults: list[Fault], told: str) -> None:
    plan = shop.update(expire=5) if call == "update" else shop.delete()
    assert only(shop.stage.apply(plan, faults=faults)).startswith(told)
    done = told.startswith("applied")
    assert shop.names() == ([] if done and call == "delete" else ["ana"])
    if call == "update":
        assert shop.named("ana")["expire"] == (5 if done else 300)


def test_an_update_that_a_hand_undid_in_the_same_moment(shop: Shop) -> None:
    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "PUT":
            shop.world.remove(LOJA, shop.ana)
        return raw

    told = only(shop.stage.apply(shop.update(expire=5), tell=tell))
    assert told == "failed: the server answered that it is done, but it is gone"


@pytest.mark.parametrize("call", ["update", "delete", "create"])
def test_what_became_of_another_bot_in_the_same_moment_is_told(shop: Shop, call: str) -> None:
    zoe = shop.stage.bot("zoe", shop.main)

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method != "GET":
            shop.world.change(LOJA, zoe, expire=77)
        return raw

    plan = {"update": shop.update(expire=5), "delete": shop.delete(), "create": shop.create()}[call]
    told = only(shop.stage.apply(plan, tell=tell))
    assert told == (
        "failed: it was done, but at the same moment, by this call or by someone else: "
        f"bot {zoe['id']} changed: expire from 300 to 77"
    )


def test_what_undoes_another_change_of_the_run_ends_that_one(shop: Shop) -> None:
    bia = shop.stage.bot("bia", shop.main)
    ana, ana_step = updated("ana", shop.ana, {"expire": 5})
    other, other_step = updated("bia", bia, {"expire": 6})

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "PUT" and str(bia["id"]) in request.path:
            shop.world.change(LOJA, shop.named("ana"), expire=77)
        return raw

    told = shop.stage.apply(instance(LOJA, [ana, other], [ana_step, other_step]), tell=tell)
    assert told == {
        "ana": f"failed: it was done, but then bot {shop.ana['id']} changed: expire from 5 to 77",
        "bia": "applied",
    }


@pytest.mark.parametrize("call", ["update", "create"])
def test_a_row_that_is_not_understood_after_the_call_is_not_seen(shop: Shop, call: str) -> None:
    wrote = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal wrote
        wrote = wrote or request.method != "GET"
        if not wrote or "/find/" not in request.path:
            return raw
        strange = [{**bot, "expire": "never"} for bot in body_of(raw)]
        return answer(200, json.dumps(strange).encode())

    plan = shop.update(expire=5) if call == "update" else shop.create()
    told = only(shop.stage.apply(plan, tell=tell))
    assert told.startswith("failed: ")
    assert "its row is not understood: expire " in told


def test_a_description_that_the_server_lost_is_written_once_more(shop: Shop) -> None:
    losing = True

    def edit(request: Request) -> bytes:
        nonlocal losing
        if request.method == "GET" or not losing:
            return request.raw
        losing = False
        return with_body(request, {**body_of(request.raw), "description": ""})

    told = only(shop.stage.apply(shop.create(), edit=edit))
    assert told == "applied: the server lost its description, so it was written again"
    assert shop.named("caio")["description"] == "[gitops:caio]"
    losing = True
    told = only(shop.stage.apply(shop.update(expire=5, description="Oi [gitops:ana]"), edit=edit))
    assert told == "applied: the server lost its description, so it was written again"
    assert (shop.named("ana")["description"], shop.named("ana")["expire"]) == ("Oi [gitops:ana]", 5)


def test_what_the_server_lost_with_the_description_is_written_again_too(shop: Shop) -> None:
    lost: list[str] = []

    def edit(request: Request) -> bytes:
        if request.method == "GET" or lost:
            return request.raw
        lost.append("description")
        body = {name: value for name, value in body_of(request.raw).items() if name != "functionUrl"}
        return with_body(request, {**body, "description": ""})

    plan = shop.create(functionUrl="https://e.x")
    assert only(shop.stage.apply(plan, edit=edit)) == (
        "applied: the server lost its description, so it was written again"
    )
    assert (shop.named("caio")["functionUrl"], len(shop.stage.wrote)) == ("https://e.x", 2)


def with_body(request: Request, body: Json) -> bytes:
    """The request with another body."""
    raw = json.dumps(body).encode()
    lines = request.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    lines = [line for line in lines if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, f"Content-Length: {len(raw)}".encode(), b"", raw])


def test_what_the_server_keeps_otherwise_is_failed_and_noted_in_the_stamp(shop: Shop) -> None:
    stamped = "[gitops:ana]~01234567"

    def edit(request: Request) -> bytes:
        if request.method == "GET" or "expire" not in body_of(request.raw):
            return request.raw
        return with_body(request, {**body_of(request.raw), "expire": 7})

    told = only(shop.stage.apply(shop.update(expire=5, description=stamped), edit=edit))
    assert told == "failed: the server accepted expire but kept 7 (sent: 5)"
    text = shop.named("ana")["description"]
    assert text.startswith("[gitops:ana]~0123")
    assert text != stamped
    assert shop.stage.wrote == ["PUT update"] * 2


def test_a_stamp_that_is_refused_changes_nothing_of_what_is_said(shop: Shop) -> None:
    def edit(request: Request) -> bytes:
        if request.method == "GET" or "expire" not in body_of(request.raw):
            return request.raw
        return with_body(request, {**body_of(request.raw), "expire": 7})

    plan = shop.update(expire=5, description="[gitops:ana]~01234567")
    for faults in ([PASS, REFUSED], [PASS, *[GATEWAY] * 20]):
        told = only(shop.stage.apply(plan, edit=edit, faults=faults))
        assert told == "failed: the server accepted expire but kept 7 (sent: 5)"
        shop.world.change(LOJA, shop.named("ana"), expire=300, description="[gitops:ana]")


def test_a_run_that_is_stopped_writes_no_stamp(shop: Shop) -> None:
    stop = applier.Stop()

    def edit(request: Request) -> bytes:
        if request.method == "GET":
            return request.raw
        stop.reason = "it was interrupted"
        return with_body(request, {**body_of(request.raw), "expire": 7})

    plan = shop.update(expire=5, description="[gitops:ana]~01234567")
    told = only(shop.stage.apply(plan, edit=edit, stop=stop))
    assert told == "failed: the server accepted expire but kept 7 (sent: 5)"
    assert shop.stage.wrote == ["PUT update"]


# -- creates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "told", "there"),
    [
        ([], "applied", 1),
        ([LOST], "applied: it took effect, although the call failed: Cannot create a bot", 1),
        ([GATEWAY], "applied", 1),
        ([GATEWAY] * 3, "applied", 1),
        ([GATEWAY] * 2 + [LOST], "applied: it took effect, although the call failed: Cannot create a bot", 1),
        ([GATEWAY] * 4, f"failed: {UNKNOWN}", 0),
        ([REFUSED], "failed: ", 0),
    ],
)
def test_a_create_is_tried_four_times_and_made_once(
    shop: Shop, faults: list[Fault], told: str, there: int
) -> None:
    found = only(shop.stage.apply(shop.create(), faults=faults))
    assert found == told or (found.startswith(told) and told != "applied")
    assert shop.names() == ["ana"] + ["caio"] * there


def test_what_another_run_made_is_not_made_again(shop: Shop) -> None:
    assert only(shop.stage.apply(shop.create())) == "applied"
    assert only(shop.stage.apply(shop.create())) == "applied: it already existed as planned"
    assert not shop.stage.sandbox.writes
    caio = shop.named("caio")
    assert only(shop.stage.apply(shop.create(expire=9))) == (
        f"stale: it was created since the plan was made: {caio['id']}"
    )
    zoe = shop.stage.bot("zoe", shop.main)
    shop.world.change(LOJA, zoe, description="[gitops:caio]")
    ids = f"{caio['id']}, {zoe['id']}"
    assert only(shop.stage.apply(shop.create())) == f"stale: it was created since the plan was made: {ids}"


@pytest.mark.parametrize(
    ("has", "words"),
    [
        ({"assistantId": "caio"}, "assistantId 'caio'"),
        (
            {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "oi"},
            "the trigger equals 'oi'",
        ),
        (
            {
                "assistantId": "caio",
                "triggerType": "keyword",
                "triggerOperator": "equals",
                "triggerValue": "oi",
            },
            "assistantId 'caio' and the trigger equals 'oi'",
        ),
    ],
)
@pytest.mark.parametrize("call", ["create", "update"])
def test_what_is_in_the_way_since_the_plan_is_named(
    shop: Shop, call: str, has: dict[str, str], words: str
) -> None:
    zoe = shop.stage.bot("zoe", shop.main, **has)
    takes = {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "oi"}
    plan = shop.create(**takes) if call == "create" else shop.update(**takes, assistantId="caio")
    assert only(shop.stage.apply(plan)) == (
        f"stale: bot {zoe['id']} has taken {words} since the plan was made"
    )
    assert not shop.stage.sandbox.writes
    nameless = lists(lambda bots: [{**bot, "id": ""} if bot["id"] == zoe["id"] else bot for bot in bots])
    assert only(shop.stage.apply(plan, **nameless)) == (
        f"stale: a bot without a usable id has taken {words} since the plan was made"
    )


@pytest.mark.parametrize("turn", [1, -1])
def test_two_bots_without_an_id_are_both_in_the_way(shop: Shop, turn: int) -> None:
    shop.stage.bot("caio", shop.main, description="")
    shop.stage.bot("zoe", shop.main)
    nameless = lists(lambda bots: [{**bot, "id": ""} for bot in bots][::turn])
    assert only(shop.stage.apply(shop.create(), **nameless)) == (
        "stale: a bot without a usable id has taken assistantId 'caio' since the plan was made"
    )


def test_what_needs_a_bot_that_was_not_changed_is_skipped_and_names_it(shop: Shop) -> None:
    ana, ana_step = updated("ana", shop.ana, {"assistantId": "new"})
    bia, bia_step = created("bia", shop.main)
    step = Step(Call.CREATE, "bia", None, {**bia_step.body, "assistantId": "ana"})
    told = shop.stage.apply(instance(LOJA, [ana, bia], [ana_step, step]), faults=[REFUSED])
    assert told["bia"] == "skipped: it needs assistantId 'ana', and ana was not applied"
    assert told["ana"].startswith("failed: ")
    zoe = shop.stage.bot("zoe", shop.main, assistantId="theirs")
    step = Step(Call.CREATE, "bia", None, {**bia_step.body, "assistantId": "theirs"})
    told = shop.stage.apply(instance(LOJA, [ana, bia], [ana_step, step]), faults=[REFUSED])
    assert told["bia"] == f"stale: bot {zoe['id']} has taken assistantId 'theirs' since the plan was made"


class Race:
    """Another run makes the same bot: before ours is there, or after it. It may take its own back.

    Two calls at the same moment get past a server, two by hand do not: so the other's is called zoe, and
    shown as it would be. back: after how many looks it is taken back.
    """

    def __init__(self, shop: Shop, first: bool, back: int = 0) -> None:
        self.shop, self.first, self.back = shop, first, back
        self.theirs: Json = None
        self.looks = 0

    def edit(self, request: Request) -> bytes:
        if request.method == "POST" and self.first:
            self._make()
        return request.raw

    def tell(self, request: Request, raw: bytes) -> bytes:
        if request.method == "POST" and not self.first:
            self._make()
        if "/find/" not in request.path or self.theirs is None:
            return raw
        self.looks += 1
        if self.looks == self.back:
            self.shop.world.remove(LOJA, self.theirs)
        return answer(200, json.dumps(body_of(raw)).replace('"zoe"', '"caio"').encode())

    def _make(self) -> None:
        if self.theirs is None:
            self.theirs = self.shop.stage.bot("zoe", self.shop.main, description="[gitops:caio]")

    def run(self) -> str:
        return only(self.shop.stage.apply(self.shop.create(), edit=self.edit, tell=self.tell))


def test_of_two_equal_bots_the_newer_goes(shop: Shop) -> None:
    race = Race(shop, first=True)
    assert race.run() == "applied: another run made it at the same time"
    assert shop.names() == ["ana", "zoe"]
    assert race.looks == 2


@pytest.mark.parametrize("back", [1, 2, 5])
def test_the_older_one_stays_while_the_other_run_may_take_its_own_back(shop: Shop, back: int) -> None:
    race = Race(shop, first=False, back=back)
    assert race.run() == "applied: another run made it at the same time"
    assert shop.names() == ["ana", "caio"]
    assert race.looks == back + 1


def test_the_older_one_goes_where_the_other_run_looked_too_early(shop: Shop) -> None:
    race = Race(shop, first=False)
    assert race.run() == "applied: another run made it at the same time"
    assert shop.names() == ["ana", "zoe"]
    assert race.looks == 7


def test_if_both_runs_take_theirs_back_it_is_not_said_to_be_there(shop: Shop) -> None:
    race = Race(shop, first=True, back=1)
    assert race.run() == (
        "failed: it was done, but at the same moment, by this call or by someone else: "
        f"bot {race.theirs['id']} is gone"
    )
    assert shop.names() == ["ana"]


def test_a_create_that_is_said_and_not_done(shop: Shop) -> None:
    told = shop.stage.apply(
        shop.create(),
        edit=lambda request: b"" if request.method == "POST" else request.raw,
        tell=lambda request, raw: raw or answer(201, json.dumps({**shop.ana, "id": "made-up"}).encode()),
    )
    assert only(told) == "failed: the server answered that it is created, but it does not exist"


@pytest.mark.parametrize("own", [{"description": ""}, {"description": "[a note]", "assistantId": "caio"}])
def test_a_bot_that_came_in_the_same_moment_is_not_taken_for_ours(shop: Shop, own: dict[str, str]) -> None:
    """The answer does not name it, and it is another or has words of its own, so it is a person's."""

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method != "POST":
            return raw
        shop.stage.bot("zoe", shop.main, **own)
        return answer(201, json.dumps({**shop.ana, "id": "made-up"}).encode())

    told = shop.stage.apply(
        shop.create(), edit=lambda request: b"" if request.method == "POST" else request.raw, tell=tell
    )
    assert only(told) == "failed: the server answered that it is created, but it does not exist"
    assert len(shop.world.bots(LOJA)) == 2


def test_a_bot_whose_marker_is_lost_is_known_by_the_answer_or_by_all_else_it_has(shop: Shop) -> None:
    """The answer names none, and of two bots that came only one is as it should be."""

    def edit(request: Request) -> bytes:
        if request.method != "POST" or body_of(request.raw).get("description") != "[gitops:caio]":
            return request.raw
        shop.stage.bot("zoe", shop.main, description="")
        return with_body(request, {**body_of(request.raw), "description": ""})

    told = only(shop.stage.apply(shop.create(), edit=edit, faults=[LOST]))
    assert told == "applied: the server lost its description, so it was written again"
    assert shop.named("caio")["description"] == "[gitops:caio]"
    assert shop.named("zoe")["description"] in ("", None)


def test_a_delete_that_is_said_and_not_done(shop: Shop) -> None:
    told = shop.stage.apply(
        shop.delete(),
        edit=lambda request: b"" if request.method == "DELETE" else request.raw,
        tell=lambda request, raw: raw or answer(200, json.dumps({"openai": shop.ana}).encode()),
    )
    assert only(told).startswith("failed: ")
    assert shop.names() == ["ana"]


# -- another credential -------------------------------------------------------------------------


def _moves(shop: Shop, bot: Json, *steps: Step, changes: tuple[Change, ...] = ()) -> InstancePlan:
    rotation = credential(LOJA, shop.main)
    return instance(LOJA, [*changes, rotation], [move(str(bot["id"]), shop.second), *steps])


def test_a_bot_moves_whatever_else_became_of_it(shop: Shop) -> None:
    shop.world.change(LOJA, shop.ana, expire=77)
    assert only(shop.stage.apply(_moves(shop, shop.ana))) == "applied"
    assert (shop.named("ana")["openaiCredsId"], shop.named("ana")["expire"]) == (shop.second, 77)
    assert only(shop.stage.apply(_moves(shop, shop.ana))) == "applied"
    assert not shop.stage.sandbox.writes


def test_a_bot_that_uses_a_third_credential_is_left_alone(shop: Shop) -> None:
    third = shop.world.creds(LOJA, "third")
    shop.world.change(LOJA, shop.ana, openaiCredsId=third)
    told = only(shop.stage.apply(_moves(shop, shop.ana)))
    assert told == (
        f"applied: bot {shop.ana['id']} uses another credential since the plan was made, and is left alone"
    )
    assert not shop.stage.sandbox.writes


def test_a_bot_that_is_gone_needs_no_move(shop: Shop) -> None:
    shop.world.remove(LOJA, shop.ana)
    told = only(shop.stage.apply(_moves(shop, shop.ana)))
    assert told == f"applied: bot {shop.ana['id']} was deleted since the plan was made"


def test_after_its_move_a_bots_own_update_finds_it_as_expected(shop: Shop) -> None:
    change, step = updated("ana", shop.ana, {"expire": 5, "openaiCredsId": shop.second})
    told = shop.stage.apply(_moves(shop, shop.ana, step, changes=(change,)))
    assert told == {"ana": "applied", "credential main": "applied"}
    assert (shop.named("ana")["openaiCredsId"], shop.named("ana")["expire"]) == (shop.second, 5)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([REFUSED], "failed: bot {id} was not moved: "),
        ([GATEWAY] * 20, "failed: bot {id} was not moved: " + UNKNOWN),
        ([LOST, *[GATEWAY] * 20], "applied: it took effect, although the call failed: "),
    ],
)
def test_a_move_that_goes_wrong_names_its_bot(shop: Shop, faults: list[Fault], told: str) -> None:
    found = only(shop.stage.apply(_moves(shop, shop.ana), faults=faults))
    assert found.startswith(told.format(id=shop.ana["id"]))


def test_a_move_that_is_kept_otherwise_names_its_bot(shop: Shop) -> None:
    def edit(request: Request) -> bytes:
        if request.method == "GET":
            return request.raw
        return with_body(request, {**body_of(request.raw), "openaiCredsId": shop.main})

    told = only(shop.stage.apply(_moves(shop, shop.ana), edit=edit))
    assert told == (
        f'failed: bot {shop.ana["id"]}: the server accepted openaiCredsId but kept "{shop.main}" '
        f'(sent: "{shop.second}")'
    )


def test_a_stamp_beside_a_failed_move_is_no_other_hands(shop: Shop) -> None:
    """What notes what became of one bot is not seen as a change of it when the next one moves."""
    stamped = "[gitops:ana]~01234567"
    shop.world.change(LOJA, shop.ana, description=stamped)
    bia = shop.stage.bot("bia", shop.main)

    def edit(request: Request) -> bytes:
        if request.method == "GET" or str(shop.ana["id"]) not in request.path:
            return request.raw
        return with_body(request, {**body_of(request.raw), "openaiCredsId": shop.main})

    plan = _moves(shop, shop.ana, move(str(bia["id"]), shop.second))
    told = only(shop.stage.apply(plan, edit=edit))
    assert told == (
        f'failed: bot {shop.ana["id"]}: the server accepted openaiCredsId but kept "{shop.main}" '
        f'(sent: "{shop.second}")'
    )
    assert shop.named("bia")["openaiCredsId"] == shop.second
    assert shop.named("ana")["description"].startswith("[gitops:ana]~0123")
    assert shop.named("ana")["description"] != stamped
