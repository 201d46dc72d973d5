"""What an apply does with settings and their fallback, for every state that it may find, on each version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.apply import applier
from reconciler.domain.plan import InstancePlan
from tests.apply.stage import (
    BOT,
    CAFE,
    LOJA,
    SETTINGS,
    Stage,
    created,
    fallback,
    instance,
    new_bot,
    save,
    settings,
)
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.liars import body_of
from tests.worlds.proxy import PASS, Fault, Request

ROW: dict[str, Any] = {
    "expire": 30,
    "keywordFinish": "",
    "delayMessage": 900,
    "unknownMessage": "what?",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": True,
    "debounceTime": 3,
    "ignoreJids": ["@g.us"],
    "splitMessages": True,
    "timePerChar": 70,
    "speechToText": True,
}
SEEN = {name: value for name, value in ROW.items() if name != "debounceTime"}
"""What the plan saw, on the version that shows less."""

LOST = Fault("dropped, done", answer=b"", cut=True)
GATEWAY = Fault("502", answer=answer(502), forward=False)


class Shop:
    """An instance with settings, and two bots of which one is the fallback."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        ids = self.world.instance(LOJA, "main", "second")
        self.main, self.second = ids["main"], ids["second"]
        self.world.done("POST", f"/openai/settings/{LOJA}", {**ROW, "openaiCredsId": self.main})
        self.ana, self.bia = self._bot("ana"), self._bot("bia")
        self.point(self.ana)

    def _bot(self, name: str) -> str:
        body = {n: list(v) if isinstance(v, tuple) else v for n, v in BOT.items()}
        return str(self.world.bot(LOJA, self.main, **body, assistantId=name)["id"])

    def save(self, **fields: Json) -> None:
        """A hand changes the settings."""
        row = {n: v for n, v in self.row().items() if n in (*ROW, "openaiCredsId") and v is not None}
        self.world.done("POST", f"/openai/settings/{LOJA}", {**ROW, **row, **fields})

    def point(self, bot: str) -> None:
        """A hand chooses the fallback."""
        row = {n: v for n, v in self.row().items() if n in ROW}
        older = self.stage.sandbox.options.version.startswith("2.2")
        ways = {"openaiCredsId": self.main, "openaiIdFallback": bot}
        if not older:
            ways = {"openaiCredsId": "", "fallbackId": bot}
        self.world.done("POST", f"/openai/settings/{LOJA}", {**ROW, **row, **ways})

    def row(self) -> dict[str, Any]:
        """The settings as the server shows them."""
        return dict(self.world.settings(LOJA))

    @property
    def fallback(self) -> str | None:
        found: str | None = self.row()["openaiIdFallback"]
        return found

    def plan(self, body: Mapping[str, Json], *, merge: bool = False) -> InstancePlan:
        """Settings that were seen as they are in ROW become so."""
        change = settings({**SEEN, "openaiCredsId": self.main, "fallbackId": self.ana})
        return instance(LOJA, [change], [save(body, merge=merge)])

    def points(self, to: str) -> InstancePlan:
        """The fallback, which was seen to be ana, becomes another."""
        change = settings({**SEEN, "openaiCredsId": self.main, "fallbackId": self.ana})
        return instance(LOJA, [change], [fallback(to)])


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


def _same(row: Mapping[str, Json], other: Mapping[str, Json], *but: str) -> None:
    """All else of a row is as it was."""
    apart = {"updatedAt", "Fallback", "fallback", *but}
    assert {n: v for n, v in row.items() if n not in apart} == {
        n: v for n, v in other.items() if n not in apart
    }


@pytest.mark.parametrize(
    "body",
    [
        {"expire": 60},
        {"expire": 0, "unknownMessage": "", "keepOpen": False, "ignoreJids": [], "timePerChar": 0},
        {"speechToText": False, "splitMessages": False, "listeningFromMe": True},
    ],
    ids=str,
)
def test_only_what_changes_is_changed(shop: Shop, body: Json) -> None:
    before = shop.row()
    assert shop.stage.apply(shop.plan(body)) == {SETTINGS: "applied"}
    after = shop.row()
    assert {name: after[name] for name in body} == body
    _same(before, after, *body)
    assert shop.fallback == shop.ana
    assert shop.stage.wrote == ["POST settings"]
    assert shop.stage.refused == 0


