"""`route`: who answers a message, as manifests declare it and as a server has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.commands import main
from reconciler.domain.kinds import KINDS
from reconciler.render import routing
from reconciler.render.routing import Routed
from reconciler.routing.values import Bot, Instance, Message, Settings
from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import World

_SHOP = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword}
settings: {ignoreJids: ["@g.us"], fallback: geral}
bots:
  horarios: {maxTokens: 1, triggerOperator: equals, triggerValue: 1}
  pedidos: {maxTokens: 2, triggerOperator: equals, triggerValue: 2, listeningFromMe: false}
  trocas: {maxTokens: 3, triggerOperator: contains, triggerValue: troca}
  volta: {maxTokens: 4, triggerOperator: contains, triggerValue: volta}
  geral: {maxTokens: 5, triggerOperator: endsWith, triggerValue: x, enabled: false}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory of manifests with one instance, loja."""
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "loja.yaml").write_text(_SHOP)
    return tmp_path / "bots"


def _route(shop: Path, *args: str, said: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["route", "--bots", str(shop), *args], input=said)


def _why(shop: Path, *args: str) -> str:
    """The first kind's sentence."""
    result = _route(shop, "loja", *args)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[1].strip()


def test_who_answers_and_why_the_others_do_not(shop: Path) -> None:
    assert _route(shop, "loja", "quero troca").stdout == (
        "'quero troca' on loja\n"
        "  OpenAI: trocas answers: the message contains 'troca'.\n"
        "    horarios  equals '1'        does not match\n"
        "    pedidos   equals '2'        does not match\n"
        "    trocas    contains 'troca'  answers\n"
        "    volta     contains 'volta'  does not match\n"
        "    geral     endsWith 'x'      is disabled\n"
    )


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["2"], "pedidos answers: the message is exactly '2'."),
        (["olá"], "geral answers as the fallback: no trigger matches."),
        (
            ["troca ou volta"],
            "trocas or volta answers, at random: the triggers of all of them match, and have the same rank.",
        ),
        (
            ["2", "--from-me"],
            "nobody answers: pedidos is chosen, but it does not answer messages from us "
            "(listeningFromMe is false).",
        ),
        (
            ["1", "--jid", "120363@g.us"],
            "nobody answers: the OpenAI settings ignore 120363@g.us (ignoreJids).",
        ),
        (["bye"], "nobody answers: geral is chosen, but the message is its keywordFinish."),
    ],
)
def test_the_rule(shop: Path, args: list[str], sentence: str) -> None:
    assert _why(shop, *args) == f"OpenAI: {sentence}"


def test_one_bot(shop: Path) -> None:
    assert _route(shop, "volta@loja", "troca").stdout.splitlines()[2:] == [
        "    volta  contains 'volta'  does not match"
    ]


def test_several_messages(shop: Path) -> None:
    blocks = _route(shop, "loja", "1", "2").stdout.split("\n\n")
    assert [block.partition("\n")[0] for block in blocks] == ["'1' on loja", "'2' on loja"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["lojas", "1"], "no manifest declares instance 'lojas' (did you mean 'loja'?)"),
        (["trocs@loja", "1"], "instance 'loja' has no bot 'trocs' (did you mean 'trocas'?)"),
        (["loja"], "Missing argument 'MESSAGE...'"),
        (["loja", "1", "--jsonl"], "--jsonl reads messages from standard input"),
        (["loja", "1", "--server-version", "dois"], "no version such as"),
    ],
)
def test_what_is_refused(shop: Path, args: list[str], words: str) -> None:
    result = _route(shop, *args)
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_version_of_the_server(shop: Path) -> None:
    (shop / "loja.yaml").write_text(_SHOP.replace("enabled: false", "triggerType: none"))
    assert _why(shop, "olá") == "OpenAI: geral answers: it is started by every message."
    assert (
        _why(shop, "2", "--server-version", "2.2.3") == "OpenAI: pedidos answers: the message is exactly '2'."
    )


def test_messages_of_standard_input(shop: Path) -> None:
    (shop / "loja.yaml").write_text(_SHOP.replace(", fallback: geral", ""))
    assert _route(shop, "loja", "-", said="1\r\nolá\n\n1\ntroca ou volta\n").stdout == (
        "'1'               OpenAI: horarios (equals)  (2 times)\n"
        "'olá'             nobody\n"
        "'troca ou volta'  OpenAI: trocas or volta (contains)\n"
        "4 messages, 1 of them answered by nobody.\n"
    )


def test_json(shop: Path) -> None:
    document = json.loads(_route(shop, "loja", "1", "--format", "json", "--jid", "5511@lid").stdout)
    assert document["instance"] == "loja"
    assert document["unanswered"] == 0
    [found] = document["messages"]
    assert (found["message"], found["jid"], found["fromMe"]) == ("1", "5511@lid", False)
    assert found["answers"] == {"openai": ["horarios"]}
    assert found["bots"]["openai"][0] == {
        "bot": "horarios",
        "rule": "equals",
        "reason": "answers",
        "by": [],
        "detail": None,
    }


