"""The JSON form: every document keeps its schema, and holds all of a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler import saved
from reconciler.domain import files
from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, FieldChange, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.results import Outcome, Result, Results
from reconciler.saved import encode
from tests.render.plans import PLANS, RESULTS, change, plan

_SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "plan.schema.json").read_text())
_VALIDATOR = Draft202012Validator(_SCHEMA)


@settings(deadline=None)
@given(PLANS, RESULTS)
def test_every_document_keeps_the_schema(made: Plan, ended: Results) -> None:
    for document in (encode.plan(made), encode.results(made, ended)):
        _VALIDATOR.validate(json.loads(document))
        assert document.isascii()
        assert not [c for c in document if c != "\n" and (c < " " or c == "\x7f")]
        assert document.endswith("}\n")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.lists(values).map(tuple) | st.dictionaries(st.text(), values),
)


@settings(deadline=None)
@given(VALUES)
def test_the_layout_is_that_of_json(value: object) -> None:
    assert encode.indented(value) == json.dumps(value, indent=2)


@settings(deadline=None)
@given(PLANS)
def test_a_plan_can_be_read_back(made: Plan) -> None:
    assert _read(json.loads(encode.plan(made))) == made


@pytest.mark.parametrize(
    "text",
    [
        "##[error]pwned",
        "a ##[group]b",
        "\\##[x",
        "\\\\##[x",
        "####[[x",
        '"##["',
        "\n##[x\x7f",
        "::error::x",
        "\n  ::add-mask::x",
        "\u0023#[",
    ],
)
def test_nothing_in_it_is_a_workflow_command(text: str) -> None:
    """And the value is the same."""
    made = plan(replace(change(Verb.UPDATE), reason=text))
    for document in (encode.plan(made), encode.plan(made, {"commit": text})):
        assert "##[" not in document
        assert not [line for line in document.splitlines() if line.lstrip().startswith("::")]
        assert json.loads(document)["instances"][0]["changes"][0]["reason"] == text


def test_results_name_their_changes() -> None:
    made = plan(change(Verb.UPDATE), change(Verb.DELETE, bot="old"))
    ended = Results(
        (
            Result(change(Verb.UPDATE), Outcome.APPLIED, id="cm1"),
            Result(change(Verb.DELETE, bot="old"), Outcome.FAILED, "no"),
        ),
        signal=2,
    )
    document = json.loads(encode.results(made, ended))
    whole = json.loads(encode.plan(made))
    assert document["plan"] == {
        name: whole[name] for name in whole if name not in {"format", "version", "sha256"}
    }
    assert document["signal"] == 2
    assert document["summary"] == {"applied": 1, "failed": 1, "stale": 0, "skipped": 0, "not attempted": 0}
    assert document["results"] == [
        {
            "instance": "loja",
            "of": "bot",
            "kind": "openai",
            "bot": "menu",
            "verb": "update",
            "outcome": "applied",
            "detail": "",
            "id": "cm1",
        },
        {
            "instance": "loja",
            "of": "bot",
            "kind": "openai",
            "bot": "old",
            "verb": "delete",
            "outcome": "failed",
            "detail": "no",
            "id": None,
        },
    ]


@pytest.mark.parametrize(
    ("place", "choices"),
    [
        (_SCHEMA["$defs"]["verb"]["enum"], Verb),
        (_SCHEMA["$defs"]["step"]["properties"]["call"]["enum"], Call),
        (
            _SCHEMA["$defs"]["results"]["properties"]["results"]["items"]["properties"]["outcome"]["enum"],
            Outcome,
        ),
    ],
)
def test_the_schema_has_the_words_of_the_model(place: list[str], choices: type[StrEnum]) -> None:
    assert place == [choice.value for choice in choices]


def test_a_saved_document_says_where_it_comes_from() -> None:
    origin = {"tool": "0.1.0", "created": "2026-01-02T03:04:05+00:00", "commit": None}
    for document in (encode.plan(plan(), origin), encode.results(plan(), Results(()), origin)):
        read = json.loads(document)
        _VALIDATOR.validate(read)
        assert {name: read[name] for name in origin} == origin
        assert read["format"] in encode.FORMATS


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(_SCHEMA)
    assert not _VALIDATOR.is_valid({"format": "evolution-reconciler/plan", "version": 3})
    assert not _VALIDATOR.is_valid(json.loads(encode.plan(plan())) | {"apiKey": "secret"})


def _read(document: dict[str, Any]) -> Plan:
    """A plan from its JSON form: nothing but what stands there."""
    return Plan(
        document["server"],
        document["owner"],
        tuple(
            InstancePlan(
                instance["name"],
                tuple(_read_change(instance["name"], each) for each in instance["changes"]),
                tuple(
                    Step(
                        Call(step["call"]),
                        step["bot"],
                        step["id"],
                        _body(step["body"]),
                        step["why"],
                        step["secret"] and SecretRef(**step["secret"]),
                        step["merge"],
                    )
                    for step in instance["steps"]
                ),
                instance["inSync"],
                instance["problem"],
                instance["credentials"],
                instance["keyless"],
            )
            for instance in document["instances"]
        ),
        document["serverName"] or "",
        document["base"] or "",
        tuple(document["limits"]),
        document["approval"] or "",
        document["approved"],
        tuple(document["notes"]),
    )


def _read_change(instance: str, each: dict[str, Any]) -> Change:
    before, at = each["before"], each["at"]
    return Change(
        instance,
        each["bot"],
        Verb(each["verb"]),
        each["reason"],
        tuple(each["ids"]),
        tuple(
            FieldChange(f["name"], _value(f["before"]), _value(f["after"]), f["note"]) for f in each["fields"]
        ),
        before and RemoteBot(before["id"], _body(before["fields"]), before["created"]),
        at and Position(at["file"], at["line"], at["column"]),
        each["cause"],
        Of(each["of"]),
        each["other"] or "",
    )


def _body(body: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in body.items()}


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def test_results_of_credentials_and_settings_can_be_read_back(tmp_path: Path) -> None:
    """They have no bot's name, and may be called as a bot is."""
    same: Fields = {"enabled": True, "botType": "assistant", "assistantId": "x", "triggerType": "all"}
    bot: Fields = {**same, "expire": 1, "description": "[gitops:main]", "openaiCredsId": "c1"}
    new, new_id = {"name": "main@2"}, {"openaiCredsId": "new credential main@2"}
    changes = (
        Change(
            *("loja", "main", Verb.ROTATE, "", ("c1",), (FieldChange("apiKey", None, "!env K"),)),
            of=Of.CREDENTIAL,
        ),
        Change("loja", "", Verb.CREATE, "", fields=(FieldChange("expire", None, 5),), of=Of.SETTINGS),
        Change(
            *("loja", "main", Verb.UPDATE, "", ("m1",), (FieldChange("expire", 1, 2),), RemoteBot("m1", bot))
        ),
        Change("loja", "a", Verb.DELETE, "", ("m2",), (FieldChange("description", "[gitops:a]", None),)),
    )
    changes = (*changes[:3], replace(changes[3], before=RemoteBot("m2", {"description": "[gitops:a]"})))
    steps = (
        Step(Call.NEW_CREDENTIAL, "credential main", None, new, secret=SecretRef("env", "K")),
        Step(Call.SETTINGS, "the settings", None, {"expire": 5}),
        Step(Call.MOVE, "credential main", "m1", new_id),
        Step(
            Call.UPDATE,
            "main",
            "m1",
            {**same, "expire": 2, "description": "[gitops:main]~12345678", **new_id},
        ),
        Step(Call.DELETE, "a", "m2", {}),
        Step(Call.OLD_CREDENTIAL, "credential main", "c1", {"name": "main"}),
    )
    made = plan(*changes, steps=steps)
    ended = Results(tuple(Result(each, Outcome.APPLIED, id="cm1") for each in changes))
    with files.Replacement(tmp_path / "results.json") as file:
        saved.write(file, made, ended)
    found = saved.read(tmp_path / "results.json")
    assert (found.plan, found.results) == (made, ended)
