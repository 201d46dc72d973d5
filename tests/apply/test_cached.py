"""A cache in front of the server shows the bots as they were before a call: they are read once more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.domain.plan import InstancePlan
from tests.apply.stage import LOJA, Stage, created, deleted, instance, updated
from tests.support import Json
from tests.worlds.liars import rewritten
from tests.worlds.proxy import Request

Tell = Callable[[Request, bytes], bytes]


def stale(times: int) -> Tell:
    """So many lists of bots after a writing call are those from before it."""
    kept, wrote, left = b"", False, times

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal kept, wrote, left
        wrote = wrote or request.writes
        if "/find/" not in request.path:
            return raw
        if wrote and left:
            left -= 1
            return kept
        kept = raw
        return raw

    return tell


class Shop:
    """An instance with two bots, ana and eva."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.main = stage.world.instance(LOJA, "main")["main"]
        self.ana, self.eva = stage.bot("ana", self.main), stage.bot("eva", self.main)

    def update(self) -> InstancePlan:
        change, step = updated("ana", self.ana, {"expire": 5})
        return instance(LOJA, [change], [step])

    def delete(self) -> InstancePlan:
        return instance(LOJA, *deleted("ana", self.ana))

    def create(self) -> InstancePlan:
        change, step = created("caio", self.main)
        return instance(LOJA, [change], [step])

    @property
    def reads(self) -> int:
        """How often the last apply read the bots."""
        return sum("/find/" in call.path for call in self.stage.sandbox.calls)


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


CALLS = {
    "update": (Shop.update, "failed: the server accepted expire but kept 300 (sent: 5)"),
    "delete": (Shop.delete, "failed: the server answered that it is deleted, but it still exists"),
    "create": (Shop.create, "failed: the server answered that it is created, but it does not exist"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("times", "reads"), [(0, 2), (1, 3), (2, 3)], ids=["never", "once", "twice"])
def test_one_stale_list_is_read_again(shop: Shop, call: str, times: int, reads: int) -> None:
    plan, failed = CALLS[call]
    [told] = shop.stage.apply(plan(shop), tell=stale(times)).values()
    assert told == (failed if times == 2 else "applied")
    assert shop.reads == reads


def _keep(**fields: Json) -> Callable[[Request], bytes]:
    """A server that stores these values whatever a PUT says."""
    return lambda request: rewritten(request.raw, fields) if request.method == "PUT" else request.raw


def test_the_bots_of_an_instance_are_read_again_once(shop: Shop) -> None:
    """However many of its bots are not as they were written."""
    both = [updated("ana", shop.ana, {"expire": 5}), updated("eva", shop.eva, {"expire": 6})]
    changes, steps = [change for change, _ in both], [step for _, step in both]
    told = shop.stage.apply(instance(LOJA, changes, steps), edit=_keep(expire=9))
    assert all(one.startswith("failed: the server accepted expire but kept 9") for one in told.values())
    assert shop.reads == 4, "one before, two after ana, one after eva"


def test_a_call_that_failed_is_judged_by_the_first_read(shop: Shop) -> None:
    """Nobody said that it was done."""

    def edit(request: Request) -> bytes:
        return rewritten(request.raw, {"expire": "no number"}) if request.method == "PUT" else request.raw

    [told] = shop.stage.apply(shop.update(), edit=edit).values()
    assert told.startswith("failed: Cannot update the bot")
    assert shop.reads == 2
