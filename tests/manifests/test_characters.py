"""Characters that are hard to see, or that YAML 1.1 took for line breaks: kept exactly, or named with their
place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.manifests.writing import CHAT, bot, marked, problems

BREAKS = {"next line": "\x85", "line separator": "\u2028", "paragraph separator": "\u2029"}

STYLES = {
    "plain": ("a{0}b", "a{0}b"),
    "plain, first and last": ("{0}a{0}", "{0}a{0}"),
    "plain, of several lines": ("a{0}b\n      c{0}d", "a{0}b c{0}d"),
    "single quotes": ("'a{0}b'", "a{0}b"),
    "single quotes, of several lines": ("'a{0}\n      {0}b'", "a{0} {0}b"),
    "double quotes": ('"a{0}b\\u2028\\ue000\\N"', "a{0}b\u2028\ue000\x85"),
    "double quotes, folded": ('"a{0}\\\n      {0}b"', "a{0}{0}b"),
    "literal": ("|-\n      a{0}b\n      {0}c", "a{0}b\n{0}c"),
    "literal, alone on a line": ("|\n      a\n      {0}\n      b", "a\n{0}\nb\n"),
    "folded": (">-\n      a{0}b\n      {0}c", "a{0}b {0}c"),
    "next to a private one": ('"\ue000{0}\ue001"', "\ue000{0}\ue001"),
    "before a comment": ("a{0}b # c{0}d", "a{0}b"),
    "tagged places": ("&x{1} a{0}", "a{0}"),
}


@pytest.mark.parametrize(("source", "value"), STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("sign", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_breaks_of_yaml_1_1_are_characters(
    tmp_path: Path, source: str, value: str, sign: str, newline: str
) -> None:
    text = f"bots:\n  a:\n{CHAT}    description: {source.format(sign, '')}\n    expire: 7\n"
    found = bot(tmp_path, text.replace("\n", newline))
    assert found.fields["description"] == value.format(sign)
    assert found.fields["expire"] == 7


@pytest.mark.parametrize("sign", BREAKS.values(), ids=BREAKS)
def test_in_keys_aliases_and_places(tmp_path: Path, sign: str) -> None:
    text, place = marked(
        f"x-{sign}: &t [a{sign}]\nbots:\n  a: # {sign}\n{CHAT}    userMessages: *t\n    ‸x{sign}: 1\n"
    )
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: ")


@pytest.mark.parametrize("sign", BREAKS.values(), ids=BREAKS)
def test_in_json(tmp_path: Path, sign: str) -> None:
    fields = dict(line.strip().split(": ") for line in CHAT.splitlines()) | {"maxTokens": 300}
    text = json.dumps({"bots": {"a": {**fields, "description": f"a{sign}b"}}}, ensure_ascii=False)
    assert bot(tmp_path, text, "loja.json").fields["description"] == f"a{sign}b"


def test_no_character_of_private_use_is_mistaken(tmp_path: Path) -> None:
    taken = "".join(map(chr, range(0xE000, 0xF900)))
    text = f"bots:\n  a:\n{CHAT}    systemMessages: ['{taken}\u2028', \"\\U000F0000\\uE000\"]\n"
    assert bot(tmp_path, text).fields["systemMessages"] == (f"{taken}\u2028", "\U000f0000\ue000")


NAMED = {
    "C0": ("bots:\n  é: ‸\x01", "U+0001", "a control character", r'"\x01"'),
    "behind a separator": ("# \u2028\nbots:\n  a\u2028: ‸\x02", "U+0002"),
    "escape": ("bots: 'a‸\x1b[31m'", "U+001B ESCAPE", r'"\x1b"'),
    "form feed": ("bots: |\n  a‸\x0c", "U+000C"),
    "DEL": ("bots: a‸\x7f", "U+007F DELETE", r'"\x7f"'),
    "C1": ("bots: a‸\x90", "U+0090", r'"\x90"'),
    "NUL": ("bots: a‸\0b", "U+0000 NULL", "remove it"),
    "no character": ("bots: a‸\uffff", "U+FFFF", "remove it"),
}


@pytest.mark.parametrize(("text", "words"), [pytest.param(r[0], r[1:], id=n) for n, r in NAMED.items()])
def test_what_yaml_does_not_take_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    text, place = marked(text)
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: not valid YAML: ")
    for word in words:
        assert word in found
