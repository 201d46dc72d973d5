"""Saved plans that somebody altered: nothing is called that the plan does not show."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, validate

from reconciler import saved
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.render import markdown, text
from reconciler.sandbox import Sandbox
from reconciler.saved import decode, encode, packed
from tests.cli.conftest import ROOT, Run
from tests.support import World, unpacked

Doc = dict[str, Any]
Lie = Callable[[Doc], object]

_SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
_VALIDATOR = Draft202012Validator(_SCHEMA)
_FIRST = """\
credentials: {main: {apiKey: !env OPENAI_KEY_LOJA}}
settings: {openaiCreds: main, fallback: um, ignoreJids: {merge: ["@g.us"]}}
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword,
  triggerOperator: equals}
bots:
  um: {maxTokens: 100, triggerValue: 1, unknownMessage: hello}
  dois: {maxTokens: 200, triggerValue: 2}
  tres: {maxTokens: 300, triggerValue: 3}
  quatro: {maxTokens: 400, triggerValue: 4, onDrift: replace}
"""
_THEN = (
    ("triggerValue: 1, unknownMessage: hello", "triggerValue: 2, unknownMessage: hello there"),
    ("maxTokens: 200, triggerValue: 2", "maxTokens: 200, triggerValue: 1"),
    ("  tres: {maxTokens: 300, triggerValue: 3}\n", ""),
    ("triggerValue: 4, onDrift", "triggerValue: 44, onDrift"),
    ("fallback: um", "fallback: quatro, expire: 7"),
)


@pytest.fixture
def planned(run: Run, world: World, bots: Path, tmp_path: Path) -> Doc:
    """A saved plan with every kind of change: two bots that swap, a rotation, and a bot that moves here."""
    world.instance("loja")
    world.instance("zeta", "zeta")
    (bots / "loja.yaml").write_text(_FIRST)
    sete = "  sete: {%sbotType: assistant, assistantId: a7, triggerType: none}\n"
    (bots / "zeta.yaml").write_text("bots:\n" + sete % "openaiCreds: zeta, ")
    assert run("apply", "--bots", bots, "--yes", env={"OPENAI_KEY_LOJA": "sk-first"}).exit_code == 0
    creds = world.creds("loja", "other")
    world.bot("loja", creds, triggerType="keyword", triggerOperator="equals", triggerValue="5", maxTokens=500)
    text = _FIRST
    for old, new in _THEN:
        text = text.replace(old, new)
    text += "  cinco: {maxTokens: 500, triggerValue: 5}\n  seis: {maxTokens: 600, triggerValue: 6}\n"
    (bots / "loja.yaml").write_text(text + sete % "")
    (bots / "zeta.yaml").write_text("bots: {}\n")
    made = run(
        *("plan", "--bots", bots, "--prune", "--out", "plan.json"), env={"OPENAI_KEY_LOJA": "sk-second"}
    )
    assert made.exit_code == 0, made.output
    document = unpacked(json.loads((tmp_path / "plan.json").read_text()))
    validate(document, _SCHEMA)
    verbs = {(c["of"], c["verb"]) for c in document["instances"][0]["changes"]}
    assert verbs == {
        *(("bot", verb) for verb in ("create", "move", "update", "adopt", "replace", "delete")),
        ("credential", "rotate"),
        ("settings", "update"),
    }
    assert {s["call"] for one in document["instances"] for s in one["steps"]} == set(
        _SCHEMA["$defs"]["step"]["properties"]["call"]["enum"]
    )
    return document


def _sealed(document: Doc) -> str:
    """The document with all its digests recomputed, as somebody would who has read the source."""
    try:
        origin = {name: document[name] for name in ("tool", "created", "commit")}
        return encode.saved(decode.to_plan(document), None, origin)
    except Exception:
        again = {**document, "sha256": encode.sha256(document)}
        return json.dumps(again)


def _whole(document: Doc) -> Doc:
    """What a file says, as it is printed."""
    return unpacked(document) if document["version"] == packed.VERSION else document


def _read(path: Path, text: str) -> Plan | None:
    """The plan, None where it is refused."""
    path.write_text(text)
    try:
        return saved.read_plan(path)
    except ReconcilerError:
        return None


# -- every leaf ---------------------------------------------------------------------------------


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, part in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _places(part, (*path, key))


def _altered(document: Doc, path: tuple[Any, ...]) -> Iterator[Doc]:
    """The document with one place deleted, doubled, nested, or with another value of this type or another."""
    old: Any = document
    for key in path:
        old = old[key]
    others: list[Any] = [None, True, 7, "other", "", [], ["other"], {}, [old], {"plan": old}]
    others += [not old] if isinstance(old, bool) else []
    others += [f"{old}x", old[:-1]] if isinstance(old, str) else []
    others += [old + 1, -old - 1, str(old), 10**17] if type(old) is int else []
    others += [[*old, *old], old[::-1]] if isinstance(old, list) else []
    others += [{**old, "other": 1}] if isinstance(old, dict) else []
    *way, last = path
    for value in others:
        if json.dumps(value) == json.dumps(old):
            continue
        new = copy.deepcopy(document)
        parent: Any = new
        for key in way:
            parent = parent[key]
        parent[last] = value
        yield new
    new = copy.deepcopy(document)
    parent = new
    for key in way:
        parent = parent[key]
    del parent[last]
    yield new


def _at(document: Doc, place: tuple[Any, ...]) -> Any:
    found: Any = document
    for key in place:
        found = found[key] if not isinstance(found, dict) else found.get(key)
    return found


def _keeps_the_stamp(document: Doc, place: tuple[Any, ...]) -> bool:
    """Whether only the description is left out of an update of a bot that has its marker already.

    All that differs then is the stamp behind the marker, which no change shows.
    """
    if place[2:3] != ("steps",) or place[4:] != ("body", "description"):
        return False
    instance = document["instances"][place[1]]
    update = instance["steps"][place[3]]
    if "description" in update["body"] or update["call"] != "update":
        return False
    [change] = [one for one in instance["changes"] if one["bot"] == update["bot"] and one["of"] == "bot"]
    return f"[gitops:{update['bot']}]" in change["before"]["fields"]["description"]


def _calls(plan: Plan) -> list[Any]:
    """What is sent, of everything."""
    return sorted(
        repr((i.name, s.call, s.id, sorted(s.body.items()), s.secret, s.merge))
        for i in plan.instances
        for s in i.steps
    )


def _shown(plan: Plan) -> tuple[str, str]:
    page = markdown.plan(plan, max_chars=10**6)
    return text.plan(plan, width=10**4), page[: page.rindex("digest of the whole plan")]


_ALL = pytest.mark.slow


@pytest.mark.parametrize(
    ("seal", "each"),
    [(True, 13), (False, 37), pytest.param(True, 1, marks=_ALL), pytest.param(False, 1, marks=_ALL)],
)
def test_whatever_is_altered_is_refused_or_shown(planned: Doc, tmp_path: Path, seal: bool, each: int) -> None:
    """With its digests recomputed or not: what is called differs only where what is shown does.

    each: of so many places one is altered.
    """
    path = tmp_path / "altered.json"
    whole = _read(path, json.dumps(planned))
    assert whole is not None
    calls, shown = _calls(whole), _shown(whole)
    hidden, looked_at = set(), set()
    tried = taken = 0
    for place in [*_places(planned)][::each]:
        for document in _altered(planned, place):
            if not seal:
                document["sha256"] = encode.sha256(document)
            tried += 1
            if (plan := _read(path, _sealed(document) if seal else json.dumps(document))) is None:
                continue
            taken += 1
            if place not in looked_at and not _VALIDATOR.is_valid(_whole(json.loads(path.read_text()))):
                hidden.add((place, "against the schema"))
            looked_at.add(place)
            if _calls(plan) != calls:
                now = _shown(plan)
                if (now[0] == shown[0] or now[1] == shown[1]) and not _keeps_the_stamp(document, place):
                    hidden.add((place, json.dumps(_at(document, place))))
    assert not hidden
    assert tried > 3000 / each
    assert taken < tried / 4


@pytest.mark.parametrize("each", [7, pytest.param(1, marks=_ALL)])
def test_a_file_is_packed_in_one_way(planned: Doc, tmp_path: Path, each: int) -> None:
    """Whatever is altered where texts and tables stand in the place of what they mean is refused.

    What is taken is an altered document, packed as it should be: that is the case above.
    """
    path = tmp_path / "altered.json"
    packed_: Doc = json.loads(_sealed(planned))
    assert packed_["version"] == packed.VERSION
    assert _read(path, json.dumps(packed_)) is not None
    tried = 0
    for place in [*_places(packed_)][::each]:
        for document in _altered(packed_, place):
            document["sha256"] = encode.sha256(document)
            tried += 1
            if (plan := _read(path, json.dumps(document))) is None:
                continue
            origin = {name: document[name] for name in ("tool", "created", "commit")}
            again = json.loads(encode.saved(plan, None, origin))
            assert again == {**document, "sha256": again["sha256"]}, place
    assert tried > 3000 / each


# -- lies, with all seals made again ------------------------------------------------------------

Parts = list[Doc]


def _steps(document: Doc) -> Parts:
    found: Parts = document["instances"][0]["steps"]
    return found


def _step(document: Doc, bot: str, call: str) -> Doc:
    return next(step for step in _steps(document) if (step["bot"], step["call"]) == (bot, call))


def _change(document: Doc, bot: str) -> Doc:
    changes: Parts = document["instances"][0]["changes"]
    return next(change for change in changes if change["bot"] == bot)


def _sends(bot: str, call: str, **values: Any) -> Lie:
    """A call sends other values than are shown; None: it lacks them."""

    def lie(document: Doc) -> None:
        body = _step(document, bot, call)["body"]
        body.update(values)
        for name in [name for name, value in body.items() if value is None]:
            del body[name]

    return lie


def _describes(bot: str, call: str, old: str, new: str) -> Lie:
    def lie(document: Doc) -> None:
        body = _step(document, bot, call)["body"]
        assert old in body["description"]
        body["description"] = body["description"].replace(old, new)

    return lie


def _is(bot: str, call: str, /, **values: Any) -> Lie:
    return lambda document: _step(document, bot, call).update(values)


def _copied(bot: str, call: str, to: int, /, **values: Any) -> Lie:
    """A call more. to: its place among all calls."""
    return lambda document: _steps(document).insert(to, {**_step(document, bot, call), **values})


def _moved(bot: str, call: str, to: int) -> Lie:
    def lie(document: Doc) -> None:
        _steps(document).remove(step := _step(document, bot, call))
        _steps(document).insert(to, step)

    return lie


def _without(bot: str, call: str) -> Lie:
    return lambda document: _steps(document).remove(_step(document, bot, call))


def _called(bot: str, **values: Any) -> Lie:
    return lambda document: _change(document, bot).update(values)


def _swapped(document: Doc) -> None:
    one, other = _step(document, "um", "update"), _step(document, "dois", "update")
    one["id"], other["id"] = other["id"], one["id"]


def _of_another(document: Doc) -> None:
    """The id of another bot of the plan, in the change and its call."""
    id_ = _change(document, "um")["ids"][0]
    _step(document, "tres", "delete")["id"] = id_
    _change(document, "tres")["ids"] = [id_]
    _change(document, "tres")["before"]["id"] = id_


def _no_id(document: Doc) -> None:
    _step(document, "tres", "delete")["id"] = "../../instance/delete/loja"
    _change(document, "tres")["ids"] = ["../../instance/delete/loja"]
    _change(document, "tres")["before"]["id"] = "../../instance/delete/loja"


def _unmarked(document: Doc) -> None:
    del _step(document, "seis", "create")["body"]["description"]
    change = _change(document, "seis")
    change["fields"] = [field for field in change["fields"] if field["name"] != "description"]


def _another_old_credential(document: Doc) -> None:
    _change(document, "main")["ids"].append("another")
    _steps(document).append({**_steps(document)[-1], "id": "another", "body": {"name": "other"}})


def _unshown_field(document: Doc) -> None:
    _change(document, "um")["fields"].pop()


KEYS = "credential main"
ALL = "the settings"
LIES: dict[str, Lie] = {
    "an update deletes": _is("dois", "update", call="delete", body={}),
    "a delete before an update": _copied("dois", "update", 0, call="delete", body={}),
    "a delete after an update": _copied("dois", "update", 99, call="delete", body={}),
    "a delete of another bot": lambda document: _step(document, "tres", "delete").update(
        id=_change(document, "dois")["ids"][0]
    ),
    "a create with another trigger": _sends("seis", "create", triggerValue="7"),
    "a create that takes all": _sends("seis", "create", triggerType="all"),
    "a create with more": _sends("seis", "create", functionUrl="https://other.example"),
    "a create with a secret more": _sends("seis", "create", functionUrl="!env EVOLUTION_API_KEY"),
    "a create with less": _sends("seis", "create", triggerValue=None),
    "a create with a number as text": _sends("seis", "create", maxTokens="600"),
    "a create with true for a number": _sends("seis", "create", maxTokens=True),
    "a create without a marker": _unmarked,
    "a create with a credential that nobody makes": _sends(
        "seis", "create", openaiCredsId="new credential other"
    ),
    "an update with more": _sends("dois", "update", systemMessages=["other"]),
    "an update with less": _sends("dois", "update", triggerValue=None),
    "an update that disables": _sends("dois", "update", enabled=False),
    "an update with another credential": _sends("dois", "update", openaiCredsId="other"),
    "a marker of another owner": _describes("dois", "update", "gitops:", "other:"),
    "a marker of another name": _describes("dois", "update", ":dois", ":um"),
    "a marker more": _describes("dois", "update", "[gitops", "[other:x]~01234567 [gitops"),
    "a marker of another name in a create": _describes("seis", "create", ":seis", ":sete"),
    "a park that takes all": _sends("dois", "park", triggerValue="(?!)parked|.*"),
    "a park that takes all, with a right beginning": _sends(
        "dois", "park", triggerValue="(?!)parked by gitops: dois|.*"
    ),
    "a park of another trigger": _sends("dois", "park", triggerType="all"),
    "a park with a prompt": _sends("dois", "park", systemMessages=["other"]),
    "a park that disables": _sends("dois", "park", enabled=False),
    "a park without need": _copied("cinco", "update", 10, call="park"),
    "no park": _without("dois", "park"),
    "no call": lambda document: _steps(document).clear(),
    "all calls backwards": lambda document: _steps(document).reverse(),
    "a create twice": _copied("seis", "create", 12),
    "an update twice": _copied("dois", "update", 99),
    "no create": _without("seis", "create"),
    "a replace without its delete": _without("quatro", "delete"),
    "a replace without its create": _without("quatro", "create"),
    "ids exchanged": _swapped,
    "the id of another bot": _of_another,
    "an id that is a path": _no_id,
    "a key from elsewhere": lambda document: _step(document, KEYS, "new credential")["secret"].update(
        name="EVOLUTION_API_KEY"
    ),
    "a key from a file": _is(
        KEYS, "new credential", secret={"tag": "secret-file", "name": "/etc/ssl/private/key"}
    ),
    "a key that is a command": _is(KEYS, "new credential", secret={"tag": "exec", "name": "id"}),
    "a key in a bot": _is("seis", "create", secret={"tag": "env", "name": "HOME"}),
    "a key in a body": _sends(KEYS, "new credential", apiKey="key"),
    "a credential of another name": _sends(KEYS, "new credential", name="other"),
    "a new credential last": _moved(KEYS, "new credential", 99),
    "an old credential first": _moved(KEYS, "old credential", 0),
    "an old credential of another id": _is(KEYS, "old credential", id="other"),
    "an old credential of another name": _sends(KEYS, "old credential", name="other"),
    "an old credential more": _another_old_credential,
    "a move to another credential": _sends(KEYS, "move", openaiCredsId="other"),
    "a move of more": _sends(KEYS, "move", enabled=False),
    "another fallback": _sends(ALL, "fallback", fallbackId="new bot seis"),
    "no fallback": _sends(ALL, "fallback", fallbackId=""),
    "another value of the settings": _sends(ALL, "settings", expire=8),
    "a field that settings have not": _sends(ALL, "settings", webhook="https://other.example"),
    "another credential in the settings": _sends(ALL, "settings", openaiCredsId="other"),
    "a fallback in the settings": _sends(ALL, "settings", fallbackId="other"),
    "a merge of nothing": _is(ALL, "settings", merge=True),
    "an update called adopt": _called("dois", verb="adopt"),
    "an adopt called update": _called("cinco", verb="update"),
    "a delete called orphan": _called("tres", verb="orphan"),
    "a delete called held": _called("tres", verb="held"),
    "a change that is not shown": lambda document: document["instances"][0]["changes"].remove(
        _change(document, "tres")
    ),
    "a change that is shown twice": lambda document: document["instances"][0]["changes"].append(
        _change(document, "tres")
    ),
    "a field that is not shown": _unshown_field,
    "another owner": lambda document: document.update(owner="other"),
    "a move called create": lambda document: _change(document, "sete").update(verb="create"),
    "a move called create, from nowhere": lambda document: _change(document, "sete").update(
        verb="create", other=None
    ),
    "a move from nowhere": lambda document: _change(document, "sete").update(other=None),
    "a move from another instance": lambda document: _change(document, "sete").update(other="loja"),
    "a create called move": lambda document: _change(document, "seis").update(verb="move", other="zeta"),
    "a move without its delete": lambda document: document["instances"][1].update(changes=[], steps=[]),
    "a move whose delete does not wait": lambda document: document["instances"][1]["steps"][0].update(
        call="delete"
    ),
    "a delete that waits": _is("tres", "delete", call="leave"),
    "a delete called move": _called("tres", verb="move"),
    "a delete for a move that is not": _called("tres", other="zeta"),
    "an approval of nothing": lambda document: document.update(approved=True, approval="0123456789ab"),
    "an approval that is a text": lambda document: document.update(approval="::error::"),
    "a limit that is no limit": lambda document: document.update(limits=["too much"]),
    "an instance that could not be read": lambda document: document["instances"][0].update(problem="x"),
}


def test_a_lie_is_refused_before_the_first_call(
    run: Run, server: Sandbox, world: World, planned: Doc, tmp_path: Path
) -> None:
    server.calls.clear()
    shown = {}
    for name, lie in LIES.items():
        document = copy.deepcopy(planned)
        lie(document)
        (tmp_path / "altered.json").write_text(_sealed(document))
        applied = run("apply", "altered.json", "--yes", env={"OPENAI_KEY_LOJA": "sk-second"})
        if applied.exit_code != 1 or not applied.stderr.startswith("Error: altered.json "):
            shown[name] = applied.output[-500:]
    assert shown == {}
    assert server.calls == []
