"""`explain` and `schema`: what a bot comes to, and what editors are told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.manifests.load import load
from reconciler.render import explain
from reconciler.sandbox import Sandbox
from tests.cli.conftest import ROOT, Run

FILES = {
    "_defaults.yaml": """\
vars:
  loja: Rede
defaults:
  openaiCreds: ${instance}-openai
  botType: chatCompletion
  model: gpt-4o
silence: [catch-all]
bots:
  menu:
    triggerType: keyword
    triggerOperator: equals
    triggerValue: 0
    systemMessages:
      - !file prompts/menu.md
      - Seja breve.
    maxTokens: 100
""",
    "prompts/menu.md": "Você atende a loja ${loja}.\nSeja gentil.\nNão invente preços.\n",
    "sul/_defaults.yaml": "defaults: {expire: 60}\n",
    "sul/centro.yaml": """\
vars: {loja: Centro}
credentials:
  centro-openai: {apiKey: !env OPENAI_KEY}
x-menu: &menu
  userMessages: [oi, olá]
bots:
  menu:
    <<: *menu
    model: gpt-4o-mini
    previously: [inicio]
    onDrift: replace
    enabled: true
""",
    "sul/a@b.yaml": "bots: {menu: {openaiCreds: {instance: centro, name: centro-openai}}}\n",
}
CENTRO = """\
menu@centro  bots/sul/centro.yaml:7
  kind               openai                                     the default
  enabled            true                                       bots/sul/centro.yaml:12
  openaiCreds        "centro-openai"                            bots/_defaults.yaml:4, folder defaults, ${instance} the name of the instance
    its key          !env OPENAI_KEY                            bots/sul/centro.yaml:3
  botType            chatCompletion                             bots/_defaults.yaml:5, folder defaults
  model              "gpt-4o-mini"                              bots/sul/centro.yaml:9
  systemMessages[0]  "Você atende a loja Centro." (3 lines)     bots/_defaults.yaml:14, folder bot, !file bots/prompts/menu.md, ${loja} bots/sul/centro.yaml:1
  systemMessages[1]  "Seja breve."                              bots/_defaults.yaml:15, folder bot
  userMessages       ["oi", "olá"]                              bots/sul/centro.yaml:5
  maxTokens          100                                        bots/_defaults.yaml:16, folder bot
  triggerType        keyword                                    bots/_defaults.yaml:10, folder bot
  triggerOperator    equals                                     bots/_defaults.yaml:11, folder bot
  triggerValue       "0"                                        bots/_defaults.yaml:12, folder bot
  expire             60 minutes                                 bots/sul/_defaults.yaml:1, folder defaults
  previously         ["inicio"]                                 bots/sul/centro.yaml:10
  onDrift            replace                                    bots/sul/centro.yaml:11
  silence            ["catch-all"]                              the instance's silence
left to the server: description, assistantMessages, keywordFinish, delayMessage, unknownMessage, listeningFromMe, stopBotFromMe, keepOpen, debounceTime, ignoreJids, splitMessages, timePerChar
"""  # noqa: E501  a line is a value


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "bots" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "bots"


def squeezed(text: str) -> list[list[str]]:
    """Lines by their columns, whatever the columns' widths."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def test_every_value_and_its_place(run: Run, fleet: Path) -> None:
    result = run("explain", "menu@centro")
    assert (result.exit_code, result.stderr) == (0, "")
    assert squeezed(result.stdout) == squeezed(CENTRO)


