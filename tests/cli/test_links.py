"""A committed link that leads out of the repository: nothing is written through it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support import World

_MANIFEST = """\
instance:   loja
bots: {um: {openaiCreds: main, botType: assistant, assistantId: a, triggerType: all}}
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """A directory of manifests outside of the repository that commands run in."""
    repository, outside = tmp_path / "repository", tmp_path / "outside"
    (repository / ".git").mkdir(parents=True)
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (outside / "bots").mkdir(parents=True)
    (outside / "bots" / "loja.yaml").write_text(_MANIFEST)
    (repository / "folder").mkdir()
    (repository / "folder" / "loja.yaml").write_text(_MANIFEST)
    monkeypatch.chdir(repository)
    return outside


def _everything(outside: Path) -> dict[str, str | None]:
    return {
        path.relative_to(outside).as_posix(): path.read_text() if path.is_file() else None
        for path in sorted(outside.rglob("*"))
    }


LINKS: dict[str, tuple[dict[str, str], str]] = {
    "the directory": ({"bots": "../outside/bots"}, "bots"),
    "a parent": ({"above": "../outside"}, "above/bots"),
    "a link to a link": ({"above": "../outside", "bots": "above/bots"}, "bots"),
    "a link below one": ({"folder/above": "../../outside", "inner": "folder"}, "inner/above/bots"),
    "a way back": ({"bots": "../outside/bots"}, "folder/../bots"),
    "a way round": ({"above": "../outside"}, "above/../outside/bots"),
    "an absolute one": ({"above": "{outside}"}, "above/bots"),
}
COMMANDS = [
    ["fmt", "--bots", "{}"],
    ["fmt", "--bots", "{}", "{}/loja.yaml"],
    ["import", "--update", "--into", "{}"],
    ["import", "--into", "{}/new"],
    ["plan", "--sandbox", "--bots", "folder", "--out", "{}/plan.json"],
    ["init", "{}"],
    ["init", "--no-workflows", "{}/new"],
    ["sandbox", "--port", "0", "--db", "{}/s.db"],
]


@pytest.mark.parametrize(
    ("link", "command"),
    [
        *(("the directory", command) for command in COMMANDS),
        *((link, command) for link in [*LINKS][1:] for command in COMMANDS[:1]),
        ("a parent", COMMANDS[3]),
        ("a parent", COMMANDS[5]),
    ],
)
def test_a_link_out_of_the_repository(
    run: Run, world: World, outside: Path, link: str, command: list[str]
) -> None:
    world.instance("loja", "main")
    world.instance("outra")
    links, bots = LINKS[link]
    for path, target in links.items():
        Path(path).symlink_to(target.format(outside=outside))
    before = _everything(outside)
    refused = run(*(part.format(bots) for part in command))
    assert refused.exit_code == 1
    assert "is a link that leads out of the repository. Remove the link" in refused.stderr
    assert _everything(outside) == before


def test_links_that_stay_inside_or_are_outside(run: Run, outside: Path, tmp_path: Path) -> None:
    Path("bots").symlink_to("folder")
    assert (run("fmt").exit_code, "instance: loja\n" in Path("folder/loja.yaml").read_text()) == (0, True)
    (tmp_path / "mine").symlink_to(outside)
    os.chdir(tmp_path)
    assert run("fmt", "--bots", "mine/bots").exit_code == 0
    assert "instance: loja\n" in (outside / "bots" / "loja.yaml").read_text()
