"""A directory of manifests in short: its contents, and when the last file was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifests import tree
from reconciler.manifests.tree import Tree

SECOND = 10**9


@pytest.mark.parametrize(
    ("newest", "moment", "older"),
    [
        (5 * SECOND + 1, 5 * SECOND + 1, False),
        (5 * SECOND + 1, 5 * SECOND + SECOND // 100, False),  # the clock of files ticks
        (5 * SECOND + 1, 5 * SECOND + SECOND // 10, True),
        (5 * SECOND, 6 * SECOND, False),  # it may count whole seconds, or every second one
        (5 * SECOND, 7 * SECOND, False),
        (5 * SECOND, 8 * SECOND, True),
        (9 * SECOND + 1, 5 * SECOND, False),
    ],
)
def test_when_files_are_older(newest: int, moment: int, older: bool) -> None:
    assert Tree("", frozenset(), newest).is_older_than(moment) is older


def test_contents_and_manifests(tmp_path: Path) -> None:
    bots = tmp_path / "bots"
    (bots / "inner").mkdir(parents=True)
    for name in ("a.yaml", "inner/b.yaml", "_defaults.yaml"):
        (bots / name).write_text("x\n")
    (bots / "prompt.md").write_text("Oi.\n")
    one, other = tree.of(bots, ()), tree.of(bots, [str(bots / "prompt.md")])
    assert one is not None
    assert other is not None
    assert one.manifests == other.manifests == {str(bots / "a.yaml"), str(bots / "inner/b.yaml")}
    assert one.contents != other.contents
    again = tree.of(bots, ())
    assert again == one
    (bots / "_defaults.yaml").write_text("y\n")
    changed = tree.of(bots, ())
    assert changed is not None
    assert changed.contents != one.contents
    assert changed.newest > one.newest


def test_what_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert tree.of(tmp_path / "bots", ()) is None
    (tmp_path / "a.yaml").write_text("x\n")
    assert tree.of(tmp_path, [str(tmp_path / "missing.md")]) is None
    (tmp_path / "b.yaml").symlink_to(tmp_path.parent / "elsewhere.yaml")
    assert tree.of(tmp_path, ()) is None


def test_texts() -> None:
    files = [("bots/a.yaml", "bots/x/../p.md", "bots/_defaults.yaml"), ("bots/b.yaml", "bots/p.md")]
    assert tree.texts(files) == ["bots/p.md"]