def test_the_same_as_json(run: Run, fleet: Path) -> None:
    result = run("explain", "menu@centro", "--format", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    rows = document.pop("values")
    assert document.pop("leftToServer") == CENTRO.rpartition("left to the server: ")[2].strip().split(", ")
    assert document == {
        "format": "evolution-reconciler/explain",
        "version": 1,
        "instance": "centro",
        "bot": "menu",
        "file": "bots/sul/centro.yaml",
        "line": 7,
    }
    shown = squeezed(CENTRO)[1:-1]
    assert [row["name"].replace("apiKey", "its key") for row in rows] == [name for name, *_ in shown]
    assert [row["origin"] for row in rows] == [origin for *_, origin in shown]
    found = {row["name"]: row["value"] for row in rows}
    assert found["systemMessages[0]"] == "Você atende a loja Centro.\nSeja gentil.\nNão invente preços."
    assert (found["enabled"], found["expire"], found["userMessages"]) == (True, 60, ["oi", "olá"])
    assert (found["openaiCreds"], found["apiKey"]) == ("centro-openai", "!env OPENAI_KEY")
    [apart] = [row for row in rows if row["name"] == "silence"]
    assert (apart["file"], apart["line"]) == (None, None)
    [prompt] = [row for row in rows if row["name"] == "systemMessages[0]"]
    assert (prompt["file"], prompt["line"]) == ("bots/_defaults.yaml", 14)
    other = json.loads(run("explain", "menu@a@b", "--format", "json").stdout)["values"]
    [creds] = [row["value"] for row in other if row["name"] == "openaiCreds"]
    assert creds == {"instance": "centro", "name": "centro-openai"}


def test_a_bot_of_another_kind(run: Run, bots: Path) -> None:
    (bots / "loja.yaml").write_text(
        "bots:\n  faq:\n    kind: dify\n    botType: chatBot\n    apiUrl: https://dify.example/v1?t=${env:TOKEN}\n"
        "    apiKey: !env DIFY_KEY\n    triggerType: all\n"
    )
    rows = {row[0]: row[1:] for row in squeezed(run("explain", "faq@loja").stdout)}
    assert rows["kind"] == ["dify", "bots/loja.yaml:3"]
    assert rows["apiUrl"] == ['"https://dify.example/v1?t=${env:TOKEN}"', "bots/loja.yaml:5"]
    assert rows["apiKey"] == ['"!env DIFY_KEY"', "bots/loja.yaml:6"]
    document = json.loads(run("explain", "faq@loja", "--format", "json").stdout)
    assert document["values"][0]["value"] == "dify"
    assert not {"openaiCredsId", "model", "apiUrl"} & set(document["leftToServer"])


def test_no_secret_of_a_url_in_json(run: Run, bots: Path) -> None:
    url = "https://hooks.example/f?key=t0psecretf4c5b6a7d8e9f0a1b2c3"
    (bots / "loja.yaml").write_text(
        "bots:\n  um: {openaiCreds: c, botType: assistant, assistantId: a, triggerType: all, "
        f"functionUrl: '{url}'}}\n"
    )
    shown = run("explain", "um@loja", "--format", "json").stdout
    assert "https://hooks.example/f" in shown
    assert "t0psecret" not in shown


def test_a_borrowed_credential_and_an_instance_with_an_at(run: Run, fleet: Path) -> None:
    rows = {row[0]: row[1:] for row in squeezed(run("explain", "menu@a@b").stdout)}
    assert rows["openaiCreds"] == ['"centro-openai" of "centro"', "bots/sul/a@b.yaml:1"]
    assert rows["its key"] == ["!env OPENAI_KEY", "bots/sul/centro.yaml:3"]
    assert rows["onDrift"] == ["update", "the default"]


def test_a_credential_that_no_manifest_declares(run: Run, bots: Path) -> None:
    rows = {row[0]: row[1:] for row in squeezed(run("explain", "um@loja").stdout)}
    assert rows["its key"] == ["as the server has it", "no manifest declares it"]


def test_what_is_foreign_is_safe_to_show(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "p\u202e.md").write_text("one\x1b[2J\ntwo\n" + "x" * 100)
    (tmp_path / "bots" / "a.yaml").write_text(
        'instance: "a\\u001b[2J"\nbots: {b: {openaiCreds: c, botType: chatCompletion, maxTokens: 1, '
        'model: "x\\ny\\u202e", triggerType: none, description: "d\\u2028", '
        'systemMessages: [!file "p\\u202e.md"]}}'
    )
    shown = run("explain", "b@a\x1b[2J").stdout
    assert all(line.isprintable() for line in shown.splitlines())
    assert '"one␛[2J" (3 lines)' in shown


@pytest.mark.parametrize("sign", ["\u200b", "\u202e", "\u2028", "\x1b", "\n", "\x85", "\ufeff", "\u00ad"])
def test_invisible_characters_of_file_names_are_shown(run: Run, tmp_path: Path, sign: str) -> None:
    bots = tmp_path / "bots"
    prompts = bots / f"prom{sign}pts"
    prompts.mkdir(parents=True)
    (prompts / f"p{sign}.md").write_text("Olá\n")
    (bots / f"a{sign}b.yaml").write_text(
        "bots:\n  um:\n    botType: assistant\n    assistantId: a\n    openaiCreds: c\n    triggerType: all\n"
        f"    functionUrl: !file {json.dumps(f'prom{sign}pts/p{sign}.md')}\n"
    )
    [instance] = load(bots).instances
    shown = run("explain", f"um@{instance.name}").stdout
    assert ".md" in shown
    assert all(line.isprintable() for line in shown.splitlines())
    assert len(shown.splitlines()) == 10


def test_nothing_in_it_is_a_workflow_command(run: Run, bots: Path) -> None:
    (bots / "loja.yaml").write_text((bots / "loja.yaml").read_text().replace('"Sim."', '"##[error]x"'))
    shown = run("explain", "um@loja", "--bots", bots).stdout
    assert "error]x" in shown
    assert "##[" not in shown


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mneu@centro", ["no bot 'mneu' (did you mean 'menu'?)"]),
        ("menu@cento", ["no manifest declares instance 'cento' (did you mean 'centro'?)"]),
        ("menu", ["BOT@INSTANCE"]),
        ("@centro", ["BOT@INSTANCE"]),
        ("menu@", ["BOT@INSTANCE"]),
        ("\x1b@centro", [r"'\x1b'"]),
    ],
)
def test_what_is_not_there(run: Run, fleet: Path, address: str, words: list[str]) -> None:
    result = run("explain", address)
    assert (result.exit_code, result.stdout) == (1, "")
    for word in words:
        assert word in result.stderr


