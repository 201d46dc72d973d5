"""Git near manifests that are hostile, settings that are odd, and environments that are another's.

Each hostile thing would touch the canary if anything of it ran.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import base
from reconciler.manifests import git as asked
from reconciler.manifests.changed import since
from reconciler.manifests.history import History
from reconciler.manifests.load import load
from tests.cli.conftest import Run
from tests.cli.test_changed import _BOTS, git
from tests.support import World

BOTS = Path("sub/bots")
Hostile = Callable[[Path, str], Path | None]
"""What is done to a checkout, given its top and a command that touches the canary. Says which bots to use."""


def _said(repo: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", "-C", str(repo), *arguments], check=True, capture_output=True, text=True)
    return ended.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A checkout with two instances, of which `b` changed since main."""
    repo = tmp_path / "repo"
    bots = repo / BOTS
    (bots / "prompts").mkdir(parents=True)
    for name in ("a", "b"):
        (bots / "prompts" / f"{name}.md").write_text("x\n")
        (bots / f"{name}.yaml").write_text(_BOTS.format(prompt=f"prompts/{name}.md"))
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "first")
    git(repo, "checkout", "-q", "-b", "work")
    (bots / "prompts" / "b.md").write_text("y\n")
    git(repo, "commit", "-q", "-a", "-m", "second")
    return repo


