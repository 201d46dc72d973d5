"""What an apply does with credentials, for every state that it may find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.domain.plan import Call, InstancePlan, Step
from tests.apply.stage import (
    BOT,
    CAFE,
    KEY,
    LOJA,
    SETTINGS,
    Stage,
    created,
    credential,
    forget,
    instance,
    make,
    move,
    new,
    save,
    settings,
    updated,
)
from tests.support import Json, World, segment
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import PASS, Fault, Request

LABEL = "credential main"
LOST = Fault("dropped, done", answer=b"", cut=True)
GATEWAY = Fault("502", answer=answer(502), forward=False)
REFUSED = json.dumps(
    {"status": 500, "error": "Internal Server Error", "response": {"message": "Error updating Openai"}}
).encode()


def lies(method: str, path: str, does: bool, said: Json) -> Any:
    """A server that does or does not what it is asked to in such calls, and always answers the same.

    said: "done" for what a server says that deleted a credential.
    """

    def about(request: Request) -> bool:
        return request.method == method and request.path.startswith(path)

    def words(request: Request) -> bytes:
        done = {"openaiCreds": {"id": request.path.split("/")[3]}}
        return json.dumps(done if said == "done" else said).encode()

    return {
        "edit": lambda request: b"" if about(request) and not does else request.raw,
        "tell": lambda request, raw: answer(200, words(request)) if about(request) else raw,
    }


def _made(**names: str) -> InstancePlan:
    """A plan that makes the credential `main` in the instance."""
    return instance(names.get("where", LOJA), [credential(names.get("where", LOJA))], [make("main")])


# -- new ones -----------------------------------------------------------------------------------


def test_a_missing_credential_is_made(stage: Stage) -> None:
    stage.world.instance(LOJA)
    assert stage.apply(_made()) == {LABEL: "applied"}
    assert stage.creds() == {"main": KEY}
    assert stage.wrote == ["POST creds"]


def test_a_credential_that_another_run_made_is_not_made_again(stage: Stage) -> None:
    stage.world.instance(LOJA)
    stage.world.creds(LOJA, "main", KEY)
    assert stage.apply(_made()) == {LABEL: "applied: it already existed as planned"}
    assert not stage.sandbox.writes


@pytest.mark.parametrize(
    ("name", "key", "told"),
    [
        ("main", "sk-other", 'stale: "main" was created with another key since the plan was made'),
        ("by hand", KEY, 'stale: "by hand" was created with its key since the plan was made'),
    ],
)
def test_a_credential_that_came_otherwise_is_left_alone(stage: Stage, name: str, key: str, told: str) -> None:
    stage.world.instance(LOJA)
    stage.world.creds(LOJA, name, key)
    assert stage.apply(_made()) == {LABEL: told}
    assert not stage.sandbox.writes


@pytest.mark.parametrize("theirs", [("main", "sk-other"), ("other", KEY)], ids=["name", "key"])
def test_what_another_instance_has_is_refused_with_the_way_out(stage: Stage, theirs: tuple[str, str]) -> None:
    stage.world.instance(LOJA)
    stage.world.instance(CAFE)
    stage.world.creds(CAFE, *theirs)
    told = stage.apply(_made())[LABEL]
    assert told.startswith("failed: Cannot create a credential")
    assert ". A credential's name and its key are each unique on the whole server" in told
    assert "a shared credential works where the instance already has settings" in told
    assert "openaiCreds: {instance: OTHER, name: NAME}" in told
    assert KEY not in told
    assert stage.refused == 1


def test_without_a_key_who_needs_the_credential_is_skipped_in_every_instance(stage: Stage) -> None:
    stage.world.instance(LOJA)
    other = stage.world.instance(CAFE, "cafe")["cafe"]
    stage.keys.clear()
    needs, needs_step = created("ana", new("main"))
    borrows, borrows_step = created("bia", new("main"), CAFE)
    alone, alone_step = created("caio", other, CAFE)
    told = stage.apply(
        instance(LOJA, [credential(), needs], [make("main"), needs_step]),
        instance(CAFE, [borrows, alone], [borrows_step, alone_step]),
    )
    assert told == {
        f"{LABEL}@{LOJA}": "failed: OPENAI_KEY_LOJA is not set",
        f"ana@{LOJA}": "skipped: it needs the credential main, which was not created",
        f"bia@{CAFE}": "skipped: it needs the credential main, which was not created",
        f"caio@{CAFE}": "applied",
    }


def test_a_shared_credential_is_created_before_it_is_used(stage: Stage) -> None:
    """Although the instance that uses it comes first in the plan."""
    stage.world.instance(LOJA)
    own = stage.world.instance(CAFE, "cafe")["cafe"]
    stage.world.bot(CAFE, own, **_sent(BOT), assistantId="first")
    ana, ana_step = created("ana", new("main"), CAFE)
    told = stage.apply(instance(CAFE, [ana], [ana_step]), _made())
    assert set(told.values()) == {"applied"}
    assert stage.wrote == ["POST creds", "POST create"]


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([LOST], "applied: it took effect, although the call failed: Cannot create a credential"),
        ([GATEWAY], "applied"),
        ([GATEWAY] * 3, "applied"),
        ([GATEWAY] * 20, "failed: It is not known whether the server did this: create a credential"),
    ],
)
def test_trouble_on_the_way_makes_no_second_one(stage: Stage, faults: list[Fault], told: str) -> None:
    stage.world.instance(LOJA)
    assert stage.apply(_made(), faults=faults)[LABEL].startswith(told)
    assert stage.creds() == ({"main": KEY} if told.startswith("applied") else {})
    assert stage.refused == 0


@pytest.mark.parametrize(
    ("does", "said", "told"),
    [
        (
            False,
            {"id": "made-up"},
            'failed: the server answered that "main" is created, but it does not exist',
        ),
        (False, {"error": True}, "failed: "),
        (False, None, "failed: "),
        (True, {"id": "made-up"}, "applied"),
        (True, None, "applied: it took effect, although the call failed: "),
    ],
)
def test_a_credential_is_made_when_it_is_seen(stage: Stage, does: bool, said: Json, told: str) -> None:
    """And is used by the id that is seen, whatever the answer's is."""
    stage.world.instance(LOJA)
    ana, step = created("ana", new("main"))
    plan = instance(LOJA, [credential(), ana], [make("main"), step])
    found = stage.apply(plan, **lies("POST", "/openai/creds/", does, said))
    assert found[LABEL].startswith(told)
    if told.startswith("applied"):
        assert (found["ana"], stage.creds()) == ("applied", {"main": KEY})
    else:
        assert found["ana"] == "skipped: it needs the credential main, which was not created"


