"""A run that is to end makes no writing call any more, even if it has just looked for one."""

from __future__ import annotations

import pytest

from reconciler.apply.applier import Stop
from reconciler.domain.plan import InstancePlan
from tests.apply.stage import (
    LOJA,
    Stage,
    created,
    credential,
    deleted,
    fallback,
    forget,
    instance,
    make,
    move,
    save,
    settings,
    updated,
)
from tests.worlds.proxy import Request

ENDED = "not attempted: the run ended before: it was told to"


class Shop:
    """An instance with a bot, settings, and a key that nobody uses."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        ids = stage.world.instance(LOJA, "main", "second")
        self.main, self.second = ids["main"], ids["second"]
        self.ana = stage.bot("ana", self.main)
        self.row = {"expire": 300, "openaiCredsId": self.main}

    def plans(self) -> dict[str, tuple[str, InstancePlan]]:
        """By the kind of call: the last read before it, and the plan."""
        id_ = str(self.ana["id"])
        change, step = updated("ana", self.ana, {"expire": 5})
        caio, caio_step = created("caio", self.main)
        return {
            "create": ("find", instance(LOJA, [caio], [caio_step])),
            "update": ("find", instance(LOJA, [change], [step])),
            "delete": ("find", instance(LOJA, *deleted("ana", self.ana))),
            "move": ("find", instance(LOJA, [credential(LOJA, self.main)], [move(id_, self.second)])),
            "new": ("creds", instance(LOJA, [credential()], [make("main@2")])),
            "old": (
                "creds",
                instance(LOJA, [credential(LOJA, self.second)], [forget(self.second, "second")]),
            ),
            "settings": ("fetchSettings", instance(LOJA, [settings(self.row)], [save({"expire": 60})])),
            "fallback": ("fetchSettings", instance(LOJA, [settings(self.row)], [fallback(id_)])),
        }


@pytest.mark.parametrize("call", ["create", "update", "delete", "move", "new", "old", "settings", "fallback"])
def test_a_stop_is_seen_between_the_look_and_the_call(stage: Stage, call: str) -> None:
    shop = Shop(stage)
    read, plan = shop.plans()[call]
    stop = Stop()

    def ask(request: Request, raw: bytes) -> bytes:
        if request.method == "GET" and f"/openai/{read}/" in request.path:
            stop.reason = "it was told to"
        return raw

    [told] = stage.apply(plan, tell=ask, stop=stop).values()
    assert told == ENDED
    assert not stage.sandbox.writes


@pytest.mark.parametrize("call", ["create", "update", "delete", "move", "new", "old", "settings", "fallback"])
def test_the_same_call_is_made_without_it(stage: Stage, call: str) -> None:
    _, plan = Shop(stage).plans()[call]
    [told] = stage.apply(plan).values()
    assert told.startswith("applied")
    assert stage.sandbox.writes


def test_a_run_that_was_stopped_before_it_began_looks_at_nothing(stage: Stage) -> None:
    shop = Shop(stage)
    for _, plan in shop.plans().values():
        [told] = stage.apply(plan, stop=Stop(reason="it was told to")).values()
        assert told == ENDED
        assert not stage.sandbox.calls
