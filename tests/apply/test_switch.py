"""Switching bots off and on by hand, on a server of each version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from reconciler.apply import switch
from reconciler.apply.state import Stop
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.reports import Switched, SwitchReport
from reconciler.evolution.client import Client, Server
from reconciler.plan.switch import Switch, address
from tests.apply.stage import CAFE, LOJA, Stage
from tests.support import Json
from tests.worlds.faults import answer
from tests.worlds.proxy import Fault, Proxy, Request

DAY = "2026-11-28"
MARK = "~off20261128"


def flip(
    stage: Stage,
    *named: str,
    on: bool = False,
    close_sessions: bool = False,
    owner: str = "gitops",
    faults: Sequence[Fault] = (),
    edit: Callable[[Request], bytes] = lambda request: request.raw,
    tell: Callable[[Request, bytes], bytes] = lambda request, raw: raw,
    stop: Stop | None = None,
) -> SwitchReport:
    """Switch bots through a proxy. faults: those that the writing calls meet. No report names a contact."""
    stage.sandbox.calls.clear()
    stop = stop or Stop()

    async def run(url: str) -> SwitchReport:
        async with Client(Server(url, stage.sandbox.api_key, timeout=5, retry_delay=0.005)) as client:
            wanted = Switch(on, owner, DAY)
            chosen = await switch.choose(client, [address(text) for text in named], wanted)
            return await switch.run(client, chosen, stop, _raise, close_sessions=close_sessions)

    with Proxy(lambda: int(stage.sandbox.url.rpartition(":")[2]), edit=edit, tell=tell) as proxy:
        proxy.meet([], faults)
        report = asyncio.run(run(proxy.url))
    assert "@s.whatsapp" not in repr(report)
    return report


def _raise(error: Exception) -> None:
    raise error


def said(report: SwitchReport) -> list[tuple[str, str, bool | None, str]]:
    """Of each bot where it is, its name, whether it is on, and how its call ended."""
    return [(one.instance, one.bot, one.on, str(one.outcome or "")) for one in report.bots]


def only(report: SwitchReport) -> Switched:
    [bot] = report.bots
    return bot


@pytest.fixture
def shop(stage: Stage) -> Stage:
    """ana and bia on one instance, ana on another; and bots of nobody and of another owner."""
    for number, where in enumerate((LOJA, CAFE)):
        creds = stage.world.instance(where, f"main{number}")[f"main{number}"]
        stage.bot("ana", creds, where, description="Front [gitops:ana]~0123abcd")
        if where == LOJA:
            stage.bot("bia", creds)
            stage.bot("nobodys", creds, description="by hand")
            stage.bot("theirs", creds, description="[team2:ana]~0123abcd")
    return stage


def row(stage: Stage, name: str, where: str = LOJA) -> Json:
    [found] = [bot for bot in stage.world.bots(where) if bot["assistantId"] == name]
    return found


def enabled(stage: Stage) -> list[str]:
    """The bots that are on, of all instances."""
    return [bot["assistantId"] for where in (LOJA, CAFE) for bot in stage.world.bots(where) if bot["enabled"]]


def test_a_bot_is_switched_off_and_on_with_a_call_each(shop: Stage) -> None:
    before = row(shop, "ana")
    report = flip(shop, "ana@loja")
    assert report.ok
    assert said(report) == [("loja", "ana", False, "applied")]
    after = row(shop, "ana")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"enabled", "description", "updatedAt"}
    assert (after["enabled"], after["description"]) == (False, f"Front [gitops:ana]~0123abcd{MARK}")
    assert shop.wrote == ["PUT update"]
    again = flip(shop, "ana@loja")
    assert (again.ok, shop.wrote) == (True, [])
    assert only(again).note == "it is off already, by `reconciler disable` on 2026-11-28"

    assert said(flip(shop, "ana@loja", on=True)) == [("loja", "ana", True, "applied")]
    assert shop.wrote == ["PUT update"]
    assert {**row(shop, "ana"), "updatedAt": ""} == {**before, "updatedAt": ""}
    assert only(flip(shop, "ana@loja", on=True)).note == "it is on already"
    assert shop.wrote == []


@pytest.mark.parametrize(
    ("named", "left"),
    [
        (["*@loja"], ["nobodys", "theirs", "ana"]),
        (["ana@*"], ["bia", "nobodys", "theirs"]),
        (["*@*"], ["nobodys", "theirs"]),
        (["[a-z]ia@l*", "bia@loja"], ["ana", "nobodys", "theirs", "ana"]),
    ],
)
def test_globs_name_bots_of_ours_and_no_others(shop: Stage, named: list[str], left: list[str]) -> None:
    report = flip(shop, *named)
    assert report.ok
    assert sorted(enabled(shop)) == sorted(left)
    assert len(shop.wrote) == len(report.bots) == 5 - len(left)


def test_with_a_glob_only_what_disable_switched_off_is_switched_on(shop: Stage) -> None:
    shop.world.change(LOJA, row(shop, "bia"), enabled=False)
    flip(shop, "ana@*")
    report = flip(shop, "*@*", on=True)
    assert said(report) == [
        (CAFE, "ana", True, "applied"),
        (LOJA, "ana", True, "applied"),
        (LOJA, "bia", False, ""),
    ]
    assert "was not switched off by `reconciler disable`" in report.bots[2].note
    assert "bia" not in enabled(shop)
    assert (LOJA, "bia", True, "applied") in said(flip(shop, "*@loja", "bia@loja", on=True))


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("zoe@loja", "loja has no bot zoe with the marker of gitops: its bots are ana, bia"),
        ("zoe@*", "no bot with the marker of gitops matches 'zoe@*'"),
        ("ana@x*", "no instance of the server matches 'x*'"),
        ("id:unknown@loja", "loja has no bot with the id unknown"),
        ("ana@lojas", 'The instance "lojas" does not exist'),
    ],
)
def test_what_names_nothing_is_a_problem_and_the_rest_is_done(shop: Stage, named: str, problem: str) -> None:
    report = flip(shop, named, "bia@loja")
    assert (report.ok, said(report)) == (False, [(LOJA, "bia", False, "applied")])
    [sentence] = report.problems
    assert problem in sentence


@pytest.mark.parametrize("text", ["", "ana", "@loja", "ana@", "id:@loja"])
def test_an_address_has_a_bot_and_an_instance(text: str) -> None:
    with pytest.raises(ReconcilerError, match="names no bot"):
        address(text)


def test_a_bot_of_nobody_is_named_by_its_id_and_gets_no_mark(shop: Stage) -> None:
    id_ = row(shop, "nobodys")["id"]
    report = flip(shop, f"id:{id_}@loja")
    assert said(report) == [(LOJA, id_, False, "applied")]
    assert only(report).note == "it has no marker of ours, so no mark was left"
    assert (row(shop, "nobodys")["enabled"], row(shop, "nobodys")["description"]) == (False, "by hand")
    assert said(flip(shop, f"id:{id_}@loja", on=True)) == [(LOJA, id_, True, "applied")]


def test_a_bot_of_nobody_has_two_notes_where_its_call_failed_and_took_effect(shop: Stage) -> None:
    id_ = row(shop, "nobodys")["id"]
    note = only(flip(shop, f"id:{id_}@loja", faults=[Fault("500, done", answer=answer(500))])).note
    assert note.startswith("it took effect, although the call failed: ")
    assert note.endswith("; it has no marker of ours, so no mark was left")


def test_a_bot_of_ours_may_be_named_by_its_id(shop: Stage) -> None:
    assert said(flip(shop, f"id:{row(shop, 'ana')['id']}@loja")) == [(LOJA, "ana", False, "applied")]
    assert MARK in row(shop, "ana")["description"]


def test_a_bot_of_another_owner_is_left_alone(shop: Stage) -> None:
    report = flip(shop, f"id:{row(shop, 'theirs')['id']}@loja")
    assert (report.ok, report.bots, shop.wrote) == (False, (), [])
    assert "it carries the marker of the owner team2" in report.problems[0]
    assert said(flip(shop, "ana@loja", owner="team2")) == [(LOJA, "ana", False, "applied")]
    assert sorted(enabled(shop)) == ["ana", "ana", "bia", "nobodys"]


def test_of_two_bots_with_one_marker_each_is_named_by_its_id(shop: Stage) -> None:
    bia = row(shop, "bia")
    creds = bia["openaiCredsId"]
    other = shop.bot("bia2", creds, description="[gitops:bia]")
    report = flip(shop, "bia@loja")
    assert (report.bots, shop.wrote) == ((), [])
    assert f"id:{other['id']}@loja" in report.problems[0]
    flip(shop, f"id:{bia['id']}@loja", f"id:{other['id']}@loja")
    assert (row(shop, "bia")["description"], row(shop, "bia2")["description"]) == (f"[gitops:bia]{MARK}",) * 2
    assert not row(shop, "bia")["enabled"]


def test_what_the_server_would_refuse_is_said(shop: Stage) -> None:
    creds = row(shop, "ana")["openaiCredsId"]
    shop.bot("um", creds, description="[gitops:um]", triggerType="all")
    flip(shop, "um@loja")
    second = shop.bot("dois", creds, description="[gitops:dois]", triggerType="all")
    report = flip(shop, "um@loja", on=True)
    assert (report.bots, report.ok, shop.wrote, shop.refused) == ((), False, [], 0)
    assert f"um@loja cannot be switched on: bot {second['id']} has the trigger all too" in report.problems[0]
    assert (LOJA, "dois", False, "applied") in said(flip(shop, "*@loja"))
    assert said(flip(shop, "um@loja", on=True)) == [(LOJA, "um", True, "applied")]


# -- sessions and the fallback ------------------------------------------------------------------

CONTACTS = [f"55119{number}@s.whatsapp.net" for number in range(4)]


def _with_sessions(shop: Stage) -> None:
    for contact, state in zip(CONTACTS, ("opened", "opened", "closed", "paused"), strict=True):
        shop.sandbox.open_session(LOJA, row(shop, "ana")["id"], contact, state)
    shop.sandbox.open_session(LOJA, row(shop, "bia")["id"], "5@s.whatsapp.net")


def _open(shop: Stage, name: str) -> int:
    found = shop.world.done("GET", f"/openai/fetchSessions/{row(shop, name)['id']}/loja")
    return sum(one["status"] == "opened" for one in found)


def test_open_sessions_are_counted_and_left(shop: Stage) -> None:
    _with_sessions(shop)
    assert (only(flip(shop, "ana@loja")).sessions, _open(shop, "ana")) == (2, 2)
    assert only(flip(shop, "ana@loja")).sessions == 2  # also of one that is off already
    assert only(flip(shop, "ana@loja", on=True)).sessions is None


def test_sessions_are_ended_when_that_is_asked_for(shop: Stage) -> None:
    _with_sessions(shop)
    report = flip(shop, "ana@loja", close_sessions=True)
    assert (only(report).sessions, report.closed, report.ok) == (0, 2, True)
    assert (_open(shop, "ana"), _open(shop, "bia")) == (0, 1)
    assert shop.wrote == ["PUT update", "POST changeStatus", "POST changeStatus"]


def test_sessions_that_stay_open_are_seen_whatever_the_server_says(shop: Stage) -> None:
    _with_sessions(shop)

    def edit(request: Request) -> bytes:
        return b"" if "changeStatus" in request.path and b"55119" + b"0" in request.raw else request.raw

    def tell(request: Request, raw: bytes) -> bytes:
        return raw or answer(200, b"{}")

    report = flip(shop, "ana@loja", close_sessions=True, edit=edit, tell=tell)
    assert (only(report).sessions, report.closed, report.left, report.ok) == (1, 1, True, False)


def test_sessions_of_a_bot_that_stays_on_are_not_said_to_be_left(shop: Stage) -> None:
    _with_sessions(shop)
    refused = Fault("400", answer=answer(400, b'{"message": "no"}'), forward=False)
    report = flip(shop, "ana@loja", close_sessions=True, faults=[refused])
    assert (only(report).on, only(report).sessions, report.left, report.ok) == (True, None, False, False)


@pytest.mark.parametrize("body", [b'[{"id": "x"}]', b'{"sessions": 2}'])
def test_sessions_that_cannot_be_read_are_not_none(shop: Stage, body: bytes) -> None:
    def tell(request: Request, raw: bytes) -> bytes:
        return answer(200, body) if "fetchSessions" in request.path else raw

    one = only(flip(shop, "ana@loja", tell=tell))
    assert (one.on, one.sessions) == (False, None)
    assert "is not understood" in one.unread
    assert not flip(shop, "ana@loja", close_sessions=True, tell=tell).ok


def test_sessions_of_a_server_that_went_away_are_not_known(shop: Stage) -> None:
    def tell(request: Request, raw: bytes) -> bytes:
        return answer(502) if "fetchSessions" in request.path else raw

    one = only(flip(shop, "ana@loja", tell=tell))
    assert (one.on, one.sessions, str(one.outcome)) == (False, None, "applied")
    assert "502" in one.unread


def test_sessions_of_other_bots_are_not_counted(shop: Stage) -> None:
    """The server lists all sessions of the instance where it does not know the bot."""
    _with_sessions(shop)
    every = json.dumps(shop.world.done("GET", "/openai/fetchSessions/unknown/loja")).encode()

    def tell(request: Request, raw: bytes) -> bytes:
        return answer(200, every) if "fetchSessions" in request.path else raw

    assert only(flip(shop, "bia@loja", tell=tell)).sessions == 1


def test_the_fallback_is_started_although_it_is_off(shop: Stage) -> None:
    ana = row(shop, "ana")
    old = shop.sandbox.options.version.startswith("2.2")
    settings = {name: ana[name] for name in _SETTINGS}
    shop.world.done("POST", "/openai/settings/loja", {**settings, "openaiCredsId": ana["openaiCredsId"]})
    fallback = {"openaiIdFallback": ana["id"]} if old else {"fallbackId": ana["id"], "openaiCredsId": ""}
    shop.world.done(
        "POST", "/openai/settings/loja", {**settings, "openaiCredsId": ana["openaiCredsId"], **fallback}
    )
    report = flip(shop, "*@loja")
    assert [(one.bot, one.fallback) for one in report.bots] == [("ana", True), ("bia", False)]


_SETTINGS = (
    "expire",
    "keywordFinish",
    "delayMessage",
    "unknownMessage",
    "listeningFromMe",
    "stopBotFromMe",
    "keepOpen",
    "debounceTime",
    "ignoreJids",
)


# -- trouble ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault("dropped, done", answer=b"", cut=True), "applied"),
        (Fault("500, done", answer=answer(500)), "applied"),
        (Fault("500", answer=answer(500), forward=False), "failed"),
        (Fault("200", answer=answer(200, b"{}"), forward=False), "failed"),
    ],
)
def test_what_a_read_shows_decides(shop: Stage, fault: Fault, outcome: str) -> None:
    report = flip(shop, "ana@loja", faults=[fault])
    assert said(report) == [(LOJA, "ana", outcome == "failed", outcome)]
    assert row(shop, "ana")["enabled"] is (outcome == "failed")
    assert report.ok is (outcome == "applied")


def _storing(**fields: Json) -> Callable[[Request], bytes]:
    """A server that gets these fields in the place of those that were sent; None for none."""

    def edit(request: Request) -> bytes:
        if request.method != "PUT":
            return request.raw
        head, _, body = request.raw.partition(b"\r\n\r\n")
        kept = {name: value for name, value in {**json.loads(body), **fields}.items() if value is not None}
        new = json.dumps(kept).encode()
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        return b"\r\n".join([*lines, f"Content-Length: {len(new)}".encode(), b"", new])

    return edit


def test_a_server_that_stores_no_enabled_is_seen(shop: Stage) -> None:
    report = flip(shop, "ana@loja", edit=_storing(enabled=True))
    assert (said(report), report.ok) == ([(LOJA, "ana", True, "failed")], False)
    assert "the server accepted enabled but kept true" in only(report).note


def test_a_server_that_stores_no_description_loses_the_mark_and_that_is_said(shop: Stage) -> None:
    report = flip(shop, "ana@loja", edit=_storing(description=None))
    assert (said(report), report.ok) == ([(LOJA, "ana", False, "failed")], False)
    assert "the server accepted description but kept" in only(report).note
    assert "without its mark an apply may switch it on again" in only(report).note


def test_of_a_bot_that_is_off_with_its_mark_no_mark_is_missed(shop: Stage) -> None:
    report = flip(shop, "ana@loja", edit=_storing(expire=77))
    assert (said(report), report.ok) == ([(LOJA, "ana", False, "failed")], False)
    assert only(report).note == "the server changed expire, which was not sent, from 300 to 77"


def test_another_instances_bots_are_not_written(shop: Stage) -> None:
    theirs = json.dumps(shop.world.bots(CAFE)).encode()

    def tell(request: Request, raw: bytes) -> bytes:
        return answer(200, theirs) if request.path.startswith("/openai/find/loja") else raw

    report = flip(shop, "ana@loja", tell=tell)
    assert (report.bots, report.ok, shop.wrote) == ((), False, [])
    assert 'these rows belong to the instance "café/2"' in report.problems[0]


def test_the_other_instances_go_on(shop: Stage) -> None:
    def tell(request: Request, raw: bytes) -> bytes:
        return answer(500, _REFUSAL) if request.path.startswith("/openai/find/loja") else raw

    report = flip(shop, "ana@*", tell=tell)
    assert (said(report), report.ok) == ([(CAFE, "ana", False, "applied")], False)
    assert "loja" in report.problems[0]


_REFUSAL = b'{"status": 500, "error": "Internal Server Error", "response": {"message": "no"}}'


def test_a_server_that_goes_away_leaves_the_rest_not_attempted(shop: Stage) -> None:
    gone = []

    def edit(request: Request) -> bytes:
        if request.method == "PUT":
            gone.append(request.path)
        return b"" if gone else request.raw

    def tell(request: Request, raw: bytes) -> bytes:
        return raw or answer(502)

    report = flip(shop, "*@loja", edit=edit, tell=tell)
    assert [outcome for *_, outcome in said(report)] == ["failed", "not attempted"]
    assert {on for *_, on, _ in said(report)} == {None}
    assert not report.ok
    assert len(gone) >= 1


def test_a_stop_is_heard(shop: Stage) -> None:
    stop = Stop()

    def edit(request: Request) -> bytes:
        if request.method == "PUT":
            stop.signal, stop.reason = 2, "Ctrl-C"
        return request.raw

    report = flip(shop, "*@loja", edit=edit, stop=stop)
    assert [outcome for *_, outcome in said(report)] == ["applied", "not attempted"]
    assert (report.signal, report.ok) == (2, False)
    assert report.bots[0].unread == "the run ended early: Ctrl-C"
