"""docs/reference/lint.md against the rules: a section each; examples that are warned of, and that are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.domain.versions import NEWEST
from reconciler.lint.rules import RULES, Rule
from reconciler.lint.run import lint
from tests.lint.writing import rules
from tests.manifests.writing import CHAT, read

_PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "lint.md").read_text()
_SECTIONS = re.split(r"(?m)^## ", _PAGE)[1:]


def _section(rule: Rule) -> str:
    return next(section for section in _SECTIONS if section.startswith(f"{rule.id}\n"))


def test_every_rule_has_its_section_in_the_order_of_the_table() -> None:
    assert [section.split("\n")[0] for section in _SECTIONS] == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_section_says_what_the_table_says(rule: Rule) -> None:
    section = " ".join(_section(rule).split())
    assert f"**{rule.title}.** Looks at {', '.join(f'`{name}`' for name in rule.fields)}." in section
    if rule.since:
        assert f" Since {'.'.join(map(str, rule.since))}. " in section


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id != "file-name"], ids=lambda rule: rule.id)
def test_the_examples_are_true(rule: Rule, tmp_path: Path) -> None:
    warned_of, mended = re.findall(r"(?s)```yaml\n(.*?)```", _section(rule))
    server = NEWEST if rule.holds(NEWEST) else (2, 1, 0)
    assert rule.id in rules(tmp_path, warned_of, server)
    assert rules(tmp_path, mended, server) == set()
    assert rules(tmp_path, _silenced(warned_of, rule), server).isdisjoint({rule.id, "unknown-rule"})


def test_the_examples_with_files_are_true(tmp_path: Path) -> None:
    warned_of, mended = re.findall(
        r"(?s)```yaml\n(.*?)```", _section(next(rule for rule in RULES if rule.id == "file-name"))
    )
    files = {f"prompts/{name}.md": "Oi" for name in ("loja", "Loja", "loja-centro")}
    for example, said in ((warned_of, ["file-name"]), (mended, [])):
        files["loja.yaml"] = f"bots:\n  a:\n{CHAT}    {example}"
        assert [warning.rule for warning in lint(read(tmp_path, files))] == said


def _silenced(example: str, rule: Rule) -> str:
    if rule.id == "unknown-rule":
        return "silence: [catchall, unknown-rule]"
    if re.match("(?m)(bots|settings|defaults|kinds):", example):
        return f"{example}\nsilence: [{rule.id}]"
    fields = "".join(f"      {line}\n" for line in example.splitlines())
    return f"bots:\n  um:\n      silence: [{rule.id}]\n{fields}"
