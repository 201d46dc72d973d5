"""`restore`: what an instance lost when it was recreated on the server is put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.repo import KEYS, Repo
from tests.cli.test_effect import bot, edited
from tests.support import World

_LOJA = """\
credentials: {loja: {apiKey: !env LOJA}}
settings: {openaiCreds: loja, expire: 9, fallback: b1}
defaults: {openaiCreds: loja, botType: assistant, triggerType: keyword, triggerOperator: equals}
bots:
"""
_BOTS = "".join(f"  b{n}: {{assistantId: a{n}, triggerValue: v{n}}}\n" for n in range(7))


@pytest.fixture
def repo(tmp_path: Path, run: Run, world: World) -> Repo:
    """loja has a credential, settings and seven bots, and filial two bots; then loja is recreated."""
    world.instance("loja")
    world.instance("filial", "filial")
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo", run, world)
    repo.env = {"LOJA": KEYS["loja"]}
    filial: dict[str, Any] = {
        "defaults": {"openaiCreds": "filial"},
        "bots": {name: bot(f"a-{name}") for name in ("um", "dois")},
    }
    repo.write({"loja.yaml": _LOJA + _BOTS, "filial": filial})
    repo.run("apply", "--yes", code=0)
    return repo


def wipe(repo: Repo) -> Any:
    before = repo.state()
    repo.world.done("DELETE", "/instance/delete/loja")
    repo.world.instance("loja")
    return before


def test_all_comes_back_and_nothing_else_is_touched(repo: Repo) -> None:
    edited(repo, "filial", "um", expire=99)
    before = wipe(repo)
    assert repo.world.bots("loja") == []
    repo.run("restore", "loja", "--yes", code=0)
    assert repo.state() == before
    assert repo.plan(code=2)["summary"]["update"] == 1  # filial's, as before


def test_the_plan_says_why_all_are_missing(repo: Repo) -> None:
    wipe(repo)
    [note] = repo.plan(code=2)["notes"]
    assert note.startswith("loja, created on 20")
    assert note.endswith(
        ", has none of its 7 bots: if an instance was recreated, `reconciler restore INSTANCE` puts all back"
    )


def test_a_pull_request_does_not_restore(repo: Repo) -> None:
    wipe(repo)
    assert repo.plan("--base", "HEAD", code=0)["summary"]["before"] == 7


def test_a_pull_request_that_needs_what_is_lost_brings_it_back(repo: Repo) -> None:
    """Its own bot cannot be created without the credential."""
    wipe(repo)
    repo.write({"loja.yaml": _LOJA + _BOTS + "  b7: {assistantId: a7, triggerValue: v7}\n"})
    plan = repo.plan("--base", "HEAD~1", code=2)
    assert (plan["summary"]["create"], plan["summary"]["credential"]) == (8, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["filial"], "'filial' lacks no bot: `reconciler plan` shows what else differs."),
        (["lija"], "no manifest declares the instance 'lija' (did you mean 'loja'?)."),
        (["loj*"], "no manifest declares the instance 'loj*'"),
    ],
)
def test_what_cannot_be_restored(repo: Repo, arguments: list[str], message: str) -> None:
    wipe(repo)
    assert message in repo.run("restore", "--yes", *arguments, code=1).stderr


def test_it_asks(repo: Repo) -> None:
    wipe(repo)
    result = repo.run("restore", "loja", code=1)
    assert "pass --yes" in result.stderr
    assert repo.world.bots("loja") == []