def test_objects_of_standard_input(shop: Path) -> None:
    rows: list[Any] = [
        {"message": "1"},
        {"message": "2", "fromMe": True},
        {"message": "1", "jid": "1203@g.us", "fromMe": False},
        {"message": "troca e volta"},
        {"message": "\ud83d\n"},
    ]
    result = _route(shop, "loja", "-", "--jsonl", said="\n".join(map(json.dumps, rows)) + "\n")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["message"] for one in found] == [row["message"] for row in rows]
    assert [one["answers"]["openai"] for one in found] == [
        ["horarios"],
        [],
        [],
        ["trocas", "volta"],
        ["geral"],
    ]
    assert found[0]["why"]["openai"] == "horarios answers: the message is exactly '1'."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("oi", "line 2: this is not JSON"),
        ('"oi"', "line 2: there is no text `message`"),
        ('{"message": 1}', "line 2: there is no text `message`"),
        ('{"message": "1", "jid": 5}', "line 2: jid must be a text"),
        ('{"message": "1", "fromMe": "no"}', "line 2: jid must be a text and fromMe true or false"),
        ("[" * 100_000, "line 2: this is not JSON"),
    ],
)
def test_a_line_that_is_no_object(shop: Path, line: str, words: str) -> None:
    result = _route(shop, "loja", "-", "--jsonl", said=f'{{"message": "1"}}\n{line}\n')
    assert result.exit_code == 1
    assert words in result.stderr


def test_the_server_is_asked(run: Run, world: World, server: Sandbox, bots: Path) -> None:
    ids = world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    chat = {"botType": "chatCompletion", "model": "gpt-4o", "enabled": True}
    world.bot("loja", ids["main"], **chat, maxTokens=9, triggerType="all")
    server.calls.clear()
    document = json.loads(run("route", "--live", "loja", "1", "--format", "json").stdout)
    [found] = document["messages"]
    [row] = [bot for bot in world.bots("loja") if bot["triggerType"] == "all"]
    assert found["answers"]["openai"] == [f"id:{row['id']}"]
    assert {one["bot"]: one["reason"] for one in found["bots"]["openai"]} == {
        f"id:{row['id']}": "answers",
        "um": "shadowed",
        "dois": "no match",
    }
    assert not server.writes
    missing = run("route", "--live", "loje", "1")
    assert missing.exit_code == 1
    assert "loje" in missing.stderr


# -- the words ---------------------------------------------------------------------------------


def _bot(name: str, operator: str, value: str, kind: str = "openai", **more: Any) -> Bot:
    fields = {"triggerType": "keyword", "triggerOperator": operator, "triggerValue": value}
    return Bot(name, KINDS[kind], fields | more)


@pytest.mark.parametrize(
    ("bots", "row", "message", "sentence"),
    [
        (
            [_bot("a", "regex", "("), _bot("b", "contains", "oi")],
            Settings(),
            Message("oi"),
            "nobody answers: the message is lost, because the trigger of a is an error "
            "(JavaScript refuses the regex, expecting ')').",
        ),
        (
            [_bot("a", "regex", "("), _bot("b", "regex", "oi")],
            Settings(),
            Message("oi"),
            "b answers: the message matches its regex 'oi'; or nobody does, because the trigger of a is an "
            "error (JavaScript refuses the regex, expecting ')'), and may be tried first.",
        ),
        (
            [_bot("a", "contains", "o"), _bot("b", "contains", "i", listeningFromMe=False)],
            Settings(),
            Message("oi", from_me=True),
            "a answers: the message contains 'o'; or nobody does, if the server picks b.",
        ),
        (
            [_bot("a", "regex", "(a+)+$")],
            Settings(),
            Message("a" * 60 + "b"),
            "it is not known who answers, because the regex of a takes too long to try.",
        ),
        (
            [_bot("a", "equals", "1", "n8n")],
            Settings(fallback="a"),
            Message("oi"),
            "nobody answers: no trigger matches, and the server never uses a, the fallback of n8n.",
        ),
        (
            [_bot("a", "equals", "1")],
            Settings(),
            Message("oi"),
            "nobody answers: no trigger matches, and there is no fallback.",
        ),
        (
            [_bot("a", "equals", "1")],
            Settings(),
            Message("oi", session="a"),
            "a answers: its session with the sender is open.",
        ),
    ],
)
def test_sentences(bots: list[Bot], row: Settings, message: Message, sentence: str) -> None:
    kind = bots[0].kind
    routed = Routed("loja", Instance(tuple(bots), {kind.path: row}, (2, 3, 6)))
    assert routing.text(routed, [message]).splitlines()[1] == f"  {kind.label}: {sentence}"


def test_foreign_text_is_shown_safely() -> None:
    bot = Bot(
        "a\x1b[31m",
        KINDS["openai"],
        {"triggerType": "advanced", "triggerValue": "contains:\x1b[2J\n::error::"},
    )
    routed = Routed("lo\nja", Instance((bot,)))
    for shown in (
        routing.text(routed, [Message("\x1b[0m\n::warning::x")]),
        routing.table(routed, [Message("\x1b")]),
    ):
        assert "\x1b" not in shown
        assert not any(line.lstrip().startswith("::") for line in shown.splitlines())


def test_an_instance_without_bots() -> None:
    assert routing.text(Routed("loja", Instance(())), [Message("oi")]) == (
        "'oi' on loja\n  Nobody answers: the instance has no bots.\n"
    )
