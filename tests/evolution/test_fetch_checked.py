"""Rows are checked before they are believed: whose they are, and who uses a credential."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredCredential, DesiredInstance, SecretRef
from reconciler.domain.keys import Keys
from reconciler.domain.kinds import OPENAI
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Of, Plan, Verb
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from reconciler.evolution.confirming import misplaced
from reconciler.evolution.fetch import fetch
from reconciler.plan import differ, planner
from reconciler.render import markdown, text
from reconciler.saved import encode
from tests.evolution.scripted import KEY, Request, reply, serving
from tests.evolution.test_answers import STORED
from tests.evolution.test_fetch import AT, SETTINGS
from tests.plan.builders import options_of


def row(ident: object, home: str = "home-a", **fields: object) -> dict[str, object]:
    return {**STORED, "id": ident, "instanceId": home, "openaiCredsId": "c1", **fields}


def creds(ident: str, home: str = "home-a", *users: str, **fields: object) -> dict[str, object]:
    of = [{"id": user} for user in users]
    return {
        "id": ident,
        "name": "main",
        "apiKey": "sk-1",
        "OpenaiAssistant": of,
        "instanceId": home,
        **fields,
    }


def declared(name: str, *bots: str, credential: bool = False, **fields: Any) -> DesiredInstance:
    """An instance whose bots are as STORED is."""
    said: dict[str, Any] = {
        "botType": "chatCompletion",
        "model": "gpt-4o",
        "maxTokens": 1,
        "triggerType": "none",
        **fields,
    }
    made = tuple(DesiredBot(bot, said, "main", AT) for bot in bots)
    keys = (DesiredCredential("main", SecretRef("env", "K"), AT),) if credential else ()
    return DesiredInstance(name, made, AT, keys)


def observed(answers: Mapping[str, object], *instances: DesiredInstance, key: str = "") -> Observed:
    """What is read of a server that answers so, by the end of the path; [] to everything else."""

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        other: object = SETTINGS if "Settings" in request.target else []
        target = request.target if request.target.startswith(("/openai/", "/instance/")) else ""
        found = next((body for path, body in answers.items() if target.endswith(path)), other)
        await reply(200, found)(request, writer)

    keys = Keys({(i.name, c.name): SecretStr(key) for i in instances for c in i.credentials} if key else {})

    async def run() -> Observed:
        async with serving(act) as spy, Client(Server(spy.url, KEY, retry_delay=0.001)) as client:
            return await fetch(client, Desired(instances), lambda one, bots, kind: True, keys)

    return asyncio.run(run())


def planned(answers: Mapping[str, object], *instances: DesiredInstance, key: str = "") -> Plan:
    options = options_of(prune=True, max_deletes=99, max_delete_share=100)
    return planner.make(Desired(instances), observed(answers, *instances, key=key), options)


def shown(made: Plan) -> str:
    """Every form of a plan can say it."""
    assert encode.plan(made)
    assert markdown.plan(made)
    return text.plan(made, width=10_000)


def confirmed(answers: Mapping[str, object], *instances: DesiredInstance) -> tuple[dict[str, str], int]:
    """What of a plan, which prunes, belongs to another instance; and how often instances were listed."""
    options = options_of(prune=True, max_deletes=99, max_delete_share=100)

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        other: object = SETTINGS if "Settings" in request.target else []
        found = next((body for path, body in answers.items() if request.target.endswith(path)), other)
        await (reply(403, REFUSED) if found is REFUSED else reply(200, found))(request, writer)

    async def run() -> tuple[dict[str, str], int]:
        async with serving(act) as spy, Client(Server(spy.url, KEY, retry_delay=0.001)) as client:
            seen = await fetch(client, Desired(instances), lambda one, bots, kind: False)
            found = await misplaced(client, planner.make(Desired(instances), seen, options))
            return found, sum("fetchInstances" in one.target for one in spy.requests)

    return asyncio.run(run())


def test_where_nothing_is_listed_instances_are_confirmed_side_by_side() -> None:
    """Each has an orphan that is deleted; the key may not list them."""
    instances = tuple(DesiredInstance(f"i{number}", (), AT) for number in range(9))
    running = peak = 0

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal running, peak
        what, _, name = request.target.removeprefix("/openai/").partition("/")
        if request.target.endswith("fetchInstances"):
            await reply(403, REFUSED)(request, writer)
        elif what == "find":
            orphan = row(f"b-{name}", f"home-{name}", description="[gitops:gone]")
            await reply(200, [orphan])(request, writer)
        else:
            running += 1
            peak = max(peak, running)
            await reply(200, SETTINGS if what == "fetchSettings" else [], slow=0.02)(request, writer)
            running -= 1

    async def run() -> dict[str, str]:
        async with serving(act) as spy, Client(Server(spy.url, KEY, concurrency=4)) as client:
            seen = await fetch(client, Desired(instances), lambda one, bots, kind: False)
            options = options_of(prune=True, max_deletes=99, max_delete_share=100)
            made = planner.make(Desired(instances), seen, options)
            assert all(one.steps for one in made.instances)
            return await misplaced(client, made)

    assert (asyncio.run(run()), peak) == ({}, 4)


REFUSED = {"status": 403, "error": "Forbidden", "response": {"message": "no"}}
OTHERS = [row("b1", "home-b", description="[gitops:x]"), row("b2", "home-b", description="[gitops:gone]")]
LISTED = [{"name": "a", "id": "home-a"}, {"name": "b", "id": "home-b"}]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"find/a": OTHERS, "fetchInstances": LISTED}, 'these rows belong to the instance "b"'),
        ({"find/a": OTHERS, "fetchInstances": LISTED[:1]}, "these rows belong to an instance that is not"),
        (
            {
                "find/a": OTHERS,
                "creds/a": [creds("c1", "home-b")],
                "fetchSettings/a": {"id": "s", "instanceId": "home-b", **SETTINGS},
                "fetchInstances": LISTED,
            },
            'these rows belong to the instance "b"',
        ),
        ({"find/a": OTHERS, "fetchInstances": REFUSED, "creds/a": [creds("c1")]}, "another instance"),
        (
            {
                "find/a": OTHERS,
                "fetchInstances": REFUSED,
                "fetchSettings/a": {"id": "s", "instanceId": "home-a", **SETTINGS},
            },
            "another instance",
        ),
        ({"find/a": OTHERS, "fetchInstances": LISTED[1:], "creds/a": [creds("c1")]}, "another instance"),
        ({"find/a": OTHERS, "fetchInstances": [{"name": "a"}], "creds/a": [creds("c1")]}, "another instance"),
        ({"find/a": OTHERS, "fetchInstances": [LISTED[1], {"name": "a", "id": "home-b"}]}, ""),
        ({"find/a": OTHERS, "fetchInstances": REFUSED}, ""),
        ({"find/a": OTHERS, "fetchInstances": REFUSED, "creds/a": REFUSED, "fetchSettings/a": REFUSED}, ""),
    ],
)
def test_what_a_plan_writes_to_is_confirmed(answers: Mapping[str, object], says: str) -> None:
    one = declared("a", "x", openaiCredsId="c1")
    found, lists = confirmed(answers, replace(one, bots=(replace(one.bots[0], creds=None),)))
    assert set(found) == ({"a"} if says else set())
    assert says in found.get("a", "")
    assert lists == 1


def test_one_list_is_enough_for_a_plan_and_none_for_one_that_writes_nothing() -> None:
    names = [f"i{number}" for number in range(20)]
    rows = {f"find/{name}": [row(name, f"home-{name}", description="[gitops:gone]")] for name in names}
    listed = [{"name": name, "id": f"home-{name}"} for name in names]
    instances = [declared(name) for name in names]
    assert confirmed({**rows, "fetchInstances": listed}, *instances) == ({}, 1)
    same = {f"find/{name}": [row(name, f"home-{name}", description="not ours")] for name in names}
    assert confirmed({**same, "fetchInstances": listed}, *instances) == ({}, 0)


def test_of_two_instances_with_the_same_rows_the_one_that_has_them_is_planned() -> None:
    answers = {
        "find/a": OTHERS,
        "find/b": OTHERS,
        "creds/b": [creds("c1", "home-b", "b1", "b2")],
        "fetchInstances": LISTED,
    }
    made = {one.name: one for one in planned(answers, declared("a", "x"), declared("b", "x")).instances}
    assert "another instance" in (made["a"].problem or "")
    assert made["a"].steps == ()
    assert made["b"].problem is None
    assert [step.id for step in made["b"].steps] == ["b2"]


@pytest.mark.parametrize(
    ("bots", "users", "says"),
    [
        ([row("a1")], [row("a1"), row("a2")], "shows the bot a2"),
        ([], [row("a1")], "shows the bot a1"),
        (None, [row("a1")], "shows the bot a1"),
        ([row("a1")], [row("a1"), row("b1", "home-b")], ""),
        ([row("a1"), row("a2")], [row("a1")], ""),
        ([row(""), row("a2")], [row("a1"), row("a2")], ""),
        ([row("a1")], [{"id": "a2"}], ""),
        ([row("a1")], None, ""),
    ],
    ids=str,
)
def test_a_list_of_bots_that_is_not_whole(bots: object, users: list[object] | None, says: str) -> None:
    """A credential shows bots of its instance that the list does not have."""
    answers = {"find/a": bots, "creds/a": [{**creds("c1"), "OpenaiAssistant": users}]}
    [one] = planned(answers, declared("a", "x")).instances
    assert says in (one.problem or "")
    assert (one.problem is None) == (not says)


MIXED: dict[str, tuple[Mapping[str, object], set[str], str]] = {
    "b's rows in a's answer": (
        {
            "find/a": [row("b1", "home-b")],
            "find/b": [row("b1", "home-b")],
            "creds/b": [creds("c2", "home-b")],
        },
        {"a", "b"},
        "",
    ),
    "a's rows by their instanceId, and b's credentials": (
        {"find/a": [row("a1")], "creds/a": [creds("c1", "home-b")]},
        {"a"},
        "rows of another instance",
    ),
    "two instances in one answer": ({"find/a": [row("a1"), row("a2", "home-c")]}, {"a"}, "another instance"),
    "an id in two instances": ({"find/a": [row("x")], "find/b": [row("x", "home-b")]}, {"a", "b"}, ""),
    "an id twice": ({"find/a": [row("x"), row("x")]}, {"a"}, "twice"),
    "a credential twice": ({"creds/a": [creds("c1"), creds("c1", name="other")]}, {"a"}, "twice"),
    "a credential in two instances": (
        {"creds/a": [creds("c1")], "creds/b": [creds("c1", "home-b")]},
        {"a", "b"},
        "",
    ),
    "settings of another": (
        {"find/a": [row("a1")], "fetchSettings/a": {"id": "s", "instanceId": "home-b", **SETTINGS}},
        {"a"},
        "another instance",
    ),
    "settings that are an error": ({"fetchSettings/a": {"error": True}}, {"a"}, "says that it failed"),
    "settings of 500": ({"fetchSettings/a": {"status": 500, "message": "no"}}, {"a"}, "no"),
    "credentials that are an error": ({"creds/a": {"error": "x"}}, {"a"}, "x"),
}


@pytest.mark.parametrize("case", MIXED)
def test_rows_that_cannot_be_believed_are_the_problem_of_their_instance(case: str) -> None:
    answers, troubled, words = MIXED[case]
    made = planned(answers, declared("a", "x"), declared("b", "x"), declared("c", "x"))
    assert {one.name for one in made.instances if one.problem is not None} == troubled
    for one in made.instances:
        if one.name in troubled:
            assert words in (one.problem or "")
            assert one.steps == ()
    assert "with a problem" in shown(made)


ODD: list[Mapping[str, object]] = [
    *({name: None} for name in ("botType", "triggerType", "enabled", "openaiCredsId", "id")),
    *({name: 7.5} for name in OPENAI.fields if name != "description"),
    *({name: {}} for name in OPENAI.fields if name != "description"),
    {"botType": "responses"},
    {"triggerType": "always"},
    {"triggerOperator": "sounds like"},
    {"id": "a/../b"},
    {"id": "\ud800"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_row_that_is_not_understood_is_never_written(odd: Mapping[str, object]) -> None:
    """Ours, another's and nobody's; the rest of the instance is planned."""
    rows = [
        {**row("a1", description="Front [gitops:ours]", expire=5), **odd},
        {**row("a2", description="[gitops:gone]", model="m2", expire=5), **odd},
        row("a3", description="[gitops:good]", model="m3"),
    ]
    made = planned(
        {"find/a": rows, "creds/a": [creds("c1")]}, declared("a", "ours", "good", model="m3", expire=9)
    )
    [only] = made.instances
    assert only.problem is None
    assert {(c.bot, c.verb) for c in only.changes} == {
        ("ours", Verb.CONFLICT),
        ("good", Verb.UPDATE),
        ("", Verb.UNMANAGED),
    }
    assert {step.id for step in only.steps} == {"a3"}
    [name] = odd
    assert f"its row is not understood: {name} " in shown(made)


@pytest.mark.parametrize("odd", [{"description": 3}, {"description": "\ud800"}, None, "x"], ids=str)
def test_what_may_be_ours_is_not_made_again(odd: object) -> None:
    rows = [{**row("a1"), **odd} if isinstance(odd, dict) else odd]
    made = planned({"find/a": rows, "creds/a": [creds("c1")]}, declared("a", "ours", model="another"))
    [only] = made.instances
    assert only.steps == ()
    assert {(c.bot, c.verb) for c in only.changes} - {("", Verb.UNMANAGED)} == {("ours", Verb.CONFLICT)}
    assert "may be it" in shown(made)


def test_credentials_and_settings_that_are_not_understood_are_said() -> None:
    answers = {
        "find/a": [row("a1", description="[gitops:x]")],
        "creds/a": [creds("c1"), creds("c2", name=None), creds("", name="third")],
        "fetchSettings/a": {**SETTINGS, "id": "s", "expire": "soon"},
    }
    made = planned(answers, declared("a", "x"))
    [only] = made.instances
    assert (only.problem, only.steps, only.in_sync) == (None, (), 1)
    assert {(c.of, c.bot, c.verb) for c in only.changes} == {
        (Of.CREDENTIAL, "c2", Verb.UNMANAGED),
        (Of.CREDENTIAL, "third", Verb.UNMANAGED),
        (Of.SETTINGS, "", Verb.UNMANAGED),
    }
    said = shown(made)
    assert "name is null" in said
    assert "expire is not of type int" in said
    assert "3 rows not understood" in said


def test_a_credential_without_a_name_may_be_the_one_that_is_declared() -> None:
    made = planned({"creds/a": [creds("c2", name=None)]}, declared("a", "x", credential=True), key="sk-2")
    [only] = made.instances
    assert only.steps == ()
    assert "may be it" in shown(made)


OLD = {"name": "main", "apiKey": "sk-old"}
NEW = {"name": "main@2", "apiKey": "sk-new"}


@pytest.mark.parametrize(
    ("users", "goes"),
    [(["a1"], True), (["a1", "a2"], False), ([], False), (None, False), (["a2"], False)],
)
def test_an_old_credential_goes_when_all_sources_agree(users: list[str] | None, goes: bool) -> None:
    """What uses it moves in this plan; but whom else would its cascade delete?"""
    listed = None if users is None else [{"id": user} for user in users]
    answers = {
        "find/a": [row("a1", description="[gitops:x]")],
        "creds/a": [
            {**creds("c1", "home-a"), **OLD, "OpenaiAssistant": listed},
            {**creds("c2", "home-a"), **NEW},
        ],
    }
    made = planned(answers, declared("a", "x", credential=True), key="sk-new")
    assert any(step.call.value == "old credential" for step in made.instances[0].steps) is goes


@pytest.mark.parametrize(
    ("shown_key", "standing"),
    [
        ("sk-new", "present"),
        ("sk-old", "different"),
        *(
            (masked, "not compared")
            for masked in ("***", "sk-…new", "sk-****", "", None, "sk-", "-new", "xxxx")
        ),
    ],
)
def test_a_key_that_is_masked_is_not_compared(shown_key: object, standing: str) -> None:
    answers = {"find/a": [row("a1", description="[gitops:x]")], "creds/a": [creds("c1", apiKey=shown_key)]}
    made = planned(answers, declared("a", "x", credential=True), key="sk-new")
    assert made.instances[0].credentials == {"main": standing}
    assert any(c.verb is Verb.ROTATE for c in made.changes()) is (standing == "different")


@pytest.mark.parametrize("name", ["splitMessages", "timePerChar", "debounceTime", "expire", "ignoreJids"])
@pytest.mark.parametrize("how", ["dropped", "null"])
def test_a_field_that_the_server_lost_is_nobodys_edit(name: str, how: str) -> None:
    value: Any = {"splitMessages": True, "ignoreJids": ("@g.us",)}.get(name, 7)
    one = declared("a", "x", **{name: value}).bots[0]
    fields: dict[str, Any] = {"openaiCredsId": "c1", **STORED_FIELDS, name: value}
    stamp = differ.stamp(one, fields, "gitops")
    now = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    stored = {**row("a1"), **now, "description": f"[gitops:x]{stamp}", "openaiCredsId": "c1", name: None}
    if how == "dropped":
        del stored[name]
    made = planned({"find/a": [stored], "creds/a": [creds("c1")]}, declared("a", "x", **{name: value}))
    causes = {change.cause for change in made.changes() if change.of is Of.BOT}
    assert causes == (set() if how == "dropped" else {""})
    assert "edited on the server" not in shown(made)


STORED_FIELDS: dict[str, Any] = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in STORED.items()
    if name in OPENAI.fields and value is not None
}
