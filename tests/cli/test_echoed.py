"""A server that puts a key into what it has: no output shows it, and nothing is written over by its mask."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha512
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain import hidden
from reconciler.evolution.client import Client, Server
from reconciler.evolution.masking import Secrets
from tests.evolution.scripted import KEY, asked, reply
from tests.evolution.test_masking import shows

OPENAI = "sk-proj-4f_Xy-Z0123456789abcdefgh"
BOT = {
    **{"id": "b1", "enabled": True, "description": None, "openaiCredsId": "c1", "botType": "chatCompletion"},
    **{"triggerType": "all", "model": "gpt-4o", "maxTokens": 300, "createdAt": "2025-01-01T00:00:00.000Z"},
}
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "lower case": str.lower,
    "in a sentence": lambda key: f"apikey={key}, is it?",
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic auth": lambda key: "Basic " + base64.b64encode(f"apikey:{key}".encode()).decode(),
    "percent": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "hex": lambda key: key.encode().hex(),
    "entities": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "zero-width": "\u200b".join,
    "after a long text": lambda key: "Olá. " * 5000 + key,
}


@pytest.mark.parametrize("key", [KEY, OPENAI, "evolution-2024"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_covered_in_every_form(form: str, key: str) -> None:
    value = FORMS[form](key)
    if len(key) < 16 and form not in {"as it is", "lower case", "in a sentence", "after a long text"}:
        return  # of a short one only the text itself is looked for
    secrets = Secrets("another-key-4711-0815", key)
    covered = secrets.cover(value, "[…]")
    assert "[…]" in covered
    assert secrets.in_any(["Front desk", value])
    assert secrets.in_any([f"Front desk\n{value}\nc1"])
    assert shows(covered.replace("Olá. ", ""), key) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Front desk [gitops:atendimento]~1f3a9c2b",
        "https://lojas.example.com/produtos/eletronicos-e-celulares?pagina=2",
        "Você é o atendente. Diga [key] e [chave].\n\n- 10/12/2024\n" + "palavra-chave-composta " * 30,
        "c22def7d-036d-4bdf-80a5-60829d17abfc",
        "x" * 100_000,
        "",
    ],
)
def test_what_holds_no_key_stays_as_it_is(text: str) -> None:
    secrets = Secrets(KEY, OPENAI, "evolution-2024")
    assert secrets.cover(text, "[…]") == text
    assert not secrets.in_any([text, text])


PARTS = st.sampled_from(
    [
        *(form(key) for form in FORMS.values() for key in (KEY, "Kiss-12345", "none")),
        *(
            "KISS-12345",
            "\u212a\u0131\u017f\u017f-12345",
            "k\u0130ss-12345",
            "c22def7d-036d-4bdf-80a5-60829d17abfc",
        ),
        *("iVBORw0KGgoAAAANSUhEUgAAAAUA", " ", "\n", "/", "é", "Olá, tudo bem?", "a%20b"),
    ]
)


@settings(deadline=None)
@given(
    keys=st.lists(st.sampled_from([KEY, OPENAI, "Kiss-12345", "none", "straße-4711"]), unique=True),
    values=st.lists(st.lists(PARTS, max_size=4).map("".join), max_size=4),
)
def test_in_any_says_what_cover_does(keys: list[str], values: list[str]) -> None:
    secrets = Secrets(*keys)
    covered = [secrets.cover(value, "[…]") for value in values]
    assert secrets.in_any(values) == (covered != values)
    assert secrets.in_any(["\n".join(values)]) == (covered != values)
    grown = Secrets()
    for key in keys:
        grown.in_any(values)
        grown.add(key)
    assert [grown.cover(value, "[…]") for value in values] == covered


def test_a_key_more_costs_the_same_however_many_are_known() -> None:
    secrets, start = Secrets(), time.process_time()
    for number in range(300):
        assert not secrets.in_any(["Front desk", "Você é o atendente. " * 40])
        secrets.add(f"sk-proj-{sha512(bytes(number)).hexdigest()}")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ["description", "triggerValue", "unknownMessage", "model"])
def test_a_field_is_shown_without_the_key_and_sent_with_it(name: str) -> None:
    outcome, _ = asked(lambda client: client.find("a"), reply(200, [{**BOT, name: f"x {KEY} y"}]))
    value = outcome[0].fields[name]  # type: ignore[index]
    assert json.dumps(value) == f'"x {hidden.KEY} y"'
    assert hidden.body({name: value}) == {name: f"x {KEY} y"}
    assert value == f"x {KEY} y"
    assert hidden.same(f"x {hidden.KEY} y", value), "as a saved plan has it"


def test_texts_of_a_list_too() -> None:
    outcome, _ = asked(lambda client: client.find("a"), reply(200, [{**BOT, "systemMessages": ["a", KEY]}]))
    value = outcome[0].fields["systemMessages"]  # type: ignore[index]
    assert json.dumps(value) == json.dumps(["a", hidden.KEY])
    assert hidden.body({"systemMessages": value}) == {"systemMessages": ("a", KEY)}


def test_an_id_that_is_the_key_is_none() -> None:
    outcome, _ = asked(lambda client: client.find("a"), reply(200, [{**BOT, "id": KEY, "instanceId": KEY}]))
    bot = outcome[0]  # type: ignore[index]
    assert (bot.id, bot.instance_id) == ("", "")
    assert dict(bot.unread) == {"id": "cannot be used"}


def test_what_one_client_reads_another_of_the_server_knows(tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:1", "the-api-key")
    Client(server).secrets.add(OPENAI)
    assert Client(server).secrets.mask(OPENAI) == "[key]"
