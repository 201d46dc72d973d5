"""Edits of a text, as a table: what stands there, what is put in, and what stands there then."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.yaml import MappingNode, Node, SequenceNode, compose, compose_json
from reconciler.yaml.edit import CannotEditError, Edits, Put, edit
from tests.support import often

LONG = "uma frase que é longa o bastante para ser dobrada em várias linhas, e mais um pouco ainda"


CASES: dict[str, tuple[str, Edits, str]] = {
    # plain and quoted, with what stands around them
    "plain": ("k: a # c\nz: 1\n", {"k": Put("a", "b c")}, "k: b c # c\nz: 1\n"),
    "plain that cannot be": ("k: a # c\n", {"k": Put("a", "b: c")}, 'k: "b: c" # c\n'),
    "aligned": ("k:     a\nlong:  b\n", {"k": Put("a", "x")}, "k:     x\nlong:  b\n"),
    "single quotes": ("k: 'a'  # 'c'\n", {"k": Put("a", "it's")}, "k: 'it''s'  # 'c'\n"),
    "double quotes": ('k: "a"\n', {"k": Put("a", 'b"\tc')}, 'k: "b\\"\\tc"\n'),
    "double quotes stay on their line": (
        'k: "a"\n',
        {"k": Put("a", "b\n" * 60)},
        f'k: "{"b" + chr(92) + "n"}' + "b\\n" * 59 + '"\n',
    ),
    "what does not fit on a line, before a comment": (
        "k: a # c\n",
        {"k": Put("a", "\t\n" * 60)},
        'k: "' + "\\t\\n" * 60 + '" # c\n',
    ),
    "over several lines": ("k: a\n  b\n  c # c\nz: 1\n", {"k": Put("a b c", "d")}, "k: d # c\nz: 1\n"),
    "on the next line": ("k:\n    a\nz: 1\n", {"k": Put("a", "d")}, "k:\n    d\nz: 1\n"),
    "quoted key": ('"k" : a\n', {"k": Put("a", "d")}, '"k" : d\n'),
    "bool and int": (
        "k: true # c\nn: 1\n",
        {"k": Put(True, False), "n": Put(1, 20)},
        "k: false # c\nn: 20\n",
    ),
    "no last line break": ("z: 1\nk: a", {"k": Put("a", "b")}, "z: 1\nk: b"),
    "carriage returns": ("k: a\r\nz: 1\r\n", {"k": Put("a", "b\nc")}, "k: |-\r\n  b\r\n  c\r\nz: 1\r\n"),
    "anchor": ("k: &a b\n", {"k": Put("b", "c")}, "k: &a c\n"),
    "alias": ("a: &a b\nk: *a # c\n", {"k": Put("b", "c")}, "a: &a b\nk: c # c\n"),
    "tag": ("k: !file a.md # c\n", {"k": Put("b", "c\nd")}, "k: |- # c\n  c\n  d\n"),
    "anchor and tag": ("k: &a !file a.md\n", {"k": Put("b", "c")}, "k: &a c\n"),
    "tag and anchor": ("k: !file &a a.md\n", {"k": Put("b", "c")}, "k: &a c\n"),
    # block scalars
    "literal": (
        "k: |  # c\n   a\n   b\n\n# d\n",
        {"k": Put("a\nb\n", "a\nc\n")},
        "k: |  # c\n   a\n   c\n\n# d\n",
    ),
    "literal, its blanks": ("k: |\n  a\n \n  b\n", {"k": Put("a\n\nb\n", "a\n\nc\n")}, "k: |\n  a\n \n  c\n"),
    "literal, what cannot be seen stays": (
        "k: |\n  a\u200b\u2028\n  b\n",
        {"k": Put("a\u200b\u2028\nb\n", "a\u200b\u2028\nc\n")},
        "k: |\n  a\u200b\u2028\n  c\n",
    ),
    "literal, what cannot be seen comes": (
        "k: |\n  a\n  b\n",
        {"k": Put("a\nb\n", "a\nc\u200bd\u2028\n")},
        'k: "a\\nc\\u200bd\\u2028\\n"\n',
    ),
    "folded, what cannot be seen stays": (
        "k: >\n  a\xad\n\n  b\n",
        {"k": Put("a\xad\nb\n", "a\xad\nc\n")},
        "k: >\n  a\xad\n\n  c\n",
    ),
    "plain with a separator": (
        "k: \u2028a\x85 # \x85\u2028\nz: 1\n",
        {"k": Put("\u2028a\x85", "b\x85")},
        'k: "b\\N" # \x85\u2028\nz: 1\n',
    ),
    "next to a separator": (
        "z: {a: \u2028, k: 'a'}\n",
        {"z": {"k": Put("a", "b\u2060")}},
        'z: {a: \u2028, k: "b\\u2060"}\n',
    ),
    "literal, stripped": ("k: |-\n  a\n", {"k": Put("a", "a\n")}, "k: |\n  a\n"),
    "literal, clipped": ("k: |\n  a\nz: 1\n", {"k": Put("a\n", "b")}, "k: |-\n  b\nz: 1\n"),
    "literal, indicated": ("k: |2\n    a\n  b\n", {"k": Put("  a\nb\n", "  a\nc\n")}, "k: |2\n    a\n  c\n"),
    "literal, to be indicated": ("k: |\n    a\n", {"k": Put("a\n", " a\n")}, "k: |4\n     a\n"),
    "literal that cannot be": (
        "k: |  # c\n  a\nz: 1\n",
        {"k": Put("a\n", "\x01")},
        'k: "\\x01"  # c\nz: 1\n',
    ),
    "literal to nothing": ("k: |-\n  a\n\n# c\n", {"k": Put("a", "")}, 'k: ""\n\n# c\n'),
    "literal, kept": ("k: |+\n  a\n\nz: 1\n", {"k": Put("a\n\n", "b\n\n")}, "k: |+\n  b\n\nz: 1\n"),
    "literal at the end": ("k: |-\n  a\n  b", {"k": Put("a\nb", "a\nc")}, "k: |-\n  a\n  c"),
    "folded": (
        "k: >-\n  um\n  dois\n\n  três\n  quatro\n",
        {"k": Put("um dois\ntrês quatro", f"um dois\n{LONG}")},
        "k: >-\n  um\n  dois\n\n  " + LONG + "\n",
    ),
    "folded, with lines that are not": (
        "k: >\n  um\n    dois\n  três\nz: 1\n",
        {"k": Put("um\n  dois\ntrês\n", "um\n  dois\nseis\n")},
        "k: |\n  um\n    dois\n  seis\nz: 1\n",
    ),
    "folded, apart": (
        "k: >-\n  um\n \n\n  dois\n",
        {"k": Put("um\n\ndois", "um\n\ndois\ntrês")},
        "k: >-\n  um\n \n\n  dois\n\n  três\n",
    ),
    "folded that cannot be": ("k: >-\n  um\n", {"k": Put("um", "um \ndois")}, "k: |-\n  um \n  dois\n"),
    # lists
    "item": (
        "k:\n- a # 1\n\n# two\n- b\n",
        {"k": Put(("a", "b"), ("a", "c"))},
        "k:\n- a # 1\n\n# two\n- c\n",
    ),
    "item between": (
        "k:\n  - a # 1\n  - c\n",
        {"k": Put(("a", "c"), ("a", "b", "c"))},
        "k:\n  - a # 1\n  - b\n  - c\n",
    ),
    "item before": ("k:\n  # 1\n  - 'a'\n", {"k": Put(("a",), ("b", "a"))}, "k:\n  # 1\n  - 'b'\n  - 'a'\n"),
    "item behind a block": (
        "k:\n  - |\n    a\n\nz: 1\n",
        {"k": Put(("a\n",), ("a\n", "b"))},
        "k:\n  - |\n    a\n  - b\n\nz: 1\n",
    ),
    "item gone": (
        "k:\n  - a # 1\n  # 2\n  - b\n  - c\n",
        {"k": Put(("a", "b", "c"), ("a", "c"))},
        "k:\n  - a # 1\n  # 2\n  - c\n",
    ),
    "last item gone, no last line break": (
        "m:\n  - a\n  - b",
        {"m": Put(("a", "b"), ("a",)), "k": Put(None, 1)},
        "m:\n  - a\nk: 1",
    ),
    "moved": (
        "k:\n  - !file a  # 1\n  # two\n  - b # 2\n  - |  # 3\n    c\nz: 1\n",
        {"k": Put(("A", "b", "c\n"), ("c\n", "b", "A"), {"A": "a"})},
        "k:\n  - |  # 3\n    c\n  - b # 2\n  - !file a  # 1\n  # two\nz: 1\n",
    ),
    "moved, no last line break": (
        "k:\n  - a # 1\n  - b # 2",
        {"k": Put(("a", "b"), ("b", "a"))},
        "k:\n  - b # 2\n  - a # 1",
    ),
    "an anchor gone": (
        "k:\n  - &x a # 1\n  - b\nm: [*x, c, *x]\n",
        {"k": Put(("a", "b"), ("b",))},
        "k:\n  - b\nm: [&x a, c, *x]\n",
    ),
    "an anchor gone, whose text cannot be plain in brackets": (
        "k:\n  - &x a, {b}\n  - &y |\n    c\n    d\nm: [*x]\nn:\n  - *y\n",
        {"k": Put(("a, {b}", "c\nd\n"), ("e",))},
        'k:\n  - e\nm: [&x "a, {b}"]\nn:\n  - &y |\n    c\n    d\n',
    ),
    "an anchor moved": (
        "k:\n  - &x a # 1\n  - b\nm: [*x, c]\n",
        {"k": Put(("a", "b"), ("b", "a"))},
        "k:\n  - b\n  - &x a # 1\nm: [*x, c]\n",
    ),
    "an alias moved to its anchor's place": (
        "k: [&x a, b, *x ]\n",
        {"k": Put(("a", "b", "a"), ("a", "a", "b"))},
        "k: [a, &x a, b ]\n",
    ),
    "all gone, with comments": (
        "k: # c\n  - a # 1\n  # two\n  - | # 2\n    # text\nz: 1\n",
        {"k": Put(("a", "# text\n"), ())},
        "k: [] # c\n  # 1\n  # two\n  # 2\nz: 1\n",
    ),
    "all gone": ("k: # c\n  - a\n  # d\nz: 1\n", {"k": Put(("a",), ())}, "k: [] # c\n  # d\nz: 1\n"),
    "files stay": ("k: [!file a, b]\n", {"k": Put(("A", "b"), ("A", "c"))}, "k: [!file a, c]\n"),
    "aliases stay": ("x: &x a\nk: [*x, b]\n", {"k": Put(("a", "b"), ("a", "c"))}, "x: &x a\nk: [*x, c]\n"),
    "brackets": (
        'k: ["a",  "b" ] # c\n',
        {"k": Put(("a", "b"), ("a", "b", "c"))},
        'k: ["a",  "b", "c" ] # c\n',
    ),
    "brackets, gone": ("k: [a, b, c]\n", {"k": Put(("a", "b", "c"), ("a",))}, "k: [a]\n"),
    "brackets, first gone": ("k: [a, b, c]\n", {"k": Put(("a", "b", "c"), ("c",))}, "k: [c]\n"),
    "brackets on lines": (
        "k: [\n\ta,  # 1\n\tb,  # 2\n]\n",
        {"k": Put(("a", "b"), ("a", "b", "c"))},
        "k: [\n\ta,  # 1\n\tb,  # 2\n\tc,\n]\n",
    ),
    "brackets on lines, gone": (
        "k: [\n    a,    # 1\n    # two\n    b,  # 2\n    c\n  ]\n",
        {"k": Put(("a", "b", "c"), ("a", "b"))},
        "k: [\n    a,    # 1\n    # two\n    b  # 2\n  ]\n",
    ),
    "brackets on lines, moved": (
        "k: [\n    'a',    # 1\n    b,  # 2\n    c,\n  ]\n",
        {"k": Put(("a", "b", "c"), ("c", "b", "a"))},
        "k: [\n    c,\n    b,  # 2\n    'a',    # 1\n  ]\n",
    ),
    "brackets on lines, moved to the end": (
        "k: [\n    'a',    # 1\n    b # 2\n  ]\n",
        {"k": Put(("a", "b"), ("x", "b", "a"))},
        "k: [\n    'x',\n    b, # 2\n    'a'    # 1\n  ]\n",
    ),
    "brackets on some lines, gone": (
        "k: [a, b, # 1\n    c,\n  ]\n",
        {"k": Put(("a", "b", "c"), ("a", "b"))},
        "k: [a, b, # 1\n  ]\n",
    ),
    "brackets on some lines, moved": (
        "k: [a, 'b',\n    c,\n    d]\n",
        {"k": Put(("a", "b", "c", "d"), ("d", "a", "b", "x"))},
        "k: [d, a, 'b',\n    x]\n",
    ),
    "brackets, moved": (
        "x: &x e\nk: [a, !file c, 'b', *x]\n",
        {"k": Put(("a", "C", "b", "e"), ("e", "b", "C", "a"), {"C": "c"})},
        "x: &x e\nk: [*x, 'b', !file c, a]\n",
    ),
    "empty brackets": ("k: []  # c\n", {"k": Put((), ("a", "b"))}, "k: [a, b]  # c\n"),
    "empty brackets, long": ("k: []  # c\n", {"k": Put((), ("a\nb",))}, "k:  # c\n  - |-\n    a\n    b\n"),
    "a list in the place of an alias": (
        "x: &x [a, !file b]\nk: *x\n",
        {"k": Put(("a", "B"), ("c", "B"), {"B": "b"})},
        "x: &x [a, !file b]\nk:\n  - c\n  - !file b\n",
    ),
    # new keys
    "new": (
        "m:\n  a: 1 # c\n\n# d\nz: 1\n",
        {"m": {"k": Put(None, "b")}},
        "m:\n  a: 1 # c\n  k: b\n\n# d\nz: 1\n",
    ),
    "new, braces": ("m: {a: 1} # c\n", {"m": {"k": Put(None, "b,c")}}, 'm: {a: 1, k: "b,c"} # c\n'),
    "new, empty": ("m: {} # c\nz: 1\n", {"m": {"k": Put(None, "b")}}, "m: # c\n  k: b\nz: 1\n"),
    "new, no last line break": ("m:\n  a: 1", {"m": {"k": Put(None, 2)}}, "m:\n  a: 1\n  k: 2"),
    "new, in a new mapping": (
        "z: 1\n",
        {"m": {"o": {"k": Put(None, True)}}},
        "z: 1\nm:\n  o:\n    k: true\n",
    ),
    "new, over a merge": (
        "x: &x {k: a}\nm: {<<: *x}\n",
        {"m": {"k": Put("a", "b")}},
        "x: &x {k: a}\nm: {<<: *x, k: b}\n",
    ),
    "new, over an alias": (
        "x: &x {k: a}\nm: *x # c\n",
        {"m": {"k": Put("a", "b")}},
        "x: &x {k: a}\nm: # c\n  <<: *x\n  k: b\n",
    ),
    "new, in steps of four": (
        "m:\n    a:\n        b: 1\n",
        {"m": {"a": {"k": Put(None, ("c\nd",))}}, "p": {"o": {"k": Put(None, " x\ny\n")}}},
        "m:\n    a:\n        b: 1\n        k:\n            - |-\n                c\n                d\n"
        "p:\n    o:\n        k: |4\n             x\n            y\n",
    ),
    "new, in steps of four, empty": (
        "m:\n    a: {}\nx: &x {z: 1}\ny: *x\n",
        {"m": {"a": {"k": Put(None, 1)}}, "y": {"k": Put(None, 2)}},
        "m:\n    a:\n        k: 1\nx: &x {z: 1}\ny:\n    <<: *x\n    k: 2\n",
    ),
    "a mapping of names": (
        "k: a # c\n",
        {"k": Put("a", {"instance": "b", "name": "c"})},
        "k: {instance: b, name: c} # c\n",
    ),
    "a name for a mapping": (
        "k: # c\n  instance: b\n  name: c\nz: 1\n",
        {"k": Put("c", "d")},
        "k: d # c\nz: 1\n",
    ),
}


@pytest.mark.parametrize(("before", "edits", "after"), CASES.values(), ids=CASES)
def test_edits(before: str, edits: Edits, after: str) -> None:
    assert edit(before, edits) == after


ROWS = {
    "block": ("k:\n", "  - {0}   # {0}\n", ""),
    "brackets": ("k: [\n", "  {0}{1}   # {0}\n", "]\n"),
    "JSON": ('{"k": [\n', '  "{0}"{1}\n', "]}\n"),
}


@pytest.mark.parametrize(("first", "row", "last"), ROWS.values(), ids=ROWS)
@given(st.data())
@settings(deadline=None)
def test_items_keep_their_lines(first: str, row: str, last: str, data: st.DataObject) -> None:
    before = data.draw(st.permutations("abcde").map(lambda items: items[:4]))
    after = data.draw(st.lists(st.sampled_from("abcdefg"), unique=True, min_size=1))

    def text(items: Sequence[str]) -> str:
        rows = (row.format(item, "" if item == items[-1] else ",") for item in items)
        return first + "".join(rows) + last

    made = edit(text(before), {"k": Put(tuple(before), tuple(after))}, as_json=first[0] == "{")
    lines = [line.split("   # ")[0] for line in text(after).splitlines()]
    assert [line.split("   # ")[0] for line in made.splitlines()] == lines
    kept = [line for line in text(after).splitlines() if line.strip(" -")[0] in before]
    assert [line for line in made.splitlines() if line.strip(" -")[0] in before] == kept


JSON: dict[str, tuple[str, Edits, str]] = {
    "text": ('{"k" :"a"}', {"k": Put("a", 'é"')}, '{"k" :"é\\""}'),
    "list": ('{"k": [\n  "a"\n]}', {"k": Put(("a",), ("a", "b"))}, '{"k": [\n  "a",\n  "b"\n]}'),
    "last item": ('{"k": ["a", "b"]}', {"k": Put(("a", "b"), ("a",))}, '{"k": ["a"]}'),
    "new": ('{"m": {}}\n', {"m": {"k": Put(None, 1)}}, '{"m": {"k": 1}}\n'),
    "text, unseen": (
        '{"k": "a"}',
        {"k": Put("a", "b\u200b\u2028\U000e0041")},
        json.dumps({"k": "b\u200b\u2028\U000e0041"}),
    ),
    "comments stay": (
        '// "k": 1\n{ /* a */ "k": "a", // b\n  "z": 1, // c\n}\n',
        {"k": Put("a", "b"), "z": Put(1, 2), "n": Put(None, 3)},
        '// "k": 1\n{ /* a */ "k": "b", // b\n  "z": 2, // c\n  "n": 3,\n}\n',
    ),
    "items with comments": (
        '{"k": [\n  "a", // a\n  "b", // b\n  "c" // c\n]}\n',
        {"k": Put(("a", "b", "c"), ("c", "a", "d"))},
        '{"k": [\n  "c", // c\n  "a", // a\n  "d" // b\n]}\n',
    ),
    "items with last commas": (
        '{"k": [\n  "a", // a\n  "b", // b\n]}\n',
        {"k": Put(("a", "b"), ("b", "a", "c"))},
        '{"k": [\n  "b", // b\n  "a", // a\n  "c",\n]}\n',
    ),
    "items on a line with a last comma": (
        '{"k": ["a", /* x */ "b",]}\n',
        {"k": Put(("a", "b"), ("b", "c", "d"))},
        '{"k": ["b", "c", "d",]}\n',
    ),
    "new on a line": ('{\n\t"m": true\n}\n', {"k": Put(None, ("a",))}, '{\n\t"m": true,\n\t"k": ["a"]\n}\n'),
}


@pytest.mark.parametrize(("before", "edits", "after"), JSON.values(), ids=JSON)
def test_edits_of_json(before: str, edits: Edits, after: str) -> None:
    assert edit(before, edits, as_json=True) == after


def test_what_a_merge_key_brings_in_as_a_whole_is_not_guessed() -> None:
    with pytest.raises(CannotEditError, match="merge key"):
        edit("x: &x {m: {k: a}}\nbots: {<<: *x}\n", {"bots": {"m": {"k": Put("a", "b")}}})


# -- whatever the text ------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60) | st.lists(
    st.sampled_from(["a", "longa frase de texto", " ", "  x", "", "#", "\t", "é: ", "- y", "\r", "\u2028"]),
    max_size=8,
).map("\n".join)

SOURCES = (
    "k: {0} # c\n",
    "m: {{a: 1, k: {0}, z: 2}}\n",
    "m:\n  - {0}\n  - z\n",
    "m: [y, {0} , z]\n",
    "k: |  # c\n    uma\n    duas\n\n# d\n",
    "m:\n  - >-\n      uma\n      duas\n\n      três\n  - z\n",
    "k: 'uma\n  duas' # c\nz: 1\n",
)


@settings(max_examples=often(300), deadline=None)
@given(TEXTS, st.sampled_from(SOURCES), st.sampled_from(["a", "'a'", '"a"']), st.sampled_from(["\n", "\r\n"]))
def test_any_text_can_be_put_anywhere(said: str, source: str, style: str, newline: str) -> None:
    before = source.format(style).replace("\n", newline)
    place = {"k": Put(_at(compose(before)), said)}
    tree: Any = _plain(compose(before))
    if "k" in tree:
        edits: Edits = place
        tree["k"] = said
    elif isinstance(tree["m"], dict):
        edits = {"m": {"k": Put("a", said)}}
        tree["m"]["k"] = said
    else:
        items = tuple(tree["m"])
        slot = 0 if items[0] != "y" else 1
        tree["m"][slot] = said
        edits = {"m": Put(items, tuple(tree["m"]))}
    after = edit(before, edits)
    assert _plain(compose(after)) == tree
    assert after.count("#") - said.count("#") == before.count("#") or "#" in said
    assert newline == "\n" or "\n" not in after.replace("\r\n", "")


def _at(root: Node) -> object:
    tree: Any = _plain(root)
    return tree.get("k", "a")


def _plain(node: Node) -> object:
    if isinstance(node, MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    return [_plain(item) for item in node.value] if isinstance(node, SequenceNode) else node.value


@pytest.mark.parametrize("seed", range(20))
def test_json_of_any_layout(seed: int) -> None:
    pick = random.Random(seed)  # noqa: S311 - it guards nothing
    tree: Any = {"a": {"k": ["x", "y", "z"], "n": 1}, "b": {"k": "é"}}
    before = json.dumps(tree, indent=pick.choice([None, 2, "\t"]), ensure_ascii=pick.random() < 0.5)
    items = pick.choices(["x", "y", "z", 'q"\n'], k=pick.randrange(5))
    edits = {
        "a": {"k": Put(("x", "y", "z"), tuple(items)), "new": Put(None, True)},
        "b": {"k": Put("é", "{,}")},
    }
    after = edit(before, edits, as_json=True)
    tree["a"] |= {"k": items, "new": True}
    tree["b"]["k"] = "{,}"
    assert json.loads(after) == tree
    assert compose_json(after)
