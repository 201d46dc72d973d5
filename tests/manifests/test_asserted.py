"""`tests:` in manifests and folders' files: what they say, what is inherited, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.desired import DesiredTest, essence
from reconciler.domain.errors import Position
from tests.manifests.test_broken import ONE
from tests.manifests.writing import marked, problems, read

_AT = Position("", 1, 1)


def _test(*messages: str, bots: tuple[str, ...] = ("a",), **more: object) -> DesiredTest:
    return DesiredTest(messages, bots, _AT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("item", "test"),
    [
        ("{message: oi, bot: a}", _test("oi")),
        ("{message: 1, bot: 2}", _test("1", bots=("2",))),
        ("{message: 0010, bot: a}", _test("0010")),
        ("{message: no, bot: no}", _test("no", bots=("no",))),
        ("{message: [preço, PREÇO], bot: a}", _test("preço", "PREÇO")),
        ("{message: '', bot: a}", _test("")),
        ("{message: oi, bot: null}", _test("oi", bots=())),
        ("{message: oi, bot: ~}", _test("oi", bots=())),
        ("{message: oi, bot: 'null'}", _test("oi", bots=("null",))),
        ("{message: oi, bot: [a, b]}", _test("oi", bots=("a", "b"))),
        (
            "{message: oi, bot: a, jid: 1203@g.us, fromMe: true, name: grupo}",
            _test("oi", jid="1203@g.us", from_me=True, name="grupo"),
        ),
        ("{message: 'oi ${name}', bot: a}", _test("oi ${name}")),
    ],
)
def test_what_a_test_says(tmp_path: Path, item: str, test: DesiredTest) -> None:
    [instance] = read(tmp_path, {"loja.yaml": f"{ONE}tests:\n  - {item}\n"}).instances
    assert instance.tests == (test,)
    assert instance.tests[0].at == Position(str(tmp_path / "bots/loja.yaml"), 11, 5)


_FOLDER = """\
tests:
  - {message: oi, bot: a, name: saudacao}
  - {message: tchau, bot: null}
"""


@pytest.mark.parametrize(
    ("tests", "found"),
    [
        ("", ["oi", "tchau"]),
        ("tests: []\n", ["oi", "tchau"]),
        ("tests: [{message: bom dia, bot: a}]\n", ["bom dia", "oi", "tchau"]),
        ("tests: [{message: olá, bot: a, name: saudacao}]\n", ["olá", "tchau"]),
        ("tests: [{name: saudacao, drop: true}]\n", ["tchau"]),
    ],
)
def test_what_is_inherited(tmp_path: Path, tests: str, found: list[str]) -> None:
    [instance] = read(tmp_path, {"_defaults.yaml": _FOLDER, "loja.yaml": ONE + tests}).instances
    assert [test.messages[0] for test in instance.tests] == found


def test_the_nearest_folder_wins_and_the_places_are_kept(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": _FOLDER,
        "sul/_defaults.yaml": "tests: [{name: saudacao, drop: true}, {message: '1', bot: a, name: um}]",
        "sul/loja.yaml": f"{ONE}tests: [{{message: oi, bot: null, name: saudacao}}]\n",
    }
    [instance] = read(tmp_path, files).instances
    root = f"{tmp_path / 'bots'}/"
    assert [(test.messages, test.bots, str(test.at).removeprefix(root)) for test in instance.tests] == [
        (("oi",), (), "sul/loja.yaml:10:9"),
        (("1",), ("a",), "sul/_defaults.yaml:1:39"),
        (("tchau",), (), "_defaults.yaml:3:5"),
    ]


def test_variables(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": "vars: {bairro: x}\n"
        "tests: [{message: ['na ${bairro}', oi], bot: a, jid: '${jid}@g.us'}]",
        "loja.yaml": f"{ONE}vars: {{bairro: Lapa, jid: 12}}\n",
    }
    [instance] = read(tmp_path, files).instances
    assert instance.tests == (_test("na Lapa", "oi", jid="12@g.us"),)


_HAS_NO = "the test has no"


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("‸{message: oi, bot: a}", "tests must be a list"),
        ("‸oi", "tests must be a list"),
        ("[‸oi]", "a test must be a mapping"),
        ("[‸{bot: a}]", f"{_HAS_NO} message: add one, or a list of them"),
        ("[‸{message: oi}]", f"{_HAS_NO} bot: add the name of the bot that should answer, or `bot: null`"),
        ("[{message: ‸null, bot: a}]", "message cannot be null"),
        ("[{message: ‸[], bot: a}]", "message is an empty list: write at least one text"),
        ("[{message: [oi, ‸{a: 1}], bot: a}]", "an item of message must be a text"),
        ("[{message: oi, bot: ‸[]}]", "bot is an empty list: write `bot: null` for nobody"),
        ("[{message: oi, bot: ‸[a, a]}]", "bot names the same bot twice"),
        ("[{message: oi, bot: [‸null]}]", "an item of bot cannot be null"),
        ("[{message: oi, bot: a, fromMe: ‸1}]", "fromMe must be true or false"),
        ("[{message: oi, bot: a, jid: ‸''}]", "jid is empty"),
        ("[{message: oi, ‸bots: a, bot: a}]", "'bots' is not a key of a test (did you mean 'bot'?)"),
        (
            "[{message: oi, bot: a, name: n}, ‸{message: x, bot: a, name: n}]",
            "the test 'n' is already declared at loja.yaml:10:9: rename one of the two",
        ),
        (
            "[‸{name: saudacoa, drop: true}]",
            "no folder's file above has a test 'saudacoa' (did you mean 'saudacao'?) to drop: remove this",
        ),
        ("[‸{drop: true}]", "drop needs the name of the inherited test: add `name:`"),
        ("[{name: saudacao, drop: ‸false}]", "drop can only be true"),
        ("[{name: saudacao, drop: true, ‸bot: a}]", "a test that is dropped has no bot"),
        ("[{message: ‸'${x}', bot: a}]\nvars: {y: a}", "${x} is not a declared variable"),
    ],
)
def test_what_is_wrong(tmp_path: Path, tests: str, message: str) -> None:
    text, place = marked(f"{ONE}tests: {tests}\n")
    [problem] = problems(tmp_path, {"_defaults.yaml": _FOLDER, "loja.yaml": text})
    assert problem.startswith(f"loja.yaml:{place}: ")
    assert message in problem


def test_what_declares_the_same_has_the_same_tests(tmp_path: Path) -> None:
    one, other = (
        read(tmp_path, {"loja.yaml": f"{ONE}{before}tests: [{{message: {text}, bot: a}}]\n"}).instances[0]
        for before, text in (("", "oi"), ("\n\n", "olá"))
    )
    assert essence(one) != essence(other)
