"""Guesses of instances, before the manifests are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifests import guess
from reconciler.manifests.guess import Guess


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bots: {}\n", Guess("", "loja", credentials=False)),
        ("instance: other\n", Guess("", "other", credentials=False)),
        ("# a shop\ninstance: 'Loja 1'  # its name\n", Guess("", "Loja 1", credentials=False)),
        ('{\n  "instance": "other",\n  "server": "eu-1"\n}\n', Guess("eu-1", "other", credentials=False)),
        ("server: eu-1\r\ninstance: other\r\n", Guess("eu-1", "other", credentials=False)),
        ("bots:\n  a:\n    server: none\n", Guess("", "loja", credentials=False)),
        ("defaults: {openaiCreds: main}\n", Guess("", "loja", credentials=True)),
        ("credentials: {main: {}}\n", Guess("", "loja", credentials=True)),
    ],
)
def test_guess_of_a_manifest(tmp_path: Path, text: str, expected: Guess) -> None:
    (tmp_path / "loja.yaml").write_bytes(text.encode())
    assert [*guess.instances(tmp_path, servers=True)] == [expected]


def test_the_nearest_folder_names_the_server(tmp_path: Path) -> None:
    for name, text in {
        "_defaults.yaml": "server: eu-1\ndefaults: {openaiCreds: main}\n",
        "a.yaml": "",
        "b/_defaults.yaml": "server: eu-2\n",
        "b/c.yaml": "",
        "b/d/_defaults.yaml": "vars: {}\n",
        "b/d/e.yaml": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [(one.instance, one.server, one.credentials) for one in guess.instances(tmp_path, servers=True)]
    assert found == [("a", "eu-1", True), ("c", "eu-2", True), ("e", "eu-2", True)]
    assert {one.server for one in guess.instances(tmp_path, servers=False)} == {""}


def test_nothing_is_guessed_where_there_is_nothing(tmp_path: Path) -> None:
    assert [*guess.instances(tmp_path / "missing", servers=False)] == []
