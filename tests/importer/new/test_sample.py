"""An import into a repository that `init` made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.test_import import bot, shop

SAMPLE = ["bots/minha-loja.yaml", "bots/prompts/atendimento.md"]


def scaffold(here: Here, *args: str) -> None:
    assert here.run("init", *args).exit_code == 0


def test_an_untouched_sample_is_replaced(here: Here) -> None:
    scaffold(here)
    shop(here.server, "loja", bot(100, "1"))
    result = here.run("import")
    assert result.exit_code == 0
    assert set(here.files()) == {"loja.yaml"}
    assert result.stderr == (
        "Replaced the sample of `reconciler init`, which nobody had edited: removed "
        "bots/minha-loja.yaml and bots/prompts/atendimento.md.\n"
    )
    assert not unexpected(here.plan())


@pytest.mark.parametrize("args", [["--instance", "Loja São João"], ["--kind", "dify", "--instance", "loja"]])
def test_a_sample_of_another_instance_or_kind(here: Here, args: list[str]) -> None:
    scaffold(here, *args)
    shop(here.server, "loja", bot(100, "1"))
    result = here.run("import")
    assert set(here.files()) == {"loja.yaml"}
    assert "Replaced the sample" in result.stderr
    assert "gpt-4o-mini" in here.files()["loja.yaml"], "it is the server's, although the names are equal"


@pytest.mark.parametrize("edited", SAMPLE)
def test_a_sample_that_was_edited_stays(here: Here, edited: str) -> None:
    scaffold(here)
    with Path(edited).open("a") as file:
        file.write("# mine\n")
    shop(here.server, "loja", bot(100, "1"))
    result = here.run("import")
    assert set(here.files()) == {"loja.yaml", "minha-loja.yaml", "prompts/atendimento.md"}
    assert result.stderr == ""


def test_a_prompt_that_others_use_stays(here: Here) -> None:
    scaffold(here)
    fields = "openaiCreds: x, botType: chatCompletion, model: m, maxTokens: 9, triggerType: none"
    mine = f"bots:\n  a: {{{fields}, systemMessages: [!file prompts/atendimento.md]}}\n"
    Path("bots/mine.yaml").write_text(mine)
    shop(here.server, "loja", bot(100, "1"))
    assert here.run("import").exit_code == 0
    assert set(here.files()) == {"loja.yaml", "mine.yaml", "prompts/atendimento.md"}


def test_nothing_to_import_keeps_it(here: Here) -> None:
    scaffold(here)
    before = here.files()
    assert here.run("import").exit_code == 0
    here.server.instance("vazia")
    assert here.run("import").exit_code == 0
    assert here.files() == before


def test_init_and_import_in_one_go(here: Here) -> None:
    shop(here.server, "loja", bot(100, "1"))
    result = here.run("init", "--import", "repo")
    assert result.exit_code == 0, result.stderr
    assert "Replaced the sample" in result.stderr
    assert Path("repo/reconciler.toml").exists()
    assert [path.name for path in Path("repo/bots").glob("*.yaml")] == ["loja.yaml"]
    assert "\n  reconciler plan --bots repo/bots    # " in result.stdout
