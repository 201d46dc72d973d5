"""What is called what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.desired import Fields
from reconciler.importer import naming

KEYWORD: Fields = {"triggerType": "keyword", "triggerOperator": "equals"}
BOTS: list[tuple[str, Fields, str]] = [
    ("Menu 1, orders", {}, "menu-1-orders"),
    ("Horários e endereço", {}, "horarios-e-endereco"),
    ("Łódź Straße nº 5", {}, "lodz-strasse-no-5"),
    ("24", {}, "bot-24"),
    ("Front desk for everybody who wants to know something", {}, "front-desk-for-everybody-who-wants-to"),
    ("x" * 300, {}, "x" * 40),
    ("", {**KEYWORD, "triggerValue": "pedidos"}, "pedidos"),
    ("", {**KEYWORD, "triggerValue": "1"}, "menu-1"),
    ("Финансы", {**KEYWORD, "triggerValue": "1"}, "menu-1"),
    ("", {**KEYWORD, "triggerOperator": "regex", "triggerValue": r"^\s*(oi|olá)\b"}, "oi-ola"),
    (
        "",
        {"triggerType": "advanced", "triggerValue": "contains:troca,trocar notcontains:não"},
        "troca-trocar",
    ),
    ("", {"triggerType": "all"}, "catch-all"),
    ("", {"triggerType": "none", "botType": "chatCompletion", "model": "gpt-4o"}, "gpt-4o"),
    ("", {"triggerType": "none", "botType": "assistant", "assistantId": "asst_A1", "model": "m"}, "asst-a1"),
    ("", {**KEYWORD, "triggerValue": "?", "botType": "chatCompletion", "model": "店"}, "bot"),
]


@pytest.mark.parametrize(("text", "fields", "name"), BOTS)
def test_bots(text: str, fields: Fields, name: str) -> None:
    assert naming.bot(text, fields) == name


@given(st.text(), st.text())
def test_any_bot_has_a_valid_name(text: str, value: str) -> None:
    assert re.fullmatch("[a-z0-9][a-z0-9-]{0,60}", naming.bot(text, {**KEYWORD, "triggerValue": value}))


STEMS = {
    "loja-centro": "loja-centro",
    "Matriz": "matriz-2",
    "matriz": "matriz",
    "vendas_01": "vendas_01",
    "x.yaml": "x.yaml",
    "Loja Shopping": "loja-shopping",
    "Ação & Cia": "acao-cia",
    "../x": "x",
    "..": "instance",
    "店": "instance-2",
    "a/b": "a-b",
    "_a": "a",
    ".b": "b",
    "con": "con-1",
    "lpt1.old": "lpt1-old",
    "trailing.": "trailing",
    "e" * 200: "e" * 40,
}


def test_files() -> None:
    assert naming.stems(STEMS, ()) == STEMS
    assert naming.stems(["Loja Centro"], ["loja-centro"]) == {"Loja Centro": "loja-centro-2"}


@given(st.lists(st.text(min_size=1), unique=True))
def test_any_file_is_harmless(names: list[str]) -> None:
    stems = list(naming.stems(names, ()).values())
    assert len({stem.lower() for stem in stems}) == len(names)
    for stem in stems:
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9_-])?", stem)
        assert stem.lower().split(".")[0] not in ("con", "prn", "aux", "nul", "com1", "lpt1")


VARIABLES = [
    ("loja-centro-openai", (), "OPENAI_KEY_LOJA_CENTRO"),
    ("OpenAI", (), "OPENAI_KEY_LOJA_7"),
    ("ção 1", (), "OPENAI_KEY_CAO_1"),
    ("店", (), "OPENAI_KEY_LOJA_7"),
    ("main", ("OPENAI_KEY_MAIN", "OPENAI_KEY_MAIN_2"), "OPENAI_KEY_MAIN_3"),
]


@pytest.mark.parametrize(("credential", "taken", "variable"), VARIABLES)
def test_variables(credential: str, taken: tuple[str, ...], variable: str) -> None:
    assert naming.variable(credential, "Loja 7", taken) == variable