def test_a_bot_of_another_instance(run: Run, fleet: Path) -> None:
    (fleet / "norte.yaml").write_text("bots: {menu: false}")
    assert "has no bot 'menu'; 'a@b' has one." in run("explain", "menu@norte").stderr


def test_nothing_but_the_manifests_is_needed(run: Run, fleet: Path, server: Sandbox) -> None:
    assert "OPENAI_KEY" not in os.environ
    assert run("explain", "menu@centro", env={"EVOLUTION_API_URL": None}).exit_code == 0
    assert server.calls == []


@pytest.mark.parametrize(
    ("args", "file"), [([], "manifest.schema.json"), (["--defaults"], "defaults.schema.json")]
)
def test_the_committed_schemas_are_true(run: Run, args: list[str], file: str) -> None:
    """If not: `reconciler schema > docs/manifest.schema.json`, and with --defaults the other one."""
    shown = run("schema", *args).stdout
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == shown
    assert json.loads(shown)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("width", [50, 80])
def test_it_fits_a_terminal(fleet: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """What does not fit stands below its value, and nothing is left out."""
    monkeypatch.chdir(fleet.parent)
    desired = load(Path("bots"))
    shown = explain.explain(desired, "menu@centro", width)
    value = '  systemMessages[0]  "Você atende a loja Centro." (3 lines)'  # a value stays whole
    assert [line for line in shown.splitlines() if len(line) > width] == [value] * (width < len(value))
    assert shown.split() == explain.explain(desired, "menu@centro").split()
