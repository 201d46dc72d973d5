"""Saved plans that somebody altered: nothing is called that the plan does not show."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, validate

from reconciler import documents, saved
from reconciler.errors import ReconcilerError
from reconciler.model import Plan
from reconciler.render import json as form
from reconciler.render import markdown, text
from tests.cli.conftest import ROOT, Run
from tests.support import World

Doc = dict[str, Any]

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
    """A saved plan with every kind of change: two bots that swap, a new one, and a rotation among them."""
    world.instance("loja")
    (bots / "loja.yaml").write_text(_FIRST)
    assert run("apply", "--bots", bots, "--yes", env={"OPENAI_KEY_LOJA": "sk-first"}).exit_code == 0
    creds = world.creds("loja", "other")
    world.bot("loja", creds, triggerType="keyword", triggerOperator="equals", triggerValue="5", maxTokens=500)
    text = _FIRST
    for old, new in _THEN:
        text = text.replace(old, new)
    text += "  cinco: {maxTokens: 500, triggerValue: 5}\n  seis: {maxTokens: 600, triggerValue: 6}\n"
    (bots / "loja.yaml").write_text(text)
    made = run(
        *("plan", "--bots", bots, "--prune", "--out", "plan.json"), env={"OPENAI_KEY_LOJA": "sk-second"}
    )
    assert made.exit_code == 0, made.output
    document: Doc = json.loads((tmp_path / "plan.json").read_text())
    validate(document, _SCHEMA)
    verbs = {(c["of"], c["verb"]) for c in document["instances"][0]["changes"]}
    assert verbs == {
        *(("bot", verb) for verb in ("create", "update", "adopt", "replace", "delete")),
        ("credential", "rotate"),
        ("settings", "update"),
    }
    assert {s["call"] for s in document["instances"][0]["steps"]} == set(
        _SCHEMA["$defs"]["step"]["properties"]["call"]["enum"]
    )
    return document


def _sealed(document: Doc) -> str:
    """The document with all that it says of itself made anew, as somebody would who has read the source."""
    try:
        origin = {name: document[name] for name in ("tool", "created", "commit")}
        return form.plan(documents._plan(document), origin)
    except Exception:
        again = {**document, "sha256": form.sha256(document)}
        return json.dumps(again)


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
    """With its digests made anew or not: what is called differs only where what is shown does.

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
                document["sha256"] = form.sha256(document)
            tried += 1
            if (plan := _read(path, _sealed(document) if seal else json.dumps(document))) is None:
                continue
            taken += 1
            if place not in looked_at and not _VALIDATOR.is_valid(json.loads(path.read_text())):
                hidden.add((place, "against the schema"))
            looked_at.add(place)
            if _calls(plan) != calls:
                now = _shown(plan)
                if now[0] == shown[0] or now[1] == shown[1]:
                    hidden.add((place, json.dumps(_at(document, place))))
    assert not hidden
    assert tried > 3000 / each
    assert taken < tried / 4
