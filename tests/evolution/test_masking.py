"""No secret in what is shown of a server's words, in whatever form the server echoes it."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.domain.secret import SecretStr
from reconciler.evolution import masking
from reconciler.evolution.client import Client
from reconciler.evolution.masking import MASK, Secrets
from reconciler.evolution.needles import SHORTEST
from tests.evolution.scripted import KEY, Act, asked, page, refusal, reply
from tests.evolution.test_behaviour import CALLS
from tests.support import often

UUID = "429683C4-C977-415A-A4D3-1B2F0E6C9D77"
OPENAI = "sk-proj-4f_Xy-Z0123456789abcdefgh"
PASSWORD = 'Tr0ub4dor&3<"x\\y%41>+/='

Encode = Callable[[str], str]


def each(form: str) -> Encode:
    """Every character in this form."""
    return lambda text: "".join(form.format(char, ord(char)) for char in text)


def octets(form: str) -> Encode:
    """Every byte in this form."""
    return lambda text: "".join(form.format("", byte) for byte in text.encode())


def between(what: str) -> Encode:
    return what.join


def base_64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def on_lines(text: str) -> str:
    encoded = base_64(f"apikey:{text}")
    return "\r\n".join(encoded[at : at + 20] for at in range(0, len(encoded), 20))


FORMS: dict[str, Encode] = {
    "as it is": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "percent": octets("%{1:02x}"),
    "percent, upper case": octets("%{1:02X}"),
    "percent, special characters": lambda text: quote(text, safe=""),
    "percent of IIS": each("%u{1:04x}"),
    "entities": each("&#{1};"),
    "entities, zeros before": each("&#{1:07};"),
    "entities without a semicolon": each("&#x{1:x} "),
    "hex entities": each("&#x{1:X};"),
    "named entities": lambda text: html.escape(text).replace("-", "&hyphen;").replace("_", "&lowbar;"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    r"\u": each(r"\u{1:04x}"),
    r"\u{}": each(r"\u{{{1:x}}}"),
    r"\\u": each(r"\\u{1:04X}"),
    r"\U": each(r"\U{1:08x}"),
    r"\x": octets(r"\x{1:02x}"),
    "octal": octets(r"\{1:03o}"),
    "0x": octets("0x{1:02x}, "),
    "backslashes": lambda text: "".join(f"\\{char}" if not char.isalnum() else char for char in text),
    "hex": lambda text: text.encode().hex(),
    "hex with blanks": lambda text: text.encode().hex(" ").upper(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "a Buffer of Node": lambda text: f"<Buffer {text.encode().hex(' ')}>",
    "a Buffer of Node as JSON": lambda text: json.dumps({"type": "Buffer", "data": list(text.encode())}),
    "quoted-printable": octets("={1:02X}"),
    "base64": base_64,
    "base64, one before": lambda text: base_64("x" + text + "y"),
    "base64, two before": lambda text: base_64("xx" + text + "zz"),
    "base64, without padding": lambda text: base_64(text).rstrip("="),
    "base64, URL-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 on lines": on_lines,
    "base64 on lines, escaped": lambda text: json.dumps(on_lines(text)),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "basic auth": lambda text: "Basic " + base_64(f"apikey:{text}"),
    "UTF-16": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "wide letters": lambda text: "".join(chr(ord(char) + 0xFEE0) for char in text),
    "accents": between("\u0301"),
    "zero-width": between("\u200b"),
    "joiners": between("\u200d"),
    "soft hyphens": between("\xad"),
    "marks of direction": between("\u202e"),
    "variation selectors": between("\ufe0f"),
    "NUL": between("\0"),
    "blanks": between(" "),
    "no-break spaces": between("\xa0"),
    "line breaks": between("\r\n"),
    "dots": between("."),
    "tags": between("</b><b class=x>"),
    "word breaks": lambda text: text[:9] + "<wbr>" + text[9:17] + "<br/>\n" + text[17:],
    "comments": between("<!-- -->"),
    "concatenated": lambda text: f'"{text[:9]}" + "{text[9:]}"',
}
TWICE = {
    (one, two)
    for one in ("percent", "hex entities", r"\u", "base64", "hex", "zero-width", "tags", "quoted-printable")
    for two in (
        "percent, upper case",
        "entities",
        r"\x",
        "base64, one before",
        "JSON in JSON",
        "soft hyphens",
    )
}


def shows(text: str, key: str) -> str:
    """What of the key anybody could read in the text, which holds but this form: eight characters or more."""
    core = "".join(char for char in key if char.isalnum()).lower()
    plain = "".join(char for char in text if char.isalnum()).lower()
    return next((core[at : at + 8] for at in range(len(core) - 7) if core[at : at + 8] in plain), "")


@pytest.mark.parametrize("key", [KEY, UUID, OPENAI, PASSWORD])
@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_masked_in_every_form(form: str, key: str) -> None:
    encoded = FORMS[form](key)
    masked = Secrets("another-1234", key).mask(f"The key is wrong. [{encoded}] Take another.")
    assert MASK in masked
    assert masked.startswith("The key is wrong. ")
    assert masked.endswith("other."), "but for the group of an encoding in which the key ends"
    assert shows(masked, key) == ""
    if key[-1].isalnum():
        assert len(masked) < 70


@pytest.mark.parametrize(("one", "two"), sorted(TWICE))
def test_a_form_of_a_form(one: str, two: str) -> None:
    encoded = FORMS[two](FORMS[one](UUID))
    masked = Secrets(UUID).mask(f"wrong: {encoded} (401)")
    assert MASK in masked
    assert len(masked) < 60, "nothing is left of it"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Incorrect API key provided: sk-proj-****abcd.", f"Incorrect API key provided: {MASK}."),
        ("sk-proj-…abcd is wrong", f"{MASK} is wrong"),
        ("sk-abc...wxyz is wrong", f"{MASK} is wrong"),
        ("key=sk-live_1234567890abcdefghij&x", f"key={MASK}&x"),
        ("xsk-live_1234567890abcdefghij", f"x{MASK}"),
        ("s\u200bk-unknown-to-us", MASK),
        ("sk%2Dunknown%2Dto%2Dus", MASK),
        ("sk&#45;unknown&#x2d;to-us", MASK),
        (base_64("Bearer sk-unknown-to-us!"), f"QmVhcmVy{MASK}"),
        ("a desk-top task-force, risk-free", "a desk-top task-force, risk-free"),
        (f"begins with {UUID[:14]}", f"begins with {MASK}-"),
        (f"ends in {UUID[-12:]}", f"ends in {MASK}"),
        (f"has {UUID[9:18]} in it", f"has {MASK} in it"),
        ("4296 or 9D77", "4296 or 9D77"),
    ],
)
def test_parts_of_keys_and_keys_of_openai(text: str, masked: str) -> None:
    assert Secrets(UUID).mask(text) == masked


@pytest.mark.parametrize(
    "form", ["as it is", "percent", "hex entities", r"\u", "base64", "zero-width", "hex"]
)
@pytest.mark.parametrize(
    "key", ["Passw0rd!@#$%^*()", "--key-4711-0815--", "((4f1c-aa19-77b2))", "=abcd1234="]
)
def test_what_is_no_letter_at_the_ends_of_a_secret_is_masked_too(form: str, key: str) -> None:
    masked = Secrets(key).mask(f"It is wrong: {FORMS[form](key)} Take another.")
    assert masked.startswith(f"It is wrong: {MASK}")
    assert len(masked) <= len(f"It is wrong: {MASK}== Take another.")


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("sandbox", "the sandbox, the sandboxes, Sandbox", f"the {MASK}, the sandboxes, Sandbox"),
        ("abc", "abc abcd xabc abc.", f"{MASK} abcd xabc {MASK}."),
        ("a&b", "a&amp;b or a%26b", f"{MASK} or {MASK}"),
        ("$%!", "it is $%!", f"it is {MASK}"),
        ("evolution-2024", "The Evolution API, evolution-2024", f"The Evolution API, {MASK}"),
        ("evolution-2024", "EVOLUTION_2024, evolution 2024", f"{MASK}, {MASK}"),
        ("", "nothing", "nothing"),
        ("  ", "a  b", "a  b"),
    ],
)
def test_words_are_not_masked_because_a_key_is_one(secret: str, text: str, masked: str) -> None:
    assert Secrets(secret).mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "relation \"Session\" does not exist; SELECT * FROM OpenaiBot WHERE id = 'cmwskt57500334'",
        "<html><body>502 Bad Gateway</body></html>",
        "Invalid `this.prismaRepository.openaiBot.findFirst()` invocation: a=bc&d=ef%20 \\n 1, 2, 3",
        "Instância não encontrada — tente de novo 🤖",
        "c22def7d-036d-4bdf-80a5-60829d17abfc and 0f1e2d3c4b5a6978",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert Secrets(KEY, UUID, OPENAI, "sandbox").mask(text) == text


@pytest.mark.parametrize("form", ["as it is", "percent", "hex entities", "tags", "base64", r"\u"])
@pytest.mark.parametrize("after", ["", "x" * 300_000])
def test_nothing_is_cut_in_the_middle_of_a_key(form: str, after: str) -> None:
    """Wherever a page is cut, at 20,000 bytes or elsewhere."""
    encoded = FORMS[form](UUID)
    for limit in (300, masking.LOOKED_AT - masking.MARGIN, masking.LOOKED_AT, 20_000, 65_536):
        for place in range(limit - len(encoded) - 2, limit + 2, 1 + len(encoded) // 6):
            text = " " * place + encoded + after
            cleaned = Secrets(UUID).clean(text)
            assert cleaned.rstrip("x…") in ("", MASK, f"{MASK[:-1]}")


@pytest.mark.parametrize("form", ["as it is", "percent", "entities", "base64", "tags", "zero-width", r"\u"])
@pytest.mark.parametrize("name", CALLS)
def test_no_form_of_a_key_in_an_error(name: str, form: str) -> None:
    encoded = FORMS[form](KEY)
    acts: list[Act] = [
        refusal(400, [f"bad apikey {encoded}"]),
        refusal(500, f"bad {encoded}"),
        refusal(401, f"bad {encoded}"),
        reply(403, {"headers": {"apikey": encoded}}),
        page(403, f"<title>no {encoded}</title>"),
        page(500, f"<p>{encoded}"),
        page(500, " " * (20_000 - 16) + encoded),
        page(200, "<i>" * 8 + encoded),
    ]
    for act in acts:
        outcome, _ = asked(CALLS[name], act, retry_delay=0)
        assert isinstance(outcome, Exception)
        assert shows(str(outcome), KEY) == ""
        assert encoded not in str(outcome)


def test_what_is_read_of_a_server_is_known_as_a_secret() -> None:
    token, key = "0F9A4C51-21B8-4C6E-9D3A-5E7F80A1B2C3", "gsk_Zm9vYmFyYmF6cXV4"
    acts = [
        reply(200, [{"name": "a", "token": token}]),
        reply(200, [{"id": "c1", "name": "main", "apiKey": key}]),
        refusal(400, [f"{token} and {base_64(key)}"]),
    ]

    async def call(client: Client) -> object:
        await client.instances()
        await client.credentials("a")
        return await client.create("a", {})

    outcome, _ = asked(call, *acts)
    assert str(outcome).rstrip("=").endswith(f"{MASK} and {MASK}")


def test_secrets_show_nothing_of_themselves() -> None:
    known = Secrets(UUID)
    known.add(SecretStr(OPENAI), "")
    known.mask(UUID)
    assert UUID not in repr(known)
    assert OPENAI not in repr(known)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
KEYS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(LETTERS),
        st.text(LETTERS + "-_", min_size=18, max_size=58),
        st.sampled_from(LETTERS),
    ),
).filter(lambda key: sum(char.isalnum() for char in key) >= SHORTEST)
"""Of a dash at an end, what stands between it and the next letter in a form may stay. It says nothing."""
OUTER = (
    *("percent", "percent, upper case", "entities", "hex entities", "JSON", "JSON in JSON", r"\u", r"\x"),
    *("base64", "base64, one before", "base64, URL-safe", "base64 on lines", "hex", "hex with blanks", "0x"),
    *("zero-width", "soft hyphens", "tags", "quoted-printable", "a Buffer of Node as JSON", "basic auth"),
)


@settings(max_examples=often(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    key=KEYS,
    inner=st.sampled_from(sorted(FORMS)),
    outer=st.lists(st.sampled_from(OUTER), max_size=2),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_forms_of_forms_of_any_key(key: str, inner: str, outer: list[str], before: str, after: str) -> None:
    encoded = FORMS[inner](key)
    for form in outer:
        encoded = FORMS[form](encoded)
    if len(encoded) > masking.LOOKED_AT // 2:
        return
    masked = Secrets(key).mask(f"{before} {encoded} {after}")
    # As long as this, since each letter's end may look like the end of the last one, which may stay.
    middle = encoded[len(encoded) // 3 : 2 * len(encoded) // 3]
    assert middle not in masked or masked.startswith("[too much")
    assert shows(masked, key) == ""


@pytest.mark.parametrize(
    "text",
    [
        *(
            one * 10**6
            for one in ("<", "\\", "&", "%25", "A", "=41", "1,", "\u200b", "<title", "sk-", "\\x41")
        ),
        "".join(chr(33 + at * at % 94) for at in range(100_000)),
    ],
    ids=lambda text: text[:6],
)
def test_a_huge_text_takes_no_time(text: str) -> None:
    start = time.process_time()
    Secrets(KEY, OPENAI).clean(text)
    assert time.process_time() - start < 20