def test_the_credential_is_changed_and_the_fallback_stays(shop: Shop) -> None:
    before = shop.row()
    assert shop.stage.apply(shop.plan({"openaiCredsId": shop.second})) == {SETTINGS: "applied"}
    assert shop.row()["openaiCredsId"] == shop.second
    _same(before, shop.row(), "openaiCredsId")


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        ({"expire": 90}, "stale: they changed since the plan was made: expire"),
        ({"expire": 90, "keepOpen": False}, "stale: they changed since the plan was made: expire, keepOpen"),
        ({"expire": 60}, "applied"),
        ({"delayMessage": 1}, "applied"),
    ],
)
def test_what_a_hand_changed_is_not_written_over(shop: Shop, hand: Json, told: str) -> None:
    """The last two: a hand that did a part of it, and one that was at something else."""
    shop.save(**hand)
    before = shop.row()
    assert shop.stage.apply(shop.plan({"expire": 60, "keepOpen": True, "timePerChar": 5})) == {SETTINGS: told}
    if told.startswith("stale"):
        assert (shop.row(), shop.stage.sandbox.writes[:-1]) == (before, [])
    else:
        assert shop.row()["expire"] == 60
        _same(before, shop.row(), "expire", "keepOpen", "timePerChar")


def test_what_is_so_already_is_not_written(shop: Shop) -> None:
    shop.save(expire=60)
    assert shop.stage.apply(shop.plan({"expire": 60})) == {SETTINGS: "applied: they were already as planned"}
    assert not shop.stage.sandbox.writes


def test_merged_jids_are_added_to_those_that_came_meanwhile(shop: Shop) -> None:
    shop.save(ignoreJids=["5511@s.whatsapp.net", "@g.us"])
    assert shop.stage.apply(shop.plan({"ignoreJids": ["@lid", "@g.us"]}, merge=True)) == {SETTINGS: "applied"}
    assert shop.row()["ignoreJids"] == ["5511@s.whatsapp.net", "@g.us", "@lid"]


def test_exact_jids_that_moved_are_stale(shop: Shop) -> None:
    shop.save(ignoreJids=["5511@s.whatsapp.net", "@g.us"])
    told = shop.stage.apply(shop.plan({"ignoreJids": ["@lid"]}))
    assert told == {SETTINGS: "stale: they changed since the plan was made: ignoreJids"}


def test_a_missing_row_is_made_with_the_documented_defaults(stage: Stage) -> None:
    creds = stage.world.instance(LOJA, "main")["main"]
    body = {"openaiCredsId": creds, "expire": 60, "keywordFinish": ""}
    assert stage.apply(instance(LOJA, [settings()], [save(body)])) == {SETTINGS: "applied"}
    row = stage.world.settings(LOJA)
    assert {name: row[name] for name in body} == body
    assert (row["delayMessage"], row["timePerChar"], row["listeningFromMe"]) == (1000, 50, True)


def test_a_row_that_somebody_made_meanwhile_is_stale_where_it_is_otherwise(shop: Shop) -> None:
    plan = instance(LOJA, [settings()], [save({"openaiCredsId": shop.main, "expire": 60})])
    assert shop.stage.apply(plan) == {SETTINGS: "stale: they changed since the plan was made: expire"}
    plan = instance(LOJA, [settings()], [save({"openaiCredsId": shop.main, "expire": 30})])
    assert shop.stage.apply(plan) == {SETTINGS: "applied: they were already as planned"}


def test_a_row_that_is_gone_is_stale(stage: Stage) -> None:
    stage.world.instance(LOJA, "main")
    plan = instance(LOJA, [settings({"expire": 30})], [save({"expire": 60})])
    assert stage.apply(plan) == {SETTINGS: "stale: they were deleted since the plan was made"}


def test_a_credential_of_another_instances_settings_is_explained(shop: Shop) -> None:
    shop.world.instance(CAFE)
    plan = instance(CAFE, [settings(where=CAFE)], [save({"openaiCredsId": shop.main, "expire": 60})])
    told = shop.stage.apply(plan)[SETTINGS]
    assert told.startswith("failed: Cannot save the settings")
    assert ". The settings of two instances cannot use one credential, and another instance's may use" in told
    assert told.endswith("give one of the two another credential, `settings: {openaiCreds: NAME}`")


@pytest.mark.parametrize(
    ("faults", "told", "calls"),
    [
        ([LOST], "applied: it took effect, although the call failed: Cannot save the settings", 1),
        ([GATEWAY], "applied", 1),
        ([GATEWAY, LOST], "applied: it took effect", 1),
        ([GATEWAY] * 3, "applied", 1),
        ([GATEWAY] * 20, "failed: It is not known whether the server did this: save the settings", 0),
    ],
)
def test_settings_are_saved_again_when_nobody_knows(
    shop: Shop, faults: list[Fault], told: str, calls: int
) -> None:
    assert shop.stage.apply(shop.plan({"expire": 60}), faults=faults)[SETTINGS].startswith(told)
    assert len(shop.stage.wrote) == calls
    assert shop.row()["expire"] == (60 if calls else 30)
    assert shop.fallback == shop.ana


