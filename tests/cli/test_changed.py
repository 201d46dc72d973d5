"""`plan --changed-since`: the instances whose files changed in git, and no others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.manifests.changed import former, since
from reconciler.manifests.load import load
from tests.cli.conftest import Run
from tests.support import World

_BOTS = """\
bots:
  um:
    botType: assistant
    assistantId: a
    openaiCredsId: c
    triggerType: all
    functionUrl: !file {prompt}
"""


def git(repo: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(repo), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A checkout with three instances; two share a prompt, and one reads it by a link."""
    repo = tmp_path / "repo"
    bots = repo / "sub" / "bots"
    (bots / "prompts").mkdir(parents=True)
    for name in ("um", "olá mundo"):
        (bots / "prompts" / f"{name}.md").write_text("x\n")
    (bots / "prompts" / "link.md").symlink_to("um.md")
    (bots / "a.yaml").write_text(_BOTS.format(prompt="prompts/um.md"))
    (bots / "b.yaml").write_text(_BOTS.format(prompt="prompts/link.md"))
    (bots / "ç c.yaml").write_text(_BOTS.format(prompt="'prompts/olá mundo.md'"))
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "first")
    git(repo, "checkout", "-q", "-b", "work")
    return repo


def changed(repo: Path, ref: str = "main") -> list[str]:
    bots = repo / "sub" / "bots"
    return [instance.name for instance in since(ref, bots, load(bots)).instances]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(
    ("file", "text", "instances"),
    [
        ("a.yaml", "# new\n" + _BOTS.format(prompt="prompts/um.md"), ["a"]),
        ("prompts/um.md", "y\n", ["a", "b"]),
        ("prompts/olá mundo.md", "y\n", ["ç c"]),
        ("new.yaml", _BOTS.format(prompt="prompts/um.md"), ["new"]),
        ("prompts/unused.md", "y\n", []),
        ("../other.txt", "y\n", []),
    ],
)
def test_what_changed(repo: Path, file: str, text: str, instances: list[str], committed: bool) -> None:
    (repo / "sub" / "bots" / file).write_text(text)
    if committed:
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "second")
    assert changed(repo) == instances


def test_a_link_that_leads_elsewhere_has_changed(repo: Path) -> None:
    link = repo / "sub" / "bots" / "prompts" / "link.md"
    link.unlink()
    link.symlink_to("olá mundo.md")
    assert changed(repo) == ["b"]


