"""`validate` as a command: where its warnings go, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

_WARNED = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, expire: 60}
bots:
  um: {maxTokens: 100, triggerOperator: regex, triggerValue: '(?i)oi'}
"""


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    directory = tmp_path / "bots"
    directory.mkdir(exist_ok=True)
    (directory / "loja.yaml").write_text(_WARNED)
    return directory


def test_warnings_go_to_stderr_and_do_not_fail(run: Run, warned: Path) -> None:
    result = run("validate")
    assert (result.exit_code, result.stdout) == (0, "Valid: 1 bot on 1 instance.\n")
    first, second, third = result.stderr.splitlines()
    assert first.startswith("bots/loja.yaml:1:101: warning: 'um': expire is stored")
    assert first.endswith(" [never-read]")
    assert second.startswith("bots/loja.yaml:3:62: warning: 'um': '(?i)oi' is not valid in JavaScript")
    assert third == "2 warnings in the manifests."


def test_strict(run: Run, warned: Path) -> None:
    assert run("validate", "--strict").exit_code == 1
    ignored = _WARNED + "silence: [never-read, regex-invalid]\n"
    (warned / "loja.yaml").write_text(ignored)
    result = run("validate", "--strict")
    assert (result.exit_code, result.stderr) == (0, "")


def test_github(run: Run, warned: Path) -> None:
    result = run("validate", "--format", "github")
    assert result.exit_code == 0
    first, second, last = result.stdout.splitlines()
    assert first.startswith("::warning file=bots/loja.yaml,line=1,col=101,title=never-read::'um': expire")
    assert second.startswith(
        "::warning file=bots/loja.yaml,line=3,col=62,title=regex-invalid::'um': '(?i)oi' is not"
    )
    assert last == "Valid: 1 bot on 1 instance."


def test_an_error_comes_without_warnings(run: Run, warned: Path) -> None:
    (warned / "outra.yaml").write_text("bots: {a: {}}")
    result = run("validate")
    assert result.exit_code == 1
    assert "warning" not in result.stderr
    result = run("validate", "--format", "github")
    assert result.exit_code == 1
    assert "::warning" not in result.stdout


@pytest.mark.parametrize(("version", "warnings"), [("2.2.3", 1), ("2.3.6", 2), ("v2.4.0-rc2", 2)])
def test_the_version_of_the_server(run: Run, warned: Path, version: str, warnings: int) -> None:
    result = run("validate", "--server-version", version)
    assert len(result.stderr.splitlines()) == warnings + 1


def test_no_version(run: Run, warned: Path) -> None:
    result = run("validate", "--server-version", "latest")
    assert result.exit_code == 1
    assert "'latest' is no version such as 2.3.6" in result.stderr


def test_what_is_foreign_is_safe_to_show(run: Run, warned: Path) -> None:
    hostile = '"(\\e[31m\\n::error::x\\u202e"'
    (warned / "loja.yaml").write_text(_WARNED.replace("'(?i)oi'", hostile))
    for arguments in ((), ("--format", "github")):
        result = run("validate", *arguments)
        shown = result.stdout + result.stderr
        assert "is not valid in JavaScript" in shown
        assert "\n::error" not in shown
        assert "\u202e" not in shown


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_for_programs(run: Run, warned: Path, format: str) -> None:
    """Nothing but the document, with warnings or with errors."""
    result = run("validate", "--format", format)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ("regex-invalid" in result.stdout, "modle" in result.stdout) == (True, False)
    json.loads(result.stdout)
    (warned / "outra.yaml").write_text("bots: {a: {modle: 1}}")
    result = run("validate", "--format", format)
    assert (result.exit_code, result.stderr) == (1, "")
    assert ("regex-invalid" in result.stdout, "modle" in result.stdout) == (False, True)
    json.loads(result.stdout)


def test_only_the_named_files(run: Run, warned: Path) -> None:
    (warned / "b.yaml").write_text(_WARNED)
    (warned / "sul").mkdir()
    (warned / "sul" / "c.yaml").write_text(_WARNED)
    result = run("validate", "bots/b.yaml", "bots/sul")
    assert (result.exit_code, result.stdout) == (0, "Valid: 2 files.\n")
    assert "bots/loja.yaml" not in result.stderr
    for paths in (["bots/b.yaml", "bots/sul/c.yaml"], ["bots/b.yaml"]):
        found = json.loads(run("validate", *paths, "--format", "json").stdout)
        assert sorted({one["file"] for one in found["warnings"]}) == paths


def test_only_the_errors_of_the_named_files(run: Run, warned: Path) -> None:
    (warned / "b.yaml").write_text("bots: {a: {}}")
    (warned / "c.yaml").write_text("bots: {a: {}}")
    result = run("validate", "bots/b.yaml")
    assert result.exit_code == 1
    assert "bots/b.yaml" in result.stderr
    assert "bots/c.yaml" not in result.stderr
    for format in ("text", "github"):
        result = run("validate", "bots/loja.yaml", "--format", format)
        assert (result.exit_code, result.stdout) == (0, "")
        assert (
            result.stderr == "No errors here. Other manifests have 6 errors: correct them to see warnings.\n"
        )


@pytest.mark.parametrize("path", ["bots/none.yaml", "bots/prompt.md", "elsewhere.yaml"])
def test_a_path_that_is_no_manifest(run: Run, warned: Path, path: str) -> None:
    (warned / "prompt.md").write_text("x")
    (warned.parent / "elsewhere.yaml").write_text("bots: {}")
    result = run("validate", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{path} is no manifest in bots" in result.stderr