@pytest.fixture
def past(repo: Path) -> Path:
    """The same, with an instance that was removed and one that was renamed."""
    (repo / BOTS / "shop.yaml").write_text("instance: gone\nbots: {}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "third")
    git(repo, "rm", "-q", str(BOTS / "shop.yaml"))
    git(repo, "mv", str(BOTS / "a.yaml"), str(BOTS / "c.yaml"))
    git(repo, "commit", "-q", "-m", "fourth")
    git(repo, "mv", str(BOTS / "c.yaml"), str(BOTS / "a.yaml"))
    git(repo, "commit", "-q", "-m", "fifth")
    return repo


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def _touch(tmp_path: Path, canary: Path) -> str:
    """A program that touches the canary, whatever it is given."""
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\ncat\n")
    program.chmod(0o755)
    return str(program)


def changed(bots: Path, ref: str = "main") -> list[str]:
    return [instance.name for instance in since(ref, bots, load(bots)).instances]


def everything(bots: Path) -> list[object]:
    """What every question to git answers about these manifests."""
    top = asked.top(bots)
    assert top is not None
    every = load(bots)
    history = History(bots, every)
    return [
        asked.commit(bots),
        asked.branch(top),
        asked.name(top),
        changed(bots),
        [instance.name for instance in base.read("main", bots, "--base").desired.instances],
        history.is_shallow,
        history.commit("a"),
        history.edited(file for instance in every.instances for file in instance.files),
        history.named(["a", "gone", "never"]),
    ]


# -- hostile checkouts --------------------------------------------------------------------------


def _hide(folder: Path, command: str, extra: str = "") -> None:
    """A bare repository, spread out in a folder as a commit can bring it, with a commit of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made"
    git(folder, "init", "-q", "-b", "main", str(made))
    git(made, "commit", "-q", "--allow-empty", "-m", "forged")
    git(made, "branch", "work")
    (made / ".git" / "config").write_text(
        f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = {folder}\n"
        f"\tfsmonitor = {command}\n\tpager = {command}\n\tsshCommand = {command}\n"
        f"[diff]\n\texternal = {command}\n[alias]\n\trev-parse = !{command}\n{extra}"
    )
    for item in (made / ".git").iterdir():
        item.rename(folder / item.name)
    shutil.rmtree(made)


def _bare(folder: Path) -> Hostile:
    return lambda repo, command: _hide(repo / folder, command)


def _bare_included(repo: Path, command: str) -> None:
    (repo / BOTS / "more").write_text(f"[core]\n\tfsmonitor = {command}\n")
    _hide(repo / BOTS, command, "[include]\n\tpath = more\n")


def _bare_around_what_is_given(repo: Path, command: str) -> Path:
    bots = repo / BOTS / "inner"
    bots.mkdir()
    shutil.copytree(repo / BOTS / "prompts", bots / "prompts")
    (bots / "b.yaml").write_text(_BOTS.format(prompt="prompts/b.md"))
    _hide(repo / BOTS, command)
    return bots


def _dot_git(repo: Path, command: str) -> None:
    (repo / BOTS / ".git").mkdir()
    _hide(repo / BOTS / ".git", command)


def _dot_git_file(repo: Path, command: str) -> None:
    (repo / BOTS / "hidden").mkdir()
    _hide(repo / BOTS / "hidden", command)
    (repo / BOTS / ".git").write_text("gitdir: hidden\n")


def _dot_git_link(repo: Path, command: str) -> None:
    (repo / BOTS / "hidden").mkdir()
    _hide(repo / BOTS / "hidden", command)
    (repo / BOTS / ".git").symlink_to("hidden")


def _worktree_of_a_hidden_one(repo: Path, command: str) -> None:
    """What git keeps for a further work tree: HEAD, and where the rest is."""
    (repo / BOTS / "hidden").mkdir()
    _hide(repo / BOTS / "hidden", command)
    for name, text in (("HEAD", "ref: refs/heads/main"), ("commondir", "hidden"), ("gitdir", ".git")):
        (repo / BOTS / name).write_text(f"{text}\n")


def _settings_of_a_worktree(repo: Path, command: str) -> None:
    _hide(repo / BOTS, command, "[extensions]\n\tworktreeConfig = true\n")
    (repo / BOTS / "config.worktree").write_text(f"[core]\n\tfsmonitor = {command}\n")


def _gitlink(repo: Path, command: str) -> None:
    """A commit of another repository, and how to get it."""
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{BOTS / 'linked'}")
    (repo / ".gitmodules").write_text(
        f'[submodule "x"]\n\tpath = {BOTS / "linked"}\n\turl = ext::{command}\n\tupdate = !{command}\n'
    )
    (repo / BOTS / "linked").mkdir()
    _hide(repo / BOTS / "linked", command)
    git(repo, "config", "submodule.x.update", f"!{command}")
    git(repo, "config", "diff.submodule", "diff")


def _mailmap(repo: Path, command: str) -> None:
    (repo / ".mailmap").symlink_to(command)
    git(repo, "config", "log.mailmap", "true")
    git(repo, "config", "mailmap.file", command)


def _signed(repo: Path, command: str) -> None:
    """A commit with a signature, which the person has git show."""
    raw = _said(repo, "cat-file", "commit", "HEAD")
    head, _, message = raw.partition("\n\n")
    lines = "gpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----"
    made = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-t", "commit", "-w", "--stdin"],
        input=f"{head}\n{lines}\n\n{message}\n",
        check=True,
        capture_output=True,
        text=True,
    )
    git(repo, "reset", "-q", "--hard", made.stdout.strip())
    git(repo, "config", "log.showSignature", "true")
    git(repo, "config", "gpg.program", command)


def _filter(kind: str) -> Hostile:
    def hostile(repo: Path, command: str) -> None:
        git(repo, "config", f"filter.evil.{kind}", command)
        (repo / BOTS / ".gitattributes").write_text("* filter=evil\n")
        for path in (repo / BOTS).rglob("*.*"):
            os.utime(path)  # so that git would have to look at what it holds

    return hostile


def _diff(kind: str) -> Hostile:
    def hostile(repo: Path, command: str) -> None:
        git(repo, "config", f"diff.evil.{kind}", command)
        (repo / BOTS / ".gitattributes").write_text("* diff=evil\n")

    return hostile


def _setting(name: str, value: str = "") -> Hostile:
    return lambda repo, command: git(repo, "config", name, value or command)


def _alternates(repo: Path, command: str) -> None:
    other = repo / "other"
    git(repo, "init", "-q", "--bare", str(other))
    (repo / ".git" / "objects" / "info" / "alternates").write_text(f"{other / 'objects'}\n")
    git(repo, "config", "core.alternateRefsCommand", command)


def _hooks(repo: Path, command: str) -> None:
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc"):
        shutil.copy(command, repo / ".git" / "hooks" / name)


def _submodule(repo: Path, command: str) -> None:
    """A submodule among the manifests, whose repository watches its files."""
    inner = repo / BOTS / "inner"
    git(repo, "init", "-q", str(inner))
    git(inner, "commit", "-q", "--allow-empty", "-m", "inner")
    git(repo, "add", str(BOTS / "inner"))
    git(inner, "config", "core.fsmonitor", command)
    (inner / "new").write_text("x")


def _promised(how: str) -> Hostile:
    """A clone that lacks objects, which it would fetch in a way that runs something."""

    def hostile(repo: Path, command: str) -> None:
        git(repo, "config", "extensions.partialClone", "origin")
        git(repo, "config", "remote.origin.promisor", "true")
        git(repo, "config", "remote.origin.url", f"ext::{command}" if how == "ext" else str(repo))
        git(repo, "config", "remote.origin.uploadpack", command)
        git(repo, "config", "protocol.allow", "always")
        tree = _said(repo, "rev-parse", "main:sub")
        (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()

    return hostile


def _program(*names: str) -> Hostile:
    def hostile(repo: Path, command: str) -> None:
        for folder in (repo, repo / BOTS):
            for name in names:
                shutil.copy(command, folder / name)

    return hostile


HOSTILE: dict[str, Hostile] = {
    "bare in bots": _bare(BOTS),
    "bare in a folder of bots": _bare(BOTS / "prompts"),
    "bare beside bots": _bare(BOTS.parent),
    "bare with an include": _bare_included,
    "bare around what is given": _bare_around_what_is_given,
    ".git in bots": _dot_git,
    ".git in bots, a file": _dot_git_file,
    ".git in bots, a link": _dot_git_link,
    "clean": _filter("clean"),
    "smudge": _filter("smudge"),
    "process": _filter("process"),
    "textconv": _diff("textconv"),
    "command": _diff("command"),
    "fsmonitor": _setting("core.fsmonitor"),
    "external diff": _setting("diff.external"),
    "pager": _setting("core.pager"),
    "pager of a command": _setting("pager.ls-tree"),
    "alias": _setting("alias.ls-tree", "!false"),
    "credential": _setting("credential.helper"),
    "alternates": _alternates,
    "hooks": _hooks,
    "submodule": _submodule,
    "bare in a deep folder": _bare(BOTS / "a" / "b" / "c"),
    "bare with an ending": _bare(BOTS / "x.git"),
    "bare in a hidden folder": _bare(BOTS / ".hidden"),
    ".GIT in bots": _bare(BOTS / ".GIT"),
    "a worktree of a hidden one": _worktree_of_a_hidden_one,
    "settings of a worktree": _settings_of_a_worktree,
    "a commit of another repository": _gitlink,
    "a map of names": _mailmap,
    "a signature": _signed,
    "merge driver": _setting("merge.default.driver"),
    "editor": _setting("core.editor"),
    "asking for a password": _setting("core.askPass"),
    "proxy": _setting("core.gitProxy"),
    "ssh": _setting("core.sshCommand"),
    "pager of the log": _setting("pager.diff-tree"),
    "alias that runs": lambda repo, command: git(repo, "config", "alias.diff-tree", f"!{command}"),
    "packing": _setting("uploadpack.packObjectsHook"),
    "a tool": _setting("difftool.x.cmd"),
    "interactive filter": _setting("interactive.diffFilter"),
    "a program called git": _program("git"),
    "programs of git's commands": _program(
        "git-rev-parse",
        "git-ls-tree",
        "git-cat-file",
        "git-diff-tree",
        "git-rev-list",
        "git-merge-base",
        "less",
    ),
}


def _head(repo: Path) -> str:
    """The commit of the checkout, read without git."""
    return (repo / ".git" / "refs" / "heads" / "work").read_text().strip()


@pytest.mark.parametrize("inside", [False, True], ids=["from the top", "from bots"])
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_nothing_hostile_runs(
    repo: Path,
    tmp_path: Path,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
    hostile: Hostile,
    inside: bool,
) -> None:
    command = _touch(tmp_path, canary)
    bots = hostile(repo, command) or repo / BOTS
    canary.unlink(missing_ok=True)  # what it took to set this up
    head = _head(repo)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", command)
    monkeypatch.setenv("GIT_PAGER", command)
    for name in ("SSH", "PROXY", "EDITOR", "SEQUENCE_EDITOR", "ASKPASS"):
        monkeypatch.setenv(f"GIT_{name}" + "_COMMAND" * (name in {"SSH", "PROXY"}), command)
    for name in ("PAGER", "EDITOR", "VISUAL", "SSH_ASKPASS"):
        monkeypatch.setenv(name, command)
    monkeypatch.setenv("GIT_EXEC_PATH", str(repo / BOTS))
    monkeypatch.chdir(bots if inside else repo)
    bots = Path() if inside else bots.relative_to(repo)
    answers = everything(bots)
    assert not canary.exists()
    assert answers[0] == head
    assert answers[3] == ["b"]


@pytest.mark.parametrize("how", ["ext", "upload-pack"])
def test_what_a_clone_lacks_is_not_fetched(repo: Path, tmp_path: Path, canary: Path, how: str) -> None:
    _promised(how)(repo, _touch(tmp_path, canary))
    canary.unlink(missing_ok=True)
    with pytest.raises(ReconcilerError, match="git cannot tell what changed"):
        changed(repo / BOTS)
    assert not canary.exists()


def test_a_commit_that_is_hidden_in_bots_is_in_no_plan(
    run: Run, world: World, repo: Path, tmp_path: Path, canary: Path
) -> None:
    for name in ("a", "b"):
        world.instance(name)
    _hide(repo / BOTS, _touch(tmp_path, canary))
    canary.unlink(missing_ok=True)
    out = tmp_path / "plan.json"
    ended = run("plan", "--bots", repo / BOTS, "--changed-since", "main", "--out", out)
    assert (ended.exit_code, canary.exists()) == (0, False), ended.stderr
    assert f'"commit": "{_said(repo, "rev-parse", "HEAD")}"' in out.read_text()


def test_without_a_checkout_around_it_one_that_is_hidden_does_not_count(tmp_path: Path, canary: Path) -> None:
    bots = tmp_path / "bots"
    bots.mkdir()
    (bots / "a.yaml").write_text("bots: {}\n")
    _hide(bots, _touch(tmp_path, canary))
    canary.unlink(missing_ok=True)
    assert asked.commit(bots) is None
    with pytest.raises(ReconcilerError, match="needs a git checkout"):
        changed(bots)
    assert not canary.exists()


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["repository", "person"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diff.relative", "true"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.ignoreSubmodules", "all"),
        ("diff.renames", "copies"),
        ("diff.orderFile", "sub"),
        ("diff.noSuchThing", "x"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("core.abbrev", "4"),
        ("core.autocrlf", "true"),
        ("core.excludesFile", "all"),
        ("core.attributesFile", "all"),
        ("core.ignoreStat", "true"),
        ("core.warnAmbiguousRefs", "true"),
        ("status.relativePaths", "true"),
        ("status.showUntrackedFiles", "no"),
        ("submodule.recurse", "true"),
        ("safe.bareRepository", "all"),
        ("diff.orderFile", "/nowhere"),
        ("diff.submodule", "diff"),
        ("diff.context", "0"),
        ("diff.colorMoved", "none such"),
        ("color.diff", "always"),
        ("core.abbrev", "no"),
        ("core.bigFileThreshold", "1"),
        ("core.ignoreCase", "true"),
        ("core.fileMode", "false"),
        ("core.symlinks", "false"),
        ("core.pager", "false"),
        ("pager.diff-tree", "false"),
        ("log.showSignature", "true"),
        ("log.showRoot", "false"),
        ("log.follow", "true"),
        ("log.mailmap", "true"),
        ("log.decorate", "full"),
        ("log.date", "relative"),
        ("log.diffMerges", "off"),
        ("log.abbrevCommit", "true"),
        ("format.pretty", "fuller"),
        ("notes.displayRef", "*"),
        ("i18n.logOutputEncoding", "UTF-16"),
        ("i18n.commitEncoding", "UTF-16"),
        ("grep.patternType", "fixed"),
        ("column.ui", "always"),
        ("index.sparse", "true"),
        ("branch.sort", "-committerdate"),
        ("help.autocorrect", "immediate"),
    ],
)
def test_settings_do_not_matter(
    past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str, value: str
) -> None:
    (past / BOTS / "olá.yaml").write_text("bots: {}\n")  # which no commit has
    (past / "all").write_text("*\n")
    monkeypatch.chdir(past / BOTS)
    before = everything(Path())
    assert before[1:6] == ["main", "repo", ["b", "olá"], ["a", "b"], False]
    assert before[6] == before[0][:7] != ""  # type: ignore[index]
    assert before[8] == {"a", "gone"}
    if where == "person":
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        git(past, "config", "--global", name, value)
    else:
        git(past, "config", name, value)
    assert everything(Path()) == before


def test_a_file_may_be_named_as_a_commit(repo: Path, tmp_path: Path) -> None:
    """No path is read as the start of another commit's changes."""
    first = _said(repo, "rev-parse", "main")
    top = tmp_path / "top"
    git(tmp_path, "clone", "-q", "-b", "work", str(repo), "top")
    (top / first).write_text("x")
    (top / "z.yaml").write_text("bots: {}\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "third")
    assert asked.last_changes(top, ".", 10)["z.yaml"] == _said(top, "rev-parse", "--short", "HEAD")


@pytest.mark.parametrize("kind", ["120000", "100644"])
def test_a_tree_that_leads_through_its_own_link(repo: Path, tmp_path: Path, kind: str) -> None:
    """Two entries of one name, a link and a folder, which no work tree can have."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def made(kind: str, what: str) -> str:
        ended = subprocess.run(
            ["git", "-C", str(repo), *kind.split()], input=what, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    to = made("hash-object -w --stdin", str(elsewhere))
    inner = made("mktree", f"{kind} blob {to}\tevil.yaml\n")
    bots = made("mktree", f"120000 blob {to}\tx\n040000 tree {inner}\tx\n")
    sub = made("mktree", f"040000 tree {bots}\tbots\n")
    top = made("mktree", f"040000 tree {sub}\tsub\n")
    commit = _said(
        repo, "-c", "user.name=t", "-c", "user.email=t@t", "commit-tree", top, "-p", "main", "-m", "x"
    )
    git(repo, "update-ref", "refs/heads/work", commit)
    with pytest.raises(ReconcilerError, match=r"is a link|File exists"):
        base.read("work", repo / BOTS, "--base")
    assert list(elsewhere.iterdir()) == []


def test_lines_that_git_checked_out_with_crlf_have_not_changed(repo: Path) -> None:
    for path in ("a.yaml", "prompts/a.md"):
        text = (repo / BOTS / path).read_bytes()
        (repo / BOTS / path).write_bytes(text.replace(b"\n", b"\r\n"))
    assert changed(repo / BOTS) == ["b"]


# -- environments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"GIT_DIR": ".git"},
        {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index.lock", "GIT_PREFIX": ""},
        {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere"},
        {"GIT_INDEX_FILE": "/nowhere"},
        {"GIT_OBJECT_DIRECTORY": "/nowhere"},
        {"GIT_COMMON_DIR": "/nowhere"},
        {"GIT_CEILING_DIRECTORIES": "/"},
        {"GIT_NAMESPACE": "other"},
        {"GIT_CONFIG_PARAMETERS": "'core.bare'='true'"},
        {"GIT_LITERAL_PATHSPECS": "1"},
        {"GIT_EXEC_PATH": "/nowhere"},
        {"GIT_TRACE": "2"},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("directory", [".", "sub"])
def test_variables_do_not_matter(
    repo: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], directory: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(repo / directory)
    assert changed(Path(os.path.relpath(repo / BOTS))) == ["b"]


def test_in_a_hook(repo: Path, tmp_path: Path) -> None:
    asking = (
        f"#!{sys.executable}\n"
        "from pathlib import Path\n"
        "from reconciler.manifests.changed import since\nfrom reconciler.manifests.load import load\n"
        "bots = Path('sub/bots')\n"
        f"Path({str(tmp_path / 'said')!r}).write_text(\n"
        "    ' '.join(each.name for each in since('main', bots, load(bots)).instances))\n"
    )
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.write_text(asking)
    hook.chmod(0o755)
    git(repo, "commit", "-q", "--allow-empty", "-m", "third")
    assert (tmp_path / "said").read_text() == "b"


def test_in_a_worktree_and_in_a_submodule(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repo, "worktree", "add", "-q", "--detach", str(other), "work")
    assert changed(other / BOTS) == ["b"]
    outer = tmp_path / "outer"
    git(tmp_path, "init", "-q", str(outer))
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "-b", "work", str(repo), "inner")
    assert changed(outer / "inner" / BOTS, "origin/main") == ["b"]
    assert asked.commit(outer / "inner" / BOTS) == _said(repo, "rev-parse", "work")


def test_it_is_given_no_key(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git_itself = shutil.which("git")
    _fake(tmp_path, monkeypatch, f'env >> "{tmp_path}/env"; exec {git_itself} "$@"')
    for name in (
        "EVOLUTION_API_KEY",
        "EVOLUTION_API_URL",
        "OPENAI_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
    ):
        monkeypatch.setenv(name, "a-canary")
    assert changed(repo / BOTS) == ["b"]
    seen = (tmp_path / "env").read_text()
    assert "a-canary" not in seen
    assert "GIT_ALLOW_PROTOCOL=" in seen


def _fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Another git, first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("how", ["", "global", "system", "environment"])
def test_somebody_elses_checkout(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Git refuses it, says what to do, and once that is done it works."""
    other = "GIT_TEST_ASSUME_DIFFERENT_OWNER=1"
    _fake(tmp_path, monkeypatch, f'{other} exec {shutil.which("git")} "$@"')
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[safe]\n\tdirectory = {repo}\n")
    match how:
        case "environment":
            monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
            monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
            monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
        case "global" | "system":
            monkeypatch.setenv(f"GIT_CONFIG_{how.upper()}", str(settings))
    if how:
        assert changed(repo / BOTS) == ["b"]
    else:
        with pytest.raises(ReconcilerError) as failed:
            changed(repo / BOTS)
        assert f"git config --global --add safe.directory {repo}" in str(failed.value)
        assert "\n" not in str(failed.value)
        assert asked.commit(repo / BOTS) is None


@pytest.mark.parametrize("ref", ["main", "origin/main"])
def test_a_shallow_clone(repo: Path, tmp_path: Path, ref: str) -> None:
    git(repo, "checkout", "-q", "main")
    git(repo, "commit", "-q", "--allow-empty", "-m", "theirs")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=work", repo.as_uri(), str(clone))
    if ref == "main":
        git(clone, "fetch", "-q", "--depth=1", "origin", "main:main")
    with pytest.raises(ReconcilerError, match=r"shallow.*fetch-depth: 0.*git fetch --unshallow"):
        changed(clone / BOTS, ref)
    git(clone, "remote", "set-branches", "origin", "*")
    git(clone, "fetch", "-q", "--unshallow")
    assert changed(clone / BOTS, ref) == ["b"]


def test_a_git_that_hangs(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(tmp_path, monkeypatch, "exec sleep 60")
    with pytest.raises(ReconcilerError, match=r"did not answer within 0\.2 seconds"):
        asked.run(repo, "version", timeout=0.2)


@pytest.mark.parametrize("path", ["", ".", "nowhere", "/nowhere"])
def test_without_git(repo: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("PATH", path)
    monkeypatch.chdir(repo)
    with pytest.raises(ReconcilerError, match="git is not installed"):
        changed(BOTS)
    assert asked.commit(BOTS) is None


@pytest.mark.parametrize("broken", ["HEAD", "objects", "empty"])
def test_a_checkout_that_is_broken(repo: Path, broken: str) -> None:
    if broken == "empty":
        shutil.rmtree(repo / ".git")
        (repo / ".git").mkdir()
    elif broken == "HEAD":
        (repo / ".git" / "HEAD").write_text("nonsense")
    else:
        shutil.rmtree(repo / ".git" / "objects")
    with pytest.raises(ReconcilerError, match="--changed-since"):
        changed(repo / BOTS)
    assert asked.commit(repo / BOTS) is None


def test_manifests_at_the_top_of_a_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "top")
    top = tmp_path / "top"
    assert asked.top(top) == top.resolve()
    with pytest.raises(asked.GitError, match="has no commit yet"):
        asked.resolve(top, "HEAD")


@pytest.mark.parametrize("name", ["a b", "main..x", "*", "../../etc", "HEAD~99", ":/nothing"])
def test_what_names_no_commit_is_named(repo: Path, name: str) -> None:
    with pytest.raises(asked.GitError, match="has no branch, tag or commit"):
        asked.resolve(repo, name)
