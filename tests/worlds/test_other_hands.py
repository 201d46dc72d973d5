"""Other hands on the server between plan and apply, or during it: what moved is left alone, the rest done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.domain.desired import Desired
from reconciler.domain.plan import Call
from reconciler.domain.results import Results
from tests.support import Json
from tests.support import World as Hand
from tests.worlds import oracle
from tests.worlds.faults import answer
from tests.worlds.generators import DEFAULTS, Pair, creds_id
from tests.worlds.proxy import PASS, Fault, Proxy, Request
from tests.worlds.shop import LOJA, row, wanted, world
from tests.worlds.stage import Stage

Told = dict[str, str]
"""Of each bot how its change ended, in a few words."""


def _message(results: Results) -> Told:
    return {r.change.label: f"{r.outcome}: {r.detail}" if r.detail else r.outcome for r in results.results}


_DRIFTED = Pair(
    (
        world(
            {
                "ana": wanted("a1", "equals:1", expire=1),
                "bia": wanted("a2", "equals:2", expire=2),
                "caio": wanted("a3", "equals:3"),
            },
            row("ana", "a1", "equals:1"),
            row("bia", "a2", "equals:2"),
        ),
    )
)


def _changed(stage: Stage) -> None:
    stage.change("bot-bia", keywordFinish="theirs")


def _deleted(stage: Stage) -> None:
    stage.remove("bot-bia")


def _renamed(stage: Stage) -> None:
    stage.change("bot-bia", description="mine now")


def _as_it_should_be(stage: Stage) -> None:
    stage.change("bot-bia", expire=2)


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        (_changed, "stale: it changed since the plan was made: keywordFinish"),
        (_deleted, "stale: it was deleted since the plan was made"),
        (_renamed, "stale: it changed since the plan was made: description"),
        (_as_it_should_be, "stale: it changed since the plan was made: expire"),
    ],
)
def test_a_bot_that_moved_since_the_plan_is_left_alone(
    stage: Stage, hand: Callable[[Stage], None], told: str
) -> None:
    desired = stage.put(_DRIFTED)
    plan = stage.plan(desired)
    hand(stage)
    before = stage.rows()
    results = stage.apply(plan)
    assert _message(results) == {"ana": "applied", "bia": told, "caio": "applied"}
    assert not results.ok
    assert stage.rows().get("bot-bia") == before.get("bot-bia")
    assert [call.method for call in stage.sandbox.writes] == ["PUT", "POST"]
    oracle.converges(stage, _DRIFTED, desired)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (row("caio", "a3", "equals:3", expire=7), "stale: it was created since the plan was made: bot-caio"),
        (
            row("zed", "a9", "equals:3"),
            "stale: bot bot-zed has taken the trigger equals '3' since the plan was made",
        ),
        (
            row("zed", "a3", "equals:9", whose=""),
            "stale: bot bot-zed has taken assistantId 'a3' since the plan was made",
        ),
    ],
)
def test_a_bot_that_is_in_the_way_of_a_create_since_the_plan(
    stage: Stage, made: dict[str, Json], told: str
) -> None:
    plan = stage.plan(stage.put(_DRIFTED))
    stage.insert(LOJA, made)
    results = stage.apply(plan)
    assert _message(results) == {"ana": "applied", "bia": "applied", "caio": told}
    assert [call.status for call in stage.sandbox.writes] == [200, 200]
    assert all(stage.rows()[made["id"]][name] == value for name, value in made.items())


def test_what_another_run_did_since_the_plan_is_not_done_again(stage: Stage) -> None:
    desired = stage.put(_DRIFTED)
    plan = stage.plan(desired)
    stage.apply(stage.plan(desired))
    stage.sandbox.calls.clear()
    assert _message(stage.apply(plan)) == {
        "ana": "applied: it was already as planned",
        "bia": "applied: it was already as planned",
        "caio": "applied: it already existed as planned",
    }
    assert not stage.sandbox.writes


def test_an_orphan_that_moved_since_the_plan_is_not_deleted(stage: Stage) -> None:
    orphans = [row("zed", "a8", "none"), row("zoe", "a9", "none")]
    pair = Pair((world({}, *orphans),), prune=True)
    plan = stage.plan(stage.put(pair), pair)
    stage.change("bot-zed", expire=7)
    stage.remove("bot-zoe")
    assert _message(stage.apply(plan)) == {
        "zed": "stale: it changed since the plan was made: expire",
        "zoe": "applied: it was already gone",
    }
    assert list(stage.rows()) == ["bot-zed"]


_CHAIN = Pair(
    (
        world(
            {
                "ana": wanted("a1", "equals:2"),
                "bia": wanted("a2", "equals:3"),
                "caio": wanted("a3", "equals:4"),
                "dora": wanted("a4", "equals:9"),
            },
            row("ana", "a1", "equals:1"),
            row("bia", "a2", "equals:2"),
            row("caio", "a3", "equals:3"),
            row("dora", "a4", "equals:8"),
        ),
    )
)
"""caio frees what bia takes, and bia what ana takes; dora stands alone."""


def test_what_needs_a_stale_bot_is_skipped_and_names_it(stage: Stage) -> None:
    desired = stage.put(_CHAIN)
    plan = stage.plan(desired)
    stage.change("bot-caio", expire=7)
    assert _message(stage.apply(plan)) == {
        "caio": "stale: it changed since the plan was made: expire",
        "bia": "skipped: it needs the trigger equals '3', and caio was not applied",
        "ana": "skipped: it needs the trigger equals '2', and bia was not applied",
        "dora": "applied",
    }
    assert len(stage.sandbox.writes) == 1
    oracle.converges(stage, _CHAIN, desired)


def test_what_needs_a_refused_bot_is_skipped_and_names_it(stage: Stage) -> None:
    desired = stage.put(_CHAIN)
    said = {"status": 500, "error": "Internal Server Error", "response": {"message": "Error updating Openai"}}
    no = Fault("no", answer=answer(500, json.dumps(said).encode()), forward=False)
    with Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [no])
        told = _message(stage.apply(stage.plan(desired), stage.server(proxy.url)))
    assert told["caio"].startswith("failed: ")
    assert told["caio"].endswith("Error updating Openai")
    assert told["bia"] == "skipped: it needs the trigger equals '3', and caio was not applied"
    assert told["ana"] == "skipped: it needs the trigger equals '2', and bia was not applied"
    assert told["dora"] == "applied"
    oracle.converges(stage, _CHAIN, desired)


def test_a_hand_that_comes_between_two_calls(stage: Stage) -> None:
    """The bot that a circle was broken with is changed, while it is parked."""
    swap = Pair(
        (
            world(
                {"ana": wanted("a1", "equals:1"), "bia": wanted("a2", "equals:2")},
                row("ana", "a1", "equals:2"),
                row("bia", "a2", "equals:1"),
            ),
        )
    )
    desired = stage.put(swap)
    plan = stage.plan(desired)
    assert [step.call for step in plan.instances[0].steps] == [Call.PARK, Call.UPDATE, Call.UPDATE]
    writes = 0

    def meddle(request: Request) -> bytes:
        nonlocal writes
        writes += request.writes
        if request.writes and writes == 2:
            with Hand(stage.sandbox.url, stage.sandbox.api_key) as hand:
                [ana] = [bot for bot in hand.bots(LOJA) if bot["id"] == "bot-ana"]
                hand.change(LOJA, ana, keywordFinish="theirs")
        return request.raw

    with Proxy(lambda: stage.port, edit=meddle) as proxy:
        told = _message(stage.apply(plan, stage.server(proxy.url)))
    assert told == {
        "ana": "stale: it changed since the plan was made: keywordFinish; it is still parked on a trigger "
        "that matches nothing; the next apply finishes its update",
        "bia": "applied",
    }
    oracle.converges(stage, swap, desired)
    assert stage.rows()["bot-ana"]["keywordFinish"] == "theirs"


@pytest.mark.parametrize(("method", "name", "sent"), [("PUT", "ana", 1), ("POST", "caio", 300)])
def test_a_server_that_stores_something_else_is_reported(
    stage: Stage, method: str, name: str, sent: int
) -> None:
    desired = stage.put(_DRIFTED)
    plan = stage.plan(desired)

    def rewrite(request: Request) -> bytes:
        if request.method != method or name not in request.raw.decode():
            return request.raw
        head, _, body = request.raw.partition(b"\r\n\r\n")
        other = json.dumps({**json.loads(body), "expire": 99}).encode()
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        return b"\r\n".join([*lines, f"Content-Length: {len(other)}".encode(), b"", other])

    with Proxy(lambda: stage.port, edit=rewrite) as proxy:
        told = _message(stage.apply(plan, stage.server(proxy.url)))
    assert told.pop(name) == f"failed: the server accepted expire but kept 99 (sent: {sent})"
    assert set(told.values()) == {"applied"}


def test_a_lost_answer_is_looked_for_and_the_bot_not_made_twice(stage: Stage) -> None:
    desired = stage.put(_DRIFTED)
    dropped = Fault("dropped, done", answer=b"", cut=True)
    with Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [PASS, PASS, dropped])
        told = _message(stage.apply(stage.plan(desired), stage.server(proxy.url)))
    assert told["caio"].startswith("applied: it took effect, although the call failed: ")
    assert [call.method for call in stage.sandbox.writes] == ["PUT", "PUT", "POST"]
    assert len(stage.rows(instance=LOJA)) == 3
    oracle.converges(stage, _DRIFTED, desired)


def _anew(stage: Stage) -> Desired:
    """A bot that is to be recreated and is the fallback, in settings that are older than some columns."""
    loja = world({"ana": wanted("a1", "none", expire=5, onDrift="replace")}, row("ana", "a1", "none"))
    younger = dict.fromkeys(("debounceTime", "ignoreJids", "splitMessages", "timePerChar"))
    stored = {**DEFAULTS, **younger, "id": "settings", "openaiCredsId": creds_id(LOJA, "second")}
    return stage.put(Pair((replace(loja, settings={**stored, "openaiIdFallback": "bot-ana"}),)))


def _fallback(stage: Stage) -> str | None:
    [settings] = stage.rows("settings").values()
    assert settings["openaiCredsId"] == creds_id(LOJA, "second")
    found: str | None = settings["openaiIdFallback"]
    return found


@pytest.mark.parametrize(
    "trouble",
    [
        [],
        [Fault("dropped, done", answer=b"", cut=True)],
        [Fault("502", answer=answer(502), forward=False)] * 3,
        [Fault("500", answer=answer(500, b"{}"), forward=False)],
    ],
    ids=str,
)
def test_the_fallback_follows_a_bot_that_is_made_anew(stage: Stage, trouble: list[Fault]) -> None:
    desired = _anew(stage)
    with Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [PASS, PASS, *trouble])
        results = stage.apply(stage.plan(desired), stage.server(proxy.url))
    assert _message(results) == {"ana": "applied"}
    assert _fallback(stage) == results.results[0].id
    assert len(stage.sandbox.writes) == 3
    assert not stage.plan(desired).writes


def test_a_fallback_that_is_lost_is_told(stage: Stage) -> None:
    desired = _anew(stage)
    down = Fault("502", answer=answer(502), forward=False)
    with Proxy(lambda: stage.port) as proxy:
        proxy.meet([], [PASS, PASS, *[down] * 20])
        told = _message(stage.apply(stage.plan(desired), stage.server(proxy.url)))
    [new] = stage.rows()
    assert told == {
        "ana": f"failed: it was recreated; the settings' fallback is lost: set it to {new} by hand"
    }
    assert _fallback(stage) is None
