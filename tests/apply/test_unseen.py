"""A read that fails after a writing call: what was done is not known, and is not said to be done."""

from __future__ import annotations

import json

import pytest

from reconciler.domain.plan import Call, InstancePlan, Step
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
    make,
    move,
    save,
    settings,
    updated,
)
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import Fault, Request

UNSEEN = "failed: the server answered that it is done, but the result could not be read: "
REFUSED = Fault("400", answer=answer(400, b'{"message": "no"}'), forward=False)
LOST = Fault("dropped, done", answer=b"", cut=True)
GATEWAY = Fault("502", answer=answer(502), forward=False)
DENIED = json.dumps(
    {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}
).encode()
CALLS = ["create", "update", "delete", "move", "new", "old", "settings"]


class Shop:
    """An instance with a bot, settings, and a key that nobody uses; and another instance."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        ids = stage.world.instance(LOJA, "main", "second", "third")
        self.main, self.second, self.third = ids["main"], ids["second"], ids["third"]
        self.ana, self.bia = stage.bot("ana", self.main), stage.bot("bia", self.main)
        self.row = {"expire": 300, "openaiCredsId": self.main}

    def plan(self, call: str) -> InstancePlan:
        """A plan of one such call."""
        id_ = str(self.ana["id"])
        change, step = updated("ana", self.ana, {"expire": 5})
        caio, caio_step = created("caio", self.main)
        return {
            "create": instance(LOJA, [caio], [caio_step]),
            "update": instance(LOJA, [change], [step]),
            "delete": instance(LOJA, *deleted("ana", self.ana)),
            "move": instance(LOJA, [credential(LOJA, self.main)], [move(id_, self.second)]),
            "new": instance(LOJA, [credential()], [make("main@2")]),
            "old": instance(LOJA, [credential(LOJA, self.third)], [forget(self.third, "third")]),
            "settings": instance(LOJA, [settings(self.row)], [save({"expire": 60})]),
            "fallback": instance(LOJA, [settings(self.row)], [fallback(id_)]),
        }[call]


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


class Blind:
    """From the first writing call on, a server that answers no read of an instance any more."""

    def __init__(self, reply: bytes) -> None:
        self.reply, self.wrote = reply, False

    def tell(self, request: Request, raw: bytes) -> bytes:
        self.wrote = self.wrote or request.method != "GET"
        blind = self.wrote and request.method == "GET" and LOJA in request.path
        return self.reply if blind else raw


@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_seen_is_failed(shop: Shop, call: str) -> None:
    told = shop.stage.apply(shop.plan(call), tell=Blind(answer(401, DENIED)).tell)
    [words] = told.values()
    assert UNSEEN.removeprefix("failed: ") in words
    assert words.startswith("failed: ")
    assert shop.stage.sandbox.writes


@pytest.mark.parametrize("call", CALLS)
def test_one_instance_that_cannot_be_read_stops_no_other(shop: Shop, call: str) -> None:
    own = shop.world.instance(CAFE, "café")["café"]
    caio, step = created("caio", own, CAFE)
    plans = (shop.plan(call), instance(CAFE, [caio], [step]))
    told = shop.stage.apply(*plans, tell=Blind(answer(401, DENIED)).tell)
    assert told[f"caio@{CAFE}"] == "applied"


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_gone_ends_the_run(shop: Shop, call: str) -> None:
    plan = shop.plan(call)
    bia, step = updated("bia", shop.bia, {"expire": 6})
    late = call == "old"
    steps = (step, *plan.steps) if late else (*plan.steps, step)
    told = shop.stage.apply(instance(LOJA, [*plan.changes, bia], steps), tell=Blind(answer(502)).tell)
    if late:  # the bot's own call was the first after which nothing is seen
        assert told["bia"].startswith(UNSEEN)
        assert told["credential main"].startswith("not attempted: the run ended early: ")
    elif call in ("new", "settings"):  # which are looked at at once
        assert told["bia"] == "not attempted: the run ended early: the server cannot be reached"
    else:  # both were made, and then nothing is seen of either
        assert all(words.startswith("failed: ") and UNSEEN[8:] in words for words in told.values())


@pytest.mark.parametrize("call", ["create", "update", "new", "settings"])
def test_what_was_refused_and_cannot_be_seen_is_told_as_refused(shop: Shop, call: str) -> None:
    [words] = shop.stage.apply(
        shop.plan(call), faults=[REFUSED], tell=Blind(answer(401, DENIED)).tell
    ).values()
    assert words.startswith("failed: Cannot ")
    assert "could not be seen" not in words


# -- old credentials ---------------------------------------------------------------------------


def _old(shop: Shop, name: str = "third", *before: Step) -> InstancePlan:
    return instance(LOJA, [credential(LOJA, shop.third)], [*before, forget(shop.third, name)])


def lists(**fields: Json) -> object:
    """A server whose list of credentials says something else of each."""

    def tell(request: Request, raw: bytes) -> bytes:
        if "/creds/" not in request.path or request.method != "GET":
            return raw
        return answer(200, json.dumps([{**one, **fields} for one in body_of(raw)]).encode())

    return tell


def test_an_old_key_whose_name_is_anothers_now_stays(shop: Shop) -> None:
    names = {"second": "third", "third": "second"}

    def tell(request: Request, raw: bytes) -> bytes:
        if request.writes or "/creds/" not in request.path:
            return raw
        rows = [{**row, "name": names.get(row["name"], row["name"])} for row in body_of(raw)]
        return answer(200, json.dumps(rows).encode())

    told = shop.stage.apply(_old(shop), tell=tell)
    assert list(told.values()) == [f'stale: the credential {shop.third} is not "third" any more']


def test_an_old_key_that_is_gone_or_has_another_name(shop: Shop) -> None:
    plan = _old(shop, "first")
    [told] = shop.stage.apply(plan).values()
    assert told == f'stale: the credential {shop.third} is not "first" any more'
    shop.world.done("DELETE", f"/openai/creds/{shop.third}/{LOJA}")
    [told] = shop.stage.apply(_old(shop)).values()
    assert told == "applied: it was already gone"
    assert not shop.stage.sandbox.writes


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"OpenaiAssistant": [{"id": "b2"}, {"id": "b1"}]}, 'skipped: "third" is still used by b1, b2'),
        ({"OpenaiAssistant": None}, 'skipped: the server does not say who uses "third"'),
        ({}, "applied"),
    ],
)
def test_an_old_key_that_the_servers_list_shows_in_use_stays(
    shop: Shop, fields: dict[str, Json], told: str
) -> None:
    [found] = shop.stage.apply(_old(shop), tell=lists(**fields)).values()  # type: ignore[arg-type]
    assert found == told
    assert bool(shop.stage.sandbox.writes) is (told == "applied")


def test_an_old_key_that_not_all_could_leave_stays(shop: Shop) -> None:
    """The settings could not be moved, so it stays, though nothing shows that they use it."""
    plan = _old(shop, "third", Step(Call.SETTINGS, "credential main", None, {"openaiCredsId": shop.second}))
    shop.world.done("POST", f"/openai/settings/{LOJA}", {**_whole(shop), "openaiCredsId": shop.third})
    [told] = shop.stage.apply(plan, faults=[REFUSED]).values()
    assert told.startswith("failed: Cannot save the settings")
    assert told.endswith('; not everything could be moved away from "third"')


def _whole(shop: Shop) -> dict[str, Json]:
    row = shop.world.settings(LOJA)
    names = (
        "expire",
        "keywordFinish",
        "delayMessage",
        "unknownMessage",
        "listeningFromMe",
        "stopBotFromMe",
        "keepOpen",
        "debounceTime",
        "ignoreJids",
        "splitMessages",
        "timePerChar",
    )
    return {"debounceTime": 1, **{name: row[name] for name in names if row.get(name) is not None}}


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([LOST, *[GATEWAY] * 20], "applied: it took effect, although the call failed: "),
        ([GATEWAY] * 20, "failed: It is not known whether the server did this"),
    ],
)
def test_an_old_key_of_which_nobody_knows_is_looked_for(shop: Shop, faults: list[Fault], told: str) -> None:
    [found] = shop.stage.apply(_old(shop), faults=faults).values()
    assert found.startswith(told)


@pytest.mark.parametrize(("times", "told"), [(3, "applied"), (4, "failed: It is not known")])
def test_a_new_key_is_sent_four_times(shop: Shop, times: int, told: str) -> None:
    [found] = shop.stage.apply(shop.plan("new"), faults=[GATEWAY] * times).values()
    assert found.startswith(told)
    assert ("main@2" in shop.stage.creds()) is (told == "applied")


def test_a_new_key_that_no_plan_says_where_to_find(shop: Shop) -> None:
    step = Step(Call.NEW_CREDENTIAL, "credential main", None, {"name": "main@2"})
    [told] = shop.stage.apply(instance(LOJA, [credential()], [step])).values()
    assert told == "failed: the plan does not say where its key is"


@pytest.mark.parametrize(("times", "told"), [(3, "applied"), (4, "failed: It is not known")])
def test_settings_are_sent_four_times(shop: Shop, times: int, told: str) -> None:
    [found] = shop.stage.apply(shop.plan("settings"), faults=[GATEWAY] * times).values()
    assert found.startswith(told)


def test_what_the_server_does_not_show_is_sent_again_with_every_save(shop: Shop) -> None:
    bodies: list[Json] = []

    def edit(request: Request) -> bytes:
        if "/settings/" in request.path and request.writes:
            bodies.append(body_of(request.raw))
        return request.raw

    rotation = credential(LOJA, shop.main)
    second = Step(Call.SETTINGS, rotation.label, None, {"openaiCredsId": shop.second})
    saw = settings({**shop.row, "debounceTime": 1})
    plan = instance(LOJA, [saw, rotation], [save({"debounceTime": 7}), second])
    assert shop.stage.apply(plan, edit=edit) == {SETTINGS: "applied", "credential main": "applied"}
    assert [body["debounceTime"] for body in bodies] == [7, 7]


def test_what_a_hand_changed_between_two_saves_stays(shop: Shop) -> None:
    """Only what the server does not show is sent again as this run wrote it."""
    saved = 0

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal saved
        if request.method == "POST" and "/settings/" in request.path:
            saved += 1
        elif saved == 1 and "/fetchSettings/" in request.path:
            saved = 2  # the read after the first save: the hand comes after it
            shop.world.done(
                "POST",
                f"/openai/settings/{LOJA}",
                {**_whole(shop), "openaiCredsId": shop.main, "expire": 90},
            )
        return raw

    rotation = credential(LOJA, shop.main)
    second = Step(Call.SETTINGS, rotation.label, None, {"openaiCredsId": shop.second})
    saw = settings({**shop.row, "timePerChar": 50})
    plan = instance(LOJA, [saw, rotation], [save({"expire": 60, "timePerChar": 7}), second])
    assert shop.stage.apply(plan, tell=tell) == {SETTINGS: "applied", "credential main": "applied"}
    row = shop.world.settings(LOJA)
    assert (row["expire"], row["timePerChar"], row["openaiCredsId"]) == (90, 7, shop.second)


# -- the fallback ------------------------------------------------------------------------------


def _points(shop: Shop, *before: Step, saw: str | None = None) -> InstancePlan:
    was = {"fallbackId": saw} if saw else {}
    return instance(LOJA, [settings({**shop.row, **was})], [*before, fallback(str(shop.bia["id"]))])


def test_a_fallback_that_was_cleared_since_the_plan_is_somebodys_choice(shop: Shop) -> None:
    ana = str(shop.ana["id"])
    [told] = shop.stage.apply(_points(shop, saw=ana)).values()
    assert told == "stale: the fallback was cleared since the plan was made"
    assert not shop.stage.sandbox.writes
    changes, steps = deleted("ana", shop.ana)
    plan = _points(shop, *steps, saw=ana)
    both = instance(LOJA, [*plan.changes, *changes], plan.steps)
    assert shop.stage.apply(both) == {SETTINGS: "applied", "ana": "applied"}


def test_a_fallback_that_saving_the_settings_lost_is_pointed_to_again(shop: Shop) -> None:
    ana = str(shop.ana["id"])
    assert list(shop.stage.apply(shop.plan("fallback")).values()) == ["applied"]

    def loses(always: bool) -> object:
        posts = 0

        def tell(request: Request, raw: bytes) -> bytes:
            nonlocal posts
            posts += request.method == "POST"
            if "/fetchSettings/" not in request.path or not posts or (posts > 1 and not always):
                return raw
            row = {n: v for n, v in body_of(raw).items() if "allback" not in n}
            return answer(200, json.dumps({**row, "openaiIdFallback": None, "fallback": None}).encode())

        return tell

    plan = shop.plan("settings")
    assert list(shop.stage.apply(plan, tell=loses(False)).values()) == ["applied"]  # type: ignore[arg-type]
    assert shop.stage.wrote == ["POST settings"] * 2
    shop.row["expire"] = 60
    plan = instance(LOJA, [settings(shop.row)], [save({"expire": 70})])
    [told] = shop.stage.apply(plan, tell=loses(True)).values()  # type: ignore[arg-type]
    assert told == f"failed: saving the settings lost the fallback: set it to {ana} by hand"
    shop.row["expire"] = 70
    plan = instance(LOJA, [settings(shop.row)], [save({"expire": 80})])
    refused = [Fault(), REFUSED, REFUSED]
    [told] = shop.stage.apply(plan, tell=loses(True), faults=refused).values()  # type: ignore[arg-type]
    assert told.startswith(f"failed: saving the settings lost the fallback: set it to {ana} by hand: Cannot")
    shop.row["expire"] = 80
    plan = instance(LOJA, [settings(shop.row)], [save({"expire": 90})])
    [told] = shop.stage.apply(plan, tell=loses(True), faults=[Fault(), LOST]).values()  # type: ignore[arg-type]
    lost = f"failed: saving the settings lost the fallback: set it to {ana} by hand: Cannot save the settings"
    assert told.startswith(lost)


def test_a_last_look_that_fails_changes_nothing(shop: Shop) -> None:
    """Each bot was read after its own call."""
    saved = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal saved
        saved = saved or (request.method == "POST" and "/settings/" in request.path)
        return answer(502) if saved and "/find/" in request.path else raw

    change, step = updated("ana", shop.ana, {"expire": 5})
    plan = instance(LOJA, [change, settings(shop.row)], [step, save({"expire": 60})])
    assert shop.stage.apply(plan, tell=tell) == {"ana": "applied", SETTINGS: "applied"}
    assert shop.stage.bugs == []
