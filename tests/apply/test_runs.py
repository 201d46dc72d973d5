"""A run as a whole: what is looked at again, what each change comes to, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.apply import applier
from reconciler.apply.applier import Stop
from reconciler.domain.plan import Change, Plan, Verb
from reconciler.domain.results import Outcome, Result, Results
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from tests.apply.stage import (
    CAFE,
    LOJA,
    SETTINGS,
    Stage,
    created,
    fallback,
    instance,
    save,
    settings,
    updated,
)
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.proxy import Fault, Request

REFUSED = Fault("400", answer=answer(400, b'{"message": "no"}'), forward=False)
ROW = {"expire": 300}


class Shop:
    """An instance with settings and two bots."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        self.main = self.world.instance(LOJA, "main")["main"]
        self.ana, self.bia = stage.bot("ana", self.main), stage.bot("bia", self.main)

    def hand(self, bot: Json) -> Callable[[Request, bytes], bytes]:
        """A server on which a hand changes a bot whenever the settings are written."""

        def tell(request: Request, raw: bytes) -> bytes:
            if request.method == "POST" and "/openai/settings/" in request.path:
                self.world.change(LOJA, bot, expire=77)
            return raw

        return tell


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


@pytest.mark.parametrize("call", ["settings", "fallback"])
def test_bots_are_looked_at_again_after_what_is_about_none_of_them(shop: Shop, call: str) -> None:
    ana, ana_step = updated("ana", shop.ana, {"expire": 5})
    bia, bia_step = updated("bia", shop.bia, {"expire": 6})
    row = settings(ROW)
    between = save({"expire": 60}) if call == "settings" else fallback(str(shop.bia["id"]))
    plan = instance(LOJA, [row, ana, bia], [ana_step, between, bia_step])
    told = shop.stage.apply(plan, tell=shop.hand(shop.bia))
    assert told == {
        SETTINGS: "applied",
        "ana": "applied",
        "bia": "stale: it changed since the plan was made: expire",
    }


@pytest.mark.parametrize("call", ["settings", "fallback"])
def test_what_the_last_call_undid_is_not_applied(shop: Shop, call: str) -> None:
    ana, ana_step = updated("ana", shop.ana, {"expire": 5})
    last = save({"expire": 60}) if call == "settings" else fallback(str(shop.bia["id"]))
    plan = instance(LOJA, [settings(ROW), ana], [ana_step, last])
    assert shop.stage.apply(plan, tell=shop.hand(shop.ana)) == {
        SETTINGS: "applied",
        "ana": f"failed: it was done, but then bot {shop.ana['id']} changed: expire from 5 to 77",
    }


def test_a_stopped_run_does_not_look_again(shop: Shop) -> None:
    stop = Stop()

    def ask(request: Request, raw: bytes) -> bytes:
        if request.method == "POST":
            stop.reason = "it was told to"
        return raw

    ana, ana_step = updated("ana", shop.ana, {"expire": 5})
    bia, bia_step = updated("bia", shop.bia, {"expire": 6})
    plan = instance(LOJA, [settings(ROW), ana, bia], [ana_step, save({"expire": 60}), bia_step])
    assert shop.stage.apply(plan, tell=ask, stop=stop) == {
        SETTINGS: "applied",
        "ana": "applied",
        "bia": "not attempted: the run ended early: it was told to",
    }
    methods = [f"{call.method} {call.path.split('/')[2]}" for call in shop.stage.sandbox.calls]
    assert methods[-2:] == ["POST settings", "GET fetchSettings"]


def test_a_change_without_a_call_was_not_attempted(shop: Shop) -> None:
    ana, step = updated("ana", shop.ana, {"expire": 5})
    bare = Change(LOJA, "bare", Verb.CREATE, "")
    report = Change(LOJA, "report", Verb.ORPHAN, "")
    told = shop.stage.apply(instance(LOJA, [bare, report, ana], [step]))
    assert told == {"bare": "not attempted: the plan has no call for it", "ana": "applied"}
    assert shop.stage.heard == ["bare", "ana"]
    assert shop.stage.apply(instance(LOJA, [bare], [])) == {
        "bare": "not attempted: the plan has no call for it"
    }
    assert shop.stage.heard == ["bare"]


def test_what_follows_a_failure_of_the_same_change_is_not_made(shop: Shop) -> None:
    ana, first = updated("ana", shop.ana, {"expire": 5})
    second = replace(first, body={**first.body, "expire": 6})
    bia, bia_step = updated("bia", shop.bia, {"expire": 6})
    plan = instance(LOJA, [ana, bia], [first, second, bia_step])
    told = shop.stage.apply(plan, faults=[REFUSED])
    assert told["ana"].startswith("failed: Cannot update the bot")
    assert told["bia"] == "applied"
    assert shop.stage.wrote == ["PUT update"]


def test_an_instance_that_is_another_by_now_is_left_alone(shop: Shop) -> None:
    """Its name is the same, its id is not: it was recreated since the plan was made."""
    caio, step = created("caio", shop.main)
    plan = replace(instance(LOJA, [caio], [step]), id="made-before")
    told = shop.stage.apply(plan)["caio"]
    assert told.startswith("failed: ")
    assert not shop.stage.sandbox.writes


def test_who_cannot_show_a_result_ends_no_run(shop: Shop) -> None:
    shop.world.instance(CAFE)
    ana, step = updated("ana", shop.ana, {"expire": 5})
    caio, caio_step = created("caio", shop.main, CAFE)
    instances = (instance(LOJA, [ana], [step]), instance(CAFE, [caio], [caio_step]))
    plan = Plan(shop.stage.sandbox.url, "gitops", instances)
    bugs: list[Exception] = []
    heard: list[Result] = []

    def show(result: Result) -> None:
        heard.append(result)
        raise ValueError("no room left")

    async def run() -> Results:
        server = Server(plan.server, shop.stage.sandbox.api_key, retry_delay=0.005)
        async with Client(server) as client:
            return await applier.apply(
                client, plan, lambda ref, name: SecretStr(""), show, on_bug=bugs.append
            )

    results = asyncio.run(run())
    assert [str(bug) for bug in bugs] == ["no room left"] * 2
    assert sorted(result.change.label for result in heard) == ["ana", "caio"]
    assert results.results[0] == Result(ana, Outcome.APPLIED, "", str(shop.ana["id"]))
