"""`fmt` as a command: which files it writes, what it says, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.manifests.load import load
from tests.cli.conftest import SAMPLE, Run

MESSY = """\
defaults:
  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: 'keyword', triggerOperator: equals}
bots:
    um: # one
        maxTokens:   100
        triggerValue: '1'
    # two
    dois: {maxTokens: 200, triggerValue: 2}
"""
NEAT = """\
defaults:
  openaiCreds: main
  botType: chatCompletion
  model: gpt-4o
  triggerType: keyword
  triggerOperator: equals

bots:
  um: # one
    maxTokens: 100
    triggerValue: "1"

  # two
  dois: {maxTokens: 200, triggerValue: 2}
"""


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A directory with a manifest that is not formatted, and one that is."""
    directory = tmp_path / "bots"
    directory.mkdir()
    (directory / "loja.yaml").write_text(MESSY)
    (directory / "outra.yaml").write_text("bots: {}\n")
    return directory


def test_what_is_not_formatted_is_written(run: Run, messy: Path) -> None:
    before = load(messy)
    (messy / "loja.yaml").chmod(0o640)
    result = run("fmt")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "bots/loja.yaml\n", "")
    assert (messy / "loja.yaml").read_text() == NEAT
    assert (messy / "loja.yaml").stat().st_mode & 0o777 == 0o640
    after = load(messy)
    assert [one.fields for each in after.instances for one in each.bots] == [
        one.fields for each in before.instances for one in each.bots
    ]
    assert run("fmt").stdout == ""
    assert run("fmt", "--check").exit_code == 0


def test_check(run: Run, messy: Path) -> None:
    result = run("fmt", "--check")
    assert (result.exit_code, result.stdout) == (1, "bots/loja.yaml\n")
    assert result.stderr == "1 file not formatted: run reconciler fmt.\n"
    assert (messy / "loja.yaml").read_text() == MESSY


def test_diff(run: Run, messy: Path) -> None:
    (messy / "loja.yaml").write_text(MESSY + "# \u202e gsk_abcdefghijklmnopqrstuvwx \n")
    result = run("fmt", "--diff")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["--- bots/loja.yaml", "+++ bots/loja.yaml"]
    assert "-        triggerValue: '1'" in lines
    assert '+    triggerValue: "1"' in lines
    assert "\u202e" not in result.stdout
    assert "abcdefgh" not in result.stdout
    assert (messy / "loja.yaml").read_text().startswith(MESSY)
    (messy / "loja.yaml").write_text("bots: {}")
    assert run("fmt", "--diff").stdout.splitlines()[3:] == [
        "-bots: {}",
        r"\ No newline at end of file",
        "+bots: {}",
    ]
    assert run("fmt", "--diff", "--check").exit_code == 1


def test_all_that_declares_something_is_formatted(run: Run, messy: Path) -> None:
    (messy / "sul").mkdir()
    (messy / "sul" / "_defaults.yaml").write_bytes(b"\xef\xbb\xbfvars: { a: 'b' }\r\n")
    (messy / "sul" / "filial.yml").write_text("bots:   {}")
    (messy / "sul" / "outra.json").write_text('{"bots":{}, "instance": "x"}')
    (messy / "sul" / "_notes.yaml").write_text("a:   b")
    (messy / ".hidden.yaml").write_text("a:   b")
    result = run("fmt")
    assert result.stdout.split() == ["bots/loja.yaml", "bots/sul/_defaults.yaml", "bots/sul/filial.yml"]
    assert (messy / "sul" / "_defaults.yaml").read_bytes() == b"vars: {a: b}\n"
    assert (messy / "sul" / "filial.yml").read_text() == "bots: {}\n"
    assert (messy / "sul" / "outra.json").read_text() == '{"bots":{}, "instance": "x"}'
    assert (messy / "sul" / "_notes.yaml").read_text() == (messy / ".hidden.yaml").read_text() == "a:   b"


