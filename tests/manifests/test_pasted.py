"""What people paste: each error says what to write instead, at the place where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.writing import CHAT, HERE, bot, marked, problems

HEAD = "bots:\n  a:\n" + CHAT.replace("    triggerValue: oi\n", "")

TEXTS = {
    "*": '"*"',
    "*oi": '"*oi"',
    "*oi* tudo": '"*oi* tudo"',
    "&promo": '"&promo"',
    "&": '"&"',
    "!oi": '"!oi"',
    "!oi tudo": '"!oi tudo"',
    "!": '"!"',
    "! oi": '"! oi"',
    "|oi": '"|oi"',
    ">50": '">50"',
    ">5": '">5"',
    ">0": '">0"',
    "{{ $json.nome }}": '"{{ $json.nome }}"',
    "{{ $json.nome }}, oi": '"{{ $json.nome }}, oi"',
    "{nome}": '"{nome}"',
    "{nome} oi": '"{nome} oi"',
    "[1-9]": '"[1-9]"',
    r"[1-9]\d*": r"'[1-9]\d*'",
    "]": '"]"',
    "}": '"}"',
    "? x": '"? x"',
    "?": '"?"',
    "- x": '"- x"',
    "-": '"-"',
    ", x": '", x"',
    "@x": '"@x"',
    "@x # y": '"@x"',
    "`x`": '"`x`"',
    "%x": '"%x"',
    '"oi" tudo': "'\"oi\" tudo'",
    "'oi' tudo": "\"'oi' tudo\"",
    "'it's'": '"it\'s"',
    r'"\d+"': r"'\d+'",
    "a: b": '"a: b"',
    "oi:": '"oi:"',
    "#SAIR": '"#SAIR"',
    "# SAIR": '"# SAIR"',
}


@pytest.mark.parametrize(("text", "written"), TEXTS.items())
def test_a_text_with_a_sign_of_yaml_s(tmp_path: Path, text: str, written: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": f"{HEAD}    triggerValue: {text}\n    expire: 1\n"})
    assert found.startswith("loja.yaml:9:")
    assert found.endswith(f": write triggerValue: {written}")
    right = bot(tmp_path, f"{HEAD}    triggerValue: {written}\n    expire: 1\n")
    assert str(right.fields["triggerValue"]) in text


ITEMS = {
    "- @g.us": '- "@g.us"',
    "- #menu": '- "#menu"',
    "- *": '- "*"',
    "- [1-9]": '- "[1-9]"',
    "- Horário: 8h às 18h": '- "Horário: 8h às 18h"',
    "- ! oi": '- "! oi"',
    "- {{nome}}, oi": '- "{{nome}}, oi"',
}


@pytest.mark.parametrize(("item", "written"), ITEMS.items())
def test_items(tmp_path: Path, item: str, written: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  a:\n{CHAT}    userMessages:\n      {item}\n"})
    assert found.endswith(f": write {written}")


LISTS = {
    "ignoreJids: [@g.us, @b]": 'ignoreJids: ["@g.us", "@b"]',
    "ignoreJids: a@g.us, b@g.us": "ignoreJids: ['a@g.us', 'b@g.us']",
    "ignoreJids: ~": "ignoreJids: [...]",
    "userMessages: Oi, tudo": "userMessages: ['Oi, tudo']",
    "userMessages: [Horário: 8h]": 'userMessages: ["Horário: 8h"]',
    "userMessages: ['Copo d'água', x]": 'userMessages: ["Copo d\'água", "x"]',
}


@pytest.mark.parametrize(("line", "written"), LISTS.items())
def test_lists(tmp_path: Path, line: str, written: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  a:\n{CHAT}    {line}\n"})
    assert found.endswith(f": write {written}")


NO_LISTS = {
    "|\n      Oi": "start the next line with `- |`, and indent the text further",
    "\n      -Oi\n      -Tchau": "start every item with `- `, a hyphen and a space",
    "\n      • Oi": "start every item with `- `, a hyphen and a space",
}


@pytest.mark.parametrize(("value", "said"), NO_LISTS.items())
def test_what_looks_like_a_list(tmp_path: Path, value: str, said: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  a:\n{CHAT}    userMessages: {value}\n"})
    assert found.endswith(f": {said}")


ENUMS = (
    "botType: chatCompletion // or assistant",
    "triggerType: all /* or none */",
    "triggerOperator: equals // x",
)


@pytest.mark.parametrize(
    "line", ["maxTokens: 300 // few", "enabled: true /* yes */", "expire: 5 // minutes", *ENUMS]
)
def test_comments_behind_what_is_no_text(tmp_path: Path, line: str) -> None:
    key = line.split(":", maxsplit=1)[0]
    rest = "".join(each for each in CHAT.splitlines(keepends=True) if key not in each)
    [found] = [
        each
        for each in problems(tmp_path, {"loja.yaml": f"bots:\n  a:\n{rest}    {line}\n"})
        if f" {key} must be" in each or f" {key} cannot be" in each
    ]
    assert found.endswith("; a comment starts with `#`")


SILENT = {
    "a key": "credentials:\n  main:\n    apiKey: @s3cret\nbots: {}",
    "a key in the wrong place": "credentials:\n  main: *s3cret*\nbots: {}",
    "a key in braces": "credentials: {main: {apiKey: @s3cret}}\nbots: {}",
    "a key deep below": "credentials:\n  main:\n    # x\n\n    other: @s3cret\nbots: {}",
    "an address": f"bots:\n  a:\n{CHAT}    functionUrl: @s3cret\n",
    "a key anywhere": f"bots:\n  a:\n{CHAT}    description: *sk-s3cret\n",
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT)
def test_nothing_that_may_be_secret_is_shown(tmp_path: Path, text: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert "s3cret" not in found


NOTHING_TO_QUOTE = {
    "a mapping": "bots:\n  a: {model: @x, expire: 1}\n",
    "a merge": "bots:\n  a:\n    <<: *base\n",
    "a value in quotes": 'bots:\n  a:\n    model: "x"\n   expire: 1\n',
    "JSON in YAML": '{"bots":\n  {"a": "b",\n  "c" 1}}\n',
}


@pytest.mark.parametrize("text", NOTHING_TO_QUOTE.values(), ids=NOTHING_TO_QUOTE)
def test_what_is_no_text_is_not_put_in_quotes(tmp_path: Path, text: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert "write " not in found


ODD_BLANKS = (
    "\x85\xad\u034f\u061c\u180e\u2007\u200c\u200d\u200e\u2028\u2029\u202e\u202f\u2060\u2066\u2800\u3164"
)

PLACES = {
    "no-break space": (HEAD + "‸\xa0\xa0\xa0\xa0triggerValue: oi\n", "U+00A0 NO-BREAK SPACE", "indent with"),
    "behind spaces": (HEAD + "  ‸\xa0triggerValue: oi\n", "U+00A0 NO-BREAK SPACE"),
    "from the beginning": ("bots:\n‸\xa0\xa0a:\n" + CHAT, "U+00A0", "indent with spaces"),
    "ideographic": ("bots:\n‸\u3000a:\n" + CHAT, "U+3000 IDEOGRAPHIC SPACE"),
    "zero width": (HEAD + "    ‸\u200btriggerValue: oi\n", "U+200B ZERO WIDTH SPACE"),
    **{
        f"U+{ord(sign):04X}": (
            HEAD + f"    ‸{sign}triggerValue: oi\n",
            f"U+{ord(sign):04X}",
            "indent with spaces",
        )
        for sign in ODD_BLANKS
    },
    **{
        f"a line of U+{ord(sign):04X}": (
            HEAD + f"    triggerValue: oi\n‸{sign}\n    expire: 1\n",
            f"U+{ord(sign):04X}",
        )
        for sign in "\xa0\xad\u200b\u2028\u2060\u2800"
    },
    "a separator behind a colon": (HEAD + "    triggerValue:‸\u2028oi\n", "U+2028", "write a space"),
    "byte order mark": ("instance: a\n‸\ufeffbots: {}\n", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
    "behind a colon": (HEAD + "    triggerValue:‸\xa0oi\n    expire: 1\n", "U+00A0", "write a space"),
    "behind a dash": (HEAD + "    silence:\n      - x\n      -‸\xa0y\n    expire: 1\n", "U+00A0"),
    "tab": (HEAD + "‸\ttriggerValue: oi\n", "a tab", "indent with spaces"),
    "tab behind spaces": (HEAD + "  ‸\ttriggerValue: oi\n", "a tab"),
    "in a key": (HEAD + "    triggerValue: oi\n    ‸exp\u200bire: 1\n", "U+200B"),
    "slashes": ("‸// x\nbots: {}\n", "`//` does not start a comment in YAML: write `#`"),
    "slashes between": (HEAD + "    triggerValue: oi\n‸// x\n    expire: 1\n", "`//`", "`#`"),
    "slashes behind": ('{"bots": {}, ‸// x\n"x-a": 1}', "`//`", "`#`"),
    "slashes in braces": ('{\n  ‸// x\n  "bots": {}\n}', "`//`", "`#`"),
    "a tab behind a dash": (HEAD + "    silence:\n      -‸\tx\n", "a tab", "write a space"),
    "a fence": ("‸```yaml\nbots: {}\n```\n", "Markdown code fence", "remove the line"),
    "a fence of tildes": ("‸~~~\nbots: {}\n~~~\n", "Markdown code fence"),
    "the end of a fence": ("bots: {}\n‸```\n", "Markdown code fence"),
    "no space behind a colon": ("bots:\n  a:\n    model‸:gpt-4o\n    expire: 1\n", "a space is missing"),
    "another colon": ("bots:\n  a:\n    model‸： gpt-4o\n    expire: 1\n", "U+FF1A FULLWIDTH COLON"),
    "an equals sign": ("bots:\n  a:\n    model ‸= gpt-4o\n    expire: 1\n", "`=`", "a colon and a space"),
    "a star for a dash": (
        HEAD + "    userMessages:\n      ‸* Oi\n",
        "`*` does not start an item",
        "write `- `",
    ),
    "a comma behind quotes": (HEAD + '    triggerValue: "oi"‸,\n    expire: 1\n', "`,`", "remove it"),
    "a semicolon behind quotes": (HEAD + "    triggerValue: 'oi' ‸;\n    expire: 1\n", "`;`", "remove it"),
    "a comment of C": ("bots: {}\n‸/* x */\nx-a: 1\n", "`/*`", "`#`"),
}


@pytest.mark.parametrize(("text", "words"), [pytest.param(r[0], r[1:], id=n) for n, r in PLACES.items()])
def test_blanks_and_comments_that_are_none(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    text, place = marked(text)
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: ")
    for word in words:
        assert word in found


ROW = """\
    ‸id: cmwskogbq00024p7dhf46lduc
    enabled: true
    description: Front desk MARKER
    openaiCredsId: x
    botType: assistant
    assistantId: asst_1
    functionUrl: null
    model: null
    systemMessages: null
    maxTokens: ~
    triggerType: all
    triggerOperator: null
    triggerValue:
    ignoreJids: []
    createdAt: "2026-11-23T01:13:51.014Z"
    updatedAt: "2026-11-23T01:13:51.014Z"
    instanceId: 2e5f4c84-7c5d-44e1-8238-443e5a2d4307
"""


@pytest.mark.parametrize("marker", ["", "[gitops:a]~1f3a9c2b"])
def test_a_row_of_the_server(tmp_path: Path, marker: str) -> None:
    text, place = marked("bots:\n  a:\n" + ROW.replace("MARKER", marker))
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: ")
    what = "id, functionUrl, model, systemMessages, maxTokens, triggerOperator, triggerValue"
    what += ", createdAt, updatedAt"
    assert found.endswith(f"delete {what}, instanceId{', and the marker in the description' * bool(marker)}")
    gone = [line for line in text.splitlines() if line.split(":")[0].strip() not in what.split(", ")]
    kept = [line.replace(marker, "") for line in gone if "instanceId" not in line]
    assert bot(tmp_path, "\n".join(kept)).fields["assistantId"] == "asst_1"


def test_a_row_of_the_settings(tmp_path: Path) -> None:
    text = f"settings:\n  expire: 1\n  {HERE}id: x\n  openaiIdFallback: y\n  Fallback: {{}}\nbots: {{}}\n"
    text, place = marked(text)
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: ")
    assert found.endswith("delete id, openaiIdFallback, Fallback")
