"""What is called what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import RemoteBot
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
    assert naming.bot(text, RemoteBot("", fields)) == name


@given(st.text(), st.text())
def test_any_bot_has_a_valid_name(text: str, value: str) -> None:
    remote = RemoteBot("", {**KEYWORD, "triggerValue": value})
    assert re.fullmatch("[a-z0-9][a-z0-9-]{0,60}", naming.bot(text, remote))


OTHER_KINDS: list[tuple[str, Fields, str]] = [
    ("typebot", {"triggerType": "none", "url": "https://t.example", "typebot": "Pedidos-X1"}, "pedidos-x1"),
    ("dify", {"triggerType": "none", "botType": "agent", "apiUrl": "https://d.example"}, "dify"),
    ("evoai", {"triggerType": "none", "agentUrl": "https://e.example/secret"}, "evo-ai"),
    ("n8n", {"triggerType": "none", "webhookUrl": "https://n.example/x", "basicAuthUser": "ana"}, "n8n"),
    ("flowise", {"triggerType": "all", "apiUrl": "https://f.example"}, "catch-all"),
]


@pytest.mark.parametrize(("path", "fields", "name"), OTHER_KINDS)
def test_bots_of_other_kinds(path: str, fields: Fields, name: str) -> None:
    assert naming.bot("", RemoteBot("", fields, kind=KINDS[path])) == name


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


SECRETS = [
    ("dify", "apiKey", ("loja", "menu"), "DIFY_KEY_LOJA_MENU"),
    ("dify", "apiKey", ("loja",), "DIFY_KEY_LOJA"),
    ("dify", "apiKey", (), "DIFY_KEY"),
    ("evolutionBot", "apiKey", ("Loja São João", "menu-1"), "EVOLUTION_BOT_KEY_LOJA_SAO_JOAO_MENU_1"),
    ("n8n", "basicAuthPass", ("loja", "menu"), "N8N_BASIC_AUTH_PASS_LOJA_MENU"),
    ("n8n", "webhookUrl", ("店", "menu"), "N8N_WEBHOOK_URL_MENU"),
    ("flowise", "apiUrl", ("taken", "menu"), "FLOWISE_URL_TAKEN_MENU_2"),
    ("openai", "functionUrl", ("loja", "menu"), "FUNCTION_URL_LOJA_MENU"),
]


@pytest.mark.parametrize(("path", "field", "whose", "variable"), SECRETS)
def test_variables_of_secrets(path: str, field: str, whose: tuple[str, ...], variable: str) -> None:
    assert naming.secret(KINDS[path], field, whose, {"FLOWISE_URL_TAKEN_MENU"}) == variable
