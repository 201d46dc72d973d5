"""Who uses a credential, read from the rows of all instances, and again right before it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from reconciler.apply.state import Shared, State, Stop
from reconciler.apply.users import Users
from reconciler.domain.errors import InstanceError
from reconciler.domain.plan import Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from tests.apply.stage import CAFE, LOJA, Stage, instance, seen
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import Proxy, Request

FAR = "longe"
Tell = Callable[[Request, bytes], bytes]


class Shop:
    """Two instances, and a third of which no plan knows. Each has settings with a credential of its own.

    main: a credential of the first one, which its settings do not use.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        self.ids = {
            name: self.world.instance(name, f"{name}-own")[f"{name}-own"] for name in (LOJA, CAFE, FAR)
        }
        self.main = self.world.creds(LOJA, "main")
        for name, own in self.ids.items():
            self.world.remove(name, self.stage.bot("seed", own, name))

    def bot(self, where: str, name: str = "ana", creds: str | None = None) -> str:
        return str(self.stage.bot(name, creds or self.main, where)["id"])

    def users(
        self,
        *instances: InstancePlan,
        id: str | None = None,
        tell: Tell = lambda request, raw: raw,
        between: Callable[[], object] = lambda: None,
    ) -> tuple[list[str], list[str]]:
        """Who uses the credential, asked twice: the second answer, and which instances' bots it read."""
        plan = Plan(self.stage.sandbox.url, "gitops", instances)

        async def ask(url: str) -> list[str]:
            async with Client(Server(url, self.stage.sandbox.api_key, retry_delay=0.005)) as client:
                shared = Shared(client, plan, Stop(), lambda ref, name: SecretStr(""), lambda error: None)
                for one in instances:
                    shared.states[one.name] = State(shared, one)
                users = Users(shared)
                await users.of(id or self.main, LOJA)
                between()
                self.stage.sandbox.calls.clear()
                return await users.of(id or self.main, LOJA)

        with Proxy(lambda: int(self.stage.sandbox.url.rpartition(":")[2]), tell=tell) as proxy:
            found = asyncio.run(ask(proxy.url))
        read = [call.path for call in self.stage.sandbox.calls]
        return found, [name for name in (LOJA, CAFE, FAR) if f"/openai/find/{segment(name)}" in read]


def segment(name: str) -> str:
    return name.replace("/", "%2F").replace("é", "%C3%A9")


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


LOJA_ALONE, CAFE_TOO = instance(LOJA, [], []), instance(CAFE, [], [])


def test_nobody_uses_it(shop: Shop) -> None:
    shop.bot(CAFE, creds=shop.ids[CAFE])
    assert shop.users(LOJA_ALONE) == ([], [LOJA])


def test_users_of_all_instances_are_named_with_theirs(shop: Shop) -> None:
    ids = {where: shop.bot(where) for where in (FAR, LOJA, CAFE)}
    shop.bot(LOJA, "bia", shop.ids[LOJA])
    second = shop.bot(LOJA, "eva")
    found, read = shop.users(LOJA_ALONE, CAFE_TOO)
    assert sorted(found[1:3]) == sorted(f'bot {id} of the instance "{LOJA}"' for id in (ids[LOJA], second))
    assert (found[0], found[3]) == (
        f'bot {ids[CAFE]} of the instance "{CAFE}"',
        f'bot {ids[FAR]} of the instance "{FAR}"',
    )
    assert read == [LOJA]
    assert shop.users(LOJA_ALONE, id=shop.ids[FAR])[0] == [f'the settings of the instance "{FAR}"']


@pytest.mark.parametrize("first", [LOJA, CAFE])
def test_users_are_in_the_order_of_their_instances(shop: Shop, first: str) -> None:
    ids = {where: shop.bot(where) for where in (FAR, LOJA, CAFE)}
    plans = (LOJA_ALONE, CAFE_TOO) if first == LOJA else (CAFE_TOO, LOJA_ALONE)
    assert shop.users(*plans)[0] == [
        f'bot {ids[where]} of the instance "{where}"' for where in (CAFE, LOJA, FAR)
    ]


def test_settings_that_are_not_there_use_nothing(shop: Shop) -> None:
    """Without a row a server answers with defaults of its own."""

    def tell(request: Request, raw: bytes) -> bytes:
        if f"/fetchSettings/{LOJA}" not in request.path:
            return raw
        return answer(200, json.dumps({"expire": 0, "openaiCredsId": None}).encode())

    assert shop.users(LOJA_ALONE, id=shop.ids[LOJA], tell=tell)[0] == []