# -- a rotation ---------------------------------------------------------------------------------


class Shop:
    """An instance with an old credential, two bots on it and settings, and the rotation's plan."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        ids = self.world.instance(LOJA, "main", "third")
        self.old, self.third = ids["main"], ids["third"]
        self.world.done("POST", f"/openai/settings/{LOJA}", self._row())
        self.ana, self.bia = self._bot("ana"), self._bot("bia")

    def _bot(self, name: str) -> Json:
        body = {"description": f"[gitops:{name}]", "botType": "assistant", "assistantId": name}
        return self.world.bot(LOJA, self.old, **{**_sent(BOT), **body})

    def _row(self) -> Json:
        row = {name: value for name, value in _sent(BOT).items() if name not in ("enabled", "botType")}
        row.pop("triggerType")
        return {**row, "openaiCredsId": self.old, "speechToText": True}

    def plan(self) -> InstancePlan:
        """Make, point the settings to it, move both, delete the old one."""
        steps = [
            make(),
            save({"openaiCredsId": new()}, LABEL),
            *(move(bot["id"]) for bot in (self.ana, self.bia)),
            forget(self.old),
        ]
        return instance(LOJA, [credential(LOJA, self.old)], steps)

    def uses(self) -> dict[str, str]:
        """The keys' names, by who uses them."""
        path = f"/openai/creds/{LOJA}"
        names = {one["id"]: one["name"] for one in self.world.done("GET", path)}
        bots = {bot["assistantId"]: names[bot["openaiCredsId"]] for bot in self.world.bots(LOJA)}
        return {**bots, "settings": names[self.world.settings(LOJA)["openaiCredsId"]]}


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


