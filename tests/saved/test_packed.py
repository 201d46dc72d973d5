"""A file has each text once, reads back as it was, and is refused when it is packed in any other way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain import files
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed, ObservedInstance
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.plan.planner import make
from reconciler.saved import decode, encode, file, packed
from tests.plan.builders import AT, bot, options_of, remote
from tests.render.plans import PLANS, RESULTS, plan

ORIGIN = {"tool": "1", "created": "2026-01-01T00:00:00+00:00", "commit": None}
PROMPT = "Você atende os clientes da loja. " * 200
TEXTS = st.sampled_from(
    ("", "rows", "same", "short", "text:", "text:" + "0" * 32, PROMPT, "é" * 65, "x" * 64)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | TEXTS,
    lambda values: (
        st.lists(values)
        | st.dictionaries(TEXTS, values)
        | st.lists(TEXTS, unique=True).flatmap(
            lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, values)))
        )
    ),
)


@given(st.dictionaries(st.sampled_from(("a", "b", "c")), VALUES))
def test_whatever_is_packed_is_unpacked(document: dict[str, Any]) -> None:
    try:
        made = packed.pack(document)
    except packed.PackedError:
        assert '{"rows":' in json.dumps(document)
        return
    back = packed.unpack(json.loads(json.dumps(made)))
    assert json.dumps(back, sort_keys=True) == json.dumps(document, sort_keys=True)  # 1 is not true


@settings(deadline=None)
@given(PLANS, st.none() | RESULTS)
def test_a_file_says_what_is_printed(made: Plan, ended: Results | None) -> None:
    document = json.loads(encode.saved(made, ended, ORIGIN))
    whole = json.loads(encode.plan(made, ORIGIN) if ended is None else encode.results(made, ended, ORIGIN))
    assert packed.unpack(document) | {"version": 2, "sha256": whole["sha256"]} == whole


def _fleet(instances: int) -> Plan:
    """Instances with the same two bots: the prompt of one changes, the other is missing."""
    names = [f"loja-{number}" for number in range(instances)]
    bots = (
        bot("menu", "gpt-4o/300", "equals:1", systemMessages=(PROMPT + "Seja breve.",)),
        bot("other", "gpt-4o/301", "equals:2", systemMessages=(PROMPT + "Seja gentil.",)),
    )
    there = {
        name: remote(f"id-{name}", "gpt-4o/300", "equals:1", "[gitops:menu]", systemMessages=(PROMPT,))
        for name in names
    }
    return make(
        Desired(tuple(DesiredInstance(name, bots, AT) for name in names)),
        Observed("https://api.example", {name: ObservedInstance(name, (there[name],)) for name in names}),
        options_of(),
    )


def test_a_list_of_like_mappings_is_a_table() -> None:
    rows = [{"name": "a", "note": "", "after": None}, {"name": "b", "note": "", "after": [1]}]
    made = packed.pack({"fields": rows, "one": rows[:1], "alike": [{"a": 1}] * 3, "none": [{}, {}]})
    assert made == {
        "fields": {"rows": {"same": {"note": ""}, "each": {"name": ["a", "b"], "after": [None, [1]]}}},
        "one": rows[:1],
        "alike": {"rows": {"same": {}, "each": {"a": [1, 1, 1]}}},
        "none": [{}, {}],
        "texts": {},
    }


@pytest.mark.parametrize(
    "table",
    [
        None,
        [],
        {},
        {"same": {}, "each": {}},
        {"same": [], "each": {"a": [1, 2]}},
        {"same": {}, "each": {"a": 1}},
        {"same": {}, "each": {"a": [1, 2], "b": [1]}},
        {"same": {"b": [0] * 9}, "each": {"a": [1, 2]}},
        {"same": {"b": "x" * 65}, "each": {"a": [1, 2]}},
        {"same": {"b": {"rows": {"same": {}, "each": {"a": [1, 2]}}}}, "each": {"a": [1, 2]}},
    ],
)
def test_a_broken_table_is_refused(table: object) -> None:
    with pytest.raises(packed.PackedError, match="broken table"):
        packed.unpack({"changes": [{"rows": table}], "texts": {}})


def test_a_small_file_of_many_values_is_refused() -> None:
    same = {str(number): 0 for number in range(10_000)}
    table = {"rows": {"same": same, "each": {"a": [0] * 10_000}}}
    with pytest.raises(packed.PackedError, match="too many values in its tables"):
        packed.unpack({"changes": table, "texts": {}})


def test_a_document_of_too_many_values_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_CELLS", 3)
    with pytest.raises(packed.PackedError, match="too many values in its tables"):
        packed.pack({"changes": [{"a": 1, "b": 2}] * 2})


def test_a_text_that_many_have_is_in_a_file_once() -> None:
    few, many = (len(encode.saved(_fleet(instances), None, ORIGIN)) for instances in (10, 110))
    assert (many - few) / 200 < 1_500
    assert few > 2 * len(PROMPT)


def _resealed(document: dict[str, Any]) -> str:
    return json.dumps(document | {"sha256": encode.sha256(document)})


@pytest.mark.parametrize(
    ("alter", "why"),
    [
        (lambda texts: texts.clear(), "it lacks a text"),
        (lambda texts: texts.update({"0" * 32: "unused"}), "contradicts itself, or was altered, at texts"),
        (lambda texts: texts.update({next(iter(texts)): "other"}), "contradicts itself, or was altered"),
        (lambda texts: texts.update({next(iter(texts)): 7}), "it lacks its texts"),
    ],
)
def test_a_file_that_is_packed_in_another_way_is_refused(
    alter: Callable[[dict[str, Any]], None], why: str
) -> None:
    document = json.loads(encode.saved(_fleet(2), None, ORIGIN))
    assert decode.read(decode.parse(_resealed(document)))
    alter(document["texts"])
    with pytest.raises(decode.NotAPlanError, match=why):
        decode.read(decode.parse(_resealed(document)))


def test_a_file_that_would_be_too_large_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "MAX_BYTES", 2_000)
    path = tmp_path / "plan.json"
    with (
        pytest.raises(ReconcilerError, match=r"plan\.json is not written.*with --instance\.$"),
        files.Replacement(path) as out,
    ):
        file.write(out, _fleet(10))
    assert list(tmp_path.iterdir()) == []
    with files.Replacement(path) as out:
        file.write(out, plan())
    assert file.read(path).plan == plan()


def test_texts_that_occur_too_often_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(encode.saved(_fleet(10), None, ORIGIN))
    monkeypatch.setattr(packed, "MOST_CHARACTERS", 10 * len(PROMPT))
    with pytest.raises(decode.NotAPlanError, match="it has too many long texts"):
        decode.read(decode.parse(json.dumps(document)))
    with pytest.raises(packed.PackedError, match="has too many long texts"):
        encode.saved(_fleet(10), None, ORIGIN)
