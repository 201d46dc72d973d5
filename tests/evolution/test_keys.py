"""Reading api keys: what is taken, what is not, and that no word of it is ever shown."""

from __future__ import annotations

import base64
import os
import random
import re
import string
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.domain.desired import Desired, DesiredCredential, DesiredInstance, SecretRef
from reconciler.domain.errors import ManifestError, Position
from reconciler.domain.key_format import fault
from reconciler.manifests import secrets
from reconciler.manifests.secrets import NoKeyError, SecretError
from tests.evolution.test_secrets import everything

NAME = "OPENAI_KEY_OF_A_TEST"
ENV = SecretRef("env", NAME)

QUOTED = ('"sk-1"', "'sk-1'", "“sk-1”", "‘sk-1’", "«sk-1»", "`sk-1`", "'sk-1", 'sk-1"', "„sk-1“", '"', '""')
SHELL = ("export KEY=sk-1", "export KEY sk-1", "set KEY=sk-1", "$env:KEY = 'sk-1", "-e KEY=sk-1")
VARIABLES = (
    *("$KEY", "${KEY}", "${KEY:-x}", "$(cat key)", "%KEY%", "!KEY!", "${{ secrets.KEY }}", "a${KEY}"),
    *(
        "OPENAI_API_KEY",
        "MY_TOKEN",
        "OPENAI_LOJA",
        "OPENAI_API_KEY=",
        "secrets.KEY",
        "process.env.KEY",
        "env.KEY",
    ),
)
HEADERS = (
    *("Bearer sk-1", "bearer sk-1", "Bearer%20sk-1", "Bearer:sk-1", "Basic dTpw"),
    *("Bearer+sk-1", "bearer_sk-1", "Bearer-sk-1", "Bearersk-1"),
    *("Authorization: Bearer sk-1", "authorization:sk-1"),
)
BRACKETS = (
    *("{{ secrets.KEY }}", "{{KEY}}", "<your-key>", "<KEY>", "[KEY]", "(null)", "<nil>", "{}", "<html>"),
    *('{"apiKey": "sk-1"}', '{"apiKey":"sk-1"}', '["sk-1"]', "[object Object]"),
)
PLACEHOLDERS = (
    *("your-api-key", "your_api_key_here", "YOUR-KEY", "yourApiKey", "sk-your-key-here", "insert-key-here"),
    *(
        "changeme",
        "change-me",
        "CHANGE_ME",
        "replace_me",
        "TODO",
        "REDACTED",
        "PLACEHOLDER",
        "sua-chave-aqui",
    ),
    *("sk-", "sk", "sk-proj-", "sk-xxxx", "xxx", "sk-XX-XX", "sk-0000", "0000000000", "api-key", "token"),
    *("null", "NULL", "None", "none", "undefined", "true", "false", "NaN", "nil", "no", "n/a"),
    *(
        "sk-test-xxxx",
        "sk-proj-XXXX-1",
        "not-set",
        "not_available",
        "NotFound",
        "Forbidden",
        "my-password",
        "TBA",
    ),
)
MASKED = (
    "***",
    "sk-***",
    "sk-ab****yz",
    "sk-...",
    "sk-ab...yz",
    "sk-…",
    "sk-ab…yz",
    "sk-••••",
    "sk-abxxxxxxxx",
    "sk-ab####yz",
    "sk-ab..yz",
    "sk-ab⋯yz",
)
ADDRESSES = (
    *(
        "https://api.openai.com/v1",
        "http://h",
        "https://u:sk-1@h",
        "platform.openai.com/api-keys",
        "me@loja.com.br",
    ),
    *("op://vault/item/field", "vault:secret/data#key", "arn:aws:secretsmanager:x", "env:KEY", "file:/x"),
    *("ref+vault://x", "projects/p/secrets/s/versions/latest", "data:text/plain;base64,c2s="),
)
PATHS = (
    *("/run/secrets/openai", "/etc/openai2", "./key", "../key", "~/key", "c:/keys/openai", "secrets/openai"),
    *("openai.key", "key1.txt", ".env", "C:\\keys\\openai"),
)
ODD = (
    *("\u200b", "\u200d", "\u2060", "\ufeff", "\xad", "\xa0", "\u202e", "\u2028", "\x85", "\u3164", "\ufe0f"),
    *("\x1b", "\x7f", "é", "\u0301", "ѕ", "–", "\u2011", "ｋ", "🔑"),
)
"""Characters that no key has: invisible ones, controls, look-alikes. Where a BOM begins a file it is none."""

