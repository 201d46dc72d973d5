"""Reading api keys: what is taken, what is not, and that no word of it is ever shown."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler import secrets
from reconciler.errors import ManifestError, Position
from reconciler.model import Desired, DesiredCredential, DesiredInstance, SecretRef
from reconciler.secrets import SecretError
from tests.client.test_secrets import everything

NAME = "OPENAI_KEY_OF_A_TEST"
ENV = SecretRef("env", NAME)

CASES = [
    ("sk-1", "sk-1"),
    (" sk-1\n", "sk-1"),
    ('a"b&c\\d', 'a"b&c\\d'),
    ("x" * 255, "x" * 255),
    ("x" * 256, "does not look like a key: the server stores 255 characters"),
    ("", "is blank"),
    (" \n\t", "is blank"),
    ("sk-1 sk-2", "does not look like a key: it has blanks"),
    ("sk-1\nsk-2", "does not look like a key: it has blanks"),
    ("sk-1\x1b[31m", "does not look like a key"),
    ("sk-é", "does not look like a key"),
]


@pytest.mark.parametrize("tag", ["env", "secret-file"])
@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_is_read(
    tag: str, text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8", newline="")
    monkeypatch.setenv(NAME, text)
    ref = ENV if tag == "env" else SecretRef("secret-file", str(file))
    if " " not in expected:
        assert secrets.read(ref, "main").get_secret_value() == expected
        return
    with pytest.raises(SecretError) as caught:
        secrets.read(ref, "main")
    assert str(caught.value).startswith(f"{ref.name} {expected}"), "it names the variable or the path"
    assert "sk-" not in everything(caught.value)
    assert "xxx" not in everything(caught.value)


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
    read = secrets.stand_ins(b"salt")
    made = {read(ENV, name).get_secret_value() for name in ("main", "main@2", "main@3")}
    assert made == {"sk-sandbox-main"}, "every generation has the same"


def test_the_embedded_server_gets_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for equal keys, whatever their credential is called; and nobody gets back from one."""

    def stand_in(key: str, salt: bytes = b"salt", name: str = "main") -> str:
        monkeypatch.setenv(NAME, key)
        return secrets.stand_ins(salt)(ENV, name).get_secret_value()

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
            "once in its whole database: borrow it in its place, `openaiCreds: {instance: x, name: a}` "
            "(borrowing works where the instance has settings already, or gets them with another credential "
            "of its own; a second key of the same OpenAI project costs nothing)",
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
