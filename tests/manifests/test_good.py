"""What manifests declare: exactly this Desired, in the words of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI, Value
from reconciler.manifests.load import load
from tests.manifests.writing import CHAT, bot, read

BODY: dict[str, Value] = {
    "enabled": True,
    "openaiCredsId": "clyx",
    "botType": "assistant",
    "assistantId": "asst_1",
    "functionUrl": "https://n8n.site.com",
    "model": "gpt-4o",
    "systemMessages": ("You are a helpful assistant.",),
    "assistantMessages": ("\n\nHello there, how may I assist you today?",),
    "userMessages": ("Hello!",),
    "maxTokens": 300,
    "triggerType": "keyword",
    "triggerOperator": "equals",
    "triggerValue": "teste",
    "expire": 20,
    "keywordFinish": "#SAIR",
    "delayMessage": 1000,
    "unknownMessage": "Mensagem não reconhecida",
    "listeningFromMe": False,
    "stopBotFromMe": False,
    "keepOpen": False,
    "debounceTime": 10,
    "ignoreJids": (),
}
DOCUMENTED = """\
{
\t"enabled": true,
\t"openaiCredsId": "clyx",
\t"botType": "assistant",
\t"assistantId": "asst_1",
\t"functionUrl": "https:\\/\\/n8n.site.com",
\t"model": "gpt-4o",
\t"systemMessages": [
\t\t"You are a helpful assistant."
\t],
\t"assistantMessages": ["\\n\\nHello there, how may I assist you today?"],
\t"userMessages": ["Hello!"],
\t"maxTokens": 300,
\t"triggerType": "keyword",
\t"triggerOperator": "equals",
\t"triggerValue": "teste",
\t"expire": 20,
\t"keywordFinish": "#SAIR",
\t"delayMessage": 1000,
\t"unknownMessage": "Mensagem não reconhecida",
\t"listeningFromMe": false,
\t"stopBotFromMe": false,
\t"keepOpen": false,
\t"debounceTime": 10,
\t"ignoreJids": []
}"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("loja.json", f'{{"bots": {{"a":\n{DOCUMENTED}}}}}'),
        ("loja.yaml", f"bots: {{a: {DOCUMENTED}}}"),
        ("loja.yaml", "bots:\n  a:\n    " + DOCUMENTED.replace("\n", "\n    ")),
        ("loja.yml", f'{{"bots": {{"a":{DOCUMENTED.replace(": ", ":")}}}}}'),
    ],
    ids=["json", "flow mapping", "under a name", "json in yaml"],
)
@pytest.mark.parametrize("bot_type", ["assistant", "chatCompletion"])
def test_the_documented_body(tmp_path: Path, file: str, text: str, bot_type: str) -> None:
    found = bot(tmp_path, text.replace('"assistant",', f'"{bot_type}",'), file)
    assert found.fields == BODY | {"botType": bot_type}
    assert list(found.fields) == [name for name in OPENAI.fields if name in BODY]
    assert found.creds is None


def test_a_whole_directory(tmp_path: Path) -> None:
    files = {
        "b.yaml": "instance: Loja 2/ç%\ndefaults:\n  expire: 5\n  ignoreJids: ['@g.us']\nbots:\n"
        f"  menu:\n{CHAT}    expire: 0\n    enabled: false\n    previously: [old, older]\n"
        "    onDrift: replace\n  ai:\n    botType: assistant\n    assistantId: asst\n    triggerType: none\n"
        "    openaiCredsId: id\n    description: Front desk\n",
        "sub/a.json": '{"bots": {}}',
        "notes.md": "not: [a manifest",
        ".hidden.yaml": "not: [a manifest",
        "_shared/x.yaml": "not: [a manifest",
    }
    at = str(tmp_path / "bots" / "b.yaml")
    chat: dict[str, Value] = {
        "botType": "chatCompletion",
        "model": "gpt-4o",
        "maxTokens": 300,
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": "oi",
        "expire": 0,
        "ignoreJids": ("@g.us",),
    }
    assert read(tmp_path, files) == Desired(
        (
            DesiredInstance(
                "Loja 2/ç%",
                (
                    DesiredBot(
                        "menu",
                        {"enabled": False, **chat},
                        "main",
                        Position(at, 6, 3),
                        ("old", "older"),
                        "replace",
                    ),
                    DesiredBot(
                        "ai",
                        {
                            "description": "Front desk",
                            "openaiCredsId": "id",
                            "botType": "assistant",
                            "assistantId": "asst",
                            "triggerType": "none",
                            "expire": 5,
                            "ignoreJids": ("@g.us",),
                        },
                        None,
                        Position(at, 18, 3),
                    ),
                ),
                Position(at, 1, 11),
            ),
            DesiredInstance("a", (), Position(str(tmp_path / "bots" / "sub" / "a.json"), 1, 1)),
        )
    )