def test_a_text_that_a_manifest_includes_is_no_manifest(run: Run, messy: Path) -> None:
    text = "a:   b\n"
    (messy / "prompt.yaml").write_text(text)
    manifest = MESSY + "    tres: {maxTokens: 300, triggerValue: 3, systemMessages: [!file prompt.yaml]}\n"
    (messy / "loja.yaml").write_text(manifest)
    assert run("fmt").stdout == "bots/loja.yaml\n"
    assert (messy / "prompt.yaml").read_text() == text
    assert "prompt.yaml is no manifest in bots" in run("fmt", "bots/prompt.yaml").stderr
    (messy / "loja.yaml").write_text(manifest + "  x: [")
    assert run("fmt").exit_code == 1
    assert (messy / "prompt.yaml").read_text() == text


def test_only_the_named_ones(run: Run, messy: Path, tmp_path: Path) -> None:
    (messy / "sul").mkdir()
    for path in ("sul/a.yaml", "b.yaml", "c.yaml"):
        (messy / path).write_text("bots:   {}\n")
    (messy / "broken.yaml").write_text("bots: [")
    result = run("fmt", "bots/b.yaml", tmp_path / "bots" / "sul", "bots/outra.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == ["bots/b.yaml", "bots/sul/a.yaml"]
    assert (messy / "c.yaml").read_text() == "bots:   {}\n"


@pytest.mark.parametrize("path", ["bots/none.yaml", "elsewhere.yaml", "bots/prompt.md"])
def test_a_path_that_is_no_manifest(run: Run, messy: Path, path: str) -> None:
    (messy / "prompt.md").write_text("x")
    (messy.parent / "elsewhere.yaml").write_text("bots:   {}\n")
    result = run("fmt", "bots/loja.yaml", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {path} is no manifest in bots: name one that is there")
    assert (messy / "loja.yaml").read_text() == MESSY


def test_a_directory_without_manifests(run: Run, tmp_path: Path) -> None:
    assert "bots does not exist" in run("fmt", "--check").stderr
    (tmp_path / "bots").mkdir()
    result = run("fmt", "--check")
    assert (result.exit_code, "bots contains no manifest" in result.stderr) == (1, True)


def test_a_file_with_an_error_does_not_stop_the_others(run: Run, messy: Path) -> None:
    (messy / "a.yaml").write_text("bots:\n  x: [\n")
    (messy / "b.yaml").write_bytes(b"bots: \xff\n")
    (messy / "c.yaml").write_bytes(b"\xef\xbb\xbf\r\nbots:\r\n  ? x\r\n  : {}\r\n")
    result = run("fmt")
    assert (result.exit_code, result.stdout) == (1, "bots/loja.yaml\n")
    assert (messy / "loja.yaml").read_text() == NEAT
    first, second, third, last = result.stderr.splitlines()
    assert first.startswith("bots/a.yaml:2:7: not valid YAML")
    assert second.startswith("bots/b.yaml:1:7: the file is not UTF-8")
    assert third.startswith("bots/c.yaml:3:3: the file is written in a way that cannot be formatted")
    assert last == "3 errors in the manifests."


def test_errors_that_are_not_of_the_syntax_do_not_matter(run: Run, messy: Path) -> None:
    (messy / "loja.yaml").write_text("bots:\n    a:\n        maxTokens: 'x'\n")
    assert run("validate").exit_code == 1
    assert run("fmt").exit_code == 0
    assert (messy / "loja.yaml").read_text() == "bots:\n  a:\n    maxTokens: x\n"


def test_a_link_is_followed_within_the_directory_and_stays_a_link(
    run: Run, messy: Path, tmp_path: Path
) -> None:
    (messy / "_one.yaml").write_text("bots:   {}\n")
    (messy / "link.yaml").symlink_to("_one.yaml")
    (tmp_path / "outside.yaml").write_text("bots:   {}\n")
    (messy / "out.yaml").symlink_to(tmp_path / "outside.yaml")
    result = run("fmt")
    assert (result.exit_code, result.stdout.split()) == (1, ["bots/link.yaml", "bots/loja.yaml"])
    assert "bots/out.yaml:1:1: the file leads out of bots by a link" in result.stderr
    assert (messy / "link.yaml").is_symlink()
    assert (messy / "_one.yaml").read_text() == "bots: {}\n"
    assert (tmp_path / "outside.yaml").read_text() == "bots:   {}\n"


def test_the_samples_are_formatted(run: Run, tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "bots")
    assert run("fmt", "--check").exit_code == 0


def test_the_scaffold_is_formatted(run: Run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    assert run("fmt", "--check").exit_code == 0