def _connected(shop: Shop) -> list[Sequence[InstancePlan]]:
    """Plans in which the second instance has to do with the credential of the first."""
    bot = seen(shop.stage.bot("caio", shop.main, CAFE))
    shop.world.remove(CAFE, {"id": bot.id})
    moved = Step(Call.MOVE, "credential main", bot.id, {"openaiCredsId": shop.main})
    rotated = Change(CAFE, "main", Verb.ROTATE, "", (shop.main,), of=Of.CREDENTIAL)
    changed = Change(CAFE, "caio", Verb.UPDATE, "", (bot.id,), before=bot)
    other = Step(Call.UPDATE, "zoe", "i9", {"openaiCredsId": shop.ids[CAFE]})
    return [
        (LOJA_ALONE, instance(CAFE, [], [other, moved, other])),
        (LOJA_ALONE, instance(CAFE, [rotated], [other])),
        (LOJA_ALONE, instance(CAFE, [rotated, Change(CAFE, "new", Verb.CREATE, "")], [])),
        (LOJA_ALONE, instance(CAFE, [changed], [other])),
        (LOJA_ALONE, instance(CAFE, [changed, Change(CAFE, "new", Verb.CREATE, "")], [])),
    ]


@pytest.mark.parametrize("number", range(5))
def test_what_the_plan_connects_with_it_is_read_again(shop: Shop, number: int) -> None:
    """A bot that came to use it after the first look is seen; one of another instance is not looked for."""
    came: list[str] = []

    def between() -> None:
        came.append(shop.bot(CAFE, "zoe"))
        shop.bot(FAR, "zoe")

    plan = _connected(shop)[number]
    found, read = shop.users(*plan, between=between)
    assert found == [f'bot {came[0]} of the instance "{CAFE}"']
    assert read == [LOJA, CAFE]


def test_what_has_nothing_to_do_with_it_is_read_once(shop: Shop) -> None:
    bot = seen(shop.stage.bot("caio", shop.ids[CAFE], CAFE))
    unlike = Change(CAFE, "caio", Verb.UPDATE, "", (shop.main,), before=bot)
    plan = instance(CAFE, [unlike], [Step(Call.UPDATE, "caio", bot.id, {"openaiCredsId": shop.ids[CAFE]})])
    assert shop.users(LOJA_ALONE, plan, between=lambda: shop.bot(CAFE, "zoe")) == ([], [LOJA])


def test_a_bot_whose_credential_is_not_shown_may_use_any(shop: Shop) -> None:
    hidden = shop.bot(CAFE, "zoe", shop.ids[CAFE])

    def tell(request: Request, raw: bytes) -> bytes:
        if "/find/" not in request.path:
            return raw
        bots: Json = [{n: v for n, v in bot.items() if n != "openaiCredsId"} for bot in body_of(raw) or []]
        return answer(200, json.dumps(bots).encode())

    perhaps = f"perhaps bot {hidden}, whose row is not understood, of the instance"
    assert shop.users(LOJA_ALONE, CAFE_TOO, tell=tell)[0] == [f'{perhaps} "{CAFE}"']
    assert shop.users(LOJA_ALONE, tell=tell)[0] == [f'{perhaps} "{CAFE}"']

    def nameless(request: Request, raw: bytes) -> bytes:
        if "/find/" not in request.path:
            return raw
        return answer(
            200, json.dumps([{**bot, "id": "", "openaiCredsId": None} for bot in body_of(raw) or []]).encode()
        )

    assert shop.users(LOJA_ALONE, tell=nameless)[0] == [
        f'perhaps bot ?, whose row is not understood, of the instance "{CAFE}"'
    ]


def _refuses(path: str, status: int) -> Tell:
    def tell(request: Request, raw: bytes) -> bytes:
        body = json.dumps({"status": status, "error": "x", "response": {"message": ["no"]}}).encode()
        return answer(status, body) if path in request.path else raw

    return tell


def test_what_cannot_be_read_and_is_of_no_plan_is_passed_over(shop: Shop) -> None:
    shop.bot(FAR)
    for tell in (
        _refuses(f"/find/{FAR}", 401),
        _refuses(f"/find/{FAR}", 404),
        _refuses("/fetchInstances", 403),
    ):
        assert shop.users(LOJA_ALONE, tell=tell)[0] == []


def test_what_cannot_be_read_and_is_of_the_plan_is_an_error_and_what_is_gone_uses_nothing(shop: Shop) -> None:
    with pytest.raises(InstanceError):
        shop.users(LOJA_ALONE, CAFE_TOO, tell=_refuses("/find/caf", 401))
    shop.world.done("DELETE", f"/instance/delete/{segment(CAFE)}")
    assert shop.users(LOJA_ALONE, CAFE_TOO)[0] == []


def test_the_instances_of_a_credential_come_by_name() -> None:
    plan = Plan("http://127.0.0.1:9", "gitops", ())
    client = Client(Server(plan.server, "key"))
    users = Users(Shared(client, plan, Stop(), lambda ref, name: SecretStr(""), lambda error: None))
    users.connected = {"c1": set("gfedcba"), "c2": {"z"}}
    assert users.near("c1", "own") == [*"abcdefg", "own"]
    assert users.near("c3", "own") == ["own"]
