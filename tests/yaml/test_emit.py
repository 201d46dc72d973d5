"""What is written reads back as it was, and looks as a person would have written it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.yaml import MappingNode, Node, ScalarNode, SequenceNode, compose
from reconciler.yaml.emit import Flow, Tagged, Tree, comment, key, mapping, scalar

PIECES = [
    *"\n\t -:#[]{},&*!|>'\"%@`~?=<\\\r\x85\u2028\u2029\ufeff\x1b\x7f\u200b\u202eéç😀",
    *(
        "\n\n",
        "  ",
        " #",
        ": ",
        "\n  ",
        "\n\t",
        "\n \n",
        "---",
        "...",
        "- ",
        "? ",
        "<<",
        "null",
        "no",
        "0010",
    ),
    *("palavra ", "Olá, tudo bem? ", "uma frase bem mais longa que as outras todas. ", "👩‍👩‍👧"),
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
)
STYLES = st.sampled_from([None, None, "", "'", '"', "|", ">"])


def value(node: Node) -> object:
    """What a tree of nodes says."""
    match node:
        case MappingNode():
            return {key.value: value(one) for key, one in node.value}
        case SequenceNode():
            return [value(item) for item in node.value]
        case ScalarNode():
            assert node.style or node.value not in ("", "null", "Null", "NULL", "~"), "our loader refuses it"
            return node.value
    raise AssertionError(node)


@given(TEXTS, STYLES, st.integers(0, 5), st.sampled_from(["", "\n", "\n\n", "\n# note\n"]))
@example(":0", None, 0, "")
@example("0:0", None, 0, "")
@example("a\n ", "|", 1, "\n")
@example("\t\na", "|", 0, "\n")
@example("a\n\n\nb c", ">", 2, "\n")
@example(":", "", 2, "")
@example("a" * 120 + " b", None, 2, "\n")
def test_every_text_comes_back(text: str, style: str | None, depth: int, after: str) -> None:
    pad, indent = "", 0
    for level in range(depth):
        pad += f"{' ' * indent}k{level}:\n"
        indent += 2
    margin = " " * indent
    for width in (40, 100):
        as_value = scalar(text, indent=indent, style=style, width=width)
        as_item = scalar(text, indent=indent + 2, style=style, width=width)
        inside = scalar(text, indent=indent, style=style, width=width, flow=True)
        source = (
            f"{pad}{margin}a: {as_value}{after or chr(10)}{margin}b:\n"
            f"{margin}  - {as_item}\n{margin}  - {as_item}\n"
            f"{margin}c: [{inside}, {inside}]\n{margin}d: {{x: {inside}, {inside}: y}}\n"
            f"{margin}e: {as_value}\n"
        )
        found = value(compose(source))
        for level in range(depth):
            assert isinstance(found, dict)
            found = found[f"k{level}"]
        want = {"a": text, "b": [text] * 2, "c": [text] * 2, "d": {"x": text, text: "y"}, "e": text}
        assert found == want, source


@given(TEXTS)
def test_other_readers_see_a_text_too(text: str) -> None:
    for version in ((1, 1), (1, 2)):
        reader = YAML(typ="safe", pure=False)
        reader.version = version
        found = reader.load(f"a: {scalar(text, indent=0)}\nb: [{scalar(text, indent=0, flow=True)}]\n")
        number = text.isascii() and text.removeprefix("-").isdigit() and str(int(text)) == text
        assert found == ({"a": int(text), "b": [int(text)]} if number else {"a": text, "b": [text]})


CASES = {
    "pedidos": "pedidos",
    "1": "1",
    "0": "0",
    "-5": "-5",
    "0010": '"0010"',
    "no": '"no"',
    "Sim": "Sim",
    "yes": '"yes"',
    "on": '"on"',
    "y": '"y"',
    "null": '"null"',
    "~": '"~"',
    "": '""',
    "1.5": '"1.5"',
    "12:30": '"12:30"',
    "2026-01-31": '"2026-01-31"',
    "=": '"="',
    "<<": '"<<"',
    "às 9h": "às 9h",
    "a: b": '"a: b"',
    "contains:troca,trocar": "contains:troca,trocar",
    "a #b": '"a #b"',
    "#1": '"#1"',
    "@g.us": '"@g.us"',
    "it's": "it's",
    "'quoted'": "\"'quoted'\"",
    r"^\d+$": r"^\d+$",
    r"[1-9]\d*": r"'[1-9]\d*'",
    'say "hi"': 'say "hi"',
    '"hi"': "'\"hi\"'",
    "*": '"*"',
    ":)": ":)",
    " padded ": '" padded "',
    "a\u200bb": '"a\\u200bb"',
    "a\xadb\u2066c": '"a\\xadb\\u2066c"',
    "soft\xad hyphen\n": '"soft\\xad hyphen\\n"',
    "zero\u200bwidth\nlines": r'"zero\u200bwidth\nlines"',
    "mark\ufeff\nlines": r'"mark\ufeff\nlines"',
    "tag\U000e0041\nlines": r'"tag\U000e0041\nlines"',
    "a\U00013430b": r'"a\U00013430b"',
    "a\ue000b\U0010fffd": r'"a\ue000b\U0010fffd"',
    "a\ufffe\nb\u0600": r'"a\ufffe\nb\u0600"',
    "família 👩\u200d👧\ntodos": "|-\n    família 👩\u200d👧\n    todos",
    "a\tb": '"a\\tb"',
    "família 👩‍👩‍👧": "família 👩‍👩‍👧",
    "uma\nduas": "|-\n    uma\n    duas",
    "uma\nduas\n": "|\n    uma\n    duas",
    "uma \n\n  duas\n": "|\n    uma \n\n      duas",
    "  uma\nduas\n": "|2\n      uma\n    duas",
    "uma\n\n": r'"uma\n\n"',
    "uma\r\nduas": r'"uma\r\nduas"',
    "evil\u202etext\n2": r'"evil\u202etext\n2"',
    " ".join(["palavra"] * 14): "\n    ".join([">-", " ".join(["palavra"] * 12), "palavra palavra"]),
    "x" * 120: "x" * 120,
    "y" * 99 + "\r\n z": '"' + "y" * 99 + '\\r\\n\\\n    \\ z"',
}


@pytest.mark.parametrize(("text", "source"), CASES.items())
def test_how_a_text_looks(text: str, source: str) -> None:
    assert scalar(text, indent=2) == source


STYLED = [
    ("no", "", "no"),
    ("null", "", '"null"'),
    ("a: b", "", '"a: b"'),
    ("sair", "'", "'sair'"),
    ("it's", "'", "'it''s'"),
    ("a\nb", "'", "|-\n  a\n  b"),
    ("sair", '"', '"sair"'),
    ("a\nb", '"', r'"a\nb"'),
    ("sair", "|", "|-\n  sair"),
    ("a b\nc\n", ">", ">\n  a b\n\n  c"),
    (" a\nb", ">", "|2-\n   a\n  b"),
]


@pytest.mark.parametrize(("text", "style", "source"), STYLED)
def test_a_style_is_kept_where_it_can_be(text: str, style: str, source: str) -> None:
    assert scalar(text, indent=0, style=style) == source


def test_keys() -> None:
    names = ["pedidos", "loja-2", "no", "1", "<<", "a b", "a: b", "x\ny"]
    assert [key(name) for name in names] == [
        *("pedidos", "loja-2", '"no"', "1", '"<<"', "a b", '"a: b"', '"x\\ny"'),
    ]


def test_a_tree() -> None:
    tree: dict[str, Tree] = {
        "credentials": {"main": Flow({"apiKey": Tagged("env", "OPENAI_KEY")})},
        "defaults": {"enabled": True, "delayMessage": 1500, "ignoreJids": Flow(["@g.us"])},
        "bots": {"um": {"systemMessages": [Tagged("file", "prompts/um.md"), "duas\nlinhas"]}, "dois": {}},
        "none": (),
        "long": Flow(["5511999990000@s.whatsapp.net"] * 4),
    }
    assert mapping(tree, apart=True) == textwrap.dedent("""\
        credentials:
          main: {apiKey: !env OPENAI_KEY}

        defaults:
          enabled: true
          delayMessage: 1500
          ignoreJids: ["@g.us"]

        bots:
          um:
            systemMessages:
              - !file prompts/um.md
              - |-
                duas
                linhas
          dois: {}

        none: []

        long:
          - 5511999990000@s.whatsapp.net
          - 5511999990000@s.whatsapp.net
          - 5511999990000@s.whatsapp.net
          - 5511999990000@s.whatsapp.net
        """)


TREES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


def flowing(tree: Tree) -> Tree:
    """The same with every list and mapping in brackets where it fits."""
    if isinstance(tree, Mapping):
        return Flow({name: flowing(one) for name, one in tree.items()})
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return Flow([flowing(one) for one in tree])
    return tree


@given(st.dictionaries(TEXTS, TREES, min_size=1, max_size=4), st.booleans())
def test_every_tree_comes_back(tree: dict[str, Tree], apart: bool) -> None:
    assert value(compose(mapping(tree, apart=apart))) == tree
    assert value(compose(mapping({name: flowing(one) for name, one in tree.items()}, apart=apart))) == tree


@given(TEXTS)
def test_a_comment_is_a_comment(text: str) -> None:
    assert value(compose(f"{comment(text)}a: b\n")) == {"a": "b"}