def test_settings_that_cannot_be_read_after_a_lost_answer_are_not_said_to_be_saved(shop: Shop) -> None:
    sent = []

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method == "POST":
            sent.append(request.path)
            return answer(502)
        return answer(500) if sent else raw

    message = shop.stage.apply(shop.plan({"expire": 60}), tell=tell)[SETTINGS]
    assert message.startswith("failed: It is not known whether the server did this: save the settings")


def _edited(request: Request, **fields: Json) -> bytes:
    """A request to save settings with other fields; b"" for all others that write."""
    body = json.dumps({**body_of(request.raw), **fields}).encode()
    head = request.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    lines = [line for line in head if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body])


@pytest.mark.parametrize(
    ("stores", "said", "told"),
    [
        (None, "echo", "failed: the server accepted expire but kept 30 (sent: 60)"),
        (None, None, "failed: "),
        (None, {"error": True}, "failed: "),
        ({"expire": 61}, "echo", "failed: the server accepted expire but kept 61 (sent: 60)"),
        (
            {"ignoreJids": []},
            "echo",
            'failed: the server changed ignoreJids, which was not sent, from ["@g.us"] to []',
        ),
        (
            {"keepOpen": False},
            "echo",
            "failed: the server changed keepOpen, which was not sent, from true to false",
        ),
        (
            {"expire": 61, "keepOpen": False},
            "echo",
            "failed: the server accepted expire but kept 61 (sent: 60); the server changed keepOpen",
        ),
        ({"ignoreJids": ["late@g.us", "@g.us"]}, "echo", "applied"),  # the server adds JIDs at run time
        ({}, None, "applied"),
        ({}, {"error": True}, "applied"),
        ({}, "echo", "applied"),
    ],
)
def test_settings_are_saved_when_they_are_seen(shop: Shop, stores: Json, said: Json, told: str) -> None:
    def edit(request: Request) -> bytes:
        if request.method != "POST":
            return request.raw
        return b"" if stores is None else _edited(request, **stores)

    def tell(request: Request, raw: bytes) -> bytes:
        if request.method != "POST":
            return raw
        row = {**shop.row(), **body_of(request.raw)}
        return answer(200, json.dumps(row if said == "echo" else said).encode())

    found = shop.stage.apply(shop.plan({"expire": 60}), edit=edit, tell=tell)[SETTINGS]
    assert found.startswith(told)


@pytest.mark.parametrize("field", ["delayMessage", "ignoreJids", "expire"])
def test_a_row_that_is_not_understood_is_not_written_over(shop: Shop, field: str) -> None:
    """What it has in that field is not known, and the whole row is written."""
    before = shop.row()

    def tell(request: Request, raw: bytes) -> bytes:
        if "/fetchSettings/" not in request.path:
            return raw
        return answer(200, json.dumps({**body_of(raw), field: "seven"}).encode())

    for plan in (shop.plan({"expire": 60}), shop.points(shop.bia)):
        [told] = shop.stage.apply(plan, tell=tell).values()
        assert told.startswith(f"failed: its row is not understood: {field} is not of type")
    assert shop.row() == before


def test_a_row_that_is_not_understood_after_a_call_is_not_seen(shop: Shop) -> None:
    wrote = False

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal wrote
        wrote = wrote or request.writes
        if not wrote or "/fetchSettings/" not in request.path:
            return raw
        row = {name: value for name, value in body_of(raw).items() if "allback" not in name}
        return answer(200, json.dumps({**row, "expire": "never"}).encode())

    for plan in (shop.plan({"expire": 60}), shop.points(shop.bia)):
        wrote = False
        [told] = shop.stage.apply(plan, tell=tell).values()
        unseen = "failed: the server answered that it is done, but the result could not be read: its row is"
        assert told.startswith(unseen)


def test_a_run_that_is_stopped_saves_no_second_time(shop: Shop) -> None:
    stop = applier.Stop()
    sent = 0

    def tell(request: Request, raw: bytes) -> bytes:
        nonlocal sent
        if not request.writes:
            return raw
        stop.reason = "it was interrupted"
        sent += 1
        return answer(502)

    told = shop.stage.apply(shop.plan({"expire": 60}), tell=tell, stop=stop)[SETTINGS]
    assert told.startswith("failed: It is not known whether the server did this: save the settings")
    assert sent == 1


# -- the fallback -------------------------------------------------------------------------------


