"""The packages: import-linter keeps their layers (pyproject.toml); here is what it does not see."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"
WHOLE = "*"  # the package itself, whose face is then used by its attributes
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


@cache
def modules() -> list[tuple[str, str, ast.Module]]:
    """Each module: its package, its path, its tree."""
    return [
        (
            path.relative_to(PACKAGE).with_suffix("").parts[0],
            path.relative_to(ROOT).as_posix(),
            ast.parse(text),
        )
        for path in sorted(PACKAGE.rglob("*.py"))
        if (text := path.read_text(encoding="utf-8"))
    ]


def face(package: str) -> list[str]:
    """What a package's `__init__` says that others may use: `__all__`."""
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    [names] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    found: list[str] = ast.literal_eval(names)
    return found


def imported(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """What a module imports of the packages: a package, the name of its that is reached, the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler."):
            _, package, *inside = str(node.module).split(".")
            for name in node.names:
                yield package, inside[0] if inside else name.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "reconciler":
            yield from ((name.name, WHOLE, node.lineno) for name in node.names)
        elif isinstance(node, ast.Import):
            assert not [name.name for name in node.names if name.name.startswith("reconciler.")]


@pytest.mark.parametrize("package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_nobody_reaches_past_a_face(package: str) -> None:
    names = face(package)
    reached = [
        f"{path}:{line}: reconciler.{package}.{name}"
        for owner, path, tree in modules()
        for used, name, line in imported(tree)
        if used == package and owner != package and name not in (*names, WHOLE)
    ]
    assert not reached, "import what the package's __init__ lists, or list it there"
    used = {name for owner, _, tree in modules() for of, name, _ in imported(tree) if of == package != owner}
    assert WHOLE in used or set(names) <= used, "listed, and used by nobody"


def test_the_top_shows_the_stages() -> None:
    names = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(names) <= 17, names


def test_the_drawing_shows_the_layers() -> None:
    [layers] = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [drawing] = re.findall(r"<!-- the layers -->\n```text\n(.*?)```", text, re.DOTALL)
    drawn = [
        line.split("  ")[0].strip() for line in drawing.splitlines() if line and not line.startswith(" ")
    ]
    assert drawn == layers[1:], "the first one is __main__, which is not drawn"


def test_no_contract_has_an_exception() -> None:
    assert not [contract["name"] for contract in CONTRACTS if "ignore_imports" in contract]


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{path}: {node.name}"
        for _, path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert not long
