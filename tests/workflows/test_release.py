"""A release takes its version from the tag and its notes from the changelog, or does not happen."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.workflows.project import ROOT

_CHANGELOG = """\
# Changelog

## 0.3.0 - unreleased

- Not yet.

## 0.2.0 - 2026-12-01

- What is new.

### More

- And this.

## 0.1.0 - 2026-11-28

The first version.
"""


def _release(top: Path, tag: str) -> subprocess.CompletedProcess[str]:
    (top / ".ci").mkdir(exist_ok=True)
    script = shutil.copy(ROOT / ".ci" / "release", top / ".ci")
    (top / "reconciler").mkdir(exist_ok=True)
    shutil.copy(ROOT / "reconciler" / "__init__.py", top / "reconciler")
    return subprocess.run([script, tag], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("tag", "notes"),
    [
        ("v0.2.0", "- What is new.\n\n### More\n\n- And this.\n"),
        ("v0.1.0", "The first version.\n"),
    ],
)
def test_a_release(tmp_path: Path, tag: str, notes: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(_CHANGELOG)
    done = _release(tmp_path, tag)
    assert (done.returncode, done.stdout, done.stderr) == (0, notes, "")
    said = (tmp_path / "reconciler" / "__init__.py").read_text()
    assert f'\n__version__ = "{tag[1:]}"\n' in said


@pytest.mark.parametrize(
    ("tag", "error"),
    [
        ("v0.3.0", "CHANGELOG.md says '0.3.0 - unreleased': put the day there, such as 2026-01-31.\n"),
        ("v0.4.0", "CHANGELOG.md has no section '## 0.4.0 - DATE'.\n"),
        ("v0.2", "The tag 'v0.2' is no version such as v1.2.3.\n"),
        ("0.2.0", "The tag '0.2.0' is no version such as v1.2.3.\n"),
        ("v0.2.0-rc1", "The tag 'v0.2.0-rc1' is no version such as v1.2.3.\n"),
    ],
)
def test_no_release(tmp_path: Path, tag: str, error: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(_CHANGELOG)
    done = _release(tmp_path, tag)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", error)
    assert (tmp_path / "reconciler" / "__init__.py").read_text() == (
        ROOT / "reconciler" / "__init__.py"
    ).read_text()


def test_the_changelog_is_one_that_is_understood() -> None:
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - (unreleased|\d{4}-\d\d-\d\d)", head) for head in heads), heads


def test_what_is_published_is_what_was_built() -> None:
    """One job builds; the one that may publish runs no code of the repository, and has no other right."""
    workflow: Any = YAML(typ="safe", pure=True).load(
        (ROOT / ".github" / "workflows" / "release.yml").read_text()
    )
    jobs = workflow["jobs"]
    assert jobs["publish"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert not any("actions/checkout" in step.get("uses", "") for step in jobs["publish"]["steps"])
    assert jobs["publish"]["steps"][-1]["with"] == {"attestations": True}
    assert jobs["release"]["needs"] == jobs["image"]["needs"] == "publish"
