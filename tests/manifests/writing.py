"""Manifests for the tests: written below a directory, with the place of an error marked by ‸."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.domain.desired import Desired, DesiredBot
from reconciler.domain.errors import ManifestError
from reconciler.manifests.load import load

HERE = "‸"

CHAT = """\
    openaiCreds: main
    botType: chatCompletion
    model: gpt-4o
    maxTokens: 300
    triggerType: keyword
    triggerOperator: equals
    triggerValue: oi
"""
"""What makes a bot whole; to be put under its name."""


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files below directory/bots, which is returned."""
    root = directory / "bots"
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def read(directory: Path, files: Mapping[str, str | bytes]) -> Desired:
    """What the files declare."""
    return load(write(directory, files))


def bot(directory: Path, text: str, file: str = "loja.yaml") -> DesiredBot:
    """The only bot of a manifest."""
    (instance,) = read(directory, {file: text}).instances
    (only,) = instance.bots
    return only


def problems(directory: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """The errors of the files, as lines that begin with the file's path below bots."""
    root = write(directory, files)
    with pytest.raises(ManifestError) as raised:
        load(root)
    lines = str(raised.value).split("\n")
    assert lines == [str(problem) for problem in raised.value.problems], "a problem is one line"
    assert all(line.startswith(f"{root}/") for line in lines)
    assert all(line.isprintable() for line in lines)
    return [line.replace(f"{root}/", "") for line in lines]


def marked(text: str) -> tuple[str, str]:
    """The text without its mark, and the mark's place as line:column."""
    before, mark, after = text.partition(HERE)
    assert mark, "no place is marked"
    assert HERE not in after, "two places are marked"
    return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
