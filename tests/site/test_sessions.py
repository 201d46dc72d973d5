"""The commands of the pages run, in order and in one directory, and show what the pages say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.manifests.load import load
from tests.site.session import ROOT, commands, holds, run

_PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
_SESSIONS = {name: page for name, page in _PAGES.items() if "<!-- session: " in page}


@pytest.mark.parametrize("name", _SESSIONS)
def test_a_page_shows_what_happens(name: str) -> None:
    """If not: `python -m tests.site.session PAGE`."""
    page = _SESSIONS[name]
    for command, shown in zip(commands(page), run(page), strict=True):
        assert command.shown is None or holds(command.shown, shown), f"{command.text}\n{shown}"


def test_the_readme_is_short() -> None:
    assert len(_PAGES["README.md"].split()) < 900


@pytest.mark.parametrize(
    ("said", "shown", "is_so"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n…\n", "a\nb\nc\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("a\n…\nd\n", "a\nb\nc\n", False),
        ("a … c\n", "a b c\n", True),
        ("a … c\n", "a b d\n", False),
        ("a …\n", "a b\nc\n", False),
        ("", "a\n", False),
    ],
)
def test_what_a_page_says_holds(said: str, shown: str, is_so: bool) -> None:
    assert holds(said, shown) is is_so


def test_the_manifest_of_the_concepts_is_valid(tmp_path: Path) -> None:
    [block] = re.findall(r"(?ms)^```yaml\n(.*?)^```", _PAGES["docs/concepts/manifests.md"])
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "loja.md").write_text("Você é a loja.")
    (tmp_path / "loja-centro.yaml").write_text(block)
    [instance] = load(tmp_path).instances
    assert [bot.name for bot in instance.bots] == ["atendimento", "pedidos"]
    assert instance.bots[1].previously == ("vendas",)
    assert instance.bots[1].on_drift == "replace"
