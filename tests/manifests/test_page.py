"""docs/reference/kinds.md and docs/reference/manifest.md against the tables and the loader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import kinds
from reconciler.domain.kinds import KINDS, Kind
from tests.manifests.writing import read

PAGE = (Path(kinds.__file__).parent / "reference" / "manifest.md").read_text(encoding="utf-8")


def test_the_page_of_the_kinds_is_true() -> None:
    assert kinds.PAGE.read_text(encoding="utf-8") == kinds.page(), "run `python -m docs.kinds`"


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_every_field_has_one_row(kind: Kind) -> None:
    text = kinds.page()
    common = text.partition("## Fields of every kind")[2].partition("\n## ")[0]
    own = text.partition(f"\n## {kind.label}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", common + own, re.MULTILINE)
    assert sorted(rows) == sorted(kind.fields)


def test_the_example_of_kinds(tmp_path: Path) -> None:
    section = PAGE.partition("\n## Kinds\n")[2].partition("\n## ")[0]
    [example] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    [instance] = read(tmp_path, {"loja.yaml": example}).instances
    assert {bot.name: bot.kind.path for bot in instance.bots} == {
        "duvidas": "dify",
        "pedidos": "n8n",
        "atendente": "openai",
    }
    assert instance.bots[0].fields["delayMessage"] == 2000
    assert instance.bots[1].fields["delayMessage"] == 1500
    assert instance.settings["dify"].fields == {"expire": 30}
