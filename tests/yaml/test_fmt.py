"""The canonical style: what it is, what it keeps, and that formatting twice changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.yaml import MalformedError, MappingNode, Node, SequenceNode, compose
from reconciler.yaml.canonical import canonical, unix
from reconciler.yaml.emit import Flow, Tree, mapping
from tests.importer.update.messy import Messy
from tests.yaml.test_emit import TEXTS

ROOT = Path(__file__).parents[2]
APART = {(), ("bots",)}
LONG = "palavra " * 30 + "fim"

CASES = {
    "indentation": ("a:\n    b:\n        c: 1\n", "a:\n  b:\n    c: 1\n"),
    "a list is indented": ("a:\n- b\n-   c\n", "a:\n  - b\n  - c\n"),
    "an indented document": ("  a: 1\n  b: 2\n", "a: 1\nb: 2\n"),
    "blanks around a colon": ("a:   b   \nc:\td\n", "a: b\nc: d\n"),
    "line ends": ("a: b\r\nc: |\r\n  d\r\n", "a: b\nc: |\n  d\n"),
    "a byte order mark": ("\ufeffa: b\n", "a: b\n"),
    "no line end": ("a: b", "a: b\n"),
    "a block that ends without a line end": ("a: |\n  b", "a: |-\n  b\n"),
    "markers of a document": ("---\na: b\n...\n", "a: b\n"),
    "blank lines": ("\n\na:\n\n  b: 1\n\n\n\n  c: 2\n\n\n", "a:\n  b: 1\n\n  c: 2\n"),
    "quotes": ('a: \'b\'\n"c": "d e"\n', "a: b\nc: d e\n"),
    "quotes that are needed": ("a: '@x'\nb: 'c: d'\n'e ': ''\n", 'a: "@x"\nb: "c: d"\n"e ": ""\n'),
    "quotes that say that it is a text": ("a: '1'\nb: 'no'\n'2': '~'\n", 'a: "1"\nb: "no"\n"2": "~"\n'),
    "quotes in quotes": ("a: 'it''s'\nb: \"\\\"c\\\"\"\n", "a: it's\nb: '\"c\"'\n"),
    "a scalar stays the text that it is": ("a: 0010\nb: no\nc: 1.50\nd: ~\ne:\n",) * 2,
    "a text on several lines": ("a: b\n  c\n   d\n", "a: b c d\n"),
    "a quoted text of several lines": ('a: "b\\nc"\n', "a: |-\n  b\n  c\n"),
    "a long text": (f"a: {LONG}\n", mapping({"a": LONG})),
    "a long text in quotes": (f"a: '{LONG}' # b\n", mapping({"a": LONG}).replace(">-", ">- # b")),
    "a block's lines": (
        "a: |\n     b\n\n       c  \nd: >\n   e\n   f\n",
        "a: |\n  b\n\n    c  \nd: >\n  e\n  f\n",
    ),
    "a block that starts with a blank": ("a: |4\n      b\n    c\n", "a: |2\n    b\n  c\n"),
    "a block that starts with a line of blanks": ("a: |4-\n      \n    b\n", "a: |2-\n    \n  b\n"),
    "blank lines that belong to a text": ("a: |+\n    b\n\n\nc: d\n", "a: |+\n  b\n\n\nc: d\n"),
    "an end sign that changes nothing": ("a: |+\n  b\nc: d\n", "a: |\n  b\nc: d\n"),
    "a block without a text": ("a: |\nb: |+\n\n\nc: d\n", 'a: |\nb: "\\n\\n"\nc: d\n'),
    "brackets on a line": ("a: [ b,'c' ,]\nd: {e: f,g: [ ]}\n", "a: [b, c]\nd: {e: f, g: []}\n"),
    "brackets on several lines": (
        "a: [\n  b, # c\n  d ] # e\nf: {\n  g: {h: i}, j: [k,\n l]}\n",
        "a:\n  - b # c\n  - d # e\nf:\n  g: {h: i}\n  j:\n    - k\n    - l\n",
    ),
    "brackets that are too long": (f"a: ['{LONG}', b]\n", mapping({"a": [LONG, "b"]})),
    "brackets around all": ("{a: b, c: [d]}\n", "a: b\nc: [d]\n"),
    "mappings in a list": (
        "a:\n  -\n    b: 1\n    c: 2\n  - # d\n    e: 3\n",
        "a:\n  - b: 1\n    c: 2\n  - # d\n    e: 3\n",
    ),
    "lists in a list": ("a:\n- - b\n  - c\n", "a:\n  - - b\n    - c\n"),
    "anchors, aliases and merge keys": (
        "x: &x   # c\n    a: &y 'b'\nd:\n    <<:   *x\n    e: [*y,*x]\n    f: *y   # g\n",
        "x: &x # c\n  a: &y b\nd:\n  <<: *x\n  e: [*y, *x]\n  f: *y # g\n",
    ),
    "tags": (
        "a: !file   'b.md'\nc: {d: !env  X}\ne: !file &f g\n",
        "a: !file b.md\nc: {d: !env X}\ne: &f !file g\n",
    ),
    "anchors of keys": ("a:\n    &b 'c': d\ne: &f\n    &g h: *b\n", "a:\n  &b c: d\ne: &f\n  &g h: *b\n"),
    "a comment at the end of a line": ("a: b   #c  \nd:    # e\n   f: g\n", "a: b #c\nd: # e\n  f: g\n"),
    "a comment beside a block": ("a: |    # b\n    c\n", "a: | # b\n  c\n"),
    "a comment above a value": ("a: # b\n  c # d\ne: [ # f\n]\n", "# b\na: c # d\n# f\ne: []\n"),
    "comments above a key": ("# a\n\n  # b\na:\n      # c\n   d: e\n", "# a\n\n# b\na:\n  # c\n  d: e\n"),
    "a comment belongs to what it is below": (
        "a:\n    b:\n        c: 1\n        # of b\n    # of a\n\n# of none\nd: 2\n",
        "a:\n  b:\n    c: 1\n    # of b\n  # of a\n\n# of none\nd: 2\n",
    ),
    "a comment between a list and a key": ("a:\n- b\n# c\nd: e\n", "a:\n  - b\n# c\nd: e\n"),
    "the end": ("a: b\n# c\n\n# d", "a: b\n# c\n\n# d\n"),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_style(before: str, after: str) -> None:
    assert canonical(unix(before)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "a: 1\nbots:\n  b:\n    c: 1\n  d:\n    e: 1\n",
            "a: 1\n\nbots:\n  b:\n    c: 1\n\n  d:\n    e: 1\n",
        ),
        ("bots:\n  b: {c: 1}\n  d: {e: 1}\n", "bots:\n  b: {c: 1}\n  d: {e: 1}\n"),
        (
            "bots:\n  b:\n    c: 1\n    # of b\n  # of d\n  d: false\n",
            "bots:\n  b:\n    c: 1\n    # of b\n\n  # of d\n  d: false\n",
        ),
        ("bots:\n  b:\n    c: 1\n  # d\n\n  d: false\n", "bots:\n  b:\n    c: 1\n  # d\n\n  d: false\n"),
        ("a: # b\n  c: 1 # d\ne: 1 # f\ng: 1 # h\n", "a: # b\n  c: 1 # d\n\ne: 1 # f\ng: 1 # h\n"),
    ],
)
def test_blank_lines_between_long_entries(before: str, after: str) -> None:
    assert canonical(before, APART) == after
    assert canonical(after, APART) == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [b\n", "not valid YAML"),
        ("- a\n", "a manifest is a mapping"),
        ("a: 1\na: 2\n", "a key is there twice"),
        ("? a\n: b\n", "cannot be formatted"),
        ("a: [b: c]\n", "cannot be formatted"),
        ("%YAML 1.1\n---\na: b\n", "cannot be formatted"),
        ("# nothing\n", "the file is empty"),
    ],
)
def test_what_is_not_formatted(text: str, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        canonical(text)


def test_the_samples_and_the_scaffold_are_canonical() -> None:
    for path in (*ROOT.glob("bots/*.yaml"), *ROOT.glob("reconciler/setup/templates/bots/*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert canonical(text, APART) == text, path


KEYS = st.sampled_from(["a", "botType", "0", "no", "a b", "<<", "é"])
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.booleans() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(TEXTS | st.booleans(), max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(TEXTS, max_size=3).map(Flow)
        | st.dictionaries(KEYS, TEXTS, max_size=3).map(Flow)
    ),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4))
def test_what_emit_writes_is_canonical(tree: Mapping[str, Tree]) -> None:
    text = mapping(tree)
    assert canonical(text) == text


@given(st.integers(0, 10**9))
def test_any_manifest(seed: int) -> None:
    messy = Messy(seed)
    messy.write()
    before = unix(messy.file.content.decode())
    after = canonical(before, APART)
    assert canonical(after, APART) == after
    assert meaning(compose(after)) == meaning(compose(before))
    assert "\r" not in after
    for piece in ("&", "*common", "!file prompts/", "# why", "#- x: |", "# open", "# list", "# all of them"):
        assert after.count(piece) >= before.count(piece)


def meaning(node: Node) -> object:
    """The texts of a tree, with its tags."""
    if isinstance(node, MappingNode):
        return [(meaning(key), meaning(value)) for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [meaning(item) for item in node.value]
    return str(node.ctag), node.value
