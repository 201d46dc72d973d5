"""Values of which YAML takes a part for something else: what the manifest says, and what the warning says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.writing import linted
from tests.manifests.writing import CHAT, write

HEAD = "bots:\n  a:\n" + CHAT.replace("    triggerValue: oi\n", "")

WARNED = {
    "triggerValue: &promo 10%": ("&promo", 'in quotes: triggerValue: "&promo 10%"'),
    "triggerValue: &10 reais": ("&10", 'in quotes: triggerValue: "&10 reais"'),
    "triggerValue: pedido #1": ("'#1'", 'in quotes: triggerValue: "pedido #1"'),
    "keywordFinish: fim #sair": ("'#sair'", 'in quotes: keywordFinish: "fim #sair"'),
    "systemMessages:\n      - Ligue para #1 agora": ("'#1'", 'in quotes: - "Ligue para #1 agora"'),
    "systemMessages:\n      - &a oi": ("&a", 'in quotes: - "&a oi"'),
    'systemMessages: ["!file p.md"]': ("'!file p.md'", "write !file p.md without quotes"),
    "systemMessages: ['!env X']": ("'!env X'", "write !env X without quotes"),
}


@pytest.mark.parametrize(("line", "words"), WARNED.items())
def test_what_yaml_takes_for_something_else(tmp_path: Path, line: str, words: tuple[str, str]) -> None:
    value = "" if line.startswith("trigger") else "    triggerValue: oi\n"
    [found] = linted(write(tmp_path, {"loja.yaml": f"{HEAD}{value}    {line}\n"}))
    assert found.rule == "yaml-sign"
    assert words[0] in found.text
    assert found.text.endswith(words[1])


AS_MEANT = (
    "triggerValue: oi # uma nota",
    "triggerValue: oi#1",
    'triggerValue: "pedido #1"',
    "triggerValue: oi ## nota",
    "model: &m gpt-4o",
    "model: gpt-4o #barato",
    "maxTokens: 300 #poucos",
    "triggerValue: &t oi\n    keywordFinish: *t\n    silence: [finish-is-trigger]",
    'triggerValue: &t "10%"',
    "systemMessages:\n      - |\n        a #1\n        &b",
)


@pytest.mark.parametrize("line", AS_MEANT)
def test_what_is_as_it_was_meant(tmp_path: Path, line: str) -> None:
    key = line.split(":", maxsplit=1)[0]
    kept = "".join(each for each in CHAT.splitlines(keepends=True) if each.split(":")[0].strip() != key)
    assert linted(write(tmp_path, {"loja.yaml": f"bots:\n  a:\n{kept}    {line}\n"})) == []


def test_of_json_it_says_that_it_has_no_tags(tmp_path: Path) -> None:
    text = (
        '{"bots": {"a": {"openaiCreds": "main", "botType": "chatCompletion", "model": "m", "maxTokens": 3,'
        '"systemMessages": ["!file p.md"], "triggerType": "all"}}}'
    )
    [found] = linted(write(tmp_path, {"loja.json": text}))
    assert "JSON has no tags" in found.text


NAMES = {
    "two that differ by case": (("p.md", "P.md"), "is next to 'P.md'"),
    "folders that differ by case": (("a/p.md", "A/q.md"), "is next to 'A'"),
    "two that differ by form": (("é.md", "e\u0301.md"), "is next to"),
    "a colon": (("p:1.md",), "Windows does not allow"),
    "a question mark": (("oi?.md",), "Windows does not allow"),
    "a device": (("con.md",), "Windows does not allow"),
    "a dot at the end": (("p.",), "Windows does not allow"),
    "accents of their own": (("e\u0301.md",), "other systems may combine"),
}


@pytest.mark.parametrize(("files", "words"), NAMES.values(), ids=NAMES)
def test_names_that_other_systems_do_not_find(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    text = f'bots:\n  a:\n{CHAT}    systemMessages: [Oi, !file "{files[0]}"]\n'
    [found] = linted(write(tmp_path, {"loja.yaml": text, **dict.fromkeys(files, "x")}))
    assert (found.rule, found.at.line) == ("file-name", 10)
    assert words in found.text


@pytest.mark.parametrize(
    "file", ["p.md", "prompts/loja.md", "é.md", "a b.md", "prompts/Loja.MD", "console.md"]
)
def test_names_that_all_systems_find(tmp_path: Path, file: str) -> None:
    text = f'bots:\n  a:\n{CHAT}    systemMessages: [!file "{file}"]\n'
    assert linted(write(tmp_path, {"loja.yaml": text, file: "x", "other.md": "x"})) == []


def test_a_file_beside_it_that_comes_later(tmp_path: Path) -> None:
    text = f"bots:\n  a:\n{CHAT}    systemMessages: [!file p.md]\n"
    assert linted(write(tmp_path, {"loja.yaml": text, "p.md": "x"})) == []
    assert [one.rule for one in linted(write(tmp_path, {"P.md": "x"}))] == ["file-name"]
