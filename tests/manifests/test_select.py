"""Which instances a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.manifests.selection import check_globs, matches
from tests.manifests.writing import read

NAMES = ["loja-centro", "loja-shopping", "suporte", "Teste [1]"]


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        ([], ["Teste [1]", "loja-centro", "loja-shopping", "suporte"]),
        (["*"], ["Teste [1]", "loja-centro", "loja-shopping", "suporte"]),
        (["loja-*"], ["loja-centro", "loja-shopping"]),
        (["suporte", "loja-c?ntro"], ["loja-centro", "suporte"]),
        (["[ls]*"], ["loja-centro", "loja-shopping", "suporte"]),
        (["Teste [1]"], ["Teste [1]"]),
    ],
)
def test_globs(tmp_path: Path, globs: list[str], names: list[str]) -> None:
    desired = read(tmp_path, {f"{n}.yaml": f"instance: {name}\nbots: {{}}" for n, name in enumerate(NAMES)})
    assert [one.name for one in desired.instances if matches(one.name, globs)] == names
    check_globs(desired, globs)


@pytest.mark.parametrize(
    ("glob", "words"),
    [
        ("loja-centr", ["'loja-centr' (did you mean 'loja-centro'?)", "'suporte'"]),
        ("LOJA-*", ["'LOJA-*'", "'loja-centro', 'loja-shopping'"]),
        ("\x1b", [r"'\x1b'"]),
    ],
)
def test_a_glob_that_matches_nothing(tmp_path: Path, glob: str, words: list[str]) -> None:
    desired = read(tmp_path, {f"{n}.yaml": f"instance: {name}\nbots: {{}}" for n, name in enumerate(NAMES)})
    with pytest.raises(ReconcilerError) as raised:
        check_globs(desired, ["*", glob])
    for word in words:
        assert word in str(raised.value)