DONE = {"ana": "main@2", "bia": "main@2", "settings": "main@2"}
REST = "the old key stays until the next apply finishes the rotation"


def _sent(fields: Json) -> Json:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def test_a_rotation_moves_all_and_deletes_the_old_one(shop: Shop) -> None:
    before = {bot["id"]: bot for bot in shop.world.bots(LOJA)}
    row = shop.world.settings(LOJA)
    assert shop.stage.apply(shop.plan()) == {LABEL: "applied"}
    assert shop.uses() == DONE
    assert shop.stage.creds() == {"main@2": KEY, "third": "sk-loja-third"}
    wrote = ["POST creds", "POST settings", "PUT update", "PUT update", "DELETE creds"]
    assert (shop.stage.wrote, shop.stage.refused) == (wrote, 0)
    moved = {"openaiCredsId", "updatedAt"}
    for bot in shop.world.bots(LOJA):
        assert {n: v for n, v in bot.items() if n not in moved} == {
            n: v for n, v in before[bot["id"]].items() if n not in moved
        }
    after = shop.world.settings(LOJA)
    assert {n: v for n, v in after.items() if n not in moved} == {
        n: v for n, v in row.items() if n not in moved
    }
    assert after["speechToText"] is True


def test_the_same_plan_once_more_does_nothing(shop: Shop) -> None:
    plan = shop.plan()
    shop.stage.apply(plan)
    assert shop.stage.apply(plan) == {LABEL: "applied: it already existed as planned; it was already gone"}
    assert not shop.stage.sandbox.writes


def test_what_a_hand_changed_beside_the_credential_stays(shop: Shop) -> None:
    shop.world.change(LOJA, shop.ana, expire=7)
    assert shop.stage.apply(shop.plan()) == {LABEL: "applied"}
    assert {bot["assistantId"]: bot["expire"] for bot in shop.world.bots(LOJA)} == {"ana": 7, "bia": 300}


def test_a_bot_that_a_hand_gave_another_credential_keeps_that(shop: Shop) -> None:
    shop.world.change(LOJA, shop.ana, openaiCredsId=shop.third)
    told = shop.stage.apply(shop.plan())
    said = f"bot {shop.ana['id']} uses another credential since the plan was made, and is left alone"
    assert told == {LABEL: f"applied: {said}"}
    assert shop.uses() == {**DONE, "ana": "third"}
    assert "main" not in shop.stage.creds()


def test_settings_that_a_hand_gave_another_credential_keep_that(shop: Shop) -> None:
    shop.world.done("POST", f"/openai/settings/{LOJA}", {**shop._row(), "openaiCredsId": shop.third})
    told = shop.stage.apply(shop.plan())
    said = "the settings name another credential since the plan was made, and are left alone"
    assert told == {LABEL: f"applied: {said}"}
    assert shop.uses() == {**DONE, "settings": "third"}


def test_a_bot_that_is_gone_holds_nothing_up(shop: Shop) -> None:
    shop.world.remove(LOJA, shop.ana)
    told = shop.stage.apply(shop.plan())
    assert told == {LABEL: f"applied: bot {shop.ana['id']} was deleted since the plan was made"}
    assert "main" not in shop.stage.creds()