_ASCII = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
SHAPES = {
    "openai": ("sk-", _ASCII, 48),
    "openai project": ("sk-proj-", _ASCII + "-_", 156),
    "openai service account": ("sk-svcacct-", _ASCII + "-_", 156),
    "anthropic": ("sk-ant-api03-", _ASCII + "-_", 95),
    "openrouter": ("sk-or-v1-", _HEX, 64),
    "groq": ("gsk_", _ASCII, 52),
    "google": ("AIza", _ASCII + "-_", 35),
    "azure": ("", _HEX, 32),
    "azure, longer": ("", _ASCII, 84),
    "hex": ("", _HEX, 64),
    "mistral": ("", _ASCII, 32),
    "xai": ("xai-", _ASCII, 80),
    "perplexity": ("pplx-", _ASCII, 48),
    "hugging face": ("hf_", _ASCII, 34),
    "nvidia": ("nvapi-", _ASCII + "-_", 64),
    "together": ("tgp_v1_", _ASCII + "-_", 43),
    "cerebras": ("csk-", _ASCII, 48),
    "fireworks": ("fw_", _ASCII, 22),
    "laravel's": ("1|", _ASCII, 40),
    "base36": ("", string.ascii_lowercase + string.digits, 40),
}
MADE_BY_HAND = (
    *(
        "sk-1234",
        "EMPTY",
        "ollama",
        "lm-studio",
        "sk-no-key-required",
        "token-abc123",
        "not-needed",
        "a!b&c#d",
    ),
    *("dapi0123456789abcdef-2", "sk-test", "x"),
)

_LONG = "sk-proj-" + "aB3_" * 61 + "xyz"
_NAMED = "does not look like a key: it has a name and ="
_PLACEHOLDER = "does not look like a key: it is a placeholder"
_VARIABLE = "does not look like a key: it is the name of a variable"
_HIDDEN = "does not look like a key: it holds U+"
_STORE = "does not look like a key: it is an address"
_BASE64 = [
    base64.b64encode(b"sk-proj-abcdef123456").decode(),
    base64.b64encode(b"sk-proj-abcdef123456\n").decode(),
    base64.urlsafe_b64encode(b"Bearer sk-abc??").decode(),
]