def test_a_link_to_a_directory_that_leads_elsewhere_has_changed(repo: Path) -> None:
    bots = repo / "sub" / "bots"
    for name in ("x", "y"):
        (bots / f"_{name}").mkdir()
        (bots / f"_{name}" / "d.yaml").write_text(_BOTS.format(prompt="../prompts/um.md"))
    (bots / "now").symlink_to("_x")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "a link")
    git(repo, "branch", "linked")
    (bots / "now").unlink()
    (bots / "now").symlink_to("_y")
    assert changed(repo, "linked") == ["d"]


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A checkout of folders in folders, two of which have a file for all that is below them."""
    repo = tmp_path / "fleet"
    bots = repo / "sub" / "bots"
    for folder in ("x/y", "z", "_linked"):
        (bots / folder).mkdir(parents=True)
    for name in ("top", "x/one", "x/y/two", "z/three", "_linked/four"):
        (bots / f"{name}.yaml").write_text("bots: {}\n")
    (bots / "link").symlink_to("_linked")
    (bots / "x" / "_defaults.yaml").write_text("defaults: {description: !file ../p.md}\n")
    (bots / "_linked" / "_defaults.yml").write_text("defaults: {expire: 1}\n")
    (bots / "p.md").write_text("Olá\n")
    git(tmp_path, "init", "-q", "-b", "main", "fleet")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "first")
    git(repo, "checkout", "-q", "-b", "work")
    return repo


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(
    ("file", "text", "instances"),
    [
        ("x/_defaults.yaml", "defaults: {expire: 2}\n", ["one", "two"]),
        ("x/_defaults.yaml", None, ["one", "two"]),
        ("x/y/_defaults.json", "{}", ["two"]),
        ("_defaults.yaml", "defaults: {}\n", ["four", "one", "three", "top", "two"]),
        ("_linked/_defaults.yml", None, ["four"]),
        ("p.md", "Oi\n", ["one", "two"]),
        ("z/defaults.md", "x", []),
        ("../_defaults.yaml", "x", []),
    ],
)
def test_a_folders_file(
    fleet: Path, file: str, text: str | None, instances: list[str], committed: bool
) -> None:
    path = fleet / "sub" / "bots" / file
    path.write_text(text) if text is not None else path.unlink()
    if committed:
        git(fleet, "add", "-A")
        git(fleet, "commit", "-q", "-m", "second")
    assert changed(fleet) == instances


def test_from_the_current_directory(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fleet / "sub" / "bots" / "x" / "_defaults.yaml").unlink()
    for directory, bots in (("sub", "bots"), ("sub", "./bots/"), ("sub/bots", ".")):
        monkeypatch.chdir(fleet / directory)
        found = since("main", Path(bots), load(Path(bots))).instances
        assert [instance.name for instance in found] == ["one", "two"]


def test_what_changed_on_the_other_side_did_not_change_here(repo: Path) -> None:
    git(repo, "checkout", "-q", "main")
    (repo / "sub" / "bots" / "a.yaml").write_text("# theirs\n" + _BOTS.format(prompt="prompts/um.md"))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    git(repo, "checkout", "-q", "work")
    assert changed(repo) == []


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "-1", "a\nb", "HEAD --"])
def test_what_git_does_not_know(repo: Path, ref: str) -> None:
    with pytest.raises(ReconcilerError, match="--changed-since"):
        changed(repo, ref)
    assert not (repo / "x").exists()


def test_outside_of_a_checkout(run: Run, world: World, bots: Path) -> None:
    result = run("plan", "--bots", bots, "--changed-since", "main")
    assert result.exit_code == 1
    assert "needs a git checkout" in result.stderr


def test_the_option_limits_the_plan(run: Run, world: World, repo: Path) -> None:
    for name in ("a", "b", "ç c"):
        world.instance(name)
    (repo / "sub" / "bots" / "a.yaml").write_text("# new\n" + _BOTS.format(prompt="prompts/um.md"))
    bots = repo / "sub" / "bots"
    assert run("plan", "--bots", bots).stdout.startswith("Plan: 3 to create")
    assert run("plan", "--bots", bots, "--changed-since", "main").stdout.startswith("Plan: 1 to create")
    git(repo, "checkout", "-q", ".")
    assert run("plan", "--bots", bots, "--changed-since", "main").stdout.startswith("No changes.")


@pytest.mark.parametrize(
    ("now", "names"),
    [
        ({}, set()),
        ({"a.yaml": None}, {"a"}),
        ({"a.yaml": "# new\n"}, {"a"}),
        ({"named.yaml": None, "prompts/um.md": "y\n"}, {"loja"}),
        ({"named.yaml": None, "other.yaml": "instance: loja\nbots: {}\n"}, {"loja"}),
        ({"_defaults.yaml": "defaults: {expire: 4}\n", "prompts/um.md": "y\n"}, set()),
        ({"unclear.yaml": None}, None),
    ],
)
def test_whose_manifests_changed(tmp_path: Path, now: dict[str, str | None], names: set[str] | None) -> None:
    """The instances that may be declared no more; the other manifests of the commit are not read."""
    bots = tmp_path / "bots"
    (bots / "prompts").mkdir(parents=True)
    files = {
        "_defaults.yaml": "defaults: {expire: 3}\n",
        "a.yaml": _BOTS.format(prompt="prompts/um.md"),
        "named.yaml": "instance: loja\nbots: {}\n",
        "unclear.yaml": "bots: {}\ninstance: centro\n",
        "broken.yaml": "bots: {",
        "prompts/um.md": "x\n",
    }
    git(tmp_path, "init", "-q", "-b", "main", ".")
    for changes in (files, now):
        for name, text in changes.items():
            if text is None:
                (bots / name).unlink()
            else:
                (bots / name).write_text(text)
        if changes is files:
            git(tmp_path, "add", "-A")
            git(tmp_path, "commit", "-q", "-m", "first")
    assert former("main", bots) == names


def test_with_links_all_of_the_commit_is_read(repo: Path) -> None:
    assert former("main", repo / "sub" / "bots") is None