def test_a_bot_that_the_list_does_not_show_is_not_taken_for_gone(shop: Shop) -> None:
    """Its credential names it; where that does not say who uses it, the list is believed."""
    ana = shop.ana["id"]

    def without_ana(request: Request, raw: bytes) -> bytes:
        if not request.path.startswith("/openai/find/"):
            return raw
        return answer(200, json.dumps([row for row in body_of(raw) if row["id"] != ana]).encode())

    def silent(request: Request, raw: bytes) -> bytes:
        if request.method != "GET" or not request.path.startswith("/openai/creds/"):
            return without_ana(request, raw)
        rows = [{n: v for n, v in one.items() if n != "OpenaiAssistant"} for one in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    plan = instance(LOJA, [credential(LOJA, shop.old)], [move(ana, shop.third)])
    told = shop.stage.apply(plan, tell=silent)
    assert told == {LABEL: f"applied: bot {ana} was deleted since the plan was made"}
    told = shop.stage.apply(plan, tell=without_ana)
    hidden = f"failed: the server's list of bots does not show bot {ana}, but a credential does"
    assert told == {LABEL: hidden}


def test_who_came_to_use_the_old_key_keeps_it(shop: Shop) -> None:
    plan = shop.plan()
    late = shop.world.bot(LOJA, shop.old, **{**_sent(BOT), "assistantId": "late"})
    said = f'"main" is still used by bot {late["id"]} of the instance "loja"'
    assert shop.stage.apply(plan) == {LABEL: f"skipped: {said}; {REST}"}
    assert shop.uses() == {**DONE, "late": "main"}


def test_settings_that_name_the_old_key_keep_it(shop: Shop) -> None:
    """No bot uses it, but settings have come to name it."""
    steps = [step for step in shop.plan().steps if step.call != "settings"]
    told = shop.stage.apply(instance(LOJA, [credential(LOJA, shop.old)], steps))[LABEL]
    assert told == f'skipped: "main" is still used by the settings of the instance "loja"; {REST}'
    assert shop.uses() == {**DONE, "settings": "main"}


def test_a_refusal_to_delete_the_old_key_is_told(shop: Shop) -> None:
    no = Fault("no", answer=answer(500, REFUSED), forward=False)
    told = shop.stage.apply(shop.plan(), faults=[*[PASS] * 4, no])[LABEL]
    assert told.startswith("failed: Cannot delete the credential")
    assert f". A credential cannot be deleted while the settings of an instance use it; {REST}" in told
    assert shop.stage.creds()["main"]


def test_a_bot_that_cannot_be_moved_keeps_the_old_key_and_holds_nobody_up(shop: Shop) -> None:
    no = Fault("no", answer=answer(500, REFUSED), forward=False)
    told = shop.stage.apply(shop.plan(), faults=[PASS, PASS, no])[LABEL]
    assert told.startswith(f"failed: bot {shop.ana['id']} was not moved: Cannot update the bot")
    assert told.endswith(f'Error updating Openai; not everything could be moved away from "main"; {REST}')
    assert shop.uses() == {**DONE, "ana": "main"}
    assert shop.stage.creds()["main"]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("fault", [LOST, GATEWAY], ids=str)
def test_a_call_that_went_wrong_once_is_mended(shop: Shop, place: int, fault: Fault) -> None:
    told = shop.stage.apply(shop.plan(), faults=[*[PASS] * place, fault])
    assert told[LABEL].startswith("applied")
    assert shop.uses() == DONE
    assert "main" not in shop.stage.creds()


def test_an_update_that_follows_is_not_stale(shop: Shop) -> None:
    change, step = updated("ana", shop.ana, {"openaiCredsId": new(), "expire": 5})
    plan = shop.plan()
    steps = [*plan.steps[:-1], step, plan.steps[-1]]
    assert shop.stage.apply(instance(LOJA, [*plan.changes, change], steps)) == {
        LABEL: "applied",
        "ana": "applied",
    }
    [ana] = [bot for bot in shop.world.bots(LOJA) if bot["assistantId"] == "ana"]
    assert ana["expire"] == 5


def test_an_update_that_follows_is_stale_where_a_hand_was_at_the_bot(shop: Shop) -> None:
    change, step = updated("ana", shop.ana, {"openaiCredsId": new(), "expire": 5})
    plan = shop.plan()
    shop.world.change(LOJA, shop.ana, keywordFinish="theirs")
    steps = [*plan.steps[:-1], step, plan.steps[-1]]
    assert shop.stage.apply(instance(LOJA, [*plan.changes, change], steps)) == {
        LABEL: "applied",
        "ana": "stale: it changed since the plan was made: keywordFinish",
    }
    assert shop.uses() == DONE


# -- what cascades ------------------------------------------------------------------------------


def _no_users(request: Request, raw: bytes) -> bytes:
    """The list of credentials says that nobody uses any."""
    if request.method != "GET" or not request.path.startswith("/openai/creds/"):
        return raw
    return answer(200, json.dumps([{**one, "OpenaiAssistant": []} for one in body_of(raw)]).encode())


@pytest.mark.parametrize("where", [LOJA, CAFE, "nobody's"])
def test_the_servers_list_of_users_is_not_believed_alone(shop: Shop, where: str) -> None:
    """Bots of the instance, of another one in the plan, and of one that no plan knows."""
    if where != LOJA:
        shop.world.instance(where)
        shop.world.done(
            "POST", f"/openai/settings/{segment(where)}", {**shop._row(), "openaiCredsId": shop.third}
        )
    late = shop.world.bot(where, shop.old, **{**_sent(BOT), "assistantId": "late"})
    plans = [shop.plan(), *([instance(CAFE, [], [])] if where == CAFE else [])]
    told = shop.stage.apply(*plans, tell=_no_users)
    [said] = told.values()
    assert said == f'skipped: "main" is still used by bot {late["id"]} of the instance "{where}"; {REST}'
    assert "main" in shop.stage.creds()
    assert late["id"] in {bot["id"] for bot in shop.world.bots(where)}


def test_a_bot_whose_credential_is_not_shown_may_use_the_old_key(shop: Shop) -> None:
    late = shop.world.bot(LOJA, shop.old, **{**_sent(BOT), "assistantId": "late"})

    def tell(request: Request, raw: bytes) -> bytes:
        if not request.path.startswith("/openai/find/"):
            return _no_users(request, raw)
        hidden = {"openaiCredsId": None}
        rows = [{**row, **hidden} if row["id"] == late["id"] else row for row in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    told = shop.stage.apply(shop.plan(), tell=tell)[LABEL]
    said = f"perhaps bot {late['id']}, whose row is not understood, of the instance"
    assert told.startswith(f'skipped: "main" is still used by {said}')
    assert "main" in shop.stage.creds()


@pytest.mark.parametrize("key", ["", "sk-...abcd", None])
def test_a_server_that_shows_no_keys_is_not_taken_for_one_with_others(stage: Stage, key: str | None) -> None:
    stage.world.instance(LOJA, "another")

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method != "GET" or not request.path.startswith("/openai/creds/"):
            return raw
        return answer(200, json.dumps([{**one, "apiKey": key} for one in body_of(raw)]).encode())

    assert stage.apply(_made(), tell=tell) == {LABEL: "applied"}
    told = stage.apply(_made(), tell=tell)[LABEL]
    assert told == 'stale: "main" was created since the plan was made, and the server does not show its key'


def test_bots_that_a_refused_move_left_behind_keep_the_old_key(shop: Shop) -> None:
    """The server says that it moved them, and that nobody uses the old one."""

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "PUT":
            return answer(200, json.dumps({"id": "x", **body_of(request.raw)}).encode())
        return _no_users(request, raw)

    told = shop.stage.apply(
        shop.plan(), edit=lambda request: b"" if request.method == "PUT" else request.raw, tell=tell
    )[LABEL]
    assert told.startswith(f"failed: bot {shop.ana['id']}: the server accepted openaiCredsId but kept ")
    assert told.endswith(f'not everything could be moved away from "main"; {REST}')
    assert shop.uses() == {"ana": "main", "bia": "main", "settings": "main@2"}


@pytest.mark.parametrize(
    ("does", "said", "told"),
    [
        (False, "done", 'failed: the server answered that "main" is deleted, but it still exists; '),
        (False, {"openaiCreds": {"id": "x"}}, "failed: "),
        (False, {"error": True}, "failed: "),
        (False, {"status": 500}, "failed: "),
        (False, None, "failed: "),
        (True, {"id": "x"}, "applied"),
        (True, {"error": True}, "applied"),
    ],
)
def test_an_old_key_is_deleted_when_it_is_seen(shop: Shop, does: bool, said: Json, told: str) -> None:
    found = shop.stage.apply(shop.plan(), **lies("DELETE", "/openai/creds/", does, said))[LABEL]
    assert found.startswith(told)
    assert ("main" in shop.stage.creds()) == (not does)
    assert shop.uses() == DONE


def test_what_goes_with_an_old_key_is_told(shop: Shop) -> None:
    """The bots were seen to have left it, and go all the same; their own change is undone by that."""
    change, step = updated("ana", shop.ana, {"openaiCredsId": new(), "expire": 5})
    plan = shop.plan()
    stranger = shop.world.bot(LOJA, shop.third, **{**_sent(BOT), "assistantId": "stranger"})

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "DELETE":
            with World(shop.stage.sandbox.url, shop.stage.sandbox.api_key) as hand:
                for bot in (shop.ana, stranger):
                    hand.remove(LOJA, bot)
        return raw

    steps = [*plan.steps[:-1], step, plan.steps[-1]]
    told = shop.stage.apply(instance(LOJA, [*plan.changes, change], steps), tell=tell)
    assert told == {
        LABEL: f'failed: "main" was deleted, but at the same moment bot {stranger["id"]} is gone; {REST}',
        "ana": f"failed: it was done, but then bot {shop.ana['id']} is gone",
    }


def test_an_instance_that_cannot_be_read_may_use_the_old_key(shop: Shop) -> None:
    shop.world.instance(CAFE)

    def tell(request: Request, raw: bytes) -> bytes:
        return answer(500, REFUSED) if request.path.startswith("/openai/find/caf") else raw

    told = shop.stage.apply(shop.plan(), instance(CAFE, [], []), tell=tell)[f"{LABEL}@{LOJA}"]
    assert told.startswith(
        'skipped: "main" was kept, because its users could not be read: Cannot read the bots of'
    )
    assert "main" in shop.stage.creds()


def test_what_is_undone_by_a_later_call_is_not_applied(stage: Stage) -> None:
    """The settings come last, and their call takes the bot that was made before."""
    creds = stage.world.instance(LOJA, "main")["main"]
    first = stage.world.bot(LOJA, creds, **{**_sent(BOT), "assistantId": "first"})
    ana, step = created("ana", creds)
    change = settings({"speechToText": False}, LOJA)

    def tell(request: Request, raw: bytes) -> bytes:
        if request.path.startswith("/openai/settings/"):
            with World(stage.sandbox.url, stage.sandbox.api_key) as hand:
                for bot in hand.bots(LOJA):
                    hand.remove(LOJA, bot)
        return raw

    told = stage.apply(instance(LOJA, [ana, change], [step, save({"speechToText": True})]), tell=tell)
    assert told["ana"].startswith("failed: it was done, but then bot ")
    assert told[SETTINGS] == f"failed: it was done, but at the same moment bot {first['id']} is gone"


# -- an error of ours ---------------------------------------------------------------------------


def test_an_error_of_ours_is_one_instances_failure(stage: Stage) -> None:
    """The plan has a step that no plan has; what came before it is told, and the other instance goes on."""
    ids = stage.world.instance(LOJA, "main", "second")
    cafe = stage.world.instance(CAFE, "cafe")["cafe"]
    stage.world.bot(LOJA, ids["main"], **{**_sent(BOT), "assistantId": "first"})
    bot = stage.world.bot(LOJA, ids["main"], **{**_sent(BOT), "assistantId": "bia"})
    ana, ana_step = created("ana", ids["main"])
    caio, caio_step = created("caio", ids["main"])
    other, other_step = created("ana", cafe, CAFE)
    broken = Step(Call.MOVE, LABEL, bot["id"], {})
    steps = [ana_step, broken, caio_step, forget(ids["main"])]
    told = stage.apply(
        instance(LOJA, [credential(LOJA, ids["main"]), ana, caio], steps),
        instance(CAFE, [other], [other_step]),
    )
    bug = "an unexpected KeyError; this is a bug: please report it, with what RECONCILER_DEBUG=1 shows"
    assert told == {
        f"{LABEL}@{LOJA}": f"failed: {bug}",
        f"ana@{LOJA}": "applied",
        f"caio@{LOJA}": f"not attempted: the run of this instance ended early: {bug}",
        f"ana@{CAFE}": "applied",
    }
    assert "main" in stage.creds()