CASES = [
    ("sk-1", "sk-1"),
    (" sk-1\r\n", "sk-1"),
    ("\t\n sk-1 \n", "sk-1"),
    (_LONG, _LONG),
    (_LONG + "0", "does not look like a key: the server stores 255 characters"),
    ("", "is blank"),
    (" \n\t", "is blank"),
    *((text, "does not look like a key: it has quotes") for text in QUOTED),
    *(
        (text, _NAMED)
        for text in ("KEY=sk-1", "OPENAI_API_KEY=sk-1", "key = sk-1", "api-key:sk-1", "apiKey: sk-1")
    ),
    *((text, "does not look like a key: it is a shell's line") for text in SHELL),
    *((text, _VARIABLE) for text in VARIABLES),
    *((text, 'does not look like a key: it has "Bearer"') for text in HEADERS),
    *((text, "does not look like a key: it is JSON, or a placeholder in brackets") for text in BRACKETS),
    *((text, _PLACEHOLDER) for text in PLACEHOLDERS),
    *((text, "does not look like a key: it is masked") for text in MASKED),
    *((text, _STORE) for text in ADDRESSES),
    *((text, "does not look like a key: it is the path of a file") for text in PATHS),
    *((text, "does not look like a key: it is base64 of a key") for text in _BASE64),
    *((f"sk-{sign}1", f"{_HIDDEN}{ord(sign):04X}") for sign in ODD),
    *((f"{sign}sk-1", f"{_HIDDEN}{ord(sign):04X}") for sign in ODD),
    *((f"sk-1{sign}", f"{_HIDDEN}{ord(sign):04X}") for sign in ODD),
    ("sk-1 sk-2", "does not look like a key: it has a blank inside"),
    ("sk-1\tsk-2", "does not look like a key: it has a blank inside"),
    ("sk-1 # prod", "does not look like a key: it has a blank inside"),
    ("- sk-1", "does not look like a key: it has a blank inside"),
    ("!env KEY", "does not look like a key: it has a blank inside"),
    ("sk-1\nsk-2", "does not look like a key: it has a line break"),
    ("sk-1\r\nsk-2", "does not look like a key: it has a line break"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\n", "does not look like a key: it is a certificate or a private key"),
    ("sk-1,", "does not look like a key: it has brackets, quotes, a comma"),
    ("sk-1;", "does not look like a key: it has brackets, quotes, a comma"),
    ('sk"1', "does not look like a key: it has brackets, quotes, a comma"),
    ("sk\\1", "does not look like a key: it has brackets, quotes, a comma"),
    ("sk-1.", "does not look like a key: it ends in a punctuation mark"),
    ("sk-1%", "does not look like a key: it ends in a punctuation mark"),
    ("---", "does not look like a key: it has no letter"),
    ("==", "does not look like a key: it has no letter"),
    *(
        (text, "does not look like a key: it begins with a punctuation mark")
        for text in ("=sk-1", ":sk-1", "|sk-1")
    ),
    *(
        (text, "does not look like a key: it has a sign that keys with this beginning never have")
        for text in ("sk-1#prod", "sk-1//prod", "sk-1|sk-2", "gsk_1:x", "sk-1=")
    ),
    *((text, _STORE) for text in ("secretref:openai", "enc:c2sx")),
    ("sk%2D1", "does not look like a key: it is percent-encoded"),
    ("&quot;sk-1&quot;", "does not look like a key: signs in it are escaped"),
    ("sk-1\\n", "does not look like a key: signs in it are escaped"),
    ("sk-proj-a1b2c3d4" * 2, "does not look like a key: it is there more than once"),
    ("sk-proj-a1b2c3d4\nsk-proj-a1b2c3d4", "does not look like a key: it is there more than once"),
    ("sk-proj-a1b2sk-proj-c3d4", "does not look like a key: two keys"),
]


@pytest.mark.parametrize("tag", ["env", "secret-file"])
@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_is_read(
    tag: str,
    text: str,
    expected: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path_factory.mktemp("x") / "file"
    file.write_text(text, encoding="utf-8", newline="")
    monkeypatch.setenv(NAME, text)
    ref = ENV if tag == "env" else SecretRef("secret-file", str(file))
    if text.startswith("\ufeff") and tag == "secret-file":
        expected = "sk-1"
    if not re.search(r"^does not|^is blank", expected):
        assert secrets.read(ref, "main").get_secret_value() == expected
        return
    with pytest.raises(SecretError) as caught:
        secrets.read(ref, "main")
    assert str(caught.value).startswith(f"{ref.name} {expected}"), "it names the variable or the path"
    assert isinstance(caught.value, NoKeyError) == ("look like" in expected)
    shown = everything(caught.value)
    assert len(text) < 8 or text.strip() not in shown, "no word of it"
    assert "sk-" not in shown


@pytest.mark.parametrize("shape", SHAPES)
def test_keys_of_providers_are_taken(shape: str) -> None:
    prefix, signs, length = SHAPES[shape]
    chance = random.Random(shape)  # noqa: S311
    for _ in range(500):
        assert fault(prefix + "".join(chance.choices(signs, k=length))) == ""


def test_keys_of_several_parts_are_taken() -> None:
    chance = random.Random(7)  # noqa: S311
    for _ in range(500):
        raw = chance.randbytes(chance.randint(16, 60))
        one, two = (base64.urlsafe_b64encode(chance.randbytes(n)).decode().rstrip("=") for n in (60, 32))
        name = str(uuid.UUID(bytes=chance.randbytes(16)))
        pair = base64.b64encode(f"{name}:{raw.hex()}".encode()).decode()
        for key in (base64.b64encode(raw).decode(), f"eyJhbGciOiJIUzI1NiJ9.eyJ{one}.{two}", name, pair):
            assert fault(key) == "", key
        assert fault(f"{name}:{raw.hex()}") == "", "fal's"
        assert fault(f"{raw.hex()}.{two}") == "", "zhipu's"


@pytest.mark.parametrize("key", MADE_BY_HAND)
def test_keys_that_people_make_up_for_their_own_gateway_are_taken(key: str) -> None:
    assert fault(key) == ""


def test_the_servers_own_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLUTION_API_KEY", "B6D711FCDE4D4FD5936544120E713976")
    monkeypatch.setenv(NAME, "B6D711FCDE4D4FD5936544120E713976\n")
    with pytest.raises(NoKeyError, match="it is the key of the server itself, EVOLUTION_API_KEY"):
        secrets.read(ENV)


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(SecretError, match=f"^{NAME} is not set$"):
        secrets.read(ENV)


def test_files_that_hold_no_key(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"sk-\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * 100_000)
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        ("gone", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
        ("pipe", "is not a file"),
        ("binary", "is not UTF-8"),
        ("huge", "is too large"),
        ("huge/x", "cannot be read: Not a directory"),
        ("a\0b", "it is no path"),
    ):
        with pytest.raises(SecretError) as caught:
            secrets.read(SecretRef("secret-file", str(tmp_path / path)))
        assert words in str(caught.value)
        assert "sk-" not in everything(caught.value)


def test_a_mounted_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "..data").write_bytes(b"\xef\xbb\xbfsk-1\r\n")
    (tmp_path / "key").symlink_to("..data")
    assert secrets.read(SecretRef("secret-file", str(tmp_path / "key"))).get_secret_value() == "sk-1"


def test_for_the_embedded_server_a_key_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    read = secrets.placeholders(b"salt")
    made = {read(ENV, name).get_secret_value() for name in ("main", "main@2", "main@3")}
    assert made == {"sk-sandbox-main"}, "every generation has the same"


def test_the_embedded_server_gets_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for equal keys, whatever their credential is called; and nobody gets back from one."""

    def stand_in(key: str, salt: bytes = b"salt", name: str = "main") -> str:
        monkeypatch.setenv(NAME, key)
        return secrets.placeholders(salt)(ENV, name).get_secret_value()

    one = stand_in("sk-real-1")
    assert re.fullmatch("sk-sandbox-[0-9a-f]{32}", one)
    assert stand_in(" sk-real-1\n", name="other") == one
    assert len({one, stand_in("sk-real-2"), stand_in("sk-real-1", b"other"), stand_in("sk-real-1 ")}) == 3


def instance(name: str, line: int, *credentials: str) -> DesiredInstance:
    at = [Position(f"bots/{name}.yaml", line + number, 3) for number in range(len(credentials))]
    return DesiredInstance(
        name,
        (),
        at[0],
        tuple(
            DesiredCredential(one, SecretRef("env", f"{NAME}_{one.upper()}"), place)
            for one, place in zip(credentials, at, strict=True)
        ),
    )


def set_keys(monkeypatch: pytest.MonkeyPatch, **keys: str) -> None:
    for name in "ABC":
        monkeypatch.delenv(f"{NAME}_{name}", raising=False)
    for name, key in keys.items():
        monkeypatch.setenv(f"{NAME}_{name.upper()}", key)


def test_keys_of_all_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, a="sk-a", c="sk-c")
    keys = secrets.keys(Desired((instance("x", 1, "a", "b"),), (instance("y", 1, "c"),)))
    found = [keys.key(where, name) for where, name in (("x", "a"), ("x", "b"), ("y", "c"), ("x", "c"))]
    assert [key and key.get_secret_value() for key in found] == ["sk-a", None, "sk-c", None]
    assert keys.found["x", "b"] == f"{NAME}_B is not set"
    assert "sk-" not in f"{keys!r} {keys}"


@pytest.mark.parametrize(
    ("instances", "at", "words"),
    [
        (
            [instance("x", 3, "a"), instance("y", 7, "b")],
            "bots/y.yaml:7:3",
            "'b' has the same key as 'a' of the instance 'x' (bots/x.yaml:3:3), and the server takes a key "
            "once in its whole database: share that one, `openaiCreds: {instance: x, name: a}` "
            "(a shared credential works where the instance already has settings, or gets them with another "
            "credential of its own; a second key of the same OpenAI project costs nothing)",
        ),
        ([instance("x", 3, "a", "b")], "bots/x.yaml:4:3", "name 'a' in its place"),
    ],
)
def test_two_credentials_with_one_key(
    instances: Sequence[DesiredInstance], at: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, a="sk-a", b=" sk-a ", c="sk-c")
    with pytest.raises(ManifestError) as caught:
        secrets.keys(Desired(tuple(instances)))
    [problem] = caught.value.problems
    assert str(problem.at) == at
    assert words in problem.message
    assert "sk-a" not in everything(caught.value)