SCALARS = [
    ("1", "1"),
    ("0010", "0010"),
    ("1.50", "1.50"),
    ("0x1F", "0x1F"),
    ("1_000", "1_000"),
    ("1e3", "1e3"),
    ("no", "no"),
    ("true", "true"),
    ("2024-01-31", "2024-01-31"),
    ("12:30:45", "12:30:45"),
    (".inf", ".inf"),
    ("=", "="),
    ("<<", "<<"),
    ('"null"', "null"),
    ("'~'", "~"),
    ('"\\u00e7\\t\\\\"', "ç\t\\"),
    ("'it''s'", "it's"),
    ("contains:troca,devolução", "contains:troca,devolução"),
    ("a#b", "a#b"),
    ("two\n      lines", "two lines"),
    ("|\n      two\n      lines\n", "two\nlines\n"),
    (">-\n      two\n      lines\n", "two lines"),
]


@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_a_text_is_its_source(tmp_path: Path, written: str, meant: str) -> None:
    text = f"bots:\n  a:\n{CHAT}".replace("triggerValue: oi", f"triggerValue: {written}")
    assert bot(tmp_path, text).fields["triggerValue"] == meant


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("enabled: true", "enabled", True),
        ("enabled: false", "enabled", False),
        ("expire: 0", "expire", 0),
        ("expire: 2147483647", "expire", 2147483647),
        ("keywordFinish: ''", "keywordFinish", ""),
        ("systemMessages: [1, no, '']", "systemMessages", ("1", "no", "")),
        ("ignoreJids: []", "ignoreJids", ()),
        ("timePerChar: 0", "timePerChar", 0),
        ("splitMessages: true", "splitMessages", True),
        (f"functionUrl: {'é' * 500}", "functionUrl", "é" * 500),
        ("description: see [a b] and a:b", "description", "see [a b] and a:b"),
    ],
)
def test_values_at_the_edge(tmp_path: Path, line: str, name: str, value: Value) -> None:
    assert bot(tmp_path, f"bots:\n  a:\n{CHAT}    {line}\n").fields[name] == value


MERGES = {
    "own wins": ("<<: *one\n    triggerValue: own", "own", 100),
    "own wins, merge last": ("triggerValue: own\n    <<: *one", "own", 100),
    "the first of several wins": ("<<: [*one, *two]", "one", 100),
    "a merge in a merge": ("<<: *three", "three", 200),
    "written out": ("<<: {triggerValue: here, maxTokens: 7}", "here", 7),
}


@pytest.mark.parametrize(("lines", "value", "tokens"), MERGES.values(), ids=MERGES)
def test_merge_keys(tmp_path: Path, lines: str, value: str, tokens: int) -> None:
    text = (
        "x-one: &one {triggerValue: one, maxTokens: 100}\n"
        "x-two: &two {triggerValue: two, maxTokens: 200}\n"
        "x-three: &three\n  <<: *two\n  triggerValue: three\n"
        "defaults: {openaiCreds: c, botType: chatCompletion, model: m, triggerValue: default}\n"
        f"bots:\n  a:\n    triggerType: keyword\n    triggerOperator: equals\n    {lines}\n"
    )
    fields = bot(tmp_path, text).fields
    assert (fields["triggerValue"], fields["maxTokens"]) == (value, tokens)


def test_merges_of_defaults_bots_and_aliases_of_values(tmp_path: Path) -> None:
    text = (
        f"x-base: &base\n{CHAT}    systemMessages: &prompts [a, &b b]\n"
        "x-bots: &bots\n  a: *base\ndefaults: {<<: *base, userMessages: [*b]}\n"
        "bots:\n  <<: *bots\n"
    )
    fields = bot(tmp_path, text).fields
    assert (fields["systemMessages"], fields["userMessages"]) == (("a", "b"), ("b",))