def test_a_fallback_that_is_not_taken_is_told(shop: Shop) -> None:
    told = shop.stage.apply(
        shop.points(shop.bia),
        edit=lambda request: b"" if request.method == "POST" else request.raw,
        tell=lambda request, raw: raw or answer(200, json.dumps(shop.row()).encode()),
    )
    assert told == {SETTINGS: f"failed: the server did not take the fallback {shop.bia}"}


@pytest.mark.parametrize("faults", [[], [LOST], [GATEWAY], [GATEWAY, PASS, LOST]], ids=str)
def test_the_fallback_is_pointed_to_a_bot_that_is_there(shop: Shop, faults: list[Fault]) -> None:
    before = shop.row()
    assert shop.stage.apply(shop.points(shop.bia), faults=faults) == {SETTINGS: "applied"}
    assert shop.fallback == shop.bia
    _same(before, shop.row(), "openaiIdFallback", "fallbackId")


def test_the_older_way_to_set_the_fallback_knows_no_newer_one(shop: Shop) -> None:
    bodies: list[Json] = []

    def edit(request: Request) -> bytes:
        if request.method == "POST":
            bodies.append(body_of(request.raw))
        return request.raw

    assert shop.stage.apply(shop.points(shop.bia), edit=edit) == {SETTINGS: "applied"}
    ways = [{n: v for n, v in body.items() if "allback" in n} for body in bodies]
    older = shop.stage.sandbox.options.version.startswith("2.2")
    assert ways == [{"fallbackId": shop.bia}, {"openaiIdFallback": shop.bia}][: 2 if older else 1]


def test_the_fallback_is_pointed_to_a_bot_that_is_made_in_the_same_run(shop: Shop) -> None:
    caio, caio_step = created("caio", shop.main)
    plan = shop.points(new_bot("caio"))
    told = shop.stage.apply(instance(LOJA, [*plan.changes, caio], [caio_step, *plan.steps]))
    assert told == {SETTINGS: "applied", "caio": "applied"}
    [made] = [bot["id"] for bot in shop.world.bots(LOJA) if bot["assistantId"] == "caio"]
    assert shop.fallback == made


def test_the_fallback_is_pointed_to_a_bot_where_there_were_no_settings(stage: Stage) -> None:
    creds = stage.world.instance(LOJA, "main")["main"]
    caio, step = created("caio", creds)
    steps = [save({"openaiCredsId": creds, "expire": 60}), step, fallback(new_bot("caio"))]
    told = stage.apply(instance(LOJA, [settings(), caio], steps))
    assert told == {SETTINGS: "applied", "caio": "applied"}
    [made] = stage.world.bots(LOJA)
    assert stage.world.settings(LOJA)["openaiIdFallback"] == made["id"]


def test_a_fallback_that_could_not_be_made_leaves_the_old_one(shop: Shop) -> None:
    caio, caio_step = created("caio", "nope")
    plan = shop.points(new_bot("caio"))
    told = shop.stage.apply(instance(LOJA, [*plan.changes, caio], [caio_step, *plan.steps]))
    assert told[SETTINGS] == "skipped: it needs the bot caio, which was not created"
    assert shop.fallback == shop.ana


def test_the_fallback_is_cleared_where_the_server_can(shop: Shop) -> None:
    told = shop.stage.apply(shop.points(""))[SETTINGS]
    if shop.stage.sandbox.options.version.startswith("2.2"):
        assert told.startswith("failed: Cannot save the settings")
        assert told.endswith("Evolution API 2.2.x clears the fallback only when its bot is deleted")
        assert shop.fallback == shop.ana
    else:
        assert told == "applied"
        assert shop.fallback is None


def test_a_fallback_that_is_so_already_is_not_written(shop: Shop) -> None:
    shop.point(shop.bia)
    assert shop.stage.apply(shop.points(shop.bia)) == {SETTINGS: "applied"}
    assert not shop.stage.sandbox.writes


def test_a_fallback_that_somebody_else_chose_stays(shop: Shop) -> None:
    shop.point(shop.bia)
    told = shop.stage.apply(shop.points(""))
    assert told == {SETTINGS: f"stale: bot {shop.bia} has become the fallback since the plan was made"}
    assert shop.fallback == shop.bia


def test_a_fallback_that_is_deleted_meanwhile_is_told(shop: Shop) -> None:
    plan = shop.points(shop.bia)
    shop.world.done("DELETE", f"/openai/delete/{shop.bia}/{LOJA}")
    assert shop.stage.apply(plan)[SETTINGS].startswith("failed: ")
    assert shop.fallback == shop.ana