@pytest.mark.parametrize(
    ("default", "own", "creds", "id_"),
    [
        ("openaiCreds: d", "", "d", None),
        ("openaiCreds: d", "openaiCreds: o", "o", None),
        ("openaiCreds: d", "openaiCredsId: o", None, "o"),
        ("openaiCredsId: d", "openaiCreds: o", "o", None),
        ("openaiCredsId: d", "", None, "d"),
    ],
)
def test_the_bots_credential_wins(
    tmp_path: Path, default: str, own: str, creds: str | None, id_: str | None
) -> None:
    rest = CHAT.replace("openaiCreds: main", own)
    found = bot(tmp_path, f"defaults:\n  {default}\nbots:\n  a:\n{rest}")
    assert (found.creds, found.fields.get("openaiCredsId")) == (creds, id_)


def test_legal_neighbours(tmp_path: Path) -> None:
    """What looks like a clash and is none."""
    keys = "openaiCreds: c, botType: chatCompletion, model: m"
    text = f"""\
bots:
  all: {{{keys}, maxTokens: 1, triggerType: all}}
  holiday: {{{keys}, maxTokens: 2, triggerType: all, enabled: false}}
  night: {{{keys}, maxTokens: 3, triggerType: all, enabled: false}}
  yes: {{{keys}, maxTokens: 4, triggerType: keyword, triggerOperator: equals, triggerValue: Oi}}
  case: {{{keys}, maxTokens: 5, triggerType: keyword, triggerOperator: equals, triggerValue: oi}}
  space: {{{keys}, maxTokens: 6, triggerType: keyword, triggerOperator: equals, triggerValue: 'oi '}}
  starts: {{{keys}, maxTokens: 7, triggerType: keyword, triggerOperator: startsWith, triggerValue: oi}}
  left: {{{keys}, maxTokens: 8, triggerType: none, triggerOperator: regex, triggerValue: oi}}
  over: {{{keys}, maxTokens: 9, triggerType: none, triggerOperator: regex, triggerValue: oi}}
  other: {{openaiCreds: c, botType: assistant, assistantId: x, model: m, maxTokens: 1, triggerType: none}}
  model: {{openaiCreds: c, botType: chatCompletion, model: M, maxTokens: 1, triggerType: none}}
  tie: {{openaiCreds: c, botType: chatCompletion, model: M, maxTokens: 2, triggerType: none, assistantId: x}}
"""
    (instance,) = read(tmp_path, {"a.yaml": text}).instances
    assert len(instance.bots) == 12


def test_the_sample() -> None:
    """bots/ of this repository: a chain that could run, with every sentence in its place."""
    desired = load(Path(__file__).parents[2] / "bots")
    assert [instance.name for instance in desired.instances] == ["loja-centro", "loja-shopping", "suporte"]
    centro, _, suporte = desired.instances
    assert {bot.name: bot.fields["triggerValue"] for bot in centro.bots} == {
        "pedidos": "1",
        "horarios": "2",
        "duvidas": "3",
        "rastreio": "4",
        "atendente": "0",
    }
    assert {bot.kind.path for bot in centro.bots} == {"openai", "dify", "n8n"}
    assert [bot.fields.get("enabled", True) for bot in suporte.bots] == [True, False]
    openai = [bot for instance in desired.instances for bot in instance.bots if bot.kind is OPENAI]
    names = {bot.creds for bot in openai}
    assert names == {"loja-centro-openai", "loja-shopping-openai", "suporte-openai"}
    for each in openai:
        prompts = each.fields["systemMessages"]
        assert isinstance(prompts, tuple)
        assert all(len(prompt) > 100 for prompt in prompts)


@pytest.mark.parametrize("text", ["Open daily [8:18]", "[08:00-18:00] daily", "[9h:18h]", "[Mon-Fri 8:18]"])
def test_hours_are_no_marker(tmp_path: Path, text: str) -> None:
    assert bot(tmp_path, f"bots:\n  a:\n{CHAT}    description: '{text}'\n").fields["description"] == text
